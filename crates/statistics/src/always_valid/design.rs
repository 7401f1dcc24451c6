//! What is fixed before the first look: alpha, ρ², and how long to wait (§1.1–1.3).
//!
//! ρ² = x*/N* puts the narrowest interval at N* units. A wrong N* costs power, never validity, as long as it does not depend on the
//! outcomes: at alpha 0.05 the multiplier is 3.035 at N*, 3.25 at a quarter or ten times of it, and 8.94 at a hundredth. So round N* down.

use crate::alpha::Alpha;
use crate::special::log1p_gap;
use libm::{fabs, log1p};

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
    /// Units that every arm needs before anything is said.
    pub units_min: f64,
    /// For conversions and zero-inflated metrics: expected events (and non-events) that every arm needs.
    pub events_min: f64,
    alpha: Alpha,
    rho2: f64,
    /// -2 ln α, kept because a look needs it and a logarithm is a good part of what a look costs.
    threshold: f64,
}

impl Design {
    /// Every arm waits for this many units, because the asymptotics are poor before.
    pub const UNITS_MIN: f64 = 50.0;
    /// Every arm waits for this many expected events: without it, true effects on rare events were missed in 10 % of simulated runs.
    pub const EVENTS_MIN: f64 = 10.0;
    /// N* when nothing is planned.
    pub const PLANNED_UNITS: f64 = 10_000.0;

    /// The default: exact rule, 50 units per arm, 10 expected events. `planned_units` is N*, the planned total of the pair.
    pub fn new(alpha: Alpha, planned_units: f64) -> Design {
        Design::tuned(alpha, planned_units, Rule::Exact)
    }

    /// As [`Design::new`], by another rule.
    pub fn tuned(alpha: Alpha, planned_units: f64, rule: Rule) -> Design {
        assert!(planned_units > 0.0, "a design is validated where it is read");
        Design {
            units_min: Design::UNITS_MIN,
            events_min: Design::EVENTS_MIN,
            alpha,
            rho2: (tuned(alpha, rule) / planned_units).clamp(f64::MIN_POSITIVE, f64::MAX),
            threshold: -2.0 * alpha.ln(),
        }
    }

    /// The same ρ² read at another alpha: still valid and dual, only not narrowest at N*.
    pub fn at(self, alpha: Alpha) -> Design {
        Design { alpha, threshold: -2.0 * alpha.ln(), ..self }
    }

    /// Share of false positives that is tolerated.
    pub fn alpha(&self) -> Alpha {
        self.alpha
    }

    /// ρ², tuned once.
    pub fn rho2(&self) -> f64 {
        self.rho2
    }

    /// -2 ln α.
    pub(super) fn threshold(&self) -> f64 {
        self.threshold
    }
}

/// x* of a rule.
pub fn tuned(alpha: Alpha, rule: Rule) -> f64 {
    let c = -2.0 * alpha.ln();
    let start = c + log1p(c);
    match rule {
        Rule::Approximate => start,
        Rule::Exact => {
            // Newton on x - ln(1+x) - c, convex in x: after the first step it comes down to the root from above.
            let mut x = start;
            for _ in 0..60 {
                let step = (log1p_gap(x) - c) * (1.0 + 1.0 / x);
                x -= step;
                if fabs(step) <= 1e-16 * x {
                    break;
                }
            }
            x
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_of_x() {
        for (alpha, expected) in [(0.10, 6.6383521), (0.05, 8.2119681), (0.01, 11.756371), (0.001, 16.688421)] {
            let x = tuned(Alpha::new(alpha).unwrap(), Rule::Exact);
            assert!((x - expected).abs() < 1e-6, "{x} is not {expected}");
        }
    }

    /// Compared with 40 digits.
    #[test]
    fn alpha_close_to_one_keeps_its_digits() {
        for (alpha, expected) in [(0.999, 0.064_602_347_084_674_17), (1.0 - 1e-9, 6.324_688_566_514_928e-5)] {
            let x = tuned(Alpha::new(alpha).unwrap(), Rule::Exact);
            assert!((x / expected - 1.0).abs() < 1e-12, "{x} is not {expected}");
        }
    }
}
