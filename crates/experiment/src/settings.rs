//! Settings of a log that change at a stated hour of log time: the lengths of its windows, and the meaning of the fold.
//!
//! A change is one record in every partition, complete in itself, and known by its hour. So partitions that read it at different
//! offsets, or after other changes, agree as long as each has it before its hour. Rejected: a change that acts where it stands, as
//! definitions do, because then the windows of different partitions would not end together.

use crate::control::{Genesis, LOG_DAY_MS};
use crate::{Span, Timestamp, format_time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is in force from an hour on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The hour of log time, in milliseconds since the epoch.
    pub from_ms: i64,
    /// Length of a look.
    pub look_ms: u64,
    /// Length of a chunk; a multiple of the look.
    pub chunk_ms: u64,
    /// Meaning of the fold.
    pub semantics: u32,
}

/// A change as people write it; what is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingsChange {
    /// The hour of log time from which it is in force.
    pub from: Timestamp,
    /// Length of a look.
    pub look: Option<Span>,
    /// Length of a chunk.
    pub chunk: Option<Span>,
    /// Meaning of the fold.
    pub semantics: Option<u32>,
}

/// All settings of a log, by the hour from which they are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Before the first change.
    start: Settings,
    changes: BTreeMap<Timestamp, Settings>,
}

/// Changes that have not come into force; more can only be mistakes.
const PENDING_MAX: usize = 16;
/// Changes that are remembered, so that a repeat is known as one.
const CHANGES_MAX: usize = 256;

impl Settings {
    /// The instant from which they are in force.
    pub fn from(&self) -> Timestamp {
        Timestamp::from_millis(self.from_ms)
    }

    /// Length of a look.
    pub fn look(&self) -> Span {
        Span(self.look_ms as i64 * 1_000)
    }

    /// Length of a chunk.
    pub fn chunk(&self) -> Span {
        Span(self.chunk_ms as i64 * 1_000)
    }

    /// Whether they can be meant at all; `Err` says why not.
    pub fn check(&self) -> Result<(), String> {
        if let Some(problem) = lengths(self.look_ms, self.chunk_ms) {
            return Err(problem.to_owned());
        }
        if self.semantics == 0 {
            return Err("semantics count from 1".to_owned());
        }
        let hour_ms = Span::HOUR.0 / 1_000;
        // A window is numbered within 64 bits of microseconds.
        if self.from_ms % hour_ms != 0 || self.from_ms.abs() > i64::MAX / 2_000 {
            return Err("they must be in force from a whole hour on".to_owned());
        }
        self.begins_chunk(self.chunk_ms)
    }

    /// Windows of this length must end at the hour at which they change.
    fn begins_chunk(&self, chunk_ms: u64) -> Result<(), String> {
        if self.from_ms.rem_euclid(chunk_ms as i64) != 0 {
            let from = format_time(self.from());
            return Err(format!("no chunk of {} s ends at {from}; choose midnight UTC", chunk_ms as f64 / 1e3));
        }
        Ok(())
    }

    fn follows(&self, before: &Settings) -> Result<(), String> {
        if self.semantics < before.semantics {
            return Err(format!("semantics {} come after {}; they only go up", self.semantics, before.semantics));
        }
        self.begins_chunk(before.chunk_ms)
    }
}

/// What is wrong with these lengths of windows, if anything is.
pub(crate) fn lengths(look_ms: u64, chunk_ms: u64) -> Option<&'static str> {
    if look_ms == 0 || chunk_ms == 0 || !chunk_ms.is_multiple_of(look_ms) {
        Some("chunk_ms must be a multiple of look_ms, and both above 0")
    } else if chunk_ms > LOG_DAY_MS || !LOG_DAY_MS.is_multiple_of(chunk_ms) {
        Some("chunk_ms must divide a day, because a chunk lies in one day's table partition")
    } else {
        None
    }
}

impl Schedule {
    /// Of a log that has had no change.
    pub fn new(genesis: &Genesis) -> Self {
        let Genesis { look_ms, chunk_ms, semantics, .. } = *genesis;
        Schedule { start: Settings { from_ms: i64::MIN, look_ms, chunk_ms, semantics }, changes: BTreeMap::new() }
    }

    /// What is in force at an instant of log time.
    pub fn at(&self, time: Timestamp) -> Settings {
        self.changes.range(..=time).next_back().map_or(self.start, |(_, settings)| *settings)
    }

    /// The first change after an instant.
    pub fn next(&self, after: Timestamp) -> Option<Settings> {
        let later = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        self.changes.range(later).next().map(|(_, settings)| *settings)
    }

    /// The change of an hour.
    pub fn of(&self, hour: Timestamp) -> Option<Settings> {
        self.changes.get(&hour).copied()
    }

    /// All changes that are known.
    pub fn changes(&self) -> impl Iterator<Item = &Settings> {
        self.changes.values()
    }

    /// A change in full.
    pub fn complete(&self, wanted: &SettingsChange) -> Settings {
        let before = self.at(Timestamp(wanted.from.0 - 1));
        let ms = |span: Span| span.0 as u64 / 1_000;
        Settings {
            from_ms: wanted.from.millis(),
            look_ms: wanted.look.map_or(before.look_ms, ms),
            chunk_ms: wanted.chunk.map_or(before.chunk_ms, ms),
            semantics: wanted.semantics.unwrap_or(before.semantics),
        }
    }

    /// A change that came at log time `now`. `Err` says why it is refused; a repeat of a known one changes nothing.
    pub fn add(&mut self, settings: Settings, now: Timestamp) -> Result<(), String> {
        settings.check()?;
        let from = settings.from();
        let shown = format_time(from);
        match self.changes.get(&from) {
            Some(known) if *known == settings => return Ok(()),
            Some(_) => return Err(format!("there are other settings from {shown} on; choose another hour")),
            None => {}
        }
        if from <= now {
            let now = format_time(now);
            return Err(format!("{shown} has passed, log time is {now}; choose a later hour"));
        }
        if self.changes.keys().filter(|hour| **hour > now).count() >= PENDING_MAX {
            return Err(format!("{PENDING_MAX} changes have not come into force yet; wait for them"));
        }
        settings.follows(&self.at(from))?;
        if let Some(after) = self.next(from) {
            after.follows(&settings).map_err(|problem| format!("a later change does not fit then: {problem}"))?;
        }
        self.changes.insert(from, settings);
        if self.changes.len() > CHANGES_MAX
            && let Some((_, oldest)) = self.changes.pop_first()
        {
            self.start = oldest;
        }
        Ok(())
    }

    /// As it was written by [`Schedule::parts`].
    pub fn from_parts(start: Settings, changes: impl IntoIterator<Item = Settings>) -> Self {
        Schedule { start, changes: changes.into_iter().map(|it| (it.from(), it)).collect() }
    }

    /// What is in force before the first change that is known, and the changes.
    pub fn parts(&self) -> (Settings, impl ExactSizeIterator<Item = &Settings>) {
        (self.start, self.changes.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn change(hour: i64, look_ms: u64, chunk_ms: u64, semantics: u32) -> Settings {
        Settings { from_ms: hour * HOUR_MS, look_ms, chunk_ms, semantics }
    }

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * HOUR_MS)
    }

    #[test]
    fn each_hour_has_its_settings_whatever_the_order_of_arrival() {
        let genesis = Genesis { semantics: 1, ..Genesis::new("log-1".to_owned(), 4, 7) };
        let (soon, later) = (change(24, 2_000, 10_000, 1), change(48, 2_000, 20_000, 2));
        let (mut one, mut other) = (Schedule::new(&genesis), Schedule::new(&genesis));
        one.add(soon, hour(1)).unwrap();
        one.add(later, hour(30)).unwrap();
        other.add(later, hour(2)).unwrap();
        other.add(soon, hour(3)).unwrap();
        other.add(soon, hour(90)).unwrap();
        assert_eq!(one, other);
        let lengths = [23, 24, 47, 48, 90].map(|at| (one.at(hour(at)).chunk_ms, one.at(hour(at)).semantics));
        assert_eq!(lengths, [(5_000, 1), (10_000, 1), (10_000, 1), (20_000, 2), (20_000, 2)]);
        assert_eq!((one.next(hour(24)), one.next(hour(48))), (Some(later), None));
        let wanted = SettingsChange { from: hour(36), look: None, chunk: Some(Span(30_000_000)), semantics: None };
        assert_eq!(one.complete(&wanted), change(36, 2_000, 30_000, 1));
    }

    #[test]
    fn what_cannot_come_into_force_everywhere_is_refused() {
        let mut schedule = Schedule::new(&Genesis::new("log-1".to_owned(), 4, 7));
        schedule.add(change(24, 2_000, 10_000, 2), hour(1)).unwrap();
        for (settings, why) in [
            (change(24, 1_000, 10_000, 2), "choose another hour"),
            (change(12, 1_000, 5_000, 2), "choose a later hour"),
            (change(36, 3_000, 10_000, 2), "multiple"),
            (change(36, 0, 10_000, 2), "above 0"),
            (change(36, 7_000, 7_000, 2), "divide a day"),
            (change(36, 1_000, 5_000, 1), "only go up"),
            (change(36, 1_000, 5_000, 0), "count from 1"),
            (change(25, 7_200_000, 7_200_000, 2), "choose midnight"),
            (Settings { from_ms: 36 * HOUR_MS + 1_000, ..change(36, 1_000, 5_000, 2) }, "whole hour"),
        ] {
            let refused = schedule.add(settings, hour(12)).unwrap_err();
            assert!(refused.contains(why), "{settings:?}: {refused}");
        }
        for at in 0..PENDING_MAX as i64 - 1 {
            schedule.add(change(100 + at, 2_000, 10_000, 2), hour(12)).unwrap();
        }
        assert!(schedule.add(change(200, 2_000, 10_000, 2), hour(12)).unwrap_err().contains("wait for them"));
    }
}
