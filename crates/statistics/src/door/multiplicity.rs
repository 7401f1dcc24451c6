//! Many hypotheses at the door.

use super::{Answer, DoorError, Methods, check, number, numbers, object, optional, read};
use crate::alpha::Alpha;
use crate::multiplicity::{self, Online, Procedure, Stream};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("adjust", adjust),
    ("holm_by_group", holm_by_group),
    ("e_bh", e_bh),
    ("online_lord_plus_plus", lord_plus_plus),
    ("online_saffron", saffron),
    ("online_addis", addis),
    ("online_lond", lond),
    ("online_e_lond", e_lond),
];

fn probabilities(values: &[f64]) -> Result<(), DoorError> {
    check(values.iter().all(|value| (0.0..=1.0).contains(value)), "a p-value lies between 0 and 1")
}

fn decisions(rejected: impl Iterator<Item = bool>) -> Value {
    rejected.map(|rejected| json!(rejected)).collect()
}

fn adjust(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        p_values: Vec<f64>,
        alpha: f64,
    }
    const PROCEDURES: [(&str, Procedure); 6] = [
        ("bonferroni", Procedure::Bonferroni),
        ("sidak", Procedure::Sidak),
        ("holm", Procedure::Holm),
        ("hochberg", Procedure::Hochberg),
        ("bh", Procedure::BenjaminiHochberg),
        ("by", Procedure::BenjaminiYekutieli),
    ];
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    probabilities(&it.p_values)?;
    let fields = PROCEDURES.map(|(name, procedure)| {
        let adjusted = multiplicity::adjust(&it.p_values, procedure, alpha);
        let rejected = decisions(adjusted.rejected.into_iter());
        (name, object(&[("adjusted", numbers(adjusted.p_values.into_iter())), ("rejected", rejected)]))
    });
    Ok(object(&fields))
}

fn holm_by_group(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        p_values: Vec<Vec<f64>>,
    }
    let it: Input = read(input)?;
    it.p_values.iter().try_for_each(|group| probabilities(group))?;
    let adjusted = it.p_values.iter().map(|group| numbers(multiplicity::holm(group).into_iter())).collect();
    Ok(object(&[("adjusted", adjusted)]))
}

/// An E-value, which may have overflowed.
#[derive(Deserialize)]
#[serde(untagged)]
enum EValue {
    Finite(f64),
    Named(Infinite),
}

#[derive(Deserialize)]
enum Infinite {
    #[serde(rename = "inf")]
    Infinity,
}

fn e_values(values: &[EValue]) -> Result<Vec<f64>, DoorError> {
    let values: Vec<f64> = values
        .iter()
        .map(|value| match value {
            EValue::Finite(value) => *value,
            EValue::Named(Infinite::Infinity) => f64::INFINITY,
        })
        .collect();
    check(values.iter().all(|&value| value >= 0.0), "an E-value is never negative")?;
    Ok(values)
}

fn e_bh(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        e_values: Vec<EValue>,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let decided = multiplicity::e_bh(&e_values(&it.e_values)?, Alpha::new(it.alpha)?);
    Ok(object(&[
        ("count", json!(decided.rejected.iter().filter(|&&rejected| rejected).count())),
        ("rejected", decisions(decided.rejected.into_iter())),
        ("threshold", optional(decided.threshold)),
    ]))
}

#[derive(Deserialize)]
struct OnlineInput {
    values: Vec<EValue>,
    alpha: f64,
    w0: Option<f64>,
    lambda: Option<f64>,
    tau: Option<f64>,
}

fn online(input: &Value, method: fn(&OnlineInput, f64) -> Online) -> Answer {
    let it: OnlineInput = read(input)?;
    let alpha = Alpha::new(it.alpha)?;
    let online = method(&it, it.w0.unwrap_or(0.5 * it.alpha));
    let values = e_values(&it.values)?;
    if online != Online::ELond {
        probabilities(&values)?;
    }
    let mut stream = Stream::new(online, alpha).map_err(|problem| DoorError(problem.to_string()))?;
    let steps: Vec<_> = values.into_iter().map(|value| stream.observe(value)).collect();
    Ok(object(&[
        ("levels", numbers(steps.iter().map(|step| step.level))),
        ("rejected", decisions(steps.iter().map(|step| step.rejected))),
        ("next_level", number(stream.level())),
    ]))
}

fn lond(input: &Value) -> Answer {
    online(input, |_, _| Online::Lond)
}

fn e_lond(input: &Value) -> Answer {
    online(input, |_, _| Online::ELond)
}

fn lord_plus_plus(input: &Value) -> Answer {
    online(input, |_, w0| Online::LordPlusPlus { w0 })
}

fn saffron(input: &Value) -> Answer {
    online(input, |it, w0| Online::Saffron { w0, lambda: it.lambda.unwrap_or(0.5) })
}

fn addis(input: &Value) -> Answer {
    online(input, |it, w0| Online::Addis { w0, lambda: it.lambda.unwrap_or(0.25), tau: it.tau.unwrap_or(0.5) })
}
