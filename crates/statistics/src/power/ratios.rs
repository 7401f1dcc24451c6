//! Planning of ratio metrics: a ratio of two means varies like the mean of its linearised unit value (§3.3), so that [`super::means`] plans it.
//!
//! With R = ȳ/x̄ the value of a unit is `(y - R x)/x̄`, and its variance `(s_y² - 2 R rho s_y s_x + R² s_x²)/x̄²`.

use super::PlanError;
use libm::{fmax, sqrt};

/// Mean and standard deviation over units of the linearised value of `numerator` by `denominator`, each given by its own mean and deviation.
pub fn linearised(numerator: (f64, f64), denominator: (f64, f64), correlation: f64) -> Result<(f64, f64), PlanError> {
    let ((y, sd_y), (x, sd_x)) = (numerator, denominator);
    let ratio = y / x;
    // In deviations of a unit's y and R x, each by x̄: the squares of large values would overflow.
    let (a, b) = (sd_y / x, ratio * sd_x / x);
    let deviation = sqrt(fmax(0.0, a * a - 2.0 * correlation * a * b + b * b));
    if ratio.is_finite() && deviation.is_finite() { Ok((ratio, deviation)) } else { Err(PlanError::Deviation) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against [`crate::ratio::Sums::arm`], from which results are made.
    #[test]
    fn a_plan_and_its_result_mean_the_same() {
        let units = [(1.0, 2.0), (0.0, 1.0), (3.0, 4.0), (2.0, 2.0), (1.0, 5.0)];
        let n = units.len() as f64;
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| units.iter().map(of).sum::<f64>();
        let (y, x) = (sum(&|u| u.0), sum(&|u| u.1));
        let (yy, xx, xy) = (sum(&|u| u.0 * u.0), sum(&|u| u.1 * u.1), sum(&|u| u.0 * u.1));
        let variance = |a: f64, aa: f64| (aa - a * a / n) / (n - 1.0);
        let (sd_y, sd_x) = (sqrt(variance(y, yy)), sqrt(variance(x, xx)));
        let correlation = (xy - x * y / n) / (n - 1.0) / (sd_y * sd_x);
        let arm = crate::ratio::Sums { n, y, x, yy, xx, xy }.arm().unwrap();
        let (ratio, deviation) = linearised((y / n, sd_y), (x / n, sd_x), correlation).unwrap();
        assert!((ratio - arm.mean).abs() < 1e-14 && (deviation - sqrt(arm.variance())).abs() < 1e-14);
    }

    #[test]
    fn a_denominator_of_nothing_is_refused() {
        assert_eq!(linearised((1.0, 1.0), (0.0, 1.0), 0.0), Err(PlanError::Deviation));
    }
}
