//! Moments of metrics that are no integers of anything, in floats (§10): merged in a fixed order they agree to about 1e-12.
//!
//! Σy by Neumaier's compensated sum; mean and M2 by Welford's update; merging by Chan, Golub and LeVeque, the third and fourth by Pébay's formulas
//! (only the diagnostics of skewness need them). `skewness = √n M3/M2^{3/2}`, `excess kurtosis = n M4/M2² - 3`, of the units as they are, not
//! estimates of a population's. Sums of powers are never subtracted: at an offset of 1e9 that would leave no digit.

use super::Arm;
use libm::sqrt;

/// Moments of the values so far. Empty is the identity of merging.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Floating {
    n: u64,
    sum: Compensated,
    mean: f64,
    /// What `mean` has lost, because at a large offset its last digit is coarse beside the spread.
    mean_rest: f64,
    m2: f64,
    m3: f64,
    m4: f64,
    range: Option<(f64, f64)>,
}

impl Floating {
    /// Of values, in the order given.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Floating {
        let mut moments = Floating::default();
        values.into_iter().for_each(|value| moments.add(value));
        moments
    }

    /// One more value: finite, because the rest is rejected where values come in.
    pub fn add(&mut self, value: f64) {
        self.merge(&Floating {
            n: 1,
            sum: Compensated { sum: value, lost: 0.0 },
            mean: value,
            range: Some((value, value)),
            ..Floating::default()
        });
    }

    /// The values of another part.
    pub fn merge(&mut self, other: &Floating) {
        if self.n == 0 || other.n == 0 {
            *self = if self.n == 0 { *other } else { *self };
            return;
        }
        let (na, nb) = (self.n as f64, other.n as f64);
        let n = na + nb;
        let gap = (other.mean - self.mean) + (other.mean_rest - self.mean_rest);
        let (a, b) = (na / n, nb / n);
        // Pébay (2008), with na nb/n² as products of shares.
        let square = gap * gap * a * b * n;
        self.m4 += other.m4
            + square * gap * gap * (a * a - a * b + b * b)
            + 6.0 * gap * gap * (a * a * other.m2 + b * b * self.m2)
            + 4.0 * gap * (a * other.m3 - b * self.m3);
        self.m3 += other.m3 + square * gap * (a - b) + 3.0 * gap * (a * other.m2 - b * self.m2);
        self.m2 += other.m2 + square;
        (self.mean, self.mean_rest) = if a >= b {
            moved(self.mean, self.mean_rest, gap * b, other.mean, a, b)
        } else {
            moved(other.mean, other.mean_rest, -gap * a, self.mean, b, a)
        };
        self.n += other.n;
        self.sum.merge(&other.sum);
        self.range = self.range.zip(other.range).map(|(own, more)| (own.0.min(more.0), own.1.max(more.1)));
    }

    /// A unit's value changes: `M2' = M2 + δ (y' + y - ȳ' - ȳ)`, `δ = y' - y`, never below 0. The third and fourth moment and the range cannot
    /// follow and are forgotten; where they are needed, or where values shrink by many orders, use [`super::Sums`].
    pub fn replace(&mut self, old: f64, new: f64) {
        if self.n == 0 {
            return;
        }
        let (before, before_rest, n) = (self.mean, self.mean_rest, self.n as f64);
        self.sum.add(-old);
        self.sum.add(new);
        (self.mean, self.mean_rest) =
            moved(before, self.mean_rest, (new - old) / n, before + (new / n - old / n), 0.0, 1.0);
        let m2 = self.m2 + (new - old) * ((new - self.mean - self.mean_rest) + (old - before - before_rest));
        self.m2 = if m2.is_nan() { f64::INFINITY } else { m2.max(0.0) };
        (self.m3, self.m4, self.range) = (f64::INFINITY, f64::INFINITY, None);
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Σy; infinite where it overflows.
    pub fn sum(&self) -> f64 {
        self.sum.value()
    }

    /// Smallest and largest value; `None` without values or after a change.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    /// Mean; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        if self.n == 0 {
            return None;
        }
        // The compensated sum knows more digits than the mean that was carried along, unless it overflowed.
        let exact = self.sum.value() / self.n as f64;
        Some(if exact.is_finite() { exact } else { self.mean })
    }

    /// Σ(y-ȳ)²; infinite where it overflows.
    pub fn m2(&self) -> f64 {
        if self.m2.is_nan() { f64::INFINITY } else { self.m2 }
    }

    /// Σ(y-ȳ)³; `None` where it overflows or after a change.
    pub fn m3(&self) -> Option<f64> {
        Some(self.m3).filter(|it| it.is_finite())
    }

    /// Σ(y-ȳ)⁴; `None` where it overflows or after a change.
    pub fn m4(&self) -> Option<f64> {
        Some(self.m4).filter(|it| it.is_finite())
    }

    /// M2/(n-1); `None` below two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n >= 2).then(|| self.m2() / (self.n - 1) as f64)
    }

    /// M2/n; `None` without values.
    pub fn variance_of_population(&self) -> Option<f64> {
        (self.n >= 1).then(|| self.m2() / self.n as f64)
    }

    /// √n M3/M2^{3/2}; `None` without variance, and for a spread below 1e-70, whose powers lose their digits.
    pub fn skewness(&self) -> Option<f64> {
        let spread = self.standard_deviation()?;
        Some(self.m3()? / self.n as f64 / spread / spread / spread).filter(|it| it.is_finite())
    }

    /// n M4/M2² - 3; `None` as for [`Floating::skewness`].
    pub fn excess_kurtosis(&self) -> Option<f64> {
        let spread = self.standard_deviation()?;
        Some(self.m4()? / self.n as f64 / spread / spread / spread / spread - 3.0).filter(|it| it.is_finite())
    }

    /// As an arm of a comparison.
    pub fn arm(&self) -> Arm {
        Arm { n: self.n as f64, mean: self.mean().unwrap_or(0.0), m2: self.m2() }
    }

    /// Where its fourth power still has all its digits.
    fn standard_deviation(&self) -> Option<f64> {
        self.variance_of_population().map(sqrt).filter(|&it| it >= 1e-70 && it.is_finite())
    }
}

/// A mean with its rest, moved by `step`; where the step overflowed, the weighted mean of both parts.
fn moved(mean: f64, rest: f64, step: f64, other: f64, a: f64, b: f64) -> (f64, f64) {
    if !step.is_finite() {
        return (mean * a + other * b, 0.0);
    }
    let sum = mean + step;
    // What the addition lost, exactly (Knuth).
    let taken = sum - mean;
    let lost = (mean - (sum - taken)) + (step - taken);
    (sum, rest + lost)
}

/// Neumaier's sum: what each addition loses is kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    /// Of values.
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Compensated {
        let mut sum = Compensated::default();
        values.for_each(|value| sum.add(value));
        sum
    }

    pub(crate) fn add(&mut self, value: f64) {
        let next = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - next) + value } else { (value - next) + self.sum };
        self.sum = next;
    }

    fn merge(&mut self, other: &Compensated) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    pub(crate) fn value(&self) -> f64 {
        let value = self.sum + self.lost;
        // What an overflowing sum has lost is infinite itself; a sum of both infinities is 0 as good as anything.
        if !value.is_nan() {
            value
        } else if self.sum.is_nan() {
            0.0
        } else {
            self.sum
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_small_values_lose_beside_large_ones_is_kept() {
        assert_eq!(Floating::of([1e16, 1.0, -1e16, 2.0, 3.0]).sum(), 6.0);
    }

    #[test]
    fn the_largest_values_are_no_nan() {
        let moments = Floating::of([f64::MAX, f64::MAX, f64::MIN]);
        assert!(!moments.m2().is_nan() && !moments.sum().is_nan() && moments.m3().is_none());
    }
}
