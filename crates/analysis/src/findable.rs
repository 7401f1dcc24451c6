//! What a test can still find: by the spread seen so far, at the size it has and at the end of its plan.
//!
//! A plan, never a statement about what was found: power "observed" from the estimate would only be the p-value again.

use crate::infer::Pair;
use assay_experiment::Method;
use assay_statistics::alpha::Alpha;
use assay_statistics::power::{Promise, means};
use assay_statistics::sides::Sides;

/// An always-valid experiment needs at most so many times its planned units for the power of a fixed plan (statistics, §1.6).
pub(crate) const INFLATION: f64 = 1.65;
/// The usual promise.
const POWER: f64 = 0.8;

/// Smallest effects that are found with power 80 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Findable {
    /// Units of the pair at the plan's end, or now where that is past.
    pub units: u64,
    /// The effect then.
    pub then: f64,
    /// The effect with the units of now.
    pub now: f64,
    /// What effects are relative to.
    pub control_mean: f64,
}

/// Of a pair, one of so many treatments. `None` with too few units to know a spread.
pub(crate) fn findable(pair: &Pair, method: Method, planned: u64, alpha: Alpha, treatments: u32) -> Option<Findable> {
    let Pair { control, treatment, .. } = pair;
    if control.n < 2.0 || treatment.n < 2.0 {
        return None;
    }
    let promise = Promise { alpha, sides: Sides::Two, power: POWER, comparisons: treatments };
    let (sd_c, sd_t) = (control.variance().sqrt(), treatment.variance().sqrt());
    let total = control.n + treatment.n;
    let inflation = if method == Method::AlwaysValid { INFLATION } else { 1.0 };
    let end = (planned as f64 * inflation).ceil().max(total);
    let at = |units: f64| {
        let control_units = units / inflation * (control.n / total);
        means::mde(sd_c, sd_t, control_units.max(1.0), &promise, treatment.n / control.n).ok()
    };
    let (then, now) = (at(end)?, at(total)?);
    (then.is_finite() && now.is_finite()).then_some(Findable {
        units: end as u64,
        then,
        now,
        control_mean: control.mean,
    })
}
