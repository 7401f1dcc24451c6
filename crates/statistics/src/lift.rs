//! The relative effect: Fieller's set, which excludes 0 exactly when the absolute test rejects (§1.4), and the delta method.

use crate::moments::Arm;
use libm::sqrt;

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
}

/// Fieller's set of r with |ȳ_t - (1+r) ȳ_c| <= c sqrt(v_t + (1+r)² v_c); `v_*` are variances of the means.
pub fn fieller(mean_control: f64, v_control: f64, mean_treatment: f64, v_treatment: f64, critical: f64) -> Lift {
    let square = critical * critical;
    let a = mean_control * mean_control - square * v_control;
    let b = mean_control * mean_treatment;
    let c = mean_treatment * mean_treatment - square * v_treatment;
    let d = b * b - a * c;
    if a > 0.0 && d >= 0.0 {
        let (low, high) = roots(a, b, c, sqrt(d));
        Lift::Bounded { low: low - 1.0, high: high - 1.0 }
    } else if a < 0.0 && d > 0.0 {
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
    let v = |arm: &Arm| floor_factor * arm.variance() / arm.n;
    fieller(control.mean, v(control), treatment.mean, v(treatment), multiplier)
}

/// Lift and its variance by the delta method. `None` when the control's mean is 0.
pub fn delta(control: &Arm, treatment: &Arm) -> Option<(f64, f64)> {
    if control.mean == 0.0 {
        return None;
    }
    let (vc, vt, c2) =
        (control.variance() / control.n, treatment.variance() / treatment.n, control.mean * control.mean);
    let variance = vt / c2 + vc * treatment.mean * treatment.mean / (c2 * c2);
    Some((treatment.mean / control.mean - 1.0, variance))
}
