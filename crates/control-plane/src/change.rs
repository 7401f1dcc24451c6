//! What may change from one version of the definitions to the next, and what may not.
//!
//! Whatever defines a number is fixed while an experiment's phase lives, because units that are in it were counted by it. Status, growing
//! ramps, names for people and added metrics may change, and whom edges serve: targeting, environments and overrides.

use assay_experiment::{Definitions, Experiment, LayerShare, Metric, Status};
use std::fmt;

/// A change that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The experiment or layer.
    pub subject: String,
    /// What, and what to do instead.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}

/// Compares a version with the one before.
pub fn compare(before: &Definitions, after: &Definitions) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (id, old) in &before.experiments {
        let Some(new) = after.experiments.get(id) else { continue };
        let mut refuse = |reason: String| refusals.push(Refusal { subject: format!("experiment {id}"), reason });
        if old.status == Status::Draft {
            continue;
        }
        if new.salt != old.salt {
            // A new salt is a new phase: nothing of the old one binds it.
            continue;
        }
        phase(old, new, &mut refuse);
        for used in &old.metrics {
            if !new.metrics.iter().any(|mine| mine.metric == used.metric) {
                refuse(format!(
                    "metric {} cannot be taken out while the experiment lives; stop it, or start a new phase with a new salt",
                    used.metric
                ));
            } else if !same_numbers(before.metrics.get(&used.metric), after.metrics.get(&used.metric)) {
                refuse(format!(
                    "metric {} is fixed while the experiment uses it; define a metric with a new id and add that",
                    used.metric
                ));
            }
        }
    }
    for (id, old) in &before.schemas {
        if after.schemas.get(id).is_some_and(|new| new != old) {
            refusals.push(Refusal {
                subject: format!("schema {id}"),
                reason: "an id stands for one schema for ever; give the new one the id that its registry gave it"
                    .to_owned(),
            });
        }
    }
    for (id, old) in &before.layers {
        if after.layers.get(id).is_some_and(|new| new != old) {
            refusals.push(Refusal {
                subject: format!("layer {id}"),
                reason: "its unit and salt are fixed; make a new layer".to_owned(),
            });
        }
    }
    refusals
}

/// Whether two metrics differ in nothing but what people call them.
fn same_numbers(old: Option<&Metric>, new: Option<&Metric>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut new = new.clone();
            new.take_words(old);
            *old == new
        }
        (old, new) => old == new,
    }
}

fn phase(old: &Experiment, new: &Experiment, refuse: &mut impl FnMut(String)) {
    if old.status == Status::Stopped && new.status != Status::Stopped {
        refuse("it was stopped and cannot go on; give it a new salt for a new phase".to_owned());
    }
    if new.status == Status::Draft {
        refuse("it has begun and cannot be a draft again; pause or stop it".to_owned());
    }
    let mut renamed = old.clone();
    renamed.take_words(new);
    let fixed = [
        ("unit", old.unit == new.unit),
        ("assignment", old.assignment == new.assignment),
        ("variants", renamed.variants == new.variants),
        ("crossing", old.crossing == new.crossing),
        ("segments", old.segments == new.segments),
        ("analysis", old.analysis == new.analysis),
    ];
    for (name, _) in fixed.iter().filter(|(_, same)| !same) {
        refuse(format!("its {name} cannot change while it lives; start a new phase with a new salt"));
    }
    // Slots that could not be allotted were refused already.
    let slots = |share: &Option<LayerShare>| share.as_ref().and_then(|share| share.slots.clone()).unwrap_or_default();
    let (was, is) = (slots(&old.layer), slots(&new.layer));
    if old.layer.as_ref().map(|share| &share.layer) != new.layer.as_ref().map(|share| &share.layer) {
        refuse("it cannot move to another layer; start a new phase with a new salt".to_owned());
    } else if new.layer.as_ref().is_none_or(|share| share.slots.is_some())
        && !was.iter().all(|&(from, to)| is.iter().any(|&(low, high)| low <= from && to <= high))
    {
        refuse("its slots may only grow, otherwise units that are in it would be left alone".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::{Source, parse};

    fn definitions(experiment: &str, metric: &str) -> Definitions {
        let text = format!(
            "kind: experiment\nid: e\nsalt: s\nstatus: running\nvariants:\n  - {{ name: a, control: true, weight: 1 }}\n  - {{ name: b, weight: 1 }}\n\
             analysis: {{ planned_units: 100 }}\n{experiment}\n---\nkind: metric\nid: m\ntype: sum\nevent: buy\n{metric}\n"
        );
        parse(&[Source { name: "test", text: &text }]).unwrap()
    }

    fn check(before: (&str, &str), after: (&str, &str), expected: &[&str]) {
        let found: Vec<String> = compare(&definitions(before.0, before.1), &definitions(after.0, after.1))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_defines_a_number_is_fixed() {
        let used = "metrics: [{ metric: m, role: primary }]";
        check((used, ""), (used, ""), &[]);
        check((used, ""), (&format!("{used}\ntitle: other\nowner: me"), ""), &[]);
        let served = "environments: [staging]\noverrides: { a: [qa] }\ntargeting: { var: staff }";
        check((used, ""), (&format!("{used}\n{served}"), ""), &[]);
        check((&format!("{used}\n{served}"), ""), (used, ""), &[]);
        check((used, ""), (used, "name: Purchases\ndescription: all of them"), &[]);
        check((used, "unit: EUR"), (used, "unit: USD"), &[]);
        check((used, ""), (&format!("{used}\nunit_name: customer"), ""), &[]);
        check((used, ""), (used, "cap: 5"), &["define a metric with a new id"]);
        check((used, ""), (&format!("{used}\ncrossing: first"), ""), &["its crossing cannot change"]);
        check((used, ""), (&format!("{used}\nsegments: [{{ attribute: x, values: [y] }}]"), ""), &["its segments"]);
        check((used, ""), ("metrics: []", ""), &["cannot be taken out"]);
        check(("metrics: []", ""), (used, ""), &[]);
    }
}
