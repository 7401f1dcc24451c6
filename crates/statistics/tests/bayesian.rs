//! Properties of posteriors that hold for all counts.

#![allow(clippy::unwrap_used, reason = "a posterior that cannot be computed has failed")]

use assay_statistics::bayesian::{
    BetaPrior, Binomial, EffectArm, EffectScale, PosteriorError, Prior, beta_binomial, chances_to_be_best, conjugate,
    effect, normal,
};
use proptest::prelude::*;

fn counts() -> impl Strategy<Value = Binomial> {
    let n = prop_oneof![Just(0.0), Just(1.0), (0.0..9.0f64).prop_map(|digits| libm::pow(10.0, digits).round())];
    let share = prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0f64, 0.0..1e-6f64];
    (n, share).prop_map(|(n, share)| Binomial { n, conversions: (n * share).round() })
}

fn priors() -> impl Strategy<Value = BetaPrior> {
    (0.05..50.0f64, 0.05..50.0f64).prop_map(|(alpha, beta)| BetaPrior { alpha, beta })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rates_are_compared_sanely(control in counts(), treatment in counts(), prior in priors(), level in 0.5..0.9999f64) {
        let got = beta_binomial(&control, &treatment, prior, level).unwrap();
        let back = beta_binomial(&treatment, &control, prior, level).unwrap();
        prop_assert!((got.chance_to_win + back.chance_to_win - 1.0).abs() < 1e-9, "{got:?} {back:?}");
        let (up, down) = (got.loss_choose_control, got.loss_choose_treatment);
        prop_assert!((0.0..=1.0).contains(&up) && (0.0..=1.0).contains(&down));
        let difference = got.mean_treatment - got.mean_control;
        prop_assert!((up - down - difference).abs() < 1e-9 * (up + down) + 1e-14, "{got:?}");
        for (low, high) in [got.interval_control, got.interval_treatment, got.interval_difference] {
            prop_assert!(-1.0 <= low && low <= high && high <= 1.0, "{got:?}");
        }
    }

    #[test]
    fn some_arm_is_the_best(arms in prop::collection::vec(counts(), 1..5), prior in priors()) {
        let chances = chances_to_be_best(&arms, prior).unwrap();
        prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-8, "{chances:?}");
    }

    #[test]
    fn effects_are_never_nan(
        d in prop::num::f64::NORMAL, se in prop::num::f64::POSITIVE, mean in -1e3..1e3f64, sd in prop::num::f64::POSITIVE,
    ) {
        for prior in [Prior::Flat, Prior::Normal { mean, sd }] {
            let Ok(Some(got)) = conjugate(d, se, prior, 0.95) else { continue };
            for value in [got.mean, got.sd, got.chance_to_win, got.ln_chance_to_lose, got.loss_choose_treatment,
                got.loss_choose_control, got.low, got.high] {
                prop_assert!(!value.is_nan(), "{got:?}");
            }
        }
    }
}

#[test]
fn a_prior_shrinks_and_a_flat_one_does_not() {
    let control = EffectArm::of_proportion(10_000.0, 500.0);
    let treatment = EffectArm::of_proportion(10_000.0, 560.0);
    let lift = |prior| effect(&control, &treatment, EffectScale::Relative, prior, 0.95).unwrap().unwrap();
    assert!((lift(Prior::Flat).mean - 0.12).abs() < 1e-12);
    assert!(lift(Prior::LIFT).mean > 0.0 && lift(Prior::LIFT).mean < 0.06);
}

#[test]
fn without_variance_there_is_no_posterior() {
    assert_eq!(normal(0.1, 0.0, 0.05), None);
    assert_eq!(normal(f64::NAN, 1.0, 0.05), None);
    let empty = EffectArm::of_proportion(0.0, 0.0);
    let full = EffectArm::of_proportion(10.0, 5.0);
    assert_eq!(effect(&empty, &full, EffectScale::Absolute, Prior::Flat, 0.95), Ok(None));
    let constant = EffectArm::of_mean(10.0, 0.0, 0.0);
    assert_eq!(effect(&constant, &full, EffectScale::Relative, Prior::Flat, 0.95), Ok(None));
    assert_eq!(conjugate(1.0, 1.0, Prior::Normal { mean: 0.0, sd: 0.0 }, 0.95), Err(PosteriorError::NormalPrior));
}

#[test]
fn impossible_counts_are_refused() {
    let (good, bad) = (Binomial { n: 10.0, conversions: 1.0 }, Binomial { n: 10.0, conversions: 11.0 });
    assert_eq!(beta_binomial(&good, &bad, BetaPrior::UNIFORM, 0.95), Err(PosteriorError::Counts));
    assert_eq!(beta_binomial(&good, &good, BetaPrior::UNIFORM, 1.0), Err(PosteriorError::Level));
    let none = BetaPrior { alpha: 0.0, beta: 1.0 };
    assert_eq!(beta_binomial(&good, &good, none, 0.95), Err(PosteriorError::BetaPrior));
}
