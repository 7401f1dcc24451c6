//! Exposures that never reach the log, counted per experiment and cause, and told to the log as data: results say how many are missing.

use assay_experiment::{Attribute, Body, Event, Timestamp, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::identify::identified;
use crate::metrics::Metrics;

/// The unit type of what an edge says about itself.
const UNIT_TYPE: &str = "edge";
/// The name of the event.
const NAME: &str = "assay.exposures_lost";
/// The largest value of an event; more is told in the next.
const VALUE_MAX: u64 = (Value::MAX.0 / Value::ONE.0) as u64;

/// Why an exposure is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Too many waited.
    QueueFull,
    /// The log refused it, or was away until the edge stopped.
    LogFailed,
}

impl Cause {
    /// As events and metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Cause::QueueFull => "queue_full",
            Cause::LogFailed => "log_failed",
        }
    }
}

/// What was lost and not yet told.
pub struct Losses {
    counts: Mutex<BTreeMap<(Arc<str>, Cause), u64>>,
    edge: String,
    metrics: Metrics,
}

impl Losses {
    /// Of an edge with this id.
    pub fn new(edge: String, metrics: Metrics) -> Self {
        Losses { counts: Mutex::new(BTreeMap::new()), edge, metrics }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(Arc<str>, Cause), u64>> {
        self.counts.lock().expect("no code panics while it holds this lock")
    }

    /// One more. There are as many counts as experiments, which definitions bound.
    pub fn count(&self, experiment: &Arc<str>, cause: Cause) {
        self.metrics.lost.with_label_values(&[&**experiment, cause.name()]).inc();
        *self.held().entry((experiment.clone(), cause)).or_default() += 1;
    }

    /// Events that tell what was lost since the last call, with the edge's id as their unit. Whoever takes them appends them, however often
    /// that takes: their ids stay.
    pub fn take(&self, now: Timestamp) -> Vec<(String, String)> {
        let mut counts = self.held();
        let mut told = Vec::new();
        for ((experiment, cause), count) in counts.iter_mut() {
            let part = (*count).min(VALUE_MAX);
            *count -= part;
            let text = |text| Attribute::Text(Cow::Borrowed(text));
            let event = Event {
                id: assay_experiment::EventId(0),
                time: now,
                unit_type: Cow::Borrowed(UNIT_TYPE),
                unit_id: Cow::Borrowed(&self.edge),
                body: Body::Conversion {
                    name: Cow::Borrowed(NAME),
                    value: Some(Value(part as i64 * Value::ONE.0)),
                    experiment: None,
                },
                attributes: vec![
                    (Cow::Borrowed("cause"), text(cause.name())),
                    (Cow::Borrowed("experiment"), text(experiment)),
                ],
                config_version: None,
                sdk: Some(Cow::Borrowed(crate::SDK)),
                copy: 0,
            };
            told.push((self.edge.clone(), identified(&event)));
        }
        counts.retain(|_, count| *count > 0);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_once_in_the_format_of_events() {
        let losses = Losses::new("edge-1".to_owned(), Metrics::new(&prometheus::Registry::new()).unwrap());
        let shop: Arc<str> = "shop".into();
        for cause in [Cause::QueueFull, Cause::QueueFull, Cause::LogFailed] {
            losses.count(&shop, cause);
        }
        let told = losses.take(Timestamp(1_700_000_000_000_000));
        assert_eq!(told.len(), 2);
        let event = assay_experiment::json::decode(told[0].1.as_bytes()).unwrap();
        assert_eq!((&*event.unit_type, &*event.unit_id), ("edge", "edge-1"));
        let Body::Conversion { name, value, .. } = &event.body else { panic!("{event:?}") };
        assert_eq!((&**name, *value), ("assay.exposures_lost", Some(Value(2_000_000))));
        assert!(told[0].1.contains("\"cause\":\"queue_full\",\"experiment\":\"shop\""), "{}", told[0].1);
        assert!(losses.take(Timestamp(0)).is_empty());
    }
}
