//! Does the effect differ between groups, and are the groups comparable (§8)?
//!
//! [`interaction`] for overlapping experiments, [`post_stratification`] for an effect that no shift between segments can turn around,
//! [`simpson`] for the alarm that it did, [`balance`] for the segments' sizes, [`meta_analysis`] (Cochran, DerSimonian and Laird) for means
//! and [`mantel_haenszel`] with [`breslow_day`] for conversions.
//!
//! All of it reads **one** look at fixed-horizon data. Segments are fixed at or before the exposure; one that the treatment can move (device
//! after an app prompt, pages visited) makes every number here meaningless. Many segments are many tests: nothing here corrects for that.

pub mod balance;
pub mod breslow_day;
pub mod interaction;
pub mod mantel_haenszel;
pub mod meta_analysis;
pub mod post_stratification;
pub mod simpson;

use crate::special::{ln_gamma_tail, normal_two_sided};
use libm::exp;

/// A chi-square statistic and its upper tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquareTest {
    /// Never negative.
    pub statistic: f64,
    /// Degrees of freedom.
    pub df: usize,
    /// Upper tail; 1 without degrees of freedom.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
}

impl ChiSquareTest {
    /// `None` where the statistic could not be computed.
    fn new(statistic: f64, df: usize) -> Option<ChiSquareTest> {
        if statistic.is_nan() {
            return None;
        }
        let statistic = statistic.max(0.0);
        let ln_p_value = match df {
            0 => 0.0,
            // One degree of freedom is a squared normal, whose tail keeps more digits.
            1 => normal_two_sided(statistic.sqrt()).1,
            _ if statistic.is_infinite() => f64::NEG_INFINITY,
            _ => ln_gamma_tail(0.5 * df as f64, 0.5 * statistic).min(0.0),
        };
        Some(ChiSquareTest { statistic, df, p_value: exp(ln_p_value), ln_p_value })
    }
}

/// A normal test of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalTest {
    /// Estimate over its standard error.
    pub z: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
}

impl NormalTest {
    /// `None` (degenerate) without variance.
    fn new(estimate: f64, variance: f64) -> Option<NormalTest> {
        let z = estimate / variance.sqrt();
        if !(variance > 0.0 && variance.is_finite() && z.is_finite()) {
            return None;
        }
        let (p_value, ln_p_value) = normal_two_sided(z);
        Some(NormalTest { z, p_value, ln_p_value })
    }
}
