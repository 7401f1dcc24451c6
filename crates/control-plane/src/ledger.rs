//! What the log says about versions of the definitions, read from its first partition.
//!
//! The first partition decides: publishing writes there first, so a version that is not complete there is nowhere. Of two publishers that
//! write the same number at the same moment, the one whose version is complete first in it has won, as in the fold. One partition is enough to
//! read, and one version is enough to keep, because each carries all that later ones must know of earlier ones.

use crate::publish::Version;
use assay_broker::{Batch, Error as LogError, Log, Offset, Partition};
use assay_experiment::control::{self, Control};
use assay_experiment::{Settings, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The partition that is read.
pub(crate) const FIRST: u32 = 0;
/// Versions under way at a time; the fold keeps as many.
const PENDING_MAX: usize = 16;
/// Parts of a version; the fold takes as many.
const PARTS_MAX: u32 = 10_000;
/// Bytes of parts under way. A version of the usual size has some kilobytes; at the bound the lowest number is given up.
const PENDING_BYTES_MAX: usize = 256 << 20;
/// Outcomes that are remembered while reading; only the newest few can be asked for.
const COMPLETED_MAX: usize = 64;
/// Bytes of one reading.
const BATCH_BYTES: usize = 1 << 20;
/// How long the log may give nothing although there is more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Versions found in the log so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Where to go on reading.
    next: u64,
    /// The highest number that was seen, complete or not: it must not be used again.
    pub highest: u64,
    /// The newest version that is complete.
    pub newest: Option<Version>,
    /// Changes of settings, by hour; of two for one hour the first counts.
    pub settings: BTreeMap<Timestamp, Settings>,
    pending: BTreeMap<u64, Pending>,
    completed: BTreeMap<u64, u128>,
}

#[derive(Debug)]
struct Pending {
    first: u64,
    parts: BTreeMap<u32, String>,
    bytes: usize,
}

impl Ledger {
    /// Goes on from what was known when everything below `next` had been read.
    pub fn new(next: u64, highest: u64, newest: Option<Version>, settings: Vec<Settings>) -> Self {
        let highest = highest.max(newest.as_ref().map_or(0, |version| version.number));
        let settings = settings.into_iter().map(|settings| (settings.from(), settings)).collect();
        Ledger { next, highest, newest, settings, ..Ledger::default() }
    }

    /// From where reading can go on without what is only in memory.
    pub fn resume_at(&self) -> u64 {
        self.pending.values().map(|pending| pending.first).min().unwrap_or(self.next).min(self.next)
    }

    /// Whether a version is complete in the log, and is this one.
    pub fn has(&self, version: &Version) -> bool {
        let hash = control::parts_hash(version.bodies.iter().map(String::as_str));
        self.completed.get(&version.number) == Some(&hash)
    }

    /// Reads on to the end that the partition has now.
    pub fn read(&mut self, log: &dyn Log, topic: &str) -> Result<(), LogError> {
        let bounds = log.bounds(topic, Partition(FIRST))?;
        // Where the start is gone, a change of settings may be a repeat of one that came there, in time.
        let repeats = bounds.low.0 > 0;
        self.next = self.next.max(bounds.low.0);
        if self.next >= bounds.next.0 {
            return Ok(());
        }
        let mut reader = log.open(topic, Partition(FIRST), Offset(self.next))?;
        let mut batch = Batch::default();
        let mut heard = Instant::now();
        while self.next < bounds.next.0 {
            reader.poll(&mut batch, BATCH_BYTES, Duration::from_secs(1))?;
            if batch.is_empty() {
                if heard.elapsed() > PATIENCE {
                    let problem =
                        format!("{topic}/{FIRST} ends at {}, but nothing came after {}", bounds.next.0, self.next);
                    return Err(LogError::Kafka(problem));
                }
                continue;
            }
            heard = Instant::now();
            for record in batch.iter() {
                // Nearly all records are events, which have no such header.
                if record.header(control::HEADER).is_some() {
                    let headers: Vec<(&str, &[u8])> = record.headers().collect();
                    // What only looks like a control record is a dead letter of the fold.
                    if let Ok(Some(control)) = control::decode(&headers, record.payload) {
                        match control {
                            Control::Settings(settings) if repeats || record.timestamp_ms < settings.from_ms => {
                                self.settings.entry(settings.from()).or_insert(settings);
                            }
                            control => self.note(record.offset.0, &control),
                        }
                    }
                }
                self.next = record.offset.0 + 1;
            }
        }
        Ok(())
    }

    fn note(&mut self, offset: u64, control: &Control<'_>) {
        let known = self.newest.as_ref().map_or(0, |version| version.number);
        match *control {
            Control::Part { version, index, count, body } if version > known => {
                self.highest = self.highest.max(version);
                if index >= count || count > PARTS_MAX {
                    return;
                }
                while self.pending.len() >= PENDING_MAX && !self.pending.contains_key(&version)
                    || self.pending.values().map(|pending| pending.bytes).sum::<usize>() > PENDING_BYTES_MAX
                {
                    self.pending.pop_first();
                }
                let pending = self.pending.entry(version).or_insert_with(|| Pending {
                    first: offset,
                    parts: BTreeMap::new(),
                    bytes: 0,
                });
                // Of two bodies for one place the first counts.
                pending.parts.entry(index).or_insert_with(|| {
                    pending.bytes += body.len();
                    body.to_owned()
                });
            }
            Control::Close { version, count, hash } if version > known => {
                self.highest = self.highest.max(version);
                let Some(pending) = self.pending.get(&version) else { return };
                let hash_here = control::parts_hash(pending.parts.values().map(String::as_str));
                if pending.parts.len() != count as usize || hash_here != hash {
                    return;
                }
                let bodies = self.pending.remove(&version).map(|pending| pending.parts.into_values().collect());
                self.newest = bodies.map(|bodies| Version { number: version, bodies });
                self.completed.insert(version, hash);
                if self.completed.len() > COMPLETED_MAX {
                    self.completed.pop_first();
                }
                // Nobody waits for lower ones any more: they can never be in force.
                self.pending.retain(|&other, _| other > version);
            }
            _ => {}
        }
    }
}
