//! Group sequential tests (§2): a few looks at times that may be planned or not, each with a boundary, alpha spent over all of them.
//!
//! Under a constant effect the statistic `Z` at information `t` (a fraction of the planned maximum: N/N_max, or the ratio of 1/V) makes
//! `B(t) = Z sqrt(t)` a Brownian motion with drift `theta`, seen at the looks. [`recursion`] integrates the paths that have not stopped
//! (Armitage, McPherson and Rowe, 1969); everything else here asks it: [`Design`] finds the bounds that spend alpha as a [`Spending`]
//! function says (Lan and DeMets, 1983), [`classical`] finds the bounds of a fixed shape, [`crossing_probability`] gives the chance to
//! stop at each look, [`repeated`] what may be said at every look, and [`stagewise`] what may be said when the test has stopped.
//!
//! `Z` is approximately normal; nothing here corrects for arms of a few dozen units. The error is bounded by alpha at the looks that
//! were made with these bounds and only there: a look in between that would have stopped the test makes it void, and the choice of the
//! time of the next look must not depend on the results so far. Compared with the always-valid method the maximum is a few percent
//! above a fixed sample rather than 65 %, at the price that the end is fixed.

mod bounds;
pub mod classical;
mod crossing;
mod drift;
mod recursion;
pub mod repeated;
mod spending;
pub mod stagewise;

pub use bounds::{Design, Look, Z_CAP};
pub use classical::{Shape, classical_bounds};
pub use crossing::{Crossing, crossing_probability};
pub use drift::drift_for_power;
pub(crate) use drift::{course, follow};
pub use spending::Spending;

/// Looks that a test may have. Daily looks for almost three years; the cost of the integration grows with each, and a test that is
/// looked at more often than that is better served by the always-valid method.
pub const LOOKS_MAX: usize = 1_000;

/// Looks of which the later has less than this much more information, relative to what it has, cannot be told apart by the integration.
const STEP_MIN: f64 = 1e-5;

/// Sum over the looks of the square root of information over step, to which the work is proportional: 1,000 equally spaced looks
/// have 21,000, and take a second.
const EFFORT_MAX: f64 = 60_000.0;

/// A design that cannot be computed, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DesignError {
    /// No look, or more than [`LOOKS_MAX`].
    #[error("a group sequential test has 1 to {LOOKS_MAX} looks and not {0}; with more, use the always-valid method")]
    Looks(usize),
    /// Information must grow from look to look.
    #[error("information grows from look to look, starting above 0 and finite; the value at look {0} does not")]
    Information(usize),
    /// Two looks at almost the same time.
    #[error(
        "look {0} has less than one part in 100,000 more information than the look before; leave one of the two out"
    )]
    TooClose(usize),
    /// One bound per look.
    #[error("there are {looks} looks and {bounds} bounds; give one bound per look")]
    BoundPerLook {
        /// Number of information values.
        looks: usize,
        /// Number of bounds.
        bounds: usize,
    },
    /// A bound that is not a number, or a negative one in a two-sided test.
    #[error("the bound of look {0} is not a number, or below 0 although the test has two sides")]
    Bound(usize),
    /// A parameter of the spending function or of the shape.
    #[error("{0}")]
    Parameter(&'static str),
    /// An interim boundary leaves nothing for the last look.
    #[error("the interim bounds alone spend more than alpha; raise them or make fewer looks")]
    Overspent,
    /// The stage at which the test stopped.
    #[error("the test stopped at a look between 1 and {looks}, and {stage} is none")]
    Stage {
        /// What was given.
        stage: usize,
        /// How many looks there are.
        looks: usize,
    },
}

/// Refuses information that does not grow, and more looks than there may be.
fn check_information(information: &[f64]) -> Result<(), DesignError> {
    if information.is_empty() || information.len() > LOOKS_MAX {
        return Err(DesignError::Looks(information.len()));
    }
    let mut before = 0.0;
    for (index, &t) in information.iter().enumerate() {
        if !(t > before && t.is_finite() && t >= f64::MIN_POSITIVE) {
            return Err(DesignError::Information(index + 1));
        }
        before = t;
    }
    Ok(())
}

/// Refuses looks that the integration cannot tell apart, and so many close ones that it would take minutes.
fn check_steps(information: &[f64]) -> Result<(), DesignError> {
    let mut effort = 0.0;
    for (index, pair) in information.windows(2).enumerate() {
        let step = (pair[1] - pair[0]) / pair[1];
        effort += 1.0 / libm::sqrt(step);
        if step < STEP_MIN || effort > EFFORT_MAX {
            return Err(DesignError::TooClose(index + 2));
        }
    }
    Ok(())
}

/// Refuses bounds that cannot be those of these looks.
fn check_bounds(information: &[f64], bounds: &[f64], sides: crate::sides::Sides) -> Result<(), DesignError> {
    if information.len() != bounds.len() {
        return Err(DesignError::BoundPerLook { looks: information.len(), bounds: bounds.len() });
    }
    let wrong = |z: &f64| z.is_nan() || (sides == crate::sides::Sides::Two && *z < 0.0);
    bounds.iter().position(wrong).map_or(Ok(()), |index| Err(DesignError::Bound(index + 1)))
}
