//! Always-valid methods at the door.

use super::{
    Answer, Counts, DoorError, Methods, Moments, alpha_and_plan, check, lift_fields, number, numbers, object, read,
};
use crate::always_valid::{self, Design, Rule, Running};
use crate::moments::Arm;
use crate::{lift, srm};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("mixture_rho2", mixture_rho2),
    ("normal_mixture", normal_mixture),
    ("default_two_sample", default_two_sample),
    ("running", running),
    ("lift_cs_fieller", lift_cs_fieller),
];

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RuleName {
    Exact,
    Approx,
}

impl From<&RuleName> for Rule {
    fn from(name: &RuleName) -> Rule {
        match name {
            RuleName::Exact => Rule::Exact,
            RuleName::Approx => Rule::Approximate,
        }
    }
}

fn mixture_rho2(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        alpha: f64,
        n_star: f64,
        rule: RuleName,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, it.n_star)?;
    let x = always_valid::tuned(it.alpha, (&it.rule).into());
    Ok(object(&[("x_opt", number(x)), ("rho2", number(x / it.n_star))]))
}

fn normal_mixture(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        diff: f64,
        var_diff: f64,
        n_total: f64,
        rho2: f64,
        alpha: f64,
        null: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, it.n_total)?;
    check(it.var_diff > 0.0 && it.rho2 > 0.0, "var_diff and rho2 are above 0")?;
    let ln_e = always_valid::ln_e(it.diff, it.var_diff, it.n_total, it.rho2, it.null);
    let multiplier = always_valid::multiplier(it.n_total, it.rho2, it.alpha);
    let half = multiplier * it.var_diff.sqrt();
    Ok(object(&[
        ("ln_e", number(ln_e)),
        ("p_value", number(srm::p_value(ln_e))),
        ("multiplier", number(multiplier)),
        ("ci_low", number(it.diff - half)),
        ("ci_high", number(it.diff + half)),
        ("tau2", number(it.rho2 * it.n_total * it.var_diff)),
    ]))
}

#[derive(Deserialize)]
struct Plan {
    n_star: f64,
    alpha: f64,
    rule: RuleName,
    #[serde(default)]
    min_n_per_arm: Option<f64>,
    #[serde(default)]
    min_expected_events: Option<f64>,
}

impl Plan {
    fn design(&self) -> Result<Design, DoorError> {
        alpha_and_plan(self.alpha, self.n_star)?;
        Ok(Design {
            alpha: self.alpha,
            rho2: always_valid::tuned(self.alpha, (&self.rule).into()) / self.n_star,
            units_min: self.min_n_per_arm.unwrap_or(50.0),
            events_min: self.min_expected_events.unwrap_or(10.0),
        })
    }
}

fn default_two_sample(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        #[serde(default)]
        metric: Option<String>,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let (control, treatment, design) = (it.control.arm()?, it.treatment.arm()?, it.plan.design()?);
    let units = control.n + treatment.n;
    let pooled = (control.n * control.mean + treatment.n * treatment.mean) / units;
    let share = it.metric.is_some_and(|metric| metric == "conversion").then_some(pooled);
    let look = always_valid::compare(&control, &treatment, share, &design);
    let mut fields = vec![
        ("status", json!(look.status.name())),
        ("n_total", number(look.units)),
        ("diff", number(look.difference)),
        ("ln_e", number(look.ln_e)),
        ("p_value", number(look.p_value)),
        ("ci_low", number(look.low)),
        ("ci_high", number(look.high)),
        ("rho2", number(design.rho2)),
        ("multiplier", number(look.multiplier)),
    ];
    if let Some(variance) = look.variance {
        fields.extend([
            ("var_welch", number(variance.welch)),
            ("var_pooled", number(variance.pooled)),
            ("var_diff", number(variance.floor)),
        ]);
    }
    Ok(object(&fields))
}

fn running(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Look {
        control: Counts,
        treatment: Counts,
    }
    #[derive(Deserialize)]
    struct Input {
        looks: Vec<Look>,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let design = it.plan.design()?;
    let mut running = Running::default();
    let mut rows = Vec::new();
    for look in &it.looks {
        let arm = |counts: &Counts| counts.checked().map(|it| Arm::of_conversions(it.n, it.conversions));
        let comparison = always_valid::compare(&arm(&look.control)?, &arm(&look.treatment)?, None, &design);
        running.look(&comparison);
        rows.push((comparison, running));
    }
    Ok(object(&[
        ("p_value", numbers(rows.iter().map(|row| row.0.p_value))),
        ("p_running", numbers(rows.iter().map(|row| row.1.p_value))),
        ("ci_low", numbers(rows.iter().map(|row| row.0.low))),
        ("ci_high", numbers(rows.iter().map(|row| row.0.high))),
        ("ci_low_running", numbers(rows.iter().map(|row| row.1.low))),
        ("ci_high_running", numbers(rows.iter().map(|row| row.1.high))),
    ]))
}

fn lift_cs_fieller(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        variance_floor: bool,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let (control, treatment, design) = (it.control.arm()?, it.treatment.arm()?, it.plan.design()?);
    let variance =
        always_valid::variance(&control, &treatment).ok_or_else(|| DoorError("each arm needs two units".to_owned()))?;
    check(variance.welch > 0.0, "the arms have no variance")?;
    let factor = if it.variance_floor { variance.floor / variance.welch } else { 1.0 };
    let multiplier = always_valid::multiplier(control.n + treatment.n, design.rho2, design.alpha);
    let lift = lift::sequential(&control, &treatment, factor, multiplier);
    let mut fields = vec![("lift", number(treatment.mean / control.mean - 1.0)), ("multiplier", number(multiplier))];
    fields.extend(lift_fields(&lift));
    Ok(object(&fields))
}
