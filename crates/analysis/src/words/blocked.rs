//! Why there is no verdict: the split, or a mixture that contradicts itself.

use super::numbers::{count, difference};
use super::part::{Part, joined, say, strong};
use super::subject::Subject;
use crate::verdict::Finding;
use serde_json::{Map, Value as Json};

/// The sentence of the first reason.
pub(super) fn blocked(subject: &Subject<'_>, block: &Finding) -> Vec<Part> {
    let attribute = block.text("attribute");
    if block.code == "simpson" {
        let unit = block.text("metric").and_then(|id| subject.metric(id)).map_or("value", |it| it.unit);
        let way = |name: &str| {
            let effect = block.number(name).unwrap_or_default();
            format!("{} ({})", if effect > 0.0 { "up" } else { "down" }, difference(effect, unit, 2, true))
        };
        let every = attribute.unwrap_or("segment").replace('_', " ");
        let claim = format!("No verdict: every {every} says {}, the total says {}", way("stratified"), way("total"));
        return vec![strong(claim), say(", because the arms have different mixtures.")];
    }
    let place = attribute.filter(|_| block.code == "srm_segment").map_or(String::new(), |attribute| {
        let value = block.text("value").unwrap_or_default();
        format!(" among {} {value}", attribute.replace('_', " ")).trim_end().to_owned()
    });
    let counts = block.arguments.get("counts").and_then(Json::as_object);
    let expected = block.arguments.get("expected").and_then(Json::as_object);
    let seen = counts.map_or(String::new(), |counts| format!(", {}", split(subject, counts)));
    let plan = counts
        .zip(expected)
        .map_or(String::new(), |(counts, expected)| format!(" where {} were planned", plan(subject, counts, expected)));
    vec![strong(format!("No verdict: the split is off{place}")), say(format!("{seen}{plan}."))]
}

/// Names and counts in the order of the variants.
fn in_order<'a>(subject: &'a Subject<'_>, counts: &Map<String, Json>) -> Vec<(&'a str, &'a str, f64)> {
    let known = |id: &str| counts.get(id).and_then(Json::as_f64);
    subject.variants.iter().filter_map(|it| Some((it.id, it.name, known(it.id)?))).collect()
}

fn split(subject: &Subject<'_>, counts: &Map<String, Json>) -> String {
    match in_order(subject, counts).as_slice() {
        [one, other] => format!("{} against {}", count(one.2), count(other.2)),
        several => {
            let named: Vec<String> = several.iter().map(|(_, name, n)| format!("{name} {}", count(*n))).collect();
            joined(&named, "and")
        }
    }
}

fn plan(subject: &Subject<'_>, counts: &Map<String, Json>, expected: &Map<String, Json>) -> String {
    let order = in_order(subject, counts);
    let shares: Vec<f64> =
        order.iter().map(|(id, ..)| expected.get(*id).and_then(Json::as_f64).unwrap_or_default()).collect();
    if shares.iter().all(|share| (share - shares[0]).abs() < 1e-9) {
        return "equal numbers".to_owned();
    }
    let total: f64 = order.iter().map(|it| it.2).sum();
    let numbers: Vec<String> = shares.iter().map(|share| count((share * total).round())).collect();
    match numbers.as_slice() {
        [one, other] => format!("{one} against {other}"),
        several => joined(several, "and"),
    }
}

/// For lists: what is off, in a few words.
pub(super) fn in_short(block: &Finding) -> String {
    let attribute = block.text("attribute").map(|it| it.replace('_', " "));
    match (block.code, attribute) {
        ("simpson", attribute) => format!("Mixtures differ: {}", attribute.as_deref().unwrap_or("segments")),
        ("srm_segment", attribute) => format!("Split off: {}", attribute.as_deref().unwrap_or("a segment")),
        _ => "Split off".to_owned(),
    }
}
