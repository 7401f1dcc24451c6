//! Inference that holds at every look (§1): a p-value that may be read, and acted on, at any time.
//!
//! The default is [`compare`]: the two-sample normal mixture with a variance floor. Beside it, one file per method:
//!
//! | module | for what |
//! | --- | --- |
//! | [`normal_mixture`] | the formula itself, from an estimate and its variance |
//! | [`epochs`] | a split that changed on the way |
//! | [`label_test`] | conversions, exactly: no waiting period, two integers |
//! | [`safe_two_proportions`] | conversions in blocks of one unit per arm, exactly |
//! | [`t_mixture`] | few units with normal values |
//! | [`half_normal`] | one-sided, for guardrails |
//! | [`msprt`] | a mixing variance in units of the effect |
//! | [`process`] | any sum with an intrinsic time |
//! | [`growthbook`] | the numbers another engine shows |
//!
//! `E` is evidence: under the null its expectation is at most 1 at every stopping time, so that it reaches `1/alpha` with probability
//! at most alpha, ever (Ville). All of it is kept as ln E, which is finite where `p = 1/E` has long underflowed.

mod comparison;
mod design;
pub mod epochs;
pub mod growthbook;
pub mod half_normal;
pub mod label_test;
pub mod msprt;
pub mod normal_mixture;
pub mod process;
mod projection;
mod running;
pub mod safe_two_proportions;
pub mod t_mixture;

pub use comparison::{Comparison, Estimate, Status, Variance, compare, compare_estimate, variance};
pub use design::{Design, Rule, tuned};
pub use normal_mixture::{ln_e, multiplier};
pub use projection::units_until;
pub use running::Running;

/// min(1, 1/E).
pub fn p_value(ln_e: f64) -> f64 {
    libm::exp(-ln_e.max(0.0))
}
