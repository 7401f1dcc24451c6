//! The share of errors that is tolerated: a type, because a call with 5 instead of 0.05 must not compile into a result.

use libm::log;

/// A probability of error, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Alpha(f64);

/// A number that is no [`Alpha`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("alpha lies between 0 and 1, as in 0.05 for 5 %, and {0} does not")]
pub struct NotAlpha(pub f64);

impl Alpha {
    /// What is usual.
    pub const FIVE_PERCENT: Alpha = Alpha(0.05);

    /// Refuses everything outside (0, 1), NaN too.
    pub fn new(value: f64) -> Result<Alpha, NotAlpha> {
        if value > 0.0 && value < 1.0 { Ok(Alpha(value)) } else { Err(NotAlpha(value)) }
    }

    /// As a number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Its natural logarithm, negative.
    pub fn ln(self) -> f64 {
        log(self.0)
    }

    /// An equal share of it, for each of `parts` (Bonferroni, or the sides of a test). The smallest number has no smaller share.
    pub fn divided(self, parts: u32) -> Alpha {
        assert!(parts > 0, "something is divided among at least one");
        Alpha((self.0 / f64::from(parts)).max(f64::from_bits(1)))
    }
}
