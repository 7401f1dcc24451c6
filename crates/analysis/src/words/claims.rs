//! What is said of one comparison: by its code, with its arguments.

use super::lifts::{as_given, interval, lies, size};
use super::numbers::{count, decimals_of, difference, factor_of, mean, percent};
use super::part::{Part, capital, inner, say, small, strong, units};
use super::subject::{Compared, Subject};
use super::times::{day, instant};
use assay_experiment::Direction;

/// How a comparison is spoken of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Of all lifts in the sentence.
    pub decimals: usize,
    /// The arm before went the same way, so that the metric need not be named again.
    pub too: bool,
    /// Whose it is has to be said, because there are several.
    pub named: bool,
}

/// One or two sentences.
pub(super) fn claim(subject: &Subject<'_>, it: &Compared<'_>, manner: Manner) -> Vec<Part> {
    let start = |words: String| if manner.named { format!("{}: {}", capital(it.name), small(&words)) } else { words };
    let whole = |words: String| vec![say(start(words))];
    match it.code() {
        "better" | "better_may_be_small" | "worse" if it.crossed_back() => crossed_back(subject, it, manner, start),
        "better" | "better_may_be_small" | "worse" => decided(it, manner),
        "not_shown" => whole(not_shown(it, manner)),
        "no_difference" => {
            let lies = lies(it.finding, manner.decimals, "The lift");
            let minimum = as_given(it.minimum().unwrap_or_default());
            let rest = format!(" {}, inside your ±{minimum}.", lies.trim_end_matches('.'));
            vec![strong(start("No difference that matters.".to_owned())), say(rest)]
        }
        "drift" => {
            let head = strong(start("No single effect fits the whole run:".to_owned()));
            vec![head, say(" intervals of different times do not overlap.")]
        }
        "degenerate" => whole(format!(
            "Nothing to compare: within each arm every {} has the same value ({}).",
            subject.unit,
            same(it)
        )),
        "waiting" => whole(waiting(subject, it)),
        "before_plan" => whole(before_plan(subject, it)),
        "blocked" => vec![strong(start("No verdict: the split is off.".to_owned()))],
        "no_method" => {
            let lies = lies(it.finding, manner.decimals, "the always-valid lift");
            let method = crate::json::method_name(subject.method).replace('_', " ");
            whole(format!("The {method} method is not computed yet: {lies} It decides nothing here."))
        }
        _ => whole(
            "Means are shown without an interval: nothing can be inferred for this type of metric yet.".to_owned(),
        ),
    }
}

fn decided(it: &Compared<'_>, manner: Manner) -> Vec<Part> {
    let (amount, bound, up) = amounts(it, manner.decimals);
    let what = if manner.too { "it too, by ".to_owned() } else { format!("{} by ", inner(it.metric.name)) };
    let head = strong(format!("{} {} {what}", capital(it.name), if up { "raises" } else { "lowers" }));
    let number = Part { tone: it.direction(), ..strong(amount) };
    let minimum = it.minimum().map(as_given);
    match (it.code(), minimum, bound) {
        ("better_may_be_small", Some(minimum), Some(bound)) => {
            let rest = format!(", but the truth may be as low as {bound}, below your minimum of {minimum}.");
            vec![head, number, say(rest)]
        }
        ("better_may_be_small", Some(minimum), None) => {
            vec![head, number, say(format!(", but the truth may be below your minimum of {minimum}."))]
        }
        (code, minimum, bound) => {
            let clear = minimum.filter(|_| code == "better");
            let rest = clear.map_or_else(|| ".".to_owned(), |it| format!(", which is clear of your minimum of {it}."));
            let bound = bound.map(|bound| strong(format!(", and by at least {bound}")));
            [head, number].into_iter().chain(bound).chain([say(rest)]).collect()
        }
    }
}

/// By how much, by how much at least, and whether upwards: as a lift, or as a difference where the control has no mean to compare with.
fn amounts(it: &Compared<'_>, decimals: usize) -> (String, Option<String>, bool) {
    let finding = it.finding;
    if let Some(lift) = finding.number("lift") {
        return (size(lift, decimals), finding.number("bound").map(|bound| size(bound, decimals)), lift > 0.0);
    }
    let value = finding.number("difference").unwrap_or_default();
    let (low, high) = (finding.number("low"), finding.number("high"));
    let half = low.zip(high).map_or(0.0, |(low, high)| (high - low) / 2.0 * factor_of(it.metric.unit));
    let of = |value: f64| difference(value.abs(), it.metric.unit, decimals_of(half), false);
    (of(value), if value > 0.0 { low } else { high }.map(of), value > 0.0)
}

fn crossed_back(
    subject: &Subject<'_>,
    it: &Compared<'_>,
    manner: Manner,
    start: impl Fn(String) -> String,
) -> Vec<Part> {
    let at = it.finding.text("decided_at").and_then(instant).map_or(String::new(), |at| format!(" on {}", day(at)));
    let units = it
        .finding
        .number("decided_units")
        .map_or(String::new(), |n| format!(" at {} {}", count(n), units(subject.unit)));
    let word = it.direction().unwrap_or("better");
    vec![
        say(format!("{} ", start(format!("Decided {word}{at}{units}, and that decision stands.")))),
        strong("Today’s interval includes zero again"),
        say(format!(", {}.", interval(it.finding, manner.decimals))),
    ]
}

fn not_shown(it: &Compared<'_>, manner: Manner) -> String {
    if it.finding.flag("excludes_zero_before_correction") {
        let interval = interval(it.finding, manner.decimals);
        return format!(
            "No difference shown yet: the interval, {interval}, excludes zero before correction for several arms, and not after it."
        );
    }
    format!("No difference shown yet. {}", lies(it.finding, manner.decimals, "The lift"))
}

fn waiting(subject: &Subject<'_>, it: &Compared<'_>) -> String {
    let (Some(have), Some(need)) = (it.finding.number("have"), it.finding.number("need")) else {
        return "Waiting for data.".to_owned();
    };
    if it.finding.text("of") == Some("events") {
        let events = match it.metric.unit {
            "rate" => format!("events of {}", inner(it.metric.name)),
            _ => "events".to_owned(),
        };
        return format!(
            "Waiting for data: about {} of {} expected {events} per arm.",
            count(have.floor()),
            count(need)
        );
    }
    format!("Waiting for data: {} of {} {} in the smaller arm.", count(have), count(need), units(subject.unit))
}

fn before_plan(subject: &Subject<'_>, it: &Compared<'_>) -> String {
    let plan = it.finding.number("planned_units").unwrap_or(subject.planned_units as f64);
    let share =
        it.finding.number("units").map_or(String::new(), |units| format!(" ({} are there)", percent(units / plan, 0)));
    format!(
        "The verdict comes at {} {}{share}. Until then this page shows counts and health only.",
        count(plan),
        units(subject.unit)
    )
}

/// The value that every unit of an arm has, control first.
fn same(it: &Compared<'_>) -> String {
    let unit = if it.metric.unit == "rate" { "events" } else { it.metric.unit };
    let text = |name: &str| {
        let value = it.finding.number(name);
        value.map_or("–".to_owned(), |value| mean(value, unit, if value.fract() == 0.0 { 0 } else { 2 }))
    };
    format!("{} and {}", text("control_mean"), text("mean"))
}

/// A guardrail that shows harm.
pub(super) fn harm(subject: &Subject<'_>, metric: &str, variant: &str, lift: Option<f64>) -> Option<Vec<Part>> {
    let metric = subject.metric(metric)?;
    let verb = if metric.direction == Direction::Increase { "lowers" } else { "raises" };
    let by = lift.map_or(String::new(), |lift| format!(" by {}", size(lift, 0)));
    let name = capital(subject.name(variant));
    Some(vec![strong(format!("{name} {verb} {}{by}: harm is shown.", inner(metric.name)))])
}
