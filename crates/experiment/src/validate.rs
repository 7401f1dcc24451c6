//! Rules that span definitions, and the shape of targeting rules.

use crate::parse::Places;
use crate::problem::{Problem, nearest};
use crate::read::Check;
use crate::yaml::{Content, Node, Place};
use crate::{Definitions, EventMatch, MetricKind};
use std::collections::BTreeSet;

/// Most distinct filters of events in one set; the fold keeps them as bits beside each event.
const FILTERS_MAX: usize = 31;

/// References between definitions, and what members of a layer share. What is not defined is no problem while something could not be read:
/// it may be defined there.
pub(crate) fn references(all: &Definitions, places: &Places, incomplete: bool, problems: &mut Vec<Problem>) {
    let mut complain = |experiment: &str, kind: &'static str, id: &str, message: String| {
        let (file, place) = places.of_use(experiment, kind, id);
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
