//! Clusters, switchbacks and exposure conditions at the door.

use super::{Answer, DoorError, Methods, check, number, object, read};
use crate::alpha::Alpha;
use crate::dependent::StudentTest;
use crate::dependent::cluster_robust::{self, Cluster, ClusterRobust, NotEstimable};
use crate::dependent::exposure::{Condition, ExposureProbabilities};
use crate::dependent::hajek::{self, ExposedUnit, HajekMean};
use crate::dependent::intraclass::{ClusterSquares, intraclass};
use crate::dependent::switchback::{BlockArm, BurnIn, Schedule, Switchback};
use crate::fixed_horizon::Test;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("cluster_robust_difference", cluster_robust_difference),
    ("switchback", switchback),
    ("icc_design_effect", icc_design_effect),
    ("exposure_hajek", exposure_hajek),
];

fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn p_value(p: Option<f64>) -> Value {
    number(p.unwrap_or(1.0))
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum ArmName {
    Control,
    Treatment,
}

fn cluster_robust_difference(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        arm: ArmName,
        n: f64,
        sum: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        clusters: Vec<Sums>,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha).map_err(|problem| DoorError(problem.to_string()))?;
    check(it.clusters.iter().all(|cluster| cluster.n >= 0.0), "a cluster's n is never negative")?;
    let of = |arm| {
        let clusters = it.clusters.iter().filter(move |cluster| cluster.arm == arm);
        clusters.map(|cluster| Cluster { n: cluster.n, sum: cluster.sum }).collect::<Vec<Cluster>>()
    };
    let (control, treatment) = (of(ArmName::Control), of(ArmName::Treatment));
    let robust = cluster_robust::cluster_robust(&control, &treatment);
    let unweighted = cluster_robust::unweighted(&control, &treatment, alpha);
    let (mean_control, mean_treatment) =
        (cluster_robust::mean_per_unit(&control), cluster_robust::mean_per_unit(&treatment));
    let difference = mean_control.zip(mean_treatment).map(|(control, treatment)| treatment - control);
    let mut fields = cluster_fields(&robust, unweighted.as_ref(), alpha);
    fields.extend([
        ("diff", optional(robust.as_ref().ok().map(|it| it.difference).or(difference))),
        ("mean_control", optional(mean_control)),
        ("mean_treatment", optional(mean_treatment)),
        ("unweighted_diff", optional(cluster_robust::unweighted_difference(&control, &treatment))),
    ]);
    Ok(object(&fields))
}

type Fields = Vec<(&'static str, Value)>;

/// What the clusters say about the precision of the difference.
fn cluster_fields(robust: &Result<ClusterRobust, NotEstimable>, unweighted: Option<&Test>, alpha: Alpha) -> Fields {
    let field = |pick: fn(&ClusterRobust) -> f64| optional(robust.as_ref().ok().map(pick));
    let test = |of: fn(&ClusterRobust, Alpha) -> Option<StudentTest>| robust.as_ref().ok().and_then(|it| of(it, alpha));
    let (cr2, cr1s) = (test(ClusterRobust::test), test(ClusterRobust::test_cr1s));
    let welch = |pick: fn(&Test) -> f64| optional(unweighted.map(pick));
    vec![
        ("se_cr0", field(|it| it.cr0.sqrt())),
        ("se_cr1", field(|it| it.cr1.sqrt())),
        ("se_cr1s", field(|it| it.cr1s.sqrt())),
        ("se_cr2", field(|it| it.cr2.sqrt())),
        ("df_cr2", field(|it| it.df_cr2)),
        ("clusters", json!(robust.as_ref().ok().map(|it| it.clusters))),
        ("t_cr2", optional(cr2.map(|test| test.t))),
        ("p_cr2", p_value(cr2.map(|test| test.p_value))),
        ("ln_p_cr2", number(cr2.map_or(0.0, |test| test.ln_p_value))),
        ("ci_low_cr2", optional(cr2.map(|test| test.low))),
        ("ci_high_cr2", optional(cr2.map(|test| test.high))),
        ("p_cr1s_t", p_value(cr1s.map(|test| test.p_value))),
        ("ci_low_cr1s", optional(cr1s.map(|test| test.low))),
        ("ci_high_cr1s", optional(cr1s.map(|test| test.high))),
        ("unweighted_se", welch(|test| test.standard_error)),
        ("unweighted_df", welch(|test| test.df)),
        ("unweighted_p", p_value(unweighted.map(|test| test.p_value))),
        ("few_clusters", json!(robust.as_ref().is_ok_and(ClusterRobust::fragile))),
        ("degenerate", json!(cr2.is_none())),
        ("reason", json!(robust.as_ref().err().map(NotEstimable::to_string))),
    ]
}

fn switchback(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Event {
        t: f64,
        value: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        block_seconds: f64,
        burn_in_seconds: f64,
        burn_in_only_on_switch: bool,
        blocks: Vec<ArmName>,
        events: Vec<Event>,
        #[serde(default)]
        carry_over_blocks: usize,
        alpha: Option<f64>,
    }
    let it: Input = read(input)?;
    let alpha = it.alpha.map_or(Ok(Alpha::FIVE_PERCENT), Alpha::new);
    let alpha = alpha.map_err(|problem| DoorError(problem.to_string()))?;
    let arm = |name: &ArmName| if *name == ArmName::Control { BlockArm::Control } else { BlockArm::Treatment };
    let burn_in = if it.burn_in_only_on_switch { BurnIn::OnSwitch } else { BurnIn::Always }(it.burn_in_seconds);
    let blocks = it.blocks.iter().map(arm).collect();
    let schedule = Schedule::new(it.block_seconds, burn_in, it.carry_over_blocks, blocks);
    let mut switchback = Switchback::new(schedule.map_err(|problem| DoorError(problem.to_string()))?);
    it.events.iter().for_each(|event| switchback.add(event.t, event.value));
    let ratio = switchback.ratio();
    let means = switchback.block_means(alpha);
    let test = ratio.as_ref().ok().and_then(|ratio| ratio.test(alpha));
    let of_ratio = |pick: fn(&ClusterRobust) -> f64| optional(ratio.as_ref().ok().map(pick));
    let of_means = |pick: fn(&Test) -> f64| optional(means.as_ref().map(pick));
    let kept = switchback.kept.iter().map(|block| object(&[("n", json!(block.n as u64)), ("sum", number(block.sum))]));
    Ok(object(&[
        ("kept_per_block", kept.collect()),
        ("dropped", json!(switchback.dropped)),
        ("outside", json!(switchback.outside)),
        ("ratio_diff", of_ratio(|it| it.difference)),
        ("ratio_se_cr2", of_ratio(|it| it.cr2.sqrt())),
        ("ratio_df_cr2", of_ratio(|it| it.df_cr2)),
        ("ratio_p_cr2", p_value(test.map(|test| test.p_value))),
        ("ratio_ci_low_cr2", optional(test.map(|test| test.low))),
        ("ratio_ci_high_cr2", optional(test.map(|test| test.high))),
        ("block_mean_diff", optional(switchback.block_mean_difference())),
        ("block_mean_se", of_means(|test| test.standard_error)),
        ("block_mean_df", of_means(|test| test.df)),
        ("block_mean_p", p_value(means.map(|test| test.p_value))),
        ("hac_lag1_se", optional(switchback.hac_variance().map(f64::sqrt))),
        ("few_clusters", json!(ratio.as_ref().is_ok_and(ClusterRobust::fragile))),
        ("degenerate", json!(test.is_none())),
        ("reason", json!(ratio.as_ref().err().map(NotEstimable::to_string))),
    ]))
}

fn icc_design_effect(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        sum: f64,
        sum_sq: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        clusters: Vec<Sums>,
    }
    let it: Input = read(input)?;
    let sane = |cluster: &Sums| cluster.n >= 0.0 && cluster.sum_sq >= 0.0;
    check(it.clusters.iter().all(sane), "a cluster's n and sum_sq are never negative")?;
    let cluster = |sums: &Sums| ClusterSquares { n: sums.n, sum: sums.sum, sum_sq: sums.sum_sq };
    let result = intraclass(&it.clusters.iter().map(cluster).collect::<Vec<_>>());
    Ok(object(&[
        ("icc_anova", optional(result.map(|result| result.icc))),
        ("n0", optional(result.map(|result| result.n0))),
        ("f", optional(result.map(|result| result.f))),
        ("design_effect", optional(result.map(|result| result.design_effect))),
        ("degenerate", json!(result.is_none())),
    ]))
}

fn exposure_hajek(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Unit {
        condition: String,
        p_treated_exposed: f64,
        p_control_unexposed: f64,
        y: f64,
        cluster: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Input {
        units: Vec<Unit>,
        probability_min: Option<f64>,
    }
    let it: Input = read(input)?;
    let least = it.probability_min.unwrap_or(hajek::PROBABILITY_MIN);
    check((0.0..1.0).contains(&least), "probability_min lies from 0 to below 1; 0.01 is usual")?;
    let unit = |unit: &Unit| {
        let (treated_exposed, control_unexposed) = (unit.p_treated_exposed, unit.p_control_unexposed);
        let share = |p| (0.0..=1.0).contains(&p);
        check(share(treated_exposed) && share(control_unexposed), "a probability lies from 0 to 1")?;
        let (condition, own) = match unit.condition.as_str() {
            "treated_exposed" => (Condition::TreatedExposed, treated_exposed),
            "control_unexposed" => (Condition::ControlUnexposed, control_unexposed),
            _ => (Condition::Other, 1.0),
        };
        check(own > 0.0, "a unit is never in a condition that has probability 0: check the design's probabilities")?;
        let probabilities = ExposureProbabilities { treated_exposed, control_unexposed };
        Ok(ExposedUnit { y: unit.y, condition, probabilities, cluster: unit.cluster })
    };
    let units = it.units.iter().map(unit).collect::<Result<Vec<ExposedUnit>, DoorError>>()?;
    let result = hajek::hajek(&units, least);
    let mean_fields = |mean: Option<HajekMean>| {
        let field = |pick: fn(&HajekMean) -> f64| optional(mean.as_ref().map(pick));
        object(&[
            ("units", json!(mean.map_or(0, |mean| mean.units))),
            ("mean", field(|mean| mean.mean)),
            ("var", field(|mean| mean.variance)),
            ("effective_n", field(|mean| mean.effective_n)),
            ("horvitz_thompson_total", field(|mean| mean.horvitz_thompson_total)),
        ])
    };
    Ok(object(&[
        ("treated_exposed", mean_fields(result.treated_exposed)),
        ("control_unexposed", mean_fields(result.control_unexposed)),
        ("diff", optional(result.difference)),
        ("var", optional(result.variance)),
        ("z", optional(result.test.map(|(z, _, _)| z))),
        ("p_value", p_value(result.test.map(|(_, p, _)| p))),
        ("ln_p_value", number(result.test.map_or(0.0, |(_, _, ln_p)| ln_p))),
        ("dropped_share", number(result.dropped_share)),
        ("degenerate", json!(result.test.is_none())),
    ]))
}
