//! The conversion label test (§1.10a; Lindon and Malek, 2011.03567): exact for conversions, from two integers, with no waiting period.
//!
//! While the split is fixed, each new conversion belongs to the treatment with probability π, the treatment's share of the pair, whatever the
//! arrival times, delays or trends, as long as the arm has no effect. With `S_c`, `S_t` conversions (first per unit), a = kπ, b = k(1-π):
//! `ln E(θ) = lnB(a+S_t, b+S_c) - lnB(a, b) - S_t ln θ - S_c ln(1-θ)`, and the test is at θ = π. The confidence sequence of θ, the share of
//! conversions that come from the treatment, are the θ with `E(θ) < 1/alpha`; its lift is `θ/(1-θ) · (1-π)/π - 1`, exact too.
//!
//! Not promised: the null is that the arm has no influence on whether *and when* a unit converts, so a treatment that only speeds conversions
//! up counts as an effect. It needs a constant π and a clean sample ratio; after a change of split the E's of the epochs are multiplied. Compared
//! with the default it loses a factor of about one minus the rate in efficiency, so it is best for rare events.

use super::{Rule, p_value, tuned};
use crate::alpha::Alpha;
use crate::dirichlet::{self, divergence};
use libm::{exp, log};

/// The test of one epoch: its split and its prior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelTest {
    share: f64,
    concentration: f64,
}

/// Why there is no such test.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotALabelTest {
    /// Both arms must be able to receive units.
    #[error("the treatment's share of the pair lies between 0 and 1, and {0} does not")]
    Share(f64),
    /// The prior is worth some number of conversions.
    #[error("the concentration is a number of conversions above 0, and {0} is not")]
    Concentration(f64),
}

/// The shares of conversions from the treatment that are not ruled out, and the lifts they mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labels {
    /// ln E at the split itself.
    pub ln_e: f64,
    /// min(1, 1/E).
    pub p_value: f64,
    /// S_t/(S_t + S_c); `None` before the first conversion.
    pub theta: Option<f64>,
    /// Confidence sequence of the share.
    pub theta_low: f64,
    /// Its upper end.
    pub theta_high: f64,
    /// Lift of the conversion rate; `None` while the control has no conversion.
    pub lift: Option<f64>,
    /// Confidence sequence of the lift.
    pub lift_low: f64,
    /// Its upper end, infinite while the control may convert nobody.
    pub lift_high: f64,
}

impl LabelTest {
    /// Worth of the prior when nothing is planned.
    pub const CONCENTRATION: f64 = 100.0;

    /// `share` is π; `concentration` is k, the conversions the prior is worth.
    pub fn new(share: f64, concentration: f64) -> Result<LabelTest, NotALabelTest> {
        if !(share > 0.0 && share < 1.0) {
            return Err(NotALabelTest::Share(share));
        }
        if !(concentration > 0.0 && concentration.is_finite()) {
            return Err(NotALabelTest::Concentration(concentration));
        }
        Ok(LabelTest { share, concentration })
    }

    /// Sharpest when the pair has this many conversions: k = planned / x*.
    pub fn planned(share: f64, conversions: f64, alpha: Alpha) -> Result<LabelTest, NotALabelTest> {
        LabelTest::new(share, conversions / tuned(alpha, Rule::Exact))
    }

    /// ln E of no effect. Over epochs with different splits these add up.
    pub fn ln_e(&self, control: u64, treatment: u64) -> f64 {
        self.evidence(control as f64, treatment as f64, self.share, 1.0 - self.share)
    }

    /// Test and confidence sequences.
    pub fn look(&self, control: u64, treatment: u64, alpha: Alpha) -> Labels {
        let ln_e = self.ln_e(control, treatment);
        let (c, t) = (control as f64, treatment as f64);
        let threshold = -alpha.ln();
        // The upper end is the lower end of the other arm's share, so that 1 - θ keeps its digits.
        let low = self.lowest_log_odds(c, t, threshold);
        let high = -self.mirrored().lowest_log_odds(t, c, threshold);
        let odds = self.share / (1.0 - self.share);
        let lift = |log_odds: f64| exp(log_odds) / odds - 1.0;
        Labels {
            ln_e,
            p_value: p_value(ln_e),
            theta: (c + t > 0.0).then(|| t / (c + t)),
            theta_low: logistic(low),
            theta_high: logistic(high),
            lift: (c > 0.0).then(|| t / c / odds - 1.0),
            lift_low: lift(low),
            lift_high: lift(high),
        }
    }

    fn mirrored(&self) -> LabelTest {
        LabelTest { share: 1.0 - self.share, ..*self }
    }

    /// ln E at a share of `theta`, given `1 - theta` apart so that neither loses digits.
    fn evidence(&self, control: f64, treatment: f64, theta: f64, rest: f64) -> f64 {
        let (total, k) = (control + treatment, self.concentration);
        if total <= 0.0 {
            return 0.0;
        }
        let (pi, others) = (self.share, 1.0 - self.share);
        // S_t - Nθ = -(S_c - N(1-θ)), from whichever share is the small one.
        let excess = |theta: f64, rest: f64| {
            if theta <= 0.5 { treatment - total * theta } else { -(control - total * rest) }
        };
        let (from_prior, from_null, all) = (excess(pi, others), excess(theta, rest), k + total);
        let arm = |count: f64, prior: f64, null: f64, sign: f64| {
            let (observed, posterior) = (count / total, (k * prior + count) / all);
            // How far the posterior is from the prior; from the observed share it is the rest of the way.
            let moved = sign * from_prior / all;
            total * divergence(observed, null, sign * from_null / total)
                - total * divergence(observed, posterior, moved * (k / total))
                - k * divergence(prior, posterior, -moved)
                + dirichlet::rest(count, k * prior)
        };
        arm(treatment, pi, theta, 1.0) + arm(control, others, rest, -1.0) + dirichlet::totals(total, k)
    }

    /// The smallest ln(θ/(1-θ)) that is not ruled out.
    fn lowest_log_odds(&self, control: f64, treatment: f64, threshold: f64) -> f64 {
        if treatment <= 0.0 {
            return f64::NEG_INFINITY;
        }
        let at = |log_odds: f64| self.evidence(control, treatment, logistic(log_odds), logistic(-log_odds));
        // At the observed share evidence is at most 1, and it rises to both sides; beyond the ends a share is no double any more.
        let (mut out, mut inside) =
            (-LOG_ODDS_MAX, if control > 0.0 { log(treatment / control) } else { LOG_ODDS_MAX });
        if at(out) < threshold {
            return f64::NEG_INFINITY;
        }
        loop {
            let middle = 0.5 * (out + inside);
            if middle <= out || middle >= inside {
                return inside;
            }
            if at(middle) < threshold { inside = middle } else { out = middle }
        }
    }
}

/// e^-700 is still a normal double.
const LOG_ODDS_MAX: f64 = 700.0;

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + exp(-log_odds))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with 40 digits.
    #[test]
    fn a_thousand_million_conversions_keep_their_digits() {
        let near = |got: f64, expected: f64, relative: f64| {
            assert!((got / expected - 1.0).abs() < relative, "{got} is not {expected}");
        };
        let even = LabelTest::new(0.5, 1e6).unwrap().look(1_000_000_000, 1_000_100_000, Alpha::FIVE_PERCENT);
        near(even.ln_e, -1.302_100_645_925_960_5, 1e-11);
        near(even.theta_low, 0.499_983_775_673_831_93, 1e-14);
        near(even.theta_high, 0.500_066_221_826_066_4, 1e-14);
        let few = LabelTest::new(0.5, 100.0).unwrap().look(1_000_000_000, 5, Alpha::FIVE_PERCENT);
        near(few.ln_e, 693_146_278.568_885_7, 1e-14);
        near(few.theta_low, 1.238_271_909_712_901_4e-79, 1e-12);
        near(few.theta_high, 8.384_938_835_129_933e-7, 1e-12);
        let many = LabelTest::new(0.001, 100.0).unwrap().look(3, 1_000_000_000, Alpha::new(1e-300).unwrap());
        near(many.ln_e, 6_907_753_517.284_863, 1e-14);
        near(1.0 / (1.0 + (many.lift_low + 1.0) / 999.0), 2.413_669_803_910_983e-6, 1e-12);
    }

    #[test]
    fn bad_splits_are_refused() {
        assert!(LabelTest::new(0.0, 1.0).is_err() && LabelTest::new(f64::NAN, 1.0).is_err());
        assert!(LabelTest::new(0.5, 0.0).is_err());
    }
}
