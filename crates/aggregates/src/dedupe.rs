//! Which event ids were accepted, certified: an id is remembered until every repeat of it would be late.
//!
//! An open generation of one minute of log time is exact in memory. Sealed generations are sorted runs behind [`Runs`], merged in
//! tiers, in front of them one Bloom filter per period of a third of the horizon, in whole minutes so that no generation lies in two: at
//! most four are alive. A filter may only prove "new"; a hit is confirmed on 128 bits. The filters are rebuilt from the runs and never
//! stored, so that a change of their algorithm cannot change a result.

use crate::bytes::{Bytes, Reader, Torn};
use crate::filter::Filter;
use assay_experiment::{Digest, Span, Timestamp};
use hashbrown::HashTable;
use std::collections::VecDeque;

/// What is remembered of an accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Short form of its body.
    pub digest: Digest,
    /// Which of the known filters it passed, so that a retraction need not repeat its attributes.
    pub filters: u32,
}

/// An id and what is remembered of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Hash of event id, unit type and unit.
    pub key: u128,
    /// What is remembered.
    pub value: Remembered,
}

impl Entry {
    /// Bytes of an entry in a run: key, core, rest, filters, little-endian.
    pub const SIZE: usize = 28;

    /// For a file.
    pub fn to_bytes(&self) -> [u8; Entry::SIZE] {
        let mut out = [0; Entry::SIZE];
        out[..16].copy_from_slice(&self.key.to_le_bytes());
        out[16..20].copy_from_slice(&self.value.digest.core.to_le_bytes());
        out[20..24].copy_from_slice(&self.value.digest.rest.to_le_bytes());
        out[24..].copy_from_slice(&self.value.filters.to_le_bytes());
        out
    }

    /// From a file.
    pub fn from_bytes(bytes: &[u8; Entry::SIZE]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Entry {
            key: u128::from_le_bytes(bytes[..16].try_into().expect("sixteen bytes")),
            value: Remembered { digest: Digest { core: word(16), rest: word(20) }, filters: word(24) },
        }
    }
}

/// Names a run: the same log always makes the same runs, so a name says what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunName {
    /// First generation in it, in minutes since the epoch.
    pub first: i64,
    /// Last generation in it.
    pub last: i64,
    /// How often it was merged.
    pub tier: u8,
}

/// Where sealed runs are kept. Runs are immutable; storing one that exists already is the same as doing nothing.
pub trait Runs: Send {
    /// Keeps a run; `entries` are sorted by key and unique.
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError>;
    /// Finds a key in a run.
    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError>;
    /// Reads a whole run in order.
    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError>;
    /// The fold needs this run no more; a snapshot may.
    fn retire(&mut self, name: RunName);
}

/// A run that cannot be written or read: the partition has to stop, because "new" could no longer be told from "repeat".
#[derive(Debug, thiserror::Error)]
#[error("the remembered event ids cannot be used: {0}")]
pub struct RunsError(pub String);

/// Runs in memory, for replays and tests.
#[derive(Debug, Default)]
pub struct MemoryRuns {
    runs: std::collections::BTreeMap<RunName, Vec<Entry>>,
}

impl Runs for MemoryRuns {
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError> {
        self.runs.insert(name, entries.to_vec());
        Ok(())
    }

    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError> {
        let run = self.runs.get(&name).ok_or_else(|| RunsError(format!("run {name:?} is missing")))?;
        Ok(run.binary_search_by_key(&key, |entry| entry.key).ok().map(|at| run[at].value))
    }

    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        self.runs.get(&name).cloned().ok_or_else(|| RunsError(format!("run {name:?} is missing")))
    }

    fn retire(&mut self, name: RunName) {
        self.runs.remove(&name);
    }
}

/// How many lookups ended where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lookups {
    /// A filter proved the id new.
    pub proven_new: u64,
    /// The id was known.
    pub known: u64,
    /// A filter answered "perhaps", the runs "no".
    pub false_positive: u64,
}

/// The memory of accepted ids of one partition.
pub struct Dedupe {
    runs: Box<dyn Runs>,
    horizon: Span,
    /// Minute of log time whose ids are in `open`.
    generation: i64,
    open: Vec<HashTable<Entry>>,
    periods: VecDeque<Period>,
    /// What lookups cost.
    pub lookups: Lookups,
}

/// A little more than a third of the horizon.
struct Period {
    index: i64,
    filter: Filter,
    capacity: usize,
    count: usize,
    runs: Vec<RunName>,
}

/// Generations are minutes: sealing sorts one, and must stay short.
const GENERATION: Span = Span::MINUTE;
/// Sub-tables of the open generation, so that one that grows stalls nothing for long, and one that is sorted fits into the cache. Each has
/// the ids whose hash starts with the same eight bits.
const OPEN_TABLES: usize = 256;
/// This many runs of a tier are merged into one of the next.
const FAN_IN: usize = 8;
/// A filter starts for this many ids and grows fourfold.
const FILTER_CAPACITY: usize = 1 << 14;

impl Dedupe {
    /// Remembers for `horizon` of log time (L + F).
    pub fn new(runs: Box<dyn Runs>, horizon: Span) -> Self {
        Dedupe {
            runs,
            horizon,
            generation: i64::MIN,
            open: (0..OPEN_TABLES).map(|_| HashTable::new()).collect(),
            periods: VecDeque::new(),
            lookups: Lookups::default(),
        }
    }

    /// Log time moves on: seals the open generation once its minute is over, forgets what can only be late.
    pub fn advance(&mut self, now: Timestamp) -> Result<(), RunsError> {
        let generation = now.0.div_euclid(GENERATION.0);
        if generation <= self.generation {
            return Ok(());
        }
        self.seal()?;
        self.generation = generation;
        // The last id that a period can hold was accepted just before its end, and may be F ahead: it is late after L + F from there.
        while let Some(oldest) = self.periods.front() {
            if (oldest.index + 1).saturating_mul(self.period().0) >= now.0.saturating_sub(self.horizon.0) {
                break;
            }
            let gone = self.periods.pop_front().expect("front exists");
            gone.runs.into_iter().for_each(|name| self.runs.retire(name));
        }
        Ok(())
    }

    /// What is remembered of this id.
    pub fn find(&mut self, key: u128) -> Result<Option<Remembered>, RunsError> {
        if let Some(entry) = self.open[table(key)].find(hash(key), |entry| entry.key == key) {
            self.lookups.known += 1;
            return Ok(Some(entry.value));
        }
        let mut suspected = false;
        for period in self.periods.iter().rev().filter(|period| period.filter.may_have(key)) {
            suspected = true;
            for &name in period.runs.iter().rev() {
                if let Some(value) = self.runs.find(name, key)? {
                    self.lookups.known += 1;
                    return Ok(Some(value));
                }
            }
        }
        if suspected {
            self.lookups.false_positive += 1;
        } else {
            self.lookups.proven_new += 1;
        }
        Ok(None)
    }

    /// Reads what [`Dedupe::find`] will need for an id that is new. The value means nothing.
    pub fn touch(&self, key: u128) -> u64 {
        let open = self.open[table(key)].find(hash(key), |entry| entry.key == key).is_some();
        self.periods.iter().map(|period| period.filter.touch(key)).sum::<u64>() + u64::from(open)
    }

    /// Remembers an id that [`Dedupe::find`] did not know.
    pub fn insert(&mut self, entry: Entry) {
        self.open[table(entry.key)].insert_unique(hash(entry.key), entry, |other| hash(other.key));
    }

    /// Bytes in memory, about.
    pub fn memory(&self) -> usize {
        self.open.iter().map(HashTable::allocation_size).sum::<usize>()
            + self.periods.iter().map(|period| period.filter.memory()).sum::<usize>()
    }

    /// The first whole number of generations above a third of the horizon. A generation that straddled two periods would be forgotten
    /// with the first of them, up to a minute too early.
    fn period(&self) -> Span {
        Span((self.horizon.0 / 3 / GENERATION.0 + 1) * GENERATION.0)
    }

    fn seal(&mut self) -> Result<(), RunsError> {
        let count: usize = self.open.iter().map(HashTable::len).sum();
        if count == 0 {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(count);
        for table in &mut self.open {
            let start = entries.len();
            entries.extend(table.drain());
            // The tables are in the order of the keys.
            entries[start..].sort_unstable_by_key(|entry| entry.key);
        }
        let name = RunName { first: self.generation, last: self.generation, tier: 0 };
        self.runs.store(name, &entries)?;
        let index = self.generation.saturating_mul(GENERATION.0).div_euclid(self.period().0);
        if self.periods.back().is_none_or(|newest| newest.index != index) {
            self.periods.push_back(Period::new(index));
        }
        let period = self.periods.back_mut().expect("just pushed");
        if period.count + entries.len() > period.capacity {
            let mut all = period.runs.iter().map(|&name| self.runs.load(name)).collect::<Result<Vec<_>, _>>()?;
            all.push(entries);
            period.grow(&all);
        } else {
            period.count += entries.len();
            entries.iter().for_each(|entry| period.filter.add(entry.key));
        }
        period.runs.push(name);
        period.merge(self.runs.as_mut())
    }

    /// Seals nothing: the open generation is written as it is, sorted so that the bytes are a function of the log.
    pub(crate) fn write(&self, out: &mut Bytes) {
        out.fixed64(self.generation);
        let mut open: Vec<&Entry> = self.open.iter().flat_map(|table| table.iter()).collect();
        open.sort_unstable_by_key(|entry| entry.key);
        out.uint(open.len() as u64);
        open.iter().for_each(|entry| out.data.extend_from_slice(&entry.to_bytes()));
        out.uint(self.periods.len() as u64);
        for period in &self.periods {
            out.int(period.index);
            out.uint(period.runs.len() as u64);
            for run in &period.runs {
                out.int(run.first);
                out.int(run.last);
                out.byte(run.tier);
            }
        }
    }

    pub(crate) fn read(
        from: &mut Reader<'_>,
        runs: Box<dyn Runs>,
        horizon: Span,
    ) -> Result<Self, crate::snapshot::RestoreError> {
        let mut dedupe = Dedupe::new(runs, horizon);
        dedupe.generation = from.fixed64()?;
        for _ in 0..from.count()? {
            let (key, core, rest, filters) = (from.fixed128()?, from.fixed32()?, from.fixed32()?, from.fixed32()?);
            dedupe.insert(Entry { key, value: Remembered { digest: Digest { core, rest }, filters } });
        }
        for _ in 0..from.count()? {
            let index = from.int()?;
            let names = (0..from.count()?)
                .map(|_| Ok(RunName { first: from.int()?, last: from.int()?, tier: from.byte()? }))
                .collect::<Result<Vec<_>, Torn>>()?;
            let mut period = Period::new(index);
            let all = names.iter().map(|&name| dedupe.runs.load(name)).collect::<Result<Vec<_>, _>>()?;
            period.grow(&all);
            period.runs = names;
            dedupe.periods.push_back(period);
        }
        Ok(dedupe)
    }

    /// The runs that this state needs.
    pub fn run_names(&self) -> impl Iterator<Item = RunName> + '_ {
        self.periods.iter().flat_map(|period| period.runs.iter().copied())
    }
}

impl Period {
    fn new(index: i64) -> Self {
        let filter = Filter::new(FILTER_CAPACITY);
        Period { index, filter, capacity: FILTER_CAPACITY, count: 0, runs: Vec::new() }
    }

    /// Builds a filter of these runs, which are all there are, with room for more: up to four times as many.
    fn grow(&mut self, runs: &[Vec<Entry>]) {
        self.count = runs.iter().map(Vec::len).sum();
        while self.capacity < self.count {
            self.capacity *= 4;
        }
        self.filter = Filter::new(self.capacity);
        runs.iter().flatten().for_each(|entry| self.filter.add(entry.key));
    }

    /// Merges the newest runs of equal tier whenever there are [`FAN_IN`] of them.
    fn merge(&mut self, runs: &mut dyn Runs) -> Result<(), RunsError> {
        while let Some(tier) = self.runs.last().map(|run| run.tier) {
            let start = self.runs.iter().rposition(|run| run.tier != tier).map_or(0, |at| at + 1);
            if self.runs.len() - start < FAN_IN {
                return Ok(());
            }
            let parts: Vec<RunName> = self.runs.drain(start..).collect();
            let mut entries = Vec::new();
            for &part in &parts {
                entries.extend(runs.load(part)?);
            }
            entries.sort_unstable_by_key(|entry| entry.key);
            let name =
                RunName { first: parts[0].first, last: parts.last().expect("there are eight").last, tier: tier + 1 };
            runs.store(name, &entries)?;
            parts.into_iter().for_each(|part| runs.retire(part));
            self.runs.push(name);
        }
        Ok(())
    }
}

fn table(key: u128) -> usize {
    (key >> 120) as usize
}

fn hash(key: u128) -> u64 {
    key as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    fn entry(id: u32) -> Entry {
        let value = Remembered { digest: Digest { core: id, rest: !id }, filters: id & 7 };
        Entry { key: xxh3_128(&id.to_le_bytes()), value }
    }

    #[test]
    fn an_id_is_known_for_the_whole_horizon_and_forgotten_after_a_third_more() {
        let horizon = Span(30 * Span::MINUTE.0);
        let mut dedupe = Dedupe::new(Box::new(MemoryRuns::default()), horizon);
        let mut inserted = Vec::new();
        for minute in 0..200i64 {
            dedupe.advance(Timestamp(minute * Span::MINUTE.0)).unwrap();
            for id in 0..50u32 {
                let entry = entry(minute as u32 * 50 + id);
                assert_eq!(dedupe.find(entry.key).unwrap(), None);
                dedupe.insert(entry);
                inserted.push((minute, entry));
            }
            for &(at, entry) in &inserted {
                let found = dedupe.find(entry.key).unwrap();
                if minute - at <= 30 {
                    assert_eq!(found, Some(entry.value), "inserted at {at}, asked at {minute}");
                } else if minute - at > 30 + 11 + 1 {
                    assert_eq!(found, None, "inserted at {at}, asked at {minute}");
                }
            }
        }
        assert!(dedupe.periods.len() <= 4, "{} filters", dedupe.periods.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        /// Invariant 6: whatever the horizon, an id that was accepted F ahead of log time is known until every repeat of it is late.
        #[test]
        fn no_id_is_forgotten_before_its_repeats_are_late(
            late_s in 60i64..20_000,
            ahead_s in 0i64..600,
            start_s in 0i64..100_000,
            // Milliseconds until the next id; or until so long before one of the ids so far could only come late.
            steps in prop::collection::vec(
                (prop_oneof![1i64..2_000, 1_000i64..90_000, 60_000i64..4_000_000], any::<prop::sample::Index>(), prop::bool::weighted(0.3)),
                2..60,
            ),
        ) {
            let horizon = Span((late_s + ahead_s) * Span::SECOND.0);
            let mut dedupe = Dedupe::new(Box::new(MemoryRuns::default()), horizon);
            let (mut now, mut inserted) = (Timestamp(start_s * Span::SECOND.0), Vec::new());
            for (id, (ms, pick, at_end)) in steps.iter().enumerate() {
                let end = |(time, _): &(Timestamp, Entry)| *time + Span(late_s * Span::SECOND.0 - ms % 60_000 * 1_000);
                now = match *at_end && id > 0 {
                    true => now.max(end(&inserted[pick.index(id)])),
                    false => now + Span(ms * 1_000),
                };
                dedupe.advance(now).unwrap();
                dedupe.insert(entry(id as u32));
                inserted.push((now + Span(ahead_s * Span::SECOND.0), entry(id as u32)));
                for &(time, entry) in inserted.iter().filter(|(time, _)| now <= *time + Span(late_s * Span::SECOND.0)) {
                    prop_assert_eq!(dedupe.find(entry.key).unwrap(), Some(entry.value), "of {:?}, at {:?}", time, now);
                }
                prop_assert!(dedupe.periods.len() <= 4);
            }
        }
    }

    #[test]
    fn a_written_memory_reads_back() {
        let horizon = Span(30 * Span::MINUTE.0);
        let mut dedupe = Dedupe::new(Box::new(MemoryRuns::default()), horizon);
        for minute in 0..20i64 {
            dedupe.advance(Timestamp(minute * Span::MINUTE.0)).unwrap();
            (0..2_000).for_each(|id| dedupe.insert(entry(minute as u32 * 2_000 + id)));
        }
        let mut out = Bytes::default();
        dedupe.write(&mut out);
        let mut copy = MemoryRuns::default();
        for name in dedupe.run_names() {
            copy.store(name, &dedupe.runs.load(name).unwrap()).unwrap();
        }
        let mut restored = Dedupe::read(&mut Reader::new(&out.data), Box::new(copy), horizon).unwrap();
        for id in 0..40_000 {
            assert_eq!(restored.find(entry(id).key).unwrap(), Some(entry(id).value));
        }
        for id in 40_000..80_000 {
            assert_eq!(restored.find(entry(id).key).unwrap(), None);
        }
        let share = restored.lookups.false_positive as f64 / 40_000.0;
        assert!(share < 0.05, "filters let {share} through");
    }
}
