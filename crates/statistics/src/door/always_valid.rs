//! Always-valid methods at the door.

use super::{
    Answer, Counts, DoorError, Methods, Moments, alpha_and_plan, check, lift_fields, number, numbers, object, optional,
    read,
};
use crate::alpha::Alpha;
use crate::always_valid::epochs::{self, Pair};
use crate::always_valid::growthbook::{self, Effect};
use crate::always_valid::process::{Mixture, Sides};
use crate::always_valid::{
    self, Comparison, Design, Rule, Running, half_normal, msprt, normal_mixture, p_value, t_mixture,
};
use crate::lift::{self, Lift, Mean};
use crate::moments::Arm;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("mixture_rho2", mixture_rho2),
    ("normal_mixture", normal_mixture),
    ("normal_mixture_process", normal_mixture_process),
    ("msprt_absolute", msprt_absolute),
    ("half_normal_mixture", half_normal_mixture),
    ("t_mixture", t_mixture),
    ("growthbook_sequential", growthbook_sequential),
    ("default_two_sample", default_two_sample),
    ("epochs_two_sample", epochs_two_sample),
    ("running", running),
    ("lift_cs_fieller", lift_cs_fieller),
    ("lift_cs_delta", lift_cs_delta),
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
    let x = always_valid::tuned(alpha_and_plan(it.alpha, it.n_star)?, (&it.rule).into());
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
    let alpha = Alpha::new(it.alpha)?;
    check(it.var_diff > 0.0 && it.rho2 > 0.0 && it.n_total > 0.0, "var_diff, rho2 and n_total are above 0")?;
    let ln_e = normal_mixture::ln_e(it.diff, it.var_diff, it.n_total, it.rho2, it.null);
    let multiplier = normal_mixture::multiplier(it.n_total, it.rho2, alpha);
    let half = multiplier * it.var_diff.sqrt();
    Ok(object(&[
        ("ln_e", number(ln_e)),
        ("p_value", number(p_value(ln_e))),
        ("multiplier", number(multiplier)),
        ("ci_low", number(it.diff - half)),
        ("ci_high", number(it.diff + half)),
        ("tau2", number(it.rho2 * it.n_total * it.var_diff)),
    ]))
}

fn normal_mixture_process(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        v: Vec<f64>,
        s: Vec<f64>,
        alpha: f64,
        v_opt: f64,
        alpha_opt: f64,
        one_sided: bool,
        rule: RuleName,
    }
    let it: Input = read(input)?;
    let (alpha, alpha_opt) = (Alpha::new(it.alpha)?, Alpha::new(it.alpha_opt)?);
    check(it.v.len() == it.s.len(), "v and s have the same length")?;
    check(it.v_opt > 0.0 && it.v.iter().all(|&v| v >= 0.0), "v_opt is above 0, and v is never negative")?;
    let sides = if it.one_sided { Sides::One } else { Sides::Two };
    let mixture = Mixture::tuned(sides, it.v_opt, alpha_opt, (&it.rule).into()).map_err(|_| {
        DoorError("a one-sided mixture is tuned at twice alpha_opt, which must be below 0.5".to_owned())
    })?;
    Ok(object(&[
        ("rho", number(mixture.rho)),
        ("bound", numbers(it.v.iter().map(|&v| mixture.bound(v, alpha)))),
        ("ln_e", numbers(it.v.iter().zip(&it.s).map(|(&v, &s)| mixture.ln_e(s, v)))),
    ]))
}

fn msprt_absolute(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Counts,
        treatment: Counts,
        tau2: f64,
        theta0: f64,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    check(it.tau2 > 0.0, "tau2 is above 0")?;
    let (control, treatment) = (it.control.checked()?.rate(), it.treatment.checked()?.rate());
    let (difference, variance) = (treatment.mean - control.mean, control.variance + treatment.variance);
    let ln_e = msprt::ln_e(difference, variance, it.tau2, it.theta0);
    let half = msprt::half_width(variance, it.tau2, alpha);
    let end = |end: f64| if variance > 0.0 { number(end) } else { Value::Null };
    Ok(object(&[
        ("var_diff", number(variance)),
        ("ln_e", number(ln_e)),
        ("p_value", number(p_value(ln_e))),
        ("ci_low", end(difference - half)),
        ("ci_high", end(difference + half)),
        ("degenerate", json!(variance <= 0.0)),
    ]))
}

fn half_normal_mixture(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        z: f64,
        x: f64,
    }
    let it: Input = read(input)?;
    check(it.x >= 0.0, "x is never negative")?;
    let ln_e = half_normal::ln_e(it.z, it.x);
    Ok(object(&[("ln_e", number(ln_e)), ("p_value", number(p_value(ln_e)))]))
}

fn t_mixture(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        t2: f64,
        nu: f64,
        n_eff: f64,
        rho2: f64,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    check(it.t2 >= 0.0 && it.nu > 0.0, "t2 is never negative, and nu is above 0")?;
    check(it.n_eff > 0.0 && it.rho2 > 0.0, "n_eff and rho2 are above 0")?;
    let x = it.n_eff * it.rho2;
    let ln_e = t_mixture::ln_e(it.t2, it.nu, x);
    Ok(object(&[
        ("ln_e", number(ln_e)),
        ("p_value", number(p_value(ln_e))),
        ("multiplier", number(t_mixture::multiplier(it.nu, x, alpha))),
    ]))
}

fn growthbook_sequential(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        sum: f64,
        sum_sq: Option<f64>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum EffectName {
        Absolute,
        RelativeDelta,
    }
    #[derive(Deserialize)]
    struct Input {
        metric: String,
        control: Sums,
        treatment: Sums,
        alpha: f64,
        n_star: f64,
        rule: RuleName,
        effect: EffectName,
    }
    let it: Input = read(input)?;
    let alpha = alpha_and_plan(it.alpha, it.n_star)?;
    check(["proportion", "mean"].contains(&it.metric.as_str()), "metric is proportion or mean")?;
    let mean = |sums: &Sums| -> Result<Mean, DoorError> {
        if it.metric == "proportion" {
            return Ok(Counts { n: sums.n, conversions: sums.sum }.checked()?.rate());
        }
        let squares = sums.sum_sq.ok_or_else(|| DoorError("a mean needs 'sum_sq'".to_owned()))?;
        check(sums.n >= 0.0 && squares >= 0.0, "n and sum_sq are never negative")?;
        Ok(Mean::of(&Arm::of_sums(sums.n, sums.sum, squares)))
    };
    let effect = match it.effect {
        EffectName::Absolute => Effect::Absolute,
        EffectName::RelativeDelta => Effect::Relative,
    };
    let rho2 = Design::tuned(alpha, it.n_star, (&it.rule).into()).rho2();
    let units = it.control.n + it.treatment.n;
    let look = growthbook::compare(&mean(&it.control)?, &mean(&it.treatment)?, units, effect, rho2, alpha);
    Ok(object(&[
        ("estimate", optional(look.map(|look| look.estimate))),
        ("se", optional(look.map(|look| look.standard_error))),
        ("ln_e", number(look.map_or(0.0, |look| look.ln_e))),
        ("p_value", number(look.map_or(1.0, |look| look.p_value))),
        ("ci_low", optional(look.map(|look| look.low))),
        ("ci_high", optional(look.map(|look| look.high))),
        ("degenerate", json!(look.is_none())),
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
        let alpha = alpha_and_plan(self.alpha, self.n_star)?;
        let mut design = Design::tuned(alpha, self.n_star, (&self.rule).into());
        design.units_min = self.min_n_per_arm.unwrap_or(Design::UNITS_MIN);
        design.events_min = self.min_expected_events.unwrap_or(Design::EVENTS_MIN);
        Ok(design)
    }
}

/// The pooled share, for a metric of conversions.
fn share<'a>(metric: Option<&str>, arms: impl Iterator<Item = &'a Arm>) -> Option<f64> {
    let (units, sum) = arms.fold((0.0, 0.0), |(units, sum), arm| (units + arm.n, sum + arm.n * arm.mean));
    (metric == Some("conversion")).then(|| if units > 0.0 { sum / units } else { 0.0 })
}

fn look_fields(look: &Comparison, design: &Design) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("status", json!(look.status.name())),
        ("n_total", number(look.units)),
        ("diff", number(look.difference)),
        ("ln_e", number(look.ln_e)),
        ("p_value", number(look.p_value)),
        ("ci_low", number(look.low)),
        ("ci_high", number(look.high)),
        ("rho2", number(design.rho2())),
        ("multiplier", number(look.multiplier)),
    ];
    if let Some(variance) = look.variance {
        fields.extend([
            ("var_welch", number(variance.welch)),
            ("var_pooled", number(variance.pooled)),
            ("var_diff", number(variance.floor)),
        ]);
    }
    fields
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
    let share = share(it.metric.as_deref(), [&control, &treatment].into_iter());
    Ok(object(&look_fields(&always_valid::compare(&control, &treatment, share, &design), &design)))
}

fn epochs_two_sample(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Epoch {
        control: Moments,
        treatment: Moments,
    }
    #[derive(Deserialize)]
    struct Input {
        epochs: Vec<Epoch>,
        #[serde(default)]
        metric: Option<String>,
        #[serde(flatten)]
        plan: Plan,
    }
    let it: Input = read(input)?;
    let design = it.plan.design()?;
    let pair = |epoch: &Epoch| -> Result<Pair, DoorError> {
        Ok(Pair { control: epoch.control.arm()?, treatment: epoch.treatment.arm()? })
    };
    let pairs = it.epochs.iter().map(pair).collect::<Result<Vec<Pair>, DoorError>>()?;
    let counted: Vec<&Arm> = pairs
        .iter()
        .filter(|pair| always_valid::variance(&pair.control, &pair.treatment).is_some())
        .flat_map(|pair| [&pair.control, &pair.treatment])
        .collect();
    let share = share(it.metric.as_deref(), counted.into_iter());
    let mut fields = look_fields(&epochs::compare(&pairs, share, &design), &design);
    fields.push(("left_out", number(epochs::combine(&pairs).left_out)));
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
        ("drift_suspected", rows.iter().map(|row| json!(row.1.drift_suspected())).collect()),
    ]))
}

#[derive(Deserialize)]
struct LiftInput {
    control: Moments,
    treatment: Moments,
    variance_floor: bool,
    #[serde(flatten)]
    plan: Plan,
}

fn lift_cs(input: &Value, set: fn(&Arm, &Arm, f64, f64) -> Option<Lift>) -> Answer {
    let it: LiftInput = read(input)?;
    let (control, treatment, design) = (it.control.arm()?, it.treatment.arm()?, it.plan.design()?);
    let multiplier = normal_mixture::multiplier(control.n + treatment.n, design.rho2(), design.alpha());
    let factor = always_valid::variance(&control, &treatment).and_then(|variance| variance.factor());
    // Without a variance nothing is ruled out.
    let lift = factor
        .and_then(|factor| set(&control, &treatment, if it.variance_floor { factor } else { 1.0 }, multiplier))
        .unwrap_or(Lift::Unbounded);
    let estimate = lift::estimate(control.mean, treatment.mean);
    let mut fields = vec![("lift", optional(estimate)), ("multiplier", number(multiplier))];
    fields.extend(lift_fields(&lift));
    Ok(object(&fields))
}

fn lift_cs_fieller(input: &Value) -> Answer {
    lift_cs(input, |control, treatment, factor, multiplier| {
        Some(lift::sequential(control, treatment, factor, multiplier))
    })
}

fn lift_cs_delta(input: &Value) -> Answer {
    lift_cs(input, lift::delta_sequential)
}
