//! Fixed-horizon methods at the door.

use super::{Answer, Counts, DoorError, Methods, Moments, alpha_and_plan, check, lift_fields, number, object, read};
use crate::fixed_horizon::{self, Test};
use crate::lift::{self, Lift};
use crate::moments::Arm;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods =
    &[("two_proportion_z", two_proportion_z), ("welch_t", welch_t), ("welch_t_raw", welch_t_raw), ("lift_ci", lift_ci)];

fn test_fields(test: Option<&Test>, statistic: &'static str) -> Vec<(&'static str, Value)> {
    let field = |pick: fn(&Test) -> f64| test.map_or(Value::Null, |test| number(pick(test)));
    vec![
        (statistic, field(|test| test.statistic)),
        ("p_value", test.map_or(json!(1.0), |test| number(test.p_value))),
        ("ln_p_value", test.map_or(json!(0.0), |test| number(test.ln_p_value))),
        ("ci_low", field(|test| test.low)),
        ("ci_high", field(|test| test.high)),
        ("degenerate", json!(test.is_none())),
    ]
}

fn two_proportion_z(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Counts,
        treatment: Counts,
        variance: String,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    check(["pooled", "unpooled"].contains(&it.variance.as_str()), "variance is pooled or unpooled")?;
    let (control, treatment) = (it.control.checked()?, it.treatment.checked()?);
    let rate = |counts: &Counts| if counts.n > 0.0 { counts.conversions / counts.n } else { f64::NAN };
    let arms = ((control.n, control.conversions), (treatment.n, treatment.conversions));
    let test = fixed_horizon::two_proportions(arms.0, arms.1, it.variance == "pooled", it.alpha);
    let mut fields = test_fields(test.as_ref(), "z");
    fields.extend([
        ("rate_control", number(rate(control))),
        ("rate_treatment", number(rate(treatment))),
        ("diff", number(rate(treatment) - rate(control))),
        ("se", number(test.map_or(0.0, |test| test.standard_error))),
    ]);
    Ok(object(&fields))
}

fn welch_fields(control: &Arm, treatment: &Arm, alpha: f64) -> Vec<(&'static str, Value)> {
    let test = fixed_horizon::welch(control, treatment, alpha);
    let field = |pick: fn(&Test) -> f64| test.as_ref().map_or(Value::Null, |test| number(pick(test)));
    let se = (control.variance() / control.n + treatment.variance() / treatment.n).sqrt();
    let mut fields = test_fields(test.as_ref(), "t");
    fields.extend([
        ("diff", number(treatment.mean - control.mean)),
        ("se", if control.n < 2.0 || treatment.n < 2.0 { Value::Null } else { number(se) }),
        ("df", field(|test| test.df)),
    ]);
    fields
}

fn welch_t(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    Ok(object(&welch_fields(&it.control.arm()?, &it.treatment.arm()?, it.alpha)))
}

/// Neumaier's compensated sum.
fn neumaier(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

fn welch_t_raw(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Values {
        values: Vec<f64>,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Values,
        treatment: Values,
        alpha: f64,
    }
    let it: Input = read(input)?;
    alpha_and_plan(it.alpha, 1.0)?;
    let arm = |values: &[f64]| {
        let n = values.len() as f64;
        // The mean in two passes, so that a large offset costs no digits.
        let rough = neumaier(values.iter().copied()) / n.max(1.0);
        let rest = neumaier(values.iter().map(|value| value - rough)) / n.max(1.0);
        let m2 = neumaier(values.iter().map(|value| (value - rough) * (value - rough))) - n * rest * rest;
        (Arm { n, mean: rough + rest, m2: m2.max(0.0) }, rough, rest)
    };
    let ((mut control, rough_c, rest_c), (mut treatment, rough_t, rest_t)) =
        (arm(&it.control.values), arm(&it.treatment.values));
    let means = (control.mean, treatment.mean);
    // Compared after the offset is taken off both.
    (control.mean, treatment.mean) = (rest_c, (rough_t - rough_c) + rest_t);
    let mut fields = welch_fields(&control, &treatment, it.alpha);
    (control.mean, treatment.mean) = means;
    let variance = |arm: &Arm| if arm.n < 2.0 { Value::Null } else { number(arm.variance()) };
    fields.extend([
        ("control_mean", number(control.mean)),
        ("control_variance", variance(&control)),
        ("treatment_mean", number(treatment.mean)),
        ("treatment_variance", variance(&treatment)),
    ]);
    Ok(object(&fields))
}

fn lift_ci(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Mean {
        mean: f64,
        var_of_mean: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Mean,
        treatment: Mean,
        critical_value: f64,
        interval: String,
    }
    let it: Input = read(input)?;
    let (c, t) = (&it.control, &it.treatment);
    check(c.var_of_mean >= 0.0 && t.var_of_mean >= 0.0, "a variance is never negative")?;
    let relative = t.mean / c.mean;
    let set = match it.interval.as_str() {
        "fieller" => lift::fieller(c.mean, c.var_of_mean, t.mean, t.var_of_mean, it.critical_value),
        "delta" | "log" => {
            check(c.mean != 0.0, "the control's mean is 0")?;
            let (rc, rt) = (c.var_of_mean / (c.mean * c.mean), t.var_of_mean / (t.mean * t.mean));
            if it.interval == "log" {
                check(relative > 0.0, "the log interval needs means of the same sign")?;
                let half = it.critical_value * (rc + rt).sqrt();
                Lift::Bounded { low: (relative.ln() - half).exp_m1(), high: (relative.ln() + half).exp_m1() }
            } else {
                let variance = t.var_of_mean / (c.mean * c.mean) + rc * relative * relative;
                let half = it.critical_value * variance.sqrt();
                Lift::Bounded { low: relative - 1.0 - half, high: relative - 1.0 + half }
            }
        }
        other => return Err(DoorError(format!("interval '{other}' is none of delta, fieller and log"))),
    };
    let mut fields = vec![("lift", number(relative - 1.0))];
    fields.extend(lift_fields(&set));
    Ok(object(&fields))
}
