//! Moments at the door.

use super::{Answer, DoorError, Methods, check, number, object, optional, read};
use crate::moments::{Arm, Cross, Floating};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: Methods = &[
    ("moments_merge", moments_merge),
    ("cross_moments_merge", cross_moments_merge),
    ("summary_merge", summary_merge),
    ("unit_updates", unit_updates),
];

fn moments_merge(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Input {
        chunks: Vec<Vec<f64>>,
    }
    let it: Input = read(input)?;
    let mut all = Floating::default();
    it.chunks.into_iter().for_each(|chunk| all.merge(&Floating::of(chunk)));
    Ok(object(&[
        ("n", json!(all.n())),
        ("sum", number(all.sum())),
        ("min", optional(all.range().map(|range| range.0))),
        ("max", optional(all.range().map(|range| range.1))),
        ("mean", optional(all.mean())),
        ("m2", number(all.m2())),
        ("m3", optional(all.m3())),
        ("m4", optional(all.m4())),
        ("variance", optional(all.variance())),
        ("variance_population", optional(all.variance_of_population())),
        ("skewness", optional(all.skewness())),
        ("excess_kurtosis", optional(all.excess_kurtosis())),
    ]))
}

fn cross_moments_merge(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Chunk {
        x: Vec<f64>,
        y: Vec<f64>,
    }
    #[derive(Deserialize)]
    struct Input {
        chunks: Vec<Chunk>,
    }
    let it: Input = read(input)?;
    check(it.chunks.iter().all(|chunk| chunk.x.len() == chunk.y.len()), "each x has its y")?;
    let all = it
        .chunks
        .into_iter()
        .fold(Cross::default(), |all, chunk| all.merge(&Cross::of(chunk.x.into_iter().zip(chunk.y))));
    let mean = |mean: f64| optional((all.n > 0.0).then_some(mean));
    Ok(object(&[
        ("n", json!(all.n as u64)),
        ("mean_x", mean(all.mean_x)),
        ("mean_y", mean(all.mean_y)),
        ("cxx", number(all.xx)),
        ("cyy", number(all.yy)),
        ("cxy", number(all.xy)),
        ("correlation", optional(all.correlation())),
    ]))
}

fn summary_merge(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Part {
        n: u64,
        #[serde(default)]
        mean: Option<f64>,
        m2: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        parts: Vec<Part>,
    }
    let it: Input = read(input)?;
    check(it.parts.iter().all(|part| part.m2 >= 0.0), "m2 is never negative")?;
    check(it.parts.iter().all(|part| part.n == 0 || part.mean.is_some()), "a part with units has a mean")?;
    let arm = |part: &Part| Arm { n: part.n as f64, mean: part.mean.unwrap_or(0.0), m2: part.m2 };
    let all = it.parts.iter().fold(Arm::EMPTY, |all, part| all.merge(&arm(part)));
    Ok(object(&[
        ("n", json!(it.parts.iter().map(|part| part.n).fold(0, u64::saturating_add))),
        ("mean", optional((all.n > 0.0).then_some(all.mean))),
        ("m2", number(all.m2)),
        ("variance", optional((all.n >= 2.0).then(|| all.variance()))),
    ]))
}

fn unit_updates(input: &Value) -> Answer {
    #[derive(Deserialize)]
    struct Update {
        unit: usize,
        add: f64,
    }
    #[derive(Deserialize)]
    struct Input {
        initial: Vec<f64>,
        updates: Vec<Update>,
    }
    let it: Input = read(input)?;
    let mut values = it.initial;
    let mut moments = Floating::of(values.iter().copied());
    for update in &it.updates {
        let known = values.len();
        let missing = || DoorError(format!("unit {} is none of the {known} units, counted from 0", update.unit));
        let value = values.get_mut(update.unit).ok_or_else(missing)?;
        let grown = *value + update.add;
        check(grown.is_finite(), "a unit's value becomes too large")?;
        moments.replace(*value, grown);
        *value = grown;
    }
    Ok(object(&[
        ("n", json!(moments.n())),
        ("mean", optional(moments.mean())),
        ("m2", number(moments.m2())),
        ("variance", optional(moments.variance())),
    ]))
}
