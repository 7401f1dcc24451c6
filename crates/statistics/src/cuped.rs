//! CUPED: what a covariate from before the exposure explains is taken off the metric (§6.1).
//!
//! Deng, Xu, Kohavi and Walker (2013); the default is Lin's regression with arm-specific slopes (1208.2301). Per unit, `y` is the metric and
//! `x` the covariate. With `θ_k = C_xy,k / M2_x,k` in arm k and x̄ the mean of the covariate over **all arms of the experiment**:
//!
//! ```text
//! μ_k  = ȳ_k - θ_k (x̄_k - x̄)
//! s²_k = (M2_y,k - θ_k C_xy,k) / (n_k - 2)
//! d    = μ_t - μ_c,   V = s²_c/n_c + s²_t/n_t
//! ```
//!
//! [`Slope::Within`] takes one slope from the cross products within arms (ANCOVA), [`Slope::Total`] one slope from all units together, as
//! GrowthBook does; with one slope `s²_k = (M2_y - 2 θ C_xy + θ² M2_x)/(n_k - 1)`. μ, d and s are in units of the metric, θ in metric per covariate.
//!
//! An always-valid test takes `(d, variance_floored, units)` of [`Adjusted`] in place of the raw ones (Lindon, Ham, Tingley and Bojinov,
//! 2210.08589). Where the covariate does not vary (`M2_x = 0`) nothing is adjusted.
//!
//! It does not promise less variance: a covariate that explains nothing costs a little, which shows as a negative [`Adjusted::variance_reduction`].
//! It does not check that x lies before the exposure, and a covariate that the treatment can touch biases d.

use crate::alpha::Alpha;
use crate::double_double::{DoubleDouble, centred, squared_deviations};
use crate::special::{normal_two_sided, normal_upper_quantile};

/// A residual below this share of the metric's own M2 is the rounding of the sums that it came from, not variance: sums of doubles carry about
/// 1e-16 each, and a thousand of them are added in the worst of orders.
const ROUNDING: f64 = 1e-13;

/// Where the slope comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slope {
    /// One slope per arm: asymptotically never worse than no adjustment. The default.
    Lin,
    /// One slope, from the products within arms.
    Within,
    /// One slope, from the products over all units whatever their arm; kept for compatibility.
    Total,
}

/// An arm whose units have a metric y and a covariate x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CovariateArm {
    /// Number of units.
    pub n: f64,
    /// Mean of the metric.
    pub mean_y: f64,
    /// Mean of the covariate.
    pub mean_x: f64,
    /// Sum of squared deviations of the metric.
    pub m2_y: f64,
    /// Sum of squared deviations of the covariate.
    pub m2_x: f64,
    /// Sum of products of the deviations.
    pub c_xy: f64,
}

impl CovariateArm {
    /// From plain sums. Centred in double-double, because the sums share most of their digits.
    pub fn from_sums(n: f64, y: f64, x: f64, yy: f64, xx: f64, xy: f64) -> CovariateArm {
        if n <= 0.0 {
            return CovariateArm { n: 0.0, mean_y: 0.0, mean_x: 0.0, m2_y: 0.0, m2_x: 0.0, c_xy: 0.0 };
        }
        let (m2_y, m2_x) = (squared_deviations(n, y, yy), squared_deviations(n, x, xx));
        CovariateArm { n, mean_y: y / n, mean_x: x / n, m2_y, m2_x, c_xy: centred(n, x, y, xy) }
    }

    /// M2 of y - θ x.
    fn residual_m2(&self, theta: f64) -> f64 {
        let wide = DoubleDouble::from;
        let (theta, c) = (wide(theta), wide(self.c_xy));
        let m2 = (wide(self.m2_y) - theta * (c + c) + theta * theta * wide(self.m2_x)).value();
        if self.m2_y.is_finite() && m2 <= ROUNDING * self.m2_y { 0.0 } else { m2 }
    }
}

/// An arm after adjustment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjustedArm {
    /// Number of units.
    pub n: f64,
    /// μ_k, comparable with the other arms of the same call only.
    pub mean: f64,
    /// s²_k. `None` with too few units to estimate it.
    pub variance: Option<f64>,
    /// θ_k.
    pub theta: f64,
}

/// A pair after adjustment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// d, treatment minus control.
    pub difference: f64,
    /// V by Welch; 0 when nothing varies.
    pub variance: f64,
    /// max(V, pooled), §1.1: what the always-valid test takes.
    pub variance_floored: f64,
    /// N, units of the pair.
    pub units: f64,
    /// 1 - V/V_raw; `None` when the metric itself does not vary.
    pub variance_reduction: Option<f64>,
}

/// A fixed-horizon test of an adjusted difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjustedTest {
    /// d / √V.
    pub z: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Adjusts all arms of an experiment at once, because they share the overall mean of the covariate.
pub fn adjust(arms: &[CovariateArm], slope: Slope) -> Vec<AdjustedArm> {
    let units: f64 = arms.iter().map(|arm| arm.n).sum();
    let overall = |pick: fn(&CovariateArm) -> f64| {
        if units > 0.0 { arms.iter().map(|arm| arm.n / units * pick(arm)).sum::<f64>() } else { 0.0 }
    };
    let (mean_x, mean_y) = (overall(|arm| arm.mean_x), overall(|arm| arm.mean_y));
    let common = match slope {
        Slope::Lin => None,
        Slope::Within => Some(common_slope(arms, |_| (0.0, 0.0))),
        Slope::Total => Some(common_slope(arms, |arm| (arm.mean_x - mean_x, arm.mean_y - mean_y))),
    };
    arms.iter()
        .map(|arm| {
            let theta = common.unwrap_or_else(|| ratio_or_zero(arm.c_xy, arm.m2_x));
            // An arm's own slope was estimated from it and costs a degree of freedom.
            let df = arm.n - if common.is_none() { 2.0 } else { 1.0 };
            AdjustedArm {
                n: arm.n,
                mean: arm.mean_y - theta * (arm.mean_x - mean_x),
                // Not finite where the sums overflowed, and then unknown.
                variance: (df > 0.0).then(|| arm.residual_m2(theta) / df).filter(|variance| variance.is_finite()),
                theta,
            }
        })
        .collect()
}

/// `offsets` are the arm's distances from the overall means of x and y, where those count.
fn common_slope(arms: &[CovariateArm], offsets: impl Fn(&CovariateArm) -> (f64, f64)) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for arm in arms {
        let (x, y) = offsets(arm);
        products += arm.c_xy + arm.n * x * y;
        squares += arm.m2_x + arm.n * x * x;
    }
    ratio_or_zero(products, squares)
}

fn ratio_or_zero(products: f64, squares: f64) -> f64 {
    let slope = products / squares;
    if squares > 0.0 && slope.is_finite() { slope } else { 0.0 }
}

/// Welch's variance of the raw difference; `None` below two units in an arm.
pub fn raw_variance(control: &CovariateArm, treatment: &CovariateArm) -> Option<f64> {
    if control.n < 2.0 || treatment.n < 2.0 {
        return None;
    }
    Some(control.m2_y / (control.n - 1.0) / control.n + treatment.m2_y / (treatment.n - 1.0) / treatment.n)
}

/// Variance of Lin's d from the units themselves, robust to unequal variances (HC2), from the values `(x, y)` of each unit.
///
/// `Σ c_i² e_i²/(1-h_i)` over both arms, where e is the residual of the arm's line, h the unit's leverage, and `c_i = 1/n + (x̄ - x̄_k)(x_i - x̄_k)/M2_x`
/// the weight with which the unit enters the line at x̄. It needs every unit's values, so that sums cannot serve it, and agrees with V in large
/// samples. `None` below three units in an arm, or when one unit alone determines a slope.
pub fn lin_variance_hc2(control: &[(f64, f64)], treatment: &[(f64, f64)]) -> Option<f64> {
    let units = (control.len() + treatment.len()) as f64;
    let mean_x = control.iter().chain(treatment).map(|unit| unit.0).sum::<f64>() / units;
    let of_arm = |values: &[(f64, f64)]| {
        let n = values.len() as f64;
        let (mean_k, mean_y) = values.iter().fold((0.0, 0.0), |mean, unit| (mean.0 + unit.0 / n, mean.1 + unit.1 / n));
        let (m2_x, c_xy) = values.iter().fold((0.0, 0.0), |sum, unit| {
            let x = unit.0 - mean_k;
            (sum.0 + x * x, sum.1 + x * (unit.1 - mean_y))
        });
        let (theta, flat) = (ratio_or_zero(c_xy, m2_x), m2_x <= 0.0);
        let term = |unit: &(f64, f64)| {
            let x = unit.0 - mean_k;
            let along = if flat { 0.0 } else { x / m2_x };
            let (weight, leverage) = (1.0 / n + (mean_x - mean_k) * along, 1.0 / n + x * along);
            let residual = unit.1 - mean_y - theta * x;
            weight * weight * (residual * residual / (1.0 - leverage))
        };
        if n < 3.0 { f64::NAN } else { values.iter().map(term).sum() }
    };
    let variance = of_arm(control) + of_arm(treatment);
    variance.is_finite().then_some(variance)
}

/// Compares two arms adjusted by the same call. `raw` is what the reduction is measured against. `None` where a variance cannot be estimated.
pub fn compare(control: &AdjustedArm, treatment: &AdjustedArm, raw: Option<f64>) -> Option<Adjusted> {
    let (s_c, s_t) = (control.variance?, treatment.variance?);
    let units = control.n + treatment.n;
    let variance = s_c / control.n + s_t / treatment.n;
    let m2 = (control.n - 2.0).max(0.0) * s_c + (treatment.n - 2.0).max(0.0) * s_t;
    let pooled = if units > 2.0 { m2 / (units - 2.0) * (1.0 / control.n + 1.0 / treatment.n) } else { 0.0 };
    let difference = treatment.mean - control.mean;
    (variance.is_finite() && difference.is_finite()).then(|| Adjusted {
        difference,
        variance,
        variance_floored: variance.max(pooled),
        units,
        variance_reduction: raw.filter(|&raw| raw > 0.0).map(|raw| 1.0 - variance / raw),
    })
}

impl Adjusted {
    /// For one look at the planned end, by the normal distribution. `None` (degenerate) without variance.
    pub fn fixed_horizon(&self, alpha: Alpha) -> Option<AdjustedTest> {
        if self.variance <= 0.0 {
            return None;
        }
        let standard_error = self.variance.sqrt();
        let z = self.difference / standard_error;
        let (p_value, ln_p_value) = normal_two_sided(z);
        let half = normal_upper_quantile(alpha.divided(2).value()) * standard_error;
        let (low, high) = (self.difference - half, self.difference + half);
        z.is_finite().then_some(AdjustedTest { z, p_value, ln_p_value, low, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(values: &[(f64, f64)]) -> CovariateArm {
        let sum = |f: fn(&(f64, f64)) -> f64| values.iter().map(f).sum::<f64>();
        CovariateArm::from_sums(
            values.len() as f64,
            sum(|v| v.1),
            sum(|v| v.0),
            sum(|v| v.1 * v.1),
            sum(|v| v.0 * v.0),
            sum(|v| v.0 * v.1),
        )
    }

    #[test]
    fn a_metric_that_is_its_covariate_has_no_variance_left() {
        let arms = [arm(&[(1.0, 3.0), (2.0, 5.0), (4.0, 9.0)]), arm(&[(0.0, 2.0), (3.0, 8.0), (5.0, 12.0)])];
        let adjusted = adjust(&arms, Slope::Lin);
        let pair = compare(&adjusted[0], &adjusted[1], raw_variance(&arms[0], &arms[1])).unwrap();
        assert!((pair.difference - 1.0).abs() < 1e-12);
        assert_eq!((pair.variance, pair.variance_reduction), (0.0, Some(1.0)));
        assert_eq!(pair.fixed_horizon(Alpha::FIVE_PERCENT), None);
    }

    #[test]
    fn one_unit_has_no_variance() {
        let arms = [arm(&[(1.0, 3.0)]), arm(&[(0.0, 2.0), (3.0, 8.0), (5.0, 1.0)])];
        let adjusted = adjust(&arms, Slope::Within);
        assert_eq!(compare(&adjusted[0], &adjusted[1], raw_variance(&arms[0], &arms[1])), None);
    }

    #[test]
    fn a_third_arm_moves_the_centre_for_all() {
        let arms = [
            arm(&[(1.0, 3.0), (2.0, 4.0), (3.0, 6.0)]),
            arm(&[(1.0, 3.0), (2.0, 5.0), (4.0, 6.0)]),
            arm(&[(9.0, 1.0)]),
        ];
        let (two, three) = (adjust(&arms[..2], Slope::Lin), adjust(&arms, Slope::Lin));
        assert_eq!(two[0].theta, three[0].theta);
        assert_ne!(two[1].mean - two[0].mean, three[1].mean - three[0].mean);
    }
}
