//! Two conversion rates with beta posteriors (§4): chance to win, expected losses, credible intervals of the rates and of their difference.
//!
//! With a Beta(a0, b0) prior and x of n units converted the posterior is Beta(a0 + x, b0 + n - x). The chance to win is
//! `int f_t(p) F_c(p) dp`; the expected loss of choosing the treatment is `E(p_c - p_t)+ = int F_t(p) (1 - F_c(p)) dp`, an integral of
//! positive terms rather than the usual difference of two products, which is left with no digits when the loss is small. Over the logit
//! of p all these integrands are log-concave hills. The interval of the difference inverts `P(p_t - p_c > d) = int f_t(p) F_c(p - d) dp`.
//! Units are rates and differences of rates (0.01 is one percentage point). Descriptive; see the module.

use super::{PosteriorError, outside};
use crate::quadrature::{GaussLegendre, ln_integral_of_hill};
use crate::special::beta_distribution::{BetaDistribution, logistic};
use crate::special::normal_upper_quantile;
use libm::{exp, fabs, log, log1p, sqrt};

/// Points per panel of the distribution function of the difference.
const ORDER: usize = 16;

/// Its relative precision.
const DIFFERENCE_TOLERANCE: f64 = 1e-11;

/// Secant steps; with halving among them, these reach the spacing of doubles.
const STEPS_MAX: u32 = 200;

/// In standard deviations of the difference: when the next step is below this, the end of an interval is known.
const STEP_DONE: f64 = 1e-8;

/// Largest count and parameter: nearly where a double stops to count one by one. Far beyond, a hill has no width that a double could step over,
/// and the quadrature would look for it without end.
const SIZE_MAX: f64 = 1e15;
/// Smallest parameter of a prior: the tails of smaller ones are beyond doubles.
const PARAMETER_MIN: f64 = 1e-100;

/// Units of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Binomial {
    /// How many there are.
    pub n: f64,
    /// How many of them converted.
    pub conversions: f64,
}

/// Beta(alpha, beta) on a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPrior {
    /// Conversions that are assumed beforehand.
    pub alpha: f64,
    /// Units without conversion that are assumed beforehand.
    pub beta: f64,
}

impl BetaPrior {
    /// Every rate is as likely: Beta(1, 1).
    pub const UNIFORM: BetaPrior = BetaPrior { alpha: 1.0, beta: 1.0 };

    /// The posterior after the units of an arm.
    pub fn posterior(&self, arm: &Binomial) -> Result<BetaDistribution, PosteriorError> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        if !(positive(self.alpha) && positive(self.beta)) {
            return Err(PosteriorError::BetaPrior);
        }
        if !(arm.n.is_finite() && (0.0..=arm.n).contains(&arm.conversions)) {
            return Err(PosteriorError::Counts);
        }
        if self.alpha.max(self.beta).max(arm.n) > SIZE_MAX || self.alpha.min(self.beta) < PARAMETER_MIN {
            return Err(PosteriorError::Size);
        }
        Ok(BetaDistribution::new(self.alpha + arm.conversions, self.beta + (arm.n - arm.conversions)))
    }
}

/// What the posteriors of two rates say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// P(p_t > p_c).
    pub chance_to_win: f64,
    /// E(p_c - p_t)+: what choosing the treatment costs on average if that is wrong.
    pub loss_choose_treatment: f64,
    /// E(p_t - p_c)+.
    pub loss_choose_control: f64,
    /// Posterior mean of the control's rate.
    pub mean_control: f64,
    /// Posterior mean of the treatment's rate.
    pub mean_treatment: f64,
    /// Equal-tailed interval of the control's rate.
    pub interval_control: (f64, f64),
    /// Equal-tailed interval of the treatment's rate.
    pub interval_treatment: (f64, f64),
    /// Equal-tailed interval of the difference, treatment minus control.
    pub interval_difference: (f64, f64),
}

/// Compares two arms under the same prior.
pub fn beta_binomial(
    control: &Binomial,
    treatment: &Binomial,
    prior: BetaPrior,
    level: f64,
) -> Result<Comparison, PosteriorError> {
    let outside = outside(level)?;
    let (c, t) = (prior.posterior(control)?, prior.posterior(treatment)?);
    let interval = |rate: &BetaDistribution| (rate.quantile(outside), rate.upper_quantile(outside));
    Ok(Comparison {
        chance_to_win: exp(ln_chance(&t, &c)).min(1.0),
        loss_choose_treatment: expected_shortfall(&t, &c),
        loss_choose_control: expected_shortfall(&c, &t),
        mean_control: c.mean(),
        mean_treatment: t.mean(),
        interval_control: interval(&c),
        interval_treatment: interval(&t),
        interval_difference: (-exceeded_difference(&c, &t, outside), exceeded_difference(&t, &c, outside)),
    })
}

/// ln P(X > Y).
fn ln_chance(x: &BetaDistribution, y: &BetaDistribution) -> f64 {
    let (start, scale) = x.hill();
    ln_integral_of_hill(start, scale, x.rounding().max(y.rounding()), |w| x.ln_density(w) + y.ln_cdf(w))
}

/// E(Y - X)+ as the integral of P(X <= p < Y).
fn expected_shortfall(x: &BetaDistribution, y: &BetaDistribution) -> f64 {
    let ((of_x, width_x), (of_y, width_y)) = (x.hill(), y.hill());
    // dp is p (1 - p) times the step of the logit.
    let ln_slope = |w: f64| -fabs(w) - 2.0 * log1p(exp(-fabs(w)));
    let f = |w: f64| x.ln_cdf(w) + y.ln_tail(w) + ln_slope(w);
    exp(ln_integral_of_hill(0.5 * (of_x + of_y), width_x.min(width_y), x.rounding().max(y.rounding()), f))
}

/// The d with P(X - Y > d) = `p`.
///
/// By the secant method in normal deviates, on which scale the function is nearly a line, within a bracket.
fn exceeded_difference(x: &BetaDistribution, y: &BetaDistribution, p: f64) -> f64 {
    let rule = GaussLegendre::new(ORDER);
    let target = normal_upper_quantile(p);
    let excess = |d: f64| {
        let exceeded = exceedance(&rule, x, y, d).clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
        normal_upper_quantile(exceeded) - target
    };
    let sd = sqrt(x.sd() * x.sd() + y.sd() * y.sd());
    let (mut low, mut high) = (-1.0, 1.0);
    let mut d = (x.mean() - y.mean() + target * sd).clamp(-1.0, 1.0);
    let mut last: Option<(f64, f64)> = None;
    for _ in 0..STEPS_MAX {
        let here = excess(d);
        if here > 0.0 {
            high = d;
        } else {
            low = d;
        }
        let slope = last.map(|(other, there)| (here - there) / (d - other)).filter(|slope| *slope > 0.0);
        let step = -here / slope.unwrap_or(1.0 / sd);
        if fabs(step) <= STEP_DONE * sd {
            return (d + step).clamp(-1.0, 1.0);
        }
        last = Some((d, here));
        d = if d + step > low && d + step < high { d + step } else { 0.5 * (low + high) };
        if high - low <= f64::EPSILON {
            break;
        }
    }
    d
}

/// P(X - Y > d).
fn exceedance(rule: &GaussLegendre, x: &BetaDistribution, y: &BetaDistribution, d: f64) -> f64 {
    let (mode, width) = x.hill();
    // Where X has its mass, and where Y + d has: between these breaks the integrand is smooth.
    let mut breaks: Vec<f64> = vec![mode];
    for side in [-1.0, 1.0] {
        let mut distance = width;
        while x.ln_density(mode) - x.ln_density(mode + side * distance) < 46.0 {
            breaks.push(mode + side * distance);
            distance *= 2.0;
        }
        breaks.push(mode + side * distance);
    }
    let (first, last) = breaks.iter().fold((mode, mode), |(low, high), w| (low.min(*w), high.max(*w)));
    let of_y = [-8.0, -4.0, -1.5, 0.0, 1.5, 4.0, 8.0].map(|k| y.mean() + k * y.sd());
    let inner = |p: &f64| *p > 0.0 && *p < 1.0;
    let images = of_y.into_iter().filter(inner).map(|p| p + d).chain([d, 1.0 + d]).filter(inner);
    breaks.extend(images.map(|p| log(p / (1.0 - p))).filter(|w| *w > first && *w < last));
    breaks.sort_by(f64::total_cmp);
    let tolerance = DIFFERENCE_TOLERANCE.max(x.rounding()).max(y.rounding());
    rule.adaptive(&breaks, tolerance, |w| {
        let (p, rest) = (logistic(w), logistic(-w));
        let (below, above) = (p - d, rest + d);
        if below <= 0.0 {
            0.0
        } else if above <= 0.0 {
            exp(x.ln_density(w))
        } else {
            exp(x.ln_density(w) + y.ln_cdf(log(below / above)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(n: f64, conversions: f64) -> Binomial {
        Binomial { n, conversions }
    }

    #[test]
    fn without_data_it_is_a_triangle() {
        let got = beta_binomial(&arm(0.0, 0.0), &arm(0.0, 0.0), BetaPrior::UNIFORM, 0.95).unwrap();
        assert!(fabs(got.chance_to_win - 0.5) < 1e-13 && fabs(got.loss_choose_control - 1.0 / 6.0) < 1e-13, "{got:?}");
        assert!(fabs(got.interval_difference.1 - (1.0 - sqrt(0.05))) < 1e-12, "{got:?}");
    }

    #[test]
    fn swapped_arms_mirror() {
        let one = beta_binomial(&arm(900.0, 40.0), &arm(850.0, 52.0), BetaPrior::UNIFORM, 0.9).unwrap();
        let other = beta_binomial(&arm(850.0, 52.0), &arm(900.0, 40.0), BetaPrior::UNIFORM, 0.9).unwrap();
        assert!(fabs(one.chance_to_win + other.chance_to_win - 1.0) < 1e-12);
        assert!(fabs(one.interval_difference.0 + other.interval_difference.1) < 1e-13);
        assert_eq!(one.loss_choose_control, other.loss_choose_treatment);
    }
}
