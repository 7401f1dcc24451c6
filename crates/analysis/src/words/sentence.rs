//! The verdict sentence: claim, against the minimum, other arms, harm. Made of codes and arguments; it never says more than they do.

use super::blocked::blocked;
use super::claims::{Manner, claim, harm};
use super::lifts::{as_given, decimals, lies};
use super::numbers::{count, decimals_of, factor_of, mean};
use super::part::{Part, capital, inner, say, strong, text_of, units};
use super::subject::{Compared, Subject};
use super::times::{day, moment_exact};
use assay_experiment::{Status, Timestamp};

/// More arms than this are in the table and not in the sentence.
const ARMS_MAX: usize = 3;
/// What people read in one breath; further arms are left to the table.
const WORDS_MAX: usize = 60;
/// More strong sentences than this, and none is.
const STRONG_MAX: usize = 2;

/// What is said of an experiment, with what its status adds.
///
/// Of a pause the log of the definitions knows since when: who has read it may say so before the last piece.
pub(super) fn sentence(subject: &Subject<'_>, look: Timestamp) -> Vec<Part> {
    match subject.status {
        Status::Draft => return vec![say("Not started.")],
        Status::Paused if is_killed(subject) => return killed(subject),
        _ => {}
    }
    match subject.status {
        Status::Stopped => {
            let before = say(format!("Read-out of {} UTC: ", moment_exact(look)));
            let after = say(" Later events do not change it.");
            let room = WORDS_MAX.saturating_sub(words(&[before.clone(), after.clone()]));
            [before].into_iter().chain(verdict(subject, room)).chain([after]).collect()
        }
        Status::Paused if subject.verdict.code != "blocked" => {
            let entry = say(format!(" No new {}", units(subject.unit)));
            let rest = say(". Conversions of those already in still count until their windows end.");
            let room = WORDS_MAX.saturating_sub(words(&[entry.clone(), rest.clone()]));
            verdict(subject, room).into_iter().chain([entry, rest]).collect()
        }
        _ => verdict(subject, WORDS_MAX),
    }
}

fn words(parts: &[Part]) -> usize {
    text_of(parts).split_whitespace().count()
}

fn verdict(subject: &Subject<'_>, room: usize) -> Vec<Part> {
    let verdict = subject.verdict;
    if verdict.code == "blocked"
        && let Some(block) = verdict.blocked_by.first()
    {
        return blocked(subject, block);
    }
    if verdict.code == "no_data" {
        let since = subject.started.map_or(String::new(), |at| format!(" Live since {}.", day(at)));
        let rest = "The first exposure will show here within two seconds.";
        return vec![say(format!("No {} yet.{since} {rest}", units(subject.unit)))];
    }
    let all = subject.compared();
    let Some(first) = all.first().filter(|_| verdict.code != "no_primary") else {
        return vec![say("No metric decides: the definition names no primary one.")];
    };
    let claims = match alike(subject, &all) {
        Some(together) => vec![together],
        None => one_by_one(subject, &all, first),
    };
    fitting(claims, harmful(subject), room)
}

/// As many claims as there is room for, the first whatever its length; harm is said in any case.
fn fitting(claims: Vec<Vec<Part>>, harm: Option<Vec<Part>>, room: usize) -> Vec<Part> {
    let strong_max = STRONG_MAX - usize::from(harm.is_some());
    let room = room - harm.as_deref().map_or(0, words).min(room);
    let (mut out, mut used, mut strong_ones) = (Vec::new(), 0, 0);
    for mut claim in claims {
        used += words(&claim);
        if !out.is_empty() && used > room {
            break;
        }
        if claim.iter().any(|part| part.strong) {
            strong_ones += 1;
        }
        if strong_ones > strong_max {
            claim.iter_mut().for_each(|part| (part.strong, part.tone) = (false, None));
        }
        follow(&mut out, claim);
    }
    if let Some(harm) = harm {
        follow(&mut out, harm);
    }
    out
}

fn follow(out: &mut Vec<Part>, claim: Vec<Part>) {
    if !out.is_empty() {
        out.push(say(" "));
    }
    out.extend(claim);
}

fn one_by_one(subject: &Subject<'_>, all: &[Compared<'_>], first: &Compared<'_>) -> Vec<Vec<Part>> {
    let manner = Manner { decimals: decimals(all), too: false, named: subject.has_several() };
    let too =
        |it: &Compared<'_>| it.direction().is_some() && it.direction() == first.direction() && !first.crossed_back();
    let arms = all.iter().take(ARMS_MAX).enumerate();
    arms.map(|(at, it)| claim(subject, it, Manner { too: at > 0 && too(it), ..manner })).collect()
}

/// What is said once: the plan's end, and of several arms what is the same of all.
fn alike(subject: &Subject<'_>, all: &[Compared<'_>]) -> Option<Vec<Part>> {
    let stop = &subject.verdict.stop;
    if stop.code == "plan_used_up" && subject.verdict.code == "not_shown" {
        let plan = subject.max_units.unwrap_or(subject.planned_units) as f64;
        let units = units(subject.unit);
        let end = count(stop.number("max_units").unwrap_or(plan));
        return Some(vec![say(format!("No difference shown at the planned maximum, {end} {units}."))]);
    }
    let (first, _) = all
        .split_first()
        .filter(|(first, rest)| !rest.is_empty() && rest.iter().all(|it| it.code() == first.code()))?;
    match first.code() {
        "not_shown" if all.iter().any(|it| it.finding.flag("excludes_zero_before_correction")) => None,
        "not_shown" => {
            let decimals = decimals(all);
            let lies = all.iter().take(ARMS_MAX).map(|it| lies(it.finding, decimals, &capital(it.name)));
            let lies: Vec<String> = lies.collect();
            Some(vec![say("No difference shown yet. "), say(lies.join(" "))])
        }
        "no_difference" => {
            let minimum = as_given(first.metric.minimum_effect.unwrap_or_default());
            let rest = format!(" Every lift lies inside your ±{minimum}.");
            Some(vec![strong("No difference that matters."), say(rest)])
        }
        "waiting" | "degenerate" | "unsupported" | "before_plan" => {
            let have = |it: &&Compared<'_>| it.finding.number("have").unwrap_or_default();
            let least = all.iter().min_by(|a, b| have(a).total_cmp(&have(b)))?;
            Some(claim(subject, least, Manner { decimals: 0, too: false, named: false }))
        }
        _ => None,
    }
}

/// The first guardrail that shows harm.
fn harmful(subject: &Subject<'_>) -> Option<Vec<Part>> {
    let safe = Some(&subject.verdict.safe).filter(|it| it.code == "no")?;
    harm(subject, safe.text("metric")?, safe.text("variant")?, safe.number("lift"))
}

/// A guardrail that shows harm in an experiment that runs no more.
pub(super) fn is_killed(subject: &Subject<'_>) -> bool {
    subject.status == Status::Paused && subject.verdict.safe.code == "no"
}

fn killed(subject: &Subject<'_>) -> Vec<Part> {
    let safe = &subject.verdict.safe;
    let metric = safe.text("metric").and_then(|id| subject.metric(id));
    let what = metric.map_or("a guardrail shows harm".to_owned(), |metric| {
        let (control, treatment) = (safe.number("control_mean"), safe.number("mean"));
        let half = control.zip(treatment).map_or(0.0, |(a, b)| (b - a).abs() / 2.0 * factor_of(metric.unit));
        let of = |value: Option<f64>| value.map_or("–".to_owned(), |it| mean(it, metric.unit, decimals_of(half)));
        let verb = if safe.number("lift").unwrap_or_default() > 0.0 { "rose" } else { "fell" };
        format!("{} {verb} from {} to {}", inner(metric.name), of(control), of(treatment))
    });
    let arm = safe.text("variant").filter(|_| subject.has_several());
    let arm = arm.map_or(String::new(), |variant| format!(" ({})", subject.name(variant)));
    vec![strong(format!("Stopped by its guardrail: {what}{arm}."))]
}
