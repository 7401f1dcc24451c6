//! The four answers, in the order of people's questions: is it safe, is it working, can I stop, why believe it.

use super::lifts::planned;
use super::numbers::{count, lift, percent, plural};
use super::part::{capital, inner, joined, units};
use super::subject::{Compared, Projection, Subject};
use super::times::{age, instant, moment};
use assay_experiment::{Method, Role, Span};
use serde_json::{Value as Json, json};

/// A word, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One to four words.
    pub word: String,
    /// A sentence or two; may be empty.
    pub why: String,
    /// `yes`, `bad`, `maybe`, or nothing that would be coloured.
    pub tone: Option<&'static str>,
}

/// All four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Is it safe?
    pub safe: Answer,
    /// Is it working?
    pub working: Answer,
    /// Can I stop?
    pub stop: Answer,
    /// Why believe it?
    pub why: Answer,
}

const YES: Option<&str> = Some("yes");
const BAD: Option<&str> = Some("bad");
const MAYBE: Option<&str> = Some("maybe");

fn one(tone: Option<&'static str>, word: impl Into<String>, why: impl Into<String>) -> Answer {
    Answer { word: word.into(), why: why.into(), tone }
}

impl Answer {
    /// As in results.
    pub(crate) fn to_json(&self) -> Json {
        let mut json = json!({"word": self.word, "why": self.why});
        if let Some(tone) = self.tone {
            json["tone"] = json!(tone);
        }
        json
    }
}

impl Answers {
    pub(super) fn of(subject: &Subject<'_>) -> Answers {
        Answers { safe: safe(subject), working: working(subject), stop: stop(subject), why: why(subject) }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({
            "safe": self.safe.to_json(), "working": self.working.to_json(), "stop": self.stop.to_json(),
            "why": self.why.to_json(),
        })
    }
}

fn safe(subject: &Subject<'_>) -> Answer {
    let found = &subject.verdict.safe;
    let named = found.text("metric").map(|id| inner(subject.metric(id).map_or(id, |it| it.name)));
    let name = named.as_deref().unwrap_or("a guardrail");
    match found.code {
        "no" => {
            let arm = found.text("variant").map_or(String::new(), |it| format!("{}: ", capital(subject.name(it))));
            let by = found.number("lift").map_or(String::new(), |it| format!(" ({})", lift(it, 0, true)));
            one(BAD, "No", format!("{arm}{name} shows harm{by}."))
        }
        "cannot_say" => one(MAYBE, "Cannot say", cannot_say(subject, named.as_deref())),
        "not_known_yet" => {
            let need = found.number("units_needed").map_or(String::new(), |needed| {
                let units = units(subject.unit);
                format!(" If the present estimate is true, about {} {units} per pair would show it.", count(needed))
            });
            one(MAYBE, "Not known yet", format!("{} is neither shown safe nor harmful.{need}", capital(name)))
        }
        "yes" => {
            let which = match subject.metrics.iter().filter(|it| it.role == Role::Guardrail).count() {
                1 => "The only guardrail is".to_owned(),
                several => format!("All {several} guardrails are"),
            };
            let everywhere = if subject.has_several() { " in every arm" } else { "" };
            let clean = if subject.verdict.blocked_by.is_empty() { " The split shows nothing." } else { "" };
            one(YES, "Yes", format!("{which} shown safe{everywhere}.{clean}"))
        }
        _ => one(
            MAYBE,
            "No guardrail set",
            "Nothing watches for harm. Add a metric with the role guardrail and a margin to the definition.",
        ),
    }
}

fn cannot_say(subject: &Subject<'_>, metric: Option<&str>) -> String {
    match (metric, subject.verdict.safe.text("reason")) {
        (Some(metric), Some("unsupported")) => format!("Nothing can be inferred yet for a metric like {metric}."),
        (Some(metric), _) => format!("Every {} has the same value of {metric}.", subject.unit),
        _ => "The split is not as planned, so no comparison is fair.".to_owned(),
    }
}

fn working(subject: &Subject<'_>) -> Answer {
    let all = subject.compared();
    match subject.verdict.working.code {
        "waiting" => one(None, "Waiting for data", "Counts are live; intervals begin when each arm has enough."),
        "yes" => one(YES, yes(subject, &all), decisions(&all)),
        "worse" => one(BAD, "No, worse", decisions(&all)),
        "no_difference" => {
            one(None, "No difference that matters", "Every lift that is not ruled out is smaller than your minimum.")
        }
        "not_shown" => {
            let found = subject.findable_lift.map_or(String::new(), |lift| {
                format!("At this size a lift of {} would have shown with a chance of 80%. ", planned(lift))
            });
            one(None, "Not shown yet", format!("{found}Looking again costs nothing."))
        }
        _ if subject.verdict.code == "blocked" => one(MAYBE, "Cannot say", "Numbers are shown, and are not results."),
        _ => one(MAYBE, "Cannot say", "No metric decides."),
    }
}

fn yes(subject: &Subject<'_>, all: &[Compared<'_>]) -> String {
    let Some(best) = all.first().filter(|_| subject.has_several()) else { return "Yes".to_owned() };
    let clear = all.iter().filter(|it| it.code() == "better").count() == 1;
    format!("Yes, {}{}", inner(best.name), if clear { " clearly" } else { "" })
}

/// When each arm was decided.
fn decisions(all: &[Compared<'_>]) -> String {
    let decided = all.iter().filter(|it| it.direction().is_some());
    let at: Vec<_> =
        decided.filter_map(|it| Some((it, moment(it.finding.text("decided_at").and_then(instant)?)))).collect();
    match at.as_slice() {
        [] => String::new(),
        [(it, at)] if all.len() == 1 => {
            let units = it.finding.number("decided_units").map_or(String::new(), |n| format!(" at {}", count(n)));
            format!("Decided {at} UTC{units}.")
        }
        several => {
            let each: Vec<String> = several.iter().map(|(it, at)| format!("{} {at}", inner(it.name))).collect();
            format!("Decided: {} UTC.", each.join(", "))
        }
    }
}

fn stop(subject: &Subject<'_>) -> Answer {
    let found = &subject.verdict.stop;
    let days = || days(found.number("days").or(subject.days_running));
    match found.code {
        "already" => one(None, "Already stopped", "Later events do not change its read-out."),
        "repair" => {
            one(BAD, "Stop and repair", "What comes in now cannot be used. Repair the cause, then start a new phase.")
        }
        "yes" => one(YES, "Yes, now", format!("Decided in every arm, after {}.", days())),
        "first_week" => {
            let why = format!("Decided inside the first week, after {}: not every weekday has been seen.", days());
            one(MAYBE, "Yes, but", why)
        }
        "some_undecided" => {
            let names = found.arguments.get("undecided").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            let names: Vec<String> =
                names.iter().filter_map(Json::as_str).map(|it| subject.name(it).to_owned()).collect();
            let is = if names.len() == 1 { "is" } else { "are" };
            one(
                MAYBE,
                "Yes, but",
                format!("{} {is} not decided.{}{}", capital(&joined(&names, "and")), left(subject), clearing(subject)),
            )
        }
        "plan_used_up" => one(
            YES,
            "Yes, plan used up",
            "An effect of the planned size would have shown with a chance of 80%. Going on is allowed and stays valid.",
        ),
        "may" => one(None, "You may, but", format!("Nothing is decided.{}{}", left(subject), clearing(subject))),
        _ => one(None, "Not yet", format!("There is too little to say anything.{}", left(subject))),
    }
}

fn days(days: Option<f64>) -> String {
    match days {
        Some(days) if days >= 1.0 => plural(days.floor(), "day", "days"),
        _ => "less than a day".to_owned(),
    }
}

/// Until when something can still be found, and what.
fn left(subject: &Subject<'_>) -> String {
    let found = &subject.verdict.stop;
    let Some(missing) = found.number("units_left").filter(|missing| *missing > 0.0) else { return String::new() };
    let pace = found.number("days_left").map_or(String::new(), |days| format!(", {} at the present pace", about(days)));
    let find = found
        .number("findable_lift")
        .map_or(String::new(), |it| format!(" A lift of {} can still be found by then.", planned(it)));
    format!(" {} {} per pair are left in the plan{pace}.{find}", count(missing), units(subject.unit))
}

fn about(days: f64) -> String {
    if days < 1.0 { "less than a day".to_owned() } else { format!("about {}", plural(days.ceil(), "day", "days")) }
}

/// When the interval of the undecided treatment that takes longest would be clear of the minimum; nothing where nothing is known.
fn clearing(subject: &Subject<'_>) -> String {
    if subject.method != Method::AlwaysValid {
        return String::new();
    }
    let undecided = subject.verdict.stop.arguments.get("undecided").and_then(Json::as_array);
    let counts = |it: &&Projection<'_>| undecided.is_none_or(|ids| ids.iter().any(|id| id == it.variant));
    let all: Vec<&Projection<'_>> = subject.projections.iter().filter(counts).collect();
    let minimum = subject.metrics.iter().find(|it| it.role == Role::Primary).and_then(|it| it.minimum_effect);
    let goal = if minimum.is_none() { "zero" } else { "your minimum" };
    if all.iter().any(|it| it.status == "far") {
        return format!(" If the present estimate is true, no size within reach makes the interval clear of {goal}.");
    }
    let ahead = all.iter().filter(|it| it.status == "ok").filter_map(|it| Some((it, it.units?)));
    let Some((last, size)) = ahead.max_by_key(|(_, size)| *size) else { return String::new() };
    let days = last.days.map_or(String::new(), |days| format!(", in {}", about(days)));
    let of = if subject.has_several() { format!(" of {}", inner(subject.name(last.variant))) } else { String::new() };
    let (size, units) = (count(size as f64), units(subject.unit));
    format!(" If the present estimate is true, the interval{of} is clear of {goal} at {size} {units} per pair{days}.")
}

fn why(subject: &Subject<'_>) -> Answer {
    let found = &subject.verdict.why;
    let share = found.number("share").unwrap_or_default();
    match found.code {
        "complete" => one(None, "Recompute it", "One cut of the log."),
        "provisional" => one(MAYBE, "Not one cut", "Newest of each partition. Not for deciding."),
        "approximate" => {
            let (share, units) = (percent(share, 1), units(subject.unit));
            one(MAYBE, "Approximate", format!("{share} of the {units} are still inside their windows."))
        }
        _ => {
            let what = match found.text("reason") {
                Some("late") => "of the events came too late to count",
                Some("crossed") => "were seen in several arms",
                _ => "of the events were rejected",
            };
            one(MAYBE, "With care", format!("{} {what}.", percent(share, 2)))
        }
    }
}

/// Why believe it, while a partition holds the cut.
pub(crate) fn waits(late: Span, held_by: Option<u32>) -> Answer {
    let who = held_by.map_or("Several partitions hold".to_owned(), |partition| format!("Partition {partition} holds"));
    one(MAYBE, format!("Wait {}", age(late.0 / 1_000)), format!("{who} the cut."))
}
