//! Publishing changes of the log's settings: each in every partition before its hour, or refused.

use crate::change::Refusal;
use crate::files::{read, remove};
use crate::install::append_all;
use crate::ledger::{FIRST, Ledger};
use crate::publish::{PublishError, Publisher};
use assay_experiment::control::{self, Genesis};
use assay_experiment::{Schedule, Settings, SettingsChange, Timestamp, format_time};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A change is published at least this long before its hour. Log time may be a minute ahead of a clock, and whoever finishes a publication
/// that a crash left half done needs some as well.
const LEAD_MS: i64 = 5 * 60_000;
/// Changes on their way.
const OUTBOX: &str = "settings.json";

impl Publisher<'_> {
    /// Publishes the changes that are not in the log yet, and gives them in full. `semantics` are those that this build has.
    pub fn change_settings(
        &self,
        wanted: &BTreeMap<Timestamp, SettingsChange>,
        semantics: &RangeInclusive<u32>,
        now_ms: i64,
    ) -> Result<Vec<Settings>, PublishError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut ledger = self.catch_up()?;
        let mut schedule = self.schedule(&ledger)?;
        let (mut new, mut refusals) = (Vec::new(), Vec::new());
        for change in wanted.values() {
            match check(&mut schedule, change, semantics, now_ms) {
                Ok(settings) => new.extend(settings),
                Err(reason) => {
                    refusals.push(Refusal { subject: format!("settings from {}", format_time(change.from)), reason });
                }
            }
        }
        if !refusals.is_empty() {
            return Err(PublishError::Refused(refusals));
        }
        if !new.is_empty() {
            self.save(OUTBOX, &new)?;
            self.deliver_settings(&mut ledger, &new)?;
        }
        Ok(new)
    }

    /// Finishes what a crash left half done. Repeats are the original bytes.
    pub(crate) fn resume_settings(&self) -> Result<(), PublishError> {
        let path = self.directory.join(OUTBOX);
        let Some(bytes) = read(&path)? else { return Ok(()) };
        let settings: Vec<Settings> = serde_json::from_slice(&bytes).map_err(|_| PublishError::Damaged(path))?;
        self.deliver_settings(&mut self.ledger()?, &settings)
    }

    /// Into every partition, of which the first decides between two publishers.
    fn deliver_settings(&self, ledger: &mut Ledger, all: &[Settings]) -> Result<(), PublishError> {
        let records: Vec<_> = all.iter().map(control::settings).collect();
        let mut late = None;
        for partition in FIRST..self.partitions {
            let appended = append_all(self.log, &self.topic, partition, &records)?;
            let missed = all.iter().zip(&appended).find(|(settings, at)| at.timestamp_ms >= settings.from_ms);
            late = late.or(missed.map(|(settings, _)| (partition, settings.from())));
            if partition == FIRST {
                ledger.read(self.log, &self.topic)?;
                let taken = all.iter().find(|it| ledger.settings.get(&it.from()).is_some_and(|known| known != *it));
                if let Some(taken) = taken {
                    remove(&self.directory.join(OUTBOX))?;
                    let reason = "somebody else published other settings for this hour; choose another".to_owned();
                    let subject = format!("settings from {}", format_time(taken.from()));
                    return Err(PublishError::Refused(vec![Refusal { subject, reason }]));
                }
            }
        }
        self.save_position(ledger)?;
        remove(&self.directory.join(OUTBOX))?;
        match late {
            Some((partition, from)) => Err(PublishError::Late { partition, from }),
            None => Ok(()),
        }
    }

    /// Appends all known changes again.
    pub(crate) fn repeat_settings(&self, ledger: &Ledger) -> Result<(), PublishError> {
        let records: Vec<_> = ledger.settings.values().map(control::settings).collect();
        for partition in FIRST..self.partitions {
            append_all(self.log, &self.topic, partition, &records)?;
        }
        Ok(())
    }

    fn schedule(&self, ledger: &Ledger) -> Result<Schedule, PublishError> {
        let path = self.directory.join("genesis.json");
        let genesis = read(&path)?.and_then(|bytes| Genesis::decode(&bytes).ok()).ok_or(PublishError::Damaged(path))?;
        let (start, _) = Schedule::new(&genesis).parts();
        Ok(Schedule::from_parts(start, ledger.settings.values().copied()))
    }
}

/// The change in full, unless the log has it. `Err` says why it is refused.
fn check(
    schedule: &mut Schedule,
    change: &SettingsChange,
    semantics: &RangeInclusive<u32>,
    now_ms: i64,
) -> Result<Option<Settings>, String> {
    let settings = schedule.complete(change);
    match schedule.of(change.from) {
        Some(known) if known == settings => return Ok(None),
        Some(Settings { look_ms, chunk_ms, semantics, .. }) => {
            return Err(format!(
                "the log has other settings from this hour on (look {look_ms} ms, chunk {chunk_ms} ms, semantics {semantics}); choose another \
                 hour, or write these"
            ));
        }
        None => {}
    }
    if settings.from_ms < now_ms + LEAD_MS {
        return Err(format!(
            "the hour has passed, or is less than {} minutes away, so that some partitions would miss it; choose a later one, or remove the \
             document if it is from another log",
            LEAD_MS / 60_000
        ));
    }
    if !semantics.contains(&settings.semantics) {
        return Err(format!(
            "this build has semantics {} to {}, not {}; run a build that has it everywhere first, then publish with that",
            semantics.start(),
            semantics.end(),
            settings.semantics
        ));
    }
    schedule.add(settings, Timestamp::from_millis(now_ms))?;
    Ok(Some(settings))
}
