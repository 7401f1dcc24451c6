//! The fold and the analysis over records that somebody hands over: what a replay is, wherever its records come from.

use anyhow::Result;
use assay_aggregates::{
    Chunk, ControlFact, DeadLetter, Effects, Entry, Fact, Input, Look, MemoryRuns, Partition, Remembered, RunName,
    Runs, RunsError,
};
use assay_analysis::Analysis;
use assay_experiment::{Span, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All partitions of a log, from their first records on.
pub struct Refold {
    partitions: Vec<Option<Partition>>,
    /// What the looks add up to. Callers say how far it goes.
    pub analysis: Analysis,
    effects: Collected,
    /// Ids in sealed runs: each partition's runs count them, [`Refold::bytes`] reads.
    remembered: Arc<AtomicUsize>,
}

/// Rejections that are told in words; the others are only counted.
const TOLD_MAX: usize = 10;

#[derive(Default)]
struct Collected {
    looks: Vec<Look>,
    told: Vec<String>,
    rejected: u64,
}

/// Sealed runs in memory, and how many ids they hold together with those of the other partitions.
#[derive(Default)]
struct Counted {
    runs: MemoryRuns,
    sizes: BTreeMap<RunName, usize>,
    entries: Arc<AtomicUsize>,
}

impl Runs for Counted {
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError> {
        self.retire(name);
        self.sizes.insert(name, entries.len());
        self.entries.fetch_add(entries.len(), Ordering::Relaxed);
        self.runs.store(name, entries)
    }

    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError> {
        self.runs.find(name, key)
    }

    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        self.runs.load(name)
    }

    fn retire(&mut self, name: RunName) {
        self.entries.fetch_sub(self.sizes.remove(&name).unwrap_or(0), Ordering::Relaxed);
        self.runs.retire(name);
    }
}

impl Effects for Collected {
    fn fact(&mut self, _: &Fact<'_>) {}
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.rejected += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(format!(
                "{}: {}: {}",
                letter.reason,
                letter.detail,
                String::from_utf8_lossy(letter.input.payload)
            ));
        }
    }
    fn look(&mut self, look: Look) {
        self.looks.push(look);
    }
    fn chunk(&mut self, _: Chunk) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

impl Refold {
    /// Of a log with so many partitions; `late` is how long events may come after their time.
    pub fn new(count: u32, late: Span) -> Self {
        Refold {
            partitions: (0..count).map(|_| None).collect(),
            analysis: Analysis::new(count, late),
            effects: Collected::default(),
            remembered: Arc::default(),
        }
    }

    /// The next record of a partition. Gives the end of the last look that it closed, if it closed one.
    pub fn apply(&mut self, partition: u32, input: &Input<'_>) -> Result<Option<Timestamp>> {
        let state = &mut self.partitions[partition as usize];
        let state = match state {
            Some(state) => state,
            None => {
                let runs = Counted { entries: self.remembered.clone(), ..Counted::default() };
                state.insert(Partition::start(partition, input, Box::new(runs))?)
            }
        };
        state.apply(input, &mut self.effects)?;
        let mut closed = None;
        for look in self.effects.looks.drain(..) {
            closed = Some(look.as_of());
            self.analysis.take(look)?;
        }
        Ok(closed)
    }

    /// Whether a look may end then, by the settings that the log has. Known once a partition has its first record.
    pub fn is_end_of_look(&self, at: Timestamp) -> bool {
        let schedule = self.partitions.iter().flatten().next().map(Partition::schedule);
        schedule.is_some_and(|schedule| at.0.rem_euclid(schedule.at(at).look().0) == 0)
    }

    /// Bytes of units and remembered ids, which grow with the log.
    pub fn bytes(&self) -> usize {
        let sizes = self.partitions.iter().flatten().map(Partition::size);
        let open: usize = sizes.map(|size| size.unit_bytes + size.dedupe_bytes).sum();
        open + self.remembered.load(Ordering::Relaxed) * size_of::<Entry>()
    }

    /// Tells what was rejected, on standard error.
    pub fn complain(&self) {
        self.effects.told.iter().for_each(|told| eprintln!("rejected: {told}"));
        let rest = self.effects.rejected - self.effects.told.len() as u64;
        if rest > 0 {
            eprintln!("rejected: {rest} more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_ids_are_counted_as_long_as_they_are_kept() {
        let entries = Arc::new(AtomicUsize::new(0));
        let mut runs = Counted { entries: entries.clone(), ..Counted::default() };
        let entry = Entry::from_bytes(&[1; Entry::SIZE]);
        let name = |first| RunName { first, last: first, tier: 0 };
        runs.store(name(1), &[entry]).unwrap();
        runs.store(name(2), &[entry]).unwrap();
        runs.store(name(2), &[entry]).unwrap();
        assert_eq!(entries.load(Ordering::Relaxed), 2);
        assert!(runs.find(name(2), entry.key).unwrap().is_some());
        runs.retire(name(1));
        runs.retire(name(1));
        assert_eq!((entries.load(Ordering::Relaxed), runs.load(name(2)).unwrap().len()), (1, 1));
    }
}
