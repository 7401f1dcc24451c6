//! The snapshots of one partition: written once under a key that names their offset, read newest first, removed late.

use crate::runs::FileRuns;
use crate::store::{Store, StoreError};
use assay_aggregates::{Partition, RestoreError, RunName, SnapshotInfo};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A snapshot is removed only when this many newer ones are known to be whole.
const NEWER_MIN: usize = 3;
/// Of each of these many days, the last snapshot stays.
const DAILIES: i64 = 7;
const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Clocks of files and of the process may differ by less than this.
const SLACK_MS: i64 = 60_000;

/// The snapshots of one partition.
pub struct Snapshots {
    store: Arc<dyn Store>,
    prefix: String,
    runs: PathBuf,
    keep_for: Duration,
    /// Keys that this process wrote or restored, and the runs that they name.
    whole: BTreeMap<String, Vec<RunName>>,
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
    /// `runs` is the directory of the partition's runs; snapshots older than `keep_for` are removed when newer ones are whole.
    pub fn new(store: Arc<dyn Store>, log_id: &str, partition: u32, runs: &Path, keep_for: Duration) -> Self {
        let prefix = format!("snapshots/{log_id}/{partition:05}/");
        Snapshots { store, prefix, runs: runs.to_owned(), keep_for, whole: BTreeMap::new() }
    }

    /// The newest state that is whole. Damaged ones are passed over, loudly; ones of another meaning or log stop the partition.
    pub fn newest(&mut self) -> Result<Option<Restored>, SnapshotError> {
        for (key, _) in self.store.list(&self.prefix)?.into_iter().rev() {
            let Some(bytes) = self.store.get(&key)? else { continue };
            let runs = FileRuns::open(&self.runs)
                .map_err(|problem| SnapshotError::Refused { key: key.clone(), problem: RestoreError::Runs(problem) })?;
            match Partition::restore(&bytes, Box::new(runs)) {
                Ok(partition) => {
                    let names = SnapshotInfo::read(&bytes).map(|info| info.runs).unwrap_or_default();
                    self.whole.insert(key.clone(), names);
                    let taken_ms = self.parse(&key).map_or(0, |(_, taken)| taken);
                    return Ok(Some(Restored { partition, taken_ms }));
                }
                Err(problem @ (RestoreError::Semantics(_) | RestoreError::OtherLog(_))) => {
                    return Err(SnapshotError::Refused { key, problem });
                }
                Err(problem) => {
                    tracing::error!(key, %problem, "a snapshot is damaged: starting from an older one");
                }
            }
        }
        Ok(None)
    }

    /// How many there are, whole or not.
    pub fn count(&self) -> Result<usize, StoreError> {
        Ok(self.store.list(&self.prefix)?.len())
    }

    /// Keeps a state. `bytes` names its partition and offset; `taken_ms` is when it was taken.
    pub fn write(&mut self, next_offset: u64, bytes: &[u8], taken_ms: i64) -> Result<(), StoreError> {
        let key = format!("{}{next_offset:020}-{taken_ms}", self.prefix);
        self.store.put(&key, bytes)?;
        let names = SnapshotInfo::read(bytes).map(|info| info.runs).unwrap_or_default();
        self.whole.insert(key, names);
        self.collect(taken_ms)
    }

    fn parse(&self, key: &str) -> Option<(u64, i64)> {
        let (offset, taken) = key.strip_prefix(&self.prefix)?.split_once('-')?;
        Some((offset.parse().ok()?, taken.parse().ok()?))
    }

    /// Removes what is old and not needed.
    fn collect(&mut self, now_ms: i64) -> Result<(), StoreError> {
        let keys: Vec<(String, i64)> = self
            .store
            .list(&self.prefix)?
            .into_iter()
            .filter_map(|(key, _)| Some((key.clone(), self.parse(&key)?.1)))
            .collect();
        let mut removed = false;
        for (at, (key, taken)) in keys.iter().enumerate() {
            let newer_whole = keys[at + 1..].iter().filter(|(newer, _)| self.whole.contains_key(newer)).count();
            let day = taken.div_euclid(DAY_MS);
            let last_of_day = keys.get(at + 1).is_none_or(|(_, next)| next.div_euclid(DAY_MS) != day);
            let daily = last_of_day && now_ms.div_euclid(DAY_MS) - day < DAILIES;
            if now_ms - taken > self.keep_for.as_millis() as i64 && newer_whole >= NEWER_MIN && !daily {
                self.store.remove(key)?;
                self.whole.remove(key);
                removed = true;
            }
        }
        if removed {
            self.sweep(&keys, now_ms)?;
        }
        Ok(())
    }

    fn sweep(&mut self, keys: &[(String, i64)], now_ms: i64) -> Result<(), StoreError> {
        let mut keep = Vec::new();
        for (key, _) in keys {
            if !self.whole.contains_key(key) {
                let Some(bytes) = self.store.get(key)? else { continue };
                // One that cannot be read names no runs, and none can be restored from it.
                let names = SnapshotInfo::read(&bytes).map(|info| info.runs).unwrap_or_default();
                self.whole.insert(key.clone(), names);
            }
            keep.extend_from_slice(&self.whole[key]);
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
