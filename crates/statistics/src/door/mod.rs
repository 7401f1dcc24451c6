//! Methods by name, JSON in, JSON out: what `assay stats` answers, and the way the reference cases take.

mod always_valid;
mod bayesian;
mod cuped;
mod dependent;
mod exact;
mod fixed_horizon;
mod group_sequential;
mod guardrail;
mod heterogeneity;
mod lift;
mod moments;
mod multiplicity;
mod power;
mod special_metrics;
mod srm;

use crate::alpha::{Alpha, NotAlpha};
use crate::lift::{Lift, Mean};
use crate::moments::Arm;
use crate::sides::Sides;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// An input that cannot be evaluated, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DoorError(String);

type Answer = Result<Value, DoorError>;
type Method = fn(&Value) -> Answer;

/// Methods of a topic by name.
type Methods = &'static [(&'static str, Method)];

/// One list per topic, in the order of the documentation.
const TOPICS: &[Methods] = &[
    fixed_horizon::METHODS,
    lift::METHODS,
    power::METHODS,
    always_valid::METHODS,
    exact::METHODS,
    guardrail::METHODS,
    group_sequential::METHODS,
    bayesian::METHODS,
    srm::METHODS,
    multiplicity::METHODS,
    moments::METHODS,
    cuped::METHODS,
    special_metrics::METHODS,
    heterogeneity::METHODS,
    dependent::METHODS,
];

/// Names of the methods that exist.
pub fn methods() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().flat_map(|topic| topic.iter()).map(|(name, _)| *name)
}

/// Evaluates one input: an object with `method` and what that method needs.
pub fn evaluate(input: &Value) -> Answer {
    let name = input.get("method").and_then(Value::as_str);
    let name = name.ok_or_else(|| DoorError("an input is an object with a text 'method'".to_owned()))?;
    match TOPICS.iter().flat_map(|topic| topic.iter()).find(|(known, _)| *known == name) {
        Some((_, method)) => method(input),
        None => {
            let known: Vec<&str> = methods().collect();
            Err(DoorError(format!("there is no method '{name}'; there are {}", known.join(", "))))
        }
    }
}

fn read<'a, T: Deserialize<'a>>(input: &'a Value) -> Result<T, DoorError> {
    T::deserialize(input)
        .map_err(|problem| DoorError(format!("{}: {problem}", input["method"].as_str().unwrap_or_default())))
}

fn check(holds: bool, message: &str) -> Result<(), DoorError> {
    if holds { Ok(()) } else { Err(DoorError(message.to_owned())) }
}

/// JSON has no infinities: they become texts, what does not exist becomes null.
fn number(value: f64) -> Value {
    if value.is_nan() {
        Value::Null
    } else if value.is_infinite() {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(value)
    }
}

fn object(fields: &[(&str, Value)]) -> Value {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
}

fn numbers(values: impl Iterator<Item = f64>) -> Value {
    values.map(number).collect()
}

fn alpha(value: f64) -> Result<Alpha, DoorError> {
    Alpha::new(value).map_err(|problem| DoorError(problem.to_string()))
}

fn sides(count: u32) -> Result<Sides, DoorError> {
    match count {
        1 => Ok(Sides::One),
        2 => Ok(Sides::Two),
        _ => Err(DoorError("sides is 1 or 2".to_owned())),
    }
}

/// What an input without `sides` means.
fn two() -> u32 {
    2
}

#[derive(Deserialize)]
struct Moments {
    n: f64,
    mean: f64,
    m2: Option<f64>,
    variance: Option<f64>,
}

impl Moments {
    fn arm(&self) -> Result<Arm, DoorError> {
        let m2 = self.m2.or(self.variance.map(|variance| variance * (self.n - 1.0).max(0.0)));
        let m2 = m2.ok_or_else(|| DoorError("an arm needs 'm2' or 'variance'".to_owned()))?;
        check(self.n >= 0.0 && m2 >= 0.0, "n and m2 (or variance) are never negative")?;
        check(m2.is_finite(), "the sum of squared deviations is too large: use larger units of value")?;
        Ok(Arm { n: self.n, mean: self.mean, m2 })
    }
}

#[derive(Deserialize)]
struct Counts {
    n: f64,
    conversions: f64,
}

impl Counts {
    fn checked(&self) -> Result<&Self, DoorError> {
        check(self.n >= 0.0 && (0.0..=self.n).contains(&self.conversions), "conversions lie between 0 and n")?;
        Ok(self)
    }

    /// The rate with its plain variance p(1-p)/n; without units, neither.
    fn rate(&self) -> Mean {
        if self.n <= 0.0 {
            return Mean { mean: 0.0, variance: 0.0 };
        }
        let (share, rest) = (self.conversions / self.n, (self.n - self.conversions) / self.n);
        Mean { mean: share, variance: share * rest / self.n }
    }
}

impl From<NotAlpha> for DoorError {
    fn from(problem: NotAlpha) -> DoorError {
        DoorError(problem.to_string())
    }
}

fn alpha_and_plan(alpha: f64, n_star: f64) -> Result<Alpha, DoorError> {
    check(n_star > 0.0, "n_star is above 0")?;
    Ok(Alpha::new(alpha)?)
}

/// What may not exist.
fn optional(value: Option<f64>) -> Value {
    value.map_or(Value::Null, number)
}

fn lift_fields(lift: &Lift) -> [(&'static str, Value); 3] {
    let (low, high) = match *lift {
        Lift::Bounded { low, high } | Lift::Exclusive { low, high } => (low, high),
        Lift::Unbounded => (f64::NEG_INFINITY, f64::INFINITY),
    };
    [("kind", json!(lift.shape())), ("ci_low", number(low)), ("ci_high", number(high))]
}
