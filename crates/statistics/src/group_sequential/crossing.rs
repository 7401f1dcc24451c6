//! The chance to stop at each look of a design with given bounds, with or without an effect.
//!
//! `theta` is the drift: E Z(t) = theta sqrt(t), so a test with fixed-sample power 80 % at two-sided 5 % has a drift of 1.96 + 0.84 at
//! information 1. With drift 0 the sum is the type I error, which shows what looking five times with 1.96 really costs: 14.2 %.

use super::recursion::Recursion;
use super::{DesignError, check_bounds, check_information, check_steps};
use crate::sides::Sides;
use libm::{fmax, sqrt};

/// First crossings, look by look.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// Upwards at each look.
    pub upper: Vec<f64>,
    /// Downwards at each look; zeros if the test has one side.
    pub lower: Vec<f64>,
    /// Over all looks and both directions.
    pub reject: f64,
    /// Average information at the end: at the crossing, or at the last look without one.
    pub expected_information: f64,
}

/// First crossings of `bounds` (in Z, infinite where a look cannot stop) at looks with this `information`, under `drift`.
pub fn crossing_probability(
    information: &[f64],
    bounds: &[f64],
    sides: Sides,
    drift: f64,
) -> Result<Crossing, DesignError> {
    check_information(information)?;
    check_steps(information)?;
    check_bounds(information, bounds, sides)?;
    if !drift.is_finite() {
        return Err(DesignError::Parameter("a drift is a finite number, as in 2.8"));
    }
    let recursion = Recursion::through(information, bounds, sides, drift);
    Ok(crossing(&recursion, bounds, sides, drift))
}

/// The same from a recursion that is there, under a drift that may differ from its reference.
pub(super) fn crossing(recursion: &Recursion, bounds: &[f64], sides: Sides, drift: f64) -> Crossing {
    let mut result = Crossing { upper: Vec::new(), lower: Vec::new(), reject: 0.0, expected_information: 0.0 };
    let mut end = 0.0;
    for (stage, z) in recursion.stages().iter().zip(bounds) {
        let bound = z * sqrt(stage.now);
        let upper = stage.above(bound, drift);
        let lower = if sides == Sides::Two { stage.below(-bound, drift) } else { 0.0 };
        result.upper.push(upper);
        result.lower.push(lower);
        result.reject += upper + lower;
        result.expected_information += stage.now * (upper + lower);
        end = stage.now;
    }
    result.reject = result.reject.min(1.0);
    result.expected_information += end * fmax(0.0, 1.0 - result.reject);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naive_looks_cost_what_is_published() {
        for (looks, expected) in [(2, 0.0831), (5, 0.1417), (10, 0.1934), (20, 0.2479), (50, 0.3204)] {
            let information: Vec<f64> = (1..=looks).map(|k| f64::from(k) / f64::from(looks)).collect();
            let bounds = vec![1.959_963_984_540_054; information.len()];
            let got = crossing_probability(&information, &bounds, Sides::Two, 0.0).unwrap().reject;
            assert!((got - expected).abs() < 1e-4, "{looks}: {got}");
        }
    }

    #[test]
    fn looks_that_cannot_stop_change_nothing() {
        let bounds = [f64::INFINITY, 1e6, 1.959_963_984_540_054];
        let got = crossing_probability(&[0.1, 0.5, 1.0], &bounds, Sides::Two, 40.0).unwrap();
        assert!((got.upper[2] - 1.0).abs() < 1e-12, "{got:?}");
        let none = crossing_probability(&[0.1, 0.5, 1.0], &bounds, Sides::Two, 0.0).unwrap();
        assert!((none.reject - 0.05).abs() < 1e-13, "{none:?}");
    }

    #[test]
    fn a_tilted_recursion_is_one_with_that_drift() {
        let (information, bounds) = ([0.25, 0.5, 1.0], [3.0, 2.5, 2.0]);
        let own = crossing_probability(&information, &bounds, Sides::Two, 3.0).unwrap();
        let tilted = Recursion::through(&information, &bounds, Sides::Two, 0.0);
        let tilted = crossing(&tilted, &bounds, Sides::Two, 3.0);
        for (one, other) in own.upper.iter().zip(&tilted.upper) {
            assert!((one - other).abs() < 1e-13, "{one} is not {other}");
        }
    }
}
