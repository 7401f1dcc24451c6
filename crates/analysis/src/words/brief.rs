//! One sentence for a row of a list.

use super::blocked::{blocked, in_short};
use super::lifts::{as_given, decimals, lies, size};
use super::numbers::{count, lift};
use super::part::{Part, capital, inner, joined, say, small, strong, text_of, units};
use super::pill::pill;
use super::subject::{Compared, Subject};
use super::times::{day, instant};
use assay_experiment::Status;

/// What a row may say at most, in characters.
const LENGTH_MAX: usize = 120;
/// A cut that leaves less than this is no sentence; then it is cut within one.
const LENGTH_MIN: usize = 40;

pub(super) fn brief(subject: &Subject<'_>) -> Vec<Part> {
    short(whole(subject))
}

fn whole(subject: &Subject<'_>) -> Vec<Part> {
    let verdict = subject.verdict;
    match verdict.blocked_by.first() {
        _ if subject.status == Status::Draft => vec![say("Not started.")],
        _ if verdict.safe.code == "no" => harm(subject),
        Some(block) if verdict.code == "blocked" => blocked(subject, block),
        _ => of_verdict(subject),
    }
}

fn harm(subject: &Subject<'_>) -> Vec<Part> {
    let safe = &subject.verdict.safe;
    let first = if subject.status == Status::Paused { "Stopped by its guardrail." } else { "A guardrail shows harm." };
    let by = safe.number("lift").map_or(String::new(), |it| format!(" {}", lift(it, 0, true)));
    let metric = safe.text("metric").map(|id| subject.metric(id).map_or(id, |it| it.name));
    vec![strong(first), say(metric.map_or(String::new(), |name| format!(" {}{by}.", capital(name))))]
}

fn of_verdict(subject: &Subject<'_>) -> Vec<Part> {
    let plain = |text: &str| vec![say(text)];
    let many = || units(subject.unit);
    let all = subject.compared();
    let best = subject.verdict.variant.as_deref();
    let Some(it) = all.iter().find(|it| it.finding.text("variant") == best).or(all.first()) else {
        return match subject.verdict.code {
            "no_data" => vec![say(format!("No {} yet.", many()))],
            _ => plain("No metric decides."),
        };
    };
    match subject.verdict.code {
        "better" | "better_may_be_small" | "worse" => decided(subject, it, &all),
        "no_difference" => {
            let minimum = as_given(it.minimum().unwrap_or_default());
            vec![strong("No difference that matters:"), say(format!(" the whole interval lies inside ±{minimum}."))]
        }
        "waiting" => vec![say(waiting(it, &many()))],
        "no_data" => vec![say(format!("No {} yet.", many()))],
        "drift" => vec![strong("No single effect fits the whole run."), others(it, &all)],
        "degenerate" => plain("Nothing to compare: within each arm every value is the same."),
        "before_plan" => plain("The verdict comes at the planned size."),
        "no_primary" => plain("No metric decides."),
        "no_method" => plain("Its method is not computed yet."),
        "unsupported" => plain("No interval for this type of metric yet."),
        _ => {
            let decimals = decimals(std::slice::from_ref(it));
            vec![say(format!("No difference shown yet. {}", lies(it.finding, decimals, "The lift"))), others(it, &all)]
        }
    }
}

fn waiting(it: &Compared<'_>, many: &str) -> String {
    match (it.finding.number("have"), it.finding.number("need"), it.finding.text("of")) {
        (Some(have), Some(need), Some("units")) => {
            format!("Waiting for data: {} of {} {many} in the smaller arm.", count(have), count(need))
        }
        _ => "Waiting for data.".to_owned(),
    }
}

fn decided(subject: &Subject<'_>, it: &Compared<'_>, all: &[Compared<'_>]) -> Vec<Part> {
    let who = if subject.has_several() { format!(" ({})", inner(it.name)) } else { String::new() };
    if it.crossed_back() {
        let at = it.finding.text("decided_at").and_then(instant).map_or(String::new(), |at| format!(" on {}", day(at)));
        let word = it.direction().unwrap_or("better");
        let rest = say(format!("{at}; today’s interval includes zero again."));
        return vec![strong(format!("Decided {word}{who}")), rest, others(it, all)];
    }
    let word = words(it);
    let bound = it.finding.number("bound").filter(|_| !subject.has_several()).map(|bound| {
        let way = if it.finding.number("lift").unwrap_or_default() > 0.0 { "up" } else { "down" };
        let bound = size(bound, decimals(std::slice::from_ref(it)));
        format!(": {} {way} by at least {bound}", inner(it.metric.name))
    });
    vec![strong(format!("{word}{who}")), say(format!("{}.", bound.unwrap_or_default())), others(it, all)]
}

fn words(it: &Compared<'_>) -> String {
    pill(it.finding, it.minimum(), None).text
}

/// What is said of the other arms.
fn others(it: &Compared<'_>, all: &[Compared<'_>]) -> Part {
    let rest = all.iter().filter(|other| !std::ptr::eq(other.finding, it.finding));
    let each: Vec<String> = rest.map(|other| format!("{}: {}", inner(other.name), small(&words(other)))).collect();
    say(if each.is_empty() { String::new() } else { format!(" {}.", capital(&joined(&each, "and"))) })
}

/// Whole sentences at the end are left out until the rest fits.
fn short(mut parts: Vec<Part>) -> Vec<Part> {
    parts.retain(|part| !part.text.is_empty());
    let text: Vec<char> = text_of(&parts).chars().collect();
    if text.len() <= LENGTH_MAX {
        return parts;
    }
    let ends = |at: &usize| matches!(text[*at], '.' | ',' | ';') && text[*at + 1] == ' ';
    let end = (LENGTH_MIN..LENGTH_MAX - 1).rev().find(ends);
    let mut left = end.unwrap_or(LENGTH_MAX - 1);
    let mut out = Vec::new();
    for part in parts.into_iter() {
        let words: String = part.text.chars().take(left).collect();
        left -= words.chars().count();
        if !words.is_empty() {
            out.push(Part { text: words, ..part });
        }
    }
    if let Some(last) = out.last_mut() {
        let words = last.text.trim_end_matches(|it: char| it.is_whitespace() || ".,;".contains(it));
        last.text = format!("{words}{}", if end.is_some() { "." } else { "…" });
    }
    out
}

/// Health in a few words, and how grave it is: `good`, `warn`, `alarm`, or `none` where there is nothing to be healthy.
pub(crate) fn health(subject: &Subject<'_>, alarms: &[&str]) -> (&'static str, String) {
    let verdict = subject.verdict;
    if subject.status == Status::Draft {
        return ("none", "–".to_owned());
    }
    if let Some(block) = verdict.blocked_by.first() {
        return ("alarm", in_short(block));
    }
    if verdict.safe.code == "no" {
        return ("alarm", "Guardrail: harm shown".to_owned());
    }
    match alarms.first() {
        Some(&"drift") => ("warn", "Effect is changing".to_owned()),
        Some(&"misbucketed") => ("warn", "Variants shown that the hash does not give".to_owned()),
        Some(code) => ("warn", code.replace('_', " ")),
        None if verdict.why.code == "with_care" => {
            ("warn", format!("Many {}", verdict.why.text("reason").unwrap_or("rejected")))
        }
        None => ("good", "All clear".to_owned()),
    }
}
