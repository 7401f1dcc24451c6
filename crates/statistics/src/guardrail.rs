//! Guardrails, at every look (§7.3): is the treatment not worse than a margin, and does it do harm?
//!
//! With a metric of which more is better and a margin m > 0, [`Look::safe`] is evidence against `d ≤ -m` (non-inferiority), [`Look::harm`] against
//! `d ≥ 0`, and [`Look::harm_beyond_margin`] against `d ≥ -m`, each by the one-sided mixture of [`crate::always_valid::half_normal`] with
//! `z = (d+m)/√V`, `-d/√V` and `-(d+m)/√V`. A relative margin is tested in Fieller's form, without dividing by a mean: `d_m = ȳ_t - (1-m) ȳ_c`,
//! `V_m = v_t + (1-m)² v_c` against 0. Where less is better the signs turn. Variance floor and waiting period are those of the default.
//!
//! Each claim is wrong with probability at most alpha, ever. A treatment a little worse than the control can be safe and harmful at once: worse, but
//! by less than the margin. "Harm" is not adjusted for the number of guardrails, an alarm too many is the cheaper error; and "ship when all are safe"
//! needs no adjustment (intersection-union). A relative margin is a share of a positive mean: with a negative one, safe asks for an improvement.

use crate::alpha::Alpha;
use crate::always_valid::{Design, Rule, Status, half_normal, p_value, variance};
use crate::lift::Mean;
use crate::moments::Arm;
use libm::sqrt;

/// How much worse is still acceptable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Margin {
    /// In the unit of the metric, above 0.
    Absolute(f64),
    /// As a share of the control's mean, between 0 and 1: 0.02 for 2 %.
    Relative(f64),
}

/// Which way the metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// As revenue.
    More,
    /// As latency or errors.
    Less,
}

/// Why there is no such guardrail.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotAGuardrail {
    /// A margin of 0 asks for an improvement, which is a test of the metric itself.
    #[error("a margin is above 0, and a relative one below 1, as in 0.02 for 2 %; {0} is not")]
    Margin(f64),
    /// One side is tuned at twice alpha.
    #[error(
        "a guardrail looks at one side and is tuned at twice alpha, so that alpha lies below 0.5, and {0} does not"
    )]
    Alpha(f64),
}

/// What is fixed before the first look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guardrail {
    margin: Margin,
    better: Better,
    alpha: Alpha,
    /// Tuned at twice alpha; its waiting period is used too.
    design: Design,
}

/// One-sided evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// ln E.
    pub ln_e: f64,
    /// min(1, 1/E).
    pub p_value: f64,
}

impl Evidence {
    /// Before anything is known.
    pub const NONE: Evidence = Evidence { ln_e: 0.0, p_value: 1.0 };

    fn of(z: f64, x: f64) -> Evidence {
        let ln_e = half_normal::ln_e(z, x);
        Evidence { ln_e, p_value: p_value(ln_e) }
    }
}

/// A look at a guardrail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Whether the rest says anything.
    pub status: Status,
    /// That the treatment is worse by less than the margin.
    pub safe: Evidence,
    /// That the treatment is worse.
    pub harm: Evidence,
    /// That the treatment is worse by more than the margin.
    pub harm_beyond_margin: Evidence,
    /// The one-sided confidence sequence of what is tested against the margin begins here: for an absolute margin the improvement `d`, for a
    /// relative one `d_m`, turned so that more is better. Safe is what lies above `-m`, or above 0 for a relative margin.
    pub bound: f64,
}

impl Guardrail {
    /// `planned_units` is N*, the planned total of the pair.
    pub fn new(margin: Margin, better: Better, alpha: Alpha, planned_units: f64) -> Result<Guardrail, NotAGuardrail> {
        let ok = match margin {
            Margin::Absolute(m) => m > 0.0 && m.is_finite(),
            Margin::Relative(m) => m > 0.0 && m < 1.0,
        };
        let (Margin::Absolute(value) | Margin::Relative(value)) = margin;
        if !ok {
            return Err(NotAGuardrail::Margin(value));
        }
        let twice = Alpha::new(2.0 * alpha.value()).map_err(|_| NotAGuardrail::Alpha(alpha.value()))?;
        Ok(Guardrail { margin, better, alpha, design: Design::tuned(twice, planned_units, Rule::Exact) })
    }

    /// The share of wrong claims that is tolerated.
    pub fn alpha(&self) -> Alpha {
        self.alpha
    }

    /// Looks at a pair; `share` as in [`crate::always_valid::compare`].
    pub fn look(&self, control: &Arm, treatment: &Arm, share: Option<f64>) -> Look {
        let silent = |status| Look {
            status,
            safe: Evidence::NONE,
            harm: Evidence::NONE,
            harm_beyond_margin: Evidence::NONE,
            bound: f64::NEG_INFINITY,
        };
        let fewest = control.n.min(treatment.n);
        let events = share.map(|share| fewest * share.min(1.0 - share));
        let waits = fewest < self.design.units_min || events.is_some_and(|events| events < self.design.events_min);
        let Some(known) = variance(control, treatment).filter(|_| !waits) else { return silent(Status::BurnIn) };
        let Some(factor) = known.factor().filter(|_| known.floor.is_finite()) else {
            return silent(Status::Degenerate);
        };
        let (c, t) = (Mean::of(control), Mean::of(treatment));
        let sign = if self.better == Better::More { 1.0 } else { -1.0 };
        let gain = sign * (t.mean - c.mean);
        // What the margin is tested on, its standard error, and where it stops being acceptable.
        let (tested, error, limit) = match self.margin {
            Margin::Absolute(m) => (gain, sqrt(known.floor), -m),
            Margin::Relative(m) => {
                let scale = 1.0 - sign * m;
                let error = sqrt(factor) * sqrt(t.variance + scale * scale * c.variance);
                (sign * (t.mean - scale * c.mean), error, 0.0)
            }
        };
        let distance = tested - limit;
        if !(gain.is_finite() && distance.is_finite() && error > 0.0 && error.is_finite()) {
            return silent(Status::Degenerate);
        }
        let x = (control.n + treatment.n) * self.design.rho2();
        Look {
            status: Status::Ok,
            safe: Evidence::of(distance / error, x),
            harm: Evidence::of(-gain / sqrt(known.floor), x),
            harm_beyond_margin: Evidence::of(-distance / error, x),
            bound: tested - half_normal::multiplier(x, self.alpha) * error,
        }
    }
}

/// The least p-values so far: what decides. A claim once made stays made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// Least p of [`Look::safe`].
    pub safe: f64,
    /// Least p of [`Look::harm`].
    pub harm: f64,
    /// Least p of [`Look::harm_beyond_margin`].
    pub harm_beyond_margin: f64,
}

impl Default for Running {
    fn default() -> Self {
        Running { safe: 1.0, harm: 1.0, harm_beyond_margin: 1.0 }
    }
}

impl Running {
    /// One more look.
    pub fn look(&mut self, look: &Look) {
        self.safe = self.safe.min(look.safe.p_value);
        self.harm = self.harm.min(look.harm.p_value);
        self.harm_beyond_margin = self.harm_beyond_margin.min(look.harm_beyond_margin.p_value);
    }

    /// Whether E has reached 1/alpha for "not worse than the margin".
    pub fn is_safe(&self, alpha: Alpha) -> bool {
        self.safe <= alpha.value()
    }

    /// Whether E has reached 1/alpha for "worse".
    pub fn is_harmful(&self, alpha: Alpha) -> bool {
        self.harm <= alpha.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(n: f64, share: f64) -> Arm {
        Arm::of_conversions(n, n * share)
    }

    fn look(margin: Margin, better: Better, control: f64, treatment: f64) -> Look {
        let guardrail = Guardrail::new(margin, better, Alpha::FIVE_PERCENT, 50_000.0).unwrap();
        guardrail.look(&rates(50_000.0, control), &rates(50_000.0, treatment), None)
    }

    #[test]
    fn no_effect_is_safe_and_a_large_loss_is_harm() {
        let same = look(Margin::Absolute(0.005), Better::More, 0.05, 0.05);
        assert!(same.safe.p_value < 0.05 && same.harm.p_value == 1.0 && same.bound > -0.005);
        let worse = look(Margin::Absolute(0.005), Better::More, 0.05, 0.03);
        assert!(worse.safe.p_value == 1.0 && worse.harm_beyond_margin.p_value < 1e-6 && worse.harm.p_value < 1e-6);
        assert!(worse.safe.ln_e > -40.0);
    }

    #[test]
    fn a_relative_margin_is_a_share_of_the_control() {
        let relative = look(Margin::Relative(0.1), Better::More, 0.05, 0.0505);
        let absolute = look(Margin::Absolute(0.005), Better::More, 0.05, 0.0505);
        assert!((relative.safe.ln_e - absolute.safe.ln_e).abs() < 0.2 * absolute.safe.ln_e);
        assert_eq!(relative.harm, absolute.harm);
    }

    #[test]
    fn less_is_better_for_errors() {
        assert!(look(Margin::Relative(0.1), Better::Less, 0.05, 0.04).safe.p_value < 1e-6);
        assert!(look(Margin::Relative(0.1), Better::Less, 0.05, 0.07).harm_beyond_margin.p_value < 1e-6);
        assert!(look(Margin::Absolute(0.005), Better::Less, 0.05, 0.07).harm_beyond_margin.p_value < 1e-6);
    }

    #[test]
    fn bad_designs_are_refused() {
        let new = |margin, alpha| Guardrail::new(margin, Better::More, Alpha::new(alpha).unwrap(), 1e4);
        assert!(new(Margin::Relative(1.0), 0.05).is_err() && new(Margin::Absolute(0.0), 0.05).is_err());
        assert!(new(Margin::Absolute(1.0), 0.5).is_err());
    }
}
