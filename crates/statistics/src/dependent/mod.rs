//! Units that depend on each other (§9): whole clusters or time slots are randomised, or a unit feels its neighbours' treatment.
//!
//! [`cluster_robust`] compares arms of clusters, [`switchback`] arms of time slots, [`intraclass`] says beforehand what clustering costs, and
//! [`hajek`] with [`exposure`] weighs units by the probability of what they and their neighbours were given. In all of them the number that
//! counts is that of clusters, not of events: a thousand events in four slots are four observations.

pub mod cluster_robust;
pub mod exposure;
pub mod hajek;
pub mod intraclass;
pub mod switchback;

use crate::alpha::Alpha;
use crate::special::{student_two_sided, student_upper_quantile};

/// The square root of the largest double, less a margin for products.
const T_MAX: f64 = 1e150;
/// Degrees of freedom from which Student's t and the normal distribution agree to the last bit.
const DF_MAX: f64 = 1e17;

/// A test by Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StudentTest {
    /// Estimate over its standard error.
    pub t: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl StudentTest {
    /// `None` (degenerate) without variance.
    fn new(estimate: f64, variance: f64, df: f64, alpha: Alpha) -> Option<StudentTest> {
        let standard_error = variance.sqrt();
        let t = estimate / standard_error;
        if !(variance > 0.0 && t.is_finite() && df > 0.0) {
            return None;
        }
        // Beyond these bounds squares overflow, and the tail is that of the normal distribution, or 0.
        let (p_value, ln_p_value) = student_two_sided(t.clamp(-T_MAX, T_MAX), df.min(DF_MAX));
        let half = student_upper_quantile(alpha.divided(2).value(), df.min(DF_MAX)) * standard_error;
        Some(StudentTest { t, df, p_value, ln_p_value, low: estimate - half, high: estimate + half })
    }
}
