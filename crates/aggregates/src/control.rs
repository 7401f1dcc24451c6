//! What control records do: settings are put on the schedule, definitions come into force.

use crate::effects::Reason;
use crate::partition::{Outcome, Partition};
use crate::settings::next_change;
use crate::slot::{Slot, SlotIndex};
use crate::versions::{Closed, InForce};
use assay_experiment::{Definitions, Experiment, Span, Status, control};

impl Partition {
    pub(crate) fn control(&mut self, control: control::Control<'_>) -> Outcome {
        match control {
            control::Control::Tick => Outcome::Control { row: false },
            control::Control::Genesis(genesis) if genesis == self.genesis => Outcome::Control { row: true },
            // Anybody can write such a record, so it must not stop the partition; a topic that was recreated is found on opening it.
            control::Control::Genesis(other) => Outcome::Rejected(
                Reason::Control,
                format!("this is log {}, the record starts log {}", self.genesis.log, other.log),
            ),
            control::Control::Settings(settings) => match self.schedule.add(settings, self.log_time) {
                Ok(()) => {
                    self.changes_at = next_change(&self.schedule, self.log_time);
                    Outcome::Control { row: true }
                }
                Err(why) => Outcome::Rejected(Reason::Control, format!("change of settings: {why}")),
            },
            control::Control::Part { version, index, count, body } => {
                match self.versions.part(version, index, count, body) {
                    Ok(()) => Outcome::Control { row: true },
                    Err(why) => Outcome::Rejected(Reason::Control, why),
                }
            }
            control::Control::Close { version, count, hash } => {
                let mut catalogue = None;
                let fits = |definitions: &Definitions| {
                    catalogue = Some(self.catalogue.with(definitions)?);
                    Ok(())
                };
                match self.versions.close(version, count, hash, fits) {
                    Ok(Closed::Known) => Outcome::Control { row: true },
                    Ok(Closed::InForce(current)) => {
                        self.catalogue = catalogue.expect("definitions come into force only when they fit");
                        self.schemas = self.versions.schemas();
                        self.adopt(&current);
                        Outcome::Control { row: true }
                    }
                    Err(why) => Outcome::Rejected(Reason::Control, why),
                }
            }
        }
    }

    /// Puts definitions in force. What they begin is live from the closing record's log time T0 on, in every partition, whatever came there
    /// before: an exposure counts from max(its time, M − A), so one whose time is before T0 does not count. A replay of events that
    /// are older than its definitions appends these A before the first event.
    fn adopt(&mut self, current: &InForce) {
        let live_from = self.log_time;
        // Events may be ahead of log time by F: those accepted before the end must stay counted.
        let ends = self.log_time + Span(self.genesis.future_ms as i64 * 1_000 + 1);
        for slot in &mut self.attribution.slots {
            let kept = current.definitions.experiments.get(&slot.experiment.id);
            if kept.map(salt) != Some(slot.salt.as_str()) {
                slot.set_status(Status::Stopped, ends);
            }
        }
        for experiment in current.definitions.experiments.values() {
            let salt = salt(experiment);
            match self.slot(&experiment.id, salt) {
                Some(index) => {
                    let slot = &mut self.attribution.slots[usize::from(index)];
                    slot.revise(experiment, &current.definitions, &self.catalogue, self.log_time, ends);
                }
                None if experiment.status != Status::Draft
                    && self.attribution.slots.len() < usize::from(SlotIndex::MAX) =>
                {
                    let mut slot = Slot::new(experiment, salt, &current.definitions, &self.catalogue, live_from);
                    slot.set_status(experiment.status, ends);
                    self.attribution.slots.push(slot);
                }
                None => {}
            }
        }
    }
}

/// The salt of an experiment; publishing mints one where the author wrote none.
pub(crate) fn salt(experiment: &Experiment) -> &str {
    experiment.salt.as_deref().unwrap_or(&experiment.id)
}
