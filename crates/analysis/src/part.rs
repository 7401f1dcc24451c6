//! What is known of one partition: the newest sums it published, and the looks that wait for the other partitions.

use assay_aggregates::{Block, Counters, Look, Tallies};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A phase of an experiment: id and salt.
pub type Phase = (String, String);

/// Why a partition's results are frozen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Freeze {
    /// The same look came twice with different content: two builds or machines disagree.
    #[error(
        "partition {partition} published look {look} twice with different content; its results are frozen until the cause is found"
    )]
    Mismatch {
        /// The partition.
        partition: u32,
        /// The look.
        look: i64,
    },
    /// Looks are missing between two records.
    #[error(
        "partition {partition} continues after look {after:?}, but look {expected:?} is the last one known; its results are frozen"
    )]
    Gap {
        /// The partition.
        partition: u32,
        /// What the record continues.
        after: Option<i64>,
        /// What was read last.
        expected: Option<i64>,
    },
    /// The record is of another log or meaning.
    #[error("partition {partition} published a look of another log or semantics; its results are frozen")]
    OtherLog {
        /// The partition.
        partition: u32,
    },
}

/// How many hashes of past looks are remembered, to tell a repeat from a contradiction.
const HASHES_MAX: usize = 100_000;
/// How many looks may wait for other partitions before reading pauses.
pub(crate) const WAITING_MAX: usize = 50_000;

/// One partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// Last look read.
    pub read: Option<i64>,
    /// Last look that is in the sums.
    pub applied: Option<i64>,
    /// Read, but not all partitions have closed them.
    pub waiting: VecDeque<Look>,
    hashes: BTreeMap<i64, u128>,
    /// The last record applied, without its blocks.
    pub head: Option<Head>,
    pub experiments: BTreeMap<Phase, PartExperiment>,
    pub frozen: Option<Freeze>,
}

/// Where a partition's sums come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub log: String,
    pub semantics: u32,
    pub start_offset: u64,
    pub next_offset: u64,
    pub log_time: assay_experiment::Timestamp,
    pub config: u64,
    pub counters: Counters,
    pub hash: u128,
}

/// The sums of a phase in one partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PartExperiment {
    pub metrics: Vec<String>,
    pub tallies: Tallies,
    pub blocks: BTreeMap<(u8, i64), Block>,
    /// Blocks that changed since they were last written to a table.
    pub changed: BTreeSet<(u8, i64)>,
}

impl Part {
    /// Takes a record as it was read. Repeats change nothing.
    pub fn take(&mut self, look: Look) -> Result<(), Freeze> {
        if let Some(frozen) = &self.frozen {
            return Err(frozen.clone());
        }
        let outcome = self.check(&look);
        match outcome {
            Ok(true) => {
                self.read = Some(look.last);
                self.hashes.insert(look.last, look.hash);
                if self.hashes.len() > HASHES_MAX {
                    self.hashes.pop_first();
                }
                self.waiting.push_back(look);
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(freeze) => {
                self.frozen = Some(freeze.clone());
                Err(freeze)
            }
        }
    }

    fn check(&self, look: &Look) -> Result<bool, Freeze> {
        let partition = look.partition;
        if self.head.as_ref().is_some_and(|head| head.log != look.log || head.semantics != look.semantics) {
            return Err(Freeze::OtherLog { partition });
        }
        if self.read.is_some_and(|read| look.last <= read) {
            return match self.hashes.get(&look.last) {
                Some(&hash) if hash != look.hash => Err(Freeze::Mismatch { partition, look: look.last }),
                None if self.hashes.first_key_value().is_some_and(|(&oldest, _)| look.last > oldest) => {
                    Err(Freeze::Mismatch { partition, look: look.last })
                }
                _ => Ok(false),
            };
        }
        // Where the start of the aggregates is gone, a full look is a start too; the running values begin a new epoch.
        if look.previous != self.read && !(self.read.is_none() && look.keyframe) {
            return Err(Freeze::Gap { partition, after: look.previous, expected: self.read });
        }
        Ok(true)
    }
}
