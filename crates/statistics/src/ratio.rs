//! Ratio metrics by the delta method (§3.3; Deng, Knoblich and Lu, 1803.06336): clicks per page view, when users are randomised.
//!
//! `R = Σy/Σx` per arm and `Var R = (s_y² - 2 R s_xy + R² s_x²)/(n x̄²)`, the variances and the covariance over units. Page views of one user are
//! not independent, so that treating them as the sample would understate the variance. `d = R_t - R_c`, and quantiles are normal: the method is for
//! thousands of units, and needs an x̄ far from 0 in standard errors.
//!
//! `(d, V, N)` also goes into the always-valid methods: [`Sums::arm`] gives the arm of the linearised unit value `(y - R x)/x̄`.

use crate::alpha::Alpha;
use crate::fixed_horizon::{self, Test};
use crate::lift::{self, Lift, Mean};
use crate::moments::{Arm, centred_sum};
use crate::special::normal_upper_quantile;

/// Sums over the units of an arm, in floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sums {
    /// Number of units.
    pub n: f64,
    /// Σy.
    pub y: f64,
    /// Σx.
    pub x: f64,
    /// Σy².
    pub yy: f64,
    /// Σx².
    pub xx: f64,
    /// Σxy.
    pub xy: f64,
}

impl Sums {
    /// The arm of the linearised unit value, whose mean is R. `None` without units or when Σx is 0.
    pub fn arm(&self) -> Option<Arm> {
        let ratio = self.y / self.x;
        if self.n <= 0.0 || !ratio.is_finite() {
            return None;
        }
        let mean_x = self.x / self.n;
        let centred = |a, b, ab| centred_sum(self.n, a, b, ab);
        let (yy, xx, xy) =
            (centred(self.y, self.y, self.yy), centred(self.x, self.x, self.xx), centred(self.x, self.y, self.xy));
        let m2 = (yy - 2.0 * ratio * xy + ratio * ratio * xx).max(0.0) / mean_x / mean_x;
        Some(Arm { n: self.n, mean: ratio, m2 })
    }
}

/// The ratios compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratios {
    /// R and its variance.
    pub control: Mean,
    /// R and its variance.
    pub treatment: Mean,
    /// The difference; `None` (degenerate) without variance or with fewer than two units in an arm.
    pub test: Option<Test>,
    /// Lift, its variance and its interval by the delta method; `None` when the control's ratio is 0.
    pub lift: Option<(f64, f64, Lift)>,
}

/// Compares two ratios. `None` when one does not exist.
pub fn compare(control: &Sums, treatment: &Sums, alpha: Alpha) -> Option<Ratios> {
    let arms = (control.arm()?, treatment.arm()?);
    let (c, t) = (Mean::of(&arms.0), Mean::of(&arms.1));
    let enough = control.n >= 2.0 && treatment.n >= 2.0;
    let test = enough.then(|| fixed_horizon::z(t.mean - c.mean, c.variance + t.variance, alpha)).flatten();
    let critical = normal_upper_quantile(alpha.divided(2).value());
    let lift = test.and_then(|_| lift::delta_of_means(&c, &t)).zip(lift::delta_interval(&c, &t, critical));
    Some(Ratios { control: c, treatment: t, test, lift: lift.map(|((lift, variance), set)| (lift, variance, set)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denominator_of_one_per_unit_is_a_mean() {
        let sums = Sums { n: 4.0, y: 10.0, x: 4.0, yy: 30.0, xx: 4.0, xy: 10.0 };
        assert_eq!(sums.arm(), Some(Arm { n: 4.0, mean: 2.5, m2: 5.0 }));
        assert_eq!(Sums { x: 0.0, ..sums }.arm(), None);
    }
}
