//! Exact always-valid methods for conversions at the door.

use super::{Answer, DoorError, Methods, check, number, numbers, object, optional, read};
use crate::alpha::Alpha;
use crate::always_valid::label_test::LabelTest;
use crate::always_valid::p_value;
use crate::always_valid::safe_two_proportions::{BETA, SafeTwoProportions};
use serde::Deserialize;
use serde_json::Value;

pub(super) const METHODS: Methods =
    &[("conversion_label_test", conversion_label_test), ("safe_two_proportions", safe_two_proportions)];

fn conversion_label_test(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        conversions_control: u64,
        conversions_treatment: u64,
        treatment_share: f64,
        concentration: Option<f64>,
        alpha: f64,
    }
    let it: Input = read(input)?;
    let concentration = it.concentration.unwrap_or(LabelTest::CONCENTRATION);
    let test = LabelTest::new(it.treatment_share, concentration).map_err(|problem| DoorError(problem.to_string()))?;
    let look = test.look(it.conversions_control, it.conversions_treatment, Alpha::new(it.alpha)?);
    Ok(object(&[
        ("ln_e", number(look.ln_e)),
        ("p_value", number(look.p_value)),
        ("theta_hat", optional(look.theta)),
        ("theta_low", number(look.theta_low)),
        ("theta_high", number(look.theta_high)),
        ("lift", optional(look.lift)),
        ("lift_low", number(look.lift_low)),
        ("lift_high", number(look.lift_high)),
    ]))
}

fn safe_two_proportions(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        blocks_control: Vec<u8>,
        blocks_treatment: Vec<u8>,
        beta_prior: Option<f64>,
    }
    let it: Input = read(input)?;
    check(it.blocks_control.len() == it.blocks_treatment.len(), "each block has one unit of both arms")?;
    check(it.blocks_control.iter().chain(&it.blocks_treatment).all(|&unit| unit <= 1), "a unit is 0 or 1")?;
    let prior = it.beta_prior.unwrap_or(BETA);
    check(prior > 0.0, "beta_prior is above 0")?;
    let mut test = SafeTwoProportions::new(prior);
    let mut path = Vec::with_capacity(it.blocks_control.len());
    for (&control, &treatment) in it.blocks_control.iter().zip(&it.blocks_treatment) {
        test.observe(control == 1, treatment == 1);
        path.push(test.ln_e());
    }
    let mut least = 1.0f64;
    let running = path.iter().map(|&ln_e| {
        least = least.min(p_value(ln_e));
        least
    });
    Ok(object(&[("p_running", numbers(running)), ("ln_e_path", numbers(path.iter().copied()))]))
}
