//! What is left of the exponential and the logarithm after their linear part, without the cancellation of writing it so.
//!
//! Densities of distributions with counts of 1e9 are exponentials of such rests: the linear parts, of the size of 1e4, cancel, and with
//! them would go four digits.

use libm::{expm1, fabs, log1p};

/// e^x - 1 - x.
pub(crate) fn exp_rest(x: f64) -> f64 {
    if fabs(x) > 0.5 {
        return expm1(x) - x;
    }
    // x²/2 (1 + x/3 (1 + x/4 (…))), until terms are below 1e-17 of the first.
    let terms = if fabs(x) < 0.01 { 8 } else { 17 };
    let tail = (3..=terms).rev().fold(1.0, |inner, k| 1.0 + x / f64::from(k) * inner);
    0.5 * x * x * tail
}

/// y - ln(1 + y).
pub(crate) fn log_rest(y: f64) -> f64 {
    if !(-0.3..=0.4).contains(&y) {
        return y - log1p(y);
    }
    // With r = y/(2 + y), ln(1 + y) = 2 (r + r³/3 + r⁵/5 + …) and y = 2r + r y.
    let r = y / (2.0 + y);
    let square = r * r;
    let terms = if fabs(y) < 0.01 { 4 } else { 12 };
    let series = (0..terms).rev().fold(0.0, |inner, k| inner * square + 1.0 / f64::from(2 * k + 3));
    r * y - 2.0 * r * square * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_arguments_keep_their_digits() {
        let near = |got: f64, expected: f64| assert!(fabs(got / expected - 1.0) < 3e-15, "{got} is not {expected}");
        near(exp_rest(1e-9), 5.000_000_001_666_667e-19);
        near(exp_rest(-0.4), 0.070_320_046_035_639_3);
        near(exp_rest(2.0), 4.389_056_098_930_65);
        near(log_rest(1e-9), 4.999_999_996_666_667e-19);
        near(log_rest(0.25), 0.026_856_448_685_790_244);
        near(log_rest(-0.25), 0.037_682_072_451_780_93);
        near(log_rest(3.0), 1.613_705_638_880_109_4);
    }
}
