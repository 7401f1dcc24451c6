//! Guardrails at the door.

use super::{Answer, DoorError, Methods, Moments, alpha_and_plan, number, object, read};
use crate::guardrail::{Better, Evidence, Guardrail, Margin};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[("guardrail", guardrail)];

fn guardrail(input: &Value) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Absolute,
        Relative,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Way {
        More,
        Less,
    }
    #[derive(Deserialize)]
    struct Input {
        control: Moments,
        treatment: Moments,
        margin: f64,
        margin_kind: Kind,
        better: Way,
        alpha: f64,
        n_star: f64,
        share: Option<f64>,
    }
    let it: Input = read(input)?;
    let alpha = alpha_and_plan(it.alpha, it.n_star)?;
    let margin = match it.margin_kind {
        Kind::Absolute => Margin::Absolute(it.margin),
        Kind::Relative => Margin::Relative(it.margin),
    };
    let better = match it.better {
        Way::More => Better::More,
        Way::Less => Better::Less,
    };
    let guardrail =
        Guardrail::new(margin, better, alpha, it.n_star).map_err(|problem| DoorError(problem.to_string()))?;
    let look = guardrail.look(&it.control.arm()?, &it.treatment.arm()?, it.share);
    let evidence = |it: Evidence| object(&[("ln_e", number(it.ln_e)), ("p_value", number(it.p_value))]);
    Ok(object(&[
        ("status", json!(look.status.name())),
        ("safe", evidence(look.safe)),
        ("harm", evidence(look.harm)),
        ("harm_beyond_margin", evidence(look.harm_beyond_margin)),
        ("bound", number(look.bound)),
    ]))
}
