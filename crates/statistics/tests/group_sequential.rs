//! Properties of group sequential tests that hold for every design.

#![allow(clippy::unwrap_used, reason = "a design that cannot be computed has failed")]

use assay_statistics::alpha::Alpha;
use assay_statistics::group_sequential::repeated::repeated_p;
use assay_statistics::group_sequential::stagewise::{Stopped, stagewise};
use assay_statistics::group_sequential::{
    Crossing, Design, Shape, Spending, Z_CAP, classical_bounds, crossing_probability,
};
use assay_statistics::sides::Sides;
use proptest::prelude::*;
use std::time::Instant;

fn equally_spaced(looks: usize) -> Vec<f64> {
    (1..=looks).map(|k| k as f64 / looks as f64).collect()
}

fn design(alpha: f64, sides: Sides, spending: Spending) -> Design {
    Design { alpha: Alpha::new(alpha).unwrap(), sides, spending, z_cap: Z_CAP }
}

fn bounds(design: &Design, information: &[f64]) -> Vec<f64> {
    design.bounds(information).unwrap().iter().map(|look| look.z).collect()
}

fn spendings() -> impl Strategy<Value = Spending> {
    prop_oneof![
        Just(Spending::ObrienFleming),
        Just(Spending::Pocock),
        (0.1..6.0f64).prop_map(|rho| Spending::Power { rho }),
        (-10.0..10.0f64).prop_map(|gamma| Spending::HwangShihDeCani { gamma }),
    ]
}

fn both_sides() -> impl Strategy<Value = Sides> {
    prop_oneof![Just(Sides::One), Just(Sides::Two)]
}

/// Looks at any times, at least 0.002 apart.
fn looks() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.002..0.3f64, 1..12).prop_map(|steps| {
        let mut t = 0.0;
        let times = steps.into_iter().map(|step| {
            t += step;
            t
        });
        times.collect()
    })
}

fn sane(got: &Crossing) {
    for p in got.upper.iter().chain(&got.lower).chain([&got.reject]) {
        assert!((0.0..=1.0).contains(p), "{got:?}");
    }
    assert!(got.expected_information.is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bounds_spend_what_they_may(alpha in 1e-4..0.4f64, sides in both_sides(), spending in spendings(), times in looks()) {
        let design = design(alpha, sides, spending);
        let looks = design.bounds_final_exhausts(&times).unwrap();
        let z: Vec<f64> = looks.iter().map(|look| look.z).collect();
        let got = crossing_probability(&times, &z, sides, 0.0).unwrap();
        sane(&got);
        // Capped bounds may leave up to 1e-15 per look.
        prop_assert!((got.reject - alpha).abs() < 1e-10 || z.last() == Some(&Z_CAP), "{} is not {alpha}: {z:?}", got.reject);
    }

    #[test]
    fn less_alpha_never_lowers_a_bound(alpha in 1e-6..0.4f64, sides in both_sides(), times in looks()) {
        let spending = Spending::ObrienFleming;
        let (more, less) = (bounds(&design(alpha, sides, spending), &times), bounds(&design(0.5 * alpha, sides, spending), &times));
        prop_assert!(more[0] <= less[0] + 1e-10);
    }

    #[test]
    fn a_drift_and_its_mirror(times in looks(), drift in -30.0..30.0f64, z in 0.0..6.0f64) {
        let z = vec![z; times.len()];
        let up = crossing_probability(&times, &z, Sides::Two, drift).unwrap();
        let down = crossing_probability(&times, &z, Sides::Two, -drift).unwrap();
        sane(&up);
        for (one, other) in up.upper.iter().zip(&down.lower) {
            prop_assert!((one - other).abs() < 1e-11, "{one} is not {other}");
        }
    }

    #[test]
    fn stopped_tests_have_ordered_answers(times in looks(), z in -12.0..12.0f64, bound in 1.0..5.0f64, sides in both_sides()) {
        let given = vec![bound; times.len()];
        let stopped = Stopped { information: &times, bounds: &given, sides, stage: times.len(), z };
        let got = stagewise(&stopped, Alpha::FIVE_PERCENT).unwrap();
        prop_assert!((0.0..=1.0).contains(&got.p_upper) && (0.0..=1.0).contains(&got.p_value), "{got:?}");
        prop_assert!(got.drift_low <= got.drift_median && got.drift_median <= got.drift_high, "{got:?}");
        prop_assert_eq!(got.p_upper < 0.025, (sides == Sides::Two && got.drift_low > 0.0)
            || (sides == Sides::One && got.p_upper < 0.025));
    }
}

#[test]
fn repeated_p_values_fall_with_z() {
    let design = design(0.05, Sides::Two, Spending::Pocock);
    let information = [0.3, 0.6, 1.0];
    let p: Vec<f64> = [0.0, 0.5, 1.0, 2.0, 2.3, 3.0, 5.0, 8.0, 20.0]
        .map(|z| repeated_p(&design, &information, z, true).unwrap())
        .into();
    assert!(p.windows(2).all(|pair| pair[0] >= pair[1]), "{p:?}");
    assert!(p.iter().all(|p| (0.0..=1.0).contains(p)) && p[8] < 1e-80, "{p:?}");
}

#[test]
fn many_looks_are_computed_and_too_many_refused() {
    let design = design(0.05, Sides::Two, Spending::ObrienFleming);
    let hundred = bounds(&design, &equally_spaced(100));
    assert!((hundred[99] - 2.2).abs() < 0.1 && hundred.windows(2).all(|pair| pair[0] >= pair[1]), "{hundred:?}");
    let thousand = bounds(&design, &equally_spaced(1000));
    assert!((thousand[999] - 2.225).abs() < 0.01 && thousand.windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(design.bounds(&equally_spaced(1001)).is_err());
    assert!(classical_bounds(Shape::ObrienFleming, 100, Alpha::FIVE_PERCENT, Sides::One).is_ok());
}

/// Far above what is needed, so that a busy machine passes; an implementation by the usual grid would not.
#[test]
fn daily_looks_are_quick() {
    let design = design(0.05, Sides::Two, Spending::ObrienFleming);
    let start = Instant::now();
    let looks = bounds(&design, &equally_spaced(28));
    assert_eq!(looks.len(), 28);
    assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
}

/// Its interval once ran to -inf, because the paths under the smaller drifts had been cut off.
#[test]
fn a_jump_far_above_a_low_bound() {
    let information = [0.225, 0.511, 0.513];
    let stopped = Stopped {
        information: &information,
        bounds: &[1.0; 3],
        sides: Sides::One,
        stage: 3,
        z: 11.438_707_134_164_884,
    };
    let got = stagewise(&stopped, Alpha::FIVE_PERCENT).unwrap();
    assert!(got.drift_low < got.drift_median && got.drift_median < got.drift_high, "{got:?}");
}

#[test]
fn looks_without_distance_are_refused() {
    let close: Vec<f64> = (0..1000).map(|k| 1.0 + 2e-5 * f64::from(k)).collect();
    assert!(crossing_probability(&close, &[2.0; 1000], Sides::Two, 0.0).is_err());
    assert!(crossing_probability(&[1.0, 1.0 + 1e-9], &[2.0; 2], Sides::Two, 0.0).is_err());
}
