//! Tests for one look at the planned end (§3). Looking earlier and stopping on them breaks their promise.

use crate::moments::Arm;
use crate::special::{normal_two_sided, normal_upper_quantile, student_two_sided, student_upper_quantile};

/// A test of the difference of two means.
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
    /// Interval of the difference; NaN where there is none.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Welch's t. `None` (degenerate) without variance or with fewer than two units in an arm.
pub fn welch(control: &Arm, treatment: &Arm, alpha: f64) -> Option<Test> {
    if control.n < 2.0 || treatment.n < 2.0 {
        return None;
    }
    let (a, b) = (control.variance() / control.n, treatment.variance() / treatment.n);
    let variance = a + b;
    if variance <= 0.0 || !variance.is_finite() {
        return None;
    }
    // By shares rather than squares, which could under- or overflow.
    let (sa, sb) = (a / variance, b / variance);
    let df = 1.0 / (sa * sa / (control.n - 1.0) + sb * sb / (treatment.n - 1.0));
    let difference = treatment.mean - control.mean;
    let standard_error = variance.sqrt();
    let statistic = difference / standard_error;
    let (p_value, ln_p_value) = student_two_sided(statistic, df);
    let half = student_upper_quantile(0.5 * alpha, df) * standard_error;
    let (low, high) = (difference - half, difference + half);
    Some(Test { difference, standard_error, statistic, df, p_value, ln_p_value, low, high })
}

/// Two proportions; the test's variance unpooled or pooled, the interval's always unpooled. `None` without variance.
pub fn two_proportions(control: (f64, f64), treatment: (f64, f64), pooled: bool, alpha: f64) -> Option<Test> {
    let ((nc, xc), (nt, xt)) = (control, treatment);
    if nc <= 0.0 || nt <= 0.0 {
        return None;
    }
    let (pc, pt) = (xc / nc, xt / nt);
    let unpooled = pc * (1.0 - pc) / nc + pt * (1.0 - pt) / nt;
    let p = (xc + xt) / (nc + nt);
    let variance = if pooled { p * (1.0 - p) * (1.0 / nc + 1.0 / nt) } else { unpooled };
    if variance <= 0.0 {
        return None;
    }
    let difference = pt - pc;
    let statistic = difference / variance.sqrt();
    let (p_value, ln_p_value) = normal_two_sided(statistic);
    // Without variance in the arms themselves there is no interval.
    let half = if unpooled > 0.0 { normal_upper_quantile(0.5 * alpha) * unpooled.sqrt() } else { f64::NAN };
    let standard_error = variance.sqrt();
    Some(Test {
        difference,
        standard_error,
        statistic,
        df: f64::INFINITY,
        p_value,
        ln_p_value,
        low: difference - half,
        high: difference + half,
    })
}
