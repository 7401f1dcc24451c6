//! An anytime-valid confidence sequence for a quantile, by ranks.
//!
//! With one value per unit, the number K of values at or below the true `q` quantile is Binomial(n, q), whatever the distribution. The
//! beta-binomial mixture of the sample ratio test (Lindon and Malek, 2011.03567) with prior Beta(κq, κ(1-q)) is a martingale in it,
//!
//! ```text
//! ln E(k) = ln B(κq + k, κ(1-q) + n - k) - ln B(κq, κ(1-q)) - k ln q - (n-k) ln(1-q)
//! ```
//!
//! so that the counts with `ln E(k) < ln(1/α)`, an interval `[k_lo, k_hi]` because ln E is convex in k, hold K at all looks at once with
//! probability `1 - α`. The quantile then lies between the order statistics `X_(k_lo)` and `X_(k_hi + 1)`, counted from 1; at rank 0 or
//! n + 1 there is no bound. Ties only widen it (Howard and Ramdas, 1906.09712, have the setting).
//!
//! It does not serve several values per unit: those depend on each other, and [`super::Bracket`] is for them.

use crate::alpha::Alpha;
use crate::srm::sequential_ln_e;
use libm::exp;

/// κ where nothing else is asked for: as if 100 values had been seen in advance, which suits quantiles from .5 to .99.
pub const CONCENTRATION: f64 = 100.0;

/// What is fixed before the first look at a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSequence {
    /// Which quantile, strictly between 0 and 1.
    pub q: f64,
    /// κ, above 0.
    pub concentration: f64,
}

/// Bounds of a look, as ranks among the values in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderStatistics {
    /// Fewest values at or below the quantile.
    pub count_low: u64,
    /// Most.
    pub count_high: u64,
    /// Rank of the lower bound, from 1; `None` where there is none.
    pub low: Option<u64>,
    /// Rank of the upper bound, from 1; `None` where there is none.
    pub high: Option<u64>,
}

impl RankSequence {
    /// ln E of `count` of `n` values at or below a candidate for the quantile: the evidence against the candidate.
    pub fn ln_e(&self, n: u64, count: u64) -> f64 {
        let counts = [count as f64, (n - count.min(n)) as f64];
        sequential_ln_e(&counts, &[self.q, 1.0 - self.q], self.concentration)
    }

    /// min(1, 1/E).
    pub fn p_value(&self, n: u64, count: u64) -> f64 {
        exp(-self.ln_e(n, count).max(0.0))
    }

    /// The bounds at a look of `n` values.
    pub fn look(&self, n: u64, alpha: Alpha) -> OrderStatistics {
        let inside = |count| self.ln_e(n, count) < -alpha.ln();
        // ln E is convex with its minimum within a count of nq, and is not above 0 there: E has mean 1 under the binomial.
        let centre = self.likeliest(n);
        let count_low = first(0, centre, &inside);
        let count_high = n - first(0, n - centre, &|distance| inside(n - distance));
        OrderStatistics {
            count_low,
            count_high,
            low: (count_low > 0).then_some(count_low),
            high: (count_high < n).then_some(count_high + 1),
        }
    }

    /// The bounds in units of the metric, of values in ascending order; infinite where there is none.
    pub fn bounds(&self, sorted: &[f64], alpha: Alpha) -> (f64, f64) {
        let ranks = self.look(sorted.len() as u64, alpha);
        let value = |rank: Option<u64>, without| rank.map_or(without, |rank| sorted[rank as usize - 1]);
        (value(ranks.low, f64::NEG_INFINITY), value(ranks.high, f64::INFINITY))
    }

    /// The bounds from a sketch whose ranks are off by up to `rank_error` of the number of values.
    pub fn look_at_sketch(&self, n: u64, alpha: Alpha, rank_error: f64) -> OrderStatistics {
        let exact = self.look(n, alpha);
        let slack = (rank_error.max(0.0) * n as f64).ceil() as u64;
        let low = exact.low.map_or(0, |rank| rank.saturating_sub(slack));
        let high = exact.high.map_or(n + 1, |rank| rank.saturating_add(slack));
        OrderStatistics { low: (low > 0).then_some(low), high: (high <= n).then_some(high), ..exact }
    }

    /// The count with the least evidence against it.
    fn likeliest(&self, n: u64) -> u64 {
        let near = (n as f64 * self.q).round() as u64;
        let candidates = near.saturating_sub(1).min(n)..=near.saturating_add(1).min(n);
        candidates.min_by(|&one, &other| self.ln_e(n, one).total_cmp(&self.ln_e(n, other))).unwrap_or(0)
    }
}

/// The difference of two arms' quantiles, treatment minus control, from bounds at half of alpha each. Never NaN: what has no bound in an
/// arm has none in the difference.
pub fn difference(control: (f64, f64), treatment: (f64, f64)) -> (f64, f64) {
    let ends = (treatment.0 - control.1, treatment.1 - control.0);
    (if ends.0.is_nan() { f64::NEG_INFINITY } else { ends.0 }, if ends.1.is_nan() { f64::INFINITY } else { ends.1 })
}

/// The first of `low..=high` that holds, where the last does and those that hold are together at the end.
fn first(low: u64, high: u64, holds: &dyn Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_trying_all() {
        let sequence = RankSequence { q: 0.9, concentration: CONCENTRATION };
        for n in [0, 1, 7, 400] {
            let inside: Vec<u64> = (0..=n).filter(|&k| sequence.ln_e(n, k) < -Alpha::FIVE_PERCENT.ln()).collect();
            let look = sequence.look(n, Alpha::FIVE_PERCENT);
            assert_eq!((look.count_low, look.count_high), (inside[0], inside[inside.len() - 1]));
        }
    }

    #[test]
    fn a_sketch_widens() {
        let sequence = RankSequence { q: 0.5, concentration: CONCENTRATION };
        let (exact, sketch) =
            (sequence.look(1_000, Alpha::FIVE_PERCENT), sequence.look_at_sketch(1_000, Alpha::FIVE_PERCENT, 0.01));
        assert_eq!((sketch.low, sketch.high), (exact.low.map(|rank| rank - 10), exact.high.map(|rank| rank + 10)));
        assert_eq!(sequence.look_at_sketch(1_000, Alpha::FIVE_PERCENT, 1.0).low, None);
    }

    #[test]
    fn unbounded_arms_have_an_unbounded_difference() {
        let (low, high) = difference((f64::NEG_INFINITY, 1.0), (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!((low, high), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
