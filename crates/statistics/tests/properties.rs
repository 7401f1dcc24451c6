//! What must hold for every input: duality, symmetry, scale, exact merging, and no NaN anywhere.

#![allow(clippy::unwrap_used, reason = "an input that cannot be built has failed")]

use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::epochs::{self, Pair};
use assay_statistics::always_valid::label_test::LabelTest;
use assay_statistics::always_valid::process::{Mixture, Sides};
use assay_statistics::always_valid::safe_two_proportions::SafeTwoProportions;
use assay_statistics::always_valid::{self, Comparison, Design, Rule, Running, Status, half_normal, msprt, t_mixture};
use assay_statistics::fixed_horizon;
use assay_statistics::guardrail::{Better, Guardrail, Margin};
use assay_statistics::lift::{self, Lift, Mean};
use assay_statistics::moments::{Arm, Cross, Floating, Sums, Unit};
use assay_statistics::multiplicity::{self, Online, Procedure, Stream};
use assay_statistics::srm;
use proptest::prelude::*;

/// Any finite number, the extreme ones often.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        4 => -1e6..1e6f64,
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, -1.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e9, 1e16]),
    ]
}

fn positive() -> impl Strategy<Value = f64> {
    finite().prop_map(|value| value.abs().max(5e-324))
}

fn alpha() -> impl Strategy<Value = Alpha> {
    prop_oneof![4 => 1e-6..0.999f64, 1 => prop::sample::select(vec![1e-300, 5e-324, 0.05, 1.0 - 1e-16])]
        .prop_map(|alpha| Alpha::new(alpha).unwrap())
}

/// Any arm that a door lets through.
fn any_arm() -> impl Strategy<Value = Arm> {
    let units = prop_oneof![0..60u32, 0..1_000_000_000u32].prop_map(f64::from);
    (units, finite(), positive()).prop_map(|(n, mean, m2)| Arm { n, mean, m2 })
}

/// An arm as experiments have them.
fn usual_arm() -> impl Strategy<Value = Arm> {
    (60..1_000_000u32, -10.0..10.0f64, 0.01..100.0f64).prop_map(|(n, mean, variance)| Arm {
        n: f64::from(n),
        mean,
        m2: variance * f64::from(n),
    })
}

/// A pair whose difference is of the order of its standard error times 10, so that both decisions occur.
fn usual_pair() -> impl Strategy<Value = (Arm, Arm)> {
    (usual_arm(), usual_arm(), -10.0..10.0f64).prop_map(|(control, treatment, z)| {
        let variance = always_valid::variance(&control, &treatment).unwrap().floor;
        (control, Arm { mean: control.mean + z * variance.sqrt(), ..treatment })
    })
}

fn near(one: f64, other: f64) -> bool {
    one == other || (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-9)
}

fn numbers(look: &Comparison) -> [f64; 7] {
    [look.units, look.difference, look.ln_e, look.p_value, look.multiplier, look.low, look.high]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_interval_excludes_the_null_exactly_when_p_is_below_alpha((control, treatment) in usual_pair(), alpha in 1e-6..0.9f64, planned in 100.0..1e6f64) {
        let design = Design::new(Alpha::new(alpha).unwrap(), planned);
        let look = always_valid::compare(&control, &treatment, None, &design);
        prop_assert_eq!(look.status, Status::Ok);
        prop_assert_eq!(look.p_value < alpha, look.low > 0.0 || look.high < 0.0);
        // At another alpha with the same rho too.
        let other = design.at(Alpha::new(0.5 * alpha).unwrap());
        let stricter = always_valid::compare(&control, &treatment, None, &other);
        prop_assert_eq!(stricter.p_value < 0.5 * alpha, stricter.low > 0.0 || stricter.high < 0.0);
        prop_assert!(stricter.low <= look.low && look.high <= stricter.high);
        // The lift rules out 0 with it.
        let factor = look.variance.unwrap().factor().unwrap();
        let lift = lift::sequential(&control, &treatment, factor, look.multiplier);
        prop_assert_eq!(lift.contains(0.0), look.p_value >= alpha, "{:?}", lift);
    }

    #[test]
    fn swapping_arms_mirrors((control, treatment) in usual_pair(), alpha in alpha()) {
        let design = Design::new(alpha, 10_000.0);
        let (one, other) =
            (always_valid::compare(&control, &treatment, None, &design), always_valid::compare(&treatment, &control, None, &design));
        prop_assert_eq!((one.difference, one.low, one.high), (-other.difference, -other.high, -other.low));
        prop_assert_eq!((one.ln_e, one.p_value), (other.ln_e, other.p_value));
        if let (Some(one), Some(other)) =
            (fixed_horizon::welch(&control, &treatment, alpha), fixed_horizon::welch(&treatment, &control, alpha))
        {
            prop_assert!(near(one.low, -other.high) && near(one.p_value, other.p_value));
        }
    }

    #[test]
    fn scaling_a_metric_scales_the_interval((control, treatment) in usual_pair(), power in -60..60i32) {
        // A power of two changes no digit, so that the equality is exact.
        let unit = libm::ldexp(1.0, power);
        let scaled = |arm: &Arm| Arm { n: arm.n, mean: arm.mean * unit, m2: arm.m2 * unit * unit };
        let design = Design::new(Alpha::FIVE_PERCENT, 10_000.0);
        let (one, other) = (
            always_valid::compare(&control, &treatment, None, &design),
            always_valid::compare(&scaled(&control), &scaled(&treatment), None, &design),
        );
        prop_assert_eq!((one.low * unit, one.high * unit, one.ln_e), (other.low, other.high, other.ln_e));
        let lift = |c: &Arm, t: &Arm| lift::sequential(c, t, 1.0, one.multiplier);
        match (lift(&control, &treatment), lift(&scaled(&control), &scaled(&treatment))) {
            (Lift::Bounded { low, high }, Lift::Bounded { low: l, high: h }) => prop_assert!(near(low, l) && near(high, h)),
            (one, other) => prop_assert_eq!(one.shape(), other.shape()),
        }
    }

    #[test]
    fn a_running_p_never_rises(looks in prop::collection::vec((any_arm(), any_arm()), 0..20), planned in positive()) {
        let design = Design::new(Alpha::FIVE_PERCENT, planned);
        let mut running = Running::default();
        for (control, treatment) in looks {
            let before = running;
            running.look(&always_valid::compare(&control, &treatment, None, &design));
            prop_assert!(running.p_value <= before.p_value && running.low >= before.low && running.high <= before.high);
            prop_assert!(running.p_value >= 0.0);
        }
    }

    #[test]
    fn always_valid_is_never_nan(control in any_arm(), treatment in any_arm(), alpha in alpha(), planned in positive(), share in prop::option::of(0.0..=1.0f64)) {
        for rule in [Rule::Exact, Rule::Approximate] {
            let mut design = Design::tuned(alpha, planned, rule);
            (design.units_min, design.events_min) = (2.0, 0.0);
            let look = always_valid::compare(&control, &treatment, share, &design);
            prop_assert!(numbers(&look).iter().all(|it| !it.is_nan()), "{look:?}");
            let pair = Pair { control, treatment };
            let look = epochs::compare(&[pair, pair, Pair { control: Arm::EMPTY, treatment }], share, &design);
            prop_assert!(numbers(&look).iter().all(|it| !it.is_nan()), "{look:?}");
            if let Some(factor) = look.variance.and_then(|variance| variance.factor())
                && let Lift::Bounded { low, high } | Lift::Exclusive { low, high } = lift::sequential(&control, &treatment, factor, look.multiplier)
            {
                prop_assert!(low <= high, "{low} {high}");
            }
        }
    }

    #[test]
    fn mixtures_are_never_nan(z in finite(), x in positive(), variance in positive(), alpha in alpha(), df in 1e-3..1e9f64) {
        prop_assert!(!half_normal::ln_e(z, x).is_nan() && !half_normal::multiplier(x, alpha).is_nan());
        prop_assert!(!t_mixture::ln_e(z.abs(), df, x).is_nan() && t_mixture::multiplier(df, x, alpha) > 0.0);
        prop_assert!(!msprt::ln_e(z, variance, x, 0.0).is_nan() && msprt::half_width(variance, x, alpha) >= 0.0);
        for sides in [Sides::One, Sides::Two] {
            if let Ok(mixture) = Mixture::tuned(sides, x, alpha, Rule::Exact) {
                prop_assert!(!mixture.ln_e(z, variance).is_nan() && mixture.bound(variance, alpha) >= 0.0);
            }
        }
    }

    #[test]
    fn one_sided_bounds_are_where_evidence_reaches_them(x in 1e-3..1e6f64, alpha in 1e-12..0.9f64, offset in 0.01..5.0f64) {
        let level = Alpha::new(alpha).unwrap();
        let bound = half_normal::multiplier(x, level);
        prop_assert!(half_normal::ln_e(bound + offset, x) > -level.ln());
        prop_assert!(half_normal::ln_e(bound - offset, x) < -level.ln());
        // One side is sharper than two at the same alpha.
        prop_assert!(bound <= always_valid::multiplier(1.0, x, level));
    }

    #[test]
    fn guardrails_are_never_nan_and_never_contradict_themselves(control in any_arm(), treatment in any_arm(), m in 1e-6..0.999f64, alpha in 1e-6..0.49f64, planned in positive()) {
        for margin in [Margin::Absolute(m), Margin::Relative(m)] {
            for better in [Better::More, Better::Less] {
                let guardrail = Guardrail::new(margin, better, Alpha::new(alpha).unwrap(), planned).unwrap();
                let look = guardrail.look(&control, &treatment, None);
                for evidence in [look.safe, look.harm, look.harm_beyond_margin] {
                    prop_assert!(!evidence.ln_e.is_nan() && (0.0..=1.0).contains(&evidence.p_value));
                }
                prop_assert!(!look.bound.is_nan());
                prop_assert!(!(look.safe.p_value < 0.5 && look.harm_beyond_margin.p_value < 0.5), "{look:?}");
            }
        }
    }

    #[test]
    fn safe_is_what_lies_above_the_margin((control, treatment) in usual_pair(), m in 0.001..1.0f64, alpha in 1e-4..0.4f64) {
        let level = Alpha::new(alpha).unwrap();
        let look = Guardrail::new(Margin::Absolute(m), Better::More, level, 1e4).unwrap().look(&control, &treatment, None);
        prop_assert_eq!(look.safe.p_value < alpha, look.bound > -m);
        // Less is better is the mirror image.
        let mirrored = Guardrail::new(Margin::Absolute(m), Better::Less, level, 1e4).unwrap();
        let negative = |arm: &Arm| Arm { mean: -arm.mean, ..*arm };
        prop_assert_eq!(mirrored.look(&negative(&control), &negative(&treatment), None), look);
    }

    #[test]
    fn the_label_test_and_its_interval_agree(control in 0..2_000u64, treatment in 0..2_000u64, share in 0.01..0.99f64, k in 0.1..1e4f64, alpha in 1e-6..0.9f64) {
        let test = LabelTest::new(share, k).unwrap();
        let look = test.look(control, treatment, Alpha::new(alpha).unwrap());
        prop_assert!(look.theta_low <= look.theta_high && look.lift_low <= look.lift_high);
        // An ulp of the share decides nothing.
        let inside = look.theta_low - 1e-12 < share && share < look.theta_high + 1e-12;
        let clearly_inside = look.theta_low + 1e-12 < share && share < look.theta_high - 1e-12;
        if inside == clearly_inside {
            prop_assert_eq!(look.p_value >= alpha, inside);
        }
        let mirror = LabelTest::new(1.0 - share, k).unwrap().look(treatment, control, Alpha::new(alpha).unwrap());
        prop_assert!((look.theta_low + mirror.theta_high - 1.0).abs() < 1e-12 && (look.ln_e - mirror.ln_e).abs() < 1e-7 * (1.0 + look.ln_e.abs()), "{look:?} {mirror:?}");
    }

    #[test]
    fn exact_tests_are_never_nan(control in any::<u64>(), treatment in any::<u64>(), shift in 0..64u32, share in 1e-300..1.0f64, k in positive(), alpha in alpha(), blocks in prop::collection::vec(any::<(bool, bool)>(), 0..50)) {
        if let Ok(test) = LabelTest::new(share, k) {
            let look = test.look(control >> shift, treatment >> shift, alpha);
            prop_assert!([look.ln_e, look.p_value, look.theta_low, look.theta_high, look.lift_low, look.lift_high].iter().all(|it| !it.is_nan()), "{look:?}");
        }
        let mut safe = SafeTwoProportions::new(k);
        let mut mirrored = SafeTwoProportions::new(k);
        for (control, treatment) in blocks {
            safe.observe(control, treatment);
            mirrored.observe(treatment, control);
            prop_assert!(safe.ln_e().is_finite());
            prop_assert!(near(safe.ln_e(), mirrored.ln_e()));
        }
    }

    #[test]
    fn a_split_is_never_nan(counts in prop::collection::vec((0..1_000_000_000u32, positive()), 1..5), k in 1e-300..1e12f64) {
        let (counts, weights): (Vec<f64>, Vec<f64>) = counts.into_iter().map(|(count, weight)| (f64::from(count), weight.min(1e300))).unzip();
        let ln_e = srm::sequential_ln_e(&counts, &weights, k);
        prop_assert!(!ln_e.is_nan() && (0.0..=1.0).contains(&srm::p_value(ln_e)));
        let fixed = srm::chi_square(&counts, &weights);
        prop_assert!(!fixed.statistic.is_nan() && !fixed.p_value.is_nan() && !fixed.ln_p_value.is_nan(), "{fixed:?}");
    }

    #[test]
    fn integer_moments_do_not_know_the_order(values in prop::collection::vec((any::<i32>(), any::<i32>(), any::<bool>()), 0..40), cut in 0..40usize) {
        let units: Vec<Unit> = values.iter().map(|&(y, x, _)| Unit { y: y.into(), x: x.into() }).collect();
        let sum = |units: &[Unit]| units.iter().fold(Sums::default(), |mut sums, &unit| { sums.add(unit).unwrap(); sums });
        let all = sum(&units);
        let cut = cut.min(units.len());
        let (left, right) = (sum(&units[..cut]), sum(&units[cut..]));
        let (mut one, mut other) = (left, right);
        one.merge(&right).unwrap();
        other.merge(&left).unwrap();
        prop_assert_eq!((one, other), (all, all));
        one.subtract(&right).unwrap();
        prop_assert_eq!(one, left);
        // Units that leave, and units that were counted with another value first.
        let mut changed = all;
        let mut kept = Vec::new();
        for (unit, (.., leaves)) in units.iter().zip(&values) {
            if *leaves { changed.remove(*unit).unwrap() } else { kept.push(*unit) }
        }
        prop_assert_eq!(changed, sum(&kept));
        let mut grown = sum(&vec![Unit { y: 7, x: 0 }; units.len()]);
        units.iter().for_each(|&unit| grown.replace(Unit { y: 7, x: 0 }, unit).unwrap());
        prop_assert_eq!(grown, all);
    }

    #[test]
    fn floating_moments_agree_with_integer_ones(values in prop::collection::vec(-1_000_000..1_000_000i64, 1..60), cut in 0..60usize) {
        let mut exact = Sums::default();
        values.iter().for_each(|&y| exact.add(Unit { y, x: 0 }).unwrap());
        let arm = exact.arm(1.0);
        let cut = cut.min(values.len());
        let part = |values: &[i64]| Floating::of(values.iter().map(|&value| value as f64));
        let mut floating = part(&values[..cut]);
        floating.merge(&part(&values[cut..]));
        prop_assert_eq!(floating.n(), values.len() as u64);
        prop_assert!(near(floating.mean().unwrap(), arm.mean) && near(floating.m2(), arm.m2));
        let merged = part(&values[..cut]).arm().merge(&part(&values[cut..]).arm());
        prop_assert!(near(merged.mean, arm.mean) && near(merged.m2, arm.m2));
    }

    #[test]
    fn floating_moments_are_never_nan(values in prop::collection::vec((finite(), finite()), 0..20), new in finite()) {
        let mut moments = Floating::of(values.iter().map(|value| value.0));
        let check = |moments: &Floating| {
            let optional = [moments.mean(), moments.m3(), moments.m4(), moments.variance(), moments.variance_of_population(), moments.skewness(), moments.excess_kurtosis()];
            !moments.sum().is_nan() && moments.m2() >= 0.0 && optional.iter().flatten().all(|it| !it.is_nan())
        };
        prop_assert!(check(&moments), "{moments:?}");
        if let Some(value) = values.first() {
            moments.replace(value.0, new);
            prop_assert!(check(&moments), "{moments:?}");
        }
        let cross = Cross::of(values.iter().copied());
        prop_assert!([cross.mean_x, cross.mean_y, cross.xx, cross.yy, cross.xy].iter().all(|it| !it.is_nan()), "{cross:?}");
        prop_assert!(cross.correlation().is_none_or(|it| (-1.0..=1.0).contains(&it)));
    }

    #[test]
    fn fixed_horizon_is_never_nan(control in any_arm(), treatment in any_arm(), alpha in alpha(), critical in positive()) {
        let fields = |test: &fixed_horizon::Test| [test.difference, test.standard_error, test.statistic, test.p_value, test.ln_p_value, test.low, test.high];
        let tests = [fixed_horizon::welch(&control, &treatment, alpha), fixed_horizon::welch_relative(&control, &treatment, alpha)];
        for test in tests.iter().flatten() {
            prop_assert!(fields(test).iter().all(|it| !it.is_nan()), "{test:?}");
        }
        let (c, t) = (Mean::of(&control), Mean::of(&treatment));
        let sets = [
            Some(lift::fieller(c.mean, c.variance, t.mean, t.variance, critical)),
            lift::delta_interval(&c, &t, critical),
            lift::log_interval(&c, &t, critical),
        ];
        for set in sets.into_iter().flatten() {
            if let Lift::Bounded { low, high } | Lift::Exclusive { low, high } = set {
                prop_assert!(low <= high, "{set:?}");
            }
        }
    }

    #[test]
    fn families_are_rejected_when_their_adjusted_p_says_so(p_values in prop::collection::vec(prop_oneof![0.0..1.0f64, Just(0.0), Just(1.0), Just(1e-300)], 0..30), alpha in 1e-6..0.9f64) {
        let level = Alpha::new(alpha).unwrap();
        let all = [Procedure::Bonferroni, Procedure::Sidak, Procedure::Holm, Procedure::Hochberg, Procedure::BenjaminiHochberg, Procedure::BenjaminiYekutieli];
        for procedure in all {
            let adjusted = multiplicity::adjust(&p_values, procedure, level);
            for ((&p, &own), &rejected) in adjusted.p_values.iter().zip(&p_values).zip(&adjusted.rejected) {
                prop_assert!((0.0..=1.0).contains(&p) && p >= own * (1.0 - 1e-12));
                if !near(p, alpha) {
                    prop_assert_eq!(rejected, p < alpha);
                }
            }
        }
        // e-BH on 1/p is BH on p.
        let e_values: Vec<f64> = p_values.iter().map(|p| 1.0 / p).collect();
        let bh = multiplicity::adjust(&p_values, Procedure::BenjaminiHochberg, level);
        if !bh.p_values.iter().any(|&p| near(p, alpha)) {
            prop_assert_eq!(multiplicity::e_bh(&e_values, level).rejected, bh.rejected);
        }
    }

    #[test]
    fn streams_spend_at_most_alpha_without_a_rejection(values in prop::collection::vec(0.9..1.0f64, 0..200), alpha in 1e-6..0.5f64) {
        let level = Alpha::new(alpha).unwrap();
        let w0 = 0.5 * alpha;
        for online in [Online::Lond, Online::LordPlusPlus { w0 }, Online::Saffron { w0, lambda: 0.5 }, Online::Addis { w0, lambda: 0.25, tau: 0.5 }] {
            let mut stream = Stream::new(online, level).unwrap();
            let steps: Vec<_> = values.iter().map(|&value| stream.observe(value)).collect();
            prop_assert!(steps.iter().all(|step| step.level > 0.0 && step.level <= alpha && !step.rejected));
            if matches!(online, Online::Lond | Online::LordPlusPlus { .. }) {
                prop_assert!(steps.iter().map(|step| step.level).sum::<f64>() <= alpha);
            }
        }
    }
}

proptest! {
    /// A projection is where the interval gets as narrow as was asked for: later with more spread, never later than now where it is there already.
    #[test]
    fn projections_grow_with_spread_and_shrink_with_distance(
        alpha in 0.001..0.3f64,
        planned in 100.0..1e6f64,
        distance in 1e-3..1e3f64,
        variance in 1e-6..1e3f64,
        units in 100.0..1e6f64,
        more in 1.01..10.0f64,
    ) {
        let design = Design::new(Alpha::new(alpha).unwrap(), planned);
        let until = |distance: f64, variance: f64| always_valid::units_until(distance, variance, units, 1e18, &design);
        let half = |n: f64| (variance * units / n).sqrt() * always_valid::multiplier(n, design.rho2(), design.alpha());
        let Some(found) = until(distance, variance) else { return Ok(()) };
        if found > 1.0 {
            prop_assert!((half(found) / distance - 1.0).abs() < 1e-9, "{} is not {distance}", half(found));
            if let Some(later) = until(distance, more * variance) {
                prop_assert!(found < later);
            }
        }
        prop_assert!(until(more * distance, variance).is_some_and(|sooner| sooner <= found));
        if half(units) <= distance {
            prop_assert!(found <= units * (1.0 + 1e-9));
        }
    }
}
