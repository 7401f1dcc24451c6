//! The default: a two-sample normal mixture with a variance floor, valid at every look (§1.1–1.4).
//!
//! `ln E(δ) = -ln(1+x)/2 + (d-δ)²/(2V) · x/(1+x)` with `x = N ρ²`: the mSPRT of Johari, Koomen, Pekelis and Walsh (1512.04922) with
//! mixture N(0, ρ² N V), and the two-sided asymptotic confidence sequence of Waudby-Smith et al. (2103.06476). `d` is treatment minus
//! control, `V` the variance of `d`, `N` the units of the pair. It promises at most alpha false positives however often one looks, in the
//! limit of a waiting period; it does not promise that an estimate at a stopping time is unbiased.

use crate::moments::Arm;
use libm::{exp, log, log1p, sqrt};

/// How ρ is tuned to N*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// x* solves x = ln(1+x) - 2 ln α: the interval is narrowest at N*.
    Exact,
    /// x* = c + ln(1+c), c = -2 ln α, as other engines do.
    Approximate,
}

/// What is fixed before the first look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// Share of false positives that is tolerated.
    pub alpha: f64,
    /// ρ², tuned once.
    pub rho2: f64,
    /// Units that every arm needs before anything is said.
    pub units_min: f64,
    /// For conversions and zero-inflated metrics: expected events (and non-events) that every arm needs.
    pub events_min: f64,
}

/// x* of a rule.
pub fn tuned(alpha: f64, rule: Rule) -> f64 {
    let c = -2.0 * log(alpha);
    match rule {
        Rule::Approximate => c + log1p(c),
        Rule::Exact => {
            let mut x = c + log1p(c);
            for _ in 0..50 {
                let step = (x - log1p(x) - c) / (1.0 - 1.0 / (1.0 + x));
                x -= step;
                if step.abs() <= 1e-16 * x {
                    break;
                }
            }
            x
        }
    }
}

impl Design {
    /// The default: exact rule, 50 units per arm, 10 expected events.
    pub fn new(alpha: f64, planned_units: f64) -> Self {
        assert!(alpha > 0.0 && alpha < 1.0 && planned_units >= 1.0, "a design is validated where it is read");
        Design { alpha, rho2: tuned(alpha, Rule::Exact) / planned_units, units_min: 50.0, events_min: 10.0 }
    }
}

/// Whether a comparison says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// p and interval hold.
    Ok,
    /// Too few units or events for the asymptotics: p is 1, the interval unbounded.
    BurnIn,
    /// No variance at all: nothing can be said.
    Degenerate,
}

impl Status {
    /// As in results.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::BurnIn => "burn_in",
            Status::Degenerate => "degenerate",
        }
    }
}

/// The variance of a difference: Welch's, the pooled one, and the larger of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variance {
    /// s_c²/n_c + s_t²/n_t.
    pub welch: f64,
    /// From both arms together.
    pub pooled: f64,
    /// What is used: plain Welch rejects far too often in unbalanced designs with rare events.
    pub floor: f64,
}

/// A look at a pair of arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Whether the rest says anything.
    pub status: Status,
    /// N.
    pub units: f64,
    /// d.
    pub difference: f64,
    /// V and its parts; `None` where it cannot be computed.
    pub variance: Option<Variance>,
    /// ln E(0).
    pub ln_e: f64,
    /// min(1, 1/E(0)), of this look alone.
    pub p_value: f64,
    /// Half width of the interval in standard errors.
    pub multiplier: f64,
    /// Confidence sequence of the difference; infinite unless `status` is ok.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Variance of the difference; `None` below two units in an arm.
pub fn variance(control: &Arm, treatment: &Arm) -> Option<Variance> {
    if control.n < 2.0 || treatment.n < 2.0 {
        return None;
    }
    let welch = control.m2 / (control.n - 1.0) / control.n + treatment.m2 / (treatment.n - 1.0) / treatment.n;
    let pooled = (control.m2 + treatment.m2) / (control.n + treatment.n - 2.0) * (1.0 / control.n + 1.0 / treatment.n);
    Some(Variance { welch, pooled, floor: welch.max(pooled) })
}

/// ln E(null).
pub fn ln_e(difference: f64, variance: f64, units: f64, rho2: f64, null: f64) -> f64 {
    let x = units * rho2;
    let distance = difference - null;
    -0.5 * log1p(x) + distance * distance / (2.0 * variance) * (x / (1.0 + x))
}

/// Half width of the interval in standard errors.
pub fn multiplier(units: f64, rho2: f64, alpha: f64) -> f64 {
    let x = units * rho2;
    sqrt((1.0 + 1.0 / x) * (log1p(x) - 2.0 * log(alpha)))
}

/// Looks at a pair. `share` is the pooled share of units that converted or are not zero, for metrics that have one.
pub fn compare(control: &Arm, treatment: &Arm, share: Option<f64>, design: &Design) -> Comparison {
    let units = control.n + treatment.n;
    let variance = variance(control, treatment);
    let difference = treatment.mean - control.mean;
    let silent = |status| Comparison {
        status,
        units,
        difference,
        variance,
        ln_e: 0.0,
        p_value: 1.0,
        multiplier: if units > 0.0 { multiplier(units, design.rho2, design.alpha) } else { f64::INFINITY },
        low: f64::NEG_INFINITY,
        high: f64::INFINITY,
    };
    let fewest = control.n.min(treatment.n);
    let Some(known) = variance else { return silent(Status::BurnIn) };
    if fewest < design.units_min || share.is_some_and(|share| fewest * share.min(1.0 - share) < design.events_min) {
        return silent(Status::BurnIn);
    }
    if known.floor <= 0.0 || !known.floor.is_finite() || !difference.is_finite() {
        return silent(Status::Degenerate);
    }
    let ln_e = ln_e(difference, known.floor, units, design.rho2, 0.0);
    let multiplier = multiplier(units, design.rho2, design.alpha);
    let half = multiplier * sqrt(known.floor);
    Comparison {
        status: Status::Ok,
        units,
        difference,
        variance,
        ln_e,
        p_value: exp(-ln_e.max(0.0)),
        multiplier,
        low: difference - half,
        high: difference + half,
    }
}

/// The least p so far and the intersection of the intervals so far: a fold over looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// What decides.
    pub p_value: f64,
    /// Highest lower end so far.
    pub low: f64,
    /// Lowest upper end so far.
    pub high: f64,
}

impl Default for Running {
    fn default() -> Self {
        Running { p_value: 1.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }
}

impl Running {
    /// One more look.
    pub fn look(&mut self, comparison: &Comparison) {
        self.p_value = self.p_value.min(comparison.p_value);
        self.low = self.low.max(comparison.low);
        self.high = self.high.min(comparison.high);
    }

    /// An empty intersection: the effect is not constant over time.
    pub fn drift_suspected(&self) -> bool {
        self.low > self.high
    }
}
