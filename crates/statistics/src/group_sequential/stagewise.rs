//! What may be said when a group sequential test has stopped: p-value, interval and estimate by the stage-wise ordering (§2.3).
//!
//! Tsiatis, Rosner and Mehta (1984): an outcome (look, Z) is the more extreme upwards the earlier it crossed the upper boundary, then the
//! larger its Z; crossings downwards mirror this. With `p(theta)` the probability under drift `theta` of an earlier upper crossing, or of
//! reaching this look and a value of at least `z` there, `p(0)` is the p-value, the interval solves `p(theta) = alpha/2` and `1 - alpha/2`,
//! and `p(theta) = 1/2` gives the median-unbiased estimate. It agrees with the decision of the test, and needs no plan for later looks.
//!
//! `theta` is in drift units, E Z(t) = theta sqrt(t); divided by the square root of the total information (1/V at t = 1) it is an effect.
//! The naive estimate at a stop is biased away from 0; this one is as often too high as too low.

use super::recursion::Recursion;
use super::{DesignError, check_bounds, check_information, check_steps};
use crate::alpha::Alpha;
use crate::root::root;
use crate::sides::Sides;
use libm::{fabs, fmin, sqrt};

/// Precision of a drift, in its standard error.
const DRIFT_TOLERANCE: f64 = 1e-11;

/// Doublings of the bracket around the estimate; after these it is wider than any double can need.
const DOUBLINGS_MAX: u32 = 40;

/// A test that stopped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopped<'a> {
    /// Information at the looks, at least up to the one at which it stopped.
    pub information: &'a [f64],
    /// Bounds in Z at those looks.
    pub bounds: &'a [f64],
    /// One or two; two-sided bounds are symmetric.
    pub sides: Sides,
    /// The look at which it stopped, 1 for the first.
    pub stage: usize,
    /// Z there.
    pub z: f64,
}

/// What the stage-wise ordering says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stagewise {
    /// Of outcomes at least as extreme upwards, without an effect.
    pub p_upper: f64,
    /// `2 min(p, 1 - p)`; with one side the same as `p_upper`.
    pub p_value: f64,
    /// Lower end of the interval of the drift.
    pub drift_low: f64,
    /// Its upper end.
    pub drift_high: f64,
    /// As often above the true drift as below.
    pub drift_median: f64,
    /// Lower end of the repeated interval `(z -/+ c_k) / sqrt(t_k)` of this look.
    pub repeated_low: f64,
    /// Its upper end.
    pub repeated_high: f64,
}

/// Evaluates a stopped test. The interval errs by alpha per side if the test has one, by half of it if it has two.
pub fn stagewise(stopped: &Stopped<'_>, alpha: Alpha) -> Result<Stagewise, DesignError> {
    let (k, looks) = (stopped.stage, stopped.information.len());
    check_information(stopped.information)?;
    check_steps(stopped.information)?;
    check_bounds(stopped.information, stopped.bounds, stopped.sides)?;
    if k == 0 || k > looks {
        return Err(DesignError::Stage { stage: k, looks });
    }
    if !stopped.z.is_finite() {
        return Err(DesignError::Parameter("z is a finite number"));
    }
    let root_t = sqrt(stopped.information[k - 1]);
    let ordering = Ordering::new(stopped);
    let per_side = stopped.sides.share(alpha).value();
    let (p_upper, p_lower) = (ordering.upper(0.0), ordering.lower(0.0));
    let p_value = if stopped.sides == Sides::Two { fmin(1.0, 2.0 * fmin(p_upper, p_lower)) } else { p_upper };
    let bound = stopped.bounds[k - 1];
    Ok(Stagewise {
        p_upper,
        p_value,
        drift_low: ordering.solve(per_side),
        drift_high: ordering.solve(1.0 - per_side),
        drift_median: ordering.solve(0.5),
        repeated_low: (stopped.z - bound) / root_t,
        repeated_high: (stopped.z + bound) / root_t,
    })
}

/// The probabilities of more extreme outcomes, for any drift.
struct Ordering<'a> {
    stopped: &'a Stopped<'a>,
    paths: Recursion,
    /// Standard error of a drift estimated at this look.
    error: f64,
}

impl<'a> Ordering<'a> {
    fn new(stopped: &'a Stopped<'a>) -> Ordering<'a> {
        let k = stopped.stage;
        let error = 1.0 / sqrt(stopped.information[k - 1]);
        let paths =
            Recursion::through(&stopped.information[..k], &stopped.bounds[..k], stopped.sides, stopped.z * error);
        Ordering { stopped, paths, error }
    }

    /// An earlier upper crossing, or at least `z` at this look.
    fn upper(&self, theta: f64) -> f64 {
        let sum = self.paths.stages().iter().enumerate().map(|(index, stage)| {
            let z = if index + 1 == self.stopped.stage { self.stopped.z } else { self.stopped.bounds[index] };
            stage.above(z * sqrt(stage.now), theta)
        });
        fmin(sum.sum(), 1.0)
    }

    /// The complement of [`Ordering::upper`], from its own terms because 1 - p loses a small one.
    fn lower(&self, theta: f64) -> f64 {
        let sum = self.paths.stages().iter().enumerate().map(|(index, stage)| {
            let root = sqrt(stage.now);
            if index + 1 == self.stopped.stage {
                stage.below(self.stopped.z * root, theta)
            } else if self.stopped.sides == Sides::Two {
                stage.below(-self.stopped.bounds[index] * root, theta)
            } else {
                0.0
            }
        });
        fmin(sum.sum(), 1.0)
    }

    /// The drift under which [`Ordering::upper`] is `level`: it grows with the drift.
    fn solve(&self, level: f64) -> f64 {
        let centre = self.stopped.z * self.error;
        let excess = |theta: f64| {
            if level > 0.5 { (1.0 - level) - self.lower(theta) } else { self.upper(theta) - level }
        };
        let (mut low, mut high) = (centre - 4.0 * self.error, centre + 4.0 * self.error);
        let mut width = 4.0 * self.error;
        for _ in 0..DOUBLINGS_MAX {
            if excess(low) < 0.0 {
                break;
            }
            (high, low) = (low, low - width);
            width *= 2.0;
        }
        width = 4.0 * self.error;
        for _ in 0..DOUBLINGS_MAX {
            if excess(high) > 0.0 {
                break;
            }
            (low, high) = (high, high + width);
            width *= 2.0;
        }
        let tolerance = DRIFT_TOLERANCE * (self.error + fabs(centre));
        root(low, high, tolerance, excess).unwrap_or(if excess(centre) > 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_first_look_it_is_the_fixed_test() {
        let stopped = Stopped { information: &[0.25, 1.0], bounds: &[2.5, 2.0], sides: Sides::Two, stage: 1, z: 2.75 };
        let got = stagewise(&stopped, Alpha::FIVE_PERCENT).unwrap();
        assert!(fabs(got.drift_median - 5.5) < 1e-9, "{got:?}");
        assert!(fabs(got.drift_low - (2.75 - 1.959_963_984_540_054) * 2.0) < 1e-9, "{got:?}");
        assert!(fabs(got.p_value - crate::special::normal_two_sided(2.75).0) < 1e-12, "{got:?}");
    }

    #[test]
    fn down_mirrors_up() {
        let stopped = |z| Stopped { information: &[0.5, 1.0], bounds: &[2.9, 2.0], sides: Sides::Two, stage: 2, z };
        let up = stagewise(&stopped(2.4), Alpha::FIVE_PERCENT).unwrap();
        let down = stagewise(&stopped(-2.4), Alpha::FIVE_PERCENT).unwrap();
        assert!(fabs(up.p_value - down.p_value) < 1e-12 && fabs(up.drift_low + down.drift_high) < 1e-8);
    }

    #[test]
    fn a_crossing_far_out_is_a_number() {
        let stopped =
            Stopped { information: &[0.5, 1.0], bounds: &[f64::INFINITY, 2.0], sides: Sides::Two, stage: 2, z: 60.0 };
        let got = stagewise(&stopped, Alpha::FIVE_PERCENT).unwrap();
        assert!(fabs(got.drift_median - 60.0) < 1e-6, "{got:?}");
    }
}
