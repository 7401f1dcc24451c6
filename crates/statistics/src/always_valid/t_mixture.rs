//! The mixture for few units with normal values and unknown variance (§1.3; Lindon, Ham, Tingley and Bojinov, 2210.08589).
//!
//! `ln E = ln(r)/2 + (ν+1)/2 · [ln(1 + t²/ν) - ln(1 + r t²/ν)]`, `r = 1/(1+x)`, `x = N ρ²`, ν = N - 2 degrees of freedom. Above a thousand
//! units it agrees with [`super::normal_mixture`] in every digit one would print. It is exact for normal values only: it is no cure for
//! skewed revenue in small samples.

use crate::alpha::Alpha;
use libm::{expm1, log1p, sqrt};

/// ln E of a squared t statistic with `df` degrees of freedom at `x` = N ρ².
pub fn ln_e(t_squared: f64, df: f64, x: f64) -> f64 {
    let x = x.clamp(f64::MIN_POSITIVE, f64::MAX);
    let r = 1.0 / (1.0 + x);
    // (1 + u)/(1 + r u) - 1 = (1 - r)/(1/u + r), which also holds where u = t²/ν overflows.
    let gain = super::normal_mixture::share(x) / (df / t_squared + r);
    0.5 * (df + 1.0) * log1p(gain) - 0.5 * log1p(x)
}

/// Half width of the interval in standard errors; infinite while even an infinite t would not reach 1/alpha.
pub fn multiplier(df: f64, x: f64, alpha: Alpha) -> f64 {
    let x = x.clamp(f64::MIN_POSITIVE, f64::MAX);
    // ln((1 + u)/(1 + r u)) must reach k, and is below ln(1/r) for every u.
    let limit = log1p(x);
    let k = (limit - 2.0 * alpha.ln()) / (df + 1.0);
    if k >= limit { f64::INFINITY } else { sqrt(df * (expm1(k) / -expm1(k - limit))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_multiplier_is_where_evidence_reaches_its_threshold() {
        for df in [10.0, 42.0, 1e3, 1e9] {
            let multiplier = multiplier(df, 0.9 * df, Alpha::FIVE_PERCENT);
            let got = ln_e(multiplier * multiplier, df, 0.9 * df);
            assert!((got + Alpha::FIVE_PERCENT.ln()).abs() < 1e-7, "{got} at {df}");
        }
    }

    #[test]
    fn one_degree_of_freedom_may_never_be_enough() {
        assert_eq!(multiplier(1.0, 8.0, Alpha::FIVE_PERCENT), f64::INFINITY);
    }
}
