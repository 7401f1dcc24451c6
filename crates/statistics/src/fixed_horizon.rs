//! Tests for one look at the planned end (§3). Looking earlier and stopping on them breaks their promise.
//!
//! Welch's t: `t = d/√(a+b)`, `a = s_c²/n_c`, `b = s_t²/n_t`, `df = (a+b)²/(a²/(n_c-1) + b²/(n_t-1))`. Two proportions: `z = (p_t-p_c)/SE` with the
//! unpooled standard error, or the pooled one for compatibility. All p-values are two-sided, taken from the tail (never 1 minus a cdf), with
//! their logarithm for where they underflow. A z-test of proportions with fewer than five expected events in a cell is poor; the exact
//! [`crate::always_valid::label_test`] is the better choice there.

use crate::alpha::Alpha;
use crate::lift::{self, Mean};
use crate::moments::{Arm, Compensated};
use crate::special::{normal_two_sided, normal_upper_quantile, student_two_sided, student_upper_quantile};
use libm::sqrt;

/// A test of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// Treatment minus control.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// `t` or `z`.
    pub statistic: f64,
    /// Degrees of freedom, infinite for `z`.
    pub df: f64,
    /// Two-sided.
    pub p_value: f64,
    /// Its logarithm, which does not underflow.
    pub ln_p_value: f64,
    /// Interval of the difference; unbounded where there is none.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Welch's t. `None` (degenerate) without variance or with fewer than two units in an arm.
pub fn welch(control: &Arm, treatment: &Arm, alpha: Alpha) -> Option<Test> {
    let df = welch_df(control, treatment)?;
    let (a, b) = (control.variance() / control.n, treatment.variance() / treatment.n);
    t(treatment.mean - control.mean, a + b, df, alpha)
}

/// Welch's degrees of freedom; `None` as for [`welch`].
fn welch_df(control: &Arm, treatment: &Arm) -> Option<f64> {
    if control.n < 2.0 || treatment.n < 2.0 {
        return None;
    }
    let (a, b) = (control.variance() / control.n, treatment.variance() / treatment.n);
    let variance = a + b;
    // By shares rather than squares, which could under- or overflow.
    let (sa, sb) = (a / variance, b / variance);
    let df = 1.0 / (sa * sa / (control.n - 1.0) + sb * sb / (treatment.n - 1.0));
    (variance > 0.0 && variance.is_finite()).then_some(df.min(f64::MAX))
}

/// An estimate with its variance and degrees of freedom. `None` (degenerate) without variance.
pub fn t(difference: f64, variance: f64, df: f64, alpha: Alpha) -> Option<Test> {
    if !(usable(difference, variance) && df > 0.0) {
        return None;
    }
    let standard_error = sqrt(variance);
    let statistic = difference / standard_error;
    let (p_value, ln_p_value) = student_two_sided(statistic, df);
    let half = student_upper_quantile(alpha.divided(2).value(), df) * standard_error;
    let (low, high) = (difference - half, difference + half);
    Some(Test { difference, standard_error, statistic, df, p_value, ln_p_value, low, high })
}

/// An estimate with a known variance. `None` (degenerate) without one.
pub fn z(difference: f64, variance: f64, alpha: Alpha) -> Option<Test> {
    if !usable(difference, variance) {
        return None;
    }
    let standard_error = sqrt(variance);
    let statistic = difference / standard_error;
    let (p_value, ln_p_value) = normal_two_sided(statistic);
    let half = normal_upper_quantile(alpha.divided(2).value()) * standard_error;
    let (low, high) = (difference - half, difference + half);
    Some(Test { difference, standard_error, statistic, df: f64::INFINITY, p_value, ln_p_value, low, high })
}

fn usable(difference: f64, variance: f64) -> bool {
    difference.is_finite() && variance > 0.0 && variance.is_finite()
}

/// Two arms from their values: means and squared deviations in two passes, and the difference taken before the common offset is added, so that
/// an offset of 1e9 costs no digits.
pub fn welch_of_values(control: &[f64], treatment: &[f64], alpha: Alpha) -> (Arm, Arm, Option<Test>) {
    let arm = |values: &[f64]| {
        let n = values.len() as f64;
        let sum = |values: &mut dyn Iterator<Item = f64>| Compensated::of(values).value();
        let rough = sum(&mut values.iter().copied()) / n.max(1.0);
        let rest = sum(&mut values.iter().map(|value| value - rough)) / n.max(1.0);
        let m2 = sum(&mut values.iter().map(|value| (value - rough) * (value - rough))) - n * rest * rest;
        (Arm { n, mean: rough + rest, m2: m2.max(0.0) }, rough, rest)
    };
    let ((control, rough_c, rest_c), (treatment, rough_t, rest_t)) = (arm(control), arm(treatment));
    let (near_c, near_t) = (Arm { mean: rest_c, ..control }, Arm { mean: (rough_t - rough_c) + rest_t, ..treatment });
    (control, treatment, welch(&near_c, &near_t, alpha))
}

/// The lift by the delta method, with Welch's degrees of freedom of the absolute means. `None` (degenerate) as for [`welch`], and when the
/// control's mean is 0. Fieller's set, [`lift::fieller`], is the better interval.
pub fn welch_relative(control: &Arm, treatment: &Arm, alpha: Alpha) -> Option<Test> {
    let df = welch_df(control, treatment)?;
    let (lift, variance) = lift::delta_of_means(&Mean::of(control), &Mean::of(treatment))?;
    t(lift, variance, df, alpha)
}

/// Two proportions; the test's variance unpooled or pooled, the interval's always unpooled. `None` without variance.
pub fn two_proportions(control: (f64, f64), treatment: (f64, f64), pooled: bool, alpha: Alpha) -> Option<Test> {
    let ((nc, xc), (nt, xt)) = (control, treatment);
    if nc <= 0.0 || nt <= 0.0 {
        return None;
    }
    let (pc, pt) = (xc / nc, xt / nt);
    // The share that did not convert comes from its own count, because 1 - p has no digits left for rare failures.
    let unpooled = pc * ((nc - xc) / nc) / nc + pt * ((nt - xt) / nt) / nt;
    let (n, x) = (nc + nt, xc + xt);
    let variance = if pooled { x / n * ((n - x) / n) * (1.0 / nc + 1.0 / nt) } else { unpooled };
    let test = z(pt - pc, variance, alpha)?;
    // Without variance in the arms themselves there is no interval.
    let half =
        if unpooled > 0.0 { normal_upper_quantile(alpha.divided(2).value()) * sqrt(unpooled) } else { f64::INFINITY };
    Some(Test { low: test.difference - half, high: test.difference + half, ..test })
}
