//! Evaluating in process: what an edge adds to the cost of a request.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that cannot be built has failed")]

use assay_experiment::evaluation::{Context, Reason, Ruleset};
use assay_experiment::{ConfigVersion, Source, ofrep, parse};
use criterion::Criterion;
use std::hint::black_box;
use std::time::Duration;

/// A static flag, a flag with a rollout, and an experiment with a holdout, a layer and three conditions.
const DEFINITIONS: &str = r#"
{ kind: flag, id: static, type: boolean, variants: { "on": true, "off": false }, default: "off" }
---
{ kind: flag, id: rollout, type: boolean, variants: { "on": true, "off": false }, default: "off", rules: [{ rollout: { "on": 30%, "off": 70% } }] }
---
{ kind: holdout, id: h, share: 0.0001% }
---
{ kind: layer, id: l }
---
kind: experiment
id: split
status: running
salt: 5f2c9b1e
layer: l
slots: [[0, 1000000]]
variants: [{ name: control, control: true }, { name: treatment }]
---
kind: experiment
id: targeted
status: running
salt: 6a3c3f5e
layer: m
slots: [[0, 1000000]]
variants: [{ name: control, control: true }, { name: treatment }]
targeting: { "and": [{ "in": [{ var: country }, [DE, FR, US]] }, { "==": [{ var: plan }, pro] }, { ">=": [{ var: age }, 18] }] }
---
{ kind: layer, id: m }
"#;

const CONTEXT: &[u8] =
    br#"{"targetingKey":"user-000042","country":"DE","plan":"pro","age":42,"device":"mobile","version":"3.1.4"}"#;

fn main() {
    let measures = std::env::args().any(|argument| argument == "--bench");
    let definitions = parse(&[Source { name: "bench", text: DEFINITIONS }]).unwrap();
    let ruleset = Ruleset::compile(&definitions, ConfigVersion(1), "production");
    let context = Context::parse(CONTEXT).unwrap();
    for (key, reason) in
        [("static", Reason::Static), ("rollout", Reason::Split), ("split", Reason::Split), ("targeted", Reason::Split)]
    {
        assert_eq!(ruleset.evaluate_key(key, &context).map(|answer| answer.reason), Ok(reason), "{key}");
    }
    let (samples, time) = if measures { (50, 3) } else { (10, 1) };
    let mut criterion = Criterion::default()
        .sample_size(samples)
        .measurement_time(Duration::from_secs(time))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    for (key, what) in [
        ("static", "a static flag"),
        ("rollout", "a rollout"),
        ("split", "a split: holdout, layer, variant"),
        ("targeted", "three conditions and a split"),
    ] {
        criterion.bench_function(&format!("evaluation/{what}"), |bencher| {
            bencher.iter(|| black_box(ruleset.evaluate_key(black_box(key), &context)).is_ok());
        });
    }
    criterion.bench_function("evaluation/a context of 100 bytes, parsed", |bencher| {
        bencher.iter(|| Context::parse(black_box(CONTEXT)).is_ok());
    });
    criterion.bench_function("evaluation/context, split and body", |bencher| {
        bencher.iter(|| {
            let context = Context::parse(black_box(CONTEXT)).unwrap();
            ofrep::body(&ruleset, "split", &ruleset.evaluate_key("split", &context)).to_string()
        });
    });
    criterion.final_summary();
}
