//! Rules that span definitions, and the shape of targeting rules.

use crate::parse::Places;
use crate::problem::{Problem, nearest};
use crate::read::Check;
use crate::yaml::{Content, Node, Place};
use crate::{Definitions, EventMatch, MetricKind};
use std::collections::BTreeSet;

/// Most distinct filters of events in one set; the fold keeps them as bits beside each event.
const FILTERS_MAX: usize = 31;

/// References between definitions, overlaps in layers.
pub(crate) fn references(all: &Definitions, places: &Places, problems: &mut Vec<Problem>) {
    let mut complain = |kind: &'static str, id: &str, message: String| {
        let (file, place) = places.get(&(kind, id.to_owned())).cloned().unwrap_or_default();
        problems.push(Problem::new(if file.is_empty() { "definitions" } else { &file }, place, message));
    };
    for experiment in all.experiments.values() {
        for used in &experiment.metrics {
            if !all.metrics.contains_key(&used.metric) {
                let near = nearest(&used.metric, all.metrics.keys().map(String::as_str));
                complain(
                    "experiment",
                    &experiment.id,
                    format!("experiment '{}' uses metric '{}', which is not defined{near}", experiment.id, used.metric),
                );
            }
        }
        let Some(share) = &experiment.layer else { continue };
        match all.layers.get(&share.layer) {
            None => {
                let near = nearest(&share.layer, all.layers.keys().map(String::as_str));
                complain(
                    "experiment",
                    &experiment.id,
                    format!(
                        "experiment '{}' lies in layer '{}', which is not defined{near}",
                        experiment.id, share.layer
                    ),
                );
            }
            Some(layer) if layer.unit != experiment.unit => complain(
                "experiment",
                &experiment.id,
                format!(
                    "experiment '{}' randomises '{}', its layer '{}' '{}'",
                    experiment.id, experiment.unit, layer.id, layer.unit
                ),
            ),
            Some(_) => {}
        }
    }
    overlaps(all, &mut complain);
    let filters: BTreeSet<&Vec<(String, String)>> = all
        .metrics
        .values()
        .flat_map(|metric| events(&metric.kind))
        .map(|event| &event.filter)
        .filter(|filter| !filter.is_empty())
        .collect();
    if filters.len() > FILTERS_MAX {
        let message = format!("{} different 'where' filters; at most {FILTERS_MAX} are possible", filters.len());
        problems.push(Problem::new("definitions", Place::default(), message));
    }
}

fn overlaps(all: &Definitions, complain: &mut impl FnMut(&'static str, &str, String)) {
    for layer in all.layers.keys() {
        let mut ranges: Vec<(u32, u32, &str)> = Vec::new();
        let members = all.experiments.values().filter(|experiment| experiment.status != crate::Status::Stopped);
        for experiment in members {
            let share = experiment.layer.as_ref().filter(|share| share.layer == *layer);
            for (start, end) in share.and_then(|share| share.slots.as_deref()).unwrap_or_default() {
                ranges.push((*start, *end, &experiment.id));
            }
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
            complain("experiment", pair[1].2, message);
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

/// Operators of JSONLogic and of flagd's dialect.
const OPERATORS: [&str; 38] = [
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
];

/// Whether a targeting rule uses only operators that exist. It is evaluated elsewhere.
pub(crate) fn logic(check: &mut Check<'_>, node: &Node) {
    match &node.content {
        Content::Map(entries) if entries.len() == 1 => {
            let (key, operand) = &entries[0];
            if !OPERATORS.contains(&key.name.as_str()) {
                let near = nearest(&key.name, OPERATORS);
                check.complain(key.place, format!("'{}' is no operator of JSONLogic{near}", key.name));
            }
            logic(check, operand);
        }
        Content::Map(_) => check.complain(node.place, "a JSONLogic rule is a mapping of one operator to its operands"),
        Content::List(items) => items.iter().for_each(|item| logic(check, item)),
        Content::Scalar { .. } => {}
    }
}
