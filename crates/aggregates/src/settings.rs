//! Settings that change at an hour of log time: lengths of windows, and the meaning of the fold, which a build has or has not.

use crate::dedupe::RunsError;
use crate::effects::Effects;
use crate::partition::Partition;
use assay_experiment::{Schedule, Settings, Timestamp, format_time};
use std::ops::RangeInclusive;

/// The newest meaning of this fold. Another number means that the same log may give other results.
pub const SEMANTICS: u32 = 2;
/// All meanings that this build has.
///
/// 1: a report of lost exposures is a conversion like any other. 2: it counts for its experiment.
pub const SEMANTICS_KNOWN: RangeInclusive<u32> = 1..=SEMANTICS;
/// Reports of lost exposures count from this meaning on.
pub(crate) const LOST_COUNTS: u32 = 2;

/// When settings change that never do.
pub(crate) const NEVER: Timestamp = Timestamp(i64::MAX);

/// Why a partition cannot go on. The record was not applied and told no effect of its own.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// A record came twice or out of order.
    #[error(
        "partition {partition} is at offset {next} and cannot apply offset {found} again; restart it from its snapshot"
    )]
    Repeated {
        /// Partition.
        partition: u32,
        /// Next offset to be applied.
        next: u64,
        /// Offset that came.
        found: u64,
    },
    /// The log does not start with its genesis record.
    #[error(
        "partition {0} does not start with a genesis record: the topic is not Assay's, or its start was removed; restore a snapshot or use a new topic"
    )]
    NoGenesis(u32),
    /// The genesis record contradicts where it was found.
    #[error("partition {partition} belongs to another log: {why}")]
    OtherLog {
        /// Partition.
        partition: u32,
        /// What differs.
        why: String,
    },
    /// The log asks for a meaning that this build lacks.
    #[error("the log needs semantics {wanted}, this build has 1 to {SEMANTICS}; use a build that has it")]
    Semantics {
        /// What the log asks for.
        wanted: u32,
    },
    /// The log asks for a meaning that this build lacks, from an hour on.
    #[error(
        "partition {partition} has semantics {wanted} from {} on, this build has 1 to {SEMANTICS}; nothing of that hour was applied or \
         written: start a build that has it, and it goes on from here",
        format_time(*.from)
    )]
    Switch {
        /// Partition.
        partition: u32,
        /// What the log asks for.
        wanted: u32,
        /// The hour.
        from: Timestamp,
    },
    /// The remembered ids are not to be had.
    #[error(transparent)]
    Runs(#[from] RunsError),
}

/// When the settings change after an instant.
pub(crate) fn next_change(schedule: &Schedule, after: Timestamp) -> Timestamp {
    schedule.next(after).map_or(NEVER, |change| change.from())
}

impl Partition {
    /// Log time reaches hours at which settings change: what ends there ends under the old ones.
    pub(crate) fn change_settings(&mut self, now: Timestamp, effects: &mut dyn Effects) -> Result<(), Halt> {
        let changes: Vec<Settings> =
            self.schedule.changes().filter(|it| self.log_time < it.from() && it.from() <= now).copied().collect();
        // Asked before anything is told.
        if let Some(lacking) = changes.iter().find(|change| !SEMANTICS_KNOWN.contains(&change.semantics)) {
            return Err(Halt::Switch { partition: self.id, wanted: lacking.semantics, from: lacking.from() });
        }
        for change in changes {
            self.close_windows(change.from(), effects);
            self.looks.change(change.look(), change.from());
            self.chunks.change(change.chunk(), change.from());
            self.semantics = change.semantics;
        }
        self.changes_at = next_change(&self.schedule, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::control::Genesis;

    #[test]
    fn a_new_log_begins_with_the_newest_meaning() {
        assert_eq!(Genesis::new("log-1".to_owned(), 1, 7).semantics, SEMANTICS);
    }
}
