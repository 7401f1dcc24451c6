//! What is known of one partition: the newest sums it published, and the looks that wait for the other partitions.

use assay_aggregates::{Block, Counters, Look, SEMANTICS, SEMANTICS_KNOWN, Tallies};
use assay_experiment::{Span, Timestamp, format_time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A phase of an experiment: id and salt.
pub type Phase = (String, String);

/// Why a partition's results are frozen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Freeze {
    /// The same look came twice with different content: two builds or machines disagree.
    #[error(
        "partition {partition} published the look that ends at {} twice with different content; its results are frozen until the cause is found",
        format_time(*.look)
    )]
    Mismatch {
        /// The partition.
        partition: u32,
        /// End of the look.
        look: Timestamp,
    },
    /// Looks are missing between two records.
    #[error(
        "partition {partition} continues after the look of {}, but that of {} is the last one known; its results are frozen",
        shown(.after), shown(.expected)
    )]
    Gap {
        /// The partition.
        partition: u32,
        /// What the record continues.
        after: Option<Timestamp>,
        /// What was read last.
        expected: Option<Timestamp>,
    },
    /// The record is of another log.
    #[error("partition {partition} published a look of another log; its results are frozen")]
    OtherLog {
        /// The partition.
        partition: u32,
    },
    /// The record has a meaning that this build lacks.
    #[error(
        "partition {partition} published a look of semantics {wanted}, this build has 1 to {SEMANTICS}; its results are frozen, use a build that has it"
    )]
    Semantics {
        /// The partition.
        partition: u32,
        /// What the record has.
        wanted: u32,
    },
    /// The definitions in the record are no definitions for this build, or not those that another record has for the version.
    #[error(
        "partition {partition} published version {version} of the definitions, which cannot be used: {problem}; its results are frozen, use the build that wrote it"
    )]
    Definitions {
        /// The partition.
        partition: u32,
        /// The version.
        version: u64,
        /// What is wrong with it.
        problem: String,
    },
}

fn shown(look: &Option<Timestamp>) -> String {
    look.map_or("none".to_owned(), format_time)
}

/// How many hashes of past looks are remembered, to tell a repeat from a contradiction.
const HASHES_MAX: usize = 100_000;
/// How many looks may wait for other partitions before reading pauses.
pub(crate) const WAITING_MAX: usize = 50_000;

/// One partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// End of the last look read.
    pub read: Option<Timestamp>,
    /// End of the last look that is in the sums.
    pub applied: Option<Timestamp>,
    /// Read, but not all partitions have closed them.
    pub waiting: VecDeque<Pending>,
    /// Closed by all partitions, but not in the sums, because the partitions had different versions of the definitions there.
    pub staged: Option<Pending>,
    hashes: BTreeMap<Timestamp, u128>,
    /// The log that every record must be of.
    identity: Option<String>,
    /// Whether the partition's first look was read: nothing precedes its sums.
    pub from_start: bool,
    /// The last record applied, without its blocks.
    pub head: Option<Head>,
    pub experiments: BTreeMap<Phase, PartExperiment>,
    pub frozen: Option<Freeze>,
}

/// A look that was read and is not in the sums yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub look: Look,
    /// Where reading would have to go on to get it again.
    pub from: u64,
}

/// Where a partition's sums come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub log: String,
    pub semantics: u32,
    pub length: Span,
    pub start_offset: u64,
    pub next_offset: u64,
    pub log_time: Timestamp,
    pub config: u64,
    pub counters: Counters,
    pub hash: u128,
}

/// What sums were made by. Only sums of the same are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MadeBy<'a> {
    pub log: &'a str,
    pub semantics: u32,
    pub length: Span,
    pub config: u64,
}

/// The sums of a phase in one partition.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PartExperiment {
    pub metrics: Vec<String>,
    pub tallies: Tallies,
    pub blocks: BTreeMap<(u8, i64), Block>,
    /// By minute of first exposure, of the last hour.
    pub minutes: BTreeMap<(u8, i64), Block>,
    /// Blocks that changed since they were last written to a table.
    pub changed: BTreeSet<(u8, i64)>,
}

impl Part {
    /// Whether a record is new: repeats are not, nor is what precedes the first full look. A contradiction freezes the partition.
    pub fn admits(&mut self, look: &Look) -> Result<bool, Freeze> {
        if let Some(frozen) = &self.frozen {
            return Err(frozen.clone());
        }
        self.check(look).inspect_err(|freeze| self.frozen = Some(freeze.clone()))
    }

    /// Keeps a record that was admitted.
    pub fn push(&mut self, look: Look, from: u64) {
        if self.read.is_none() {
            self.from_start = look.previous.is_none();
            self.identity = Some(look.log.clone());
        }
        self.read = Some(look.as_of());
        self.remember(look.as_of(), look.hash);
        self.waiting.push_back(Pending { look, from });
    }

    /// Goes on after a snapshot: what it had applied is all that is known.
    pub fn resume(&mut self, applied: Timestamp, head: Head) {
        (self.read, self.applied) = (Some(applied), Some(applied));
        self.identity = Some(head.log.clone());
        self.remember(applied, head.hash);
        self.head = Some(head);
    }

    fn remember(&mut self, look: Timestamp, hash: u128) {
        self.hashes.insert(look, hash);
        if self.hashes.len() > HASHES_MAX {
            self.hashes.pop_first();
        }
    }

    fn check(&self, look: &Look) -> Result<bool, Freeze> {
        let partition = look.partition;
        if self.identity.as_ref().is_some_and(|known| *known != look.log) {
            return Err(Freeze::OtherLog { partition });
        }
        if !SEMANTICS_KNOWN.contains(&look.semantics) {
            return Err(Freeze::Semantics { partition, wanted: look.semantics });
        }
        let as_of = look.as_of();
        let Some(read) = self.read else {
            // Where the start of the aggregates is gone, the first full look is the start.
            return Ok(look.keyframe || look.previous.is_none());
        };
        if as_of <= read {
            return match self.hashes.get(&as_of) {
                Some(&hash) if hash != look.hash => Err(Freeze::Mismatch { partition, look: as_of }),
                None if self.hashes.first_key_value().is_some_and(|(&oldest, _)| as_of > oldest) => {
                    Err(Freeze::Mismatch { partition, look: as_of })
                }
                _ => Ok(false),
            };
        }
        if look.previous != Some(read) {
            return Err(Freeze::Gap { partition, after: look.previous, expected: Some(read) });
        }
        Ok(true)
    }

    /// Moves what waits up to the end of a look onto the stage.
    pub fn stage(&mut self, upto: Timestamp) {
        while let Some(next) = self.waiting.pop_front_if(|next| next.look.changed_at() <= upto) {
            match &mut self.staged {
                Some(staged) => staged.cover(next.look),
                None => self.staged = Some(next),
            }
        }
    }

    /// What the newest sums up to the stage were made by; `None` before the first look.
    pub fn version(&self) -> Option<MadeBy<'_>> {
        let staged = self.staged.as_ref().map(|Pending { look, .. }| MadeBy {
            log: &look.log,
            semantics: look.semantics,
            length: look.length,
            config: look.config,
        });
        let applied = self.head.as_ref().map(|head| MadeBy {
            log: &head.log,
            semantics: head.semantics,
            length: head.length,
            config: head.config,
        });
        staged.or(applied)
    }

    /// The first end of a look at or after an instant, as far as looks were read: their length may change after those in the sums.
    pub fn look_end(&self, at: Timestamp) -> Option<Timestamp> {
        let head = self.applied.filter(|&applied| at <= applied).and(self.head.as_ref()).map(|head| head.length);
        let later = || self.waiting.iter().map(|it| &it.look).find(|look| at <= look.as_of()).map(|look| look.length);
        let length = head.or_else(later)?;
        Some(Timestamp(at.0.div_euclid(length.0).saturating_add(i64::from(at.0.rem_euclid(length.0) != 0)) * length.0))
    }

    /// Version of the definitions of the newest look that was read.
    pub fn newest_config(&self) -> u64 {
        let waiting = self.waiting.back().map(|pending| pending.look.config);
        waiting.or_else(|| Some(self.version()?.config)).unwrap_or(0)
    }

    /// Where reading would have to go on to get everything that is not in the sums; `None` where everything is.
    pub fn from(&self) -> Option<u64> {
        self.staged.as_ref().or(self.waiting.front()).map(|pending| pending.from)
    }

    /// A copy for a glance ahead, without the memory of past looks.
    pub fn glance(&self) -> Part {
        Part {
            read: self.read,
            applied: self.applied,
            waiting: self.waiting.clone(),
            staged: self.staged.clone(),
            head: self.head.clone(),
            experiments: self.experiments.clone(),
            ..Part::default()
        }
    }
}

impl Pending {
    /// Puts a newer look over this one. All sums are absolute, so what both have is the newer's.
    fn cover(&mut self, newer: Look) {
        let older = std::mem::replace(&mut self.look, newer);
        let newer = &mut self.look;
        newer.previous = older.previous;
        for mut old in older.experiments {
            match newer.experiments.iter_mut().find(|new| (&new.id, &new.salt) == (&old.id, &old.salt)) {
                Some(new) => {
                    let known: BTreeSet<(u8, i64)> = new.blocks.iter().map(|it| (it.variant, it.hour)).collect();
                    old.blocks.retain(|block| !known.contains(&(block.variant, block.hour)));
                    new.blocks.append(&mut old.blocks);
                    let known: BTreeSet<(u8, i64)> = new.minutes.iter().map(|it| (it.variant, it.hour)).collect();
                    old.minutes.retain(|block| !known.contains(&(block.variant, block.hour)));
                    new.minutes.append(&mut old.minutes);
                }
                None => newer.experiments.push(old),
            }
        }
    }
}
