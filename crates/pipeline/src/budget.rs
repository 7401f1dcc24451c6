//! A bound in bytes for what waits in memory between the folds and their flushers, shared by all partitions.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Bytes that may be held, by whoever asks first.
///
/// One item larger than its share gets in when its partition holds nothing, because otherwise it never would; so the bound is the budget
/// and one largest item for each partition that is behind. A partition may hold a quarter of it, so that one whose disk or ClickHouse fails
/// does not stop the others.
pub(crate) struct Budget {
    bytes_max: u64,
    held: Mutex<Used>,
    freed: Condvar,
}

#[derive(Default)]
struct Used {
    all: u64,
    by_partition: HashMap<u32, u64>,
}

/// Bytes that are in use until this is dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    partition: u32,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Budget { bytes_max, held: Mutex::default(), freed: Condvar::new() })
    }

    fn held(&self) -> MutexGuard<'_, Used> {
        self.held.lock().expect("no code panics while it holds this lock")
    }

    /// Waits up to `patience` for so many bytes.
    pub(crate) fn take(self: &Arc<Self>, partition: u32, bytes: u64, patience: Duration) -> Option<Share> {
        let full = |used: &mut Used| {
            let mine = used.by_partition.get(&partition).copied().unwrap_or(0);
            mine > 0 && (mine + bytes > self.bytes_max / 4 || used.all + bytes > self.bytes_max)
        };
        let waited = self.freed.wait_timeout_while(self.held(), patience, full);
        let (mut used, late) = waited.expect("no code panics while it holds this lock");
        if late.timed_out() {
            return None;
        }
        used.all += bytes;
        *used.by_partition.entry(partition).or_default() += bytes;
        Some(Share { budget: self.clone(), partition, bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut used = self.budget.held();
        used.all -= self.bytes;
        *used.by_partition.entry(self.partition).or_default() -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_bounded_and_nobody_starves() {
        let budget = Budget::new(100);
        let take = |partition, bytes| budget.take(partition, bytes, Duration::from_millis(1));
        let first = take(0, 20).unwrap();
        assert!(take(0, 10).is_none(), "a partition has a quarter");
        let large = take(1, 500).expect("alone in its partition, an item of any size gets in");
        assert!(take(1, 1).is_none());
        let third = take(2, 10).expect("one item is always allowed");
        assert!(take(2, 1).is_none(), "but no second one while the whole is used up");
        drop(large);
        assert!(take(2, 1).is_some());
        drop((first, third));
        assert_eq!(budget.held().all, 0);
    }
}
