//! Variance reduction by a covariate at the door.

use super::{Answer, DoorError, Methods, check, number, object, read};
use crate::alpha::Alpha;
use crate::cuped::{self, CovariateArm, Slope};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[("cuped", cuped)];

#[derive(Deserialize)]
struct Sums {
    n: f64,
    sum_y: f64,
    sum_x: f64,
    sum_yy: f64,
    sum_xx: f64,
    sum_xy: f64,
}

impl Sums {
    fn arm(&self) -> Result<CovariateArm, DoorError> {
        check(
            self.n >= 0.0 && self.sum_yy >= 0.0 && self.sum_xx >= 0.0,
            "n, sum_yy and sum_xx are never negative: give the number of units and sums over them",
        )?;
        Ok(CovariateArm::from_sums(self.n, self.sum_y, self.sum_x, self.sum_yy, self.sum_xx, self.sum_xy))
    }
}

/// The units themselves, for the variance that sums cannot give.
#[derive(Deserialize)]
struct Units {
    x: Vec<f64>,
    y: Vec<f64>,
}

#[derive(Deserialize)]
struct Raw {
    control: Units,
    treatment: Units,
}

impl Units {
    fn pairs(&self) -> Result<Vec<(f64, f64)>, DoorError> {
        check(self.x.len() == self.y.len(), "raw x and y have one value each per unit")?;
        Ok(self.x.iter().copied().zip(self.y.iter().copied()).collect())
    }
}

fn cuped(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        control: Sums,
        treatment: Sums,
        alpha: f64,
        raw: Option<Raw>,
    }
    let it: Input = read(input)?;
    let alpha = Alpha::new(it.alpha).map_err(|problem| DoorError(problem.to_string()))?;
    let arms = [it.control.arm()?, it.treatment.arm()?];
    let raw = cuped::raw_variance(&arms[0], &arms[1]);
    let filled = arms.iter().all(|arm| arm.n > 0.0);
    let hc2 = match &it.raw {
        None => None,
        Some(raw) => cuped::lin_variance_hc2(&raw.control.pairs()?, &raw.treatment.pairs()?),
    };
    let by = |slope| {
        let adjusted = cuped::adjust(&arms, slope);
        let pair = cuped::compare(&adjusted[0], &adjusted[1], raw);
        let test = pair.and_then(|pair| pair.fixed_horizon(alpha));
        let of_pair = |value: Option<f64>| value.map_or(Value::Null, number);
        let mut fields = vec![
            ("diff", of_pair(filled.then(|| adjusted[1].mean - adjusted[0].mean))),
            ("var_diff", of_pair(pair.map(|pair| pair.variance))),
            ("var_diff_floored", of_pair(pair.map(|pair| pair.variance_floored))),
            ("z", of_pair(test.map(|test| test.z))),
            ("p_value", number(test.map_or(1.0, |test| test.p_value))),
            ("ln_p_value", number(test.map_or(0.0, |test| test.ln_p_value))),
            ("ci_low", of_pair(test.map(|test| test.low))),
            ("ci_high", of_pair(test.map(|test| test.high))),
            ("variance_reduction", of_pair(pair.and_then(|pair| pair.variance_reduction))),
            ("degenerate", json!(test.is_none())),
        ];
        match slope {
            Slope::Lin => fields
                .extend([("theta_control", number(adjusted[0].theta)), ("theta_treatment", number(adjusted[1].theta))]),
            Slope::Within | Slope::Total => fields.push(("theta", number(adjusted[0].theta))),
        }
        object(&fields)
    };
    Ok(object(&[
        ("diff_raw", if filled { number(arms[1].mean_y - arms[0].mean_y) } else { Value::Null }),
        ("var_raw", raw.map_or(Value::Null, number)),
        ("total_slope", by(Slope::Total)),
        ("within_slope", by(Slope::Within)),
        ("lin", by(Slope::Lin)),
        ("lin_hc2_se", hc2.map_or(Value::Null, |variance| number(variance.sqrt()))),
    ]))
}
