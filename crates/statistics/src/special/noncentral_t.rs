//! The tail of the noncentral t distribution, which the power of a t test needs.
//!
//! With Z standard normal and S² = chi²_df / df, P((Z + delta)/S > t) = int Phi-bar(t s - delta) f_S(s) ds. Over v = ln s the logarithm of
//! the integrand is concave for t > 0, so that its hill can be found and integrated wherever it lies. The usual series over Poisson
//! weights (Lenth, 1989) underflows from delta = 37 on and takes as many terms as delta²; `statrs` has no noncentral t at all.

use super::rest::exp_rest;
use super::{LN_SQRT_2PI, ln_normal_tail, stirling_rest};
use crate::quadrature::ln_integral_of_hill;
use libm::{exp, expm1, fabs, log, log1p, sqrt};

/// Relative precision of the tail.
const TOLERANCE: f64 = 1e-14;

/// ln P(T > t) for `df` > 0 degrees of freedom and noncentrality `delta`.
pub fn ln_noncentral_t_tail(t: f64, df: f64, delta: f64) -> f64 {
    if t == 0.0 {
        return ln_normal_tail(-delta);
    }
    if t < 0.0 {
        // The mirror image, whose tail is the other one.
        let ln_other = ln_noncentral_t_tail(-t, df, -delta);
        return if ln_other > -0.5 { log(-expm1(ln_other)) } else { log1p(-exp(ln_other)) };
    }
    let half = 0.5 * df;
    let ln_norm = std::f64::consts::LN_2 + 0.5 * log(half) - LN_SQRT_2PI - stirling_rest(half);
    // s^df e^(-df (s² - 1)/2) as the exponential of -df ((e^(2v) - 1)/2 - v).
    let ln_integrand = |v: f64| ln_normal_tail(t * exp(v) - delta) - 0.5 * df * exp_rest(2.0 * v);
    // The hill lies between where t s is delta and where S is about 1.
    let crossing = if delta > 0.0 { log(delta / t).min(0.0) } else { 0.0 };
    let scale = 1.0 / sqrt(2.0 * df + 1.0);
    let start = if fabs(crossing) < 30.0 { 0.5 * crossing } else { -1.0 };
    // Of t s - delta, no more digits are left than this.
    let tolerance = TOLERANCE.max(4.0 * f64::EPSILON * fabs(delta));
    (ln_norm + ln_integral_of_hill(start, scale, tolerance, ln_integrand)).min(0.0)
}

/// P(T > t); see [`ln_noncentral_t_tail`].
pub fn noncentral_t_tail(t: f64, df: f64, delta: f64) -> f64 {
    exp(ln_noncentral_t_tail(t, df, delta))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By 50-digit quadrature.
    #[test]
    fn fifty_digit_values() {
        let check = |t: f64, df: f64, delta: f64, expected: f64| {
            let got = noncentral_t_tail(t, df, delta);
            assert!(fabs(got / expected - 1.0) < 3e-14, "{t}, {df}, {delta}: {got} is not {expected}");
        };
        check(2.0, 10.0, 1.0, 0.192_388_437_469_624_74);
        check(2.2, 0.01, 3.0, 0.977_661_372_026_657_4);
        check(3.0, 0.5, -2.0, 0.005_607_643_540_146_446);
        check(1.97, 1_000.0, 2.8, 0.796_642_436_951_206_3);
        check(50.0, 3.0, 45.0, 0.511_830_485_191_123_4);
        check(120.0, 30.0, 100.0, 0.107_489_256_618_530_28);
        check(1.0, 1e9, 1.5, 0.691_462_461_318_021_3);
        check(5.0, 200.0, -3.0, 4.166_080_761_088_388e-15);
        check(0.01, 5.0, 2.0, 0.976_730_696_279_230_7);
        check(1e4, 2.0, 1e3, 0.009_950_175_953_320_175);
        check(1e5, 5.0, 0.0, 9.490_167_235_394_324e-25);
        check(30.0, 1e6, 29.0, 0.158_711_499_870_900_93);
    }

    #[test]
    fn without_noncentrality_it_is_student() {
        for (t, df) in [(2.0, 3.0), (0.5, 1.0), (-4.0, 30.0), (7.0, 1e7)] {
            let two = crate::special::student_two_sided(t, df).0;
            let tail = if t > 0.0 { 0.5 * two } else { 1.0 - 0.5 * two };
            assert!(fabs(noncentral_t_tail(t, df, 0.0) / tail - 1.0) < 1e-13, "{t}, {df}");
        }
    }
}
