//! Special functions, in the log domain where tails matter.
//!
//! What decides takes its transcendental functions from `libm`, so that the bits do not depend on the machine.

pub mod beta_distribution;
pub mod noncentral_t;
pub(crate) mod rest;

use beta_distribution::BetaDistribution;
use libm::{erfc, exp, fabs, lgamma, log, log1p, sqrt};

/// A step of a continued fraction that changes nothing any more, give or take its own rounding.
const CONVERGED: f64 = 4e-16;
/// ln √(2π).
pub(crate) const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// What Stirling's formula leaves of ln Γ(x): `lgamma(x) - ((x - 1/2) ln x - x + ln sqrt(2 pi))`.
///
/// Differences of lgamma at large arguments lose everything; sums of these remainders do not.
pub(crate) fn stirling_rest(x: f64) -> f64 {
    if x < 20.0 {
        return lgamma(x) - ((x - 0.5) * log(x) - x + LN_SQRT_2PI);
    }
    let y = 1.0 / (x * x);
    (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y * (1.0 / 1680.0 - y / 1188.0)))) / x
}

/// x - ln(1+x) for x above -1: quadratic in a small x, where a subtraction would not leave a digit.
pub(crate) fn log1p_gap(x: f64) -> f64 {
    if !(-0.5..=0.5).contains(&x) {
        return x - log1p(x);
    }
    // ln(1+x) = 2 artanh r with r = x/(2+x), and x - 2r = x r.
    let r = x / (2.0 + x);
    let square = r * r;
    let (mut power, mut sum, mut odd) = (square * r, 0.0, 3.0);
    // r is at most a third in size, so that each term is at most a ninth of the one before.
    while fabs(power) > 1e-18 * fabs(sum) {
        sum += power / odd;
        power *= square;
        odd += 2.0;
    }
    x * r - 2.0 * sum
}

/// ln B(a, b), accurate when one argument is far larger than the other.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (a, b) = if a < b { (a, b) } else { (b, a) };
    // ln Γ(a) + [ln Γ(b) - ln Γ(a + b)], the bracket by Stirling: b ln b - (a + b) ln(a + b) + … without cancellation.
    let ratio = -(b - 0.5) * log1p(a / b) - a * log(a + b) + a + stirling_rest(b) - stirling_rest(a + b);
    lgamma(a) + ratio
}

/// ln of the upper tail of the standard normal distribution.
pub fn ln_normal_tail(z: f64) -> f64 {
    if z < -1.0 {
        // Close to 1 the other tail keeps the digits.
        return log1p(-0.5 * erfc(-z / std::f64::consts::SQRT_2));
    }
    if z < 25.0 {
        return log(0.5 * erfc(z / std::f64::consts::SQRT_2));
    }
    -0.5 * z * z - LN_SQRT_2PI + ln_mills_ratio(z)
}

/// ln of Mills' ratio, the tail beyond `z` over the density at `z`, for `z` from about 5, where its continued fraction converges at once.
pub(crate) fn ln_mills_ratio(z: f64) -> f64 {
    let mut fraction = z;
    for k in (1..=60).rev() {
        fraction = z + f64::from(k) / fraction;
    }
    -log(fraction)
}

/// Two-sided p-value of a standard normal statistic, and its logarithm.
pub fn normal_two_sided(z: f64) -> (f64, f64) {
    let ln_p = (std::f64::consts::LN_2 + ln_normal_tail(fabs(z))).min(0.0);
    (erfc(fabs(z) / std::f64::consts::SQRT_2), ln_p)
}

/// The `z` whose upper tail is `p`, for `p` in (0, 1); relative error below 1e-15 down to 1e-300.
///
/// Start: Abramowitz and Stegun 26.2.23; then Newton steps on the logarithm of the tail.
pub fn normal_upper_quantile(p: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0, "a tail lies between 0 and 1");
    if p > 0.5 {
        return -normal_upper_quantile(1.0 - p);
    }
    let t = sqrt(-2.0 * log(p));
    let rough = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    let target = log(p);
    let mut z = rough.max(0.0);
    for _ in 0..6 {
        let tail = ln_normal_tail(z);
        // d ln tail / dz = -phi(z) / tail(z)
        let hazard = exp(-0.5 * z * z - LN_SQRT_2PI - tail);
        let step = (tail - target) / hazard;
        z += step;
        if fabs(step) <= 1e-16 * fabs(z) {
            break;
        }
    }
    z
}

/// ln Q(a, x), the regularised upper incomplete gamma function: the tail of a chi-square with `2a` degrees of freedom at `2x`.
pub fn ln_gamma_tail(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let ln_front = a * log(x) - x - lgamma(a);
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        for _ in 0..100_000 {
            k += 1.0;
            term *= x / k;
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return log1p(-exp(ln_front + log(sum)).min(1.0));
    }
    // Lentz's evaluation of the continued fraction.
    let tiny = 1e-300;
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / tiny, 1.0 / b);
    let mut h = d;
    for i in 1..100_000 {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = an * d + b;
        d = if fabs(d) < tiny { tiny } else { d };
        c = b + an / c;
        c = if fabs(c) < tiny { tiny } else { c };
        d = 1.0 / d;
        let delta = d * c;
        h *= delta;
        if fabs(delta - 1.0) < CONVERGED {
            break;
        }
    }
    ln_front + log(h)
}

/// ln I_x(a, b), the regularised incomplete beta function, given `x` and `1 - x` apart so that neither loses digits.
pub fn ln_beta_inc(a: f64, b: f64, x: f64, one_minus_x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if one_minus_x <= 0.0 {
        return 0.0;
    }
    if !(a > 0.0 && b > 0.0) {
        return f64::NAN;
    }
    BetaDistribution::new(a, b).ln_cdf(log(x / one_minus_x))
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let guard = |value: f64| if fabs(value) < tiny { tiny } else { value };
    let (mut c, mut d) = (1.0, 1.0 / guard(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..1_000_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let delta = d * c;
        h *= delta;
        if fabs(delta - 1.0) < CONVERGED {
            break;
        }
    }
    h
}

/// Two-sided p-value of Student's t, and its logarithm: I_{df/(df+t²)}(df/2, 1/2).
pub fn student_two_sided(t: f64, df: f64) -> (f64, f64) {
    let square = t * t;
    if !square.is_finite() {
        // Out here I_x(a, b) is x^a/(a B(a, b)), with x = df/t².
        let ln_p = df * (0.5 * log(df) - log(fabs(t))) - log(0.5 * df) - ln_beta(0.5 * df, 0.5);
        return (exp(ln_p), ln_p);
    }
    // Beyond this the fraction below cancels, while Hill's normal deviate (1970, Algorithm 395) is exact to a double.
    if df > 1e5 {
        let a = df - 0.5;
        let b = 48.0 * a * a;
        let z2 = a * log1p(square / df);
        let z = sqrt(z2);
        if df > 1e17 {
            // What corrects z is below its last digit, and would be infinite over infinite.
            return normal_two_sided(z);
        }
        let last = (((4.0 * z2 + 33.0) * z2 + 240.0) * z2 + 855.0) * z / (10.0 * b * (b + 0.8 * z2 * z2 + 100.0));
        return normal_two_sided(z + (z2 + 3.0) * z / b - last);
    }
    let ln_p = ln_beta_inc(0.5 * df, 0.5, df / (df + square), square / (df + square)).min(0.0);
    (exp(ln_p), ln_p)
}

/// The `t` whose upper tail is `p`, for `p` in (0, 0.5] and any degrees of freedom; infinite where it is beyond the largest number.
///
/// With `x = df/(df + t²)` the two-sided tail is `x^a / (a B(a, 1/2)) (1 + O(x))`, `a = df/2`, so that below `x = e^-40` the leading term is
/// exact. There, far out in heavy tails (one degree of freedom at 1e-300, say), the steps of Newton's method would not arrive.
pub fn student_upper_quantile(p: f64, df: f64) -> f64 {
    let a = 0.5 * df;
    let ln_x = (log(2.0 * p) + log(a) + ln_beta(a, 0.5)) / a;
    if ln_x < -40.0 { exp(0.5 * (log(df) - ln_x)) } else { student_quantile_by_newton(p, df) }
}

fn student_quantile_by_newton(p: f64, df: f64) -> f64 {
    let z = normal_upper_quantile(p);
    // Cornish-Fisher start, then Newton on the logarithm of the tail.
    let mut t = z + (z * z * z + z) / (4.0 * df);
    if df < 3.0 {
        t = t.max(1.0 / (p * 2.0).min(1.0));
    }
    let target = log(2.0 * p);
    for _ in 0..100 {
        let (_, ln_p) = student_two_sided(t, df);
        let spread = if t < 1e150 { log1p(t * t / df) } else { 2.0 * log(t) - log(df) };
        let ln_density = std::f64::consts::LN_2 - 0.5 * (df + 1.0) * spread - 0.5 * log(df) - ln_beta(0.5 * df, 0.5);
        let step = (ln_p - target) / exp(ln_density - ln_p);
        let next = t + step;
        if !next.is_finite() {
            // Only where the quantile itself is beyond the largest number.
            return f64::INFINITY;
        }
        t = if next <= 0.0 { 0.5 * t } else { next };
        if fabs(step) <= 1e-15 * t {
            break;
        }
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, relative: f64) {
        assert!(fabs(got - expected) <= relative * fabs(expected), "{got} is not {expected}");
    }

    #[test]
    fn known_values() {
        near(normal_upper_quantile(0.025), 1.959_963_984_540_054, 1e-15);
        for p in [0.4, 1e-3, 1e-30, 1e-300] {
            near(ln_normal_tail(normal_upper_quantile(p)), log(p), 1e-14);
        }
        for df in [1.8, 10.0, 95_000.0] {
            near(student_two_sided(student_upper_quantile(0.025, df), df).0, 0.05, 1e-13);
        }
        near(student_upper_quantile(0.025, 1.0), 12.706_204_736_174_7, 1e-12);
        near(ln_gamma_tail(0.5, 0.5), log(erfc(sqrt(0.5))), 1e-13);
        near(ln_beta(0.5, 0.5), log(std::f64::consts::PI), 1e-14);
        near(ln_normal_tail(30.0), -454.321_243_956_134_1, 1e-12);
    }

    #[test]
    fn far_quantiles_of_heavy_tails() {
        // One degree of freedom is Cauchy's distribution, cot(pi p); two have t = (1 - 2p) sqrt(2 / (4p (1-p))).
        near(student_upper_quantile(1e-300, 1.0), 3.183_098_861_837_907e299, 1e-12);
        near(student_upper_quantile(1e-30, 1.0), 3.183_098_861_837_907e29, 1e-12);
        near(student_upper_quantile(1e-100, 2.0), 7.071_067_811_865_475e49, 1e-12);
        near(student_upper_quantile(0.025, 10.0), 2.228_138_851_986_274_5, 1e-14);
    }
}
