//! The hash of a plan: of everything in the definitions that defines a number, and of nothing that people may reword.

use crate::sums::Sums;
use assay_experiment::{Definitions, Status, canonical};
use xxhash_rust::xxh3::xxh3_64;

/// Sixteen hexadecimal digits.
pub(crate) fn hash(sums: &Sums) -> String {
    let mut experiment = sums.experiment.clone();
    experiment.drop_words();
    experiment.status = Status::Running;
    // A ramp that grows lets more units in and changes no number of those that are.
    experiment.layer = None;
    let mut definitions = Definitions::default();
    for metric in &sums.metrics {
        let mut metric = metric.clone();
        metric.drop_words();
        definitions.metrics.insert(metric.id.clone(), metric);
    }
    definitions.experiments.insert(experiment.id.clone(), experiment);
    format!("{:016x}", xxh3_64(canonical::parts(&definitions).join("\n").as_bytes()))
}
