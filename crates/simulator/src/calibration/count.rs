//! What is counted in runs, and what the counts may be.

use assay_statistics::special::ln_beta_inc;
use libm::{exp, fabs, sqrt};

/// Into so many equal parts a run's horizon is cut, to plot how often something had happened by then.
pub const STAGES: usize = 50;

/// Something that each run either shows or not, or that has an amount in each run; and what it may come to over all runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Names it within its scenario.
    pub name: &'static str,
    /// What theory or an earlier, independent simulation says.
    pub expected: Option<f64>,
    /// The least value at which the promise counts as kept.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Whether `low` and `high` bound a share of runs or a mean amount.
    pub kind: Kind,
}

/// How a measure sums up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of the runs that were asked, the share in which it happened.
    Share,
    /// The mean amount, of the runs that were asked.
    Mean,
}

impl Measure {
    /// A share of runs between `low` and `high`.
    pub(crate) fn share(name: &'static str, expected: f64, low: f64, high: f64) -> Measure {
        Measure { name, expected: Some(expected), low, high, kind: Kind::Share }
    }

    /// A share of runs that is bounded by theory alone.
    pub(crate) fn at_most(name: &'static str, high: f64) -> Measure {
        Measure { name, expected: None, low: 0.0, high, kind: Kind::Share }
    }

    /// A share of runs that is at least so high.
    pub(crate) fn at_least(name: &'static str, low: f64) -> Measure {
        Measure { name, expected: None, low, high: 1.0, kind: Kind::Share }
    }

    /// A mean amount within `by` of what is expected.
    pub(crate) fn mean(name: &'static str, expected: f64, by: f64) -> Measure {
        Measure { name, expected: Some(expected), low: expected - by, high: expected + by, kind: Kind::Mean }
    }

    /// A mean amount that is bounded by theory alone.
    pub(crate) fn mean_at_most(name: &'static str, high: f64) -> Measure {
        Measure { name, expected: None, low: 0.0, high, kind: Kind::Mean }
    }

    /// A mean amount that is at least so high.
    pub(crate) fn mean_at_least(name: &'static str, low: f64) -> Measure {
        Measure { name, expected: None, low, high: f64::INFINITY, kind: Kind::Mean }
    }

    /// Whether the counts, taken as they are, lie in the allowed range. This is what a full run must do.
    pub fn allows(&self, tally: &Tally) -> bool {
        tally.value(self.kind).is_some_and(|value| self.low <= value && value <= self.high)
    }

    /// Whether the counts could hardly come from any value in the allowed range: below this probability, under the nearer end of the
    /// range. This is what a small run can honestly say.
    pub fn contradicted_by(&self, tally: &Tally, probability: f64) -> bool {
        let Some(value) = tally.value(self.kind) else { return true };
        match self.kind {
            Kind::Share => {
                at_least(tally.trials, tally.hits, self.high) < probability
                    || at_least(tally.trials, tally.trials - tally.hits, 1.0 - self.low) < probability
            }
            Kind::Mean => {
                let outside = (self.low - value).max(value - self.high).max(0.0);
                // Chebyshev would need far more runs; by the central limit theorem five standard errors are below 1e-6.
                outside > 5.0 * tally.standard_error(Kind::Mean)
            }
        }
    }
}

/// P(X >= k) of a binomial with `n` trials and success probability `p`: the incomplete beta function I_p(k, n - k + 1).
fn at_least(n: u64, k: u64, p: f64) -> f64 {
    if k == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    exp(ln_beta_inc(k as f64, (n - k + 1) as f64, p, 1.0 - p))
}

/// Counts of one measure. Everything is an integer, so that the order of merging cannot matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// In so many runs it was asked.
    pub trials: u64,
    /// In so many of them it happened.
    pub hits: u64,
    /// In so many it first happened in that part of the horizon.
    pub stages: [u64; STAGES],
    /// The sum of amounts.
    pub amount: u128,
    /// The sum of their squares.
    pub squares: u128,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { trials: 0, hits: 0, stages: [0; STAGES], amount: 0, squares: 0 }
    }
}

impl Tally {
    /// The share or the mean; `None` when nothing was asked.
    pub fn value(&self, kind: Kind) -> Option<f64> {
        let sum = match kind {
            Kind::Share => self.hits as f64,
            Kind::Mean => self.amount as f64,
        };
        (self.trials > 0).then(|| sum / self.trials as f64)
    }

    /// The Monte Carlo standard error of that value.
    pub fn standard_error(&self, kind: Kind) -> f64 {
        let n = self.trials as f64;
        let Some(value) = self.value(kind) else { return f64::INFINITY };
        let variance = match kind {
            Kind::Share => value * (1.0 - value),
            Kind::Mean => fabs(self.squares as f64 / n - value * value),
        };
        sqrt(variance / n)
    }

    /// By the end of every part of the horizon, the share in which it had happened.
    pub fn curve(&self) -> [f64; STAGES] {
        let mut sum = 0;
        self.stages.map(|stage| {
            sum += stage;
            sum as f64 / self.trials.max(1) as f64
        })
    }

    fn merge(&mut self, other: &Tally) {
        self.trials += other.trials;
        self.hits += other.hits;
        self.amount += other.amount;
        self.squares += other.squares;
        for (mine, theirs) in self.stages.iter_mut().zip(&other.stages) {
            *mine += theirs;
        }
    }
}

/// The counts of a scenario's measures, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(pub Vec<Tally>);

impl Counts {
    /// Before the first run.
    pub fn none(measures: &[Measure]) -> Counts {
        Counts(vec![Tally::default(); measures.len()])
    }

    /// Adds the counts of other runs of the same scenario.
    pub fn merge(&mut self, other: &Counts) {
        assert_eq!(self.0.len(), other.0.len(), "counts of one scenario are merged");
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.merge(theirs);
        }
    }
}

/// Where a run writes what it saw.
pub(crate) struct Report<'a> {
    pub(crate) measures: &'a [Measure],
    pub(crate) counts: &'a mut Counts,
}

impl Report<'_> {
    /// Whether the scenario asks for this at all: what nobody asks for need not be computed.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.measures.iter().any(|measure| measure.name == name)
    }

    /// Something happened for the first time at that look of so many, or never.
    pub(crate) fn first(&mut self, name: &str, look: Option<u32>, looks: u32) {
        let Some(tally) = self.tally(name) else { return };
        tally.trials += 1;
        if let Some(look) = look {
            tally.hits += 1;
            tally.stages[(look as usize * STAGES).div_ceil(looks as usize).clamp(1, STAGES) - 1] += 1;
        }
    }

    /// Something is so, or not.
    pub(crate) fn whether(&mut self, name: &str, so: bool) {
        self.first(name, so.then_some(1), 1);
    }

    /// Something has an amount.
    pub(crate) fn amount(&mut self, name: &str, amount: u64) {
        let Some(tally) = self.tally(name) else { return };
        tally.trials += 1;
        tally.amount += u128::from(amount);
        tally.squares += u128::from(amount) * u128::from(amount);
    }

    fn tally(&mut self, name: &str) -> Option<&mut Tally> {
        let at = self.measures.iter().position(|measure| measure.name == name)?;
        Some(&mut self.counts.0[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_runs_say_only_what_they_can() {
        let measure = Measure::share("rejected", 0.018, 0.010, 0.028);
        let contradicted = |hits, trials| measure.contradicted_by(&Tally { trials, hits, ..Tally::default() }, 1e-5);
        assert!(!contradicted(0, 500), "0.99^500 is 0.7 %");
        assert!(contradicted(0, 2_000));
        assert!(!contradicted(20, 500));
        assert!(contradicted(50, 500));
        assert!(contradicted(0, 0), "what was never asked is not shown");
    }
}
