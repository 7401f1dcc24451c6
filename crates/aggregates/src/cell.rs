//! The exact moments of one metric over a set of units.
//!
//! Integers only (design: sums do not depend on order, on the merge tree, or on restarts): adding and removing are exact inverses.
//! `y` is the metric's unit value, or a ratio's numerator; `x` is a ratio's denominator or the covariate.

use crate::bytes::{Bytes, Reader, Torn};

/// What one unit contributes to a metric, in micro-units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contribution {
    /// The unit's value, or its numerator.
    pub y: i64,
    /// Its denominator or covariate.
    pub x: i64,
}

/// Sums over units; micro-units and their squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// How many units.
    pub units: i64,
    /// How many of them have `y` other than zero.
    pub nonzero: i64,
    /// Sum of y.
    pub y: i128,
    /// Sum of squares of y.
    pub yy: i128,
    /// Sum of x.
    pub x: i128,
    /// Sum of squares of x.
    pub xx: i128,
    /// Sum of products.
    pub xy: i128,
}

impl Cell {
    /// A unit enters.
    pub fn add(&mut self, c: Contribution) {
        self.units += 1;
        self.change(Contribution::default(), c);
    }

    /// A unit leaves with what it contributes now.
    pub fn remove(&mut self, c: Contribution) {
        self.units -= 1;
        self.change(c, Contribution::default());
        assert!(self.units >= 0, "only units that were added are removed");
    }

    /// A unit that is in changes its contribution.
    pub fn change(&mut self, from: Contribution, to: Contribution) {
        self.nonzero += i64::from(to.y != 0) - i64::from(from.y != 0);
        let (y0, x0, y1, x1) = (i128::from(from.y), i128::from(from.x), i128::from(to.y), i128::from(to.x));
        self.y += y1 - y0;
        // At most (10^15)^2 per unit, so 10^8 units at the limit still fit.
        self.yy = self.yy.checked_add(y1 * y1 - y0 * y0).expect("values and units are bounded");
        // Most metrics have no x.
        if from.x == 0 && to.x == 0 {
            return;
        }
        self.x += x1 - x0;
        self.xx = self.xx.checked_add(x1 * x1 - x0 * x0).expect("values and units are bounded");
        self.xy = self.xy.checked_add(x1 * y1 - x0 * y0).expect("values and units are bounded");
    }

    /// Another set of units joins.
    pub fn merge(&mut self, other: &Cell) {
        self.units += other.units;
        self.nonzero += other.nonzero;
        self.y += other.y;
        self.yy += other.yy;
        self.x += other.x;
        self.xx += other.xx;
        self.xy += other.xy;
    }

    /// A set of units that was merged leaves.
    pub fn unmerge(&mut self, other: &Cell) {
        self.units -= other.units;
        self.nonzero -= other.nonzero;
        self.y -= other.y;
        self.yy -= other.yy;
        self.x -= other.x;
        self.xx -= other.xx;
        self.xy -= other.xy;
    }

    /// Whether nothing is left.
    pub fn is_zero(&self) -> bool {
        *self == Cell::default()
    }

    pub(crate) fn write(&self, out: &mut Bytes) {
        out.int(self.units);
        out.int(self.nonzero);
        for sum in [self.y, self.yy, self.x, self.xx, self.xy] {
            out.wide(sum);
        }
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        Ok(Cell {
            units: from.int()?,
            nonzero: from.int()?,
            y: from.wide()?,
            yy: from.wide()?,
            x: from.wide()?,
            xx: from.wide()?,
            xy: from.wide()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn removing_what_was_added_leaves_exactly_zero(values in prop::collection::vec((any::<i32>(), any::<i32>()), 0..50)) {
            let all: Vec<_> = values.iter().map(|&(y, x)| Contribution { y: i64::from(y) * 1_000, x: i64::from(x) }).collect();
            let mut cell = Cell::default();
            all.iter().for_each(|&c| cell.add(c));
            all.iter().rev().for_each(|&c| cell.remove(c));
            prop_assert!(cell.is_zero());
        }

        #[test]
        fn merging_halves_equals_adding_all(values in prop::collection::vec(any::<i32>(), 0..50), cut in 0usize..50) {
            let cut = cut.min(values.len());
            let sum = |part: &[i32]| part.iter().fold(Cell::default(), |mut cell, &y| {
                cell.add(Contribution { y: i64::from(y), x: 1 });
                cell
            });
            let mut merged = sum(&values[..cut]);
            merged.merge(&sum(&values[cut..]));
            prop_assert_eq!(merged, sum(&values));
        }
    }
}
