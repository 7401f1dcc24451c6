//! Group sequential methods at the door.

use super::{Answer, DoorError, Methods, alpha, number, numbers, object, read, sides, two};
use crate::group_sequential::stagewise::{Stagewise, Stopped, stagewise as at_stop};
use crate::group_sequential::{self, Design, DesignError, Look, Shape, Spending, Z_CAP};
use crate::sides::Sides;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("spending_bounds", spending_bounds),
    ("spending_bounds_final_exhausts", spending_bounds_final_exhausts),
    ("classical_bounds", classical_bounds),
    ("crossing_probability", crossing_probability),
    ("stagewise", stagewise),
    ("stagewise_one_sided", stagewise_one_sided),
    ("repeated_p_value", repeated_p_value),
];

impl From<DesignError> for DoorError {
    fn from(problem: DesignError) -> DoorError {
        DoorError(problem.to_string())
    }
}

fn cap() -> f64 {
    Z_CAP
}

#[derive(Deserialize)]
struct Plan {
    information: Vec<f64>,
    alpha: f64,
    #[serde(default = "two")]
    sides: u32,
    spending: String,
    rho: Option<f64>,
    gamma: Option<f64>,
    #[serde(default = "cap")]
    z_cap: f64,
}

impl Plan {
    fn design(&self) -> Result<Design, DoorError> {
        let spending = match self.spending.as_str() {
            "obf" => Spending::ObrienFleming,
            "pocock" => Spending::Pocock,
            "power" => Spending::Power { rho: self.rho.unwrap_or(2.0) },
            "hsd" => {
                let gamma = self.gamma.ok_or_else(|| DoorError("hsd spending needs 'gamma', as in -4".to_owned()))?;
                Spending::HwangShihDeCani { gamma }
            }
            other => return Err(DoorError(format!("spending '{other}' is none of obf, pocock, power and hsd"))),
        };
        Ok(Design { alpha: alpha(self.alpha)?, sides: sides(self.sides)?, spending, z_cap: self.z_cap })
    }
}

fn looks(looks: &[Look]) -> Value {
    object(&[
        ("z", numbers(looks.iter().map(|look| look.z))),
        ("nominal_p", numbers(looks.iter().map(|look| look.nominal_p))),
        ("alpha_spent", numbers(looks.iter().map(|look| look.alpha_spent))),
    ])
}

fn spending_bounds(input: &Value) -> Answer {
    let plan: Plan = read(input)?;
    Ok(looks(&plan.design()?.bounds(&plan.information)?))
}

fn spending_bounds_final_exhausts(input: &Value) -> Answer {
    let plan: Plan = read(input)?;
    Ok(looks(&plan.design()?.bounds_final_exhausts(&plan.information)?))
}

fn repeated_p_value(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Observed {
        z: f64,
        #[serde(default)]
        last: bool,
    }
    let (plan, observed): (Plan, Observed) = (read(input)?, read(input)?);
    let design = plan.design()?;
    let p = group_sequential::repeated::repeated_p(&design, &plan.information, observed.z, observed.last)?;
    Ok(object(&[("p_value", number(p))]))
}

fn classical_bounds(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        shape: String,
        looks: usize,
        alpha: f64,
        #[serde(default = "two")]
        sides: u32,
        interim_z: Option<f64>,
        delta: Option<f64>,
    }
    let it: Input = read(input)?;
    let shape = match it.shape.as_str() {
        "obrien_fleming" => Shape::ObrienFleming,
        "pocock" => Shape::Pocock,
        "haybittle_peto" => Shape::HaybittlePeto { interim_z: it.interim_z.unwrap_or(3.0) },
        "wang_tsiatis" => {
            let delta = it.delta.ok_or_else(|| DoorError("wang_tsiatis needs 'delta', as in 0.25".to_owned()))?;
            Shape::WangTsiatis { delta }
        }
        other => {
            let known = "obrien_fleming, pocock, haybittle_peto and wang_tsiatis";
            return Err(DoorError(format!("shape '{other}' is none of {known}")));
        }
    };
    let got = group_sequential::classical_bounds(shape, it.looks, alpha(it.alpha)?, sides(it.sides)?)?;
    Ok(object(&[
        ("z", numbers(got.z.into_iter())),
        ("constant", number(got.constant)),
        ("nominal_p", numbers(got.nominal_p.into_iter())),
    ]))
}

fn crossing_probability(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        information: Vec<f64>,
        z: Vec<f64>,
        #[serde(default)]
        drift: f64,
        #[serde(default = "two")]
        sides: u32,
    }
    let it: Input = read(input)?;
    let got = group_sequential::crossing_probability(&it.information, &it.z, sides(it.sides)?, it.drift)?;
    Ok(object(&[
        ("upper", numbers(got.upper.into_iter())),
        ("lower", numbers(got.lower.into_iter())),
        ("reject", number(got.reject)),
        ("expected_information", number(got.expected_information)),
    ]))
}

#[derive(Deserialize)]
struct Stop {
    information: Vec<f64>,
    bounds: Vec<f64>,
    stage: usize,
    z: f64,
    alpha: f64,
}

impl Stop {
    fn evaluate(&self, sides: Sides) -> Result<Stagewise, DoorError> {
        let stopped =
            Stopped { information: &self.information, bounds: &self.bounds, sides, stage: self.stage, z: self.z };
        Ok(at_stop(&stopped, alpha(self.alpha)?)?)
    }
}

fn stop_fields(got: &Stagewise) -> Vec<(&'static str, Value)> {
    vec![
        ("p_upper", number(got.p_upper)),
        ("drift_ci_low", number(got.drift_low)),
        ("drift_ci_high", number(got.drift_high)),
        ("drift_median_unbiased", number(got.drift_median)),
        ("repeated_ci_low", number(got.repeated_low)),
        ("repeated_ci_high", number(got.repeated_high)),
    ]
}

fn stagewise(input: &Value) -> Answer {
    let got = read::<Stop>(input)?.evaluate(Sides::Two)?;
    let mut fields = stop_fields(&got);
    fields.push(("p_two_sided", json!(got.p_value)));
    Ok(object(&fields))
}

fn stagewise_one_sided(input: &Value) -> Answer {
    Ok(object(&stop_fields(&read::<Stop>(input)?.evaluate(Sides::One)?)))
}
