//! Properties of variance reduction, special metrics, heterogeneity and dependent units: finite input gives numbers or nothing, never NaN,
//! and what must not matter (order, arm names, units of measure) does not.

#![allow(clippy::unwrap_used, reason = "a property that cannot be evaluated has failed")]

use assay_statistics::alpha::Alpha;
use assay_statistics::cuped::{self, CovariateArm, Slope};
use assay_statistics::dependent::cluster_robust::{Cluster, cluster_robust};
use assay_statistics::dependent::exposure::ExposureDesign;
use assay_statistics::door;
use assay_statistics::heterogeneity::breslow_day::breslow_day;
use assay_statistics::heterogeneity::interaction::wald;
use assay_statistics::heterogeneity::mantel_haenszel::{Table, mantel_haenszel};
use assay_statistics::heterogeneity::meta_analysis::heterogeneity;
use assay_statistics::heterogeneity::post_stratification::{Stratum, post_stratify, unstratified};
use assay_statistics::moments::Arm;
use assay_statistics::quantile::{RankSequence, type7};
use assay_statistics::winsorize::Caps;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Any finite number, with small integers among them so that ties and zeros occur.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5i32..6).prop_map(f64::from),
        -1e3..1e3,
        proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL
    ]
}

fn any_size() -> impl Strategy<Value = f64> {
    prop_oneof![(0u64..5).prop_map(|n| n as f64), (0u64..2_000_000_000).prop_map(|n| n as f64), 0.0..1e300]
}

fn any_alpha() -> impl Strategy<Value = f64> {
    prop_oneof![1e-12..0.999_999, Just(0.05), Just(1e-12)]
}

/// The answer holds numbers, texts and nulls; a p-value lies from 0 to 1.
fn sane(input: &Value) -> Result<(), TestCaseError> {
    let Ok(answer) = door::evaluate(input) else { return Ok(()) };
    fn walk(name: &str, value: &Value, input: &Value) -> Result<(), TestCaseError> {
        match value {
            Value::Object(fields) => fields.iter().try_for_each(|(name, value)| walk(name, value, input)),
            Value::Array(items) => items.iter().try_for_each(|item| walk(name, item, input)),
            Value::Null if name.starts_with("p_") || name.ends_with("p_value") => {
                Err(TestCaseError::fail(format!("{name} is null for {input}")))
            }
            Value::Number(number) if name.starts_with("p_") || name.ends_with("p_value") => {
                prop_assert!(name.contains("ln") || (0.0..=1.0).contains(&number.as_f64().unwrap()), "{name} {input}");
                Ok(())
            }
            _ => Ok(()),
        }
    }
    walk("", &answer, input)
}

fn moments() -> impl Strategy<Value = Value> {
    (any_size(), any_number(), any_number())
        .prop_map(|(n, mean, m2)| json!({"n": n, "mean": mean, "variance": m2.abs()}))
}

fn covariate_sums() -> impl Strategy<Value = Value> {
    (any_size(), any_number(), any_number(), any_number(), any_number(), any_number()).prop_map(|(n, y, x, yy, xx, xy)| {
        json!({"n": n, "sum_y": y, "sum_x": x, "sum_yy": yy.abs(), "sum_xx": xx.abs(), "sum_xy": xy})
    })
}

fn conversions() -> impl Strategy<Value = Value> {
    (any_size(), 0.0..=1.0).prop_map(|(n, share): (f64, f64)| json!({"n": n, "conversions": (n * share).floor()}))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cuped_is_sane(control in covariate_sums(), treatment in covariate_sums(), alpha in any_alpha()) {
        sane(&json!({"method": "cuped", "control": control, "treatment": treatment, "alpha": alpha}))?;
    }

    #[test]
    fn special_metrics_are_sane(
        control in prop::collection::vec(any_number(), 0..6),
        treatment in prop::collection::vec(any_number(), 0..6),
        q in 0.0..=1.0,
        n in 0u64..1 << 40,
        concentration in 1e-6..1e9,
        alpha in any_alpha(),
        sums in prop::collection::vec(any_number(), 8),
        sizes in prop::collection::vec(any_size(), 6),
    ) {
        let (control_values, treatment_values) = (json!({"values": control}), json!({"values": treatment}));
        sane(&json!({"method": "winsorize_percentile", "q": q, "ignore_zeros": true, "control": control_values, "treatment": treatment_values}))?;
        sane(&json!({"method": "winsorize_fixed", "upper": sums[0], "lower": sums[1], "control": control_values, "treatment": treatment_values}))?;
        sane(&json!({"method": "quantile_type7", "values": control, "q": [q, 0, 1]}))?;
        sane(&json!({"method": "quantile_rank_cs", "n": n, "q": q, "concentration": concentration, "alpha": alpha, "probe_count": n / 3}))?;
        sane(&json!({
            "method": "quantile_variance_clustered", "n": sizes[0], "n_star": sizes[1], "q": q, "quantile_lower": sums[0],
            "quantile_upper": sums[1], "clusters": sizes[2], "sum_hits": sizes[3], "sum_hits_sq": sums[2], "sum_size": sizes[3] + sizes[4],
            "sum_size_sq": sums[3], "sum_hits_size": sums[4],
        }))?;
        sane(&json!({
            "method": "zero_inflated", "control": {"n": sizes[0], "payers": sizes[1], "sum": sums[5], "sum_sq": sums[6].abs()},
            "treatment": {"n": sizes[2], "payers": sizes[3], "sum": sums[7], "sum_sq": sums[6].abs()},
        }))?;
    }

    #[test]
    fn heterogeneity_is_sane(
        arms in prop::collection::vec((moments(), moments()), 1..5),
        tables in prop::collection::vec((conversions(), conversions()), 1..5),
        cells in prop::collection::vec(moments(), 4),
        counts in prop::collection::vec(prop::collection::vec(any_size(), 3), 0..4),
        alpha in any_alpha(),
    ) {
        let strata = |pairs: &[(Value, Value)]| {
            pairs.iter().map(|(control, treatment)| json!({"control": control, "treatment": treatment})).collect::<Value>()
        };
        sane(&json!({"method": "post_stratification", "strata": strata(&arms), "alpha": alpha}))?;
        sane(&json!({"method": "stratified_2x2", "strata": strata(&tables)}))?;
        let mut named = cells.clone();
        named.iter_mut().enumerate().for_each(|(k, cell)| {
            cell["a"] = json!(k / 2);
            cell["b"] = json!(k % 2);
        });
        sane(&json!({"method": "interaction_2x2", "cells": named}))?;
        let table = |part: &str| json!([[cells[0][part], cells[1][part]], [cells[2][part], cells[3][part]]]);
        sane(&json!({"method": "interaction_wald", "n": table("n"), "mean": table("mean"), "variance": table("variance")}))?;
        sane(&json!({"method": "balance_categorical", "counts": counts}))?;
    }

    #[test]
    fn dependent_units_are_sane(
        clusters in prop::collection::vec((any::<bool>(), any_size(), any_number(), any_number()), 0..8),
        events in prop::collection::vec((any_number(), any_number()), 0..20),
        lengths in (0.0..100.0, 0.0..100.0),
        units in prop::collection::vec((0..3usize, 0.0..=1.0, 0.0..=1.0, any_number()), 0..8),
        alpha in any_alpha(),
    ) {
        let arm = |treated: &bool| if *treated { "treatment" } else { "control" };
        let sums: Value = clusters.iter().map(|(treated, n, sum, _)| json!({"arm": arm(treated), "n": n, "sum": sum})).collect();
        sane(&json!({"method": "cluster_robust_difference", "clusters": sums, "alpha": alpha}))?;
        let squares: Value = clusters.iter().map(|(_, n, sum, sq)| json!({"n": n, "sum": sum, "sum_sq": sq.abs()})).collect();
        sane(&json!({"method": "icc_design_effect", "clusters": squares}))?;
        let blocks: Value = clusters.iter().map(|(treated, ..)| json!(arm(treated))).collect();
        let events: Value = events.iter().map(|(t, value)| json!({"t": t, "value": value})).collect();
        sane(&json!({
            "method": "switchback", "block_seconds": lengths.0, "burn_in_seconds": lengths.1, "burn_in_only_on_switch": true,
            "blocks": blocks, "events": events,
        }))?;
        let names = ["treated_exposed", "control_unexposed", "other"];
        let units: Value = units.iter().map(|&(k, p, q, y)| {
            json!({"condition": names[k], "p_treated_exposed": p, "p_control_unexposed": q, "y": y})
        }).collect();
        sane(&json!({"method": "exposure_hajek", "units": units}))?;
    }

    #[test]
    fn exchanging_arms_turns_the_sign(
        control in prop::collection::vec((-50.0..50.0, -50.0..50.0), 3..20),
        treatment in prop::collection::vec((-50.0..50.0, -50.0..50.0), 3..20),
    ) {
        let arm = |values: &[(f64, f64)]| {
            let sum = |f: fn(&(f64, f64)) -> f64| values.iter().map(f).sum::<f64>();
            CovariateArm::from_sums(
                values.len() as f64, sum(|v| v.1), sum(|v| v.0), sum(|v| v.1 * v.1), sum(|v| v.0 * v.0), sum(|v| v.0 * v.1),
            )
        };
        let arms = [arm(&control), arm(&treatment)];
        for slope in [Slope::Lin, Slope::Within, Slope::Total] {
            let (one, other) = (cuped::adjust(&arms, slope), cuped::adjust(&[arms[1], arms[0]], slope));
            let (one, other) = (cuped::compare(&one[0], &one[1], None).unwrap(), cuped::compare(&other[0], &other[1], None).unwrap());
            prop_assert!((one.difference + other.difference).abs() <= 1e-9 * (1.0 + one.difference.abs()));
            prop_assert!((one.variance - other.variance).abs() <= 1e-9 * one.variance);
            prop_assert!(one.variance_floored >= one.variance);
        }
        let clusters = |values: &[(f64, f64)]| values.iter().map(|v| Cluster { n: v.0.abs() + 1.0, sum: v.1 }).collect::<Vec<_>>();
        let (one, other) = (
            cluster_robust(&clusters(&control), &clusters(&treatment)).unwrap(),
            cluster_robust(&clusters(&treatment), &clusters(&control)).unwrap(),
        );
        prop_assert_eq!(one.difference, -other.difference);
        prop_assert!((one.df_cr2 - other.df_cr2).abs() <= 1e-12 * one.df_cr2);
        prop_assert!(one.cr0 <= one.cr1 && one.cr0 <= one.cr2 && one.df_cr2 >= 1.0 - 1e-12);
        prop_assert!(one.df_cr2 <= one.clusters as f64);
    }

    #[test]
    fn ranks_hold_what_has_little_evidence(n in 0u64..3_000, q in 0.001..0.999, concentration in 0.01..1e4, alpha in 1e-6..0.99) {
        let (sequence, alpha) = (RankSequence { q, concentration }, Alpha::new(alpha).unwrap());
        let look = sequence.look(n, alpha);
        let inside = |count| sequence.ln_e(n, count) < -alpha.ln();
        prop_assert!(inside(look.count_low) && inside(look.count_high));
        prop_assert!(look.count_low == 0 || !inside(look.count_low - 1));
        prop_assert!(look.count_high == n || !inside(look.count_high + 1));
    }

    #[test]
    fn a_quantile_lies_among_the_values(mut values in prop::collection::vec(-1e9..1e9, 1..30), q in 0.0..=1.0f64, more in 0.0..=1.0f64) {
        values.sort_by(f64::total_cmp);
        let (one, other) = (type7(&values, q.min(more)).unwrap(), type7(&values, q.max(more)).unwrap());
        prop_assert!(values[0] <= one && one <= other && other <= values[values.len() - 1]);
        let caps = Caps::percentile(&[&values], q, false);
        prop_assert!(caps.arm(&values).arm.mean <= caps.upper.unwrap() + 1e-6);
    }

    #[test]
    fn the_wald_test_forgets_the_order_of_arms(
        cells in prop::collection::vec((2u32..1_000, -1.0..1.0, 0.1..10.0), 9), first in 0usize..3, second in 0usize..3,
    ) {
        let arm = |k: usize| { let (n, mean, variance) = cells[k]; Arm { n: f64::from(n), mean, m2: variance * (f64::from(n) - 1.0) } };
        let table: Vec<Vec<Arm>> = (0..3).map(|r| (0..3).map(|c| arm(3 * r + c)).collect()).collect();
        let mut turned = table.clone();
        turned.swap(first, second);
        turned.iter_mut().for_each(|row| row.swap(second, first));
        let (one, other) = (wald(&table).unwrap(), wald(&turned).unwrap());
        prop_assert!((one.statistic - other.statistic).abs() <= 1e-10 * (1.0 + one.statistic));
    }

    #[test]
    fn one_stratum_is_no_stratification(n in (2u32..1_000, 2u32..1_000), means in (-1e3..1e3, -1e3..1e3), m2 in (0.0..1e3, 0.0..1e3)) {
        let stratum = Stratum {
            control: Arm { n: f64::from(n.0), mean: means.0, m2: m2.0 },
            treatment: Arm { n: f64::from(n.1), mean: means.1, m2: m2.1 },
        };
        let post = post_stratify(&[stratum], None).unwrap();
        prop_assert_eq!((post.effect, post.variance), (stratum.effect(), stratum.variance()));
        prop_assert_eq!(unstratified(&[stratum]).unwrap(), stratum);
    }

    #[test]
    fn equal_effects_are_homogeneous(effect in -1e3..1e3, variances in prop::collection::vec(1e-3..1e3, 1..8)) {
        let result = heterogeneity(&variances.iter().map(|&variance| (effect, variance)).collect::<Vec<_>>()).unwrap();
        prop_assert_eq!((result.i_squared, result.tau_squared), (0.0, 0.0));
        prop_assert!(result.q.p_value > 0.999);
    }

    #[test]
    fn exchanging_arms_inverts_the_ratios(cells in prop::collection::vec((1u32..500, 1u32..500, 0.0..=1.0, 0.0..=1.0), 1..5)) {
        let table = |n: u32, share: f64| (f64::from(n), (f64::from(n) * share).floor());
        let strata: Vec<Table> = cells.iter().map(|&(n0, n1, p0, p1)| {
            let ((control_n, control_conversions), (treatment_n, treatment_conversions)) = (table(n0, p0), table(n1, p1));
            Table { control_n, control_conversions, treatment_n, treatment_conversions }
        }).collect();
        let turned: Vec<Table> = strata.iter().map(|t| Table {
            control_n: t.treatment_n, control_conversions: t.treatment_conversions,
            treatment_n: t.control_n, treatment_conversions: t.control_conversions,
        }).collect();
        let (one, other) = (mantel_haenszel(&strata), mantel_haenszel(&turned));
        if let (Some(one), Some(other)) = (one.odds_ratio.filter(|r| *r > 0.0 && r.is_finite()), other.odds_ratio) {
            prop_assert!((one * other - 1.0).abs() < 1e-12);
        }
        prop_assert_eq!(one.cmh.is_some(), other.cmh.is_some());
        if let (Some(one), Some(other)) = (breslow_day(&strata), breslow_day(&turned)) {
            prop_assert!((one.plain.statistic - other.plain.statistic).abs() <= 1e-7 * (1.0 + one.plain.statistic));
            prop_assert!(one.tarone.statistic <= one.plain.statistic);
        }
    }

    #[test]
    fn exposure_probabilities_are_shares(p in 0.001..0.999, q in 0.0..=1.0, own in 0u32..20, others in prop::collection::vec(0u32..20, 0..8)) {
        let design = ExposureDesign::new(p, q).unwrap();
        let all = [design.clustered(own, &others), design.independent(own + others.iter().sum::<u32>())];
        for got in all {
            prop_assert!((0.0..=p + 1e-12).contains(&got.treated_exposed));
            prop_assert!((0.0..=1.0 - p + 1e-12).contains(&got.control_unexposed));
        }
    }
}
