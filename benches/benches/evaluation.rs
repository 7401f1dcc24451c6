//! Evaluating in process: what an edge adds to the cost of a request.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark that tells what it measured")]

use assay_benches::cpu_seconds;
use assay_experiment::evaluation::{Context, Reason, Ruleset};
use assay_experiment::{ConfigVersion, Source, ofrep, parse};
use std::hint::black_box;

/// Of which the median is taken.
const ROUNDS: usize = 51;

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
    let per = |what: &str, run: &mut dyn FnMut() -> bool| {
        let nanoseconds = median(if measures { 20_000 } else { 100 }, run);
        println!("{what:<46} {nanoseconds:>8.0} ns of the processor");
        nanoseconds
    };
    let ask = |key: &str| per(key, &mut || black_box(ruleset.evaluate_key(black_box(key), &context)).is_ok());
    ask("static");
    ask("rollout");
    let split = ask("split");
    let targeted = ask("targeted");
    per("a context of 100 bytes, parsed", &mut || Context::parse(black_box(CONTEXT)).is_ok());
    per("context, split and body", &mut || {
        let context = Context::parse(black_box(CONTEXT)).unwrap();
        !ofrep::body(&ruleset, "split", &ruleset.evaluate_key("split", &context)).to_string().is_empty()
    });
    if measures {
        assert!(split < 1_000.0 && targeted < 1_000.0, "a split takes less than a microsecond");
    }
}

/// Processor time of one run, the median of rounds: wall time says little on a machine that others use too.
fn median(runs: u32, run: &mut dyn FnMut() -> bool) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = cpu_seconds();
            for _ in 0..runs {
                assert!(run());
            }
            (cpu_seconds() - before) * 1e9 / f64::from(runs)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
