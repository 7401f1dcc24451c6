//! Properties of plans that hold for every plan.

#![allow(clippy::unwrap_used, reason = "a plan that cannot be computed has failed")]

use assay_statistics::alpha::Alpha;
use assay_statistics::power::proportions::{self, RateVariance};
use assay_statistics::power::{PlanError, Promise, duration, means};
use assay_statistics::sides::Sides;
use assay_statistics::special::noncentral_t::ln_noncentral_t_tail;
use proptest::prelude::*;

fn promise(alpha: f64, power: f64, sides: Sides) -> Promise {
    Promise { alpha: Alpha::new(alpha).unwrap(), sides, power, comparisons: 1 }
}

const USUAL: Promise = Promise { alpha: Alpha::FIVE_PERCENT, sides: Sides::Two, power: 0.8, comparisons: 1 };

fn both_sides() -> impl Strategy<Value = Sides> {
    prop_oneof![Just(Sides::One), Just(Sides::Two)]
}

#[test]
fn the_textbook_example() {
    let size = proportions::sample_size(0.05, 0.055, RateVariance::Unpooled, &USUAL, 1.0, 1).unwrap();
    assert_eq!((size.control, size.total), (31_231.0, 62_462.0));
    assert_eq!(proportions::sample_size_rounded_z(0.05, 0.055, 1.96, 0.84).unwrap().control, 31_196.0);
}

#[test]
fn what_cannot_be_planned_is_refused_in_words() {
    let size =
        |p1, p2, power| proportions::sample_size(p1, p2, RateVariance::Unpooled, &Promise { power, ..USUAL }, 1.0, 1);
    assert_eq!(size(0.1, 0.1, 0.8), Err(PlanError::NoEffect));
    assert_eq!(size(-0.1, 0.1, 0.8), Err(PlanError::Rate));
    assert_eq!(size(f64::NAN, 0.1, 0.8), Err(PlanError::Rate));
    assert_eq!(size(0.1, 0.2, 0.02), Err(PlanError::Power));
    assert_eq!(size(0.1, 0.2, 1.0), Err(PlanError::Power));
    assert_eq!(means::sample_size_t(0.0, 1.0, &USUAL, 1.0), Err(PlanError::Deviation));
    assert_eq!(means::sample_size_normal(1.0, 1.0, f64::MIN_POSITIVE, &USUAL, 1.0), Err(PlanError::OutOfReach));
    assert_eq!(duration::days(10.0, 0.0, 1.0, true), Err(PlanError::Traffic));
}

/// Effects as large as the spread: the normal size would be too small by a fifth.
#[test]
fn small_t_tests_reach_their_power() {
    for delta in [0.2, 1.0, 3.0, 50.0] {
        let size = means::sample_size_t(1.0, delta, &USUAL, 1.0).unwrap();
        let power = means::power_t(1.0, delta, size.control, size.treatment, Alpha::FIVE_PERCENT, Sides::Two).unwrap();
        assert!(power >= 0.8, "{delta}: {size:?} {power}");
        let normal = means::sample_size_normal(1.0, 1.0, delta, &USUAL, 1.0).unwrap();
        assert!(size.control >= normal.control);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn size_power_and_effect_agree(
        p in 1e-5..0.99f64, lift in prop_oneof![-0.5..-0.01f64, 0.01..0.5f64],
        alpha in 1e-6..0.2f64, power in 0.5..0.99f64, ratio in 0.05..20.0f64, sides in both_sides(),
    ) {
        let target = (p * (1.0 + lift)).min(1.0);
        let promise = promise(alpha, power, sides);
        let size = proportions::sample_size(p, target, RateVariance::Unpooled, &promise, ratio, 1).unwrap();
        let (n, alpha) = (size.control_exact, promise.alpha);
        prop_assume!(n >= 1.0 && ratio * n >= 1.0);
        let got = proportions::power(p, target, n, ratio * n, RateVariance::Unpooled, alpha, sides).unwrap();
        // The other tail adds at most what it has without an effect.
        prop_assert!(got >= power - 1e-9 && got <= power + 0.01, "{got} is not {power}");
        let mde = proportions::mde(p, n, &promise, ratio).unwrap();
        let found = if lift > 0.0 { mde.up } else { mde.down }.unwrap();
        prop_assert!((found / (target - p) - 1.0).abs() < 1e-7, "{found} is not {}", target - p);
    }

    #[test]
    fn more_units_never_lower_the_power(
        p in 0.0..=1.0f64, target in 0.0..=1.0f64, n in 1.0..1e9f64, more in 1.0..10.0f64, sides in both_sides(),
    ) {
        for variance in [RateVariance::Unpooled, RateVariance::PooledNull] {
            let power = |n: f64| proportions::power(p, target, n, n, variance, Alpha::FIVE_PERCENT, sides).unwrap();
            prop_assert!((0.0..=1.0).contains(&power(n)) && power(n * more) >= power(n) - 1e-12);
        }
    }

    #[test]
    fn means_scale_with_their_unit(sd in 0.01..100.0f64, delta in 0.05..3.0f64, unit in 1e-6..1e6f64) {
        let size = |unit: f64| means::sample_size_normal(sd * unit, sd * unit, delta * sd * unit, &USUAL, 1.0).unwrap();
        prop_assert!((size(1.0).control_exact / size(unit).control_exact - 1.0).abs() < 1e-12);
        let found = means::mde(sd, sd, size(1.0).control_exact, &USUAL, 1.0).unwrap();
        prop_assert!((found / (delta * sd) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn noncentral_tails_are_probabilities(
        t in prop::num::f64::NORMAL, ln_df in -20.0..40.0f64, delta in -1e6..1e6f64,
    ) {
        let ln_p = ln_noncentral_t_tail(t, libm::exp(ln_df), delta);
        prop_assert!(!ln_p.is_nan() && ln_p <= 0.0, "{ln_p}");
    }

    #[test]
    fn weeks_are_whole(total in 0.0..1e12f64, per_day in 1e-3..1e9f64, share in 0.01..=1.0f64) {
        let got = duration::days(total, per_day, share, true).unwrap();
        prop_assert!(got.days % 7.0 == 0.0 && got.days >= got.days_min && got.days < got.days_min + 7.0);
    }
}
