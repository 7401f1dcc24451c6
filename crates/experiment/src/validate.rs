//! Rules that span definitions, and the shape of targeting rules.

use crate::parse::Places;
use crate::problem::{Problem, nearest};
use crate::read::Check;
use crate::yaml::{Content, Node, Place};
use crate::{Assignment, Definitions, EventMatch, Flag, FlagOutcome, MetricKind};
use std::collections::BTreeSet;

/// Most distinct filters of events in one set; the fold keeps them as bits beside each event.
const FILTERS_MAX: usize = 31;

/// References between definitions, and what members of a layer share. What is not defined is no problem while something could not be read:
/// it may be defined there.
pub(crate) fn references(all: &Definitions, places: &Places, incomplete: bool, problems: &mut Vec<Problem>) {
    let mut complain = |user: &str, kind: &'static str, id: &str, message: String| {
        let (file, place) = places.of_use(user, kind, id);
        problems.push(Problem::new(if file.is_empty() { "definitions" } else { &file }, place, message));
    };
    for experiment in all.experiments.values() {
        let id = &experiment.id;
        for used in experiment.metrics.iter().map(|used| &used.metric) {
            if !incomplete && !all.metrics.contains_key(used) {
                let near = nearest(used, all.metrics.keys().map(String::as_str));
                let message = format!("experiment '{id}' uses metric '{used}', which is not defined{near}");
                complain(id, "metric", used, message);
            }
        }
        let Some(share) = &experiment.layer else { continue };
        match all.layers.get(&share.layer) {
            None if incomplete => {}
            None => {
                let near = nearest(&share.layer, all.layers.keys().map(String::as_str));
                let message = format!("experiment '{id}' lies in layer '{}', which is not defined{near}", share.layer);
                complain(id, "layer", &share.layer, message);
            }
            Some(layer) if layer.unit != experiment.unit => {
                let message = format!(
                    "experiment '{id}' randomises '{}', its layer '{}' '{}'",
                    experiment.unit, layer.id, layer.unit
                );
                complain(id, "layer", &share.layer, message);
            }
            Some(_) => {}
        }
    }
    for flag in all.flags.values() {
        flag_references(all, flag, incomplete, &mut complain);
    }
    overlaps(all, &mut complain);
    let filters = wanted_filters(all).union(&all.filters).count();
    if filters > FILTERS_MAX {
        let message = format!(
            "{filters} different 'where' filters, with those of earlier versions; at most {FILTERS_MAX} are possible in the life of a log, \
             so give the events that you tell apart names of their own"
        );
        problems.push(Problem::new("definitions", Place::default(), message));
    }
}

fn flag_references(
    all: &Definitions,
    flag: &Flag,
    incomplete: bool,
    complain: &mut impl FnMut(&str, &'static str, &str, String),
) {
    let id = &flag.id;
    for wanted in &flag.prerequisites {
        let message = match all.flags.get(&wanted.flag) {
            Some(parent) if parent.variants.iter().any(|(name, _)| *name == wanted.variant) => continue,
            Some(parent) => {
                let near = nearest(&wanted.variant, parent.variants.iter().map(|(name, _)| name.as_str()));
                format!(
                    "flag '{id}' wants '{}' of flag '{}', which has no such variant{near}",
                    wanted.variant, parent.id
                )
            }
            None if incomplete => continue,
            None => {
                let near = nearest(&wanted.flag, all.flags.keys().map(String::as_str));
                format!("flag '{id}' has the prerequisite '{}', which is no flag that is defined{near}", wanted.flag)
            }
        };
        complain(id, "flag", &wanted.flag, message);
    }
    if let Some(problem) = prerequisites(all, flag) {
        complain(id, "flag", "", format!("flag '{id}': {problem}"));
    }
    for rule in &flag.rules {
        let FlagOutcome::Experiment(named) = &rule.outcome else { continue };
        let message = match all.experiments.get(named) {
            None if incomplete => continue,
            None => {
                let near = nearest(named, all.experiments.keys().map(String::as_str));
                format!("flag '{id}' serves experiment '{named}', which is not defined{near}")
            }
            Some(experiment) if experiment.assignment == Assignment::External => {
                format!("flag '{id}' serves experiment '{named}', which is assigned elsewhere (assignment: external)")
            }
            Some(experiment) => {
                let known = |name: &str| flag.variants.iter().any(|(known, _)| known == name);
                match experiment.variants.iter().find(|variant| !known(&variant.name)) {
                    None => continue,
                    Some(variant) => format!(
                        "flag '{id}' serves experiment '{named}' and needs a variant of each of its names; '{}' is missing",
                        variant.name
                    ),
                }
            }
        };
        complain(id, "experiment", named, message);
    }
}

/// Longest chain of prerequisites; people lose track long before.
const PREREQUISITE_DEPTH_MAX: usize = 8;
/// Evaluations that the prerequisites of one flag need together. Parents may be shared, and each mention is evaluated.
const PREREQUISITE_EVALUATIONS_MAX: usize = 256;

/// What is wrong with the prerequisites of a flag, their own included. Flags that are not defined are no matter here.
pub(crate) fn prerequisites(all: &Definitions, flag: &Flag) -> Option<String> {
    walk(all, flag, &mut vec![&flag.id], &mut 0).err()
}

fn walk<'d>(
    all: &'d Definitions,
    flag: &'d Flag,
    path: &mut Vec<&'d str>,
    evaluations: &mut usize,
) -> Result<(), String> {
    for wanted in &flag.prerequisites {
        *evaluations += 1;
        if *evaluations > PREREQUISITE_EVALUATIONS_MAX {
            return Err(format!("its prerequisites need more than {PREREQUISITE_EVALUATIONS_MAX} evaluations"));
        }
        if path.contains(&wanted.flag.as_str()) {
            return Err(format!("its prerequisites go in a circle: {}, {}", path.join(", "), wanted.flag));
        }
        if path.len() > PREREQUISITE_DEPTH_MAX {
            return Err(format!("its prerequisites are more than {PREREQUISITE_DEPTH_MAX} deep"));
        }
        let Some(parent) = all.flags.get(&wanted.flag) else { continue };
        path.push(&wanted.flag);
        walk(all, parent, path, evaluations)?;
        path.pop();
    }
    Ok(())
}

/// The filters that the metrics of a set want.
pub fn wanted_filters(all: &Definitions) -> BTreeSet<Vec<(String, String)>> {
    let events = all.metrics.values().flat_map(|metric| events(&metric.kind));
    events.map(|event| &event.filter).filter(|filter| !filter.is_empty()).cloned().collect()
}

fn overlaps(all: &Definitions, complain: &mut impl FnMut(&str, &'static str, &str, String)) {
    for layer in all.layers.keys() {
        let mut ranges: Vec<(u32, u32, &str)> = Vec::new();
        let (mut wanted, mut last) = (0u64, None);
        let members = all.experiments.values().filter(|experiment| experiment.status != crate::Status::Stopped);
        for experiment in members {
            let Some(share) = experiment.layer.as_ref().filter(|share| share.layer == *layer) else { continue };
            for (start, end) in share.slots.as_deref().unwrap_or_default() {
                ranges.push((*start, *end, &experiment.id));
                wanted += u64::from(end - start);
            }
            wanted += u64::from(share.traffic.unwrap_or(0));
            last = share.traffic.map(|_| &experiment.id).or(last);
        }
        if let Some(last) = last.filter(|_| wanted > 1_000_000) {
            let message = format!(
                "the experiments in layer '{layer}' want {} % of it; write less 'traffic', or stop one",
                wanted as f64 / 1e4
            );
            complain(last, "layer", layer, message);
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2).filter(|pair| pair[1].0 < pair[0].1 && pair[0].2 != pair[1].2) {
            let message = format!(
                "experiments '{}' and '{}' overlap in layer '{layer}' from slot {} to {}; members of a layer exclude each other",
                pair[0].2,
                pair[1].2,
                pair[1].0,
                pair[0].1.min(pair[1].1)
            );
            complain(pair[1].2, "layer", layer, message);
        }
    }
}

fn events(kind: &MetricKind) -> Vec<&EventMatch> {
    match kind {
        MetricKind::Conversion(event) | MetricKind::Count(event) | MetricKind::Sum(event) => vec![event],
        MetricKind::Retention { event, .. } | MetricKind::Quantile { event, .. } => vec![event],
        MetricKind::Ratio { numerator, denominator } => vec![&numerator.event, &denominator.event],
    }
}

/// Operators of JSONLogic, of flagd's dialect, and `matches` for regular expressions.
pub(crate) const OPERATORS: [&str; 39] = [
    "var",
    "missing",
    "missing_some",
    "if",
    "==",
    "===",
    "!=",
    "!==",
    "!",
    "!!",
    "or",
    "and",
    ">",
    ">=",
    "<",
    "<=",
    "max",
    "min",
    "+",
    "-",
    "*",
    "/",
    "%",
    "map",
    "reduce",
    "filter",
    "all",
    "none",
    "some",
    "merge",
    "in",
    "cat",
    "substr",
    "log",
    "starts_with",
    "ends_with",
    "sem_ver",
    "fractional",
    "matches",
];

/// Whether a targeting rule uses only operators that exist, and whether it can be evaluated. Asked of what people write only: in a record of
/// the log a bad rule spoils its own flag, which the evaluation quarantines, and never the others of its version.
pub(crate) fn logic(check: &mut Check<'_>, node: &Node) {
    if !check.strict {
        return;
    }
    let before = check.problems.len();
    operators(check, node);
    if check.problems.len() == before
        && let Some(problem) = crate::evaluation::logic::problem(&node.to_json())
    {
        check.complain(node.place, problem);
    }
}

fn operators(check: &mut Check<'_>, node: &Node) {
    match &node.content {
        Content::Map(entries) if entries.len() == 1 => {
            let (key, operand) = &entries[0];
            if !OPERATORS.contains(&key.name.as_str()) {
                let near = nearest(&key.name, OPERATORS);
                check.complain(key.place, format!("'{}' is no operator of JSONLogic{near}", key.name));
            }
            operators(check, operand);
        }
        Content::Map(_) => check.complain(node.place, "a JSONLogic rule is a mapping of one operator to its operands"),
        Content::List(items) => items.iter().for_each(|item| operators(check, item)),
        Content::Scalar { .. } => {}
    }
}
