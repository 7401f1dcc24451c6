//! The sums of one experiment: per variant and hour of first exposure, over all units and per segment value.
//!
//! A unit lives in one hour for ever, so cumulative results, cohorts and matured metrics are sums of hours. Old hours are joined into days,
//! named by their first hour: what is asked of them is only ever a sum over all. Otherwise the state, and every keyframe, would grow by
//! a block per variant and hour for ever.

use crate::bytes::{Bytes, Reader, Torn};
use crate::cell::{Cell, Contribution};
use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// Most attributes by which an experiment can be broken down.
pub const SEGMENTS_MAX: usize = 8;

/// A unit's value of each segment attribute, as indexes into the listed values; one beyond the last is `other`.
pub type SegmentValues = [u8; SEGMENTS_MAX];

/// Where a unit's contributions are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index of the variant.
    pub variant: u8,
    /// UTC hour of first exposure, hours since the epoch.
    pub hour: i64,
    /// Segment values of the unit.
    pub segments: SegmentValues,
}

/// The sums of one variant and hour. Row 0 is over all units; then come the values of each segment attribute, `other` last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Index of the variant.
    pub variant: u8,
    /// Hours since the epoch; a day is named by its first hour.
    pub hour: i64,
    /// Units per row.
    pub units: Vec<i64>,
    /// Row by row, one cell a metric.
    pub cells: Vec<Cell>,
}

/// All sums of an experiment in one partition.
#[derive(Debug)]
pub(crate) struct Totals {
    /// First row of each segment attribute.
    starts: Vec<usize>,
    rows: usize,
    metrics: usize,
    index: HashMap<(u8, i64), u32>,
    /// Where the last block asked for is: a unit asks for its own once per metric.
    recent: ((u8, i64), u32),
    blocks: Vec<Tracked>,
    dirty: Vec<u32>,
    /// Hours below this are in the block of their day's first hour.
    days_below: i64,
    /// Wrapping sum of the blocks' hashes as of the last look.
    hash: u128,
}

/// No variant has this number.
const NOWHERE: ((u8, i64), u32) = ((u8::MAX, 0), 0);

#[derive(Debug)]
struct Tracked {
    block: Block,
    dirty: bool,
    hash: u128,
}

impl Block {
    pub(crate) fn write(&self, out: &mut Bytes) {
        out.byte(self.variant);
        out.int(self.hour);
        out.uint(self.units.len() as u64);
        self.units.iter().for_each(|&units| out.int(units));
        out.uint(self.cells.len() as u64);
        self.cells.iter().for_each(|cell| cell.write(out));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let (variant, hour) = (from.byte()?, from.int()?);
        let units = (0..from.count()?).map(|_| from.int()).collect::<Result<_, _>>()?;
        let cells = (0..from.count()?).map(|_| Cell::read(from)).collect::<Result<_, _>>()?;
        Ok(Block { variant, hour, units, cells })
    }

    /// Whether all its sums are zero, as after every unit was retracted.
    pub fn is_zero(&self) -> bool {
        self.units.iter().all(|&units| units == 0) && self.cells.iter().all(Cell::is_zero)
    }
}

impl Totals {
    /// `values` has the number of listed values of each segment attribute.
    pub fn new(values: &[usize], metrics: usize) -> Self {
        let mut rows = 1;
        let starts = values.iter().map(|&listed| {
            let start = rows;
            rows += listed + 1;
            start
        });
        let starts = starts.collect();
        Totals {
            starts,
            rows,
            metrics,
            index: HashMap::new(),
            recent: NOWHERE,
            blocks: Vec::new(),
            dirty: Vec::new(),
            days_below: i64::MIN,
            hash: 0,
        }
    }

    /// Makes room for metrics that were added.
    pub fn widen(&mut self, metrics: usize) {
        assert!(metrics >= self.metrics, "metrics are never taken out of a running experiment");
        if metrics == self.metrics {
            return;
        }
        for at in 0..self.blocks.len() {
            let old = std::mem::take(&mut self.blocks[at].block.cells);
            let mut cells = vec![Cell::default(); self.rows * metrics];
            for (row, from) in old.chunks(self.metrics.max(1)).enumerate() {
                cells[row * metrics..][..from.len()].copy_from_slice(from);
            }
            self.blocks[at].block.cells = cells;
            self.touch(at);
        }
        self.metrics = metrics;
    }

    /// A unit enters (`sign` 1) or leaves (-1); its metrics are added and removed by [`Totals::enter`] and [`Totals::leave`].
    pub fn count(&mut self, place: &Place, sign: i64) {
        let (at, rows) = self.find(place);
        for &row in rows.iter().take(self.starts.len() + 1) {
            let units = &mut self.blocks[at].block.units[row];
            *units += sign;
            assert!(*units >= 0, "only units that entered leave");
        }
    }

    /// A unit enters a metric.
    pub fn enter(&mut self, place: &Place, metric: usize, contribution: Contribution) {
        self.each(place, metric, |cell| cell.add(contribution));
    }

    /// A unit leaves a metric.
    pub fn leave(&mut self, place: &Place, metric: usize, contribution: Contribution) {
        self.each(place, metric, |cell| cell.remove(contribution));
    }

    /// A unit that is in a metric changes.
    pub fn change(&mut self, place: &Place, metric: usize, from: Contribution, to: Contribution) {
        self.each(place, metric, |cell| cell.change(from, to));
    }

    fn each(&mut self, place: &Place, metric: usize, mut act: impl FnMut(&mut Cell)) {
        let (at, rows) = self.find(place);
        for &row in rows.iter().take(self.starts.len() + 1) {
            act(&mut self.blocks[at].block.cells[row * self.metrics + metric]);
        }
    }

    /// Joins the hours below `below`, the first hour of a day, into days. The hours that are gone are published once more, as zero.
    pub fn make_days(&mut self, below: i64) {
        if below <= self.days_below {
            return;
        }
        let from = std::mem::replace(&mut self.days_below, below);
        let old: Vec<usize> = (0..self.blocks.len())
            .filter(|&at| {
                let hour = self.blocks[at].block.hour;
                (from..below).contains(&hour) && day_of(hour) != hour
            })
            .collect();
        for at in old {
            let block = &mut self.blocks[at].block;
            let (variant, hour) = (block.variant, block.hour);
            let units = std::mem::replace(&mut block.units, vec![0; self.rows]);
            let cells = std::mem::replace(&mut block.cells, vec![Cell::default(); self.rows * self.metrics]);
            self.touch(at);
            let day = self.block(variant, day_of(hour));
            self.touch(day);
            let day = &mut self.blocks[day].block;
            day.units.iter_mut().zip(&units).for_each(|(sum, units)| *sum += units);
            day.cells.iter_mut().zip(&cells).for_each(|(sum, cell)| sum.merge(cell));
        }
    }

    /// Forgets blocks that are zero and were published as such.
    pub fn drop_empty(&mut self) {
        self.retain(|tracked| tracked.dirty || !tracked.block.is_zero());
    }

    /// Forgets what lies below an hour, as if it had never been.
    pub fn forget_below(&mut self, hour: i64) {
        let gone = self.blocks.iter().filter(|tracked| tracked.block.hour < hour);
        self.hash = gone.fold(self.hash, |hash, tracked| hash.wrapping_sub(tracked.hash));
        self.retain(|tracked| tracked.block.hour >= hour);
    }

    fn retain(&mut self, keep: impl Fn(&Tracked) -> bool) {
        self.blocks.retain(keep);
        self.recent = NOWHERE;
        let places = self.blocks.iter().enumerate();
        self.index = places.map(|(at, tracked)| ((tracked.block.variant, tracked.block.hour), at as u32)).collect();
        let places = self.blocks.iter().enumerate();
        self.dirty = places.filter(|(_, tracked)| tracked.dirty).map(|(at, _)| at as u32).collect();
    }

    fn block(&mut self, variant: u8, hour: i64) -> usize {
        if self.recent.0 == (variant, hour) {
            return self.recent.1 as usize;
        }
        if let Some(&at) = self.index.get(&(variant, hour)) {
            self.recent = ((variant, hour), at);
            return at as usize;
        }
        let at = self.blocks.len();
        self.index.insert((variant, hour), at as u32);
        let (units, cells) = (vec![0; self.rows], vec![Cell::default(); self.rows * self.metrics]);
        self.blocks.push(Tracked { block: Block { variant, hour, units, cells }, dirty: false, hash: 0 });
        at
    }

    /// The block of a place, marked as changed, and the rows that the unit counts in.
    fn find(&mut self, place: &Place) -> (usize, [usize; SEGMENTS_MAX + 1]) {
        let hour = if place.hour < self.days_below { day_of(place.hour) } else { place.hour };
        let at = self.block(place.variant, hour);
        self.touch(at);
        let mut rows = [0; SEGMENTS_MAX + 1];
        for (attribute, start) in self.starts.iter().enumerate() {
            rows[attribute + 1] = start + usize::from(place.segments[attribute]);
        }
        (at, rows)
    }

    fn touch(&mut self, at: usize) {
        if !self.blocks[at].dirty {
            self.blocks[at].dirty = true;
            self.dirty.push(at as u32);
        }
    }

    /// What changed since the last call, sorted by variant and hour; brings the hash up to date.
    pub fn take_changes(&mut self) -> Vec<Block> {
        let mut changed = std::mem::take(&mut self.dirty);
        changed.sort_unstable_by_key(|&at| {
            let block = &self.blocks[at as usize].block;
            (block.variant, block.hour)
        });
        changed
            .into_iter()
            .map(|at| {
                let tracked = &mut self.blocks[at as usize];
                tracked.dirty = false;
                let mut out = Bytes::default();
                tracked.block.write(&mut out);
                let hash = if tracked.block.is_zero() { 0 } else { xxh3_128(&out.data) };
                self.hash = self.hash.wrapping_sub(tracked.hash).wrapping_add(hash);
                tracked.hash = hash;
                tracked.block.clone()
            })
            .collect()
    }

    /// Of all blocks that are not zero, as of the last [`Totals::take_changes`]; does not depend on how they came to be.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// All blocks, sorted by variant and hour.
    pub fn blocks(&self) -> Vec<&Block> {
        let mut all: Vec<_> = self.blocks.iter().map(|tracked| &tracked.block).collect();
        all.sort_unstable_by_key(|block| (block.variant, block.hour));
        all
    }

    pub fn write(&self, out: &mut Bytes) {
        out.fixed64(self.days_below);
        let blocks = self.blocks();
        out.uint(blocks.len() as u64);
        for block in blocks {
            block.write(out);
            out.byte(u8::from(self.blocks[self.index[&(block.variant, block.hour)] as usize].dirty));
        }
    }

    /// Restores blocks into totals of the same shape.
    pub fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Torn> {
        self.days_below = from.fixed64()?;
        for _ in 0..from.count()? {
            let start = from.position();
            let block = Block::read(from)?;
            let dirty = from.byte()? != 0;
            if block.units.len() != self.rows || block.cells.len() != self.rows * self.metrics {
                return Err(Torn(start));
            }
            let at = self.blocks.len();
            self.index.insert((block.variant, block.hour), at as u32);
            let mut bytes = Bytes::default();
            block.write(&mut bytes);
            let hash = if block.is_zero() || dirty { 0 } else { xxh3_128(&bytes.data) };
            self.hash = self.hash.wrapping_add(hash);
            self.blocks.push(Tracked { block, dirty: false, hash });
            if dirty {
                self.touch(at);
            }
        }
        Ok(())
    }
}

/// First hour of an hour's day.
fn day_of(hour: i64) -> i64 {
    hour.div_euclid(24) * 24
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_sum_to_the_total_and_the_hash_forgets_the_way() {
        let mut totals = Totals::new(&[2, 1], 1);
        let place = |hour, a, b| Place { variant: 0, hour, segments: [a, b, 0, 0, 0, 0, 0, 0] };
        for (at, (a, b)) in [(0, 0), (1, 1), (2, 0), (2, 1)].into_iter().enumerate() {
            totals.count(&place(5, a, b), 1);
            totals.enter(&place(5, a, b), 0, Contribution { y: at as i64 + 1, x: 0 });
        }
        let block = totals.take_changes().remove(0);
        assert_eq!(block.units, [4, 1, 1, 2, 2, 2]);
        assert_eq!(block.cells.iter().map(|cell| cell.y).collect::<Vec<_>>(), [10, 1, 2, 7, 4, 6]);
        let before = totals.hash();
        totals.count(&place(6, 0, 0), 1);
        totals.enter(&place(6, 0, 0), 0, Contribution { y: 9, x: 0 });
        totals.take_changes();
        assert_ne!(totals.hash(), before);
        totals.leave(&place(6, 0, 0), 0, Contribution { y: 9, x: 0 });
        totals.count(&place(6, 0, 0), -1);
        totals.take_changes();
        assert_eq!(totals.hash(), before, "a unit that left leaves no trace");
    }
}
