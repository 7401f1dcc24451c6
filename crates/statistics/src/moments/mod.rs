//! From units to what the tests need of them (§10): counts, means, and sums of squared deviations.
//!
//! [`Sums`] are exact: integers that merge, lose units and change them in any order to the same bits. [`Floating`] and [`Cross`] are for
//! metrics that are no integers of anything: compensated sums, Welford's update and Chan's merge. A sum of squares minus the square of
//! the sum is used on floats nowhere but in [`Arm::of_sums`], for those who have nothing else.

mod cross;
mod exact;
mod floating;

pub use cross::Cross;
pub use exact::{Overflow, Sums, Unit};
pub(crate) use floating::Compensated;
pub use floating::Floating;

use libm::fma;

/// An arm of a comparison: what the tests need of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// Number of units.
    pub n: f64,
    /// Mean per unit.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub m2: f64,
}

impl Arm {
    /// Without units.
    pub const EMPTY: Arm = Arm { n: 0.0, mean: 0.0, m2: 0.0 };

    /// Sample variance, 0 below two units.
    pub fn variance(&self) -> f64 {
        if self.n < 2.0 { 0.0 } else { self.m2 / (self.n - 1.0) }
    }

    /// An arm of units with value 0 or 1.
    pub fn of_conversions(n: f64, conversions: f64) -> Arm {
        if n <= 0.0 {
            return Arm::EMPTY;
        }
        Arm { n, mean: conversions / n, m2: conversions * ((n - conversions) / n) }
    }

    /// From Σy and Σy² as floats. Digits that these sums have lost cannot come back: with an offset of 1e9 and a spread of 1 there are none.
    pub fn of_sums(n: f64, sum: f64, sum_of_squares: f64) -> Arm {
        if n <= 0.0 {
            return Arm::EMPTY;
        }
        Arm { n, mean: sum / n, m2: centred_sum(n, sum, sum, sum_of_squares).max(0.0) }
    }

    /// Two parts as one (Chan, Golub and LeVeque): `M2 = M2_a + M2_b + δ² n_a n_b/n`, `δ` the difference of the means.
    pub fn merge(&self, other: &Arm) -> Arm {
        if self.n <= 0.0 || other.n <= 0.0 {
            return if self.n <= 0.0 { *other } else { *self };
        }
        let n = self.n + other.n;
        let (a, b) = (self.n / n, other.n / n);
        let gap = other.mean - self.mean;
        Arm { n, mean: merged_mean(self.mean, other.mean, a, b), m2: self.m2 + other.m2 + gap * gap * b * self.n }
    }
}

/// The mean of two parts with shares a and b: from the larger part, so that its mean keeps its digits.
fn merged_mean(own: f64, other: f64, a: f64, b: f64) -> f64 {
    let gap = other - own;
    if !gap.is_finite() {
        // Of opposite signs and near the largest number.
        own * a + other * b
    } else if a >= b {
        own + gap * b
    } else {
        other - gap * a
    }
}

/// Σ(a - ā)(b - b̄) = Σab - ΣaΣb/n, with the product and the quotient to twice the digits, so that only what the sums had lost is lost.
pub(crate) fn centred_sum(n: f64, a: f64, b: f64, ab: f64) -> f64 {
    let product = a * b;
    let product_rest = fma(a, b, -product);
    let quotient = product / n;
    let quotient_rest = (fma(-quotient, n, product) + product_rest) / n;
    if quotient_rest.is_finite() { (ab - quotient) - quotient_rest } else { ab - a / n * b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_the_identity() {
        let arm = Arm { n: 3.0, mean: 2.0, m2: 5.0 };
        assert_eq!((Arm::EMPTY.merge(&arm), arm.merge(&Arm::EMPTY)), (arm, arm));
    }

    /// Every unit but one converted: Σy² - (Σy)²/n in plain floats is wrong in its seventh digit.
    #[test]
    fn sums_keep_what_they_hold() {
        let n = 1e9;
        assert!((Arm::of_sums(n, n - 1.0, n - 1.0).m2 - (n - 1.0) / n).abs() < 1e-15);
    }
}
