//! Bounds that spend alpha as a spending function says (§2.1, §2.2), at looks that need not have been planned.
//!
//! At a look with information `t_k` the bound `c_k` (in Z) is where the chance to cross it there for the first time equals
//! `a(t_k) - a(t_{k-1})`. Two-sided designs spend alpha/2 per side and track both boundaries. The last look, once it is declared to be the
//! last, spends all that is left, whatever information it has: that covers tests that end early and tests that overrun.
//!
//! Bounds are found by Newton on the logarithm of the crossing probability, whose slope is the sub-density. That logarithm is
//! concave, so Newton from above (the bound of a single look with the same alpha) falls onto the root and never past it.

use super::recursion::{Recursion, Stage};
use super::{DesignError, Spending, check_bounds, check_information, check_steps};
use crate::alpha::Alpha;
use crate::sides::Sides;
use crate::special::normal_upper_quantile;
use libm::{erfc, exp, fabs, fmin, log, sqrt};

/// What a bound is reported as when it is higher: one cannot cross it, as Z beyond 8 has a probability of 1e-15.
pub const Z_CAP: f64 = 8.0;

/// What may be spent at a look below this is not worth a bound; rounding of the spending function is of that size.
const SPENT_MIN: f64 = 1e-16;

/// A look with less additional information than this (beyond the planned maximum: relative to it) is the same look as the one before.
const SAME_LOOK: f64 = 1e-4;

/// When Newton's step is below this the bound is known to more digits than the integration.
const STEP_DONE: f64 = 1e-13;

/// Alpha, its sides, and how it is spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// In total, over all looks and both sides.
    pub alpha: Alpha,
    /// One or two.
    pub sides: Sides,
    /// Chosen before the first look.
    pub spending: Spending,
    /// Bounds above it are reported as it; [`Z_CAP`] is usual.
    pub z_cap: f64,
}

/// A look of a design.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Fraction of the planned information.
    pub information: f64,
    /// The test stops when Z (two-sided: |Z|) is at least this.
    pub z: f64,
    /// The same as a threshold of the fixed-horizon p-value: sides × Phi-bar(z).
    pub nominal_p: f64,
    /// What the spending function allows to have been spent by now, over both sides.
    pub alpha_spent: f64,
}

impl Design {
    /// The bounds of all looks at these information fractions; a fraction above 1 spends like 1.
    ///
    /// A look with less than 1e-4 more information than the one before is the same look: it gets the same bound and decides nothing new.
    pub fn bounds(&self, information: &[f64]) -> Result<Vec<Look>, DesignError> {
        self.search(information, false, Limits::usual(self.z_cap))
    }

    /// The bounds when the last of these looks was declared final and so spends all that is left of alpha.
    pub fn bounds_final_exhausts(&self, information: &[f64]) -> Result<Vec<Look>, DesignError> {
        self.search(information, true, Limits::usual(self.z_cap))
    }

    /// The bound of one more look, planned or not, after looks at `information` that used `bounds`, which stay as they were.
    ///
    /// What was spent is what those bounds spent, even if the plan (and so the fractions) changed since. With `last` it spends the rest.
    pub fn next_bound(&self, information: &[f64], bounds: &[f64], t: f64, last: bool) -> Result<Look, DesignError> {
        self.spending.checked()?;
        let all: Vec<f64> = information.iter().copied().chain([t]).collect();
        check_information(&all)?;
        check_steps(&all)?;
        check_bounds(information, bounds, self.sides)?;
        let mut recursion = Recursion::through(information, bounds, self.sides, 0.0);
        let above = |stage: &Stage, z: &f64| stage.above(z * sqrt(stage.now), 0.0);
        let spent: f64 = recursion.stages().iter().zip(bounds).map(|(stage, z)| above(stage, z)).sum();
        let a = self.sides.share(self.alpha).value();
        let allowed = if last { a } else { self.spending.spent(a, t) };
        let z = bound(recursion.advance(t), allowed - spent, &Limits::usual(self.z_cap));
        Ok(self.look(t, z, allowed))
    }

    pub(super) fn search(&self, information: &[f64], exhaust: bool, limits: Limits) -> Result<Vec<Look>, DesignError> {
        self.spending.checked()?;
        check_information(information)?;
        if self.z_cap.is_nan() || self.z_cap <= 0.0 {
            return Err(DesignError::Parameter("z_cap is above 0, as in 8"));
        }
        let a = self.sides.share(self.alpha).value();
        let mut recursion = Recursion::new(self.sides, 0.0);
        let mut looks: Vec<Look> = Vec::with_capacity(information.len());
        let (mut spent, mut before) = (0.0, 0.0);
        for (index, &t) in information.iter().enumerate() {
            let last = exhaust && index + 1 == information.len();
            let allowed = if last { a } else { self.spending.spent(a, t) };
            if let Some(same) = looks.last().filter(|_| t - before < SAME_LOOK * t.max(1.0)) {
                looks.push(self.look(t, same.z, allowed));
                continue;
            }
            let z = bound(recursion.advance(t), allowed - spent, &limits);
            recursion.close(z);
            looks.push(self.look(t, z, allowed));
            (spent, before) = (allowed, t);
        }
        Ok(looks)
    }

    fn look(&self, information: f64, z: f64, spent_per_side: f64) -> Look {
        let sides = f64::from(self.sides.count());
        Look { information, z, nominal_p: nominal_p(self.sides, z), alpha_spent: sides * spent_per_side }
    }
}

/// The fixed-horizon p-value at the bound `z`.
pub(super) fn nominal_p(sides: Sides, z: f64) -> f64 {
    0.5 * f64::from(sides.count()) * erfc(z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Where a bound counts as infinite.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    cap: f64,
    spent_min: f64,
}

impl Limits {
    fn usual(cap: f64) -> Limits {
        Limits { cap, spent_min: SPENT_MIN }
    }

    /// As far as doubles go, for p-values of the size of 1e-300.
    pub(super) fn widest() -> Limits {
        Limits { cap: 37.0, spent_min: 1e-300 }
    }
}

/// The bound at which paths on their way to this look cross upwards with probability `spend`.
fn bound(stage: &Stage, spend: f64, limits: &Limits) -> f64 {
    let root = sqrt(stage.now);
    if spend.is_nan() || spend < limits.spent_min || stage.above(limits.cap * root, 0.0) >= spend {
        return limits.cap;
    }
    let mut z = fmin(normal_upper_quantile(spend), limits.cap);
    let target = log(spend);
    for _ in 0..100 {
        let crossing = stage.above(z * root, 0.0);
        let slope = root * stage.density(z * root) / crossing;
        let step = (log(crossing) - target) / slope;
        if !step.is_finite() {
            // So far beyond the paths that crossing has no probability in doubles: closer to them.
            z = 0.5 * (z + stage.top() / root);
            continue;
        }
        z += step;
        if fabs(step) < STEP_DONE * (1.0 + fabs(z)) {
            break;
        }
    }
    fmin(z, limits.cap)
}

/// ln of an alpha back to a probability, kept within the type.
pub(super) fn alpha_of_ln(ln_alpha: f64) -> Option<Alpha> {
    Alpha::new(exp(ln_alpha)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(spending: Spending) -> Design {
        Design { alpha: Alpha::FIVE_PERCENT, sides: Sides::Two, spending, z_cap: Z_CAP }
    }

    #[test]
    fn a_look_at_a_time_finds_the_same_bounds() {
        let information = [0.2, 0.4, 0.6, 0.8, 1.0];
        let looks = design(Spending::Pocock).bounds(&information).unwrap();
        let bounds: Vec<f64> = looks.iter().map(|look| look.z).collect();
        for k in 0..5 {
            let next =
                design(Spending::Pocock).next_bound(&information[..k], &bounds[..k], information[k], false).unwrap();
            assert!(fabs(next.z - bounds[k]) < 1e-10, "{} is not {}", next.z, bounds[k]);
        }
    }

    #[test]
    fn the_same_look_twice_is_one_look() {
        let looks = design(Spending::ObrienFleming).bounds(&[0.5, 0.500_01, 1.0]).unwrap();
        let once = design(Spending::ObrienFleming).bounds(&[0.5, 1.0]).unwrap();
        assert_eq!((looks[1].z, looks[2].z), (once[0].z, once[1].z));
    }

    #[test]
    fn what_cannot_be_designed_is_refused() {
        let refuse = |information: &[f64]| design(Spending::Pocock).bounds(information).is_err();
        assert!(
            refuse(&[]) && refuse(&[0.5, 0.5]) && refuse(&[-0.1]) && refuse(&[f64::NAN]) && refuse(&[f64::INFINITY])
        );
        assert!(refuse(&[0.5, 0.4]) && refuse(&vec![1.0; 1001]));
        assert!(design(Spending::Power { rho: -1.0 }).bounds(&[1.0]).is_err());
    }
}
