//! Double-double arithmetic: a number as the unevaluated sum of two doubles, about 32 decimal digits.
//!
//! Dekker (1971) and Knuth: a sum and its rounding error, a product and its rounding error, are both exact. Methods that are given sums and
//! sums of squares need it, because `Σy² - (Σy)²/n` of doubles loses every digit that the two terms share. It is no type for storage: what
//! enters is a double, what leaves is a double, and between them the difference survives. Values beyond 1e150 overflow in squares like
//! doubles do.

use libm::fma;
use std::ops::{Add, Div, Mul, Sub};

/// `high + low`, where `low` is at most half a unit in the last place of `high`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct DoubleDouble {
    high: f64,
    low: f64,
}

impl DoubleDouble {
    /// To the nearest double.
    pub(crate) fn value(self) -> f64 {
        self.high
    }

    fn normalised(high: f64, low: f64) -> Self {
        // An infinite sum has no rounding error, and inf - inf would make one up.
        if !high.is_finite() {
            return DoubleDouble::from(high);
        }
        let sum = high + low;
        DoubleDouble { high: sum, low: low - (sum - high) }
    }
}

impl From<f64> for DoubleDouble {
    fn from(value: f64) -> Self {
        DoubleDouble { high: value, low: 0.0 }
    }
}

impl Add for DoubleDouble {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let sum = self.high + other.high;
        let part = sum - self.high;
        let lost = (self.high - (sum - part)) + (other.high - part);
        DoubleDouble::normalised(sum, lost + self.low + other.low)
    }
}

impl Sub for DoubleDouble {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + DoubleDouble { high: -other.high, low: -other.low }
    }
}

impl Mul for DoubleDouble {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let product = self.high * other.high;
        let lost = fma(self.high, other.high, -product);
        DoubleDouble::normalised(product, lost + (self.high * other.low + self.low * other.high))
    }
}

impl Div for DoubleDouble {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let rest = self - other * DoubleDouble::from(first);
        DoubleDouble::normalised(first, rest.high / other.high)
    }
}

impl std::iter::Sum for DoubleDouble {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(DoubleDouble::default(), Add::add)
    }
}

/// Σab - Σa Σb / n, the centred sum of products, without cancellation. `n` is above 0.
pub(crate) fn centred(n: f64, sum_a: f64, sum_b: f64, sum_ab: f64) -> f64 {
    let wide = DoubleDouble::from;
    (wide(sum_ab) - wide(sum_a) * wide(sum_b) / wide(n)).value()
}

/// Σ(a - ā)² from Σa and Σa²: never negative, and infinite where the squares overflow. `n` is above 0.
pub(crate) fn squared_deviations(n: f64, sum: f64, sum_sq: f64) -> f64 {
    let m2 = centred(n, sum, sum, sum_sq);
    if m2.is_finite() { m2.max(0.0) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_double_loses_is_kept() {
        let wide = DoubleDouble::from;
        assert_eq!((wide(1e20) + wide(1.0) - wide(1e20)).value(), 1.0);
        assert!((wide(1.0) / wide(3.0) * wide(3.0) - wide(1.0)).value().abs() < 1e-31);
        let square = wide(134_217_729.0) * wide(134_217_729.0);
        assert_eq!((square - wide(18_014_398_777_917_440.0)).value(), 1.0);
    }

    #[test]
    fn a_centred_sum_at_a_large_offset() {
        // The squares are exact doubles, so nothing may be lost.
        let values = [1e6, 1e6 + 1.0, 1e6 + 2.0];
        let (sum, squares) = (values.iter().sum(), values.iter().map(|value| value * value).sum());
        assert_eq!(centred(3.0, sum, sum, squares), 2.0);
    }

    #[test]
    fn overflow_is_infinite_and_not_nan() {
        assert_eq!((DoubleDouble::from(1e300) * DoubleDouble::from(1e300)).value(), f64::INFINITY);
        assert_eq!(squared_deviations(2.0, 1e300, 1e308), f64::INFINITY);
    }
}
