//! Planning (§3.4): how many units a test needs, how likely it finds an effect, what the smallest effect is that it finds, how long it takes.
//!
//! [`proportions`], [`means`] and [`ratios`] plan a single look at the end; [`inflation`] says by how much a sequential plan may exceed that, and where
//! it stops on average; [`duration`] turns units into days. All assume that the variance under the plan is the one that comes, and say
//! nothing about tests that are stopped when they look significant. After the test they say nothing at all: power "observed" from the
//! estimate is a transformation of the p-value.

pub mod duration;
pub mod inflation;
pub mod means;
pub mod proportions;
pub mod ratios;

use crate::alpha::Alpha;
use crate::sides::Sides;
use crate::special::normal_upper_quantile;
use libm::{ceil, fmax};

/// Relative amount by which a size may exceed a whole number through rounding and still be that number.
const ROUNDING: f64 = 1e-12;

/// A plan that cannot be computed, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A rate outside [0, 1].
    #[error("a rate lies between 0 and 1, as in 0.05 for 5 %")]
    Rate,
    /// No effect to find.
    #[error("the target equals the baseline; an effect of 0 is never found, whatever the sample")]
    NoEffect,
    /// Power must be above what no data gives.
    #[error("power lies between alpha per side and 1, as in 0.8; with less, no sample is needed")]
    Power,
    /// Treatment over control.
    #[error("the allocation ratio is treatment units per control unit, above 0 and finite")]
    Ratio,
    /// At least one treatment.
    #[error("there are 1 to 1,000 treatments beside the control")]
    Treatments,
    /// Sizes of arms.
    #[error("an arm has at least one unit, for a t test two, and finitely many")]
    Size,
    /// Standard deviations.
    #[error("a standard deviation is above 0 and finite")]
    Deviation,
    /// Traffic.
    #[error("units per day are above 0, and the share of traffic lies above 0 and at most at 1")]
    Traffic,
    /// The planned maximum is too far away.
    #[error("the power is not reached within 20 times the fixed sample, or the sample is infinite")]
    OutOfReach,
    /// A group sequential design that cannot be computed.
    #[error(transparent)]
    Design(#[from] crate::group_sequential::DesignError),
}

/// What a test promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// Type I error, over all treatments.
    pub alpha: Alpha,
    /// One or two sides.
    pub sides: Sides,
    /// Chance to find the effect, as in 0.8.
    pub power: f64,
    /// Alpha is divided by this (Bonferroni); 1 for no correction.
    pub comparisons: u32,
}

impl Promise {
    /// z of alpha per side and comparison.
    pub fn z_alpha(&self) -> f64 {
        normal_upper_quantile(self.per_side())
    }

    /// The drift of the fixed test at its planned end: z of alpha per side plus z of beta.
    pub fn drift(&self) -> f64 {
        self.z_alpha() + self.z_beta()
    }

    /// z of beta.
    pub fn z_beta(&self) -> f64 {
        -normal_upper_quantile(self.power)
    }

    fn per_side(&self) -> f64 {
        self.sides.share(self.alpha.divided(self.comparisons)).value()
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.comparisons == 0 || self.comparisons > 1_000 {
            return Err(PlanError::Treatments);
        }
        if self.power > self.per_side() && self.power < 1.0 { Ok(()) } else { Err(PlanError::Power) }
    }
}

/// Units that a plan needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleSize {
    /// Before rounding up.
    pub control_exact: f64,
    /// Whole units of the control.
    pub control: f64,
    /// Whole units of each treatment.
    pub treatment: f64,
    /// Of the control and all treatments.
    pub total: f64,
}

impl SampleSize {
    fn of(control_exact: f64, ratio: f64, treatments: u32, least: f64) -> SampleSize {
        let control = fmax(least, whole(control_exact));
        let treatment = fmax(least, whole(ratio * control_exact));
        SampleSize { control_exact, control, treatment, total: control + f64::from(treatments) * treatment }
    }
}

/// The next whole number, unless only rounding made it exceed one.
fn whole(size: f64) -> f64 {
    ceil(size * (1.0 - ROUNDING))
}

fn check_ratio(ratio: f64) -> Result<(), PlanError> {
    if ratio > 0.0 && ratio.is_finite() && (1.0 / ratio).is_finite() { Ok(()) } else { Err(PlanError::Ratio) }
}
