//! Two values per unit, in floats: means, squared deviations and the cross product, for ratios and covariates (§10).
//!
//! Merged as [`super::Floating`]: `C_xy = C_xy,a + C_xy,b + δ_x δ_y n_a n_b/n`.

use super::{Arm, merged_mean};
use libm::sqrt;

/// Cross moments of the pairs so far. Empty is the identity of merging.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cross {
    /// Number of pairs.
    pub n: f64,
    /// x̄.
    pub mean_x: f64,
    /// ȳ.
    pub mean_y: f64,
    /// Σ(x-x̄)².
    pub xx: f64,
    /// Σ(y-ȳ)².
    pub yy: f64,
    /// Σ(x-x̄)(y-ȳ).
    pub xy: f64,
}

impl Cross {
    /// Of pairs (x, y), in the order given.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Cross {
        pairs.into_iter().fold(Cross::default(), |cross, (x, y)| {
            cross.merge(&Cross { n: 1.0, mean_x: x, mean_y: y, ..Cross::default() })
        })
    }

    /// The pairs of both.
    pub fn merge(&self, other: &Cross) -> Cross {
        if self.n <= 0.0 || other.n <= 0.0 {
            return if self.n <= 0.0 { *other } else { *self };
        }
        let n = self.n + other.n;
        let (a, b) = (self.n / n, other.n / n);
        let (gap_x, gap_y) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let weight = b * self.n;
        Cross {
            n,
            mean_x: merged_mean(self.mean_x, other.mean_x, a, b),
            mean_y: merged_mean(self.mean_y, other.mean_y, a, b),
            xx: self.xx + other.xx + gap_x * gap_x * weight,
            yy: self.yy + other.yy + gap_y * gap_y * weight,
            xy: finite(self.xy + other.xy + gap_x * gap_y * weight),
        }
    }

    /// Pearson's r, between -1 and 1; `None` where x or y does not vary.
    pub fn correlation(&self) -> Option<f64> {
        let (x, y) = (sqrt(self.xx), sqrt(self.yy));
        let correlation = self.xy / x / y;
        (x > 0.0 && y > 0.0 && correlation.is_finite()).then(|| correlation.clamp(-1.0, 1.0))
    }

    /// The arm of x.
    pub fn arm_x(&self) -> Arm {
        Arm { n: self.n, mean: self.mean_x, m2: self.xx }
    }

    /// The arm of y.
    pub fn arm_y(&self) -> Arm {
        Arm { n: self.n, mean: self.mean_y, m2: self.yy }
    }
}

/// A cross product that overflowed in both directions is unknown; 0 claims nothing.
fn finite(cross: f64) -> f64 {
    if cross.is_nan() { 0.0 } else { cross }
}
