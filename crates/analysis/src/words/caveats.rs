//! What has to be known with the sentence: only what applies.

use super::lifts::as_given;
use super::numbers::{mean, percent};
use super::part::{capital, inner, joined, units};
use super::sentence::is_killed;
use super::subject::{Metric, Subject};
use assay_experiment::{Direction, Role, Status};

/// A decision within the first week may rest on weekdays only.
const WEEK_DAYS: f64 = 7.0;
/// More guardrails than this are in their answer and not in a sentence.
const GUARDRAILS_MAX: usize = 3;

pub(super) fn caveats(subject: &Subject<'_>) -> Vec<String> {
    let own = |text: &str| vec![text.to_owned()];
    match subject.verdict.code {
        _ if subject.status == Status::Draft => Vec::new(),
        _ if is_killed(subject) => own("The numbers below go on until the windows of those already in have ended."),
        "blocked" => own(
            "Numbers stay visible and are not results. Usual causes: a redirect that loses one arm, a cache, a filter of bots. Repair it, then start a new phase.",
        ),
        _ => of_numbers(subject),
    }
}

fn of_numbers(subject: &Subject<'_>) -> Vec<String> {
    let all = subject.compared();
    let pointing = all.iter().any(|it| it.direction().is_some());
    let mut out = Vec::new();
    if subject.verdict.code == "waiting" {
        let units = units(subject.unit);
        out.push(format!("Intervals begin when each arm has enough {units} and events. The counts are live."));
    }
    out.extend(guardrails(subject));
    if pointing && subject.status != Status::Stopped {
        let (what, how) =
            if all.len() > 1 { ("point estimates", "intervals do") } else { ("point estimate", "interval does") };
        out.push(format!("If you stop because of what you see now, expect the {what} to lean high; the {how} not."));
    }
    if all.iter().any(|it| it.direction().is_some() && it.finding.flag("drift_suspected")) {
        out.push("No single effect fits the whole run: intervals of different times do not overlap.".to_owned());
    }
    let treatments = subject.treatments().count();
    if let Some(control) = subject.control().filter(|_| treatments > 1 && pointing) {
        let number = if treatments == 2 { "two".to_owned() } else { treatments.to_string() };
        out.push(format!("The {number} arms are compared with {}, not with each other.", inner(control.name)));
    }
    if let Some(first) = all.first() {
        out.extend(of_metric(subject, first.metric));
    }
    if pointing && subject.days_running.is_some_and(|days| days < WEEK_DAYS) {
        out.push("Less than a week: not every weekday has been seen.".to_owned());
    }
    out
}

fn of_metric(subject: &Subject<'_>, metric: &Metric<'_>) -> Vec<String> {
    let open = metric.inside.filter(|share| *share > 0.0).map(|share| {
        let share = percent(share, usize::from(share < 0.1));
        format!("Approximate: the windows of {share} of the {} are still open.", units(subject.unit))
    });
    let capped = metric.cap.map(|cap| format!("Capped at {} each.", mean(cap, metric.unit, 0)));
    open.into_iter().chain(capped).collect()
}

/// "Neither arm lowers spend per customer by 5% or more." Only what is shown safe in every arm.
fn guardrails(subject: &Subject<'_>) -> Option<String> {
    let is_safe = |metric: &&Metric<'_>| {
        let mut of = subject.guardrails.iter().filter(|(id, ..)| *id == metric.id).peekable();
        of.peek().is_some() && of.all(|(_, _, finding)| finding.code == "safe")
    };
    let safe: Vec<&Metric<'_>> =
        subject.metrics.iter().filter(|it| it.role == Role::Guardrail && it.margin.is_some()).filter(is_safe).collect();
    if safe.is_empty() {
        return None;
    }
    let (who, s) = match subject.treatments().collect::<Vec<_>>().as_slice() {
        [only] => (format!("{} does not", capital(only.name)), ""),
        [_, _] => ("Neither arm".to_owned(), "s"),
        _ => ("No arm".to_owned(), "s"),
    };
    let harms = safe.iter().take(GUARDRAILS_MAX).map(|it| {
        let verb = if it.direction == Direction::Increase { "lower" } else { "raise" };
        format!("{verb}{s} {} by {} or more", inner(it.name), as_given(it.margin.unwrap_or_default()))
    });
    Some(format!("{who} {}.", joined(&harms.collect::<Vec<_>>(), "or")))
}
