//! Sample ratio mismatch at the door.

use super::{Answer, DoorError, Methods, check, number, numbers, object, read};
use crate::srm;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[("chi_square", chi_square), ("sequential_multinomial", sequential_multinomial)];

fn split(counts: &[f64], weights: &[f64]) -> Result<(), DoorError> {
    check(counts.len() == weights.len() && counts.len() >= 2, "counts and weights have the same length, at least 2")?;
    check(counts.iter().chain(weights).all(|&value| value >= 0.0), "counts and weights are never negative")?;
    check(
        weights.iter().sum::<f64>().is_finite(),
        "the weights are too large to be summed: divide them all by one number",
    )?;
    check(weights.iter().sum::<f64>() > 0.0, "some weight is above 0")
}

fn chi_square(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        counts: Vec<f64>,
        weights: Vec<f64>,
    }
    let it: Input = read(input)?;
    split(&it.counts, &it.weights)?;
    let test = srm::chi_square(&it.counts, &it.weights);
    Ok(object(&[
        ("statistic", number(test.statistic)),
        ("df", json!(test.df as u64)),
        ("p_value", number(test.p_value)),
        ("ln_p_value", number(test.ln_p_value)),
    ]))
}

fn sequential_multinomial(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        batches: Vec<Vec<f64>>,
        weights: Vec<f64>,
        concentration: f64,
    }
    let it: Input = read(input)?;
    check(it.concentration > 0.0 && it.concentration.is_finite(), "concentration is above 0")?;
    let mut counts = vec![0.0; it.weights.len()];
    let (mut ln_e, mut p, mut least, mut running) = (Vec::new(), Vec::new(), 1.0f64, Vec::new());
    for batch in &it.batches {
        split(batch, &it.weights)?;
        counts.iter_mut().zip(batch).for_each(|(count, more)| *count += more);
        let now = srm::sequential_ln_e(&counts, &it.weights, it.concentration);
        least = least.min(srm::p_value(now));
        ln_e.push(now);
        p.push(srm::p_value(now));
        running.push(least);
    }
    Ok(object(&[
        ("ln_e", numbers(ln_e.into_iter())),
        ("p_value", numbers(p.into_iter())),
        ("p_running", numbers(running.into_iter())),
    ]))
}
