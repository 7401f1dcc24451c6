//! The ring: sums by minute of first exposure over the last hour, so that a rolling cohort need not wait for the clock's next hour.
//!
//! Over all units only. A minute leaves the ring when a look closes an hour after it, so by log time alone; a first exposure ahead of log
//! time is in the ring early, and nothing is further ahead than F. What a unit's minute is follows from the time of its first exposure, so
//! the ring costs a unit no memory, and whatever moves a unit between hours moves it here too.

use crate::bytes::{Bytes, Reader, Torn};
use crate::cell::Contribution;
use crate::totals::{Block, Place, SegmentValues, Totals};
use assay_experiment::{Span, Timestamp};

/// Minutes of the rolling cohort of the last hour.
const MINUTES: i64 = 60;

/// The first minute, since the epoch, of the last hour before an instant: with the minute that is under way there are sixty.
pub fn ring_start(at: Timestamp) -> i64 {
    // An instant at a whole minute has nothing of the minute that begins there.
    (at.0 - 1).div_euclid(Span::MINUTE.0) + 1 - MINUTES
}

/// The sums of one experiment's units by minute of first exposure.
#[derive(Debug)]
pub(crate) struct Minutes {
    /// Its hours are minutes.
    totals: Totals,
    /// Minutes below this have left.
    from: i64,
}

impl Minutes {
    pub fn new() -> Self {
        Minutes { totals: Totals::new(&[], 0), from: i64::MIN }
    }

    /// Makes room for metrics that were added.
    pub fn widen(&mut self, metrics: usize) {
        self.totals.widen(metrics);
    }

    /// A unit first exposed at `first` enters (`sign` 1) or leaves (-1).
    pub fn count(&mut self, variant: u8, first: Timestamp, sign: i64) {
        if let Some(place) = self.place(variant, first) {
            self.totals.count(&place, sign);
        }
    }

    /// It enters a metric.
    pub fn enter(&mut self, variant: u8, first: Timestamp, metric: usize, contribution: Contribution) {
        if let Some(place) = self.place(variant, first) {
            self.totals.enter(&place, metric, contribution);
        }
    }

    /// It leaves a metric.
    pub fn leave(&mut self, variant: u8, first: Timestamp, metric: usize, contribution: Contribution) {
        if let Some(place) = self.place(variant, first) {
            self.totals.leave(&place, metric, contribution);
        }
    }

    /// Its contribution changes.
    pub fn change(&mut self, variant: u8, first: Timestamp, metric: usize, from: Contribution, to: Contribution) {
        if let Some(place) = self.place(variant, first) {
            self.totals.change(&place, metric, from, to);
        }
    }

    /// Where a unit counts, if its minute is in the ring.
    fn place(&self, variant: u8, first: Timestamp) -> Option<Place> {
        let minute = first.0.div_euclid(Span::MINUTE.0);
        (minute >= self.from).then_some(Place { variant, hour: minute, segments: SegmentValues::default() })
    }

    /// Minutes that are not in the last hour before `at` leave. They are not published again: readers know it by the time of the look.
    pub fn turn(&mut self, at: Timestamp) {
        let from = ring_start(at);
        if from > self.from {
            self.from = from;
            self.totals.forget_below(from);
        }
    }

    pub fn take_changes(&mut self) -> Vec<Block> {
        self.totals.take_changes()
    }

    pub fn hash(&self) -> u128 {
        self.totals.hash()
    }

    pub fn blocks(&self) -> Vec<&Block> {
        self.totals.blocks()
    }

    pub fn drop_empty(&mut self) {
        self.totals.drop_empty();
    }

    pub fn write(&self, out: &mut Bytes) {
        out.fixed64(self.from);
        self.totals.write(out);
    }

    /// Restores into a ring of the same metrics.
    pub fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), Torn> {
        self.from = from.fixed64()?;
        self.totals.restore(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_has_sixty_minutes_and_the_last_may_be_under_way() {
        let minute = |count: i64, micros: i64| Timestamp(count * Span::MINUTE.0 + micros);
        assert_eq!([minute(100, 0), minute(99, 1), minute(100, 1)].map(ring_start), [40, 40, 41]);
    }

    #[test]
    fn a_minute_leaves_without_a_trace() {
        let mut ring = Minutes::new();
        ring.widen(1);
        let empty = ring.hash();
        ring.count(0, Timestamp(5 * Span::MINUTE.0), 1);
        ring.enter(0, Timestamp(5 * Span::MINUTE.0), 0, Contribution { y: 7, x: 0 });
        ring.turn(Timestamp(65 * Span::MINUTE.0));
        assert_eq!(ring.take_changes().len(), 1);
        assert_ne!(ring.hash(), empty);
        ring.turn(Timestamp(65 * Span::MINUTE.0 + 1));
        assert_eq!((ring.hash(), ring.blocks().len(), ring.take_changes().len()), (empty, 0, 0));
        // What a unit does whose minute has left is no part of the ring.
        ring.leave(0, Timestamp(5 * Span::MINUTE.0), 0, Contribution { y: 7, x: 0 });
        ring.count(0, Timestamp(5 * Span::MINUTE.0), -1);
        assert!(ring.take_changes().is_empty());
    }
}
