//! The snapshots of one partition: written once under a key that names their offset, read newest first, removed late.

use crate::runs::FileRuns;
use crate::store::{Store, StoreError};
use assay_aggregates::{Partition, RestoreError, RunName, SnapshotInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A snapshot is removed only when this many newer ones are known to be valid.
const NEWER_MIN: usize = 3;
const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// The clocks of files and of the process may differ by less than this, and a clock may be set back by less.
const SLACK_MS: i64 = 3_600 * 1_000;
/// What every snapshot starts with, whatever its format: a digit follows.
const FAMILY: &[u8] = b"assaysn";

/// Which snapshots stay.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// All that are younger than this.
    pub all_for: Duration,
    /// The last one of every day that is younger than this. As long as the log keeps its records: from an older one nothing could go on.
    pub dailies_for: Duration,
}

/// The snapshots of one partition.
pub struct Snapshots {
    store: Arc<dyn Store>,
    prefix: String,
    runs: PathBuf,
    keep: Keep,
    /// Keys that this process wrote, restored or checked, and the runs that they name.
    valid: BTreeMap<String, Vec<RunName>>,
    /// Keys that cannot be restored; they count for nothing, and stay for whoever wants to look at them.
    damaged: BTreeSet<String>,
}

/// No state to start from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Going on without it would guess.
    #[error("snapshot {key}: {problem}; use the build that wrote it, or move it away to start from an older one")]
    Refused {
        /// Which.
        key: String,
        /// Why.
        problem: RestoreError,
    },
}

/// What was found on starting.
pub struct Restored {
    /// The state.
    pub partition: Partition,
    /// When the snapshot was taken, in milliseconds since the epoch.
    pub taken_ms: i64,
}

impl Snapshots {
    /// `runs` is the directory of the partition's runs.
    pub fn new(store: Arc<dyn Store>, log_id: &str, partition: u32, runs: &Path, keep: Keep) -> Self {
        let prefix = format!("snapshots/{log_id}/{partition:05}/");
        let (valid, damaged) = (BTreeMap::new(), BTreeSet::new());
        Snapshots { store, prefix, runs: runs.to_owned(), keep, valid, damaged }
    }

    /// The newest valid state.
    ///
    /// A damaged one is passed over, loudly: the log says the same from an older one, or from its start. One of another format or meaning
    /// stops the partition, because a newer build was here and an older state would undo what it did.
    pub fn newest(&mut self) -> Result<Option<Restored>, SnapshotError> {
        for (key, _) in self.store.list(&self.prefix)?.into_iter().rev() {
            let Some(bytes) = self.store.get(&key)? else { continue };
            let runs = FileRuns::open(&self.runs).map_err(|problem| StoreError {
                what: "opening the runs of ids".to_owned(),
                why: problem.to_string(),
            })?;
            match Partition::restore(&bytes, Box::new(runs)) {
                Ok(partition) => {
                    let names = SnapshotInfo::read(&bytes).map(|info| info.runs).unwrap_or_default();
                    let taken_ms = self.parse(&key).map_or(0, |(_, taken)| taken);
                    self.valid.insert(key, names);
                    return Ok(Some(Restored { partition, taken_ms }));
                }
                Err(problem) if is_damage(&problem, &bytes) => {
                    tracing::error!(key, %problem, "a snapshot is damaged: starting from an older one, or from the log's start");
                    self.damaged.insert(key);
                }
                Err(problem) => return Err(SnapshotError::Refused { key, problem }),
            }
        }
        Ok(None)
    }

    /// How many damaged ones were passed over.
    pub fn passed_over(&self) -> usize {
        self.damaged.len()
    }

    /// How many there are, valid or not.
    pub fn count(&self) -> Result<usize, StoreError> {
        Ok(self.store.list(&self.prefix)?.len())
    }

    /// Keeps a state. `bytes` names its partition and offset; `taken_ms` is when it was taken.
    pub fn write(&mut self, next_offset: u64, bytes: &[u8], taken_ms: i64) -> Result<(), StoreError> {
        let key = format!("{}{next_offset:020}-{taken_ms}", self.prefix);
        self.store.put(&key, bytes)?;
        let names = SnapshotInfo::read(bytes).expect("the state that was just taken is a snapshot").runs;
        self.valid.insert(key, names);
        self.collect(taken_ms)
    }

    fn parse(&self, key: &str) -> Option<(u64, i64)> {
        let (offset, taken) = key.strip_prefix(&self.prefix)?.split_once('-')?;
        Some((offset.parse().ok()?, taken.parse().ok()?))
    }

    /// Removes what is old and not needed.
    fn collect(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let listed = self.store.list(&self.prefix)?;
        let mut keys: Vec<(String, i64)> =
            listed.into_iter().filter_map(|(key, _)| Some((key.clone(), self.parse(&key)?.1))).collect();
        // What cannot be restored neither stands for a day nor for a newer one.
        keys.retain(|(key, _)| !self.damaged.contains(key));
        let mut removed = false;
        for (at, (key, taken)) in keys.iter().enumerate() {
            let age = now_ms - taken;
            let day = taken.div_euclid(DAY_MS);
            let last_of_day = keys.get(at + 1).is_none_or(|(_, next)| next.div_euclid(DAY_MS) != day);
            let daily = last_of_day && age <= self.keep.dailies_for.as_millis() as i64;
            if age <= self.keep.all_for.as_millis() as i64 || daily {
                continue;
            }
            if self.newer_valid(&keys[at + 1..])? < NEWER_MIN {
                break;
            }
            self.store.remove(key)?;
            self.valid.remove(key);
            removed = true;
        }
        if removed {
            self.sweep(&keys, now_ms)?;
        }
        Ok(())
    }

    /// How many are known to be valid, newest first, up to what is needed; reads what an earlier process left.
    fn newer_valid(&mut self, newer: &[(String, i64)]) -> Result<usize, StoreError> {
        let mut found = 0;
        for (key, _) in newer.iter().rev() {
            found += usize::from(self.check(key)?);
            if found == NEWER_MIN {
                break;
            }
        }
        Ok(found)
    }

    /// Whether a snapshot is valid, as far as reading it shows.
    fn check(&mut self, key: &str) -> Result<bool, StoreError> {
        if self.valid.contains_key(key) {
            return Ok(true);
        }
        if self.damaged.contains(key) {
            return Ok(false);
        }
        let Some(bytes) = self.store.get(key)? else { return Ok(false) };
        match SnapshotInfo::read(&bytes) {
            Ok(info) => {
                self.valid.insert(key.to_owned(), info.runs);
                Ok(true)
            }
            Err(problem) => {
                tracing::error!(key, %problem, "a snapshot is damaged: it counts for nothing");
                self.damaged.insert(key.to_owned());
                Ok(false)
            }
        }
    }

    fn sweep(&mut self, keys: &[(String, i64)], now_ms: i64) -> Result<(), StoreError> {
        let mut keep = Vec::new();
        for (key, _) in keys {
            // One that cannot be read names no runs, and none can be restored from it.
            if self.check(key)? {
                keep.extend_from_slice(&self.valid[key]);
            }
        }
        match FileRuns::sweep(&self.runs, &keep, now_ms - SLACK_MS) {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "removed runs of ids that no snapshot needs"),
            // Files that stay only take space; the next snapshot tries again.
            Err(problem) => tracing::warn!(%problem, "could not remove old runs of ids"),
        }
        Ok(())
    }
}

/// Whether it was written well and became unreadable, so that passing it over loses nothing but time. Another format is no damage, and
/// neither is what another build wrote and this one does not understand.
fn is_damage(problem: &RestoreError, bytes: &[u8]) -> bool {
    match problem {
        RestoreError::Checksum | RestoreError::Runs(_) => true,
        RestoreError::Format => !bytes.starts_with(FAMILY),
        RestoreError::Semantics(_)
        | RestoreError::OtherLog(_)
        | RestoreError::Torn(_)
        | RestoreError::Definitions(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use assay_aggregates::{Input, MemoryRuns, Runs};
    use assay_experiment::Timestamp;
    use assay_experiment::control::{self, Genesis};
    use std::fmt::Write;

    const START_MS: i64 = 1_777_600_000_000;

    fn state() -> Partition {
        let genesis = control::genesis(&Genesis::new("log".to_owned(), 1, 7));
        let headers: Vec<(&str, &[u8])> =
            genesis.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let input = Input {
            offset: 0,
            timestamp: Timestamp::from_millis(START_MS),
            key: None,
            headers: &headers,
            payload: &genesis.body,
        };
        Partition::start(0, &input, Box::new(MemoryRuns::default()) as Box<dyn Runs>).unwrap()
    }

    struct World {
        store: Arc<MemoryStore>,
        runs: tempfile::TempDir,
        bytes: Vec<u8>,
    }

    const KEEP: Keep =
        Keep { all_for: Duration::from_secs(24 * 3_600), dailies_for: Duration::from_secs(5 * 24 * 3_600) };

    impl World {
        fn new() -> World {
            World { store: Arc::default(), runs: tempfile::tempdir().unwrap(), bytes: state().snapshot() }
        }

        fn process(&self) -> Snapshots {
            Snapshots::new(self.store.clone(), "log", 0, self.runs.path(), KEEP)
        }

        /// Snapshots that are there, as days and hours after the first day.
        fn shown(&self) -> String {
            self.store.keys().iter().fold(String::new(), |mut shown, key| {
                let taken: i64 = key.rsplit('-').next().unwrap().parse().unwrap();
                let hours = taken.div_euclid(3_600_000) - START_MS.div_euclid(DAY_MS) * 24;
                write!(shown, "{}d{} ", hours / 24, hours % 24).unwrap();
                shown
            })
        }
    }

    /// Writes a snapshot every six hours for so many days; `damaged` ones are spoilt at once.
    fn check(days: i64, damaged: &[i64], restarts: bool, expected: &str) {
        let world = World::new();
        let mut snapshots = world.process();
        for at in 0..days * 4 {
            if restarts {
                snapshots = world.process();
            }
            let taken = START_MS.div_euclid(DAY_MS) * DAY_MS + at * 6 * 3_600_000;
            snapshots.write(at as u64, &world.bytes, taken).unwrap();
            if damaged.contains(&at) {
                let (newest, size) = world.store.list("").unwrap().pop().unwrap();
                world.store.damage(&newest, size as usize - 1);
                snapshots = world.process();
            }
        }
        assert_eq!(world.shown().trim_end(), expected);
    }

    #[test]
    fn a_day_and_the_dailies_stay_and_never_less_than_three_valid_ones() {
        let usual = "2d18 3d18 4d18 5d18 6d18 7d0 7d6 7d12 7d18";
        check(8, &[], false, usual);
        check(8, &[], true, usual);
        check(1, &[], false, "0d0 0d6 0d12 0d18");
        // The last four are damaged: the older ones that are needed stay although their time is over.
        check(8, &[28, 29, 30, 31], true, "2d18 3d18 4d18 5d18 6d12 6d18 7d0 7d6 7d12 7d18");
    }

    /// Writes three snapshots, changes the newest, and tells what a restart does.
    fn restart(change: impl Fn(&mut Vec<u8>), expected: &str) {
        let world = World::new();
        for at in 0..3 {
            let mut bytes = world.bytes.clone();
            if at == 2 {
                change(&mut bytes);
            }
            world.store.put(&format!("snapshots/log/00000/{at:020}-{at}"), &bytes).unwrap();
        }
        let mut snapshots = world.process();
        let told = match snapshots.newest() {
            Ok(Some(restored)) => format!("from {}, {} passed over", restored.taken_ms, snapshots.passed_over()),
            Ok(None) => "from the start".to_owned(),
            Err(problem) => problem.to_string(),
        };
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn a_damaged_snapshot_is_passed_over_and_a_newer_format_stops() {
        restart(|_| {}, "from 2, 0 passed over");
        restart(|bytes| bytes[100] ^= 1, "from 1, 1 passed over");
        restart(|bytes| bytes.truncate(70), "from 1, 1 passed over");
        restart(Vec::clear, "from 1, 1 passed over");
        restart(|bytes| bytes[7] += 1, "use the build that wrote it, or move it away");
        restart(|bytes| bytes[..8].copy_from_slice(b"notours!"), "from 1, 1 passed over");
    }
}
