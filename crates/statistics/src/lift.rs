//! The relative effect, treatment/control - 1: Fieller's set (§1.4, §3.3), the delta method, and the logarithm of the ratio.
//!
//! Fieller's set are the `r` with `|ȳ_t - (1+r) ȳ_c| <= c √(v_t + (1+r)² v_c)`, `v_k` the variance of an arm's mean. It excludes 0 exactly when the
//! absolute test rejects, and it says so when the control's mean may be 0: the set is then the outside of an interval, or everything. With
//! `c` a normal or t quantile it is a fixed-horizon interval, with the multiplier of a confidence sequence it holds at every look.
//!
//! The delta method (`V = v_t/ȳ_c² + v_c ȳ_t²/ȳ_c⁴`) is symmetric around the estimate and has neither property: with 1 % against 2 % at 90/10 it
//! misses the true lift in 8 % of runs where 5 % are promised. It is here because other engines show it.

use crate::moments::Arm;
use libm::{exp, expm1, fabs, log, sqrt};

/// The mean of an arm, as an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// ȳ.
    pub mean: f64,
    /// v, the variance of the mean itself, s²/n.
    pub variance: f64,
}

impl Mean {
    /// Of an arm.
    pub fn of(arm: &Arm) -> Mean {
        Mean { mean: arm.mean, variance: if arm.n > 0.0 { arm.variance() / arm.n } else { 0.0 } }
    }
}

/// The lifts that are not ruled out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lift {
    /// Between `low` and `high`.
    Bounded {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// All but what lies between `low` and `high`: the control's mean may be zero.
    Exclusive {
        /// Where the left part ends.
        low: f64,
        /// Where the right part begins.
        high: f64,
    },
    /// Nothing is ruled out.
    Unbounded,
}

impl Lift {
    /// As in results.
    pub fn shape(&self) -> &'static str {
        match self {
            Lift::Bounded { .. } => "bounded",
            Lift::Exclusive { .. } => "exclusive",
            Lift::Unbounded => "unbounded",
        }
    }

    /// Whether a lift is not ruled out.
    pub fn contains(&self, lift: f64) -> bool {
        match *self {
            Lift::Bounded { low, high } => low <= lift && lift <= high,
            Lift::Exclusive { low, high } => lift <= low || high <= lift,
            Lift::Unbounded => true,
        }
    }

    fn around(estimate: f64, half: f64) -> Lift {
        if estimate.is_finite() && !half.is_nan() {
            Lift::Bounded { low: estimate - half, high: estimate + half }
        } else {
            Lift::Unbounded
        }
    }
}

/// The lift itself; `None` when the control's mean is 0.
pub fn estimate(control: f64, treatment: f64) -> Option<f64> {
    let lift = treatment / control - 1.0;
    (control != 0.0 && lift.is_finite()).then_some(lift)
}

/// Fieller's set; `v_*` are variances of the means.
pub fn fieller(mean_control: f64, v_control: f64, mean_treatment: f64, v_treatment: f64, critical: f64) -> Lift {
    let (yc, yt) = (mean_control, mean_treatment);
    let (sc, st) = (sqrt(v_control), sqrt(v_treatment));
    // The set does not depend on the unit; in a unit near the largest term no square over- or underflows.
    let unit = fabs(yc).max(fabs(yt)).max(sc).max(st);
    if !(unit > 0.0 && unit.is_finite() && critical.is_finite()) {
        return Lift::Unbounded;
    }
    let (yc, yt) = (yc / unit, yt / unit);
    let (wc, wt) = (critical * (sc / unit), critical * (st / unit));
    // Of ȳ ∓ c s, so that a mean far from 0 keeps its digits. A leading 0 means that a root lies at infinity on the left of -B.
    let a = (yc - wc) * (yc + wc);
    let a = if a == 0.0 { -0.0 } else { a };
    let b = yc * yt;
    let c = (yt - wt) * (yt + wt);
    // B² - AC, in which B² cancels on paper.
    let d = wt * wt * yc * yc + wc * wc * c;
    if a > 0.0 {
        let (low, high) = roots(a, b, c, sqrt(d.max(0.0)));
        Lift::Bounded { low: low - 1.0, high: high - 1.0 }
    } else if d > 0.0 {
        let (one, other) = roots(a, b, c, sqrt(d));
        Lift::Exclusive { low: one.min(other) - 1.0, high: one.max(other) - 1.0 }
    } else {
        Lift::Unbounded
    }
}

/// (b ∓ √d)/a without cancellation: the root where the terms would cancel comes from the product of the roots, c/a.
fn roots(a: f64, b: f64, c: f64, root: f64) -> (f64, f64) {
    let large = if b >= 0.0 { b + root } else { b - root };
    if large == 0.0 {
        return (0.0, 0.0);
    }
    let (one, other) = (large / a, c / large);
    if a > 0.0 { (one.min(other), one.max(other)) } else { (one, other) }
}

/// Fieller's set at a look: the sequential multiplier, both variances scaled by `floor` over Welch's.
pub fn sequential(control: &Arm, treatment: &Arm, floor_factor: f64, multiplier: f64) -> Lift {
    let (c, t) = (Mean::of(control), Mean::of(treatment));
    fieller(c.mean, floor_factor * c.variance, t.mean, floor_factor * t.variance, multiplier)
}

/// Lift and its variance by the delta method. `None` when the control's mean is 0.
pub fn delta(control: &Arm, treatment: &Arm) -> Option<(f64, f64)> {
    delta_of_means(&Mean::of(control), &Mean::of(treatment))
}

/// As [`delta`], from means and their variances.
pub fn delta_of_means(control: &Mean, treatment: &Mean) -> Option<(f64, f64)> {
    let ratio = treatment.mean / control.mean;
    // By relative errors rather than fourth powers, which under- and overflow.
    let (c, t) = (sqrt(control.variance) / control.mean, sqrt(treatment.variance) / control.mean);
    let variance = t * t + c * c * ratio * ratio;
    (control.mean != 0.0 && ratio.is_finite() && variance.is_finite()).then_some((ratio - 1.0, variance))
}

/// The interval of the delta method: `critical` is a quantile, or the multiplier of a confidence sequence.
pub fn delta_interval(control: &Mean, treatment: &Mean, critical: f64) -> Option<Lift> {
    delta_of_means(control, treatment).map(|(lift, variance)| Lift::around(lift, critical * sqrt(variance)))
}

/// The delta method's confidence sequence at a look, both variances scaled by `floor` over Welch's. Not dual to the absolute test.
pub fn delta_sequential(control: &Arm, treatment: &Arm, floor_factor: f64, multiplier: f64) -> Option<Lift> {
    delta_interval(&Mean::of(control), &Mean::of(treatment), multiplier * sqrt(floor_factor))
}

/// The interval by the logarithm of the ratio, never below -1: `exp(ln(ȳ_t/ȳ_c) ∓ c √(v_t/ȳ_t² + v_c/ȳ_c²)) - 1`. `None` unless both means have
/// the same sign.
pub fn log_interval(control: &Mean, treatment: &Mean, critical: f64) -> Option<Lift> {
    let ratio = treatment.mean / control.mean;
    if !(ratio > 0.0 && ratio.is_finite()) {
        return None;
    }
    let (c, t) = (sqrt(control.variance) / control.mean, sqrt(treatment.variance) / treatment.mean);
    let half = critical * sqrt(t * t + c * c);
    let center = log(ratio);
    // exp(center ∓ half) - 1; apart where the exponent would be infinite minus infinite.
    (!half.is_nan()).then(|| Lift::Bounded {
        low: if half.is_finite() { expm1(center - half) } else { exp(-half) - 1.0 },
        high: if half.is_finite() { expm1(center + half) } else { f64::INFINITY },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with 40 digits: a thousand million units, where B² - AC would lose half of them.
    #[test]
    fn a_thousand_million_units_keep_their_digits() {
        let Lift::Bounded { low, high } = fieller(0.05, 4.75e-11, 0.05003, 4.7526999e-11, 3.5) else {
            panic!("bounded")
        };
        assert!((low / FIELLER.0 - 1.0).abs() < 1e-10 && (high / FIELLER.1 - 1.0).abs() < 1e-10, "{low} {high}");
    }

    const FIELLER: (f64, f64) = (-8.234_446_237_298_689e-5, 1.282_810_241_781_209_3e-3);

    #[test]
    fn a_control_that_may_be_zero_rules_out_an_interval_only() {
        assert_eq!(fieller(0.1, 0.25, 0.2, 0.16, 1.96), Lift::Unbounded);
        assert_eq!(fieller(0.0, 0.0, 0.2, 0.16, 1.96), Lift::Unbounded);
        assert_eq!(fieller(0.5, 0.25, 2.0, 0.16, 1.96).shape(), "exclusive");
    }
}
