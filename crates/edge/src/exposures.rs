//! A single evaluation of a running experiment becomes an exposure. Bulk evaluation does not: a page that loads all flags would expose its
//! visitor to every experiment, and dilute all effects.

use assay_experiment::evaluation::{Assigned, Context};
use assay_experiment::{Attribute, Body, Event, EventId, Timestamp, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::current::{Current, Numbering};
use crate::dedupe::{Dedupe, identity};
use crate::identify::identified;
use crate::losses::{Cause, Losses};
use crate::metrics::Metrics;
use crate::queue::{Item, Queue};

/// Longest text of an attribute that the format takes.
const TEXT_MAX: usize = 256;

/// Exposures on their way.
pub struct Exposures {
    /// Whether there is a log at all.
    logs: bool,
    queue: Arc<Queue>,
    losses: Arc<Losses>,
    dedupe: Dedupe,
    metrics: Metrics,
}

impl Exposures {
    /// Into a queue, if anybody reads it.
    pub fn new(logs: bool, queue: Arc<Queue>, losses: Arc<Losses>, metrics: Metrics) -> Self {
        Exposures { logs, queue, losses, dedupe: Dedupe::default(), metrics }
    }

    /// A unit is about to see a variant. Never waits.
    pub fn observe(&self, current: &Current, assigned: &Assigned<'_>, context: &Context) {
        if !self.logs {
            return;
        }
        let experiment = assigned.experiment;
        let variant = &experiment.variants[assigned.variant].name;
        let now = now();
        let now_s = now.0.div_euclid(1_000_000) as u64;
        let identity = identity(&[
            current.tag.as_bytes(),
            experiment.id.as_bytes(),
            experiment.salt.as_deref().unwrap_or_default().as_bytes(),
            &assigned.phase.to_le_bytes(),
            experiment.unit.as_bytes(),
            assigned.unit.as_bytes(),
            variant.as_bytes(),
        ]);
        if self.dedupe.knows(identity, now_s) {
            self.metrics.exposures.repeated.inc();
            return;
        }
        let text = exposure(current, assigned, context, now);
        // Within the limits by construction; a definition outside of them must not fill the log with dead letters.
        let valid = json::decode(text.as_bytes());
        if let Err(problem) = valid {
            tracing::debug!(%problem, experiment = experiment.id, "an exposure is outside of the limits of events");
            self.metrics.exposures.invalid.inc();
            return;
        }
        let id: Arc<str> = experiment.id.as_str().into();
        let item = Item { unit: assigned.unit.to_string(), payload: text, experiment: Some(id.clone()), ticket: None };
        match self.queue.offer(vec![item]) {
            Ok(()) => {
                self.dedupe.remember(identity, now_s);
                self.metrics.exposures.queued.inc();
            }
            Err(_) => {
                self.losses.count(&id, Cause::QueueFull);
                self.metrics.exposures.lost.inc();
            }
        }
    }

    /// Forgets what is over; to be called now and then.
    pub fn sweep(&self) {
        self.dedupe.sweep(now().0.div_euclid(1_000_000) as u64);
        self.metrics.remembered.set(self.dedupe.len() as i64);
    }
}

/// The event, at the start of the second: within it the same question has the same exposure.
pub fn exposure(current: &Current, assigned: &Assigned<'_>, context: &Context, now: Timestamp) -> String {
    let experiment = assigned.experiment;
    let wanted = current.attributes.get(&experiment.id).map(Vec::as_slice).unwrap_or_default();
    let attributes = wanted.iter().filter_map(|name| {
        let value = context.attribute(name)?;
        // What cannot be one of a segment's listed values need not be told.
        let fits = !matches!(&value, Attribute::Text(text) if text.len() > TEXT_MAX);
        fits.then_some((Cow::Borrowed(name.as_str()), value))
    });
    let event = Event {
        id: EventId(0),
        time: floor(now),
        unit_type: Cow::Borrowed(&experiment.unit),
        unit_id: Cow::Borrowed(&assigned.unit),
        body: Body::Exposure {
            experiment: Cow::Borrowed(&experiment.id),
            variant: Cow::Borrowed(&experiment.variants[assigned.variant].name),
        },
        attributes: attributes.collect(),
        config_version: version(current),
        sdk: Some(Cow::Borrowed(crate::SDK)),
        copy: 0,
    };
    identified(&event)
}

/// The version that events name; the log does not know those that this edge counted itself.
pub fn version(current: &Current) -> Option<u64> {
    (current.numbering == Numbering::Published).then(|| current.version())
}

/// The start of the second.
pub fn floor(time: Timestamp) -> Timestamp {
    Timestamp(time.0.div_euclid(1_000_000) * 1_000_000)
}

/// The clock of this machine.
pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64))
}
