//! What a sequential plan needs beyond a fixed sample, and where it stops on average when the effect is the planned one (§1.6).
//!
//! A fixed test with power 1 - beta has at its end the drift z_alpha + z_beta. A group sequential test with the same power needs the drift
//! theta for which its chance to cross is that; its maximum is `theta² / (z_alpha + z_beta)²` fixed samples. The always-valid test is
//! tuned at the fixed sample (N* = planned n, x = x* N/N*), crosses at `|Z| >= sqrt((1 + 1/x) (ln(1 + x) - 2 ln alpha))`, and is followed look by look until
//! its chance to have crossed reaches the power. Both by the recursion of the group sequential tests; at alpha 5 % and power 80 % the always-valid
//! maximum is 1.65 fixed samples with an average just below one, that of O'Brien-Fleming spending with 14 looks 1.04 and 0.79.

use super::{PlanError, Promise};
use crate::alpha::Alpha;
use crate::always_valid::{Rule, tuned};
use crate::group_sequential::{Design, Spending, Z_CAP, course, crossing_probability, drift_for_power, follow};
use libm::{fmin, log1p, sqrt};

/// Looks per fixed sample that stand for "at any time". The maximum, 1.644 with these, is 1.666 with 100 looks and 1.634 with 500.
const LOOKS_PER_SAMPLE: u32 = 250;

/// A plan that needs more than this many fixed samples is refused.
const SAMPLES_MAX: f64 = 20.0;

/// A sequential plan, in units of the fixed sample for the same alpha and power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inflation {
    /// The most it may need.
    pub maximum: f64,
    /// Where it stops on average under the planned effect, if allowed that maximum.
    pub average: f64,
    /// The chance that it rejects within one fixed sample.
    pub power_at_fixed: f64,
}

/// Of the always-valid test tuned at the planned fixed sample. With one side it is taken as the two-sided test at twice alpha.
pub fn always_valid(promise: &Promise) -> Result<Inflation, PlanError> {
    let got = follow(always_valid_looks(promise)?, promise.power).ok_or(PlanError::OutOfReach)?;
    Ok(Inflation { maximum: got.end, average: got.average, power_at_fixed: got.power_at_one })
}

/// As [`always_valid`], with the chance to have rejected by the time of each look, up to `beyond` times the maximum: of each point, the time in
/// fixed samples, and the chance under the planned effect.
pub fn always_valid_course(promise: &Promise, beyond: f64) -> Result<(Inflation, Vec<(f64, f64)>), PlanError> {
    let mut looks = always_valid_looks(promise)?;
    let mut seen = Vec::new();
    let got = follow(looks.by_ref().inspect(|look| seen.push(*look)), promise.power).ok_or(PlanError::OutOfReach)?;
    seen.extend(looks.take_while(|(t, _)| *t <= beyond * got.end));
    let mut reached = 0.0;
    for (_, stops) in &mut seen {
        reached += *stops;
        *stops = fmin(reached, 1.0);
    }
    Ok((Inflation { maximum: got.end, average: got.average, power_at_fixed: got.power_at_one }, seen))
}

/// Its looks under the planned effect: times in fixed samples, each with the chance to stop there.
fn always_valid_looks(promise: &Promise) -> Result<impl Iterator<Item = (f64, f64)>, PlanError> {
    promise.check()?;
    let alpha = Alpha::new(2.0 * promise.per_side()).map_err(|_| PlanError::Power)?;
    let (tuning, ln_alpha) = (tuned(alpha, Rule::Exact), alpha.ln());
    let bound = move |t: f64| {
        let x = tuning * t;
        sqrt((1.0 + 1.0 / x) * (log1p(x) - 2.0 * ln_alpha))
    };
    // Equal steps up to the fixed sample, then steps that grow with time.
    let looks = f64::from(LOOKS_PER_SAMPLE);
    let early = (1..=LOOKS_PER_SAMPLE).map(move |k| f64::from(k) / looks);
    let late = std::iter::successors(Some(1.0 + 1.0 / looks), move |t| Some(t * (1.0 + 1.0 / looks)));
    let times = early.chain(late.take_while(|t| *t < SAMPLES_MAX));
    Ok(course(times, bound, promise.sides, promise.drift()))
}

/// Of a group sequential test with the same promise and equally spaced `looks`.
pub fn group_sequential(promise: &Promise, spending: Spending, looks: usize) -> Result<Inflation, PlanError> {
    promise.check()?;
    let design =
        Design { alpha: promise.alpha.divided(promise.comparisons), sides: promise.sides, spending, z_cap: Z_CAP };
    let information: Vec<f64> = (1..=looks).map(|k| k as f64 / looks as f64).collect();
    let bounds: Vec<f64> = design.bounds(&information)?.iter().map(|look| look.z).collect();
    let (drift, average) = drift_for_power(&information, &bounds, promise.sides, promise.power)?;
    let maximum = (drift / promise.drift()) * (drift / promise.drift());
    let power_at_fixed = crossing_probability(&information, &bounds, promise.sides, promise.drift())?.reject;
    Ok(Inflation { maximum, average: average * maximum, power_at_fixed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sides::Sides;

    fn promise(alpha: f64, power: f64) -> Promise {
        Promise { alpha: Alpha::new(alpha).unwrap(), sides: Sides::Two, power, comparisons: 1 }
    }

    fn near(got: f64, expected: f64, by: f64) {
        assert!((got - expected).abs() <= by, "{got} is not {expected}");
    }

    /// The table of an independent integration, to its last digit and the effect of the number of looks.
    #[test]
    fn always_valid_plans() {
        let table = [
            (0.05, 0.8, 0.530, 1.644, 0.986),
            (0.05, 0.9, 0.689, 1.563, 0.801),
            (0.10, 0.8, 0.526, 1.751, 1.011),
            (0.01, 0.8, 0.540, 1.494, 0.954),
        ];
        for (alpha, power, at_fixed, maximum, average) in table {
            let got = always_valid(&promise(alpha, power)).unwrap();
            near(got.power_at_fixed, at_fixed, 0.004);
            near(got.maximum, maximum, 0.004);
            near(got.average, average, 0.004);
        }
    }

    #[test]
    fn a_course_passes_the_promise_at_the_maximum() {
        let promise = promise(0.05, 0.8);
        let (inflation, course) = always_valid_course(&promise, 1.25).unwrap();
        assert_eq!(inflation, always_valid(&promise).unwrap());
        let by = |time: f64| course.iter().take_while(|(t, _)| *t <= time).last().unwrap().1;
        near(by(inflation.maximum), 0.8, 0.004);
        near(by(1.0), inflation.power_at_fixed, 1e-12);
        assert!(course.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        let end = course.last().unwrap().0;
        assert!(end > 1.24 * inflation.maximum && end <= 1.25 * inflation.maximum, "{end}");
    }

    #[test]
    fn group_sequential_plans() {
        let table = [
            (Spending::ObrienFleming, 5, 1.025, 0.82),
            (Spending::ObrienFleming, 14, 1.042, 0.79),
            (Spending::ObrienFleming, 28, 1.049, 0.78),
            (Spending::Pocock, 5, 1.21, 0.80),
            (Spending::Pocock, 14, 1.26, 0.78),
        ];
        for (spending, looks, maximum, average) in table {
            let got = group_sequential(&promise(0.05, 0.8), spending, looks).unwrap();
            near(got.maximum, maximum, 0.006);
            near(got.average, average, 0.006);
        }
    }

    #[test]
    fn one_look_is_the_fixed_test() {
        let got = group_sequential(&promise(0.05, 0.8), Spending::Pocock, 1).unwrap();
        near(got.maximum, 1.0, 1e-5);
        near(got.average, 1.0, 1e-5);
    }
}
