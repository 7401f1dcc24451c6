//! Bayesian methods at the door.

use super::{Answer, Counts, DoorError, Methods, check, number, numbers, object, read};
use crate::bayesian::{
    self, BetaPrior, Binomial, EffectArm, EffectScale, NormalPosterior, PosteriorError, Prior, chances_to_be_best,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("beta_binomial", beta_binomial),
    ("beta_binomial_best", beta_binomial_best),
    ("normal_effect", normal_effect),
    ("normal_conjugate", normal_conjugate),
];

impl From<PosteriorError> for DoorError {
    fn from(problem: PosteriorError) -> DoorError {
        DoorError(problem.to_string())
    }
}

fn one() -> f64 {
    1.0
}

fn usual_level() -> f64 {
    0.95
}

fn binomial(counts: &Counts) -> Binomial {
    Binomial { n: counts.n, conversions: counts.conversions }
}

fn pair((low, high): (f64, f64)) -> Value {
    numbers([low, high].into_iter())
}

fn beta_binomial(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Counts,
        treatment: Counts,
        #[serde(default = "one")]
        prior_alpha: f64,
        #[serde(default = "one")]
        prior_beta: f64,
        #[serde(default = "usual_level")]
        level: f64,
    }
    let it: Input = read(input)?;
    let prior = BetaPrior { alpha: it.prior_alpha, beta: it.prior_beta };
    let got = bayesian::beta_binomial(&binomial(&it.control), &binomial(&it.treatment), prior, it.level)?;
    Ok(object(&[
        ("prob_treatment_beats", number(got.chance_to_win)),
        ("loss_choose_treatment", number(got.loss_choose_treatment)),
        ("loss_choose_control", number(got.loss_choose_control)),
        ("mean_control", number(got.mean_control)),
        ("mean_treatment", number(got.mean_treatment)),
        ("ci_control", pair(got.interval_control)),
        ("ci_treatment", pair(got.interval_treatment)),
        ("diff_ci", pair(got.interval_difference)),
    ]))
}

fn beta_binomial_best(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        arms: Vec<Counts>,
        #[serde(default = "one")]
        prior_alpha: f64,
        #[serde(default = "one")]
        prior_beta: f64,
    }
    let it: Input = read(input)?;
    let arms: Vec<Binomial> = it.arms.iter().map(binomial).collect();
    let chances = chances_to_be_best(&arms, BetaPrior { alpha: it.prior_alpha, beta: it.prior_beta })?;
    Ok(object(&[("prob_best", numbers(chances.into_iter()))]))
}

fn posterior_fields(got: Option<&NormalPosterior>) -> Vec<(&'static str, Value)> {
    let field = |pick: fn(&NormalPosterior) -> f64| got.map_or(Value::Null, |got| number(pick(got)));
    vec![
        ("posterior_mean", field(|got| got.mean)),
        ("posterior_sd", field(|got| got.sd)),
        ("loss_choose_treatment", field(|got| got.loss_choose_treatment)),
        ("loss_choose_control", field(|got| got.loss_choose_control)),
        ("ci", got.map_or(Value::Null, |got| pair((got.low, got.high)))),
        ("degenerate", json!(got.is_none())),
    ]
}

fn normal_effect(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Sums {
        n: f64,
        sum: f64,
        sum_sq: Option<f64>,
    }
    #[derive(Deserialize)]
    struct GivenPrior {
        proper: bool,
        mean: f64,
        variance: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        metric: String,
        control: Sums,
        treatment: Sums,
        effect: String,
        prior: Option<GivenPrior>,
        #[serde(default = "usual_level")]
        level: f64,
    }
    let it: Input = read(input)?;
    let arm = |sums: &Sums| {
        check(sums.n >= 0.0, "n is never negative")?;
        match it.metric.as_str() {
            "proportion" => {
                check((0.0..=sums.n).contains(&sums.sum), "the sum of a proportion lies between 0 and n")?;
                Ok(EffectArm::of_proportion(sums.n, sums.sum))
            }
            "mean" => {
                let squares = sums.sum_sq.ok_or_else(|| DoorError("a mean needs 'sum_sq'".to_owned()))?;
                Ok(EffectArm::of_mean(sums.n, sums.sum, squares))
            }
            other => Err(DoorError(format!("metric '{other}' is neither proportion nor mean"))),
        }
    };
    let scale = match it.effect.as_str() {
        "absolute" => EffectScale::Absolute,
        "relative_delta" => EffectScale::Relative,
        other => return Err(DoorError(format!("effect '{other}' is neither absolute nor relative_delta"))),
    };
    let prior = match &it.prior {
        Some(prior) if !prior.proper => Prior::Flat,
        Some(prior) => Prior::Normal { mean: prior.mean, sd: libm::sqrt(prior.variance) },
        None if scale == EffectScale::Relative => Prior::LIFT,
        None => return Err(DoorError("an absolute effect needs 'prior': its unit is not known here".to_owned())),
    };
    let got = bayesian::effect(&arm(&it.control)?, &arm(&it.treatment)?, scale, prior, it.level)?;
    let mut fields = posterior_fields(got.as_ref());
    fields.push(("prob_treatment_beats", got.map_or(Value::Null, |got| number(got.chance_to_win))));
    Ok(object(&fields))
}

fn normal_conjugate(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        estimate: f64,
        se: f64,
        prior_mean: f64,
        prior_sd: f64,
        #[serde(default = "usual_level")]
        level: f64,
    }
    let it: Input = read(input)?;
    check(it.se >= 0.0, "a standard error is never negative")?;
    let prior = Prior::Normal { mean: it.prior_mean, sd: it.prior_sd };
    let got = bayesian::conjugate(it.estimate, it.se, prior, it.level)?;
    let mut fields = posterior_fields(got.as_ref());
    let field = |pick: fn(&NormalPosterior) -> f64| got.as_ref().map_or(Value::Null, |got| number(pick(got)));
    fields.push(("prob_positive", field(|got| got.chance_to_win)));
    fields.push(("ln_prob_negative", field(|got| got.ln_chance_to_lose)));
    Ok(object(&fields))
}
