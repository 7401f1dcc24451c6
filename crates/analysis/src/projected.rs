//! When a comparison would be clear of its minimum effect, if the present estimate were true.
//!
//! The lifts that are not ruled out are Fieller's set, so a lift `r` is ruled out at `n` units when `|ȳ_t - (1+r) ȳ_c|` is above the always-valid
//! half width for the variance of that combination. Clear is the interval when it lies wholly above the minimum, wholly below its negative, or
//! wholly between the two: where the estimate is decides which ends have to be ruled out. It has ends at all once the control's mean is
//! clear of zero in the same sense.

use crate::infer::Pair;
use crate::results::ExperimentResult;
use crate::verdict::pace;
use assay_statistics::always_valid::{Design, units_until, variance};
use assay_statistics::lift::{Mean, estimate};

/// Sizes beyond so many times the plan, or what is there where that is more, are no plan for anybody.
const PLANS_MAX: f64 = 100.0;

/// When a comparison would be clear of its minimum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Projected {
    /// At so many units of the pair.
    At(u64),
    /// It is clear already, with these.
    Cleared(u64),
    /// Beyond a hundred times the plan, or never: the estimate lies on the minimum.
    Far,
    /// Nothing can be said before the waiting period is over.
    TooFew,
    /// Without a control's mean there is no lift.
    NoLift,
    /// Nothing can be inferred for this type of metric.
    Unsupported,
}

impl Projected {
    /// As in results.
    pub fn status(&self) -> &'static str {
        match self {
            Projected::At(_) => "ok",
            Projected::Cleared(_) => "cleared",
            Projected::Far => "far",
            Projected::TooFew => "too_few",
            Projected::NoLift => "no_lift",
            Projected::Unsupported => "unsupported",
        }
    }

    /// Units of the pair.
    pub fn units(&self) -> Option<u64> {
        match self {
            Projected::At(units) | Projected::Cleared(units) => Some(*units),
            _ => None,
        }
    }

    /// Units that a pair with so many lacks.
    pub fn units_left(&self, units: u64) -> Option<u64> {
        self.units().map(|needed| needed.saturating_sub(units))
    }

    /// Days until then at the present pace.
    pub fn days_left(&self, experiment: &ExperimentResult, units: u64) -> Option<f64> {
        self.units_left(units).zip(pace(experiment, units)).map(|(left, pace)| left as f64 / pace)
    }
}

/// Of a pair whose waiting period is over. `minimum` is relative; 0 where none is given, and then the interval has to exclude zero.
pub(crate) fn projected(pair: &Pair, minimum: f64, planned: f64, design: &Design) -> Projected {
    let Pair { control, treatment, .. } = pair;
    let Some(lift) = estimate(control.mean, treatment.mean) else { return Projected::NoLift };
    let Some(factor) = variance(control, treatment).and_then(|it| it.factor()) else { return Projected::TooFew };
    let (c, t) = (Mean::of(control), Mean::of(treatment));
    let units = control.n + treatment.n;
    let until = |distance: f64, variance: f64| {
        units_until(distance.abs(), factor * variance, units, PLANS_MAX * planned.max(units), design)
    };
    let ruled_out = |lift: f64| {
        let by = 1.0 + lift;
        until(t.mean - by * c.mean, t.variance + by * by * c.variance)
    };
    let ends = match lift {
        _ if lift > minimum => vec![ruled_out(minimum)],
        _ if lift < -minimum => vec![ruled_out(-minimum)],
        _ => vec![ruled_out(minimum), ruled_out(-minimum)],
    };
    let all = ends.into_iter().chain([until(c.mean, c.variance)]);
    let needed = all.collect::<Option<Vec<f64>>>().map(|all| all.into_iter().fold(0.0, f64::max).ceil());
    match needed {
        Some(needed) if needed <= units => Projected::Cleared(units as u64),
        Some(needed) => Projected::At(needed as u64),
        None => Projected::Far,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

    use super::*;
    use assay_statistics::alpha::Alpha;
    use assay_statistics::always_valid::compare;
    use assay_statistics::lift::{Lift, sequential};
    use assay_statistics::moments::Arm;

    const PLANNED: f64 = 10_000.0;

    fn arm(n: f64, mean: f64) -> Arm {
        Arm { n, mean, m2: n - 1.0 }
    }

    fn at(units: f64, lift: f64, minimum: f64) -> Projected {
        let pair =
            Pair { control: arm(units / 2.0, 10.0), treatment: arm(units / 2.0, 10.0 * (1.0 + lift)), share: None };
        projected(&pair, minimum, PLANNED, &Design::new(Alpha::FIVE_PERCENT, PLANNED))
    }

    /// The set of an experiment that has the same means at another size.
    fn set(units: f64, lift: f64) -> (f64, f64) {
        let (c, t) = (arm(units / 2.0, 10.0), arm(units / 2.0, 10.0 * (1.0 + lift)));
        let look = compare(&c, &t, None, &Design::new(Alpha::FIVE_PERCENT, PLANNED));
        let factor = look.variance.unwrap().factor().unwrap();
        match sequential(&c, &t, factor, look.multiplier) {
            Lift::Bounded { low, high } => (low, high),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn at_the_projected_size_the_set_ends_at_the_minimum() {
        for (lift, minimum, end) in [(0.02, 0.01, 0.01), (-0.02, 0.01, -0.01), (0.004, 0.01, 0.01), (0.01, 0.0, 0.0)] {
            let projected = at(1_000.0, lift, minimum);
            assert_eq!(projected.status(), "ok", "{lift}");
            let units = projected.units().unwrap() as f64;
            let (low, high) = set(units, lift);
            let found = if (low - end).abs() < (high - end).abs() { low } else { high };
            assert!((found - end).abs() < 1e-5, "{lift} and {minimum}: {low} to {high} at {units}");
        }
    }

    #[test]
    fn what_is_clear_is_told_from_what_never_will_be() {
        assert_eq!(at(1_000_000.0, 0.02, 0.01), Projected::Cleared(1_000_000));
        assert_eq!(at(1_000_000.0, 0.0, 0.01), Projected::Cleared(1_000_000));
        assert_eq!(at(1_000.0, 0.01, 0.01), Projected::Far);
        assert_eq!(at(1_000.0, 0.0, 0.0), Projected::Far);
        let pair = Pair { control: arm(100.0, 0.0), treatment: arm(100.0, 1.0), share: None };
        assert_eq!(projected(&pair, 0.1, PLANNED, &Design::new(Alpha::FIVE_PERCENT, PLANNED)), Projected::NoLift);
    }
}
