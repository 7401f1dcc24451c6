//! Lift intervals at the door.

use super::{Answer, DoorError, Methods, check, lift_fields, object, optional, read};
use crate::lift::{self, Mean};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[("lift_ci", lift_ci)];

fn lift_ci(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Estimate {
        mean: f64,
        var_of_mean: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Estimate,
        treatment: Estimate,
        critical_value: f64,
        interval: String,
    }
    let it: Input = read(input)?;
    let mean = |it: &Estimate| Mean { mean: it.mean, variance: it.var_of_mean };
    let (c, t) = (mean(&it.control), mean(&it.treatment));
    check(c.variance >= 0.0 && t.variance >= 0.0, "a variance is never negative")?;
    check(it.critical_value >= 0.0, "critical_value is never negative")?;
    let set = match it.interval.as_str() {
        "fieller" => Some(lift::fieller(c.mean, c.variance, t.mean, t.variance, it.critical_value)),
        "delta" => lift::delta_interval(&c, &t, it.critical_value),
        "log" => lift::log_interval(&c, &t, it.critical_value),
        other => return Err(DoorError(format!("interval '{other}' is none of delta, fieller and log"))),
    };
    let mut fields = vec![("lift", optional(lift::estimate(c.mean, t.mean)))];
    match set {
        Some(set) => fields.extend(lift_fields(&set)),
        // The delta method needs a control other than 0, the logarithm two means of the same sign.
        None => fields.extend([("kind", json!("none")), ("ci_low", Value::Null), ("ci_high", Value::Null)]),
    }
    Ok(object(&fields))
}
