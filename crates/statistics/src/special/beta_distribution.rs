//! The beta distribution for parameters from a thousandth to a billion.
//!
//! Everything is in the logit w = ln(x/(1 - x)), where the density of w is `x^a (1-x)^b / B(a, b)`: smooth, log-concave and without
//! singular ends. Its logarithm is computed from the distance to the mode by terms that do not cancel; the textbook
//! `a ln x + b ln(1 - x) - ln B` has terms of 1e8 at counts of 1e9 and is left with eight digits, and so is `statrs`. Tails come from the continued
//! fraction, or from Gauss-Legendre where both parameters are large and the fraction would take thousands of terms.

use super::rest::{exp_rest, log_rest};
use super::{LN_SQRT_2PI, beta_fraction, normal_upper_quantile, stirling_rest};
use crate::quadrature::GaussLegendre;
use libm::{exp, expm1, fabs, log, log1p, sqrt};
use std::cell::OnceCell;

/// Above this, for both parameters, quadrature takes fewer operations than the continued fraction.
const LARGE: f64 = 1_000.0;

/// How far (in ln) the integrand of a tail is followed down: what is left out is below 1e-18 of it.
const DROP: f64 = 42.0;

/// Points per panel of a tail.
const ORDER: usize = 16;

/// Rates above this leave the continued fraction with differences from 1 that have lost digits.
const FRACTION_MAX: f64 = 0.9;

/// Beta(a, b).
#[derive(Debug, Clone)]
pub struct BetaDistribution {
    logit: Logit,
    /// Beta(b, a), the distribution of the other outcome's rate.
    mirror: Logit,
    /// Made when the first tail needs it.
    rule: OnceCell<GaussLegendre>,
}

impl BetaDistribution {
    /// Both parameters are above 0.
    pub fn new(a: f64, b: f64) -> BetaDistribution {
        assert!(a > 0.0 && b > 0.0, "parameters of a beta distribution are positive");
        let n = a + b;
        let ln_peak =
            0.5 * (log(a) + log(b / n)) - LN_SQRT_2PI + stirling_rest(n) - stirling_rest(a) - stirling_rest(b);
        let mode = log(a / b);
        let logit = Logit { a, b, mode, ln_peak };
        let mirror = Logit { a: b, b: a, mode: -mode, ln_peak };
        BetaDistribution { logit, mirror, rule: OnceCell::new() }
    }

    /// a/(a + b).
    pub fn mean(&self) -> f64 {
        self.logit.a / (self.logit.a + self.logit.b)
    }

    /// Standard deviation.
    pub fn sd(&self) -> f64 {
        let n = self.logit.a + self.logit.b;
        sqrt(self.logit.a / n * (self.logit.b / n) / (n + 1.0))
    }

    /// The logit where its density is highest, and about how wide that hill is.
    pub(crate) fn hill(&self) -> (f64, f64) {
        (self.logit.mode, sqrt(1.0 / self.logit.a + 1.0 / self.logit.b))
    }

    /// What the rounding of a logit may do to a probability, and so the precision that an integral over logits can have.
    pub(crate) fn rounding(&self) -> f64 {
        1e-13 + 2e-15 * sqrt(self.logit.a + self.logit.b)
    }

    /// ln of the density of the logit at `w`.
    pub fn ln_density(&self, w: f64) -> f64 {
        self.logit.ln_density(w)
    }

    /// ln P(logit <= w).
    pub fn ln_cdf(&self, w: f64) -> f64 {
        if self.logit.is_left(w) {
            self.logit.ln_left(w, &self.rule)
        } else {
            complement(self.mirror.ln_left(-w, &self.rule))
        }
    }

    /// ln P(logit > w).
    pub fn ln_tail(&self, w: f64) -> f64 {
        if self.logit.is_left(w) {
            complement(self.logit.ln_left(w, &self.rule))
        } else {
            self.mirror.ln_left(-w, &self.rule)
        }
    }

    /// The x in [0, 1] with P(X <= x) = `p`, for `p` in (0, 1).
    pub fn quantile(&self, p: f64) -> f64 {
        logistic(if p <= 0.5 { self.left_quantile(p) } else { self.right_quantile(1.0 - p) })
    }

    /// The x that is exceeded with probability `p`: the upper end of an interval, without the rounding of 1 - p.
    pub fn upper_quantile(&self, p: f64) -> f64 {
        logistic(if p <= 0.5 { self.right_quantile(p) } else { self.left_quantile(1.0 - p) })
    }

    fn left_quantile(&self, p: f64) -> f64 {
        self.logit.quantile(p, |w| self.ln_cdf(w))
    }

    fn right_quantile(&self, p: f64) -> f64 {
        -self.mirror.quantile(p, |w| self.ln_tail(-w))
    }
}

/// The distribution of the logit, seen from the left.
#[derive(Debug, Clone, Copy)]
struct Logit {
    a: f64,
    b: f64,
    /// ln(a/b).
    mode: f64,
    /// ln of the density at the mode.
    ln_peak: f64,
}

impl Logit {
    fn ln_density(&self, w: f64) -> f64 {
        self.ln_peak + self.exponent(w)
    }

    /// ln of the density, relative to its peak.
    fn exponent(&self, w: f64) -> f64 {
        let d = w - self.mode;
        // By the rarer of the two outcomes, because the other's share, near 1, loses what the logarithm needs.
        if self.a <= self.b { exponent(self.a, self.b, d) } else { exponent(self.b, self.a, -d) }
    }

    /// Of ln of the density.
    fn slope(&self, w: f64) -> f64 {
        self.a * logistic(-w) - self.b * logistic(w)
    }

    fn is_left(&self, w: f64) -> bool {
        logistic(w) <= (self.a + 1.0) / (self.a + self.b + 2.0)
    }

    /// ln P(logit <= w) left of the mean.
    fn ln_left(&self, w: f64, rule: &OnceCell<GaussLegendre>) -> f64 {
        let x = logistic(w);
        if x < FRACTION_MAX && self.a.min(self.b) <= LARGE {
            return self.ln_density(w) - log(self.a) + log(beta_fraction(self.a, self.b, x));
        }
        let rule = rule.get_or_init(|| GaussLegendre::new(ORDER));
        let here = self.exponent(w);
        let mut integrand = |v: f64| exp(self.exponent(v) - here);
        // The first panel reaches about as far as the density falls by a third, the others triple the distance.
        let (mut near, mut far) = (0.0, 1.0 / (fabs(self.slope(w)) + sqrt(self.a.min(self.b))));
        let mut sum = 0.0;
        while near == 0.0 || here - self.exponent(w - near) < DROP {
            sum += rule.integrate(w - far, w - near, &mut integrand);
            (near, far) = (far, 3.0 * far);
        }
        self.ln_peak + here + log(sum)
    }

    /// The logit with `ln_cdf` of ln `p`, for `p` <= 0.5: by Newton on that logarithm, which is concave, within a bracket.
    fn quantile(&self, p: f64, ln_cdf: impl Fn(f64) -> f64) -> f64 {
        let target = log(p);
        let width = sqrt(1.0 / self.a + 1.0 / self.b);
        let mut w = self.mode - normal_upper_quantile(p) * width;
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for _ in 0..200 {
            let here = ln_cdf(w);
            let excess = here - target;
            if excess > 0.0 {
                high = high.min(w);
            } else {
                low = low.max(w);
            }
            let step = excess / exp(self.ln_density(w) - here);
            if fabs(step) <= 1e-15 * fabs(w) + 1e-13 * width {
                return w - step;
            }
            let newton = w - step;
            w = if newton > low && newton < high {
                newton
            } else if low.is_finite() && high.is_finite() {
                0.5 * (low + high)
            } else {
                w - excess.signum() * width
            };
        }
        w
    }
}

/// ln of x^a (1-x)^b at a logit `d` from the mode, relative to there, for a <= b.
///
/// `a d - (a + b) ln(1 + y)` with `y = (e^d - 1) a/(a + b)`; both parts are `a (e^d - 1)` but for their rests.
fn exponent(a: f64, b: f64, d: f64) -> f64 {
    let share = a / (a + b);
    let y = share * expm1(d);
    if y > 1.0 {
        // Beyond even odds, where e^d may overflow: it is taken out of the logarithm.
        return -b * d - (a + b) * log(share + (1.0 - share) * exp(-d));
    }
    (a + b) * log_rest(y) - a * exp_rest(d)
}

/// ln(1 - e^x).
fn complement(x: f64) -> f64 {
    if x >= 0.0 {
        f64::NEG_INFINITY
    } else if x > -0.5 {
        log(-expm1(x))
    } else {
        log1p(-exp(x))
    }
}

/// The rate at logit `w`.
pub(crate) fn logistic(w: f64) -> f64 {
    if w >= 0.0 { 1.0 / (1.0 + exp(-w)) } else { exp(w) / (1.0 + exp(w)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logarithms of distribution functions by 40-digit quadrature.
    #[test]
    fn forty_digit_values() {
        let check = |a: f64, b: f64, w: f64, expected: f64| {
            let got = BetaDistribution::new(a, b).ln_cdf(w);
            // What the rounding of the logit alone does.
            let slope = fabs(a * logistic(-w) - b * logistic(w)) + sqrt(a / (a + b) * b);
            assert!(
                fabs(got - expected) < 5e-13 + 1e-15 * slope * (1.0 + fabs(w)),
                "({a}, {b}) at {w}: {got} is not {expected}"
            );
        };
        check(50_000_000.0, 950_000_000.0, -2.945_600_347_929_231, -35.035_726_859_604_004);
        check(50_000_000.0, 950_000_000.0, -2.944_438_979_166_440_3, -0.693_112_450_383_997_4);
        check(50_000_000.0, 950_000_000.0, -2.943_568_748_530_898_6, -9.958820118036685e-10);
        check(2_000.0, 1_500.0, 0.270_626_648_991_052_3, -1.177_192_634_889_996_6);
        check(1_001.0, 1_000_000_000.0, -13.830_440_760_497_012, -1.166_929_850_743_336_3);
        check(1_001.0, 1_000_000_000.0, -13.640_858_641_827_124, -7.214702458777824e-09);
        check(999.0, 1_000_000_000.0, -13.816_511_058_297_857, -0.684_767_702_454_657_9);
        check(1.0, 1_000_000_000.0, -20.723_265_836_946_41, -0.458_675_145_678_069_83);
        check(0.003, 0.002, -0.594_246_469_517_136_1, -0.918_070_962_889_256_6);
        check(0.5, 0.5, 0.738_997_943_851_738_6, -0.486_089_551_825_180_77);
        check(12.0, 10_000_000.0, -12.628_134_796_049_33, -1.003941172498204e-05);
        check(1_000_000_000.0, 3.0, 19.624_653_536_552_8, -0.859_933_854_332_468_6);
        check(500_000_000.0, 500_000_000.0, 0.0, -std::f64::consts::LN_2);
        check(1_200.0, 40_000.0, -3.598_307_565_011_696_7, -6.866_226_278_937_999);
        check(1_200.0, 40_000.0, -3.449_521_720_200_471_5, -0.024_516_346_699_118_247);
        check(40.0, 60.0, -0.508_152_740_197_636_3, -1.160_395_546_298_113_7);
        check(40.0, 60.0, 0.811_739_263_552_136_7, -8.529042343896938e-10);
        check(0.003, 0.002, -690.775_527_898_213_7, -2.988_607_481_883_824);
    }

    #[test]
    fn quantiles_invert() {
        for (a, b) in
            [(1.0, 2.0), (2.0, 1.0), (1e-3, 2e-3), (0.5, 0.5), (5e7, 9.5e8), (1e9, 1.0), (3.0, 1e9), (700.0, 3e3)]
        {
            let beta = BetaDistribution::new(a, b);
            for p in [1e-200, 1e-9, 0.025, 0.5] {
                let w = beta.left_quantile(p);
                assert!(fabs(beta.ln_cdf(w) - log(p)) < 1e-11 * (1.0 - log(p)), "({a}, {b}) at {p}");
                let w = beta.right_quantile(p);
                assert!(fabs(beta.ln_tail(w) - log(p)) < 1e-11 * (1.0 - log(p)), "({a}, {b}) above at {p}");
            }
        }
        assert!(fabs(BetaDistribution::new(1.0, 2.0).upper_quantile(0.025) - (1.0 - sqrt(0.025))) < 1e-14);
    }
}
