//! Exact sums over the units of an arm: integers, so that merging, removal and change of units commute to the last bit (§10).
//!
//! A value is an integer of `1/scale` units; money is kept in micro-units with a scale of 10^6. Sums of squares are `i128`: |y| up to 10^6 currency
//! units and 10^9 units of an arm fit with room to spare, and what does not fit is an [`Overflow`], never a wrong sum.

use super::Arm;

/// Sums over the units of an arm. Values are integers, `1 / scale` units each (micro-units have a scale of 10^6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Number of units.
    pub n: i64,
    /// Number of units whose y is not zero.
    pub nonzero: i64,
    /// Σy.
    pub y: i128,
    /// Σy².
    pub yy: i128,
    /// Σx, of the denominator or covariate.
    pub x: i128,
    /// Σx².
    pub xx: i128,
    /// Σxy.
    pub xy: i128,
}

/// What one unit contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unit {
    /// The metric.
    pub y: i64,
    /// Its denominator or covariate; 0 where there is none.
    pub x: i64,
}

/// A sum that is no `i128` (or a count that is no `i64`) any more. The sums are as they were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sums do not fit: use larger units of value, or fewer units in one arm")]
pub struct Overflow;

impl From<Unit> for Sums {
    fn from(Unit { y, x }: Unit) -> Sums {
        let (y, x) = (i128::from(y), i128::from(x));
        // 2^126 at most.
        Sums { n: 1, nonzero: i64::from(y != 0), y, yy: y * y, x, xx: x * x, xy: x * y }
    }
}

impl Sums {
    /// One more unit.
    pub fn add(&mut self, unit: Unit) -> Result<(), Overflow> {
        self.merge(&unit.into())
    }

    /// A unit that was added leaves.
    pub fn remove(&mut self, unit: Unit) -> Result<(), Overflow> {
        self.subtract(&unit.into())
    }

    /// A unit's value changes.
    pub fn replace(&mut self, old: Unit, new: Unit) -> Result<(), Overflow> {
        let mut next = *self;
        next.remove(old)?;
        next.add(new)?;
        *self = next;
        Ok(())
    }

    /// All units of another part.
    pub fn merge(&mut self, other: &Sums) -> Result<(), Overflow> {
        *self = self.with(other, i64::checked_add, i128::checked_add).ok_or(Overflow)?;
        Ok(())
    }

    /// All units of a part that had been merged leave.
    pub fn subtract(&mut self, other: &Sums) -> Result<(), Overflow> {
        *self = self.with(other, i64::checked_sub, i128::checked_sub).ok_or(Overflow)?;
        Ok(())
    }

    fn with(
        &self,
        other: &Sums,
        count: fn(i64, i64) -> Option<i64>,
        sum: fn(i128, i128) -> Option<i128>,
    ) -> Option<Sums> {
        Some(Sums {
            n: count(self.n, other.n)?,
            nonzero: count(self.nonzero, other.nonzero)?,
            y: sum(self.y, other.y)?,
            yy: sum(self.yy, other.yy)?,
            x: sum(self.x, other.x)?,
            xx: sum(self.xx, other.xx)?,
            xy: sum(self.xy, other.xy)?,
        })
    }

    /// The arm of y, in units.
    pub fn arm(&self, scale: f64) -> Arm {
        if self.n <= 0 {
            return Arm::EMPTY;
        }
        let m2 = centred(self.n, self.y, self.y, self.yy).max(0.0);
        Arm { n: self.n as f64, mean: mean(self.y, self.n, scale), m2: m2 / scale / scale }
    }

    /// The ratio Σy/Σx as the mean of the linearised unit value (y - R x)/x̄ (§3.3), so that every method for means serves ratios.
    /// `None` when Σx is 0.
    pub fn ratio_arm(&self, scale: f64) -> Option<Arm> {
        if self.n <= 0 || self.x == 0 {
            return None;
        }
        let ratio = self.y as f64 / self.x as f64;
        let mean_x = mean(self.x, self.n, scale);
        let (yy, xx, xy) = (
            centred(self.n, self.y, self.y, self.yy),
            centred(self.n, self.x, self.x, self.xx),
            centred(self.n, self.x, self.y, self.xy),
        );
        let m2 = (yy - 2.0 * ratio * xy + ratio * ratio * xx).max(0.0) / scale / scale / (mean_x * mean_x);
        Some(Arm { n: self.n as f64, mean: ratio, m2 })
    }

    /// Mean of x, M2 of x, and the centred cross product of x and y.
    pub fn covariate(&self, scale: f64) -> (f64, f64, f64) {
        if self.n <= 0 {
            return (0.0, 0.0, 0.0);
        }
        let m2 = centred(self.n, self.x, self.x, self.xx).max(0.0) / scale / scale;
        (mean(self.x, self.n, scale), m2, centred(self.n, self.x, self.y, self.xy) / scale / scale)
    }
}

/// Σ(a - ā)(b - b̄) from integer sums: with Σa = n q_a + r_a, the large parts cancel as integers and `Σab - n q_a q_b - q_a r_b - q_b r_a - r_a r_b/n`
/// is left. The remainders are the nearest ones, |r| <= n/2: then the last term is at most half of the integer before it when a is b, so that
/// nothing cancels in floats. The integer itself fits even where a product on the way to it does not, hence the wrapping.
fn centred(n: i64, a: i128, b: i128, ab: i128) -> f64 {
    let n = i128::from(n);
    let ((qa, ra), (qb, rb)) = (nearest(a, n), nearest(b, n));
    let whole = ab
        .wrapping_sub(n.wrapping_mul(qa).wrapping_mul(qb))
        .wrapping_sub(qa.wrapping_mul(rb))
        .wrapping_sub(qb.wrapping_mul(ra));
    whole as f64 - (ra * rb) as f64 / n as f64
}

/// Quotient and remainder, the remainder between -n/2 and n/2.
fn nearest(a: i128, n: i128) -> (i128, i128) {
    let (quotient, rest) = (a.div_euclid(n), a.rem_euclid(n));
    if rest > n / 2 { (quotient + 1, rest - n) } else { (quotient, rest) }
}

fn mean(sum: i128, n: i64, scale: f64) -> f64 {
    sum as f64 / (n as f64 * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(values: &[i64]) -> Sums {
        let mut sums = Sums::default();
        values.iter().for_each(|&y| sums.add(Unit { y, x: 1 }).unwrap());
        sums
    }

    #[test]
    fn a_large_offset_loses_nothing() {
        assert_eq!(sums(&[1_000_000_000_000_001, 1_000_000_000_000_002, 1_000_000_000_000_003]).arm(1.0).m2, 2.0);
    }

    /// 10^9 units of which one differs: M2 is 1 - 10^-9.
    #[test]
    fn one_unit_that_differs_is_seen() {
        let n = 1_000_000_000;
        let nearly_all = Sums { n, nonzero: n - 1, y: i128::from(n) - 1, yy: i128::from(n) - 1, ..Sums::default() };
        assert_eq!(nearly_all.arm(1.0).m2, 1.0 - 1e-9);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut full = sums(&[i64::MIN]);
        let before = full;
        assert_eq!(full.add(Unit { y: i64::MIN, x: 0 }), Err(Overflow));
        assert_eq!(full, before);
        assert!(full.arm(1.0).mean.is_finite());
    }
}
