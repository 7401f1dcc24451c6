//! Planning at the door.

use super::{Answer, DoorError, Methods, alpha, number, object, read, sides, two};
use crate::group_sequential::Spending;
use crate::power::proportions::RateVariance;
use crate::power::{PlanError, Promise, SampleSize, duration, inflation, means, proportions};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("sample_size_two_proportions", sample_size_two_proportions),
    ("sample_size_two_proportions_rounded_z", sample_size_two_proportions_rounded_z),
    ("power_two_proportions", power_two_proportions),
    ("mde_two_proportions", mde_two_proportions),
    ("sample_size_mean_normal", sample_size_mean_normal),
    ("sample_size_mean_t", sample_size_mean_t),
    ("duration_days", duration_days),
    ("inflation_always_valid", inflation_always_valid),
    ("inflation_group_sequential", inflation_group_sequential),
];

impl From<PlanError> for DoorError {
    fn from(problem: PlanError) -> DoorError {
        DoorError(problem.to_string())
    }
}

fn one() -> f64 {
    1.0
}

fn one_treatment() -> u32 {
    1
}

fn unpooled() -> String {
    "unpooled".to_owned()
}

fn no_correction() -> String {
    "none".to_owned()
}

#[derive(Deserialize)]
struct Asked {
    alpha: f64,
    power: f64,
    #[serde(default = "two")]
    sides: u32,
    #[serde(default = "one")]
    allocation_ratio: f64,
    #[serde(default = "one_treatment")]
    treatments: u32,
    #[serde(default = "no_correction")]
    correction: String,
}

impl Asked {
    fn promise(&self) -> Result<Promise, DoorError> {
        let comparisons = match self.correction.as_str() {
            "none" => 1,
            "bonferroni" => self.treatments,
            other => return Err(DoorError(format!("correction '{other}' is neither none nor bonferroni"))),
        };
        Ok(Promise { alpha: alpha(self.alpha)?, sides: sides(self.sides)?, power: self.power, comparisons })
    }
}

fn variance(name: &str) -> Result<RateVariance, DoorError> {
    match name {
        "unpooled" => Ok(RateVariance::Unpooled),
        "pooled_null" => Ok(RateVariance::PooledNull),
        other => Err(DoorError(format!("variance '{other}' is neither unpooled nor pooled_null"))),
    }
}

/// Whole numbers as such, as far as JSON's readers keep them.
fn count(value: f64) -> Value {
    if value.abs() <= 9_007_199_254_740_992.0 { json!(value as i64) } else { number(value) }
}

fn size_fields(size: &SampleSize) -> Value {
    object(&[
        ("n_control_exact", number(size.control_exact)),
        ("n_control", count(size.control)),
        ("n_treatment", count(size.treatment)),
        ("total", count(size.total)),
    ])
}

#[derive(Deserialize)]
struct Rates {
    baseline: f64,
    target: f64,
    #[serde(default = "unpooled")]
    variance: String,
}

fn sample_size_two_proportions(input: &Value) -> Answer {
    let (rates, asked): (Rates, Asked) = (read(input)?, read(input)?);
    let size = proportions::sample_size(
        rates.baseline,
        rates.target,
        variance(&rates.variance)?,
        &asked.promise()?,
        asked.allocation_ratio,
        asked.treatments,
    )?;
    Ok(size_fields(&size))
}

fn sample_size_two_proportions_rounded_z(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Quantiles {
        z_alpha: f64,
        z_beta: f64,
    }
    let (rates, z): (Rates, Quantiles) = (read(input)?, read(input)?);
    Ok(size_fields(&proportions::sample_size_rounded_z(rates.baseline, rates.target, z.z_alpha, z.z_beta)?))
}

fn power_two_proportions(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Test {
        n_control: f64,
        n_treatment: f64,
        alpha: f64,
        #[serde(default = "two")]
        sides: u32,
    }
    let (rates, test): (Rates, Test) = (read(input)?, read(input)?);
    let power = proportions::power(
        rates.baseline,
        rates.target,
        test.n_control,
        test.n_treatment,
        variance(&rates.variance)?,
        alpha(test.alpha)?,
        sides(test.sides)?,
    )?;
    Ok(object(&[("power", number(power))]))
}

fn mde_two_proportions(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sample {
        baseline: f64,
        n_per_arm: f64,
    }
    let (sample, asked): (Sample, Asked) = (read(input)?, read(input)?);
    let got = proportions::mde(sample.baseline, sample.n_per_arm, &asked.promise()?, asked.allocation_ratio)?;
    let field = |value: Option<f64>| value.map_or(Value::Null, number);
    let relative = |value: Option<f64>| value.filter(|_| sample.baseline > 0.0).map(|d| d / sample.baseline);
    Ok(object(&[
        ("mde_absolute_up", field(got.up)),
        ("mde_relative_up", field(relative(got.up))),
        ("mde_absolute_down", field(got.down)),
        ("mde_relative_down", field(relative(got.down))),
    ]))
}

#[derive(Deserialize)]
struct Mean {
    sd: f64,
    sd_treatment: Option<f64>,
    delta: f64,
}

fn sample_size_mean_normal(input: &Value) -> Answer {
    let (mean, asked): (Mean, Asked) = (read(input)?, read(input)?);
    let sd_treatment = mean.sd_treatment.unwrap_or(mean.sd);
    let size = means::sample_size_normal(mean.sd, sd_treatment, mean.delta, &asked.promise()?, asked.allocation_ratio)?;
    Ok(size_fields(&size))
}

fn sample_size_mean_t(input: &Value) -> Answer {
    let (mean, asked): (Mean, Asked) = (read(input)?, read(input)?);
    Ok(size_fields(&means::sample_size_t(mean.sd, mean.delta, &asked.promise()?, asked.allocation_ratio)?))
}

fn duration_days(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        total_units: f64,
        new_units_per_day: f64,
        #[serde(default = "one")]
        traffic_fraction: f64,
        #[serde(default)]
        round_to_weeks: bool,
    }
    let it: Input = read(input)?;
    let got = duration::days(it.total_units, it.new_units_per_day, it.traffic_fraction, it.round_to_weeks)?;
    Ok(object(&[("days_min", count(got.days_min)), ("days", count(got.days))]))
}

fn inflation_fields(got: &inflation::Inflation) -> Value {
    object(&[
        ("maximum", number(got.maximum)),
        ("average", number(got.average)),
        ("power_at_fixed", number(got.power_at_fixed)),
    ])
}

fn inflation_always_valid(input: &Value) -> Answer {
    Ok(inflation_fields(&inflation::always_valid(&read::<Asked>(input)?.promise()?)?))
}

fn inflation_group_sequential(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Plan {
        spending: String,
        looks: usize,
    }
    let (plan, asked): (Plan, Asked) = (read(input)?, read(input)?);
    let spending = match plan.spending.as_str() {
        "obf" => Spending::ObrienFleming,
        "pocock" => Spending::Pocock,
        other => return Err(DoorError(format!("spending '{other}' is neither obf nor pocock"))),
    };
    Ok(inflation_fields(&inflation::group_sequential(&asked.promise()?, spending, plan.looks)?))
}
