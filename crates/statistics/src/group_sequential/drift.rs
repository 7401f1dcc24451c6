//! From a power to a drift, and from a drift to the time at which the power is reached: what planning asks of the recursion.

use super::crossing::crossing;
use super::recursion::Recursion;
use super::{DesignError, check_bounds, check_information, check_steps};
use crate::root::root;
use crate::sides::Sides;
use libm::sqrt;

/// Precision of a drift.
const DRIFT_TOLERANCE: f64 = 1e-11;

/// A drift under which every test of this crate has stopped at its first look.
const DRIFT_MAX: f64 = 40.0;

/// The drift under which a design rejects with probability `power`, and the average information at its end under it.
///
/// Divided by the fixed test's drift and squared it is the inflation of the sample.
pub fn drift_for_power(
    information: &[f64],
    bounds: &[f64],
    sides: Sides,
    power: f64,
) -> Result<(f64, f64), DesignError> {
    check_information(information)?;
    check_steps(information)?;
    check_bounds(information, bounds, sides)?;
    let end = sqrt(information[information.len() - 1]);
    // Kept for the middle of the drifts in question; the others come by tilting.
    let paths = Recursion::through(information, bounds, sides, 3.0 / end);
    let excess = |drift: f64| crossing(&paths, bounds, sides, drift).reject - power;
    let drift = root(0.0, DRIFT_MAX / end, DRIFT_TOLERANCE / end, excess);
    let drift = drift.ok_or(DesignError::Parameter("the power lies between alpha and 1, as in 0.8"))?;
    Ok((drift, crossing(&paths, bounds, sides, drift).expected_information))
}

/// A test that is followed until its power is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Followed {
    /// When the power is reached.
    pub(crate) end: f64,
    /// Average time of stopping, at the end at the latest.
    pub(crate) average: f64,
    /// Power at time 1.
    pub(crate) power_at_one: f64,
}

/// Looks at `times` with `bound` of the time, under `drift`: each time with the chance to stop there and not before.
pub(crate) fn course(
    times: impl Iterator<Item = f64>,
    bound: impl Fn(f64) -> f64,
    sides: Sides,
    drift: f64,
) -> impl Iterator<Item = (f64, f64)> {
    let mut recursion = Recursion::new(sides, drift);
    times.map(move |t| {
        let z = bound(t);
        let stage = recursion.advance(t);
        let lower = if sides == Sides::Two { stage.below(-z * sqrt(t), drift) } else { 0.0 };
        let stops = stage.above(z * sqrt(t), drift) + lower;
        recursion.close(z);
        (t, stops)
    })
}

/// Follows a course until `power` is reached. `None` if it is not.
pub(crate) fn follow(course: impl Iterator<Item = (f64, f64)>, power: f64) -> Option<Followed> {
    let (mut reached, mut before, mut weighted) = (0.0, 0.0, 0.0);
    let mut power_at_one = None;
    for (t, stops) in course {
        if t >= 1.0 && power_at_one.is_none() {
            power_at_one = Some(reached + stops);
        }
        if reached + stops >= power {
            let share = (power - reached) / stops;
            let end = before + share * (t - before);
            let average = weighted + end * (power - reached) + end * (1.0 - power);
            return Some(Followed { end, average, power_at_one: power_at_one.unwrap_or(power) });
        }
        (reached, before, weighted) = (reached + stops, t, weighted + t * stops);
    }
    None
}
