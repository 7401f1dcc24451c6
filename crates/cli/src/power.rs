//! `assay power`: how many units and days an experiment needs, or what it finds with those it has.

use crate::WrongUse;
use crate::grid::{aligned, percent, share, whole};
use crate::planning::{Inputs, Method, Metric, Scheme, effects, fixed_sample, power_of_one_look, sample, schemes};
use anyhow::Result;
use assay_statistics::alpha::Alpha;
use assay_statistics::group_sequential::LOOKS_MAX;
use assay_statistics::power::{Promise, duration, inflation, proportions};
use assay_statistics::sides::Sides;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Plan an experiment: the sample for an effect, or the effect for a sample, for one look at the end and for sequential methods.
///
/// A rate is planned with --baseline, a mean with --mean and --sd. With --mde the answer is the sample; with --units or --days it is the
/// smallest effect that such a sample finds; with both it is the power. Sequential plans are compared at the same power: what they need at
/// most, and where they stop on average when the effect is the planned one.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay power --baseline 5% --mde 10% --per-day 10000\n  assay power --mean 24.1 --sd 60 --mde-absolute 1.5 --arms 3\n  assay power --baseline 2% --days 14 --per-day 10000 --json\n\nThe usual textbook example, 5% against 5.5% with alpha 0.05 and power 80%, needs 31,231 units per arm, or 31,196 with z rounded to 1.96 and\n0.84. The 72,281 (\"about 72,000\") that is often printed beside it is wrong: the formula printed with it, (z_alpha/2 + z_beta)^2 (p1 q1 + p2 q2) /\n(p2 - p1)^2 = 2.8^2 x 0.099475 / 0.005^2, gives 31,196. An experiment of 72,281 per arm has a power of 98.9%, not 80%."
)]
pub struct Arguments {
    /// Rate of the control, as in 5% or 0.05.
    #[arg(long, value_name = "RATE", value_parser = share, conflicts_with_all = ["mean", "sd"], required_unless_present = "mean")]
    baseline: Option<f64>,
    /// Mean of the control, for metrics that are no rates.
    #[arg(long, value_name = "MEAN", requires = "sd", allow_negative_numbers = true)]
    mean: Option<f64>,
    /// Standard deviation of a unit's value, in both arms.
    #[arg(long, value_name = "SD", requires = "mean")]
    sd: Option<f64>,
    /// Minimum detectable effect relative to the baseline, as in 10% or 0.1; a negative one is a decrease.
    #[arg(long, value_name = "LIFT", value_parser = share, allow_hyphen_values = true, conflicts_with = "mde_absolute")]
    mde: Option<f64>,
    /// Minimum detectable effect as a difference, as in 0.005 or 0.5% (of a rate: percentage points).
    #[arg(long, value_name = "DIFFERENCE", value_parser = share, allow_hyphen_values = true)]
    mde_absolute: Option<f64>,
    /// Units that there will be in all arms together: asks for the effect.
    #[arg(long, value_name = "N", conflicts_with = "days")]
    units: Option<u64>,
    /// Days that it may take: asks for the effect.
    #[arg(long, value_name = "DAYS", requires = "per_day")]
    days: Option<u32>,
    /// Share of false positives that is tolerated, over all treatments.
    #[arg(long, value_name = "ALPHA", default_value = "0.05", value_parser = share)]
    alpha: f64,
    /// Chance to find the effect.
    #[arg(long, value_name = "POWER", default_value = "0.8", value_parser = share)]
    power: f64,
    /// Arms with the control; alpha is divided by the number of treatments (Bonferroni).
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=1001))]
    arms: u32,
    /// Units of each treatment per unit of the control.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0)]
    ratio: f64,
    /// Units that are new each day. Daily active users are not: most of them were there the day before.
    #[arg(long, value_name = "N")]
    per_day: Option<f64>,
    /// Share of them that enters the experiment.
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = share)]
    traffic: f64,
    /// Equally spaced looks of the group sequential plan.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=LOOKS_MAX as i64))]
    looks: u32,
    /// Print the plan as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let answer = plan(arguments).map_err(|problem| WrongUse(problem.to_string()))?;
    if arguments.json {
        println!("{answer}");
    } else {
        print!("{}", render(&answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(arguments: &Arguments) -> Result<Value> {
    let metric = match (arguments.baseline, arguments.mean, arguments.sd) {
        (Some(rate), ..) => Metric::Rate(rate),
        (None, Some(mean), Some(sd)) => Metric::Mean { mean, sd },
        _ => anyhow::bail!("give --baseline for a rate, or --mean and --sd"),
    };
    let promise = Promise {
        alpha: Alpha::new(arguments.alpha)?,
        sides: Sides::Two,
        power: arguments.power,
        comparisons: arguments.arms - 1,
    };
    let per_day = arguments.per_day.map(|per_day| per_day * arguments.traffic);
    if arguments.per_day.is_some() {
        // The same complaint whatever is asked for.
        duration::days(1.0, arguments.per_day.unwrap_or(0.0), arguments.traffic, false)?;
    }
    let units = match (arguments.units, arguments.days, per_day) {
        (Some(units), ..) => Some(units as f64),
        (None, Some(days), Some(per_day)) => Some((f64::from(days) * per_day).floor()),
        _ => None,
    };
    let difference = match (arguments.mde, arguments.mde_absolute) {
        (Some(lift), _) if metric.baseline() == 0.0 => {
            anyhow::bail!("a lift of {} on a baseline of 0 is no effect; give --mde-absolute", percent(lift))
        }
        (Some(lift), _) => Some(lift * metric.baseline()),
        (None, absolute) => absolute,
    };
    let about = json!({
        "metric": match metric { Metric::Rate(_) => "rate", Metric::Mean { .. } => "mean" },
        "baseline": metric.baseline(),
        "sd": match metric { Metric::Rate(_) => Value::Null, Metric::Mean { sd, .. } => json!(sd) },
        "alpha": arguments.alpha, "power": arguments.power, "arms": arguments.arms, "ratio": arguments.ratio,
        "units_per_day": per_day,
    });
    let inputs = Inputs {
        metric,
        promise,
        ratio: arguments.ratio,
        looks: arguments.looks,
        traffic: arguments.per_day.map(|per_day| (per_day, arguments.traffic)),
    };
    let mut answer = match (difference, units) {
        (Some(difference), None) => sample_for(&inputs, difference)?,
        (None, Some(units)) => effects_of(&inputs, units, arguments.days)?,
        (Some(difference), Some(units)) => power(&inputs, difference, units)?,
        (None, None) => {
            anyhow::bail!("give --mde for the sample it needs, or --units or --days for the effect they find")
        }
    };
    if let (Some(answer), Value::Object(about)) = (answer.as_object_mut(), about) {
        answer.extend(about);
    }
    Ok(answer)
}

/// A way to read an experiment, for people.
fn name(method: Method, looks: u32) -> String {
    match method {
        Method::FixedHorizon => "one look at the planned end".to_owned(),
        Method::GroupSequential => format!("O'Brien-Fleming, {looks} looks"),
        Method::AlwaysValid => "always-valid, any looks".to_owned(),
    }
}

fn ways(inputs: &Inputs) -> Result<[Scheme; 3]> {
    Ok(schemes(&inputs.promise, inputs.looks, inflation::always_valid(&inputs.promise)?)?)
}

fn sample_for(inputs: &Inputs, difference: f64) -> Result<Value> {
    let fixed = fixed_sample(inputs, difference)?;
    let mut plans = Vec::new();
    for scheme in ways(inputs)? {
        let planned = sample(inputs, &fixed, scheme)?;
        let mut plan = json!({
            "plan": scheme.method.code(), "name": name(scheme.method, inputs.looks), "control": planned.control,
            "treatment": planned.treatment, "total": planned.total, "samples_at_most": scheme.maximum,
            "samples_on_average": scheme.average, "total_on_average": planned.total_on_average,
            "power_at_fixed_sample": scheme.power_at_fixed,
        });
        if let Some(days) = planned.days {
            plan["days"] = json!(days.at_most);
            plan["days_in_whole_weeks"] = json!(days.in_whole_weeks);
            plan["days_on_average"] = json!(days.on_average);
        }
        plans.push(plan);
    }
    let rounded = match inputs.metric {
        Metric::Rate(rate) if inputs.ratio == 1.0 => {
            let two = |z: f64| (100.0 * z).round() / 100.0;
            let (alpha, beta) = (two(inputs.promise.z_alpha()), two(inputs.promise.z_beta()));
            let size = proportions::sample_size_rounded_z(rate, rate + difference, alpha, beta)?;
            json!({"z_alpha": alpha, "z_beta": beta, "control": size.control})
        }
        _ => Value::Null,
    };
    Ok(json!({
        "asks": "sample", "difference": difference, "lift": inputs.metric.lift(difference), "plans": plans,
        "with_rounded_z": rounded,
    }))
}

fn effects_of(inputs: &Inputs, units: f64, days: Option<u32>) -> Result<Value> {
    let (control, _) = inputs.arms(units)?;
    let lift = |difference: Option<f64>| difference.and_then(|difference| inputs.metric.lift(difference));
    let mut plans = Vec::new();
    for scheme in ways(inputs)? {
        let found = effects(inputs, control, &scheme)?;
        plans.push(json!({
            "plan": scheme.method.code(), "name": name(scheme.method, inputs.looks), "difference_up": found.up,
            "difference_down": found.down, "lift_up": lift(found.up), "lift_down": lift(found.down),
            "samples_at_most": scheme.maximum, "total_on_average": units * scheme.average / scheme.maximum,
        }));
    }
    Ok(json!({"asks": "effect", "total": units, "control": control, "days": days, "plans": plans}))
}

fn power(inputs: &Inputs, difference: f64, units: f64) -> Result<Value> {
    let (control, treatment) = inputs.arms(units)?;
    let power = power_of_one_look(inputs, difference, control, treatment)?;
    Ok(json!({
        "asks": "power", "total": units, "control": control, "treatment": treatment, "difference": difference,
        "lift": inputs.metric.lift(difference), "power_of_one_look": power,
    }))
}

/// The answer for people.
fn render(answer: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let rate = answer["metric"] == "rate";
    let amount = |value: f64| if rate { percent(value) } else { crate::table::number(value) };
    let signed = |value: f64, text: String| if value > 0.0 { format!("+{text}") } else { text };
    let effect = |difference: &Value, lift: &Value| match difference.as_f64() {
        None => "none is found".to_owned(),
        Some(difference) => {
            let relative = lift.as_f64().map(|lift| format!(" ({})", signed(lift, percent(lift)))).unwrap_or_default();
            let points = if rate { " points" } else { "" };
            let absolute =
                if rate { crate::table::number(100.0 * difference) } else { crate::table::number(difference) };
            format!("{}{points}{relative}", signed(difference, absolute))
        }
    };
    let mut out = format!("baseline {}", amount(number(&answer["baseline"])));
    if let Some(sd) = answer["sd"].as_f64() {
        out += &format!(" with a standard deviation of {}", crate::table::number(sd));
    }
    if let Some(difference) = answer["difference"].as_f64() {
        let target = number(&answer["baseline"]) + difference;
        out += &format!(", target {}: {}", amount(target), effect(&answer["difference"], &answer["lift"]));
    }
    out += &format!(
        "; alpha {}, power {}, {} arms, {}\n\n",
        crate::table::number(number(&answer["alpha"])),
        percent(number(&answer["power"])),
        answer["arms"],
        match number(&answer["ratio"]) {
            1.0 => "of equal size".to_owned(),
            ratio => format!("{} treatment units per control unit", crate::table::number(ratio)),
        }
    );
    let plans = answer["plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    match answer["asks"].as_str() {
        Some("sample") => {
            let days = plans.iter().any(|plan| plan["days"].is_number());
            let mut head =
                ["plan", "control", "each treatment", "total at most", "stops on average"].map(str::to_owned).to_vec();
            if days {
                head.extend(["days at most", "whole weeks", "days on average"].map(str::to_owned));
            }
            let mut rows = vec![head];
            for plan in plans {
                let mut row = vec![plan["name"].as_str().unwrap_or_default().to_owned()];
                row.extend(["control", "treatment", "total"].map(|field| whole(number(&plan[field]))));
                row.push(format!(
                    "{} ({:.2}x)",
                    whole(number(&plan["total_on_average"])),
                    number(&plan["samples_on_average"])
                ));
                if days {
                    let weeks = number(&plan["days_in_whole_weeks"]) / 7.0;
                    row.push(whole(number(&plan["days"])));
                    row.push(format!("{} ({} days)", whole(weeks), whole(7.0 * weeks)));
                    row.push(whole(number(&plan["days_on_average"])));
                }
                rows.push(row);
            }
            out += &aligned(&rows, &[0]);
            if let Some(always) = plans.last() {
                out += &format!(
                    "\n  The sequential plans have the same power. \"On average\" is when the effect is the planned one; x counts samples of the first plan.\n  Stopped at the first plan's sample the always-valid test has a power of {}. Its N* (--planned-units) is the first plan's total.\n",
                    percent(number(&always["power_at_fixed_sample"]))
                );
            }
            if answer["with_rounded_z"].is_object() {
                let rounded = &answer["with_rounded_z"];
                out += &format!(
                    "  With z rounded to {} and {}, as textbooks do, the control would have {}.\n",
                    rounded["z_alpha"],
                    rounded["z_beta"],
                    whole(number(&rounded["control"]))
                );
            }
            if days {
                out += "  Run whole weeks: users of a Sunday differ from those of a Monday.\n";
            }
        }
        Some("effect") => {
            let days = answer["days"].as_f64().map(|days| format!(" ({} days)", whole(days))).unwrap_or_default();
            out += &format!("  {} units{days}: the smallest effects that are found\n", whole(number(&answer["total"])));
            let mut rows = vec![["plan", "increase", "decrease", "stops on average"].map(str::to_owned).to_vec()];
            for plan in plans {
                rows.push(vec![
                    plan["name"].as_str().unwrap_or_default().to_owned(),
                    effect(&plan["difference_up"], &plan["lift_up"]),
                    effect(&plan["difference_down"], &plan["lift_down"]),
                    whole(number(&plan["total_on_average"])),
                ]);
            }
            out += &aligned(&rows, &[0]);
        }
        _ => {
            out += &format!(
                "  {} units: one look at the end finds it with a power of {}\n",
                whole(number(&answer["total"])),
                percent(number(&answer["power_of_one_look"]))
            );
        }
    }
    out
}
