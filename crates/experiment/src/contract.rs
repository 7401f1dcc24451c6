//! The schemas under `schemas/json` and the readers say the same: what one refuses the other refuses, and the examples pass both.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use crate::yaml::documents;
use crate::{Source, canonical, json, parse};
use jsonschema::{Validator, validator_for};
use serde_json::Value;

/// The examples of the documentation of definitions, as they stand there.
const DEFINITIONS: &str = r##"
kind: experiment
id: checkout-v3                  # <= 64 of [a-z0-9._-], never reused
title: One-page checkout
hypothesis: Fewer steps, more purchases.
owner: growth
status: running                  # draft | running | paused | stopped
unit: user
assignment: xp1                  # xp1: the hash decides, every exposure is audited | external: another randomiser decides, only stickiness is checked
salt: 5f2c9b1e                   # minted on first publish when absent
layer: checkout                  # optional; with slots: [[0, 500000]] or traffic: 50%
variants:                        # exactly one control
  - { name: control, control: true, weight: 1 }
  - { name: treatment, weight: 1 }
targeting: { "==": [{ "var": "country" }, "DE"] }    # JSONLogic, optional
crossing: exclude                # exclude | first | assigned
metrics:
  - { metric: purchase-rate, role: primary, minimum_effect: 1% }
  - { metric: revenue, role: secondary }
  - { metric: page-errors, role: guardrail, margin: 2%, action: pause }
segments:                        # attributes of the first exposure
  - { attribute: country, values: [DE, FR, US] }    # others are "other"
  - device                       # short for values: auto, frozen by a revision once there are enough units
analysis:
  method: always_valid           # always_valid | fixed_horizon | group_sequential | bayesian
  alpha: 0.05
  planned_units: 42000           # N*, units of a pair of arms
---
kind: metric
id: revenue
type: sum                        # conversion | count | sum | ratio | retention | quantile
event: purchase
window: 14d                      # from the first exposure; absent = until the experiment ends
cap: 500                         # winsorise each unit's total
covariate: { attribute: history }          # CUPED; or { event: purchase, before: 14d }
direction: increase
maturity: matured                # open: all exposed units, so far | matured: only units whose window has passed (default where a window is given, but open for conversions)
---
kind: metric
id: d7
type: retention
event: session
from: 7d
to: 8d
---
kind: metric
id: click-through
type: ratio
numerator: { event: click }
denominator: { event: impression }
---
kind: flag                       # a flag without statistics, same engine
id: new-search
type: boolean
enabled: true
variants: { "on": true, "off": false }
default: "off"
rules:
  - { name: staff, if: { "ends_with": [{ "var": "email" }, "@example.com"] }, serve: "on" }
  - { name: ramp, rollout: { "on": 10%, "off": 90% } }
---
kind: layer
id: checkout
unit: user
---
kind: holdout
id: global-2026
unit: user
share: 1%
"##;

/// What the examples refer to and do not define.
const BESIDE: &str = "{ kind: metric, id: purchase-rate, type: conversion, event: purchase }
---
{ kind: metric, id: page-errors, type: count, event: error, where: { severity: 2, fatal: true } }";

const EVENTS: [&str; 2] = [
    r#"{"event_id":"6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10","event_type":"exposure","event_time":"2026-05-01T09:30:00.25Z","experiment_id":"checkout-v3","variant":"treatment","unit_id":"u-17","attributes":{"country":"DE","device":"mobile"}}"#,
    r#"{"event_id":"0f0d6f83-6f5e-4e02-8b1c-8d3f6c1f9a77","event_type":"conversion","event_time":"2026-05-01T09:41:12Z","event_name":"purchase","event_value":19.99,"unit_id":"u-17"}"#,
];

fn schema(text: &str) -> Validator {
    let schema: Value = serde_json::from_str(text).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    validator_for(&schema).unwrap()
}

fn of_definitions() -> Validator {
    schema(include_str!("../../../schemas/json/definitions.schema.json"))
}

fn of_events() -> Validator {
    schema(include_str!("../../../schemas/json/event.schema.json"))
}

/// The first document of a text by the schema and the whole by the parser: both must say `legal`.
fn check(validator: &Validator, text: &str, legal: bool) {
    let document = documents("test", text).unwrap()[0].to_json();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert_eq!(errors.is_empty(), legal, "the schema on {text}: {errors:?}");
    let parsed = parse(&[Source { name: "test", text }]);
    assert_eq!(parsed.is_ok(), legal, "the parser on {text}: {parsed:?}");
}

fn check_event(validator: &Validator, text: &str, legal: bool) {
    let errors: Vec<String> =
        validator.iter_errors(&serde_json::from_str(text).unwrap()).map(|error| error.to_string()).collect();
    assert_eq!(errors.is_empty(), legal, "the schema on {text}: {errors:?}");
    let decoded = json::decode(text.as_bytes());
    assert_eq!(decoded.is_ok(), legal, "the decoder on {text}: {decoded:?}");
}

#[test]
fn the_examples_of_the_documentation_pass() {
    let (definitions, events) = (of_definitions(), of_events());
    let nodes = documents("example", DEFINITIONS).unwrap();
    assert_eq!(nodes.len(), 7);
    for node in nodes.iter().chain(&documents("beside", BESIDE).unwrap()) {
        let errors: Vec<String> = definitions.iter_errors(&node.to_json()).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", node.to_json());
    }
    let all = parse(&[Source { name: "example", text: DEFINITIONS }, Source { name: "beside", text: BESIDE }]).unwrap();
    assert_eq!((all.experiments.len(), all.metrics.len(), all.flags.len()), (1, 5, 1));
    let parts = canonical::parts(&all);
    assert_eq!(canonical::definitions(parts.iter().map(String::as_str)), Ok(all));
    for part in &parts {
        assert!(definitions.is_valid(&serde_json::from_str(part).unwrap()), "{part}");
    }
    for event in EVENTS {
        check_event(&events, event, true);
    }
}

#[test]
fn the_definitions_of_the_demonstrations_pass() {
    let validator = of_definitions();
    for (name, text) in [
        ("hillstrom.yaml", include_str!("../../cli/data/hillstrom.yaml")),
        ("cookie-cats.yaml", include_str!("../../cli/data/cookie-cats.yaml")),
    ] {
        // The demonstration puts lengths on its own time scale there.
        let text = &[1, 2, 7, 8]
            .iter()
            .fold(text.to_owned(), |text, day| text.replace(&format!("DAYS_{day}"), &format!("{}s", day * 86_400)));
        for node in documents(name, text).unwrap() {
            let errors: Vec<String> = validator.iter_errors(&node.to_json()).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
        parse(&[Source { name, text }]).unwrap();
    }
}

/// An experiment with these keys; `VARIANTS` stands for two usual ones.
fn experiment(keys: &str) -> String {
    let variants = "variants: [{ name: a, control: true }, { name: b }]";
    format!(
        "{{ kind: experiment, id: e, {} }}\n---\n{{ kind: layer, id: l }}\n---\n{{ kind: metric, id: m, type: sum, event: buy }}",
        keys.replace("VARIANTS", variants)
    )
}

fn metric(keys: &str) -> String {
    format!("{{ kind: metric, id: m, {keys} }}")
}

#[test]
fn experiments_pass_or_fail_both() {
    let validator = of_definitions();
    let (longest, long) = ("x".repeat(64), "x".repeat(65));
    let list =
        |one: &str, count: usize| (0..count).map(|at| one.replace('#', &at.to_string())).collect::<Vec<_>>().join(", ");
    for (legal, keys) in [
        (true, "VARIANTS".to_owned()),
        (true, "VARIANTS, title: 2026, owner: 'x', hypothesis: true, description: more".to_owned()),
        (true, "VARIANTS, unit: account, unit_name: customer".to_owned()),
        (false, "VARIANTS, unit_name: ''".to_owned()),
        (true, "variants: [{ name: a, title: No mail, control: true }, { name: b }]".to_owned()),
        (false, "variants: [{ name: a, title: [b], control: true }, { name: b }]".to_owned()),
        (true, format!("VARIANTS, salt: {longest}")),
        (false, format!("VARIANTS, salt: {long}")),
        (false, "VARIANTS, salt: ''".to_owned()),
        (false, "VARIANTS, salt: [a]".to_owned()),
        (false, "VARIANTS, salt: ~".to_owned()),
        (false, "VARIANTS, titel: x".to_owned()),
        (false, "VARIANTS, status: started".to_owned()),
        (false, "VARIANTS, assignment: hash".to_owned()),
        (false, "VARIANTS, crossing: last".to_owned()),
        (true, "VARIANTS, crossing: assigned".to_owned()),
        (false, "VARIANTS, crossing: assigned, assignment: external".to_owned()),
        (true, "VARIANTS, crossing: first, assignment: external".to_owned()),
        (false, format!("VARIANTS, unit: {}", "u".repeat(33))),
        // Layers.
        (true, "VARIANTS, layer: l".to_owned()),
        (true, "VARIANTS, layer: l, traffic: 50%".to_owned()),
        (true, "VARIANTS, layer: l, traffic: 0.25".to_owned()),
        (true, "VARIANTS, layer: l, traffic: '12.5 %'".to_owned()),
        (true, "VARIANTS, layer: l, slots: [[0, 500000], [900000, 1000000]]".to_owned()),
        (true, "VARIANTS, layer: l, slots: []".to_owned()),
        (false, "VARIANTS, slots: [[0, 1]]".to_owned()),
        (false, "VARIANTS, traffic: 1%".to_owned()),
        (false, "VARIANTS, layer: l, traffic: 1%, slots: [[0, 1]]".to_owned()),
        (false, "VARIANTS, layer: l, traffic: 0".to_owned()),
        (false, "VARIANTS, layer: l, traffic: 1.5".to_owned()),
        (false, "VARIANTS, layer: l, traffic: half".to_owned()),
        (false, "VARIANTS, layer: l, traffic: '0.5'".to_owned()),
        (false, "VARIANTS, layer: l, slots: [[0, 1000001]]".to_owned()),
        (false, "VARIANTS, layer: l, slots: [[0]]".to_owned()),
        (false, "VARIANTS, layer: l, slots: [[0, 1, 2]]".to_owned()),
        (false, "VARIANTS, layer: l, slots: [['0', '1']]".to_owned()),
        (false, "VARIANTS, layer: l, slots: { from: 0, to: 1 }".to_owned()),
        // Variants.
        (true, format!("variants: [{{ name: a, control: True }}, {}]", list("{ name: v#, weight: 0 }", 31))),
        (false, format!("variants: [{{ name: a, control: true }}, {}]", list("{ name: v# }", 32))),
        (false, "variants: [{ name: a, control: true }]".to_owned()),
        (false, "variants: [{ name: a }, { name: b }]".to_owned()),
        (false, "variants: [{ name: a, control: true }, { name: b, control: true }]".to_owned()),
        (false, "variants: [{ name: a, control: 'true' }, { name: b }]".to_owned()),
        (false, "variants: [{ name: a, control: true, weight: 0 }, { name: b, weight: 0 }]".to_owned()),
        (true, "variants: [{ name: a, control: true, weight: .5 }, { name: b, weight: +50% }]".to_owned()),
        (false, "variants: [{ name: a, control: true, weight: '1' }, { name: b }]".to_owned()),
        (false, "variants: [{ name: a, control: true, weight: -1 }, { name: b }]".to_owned()),
        (false, "variants: [{ name: a, control: true, weight: 1000000001 }, { name: b }]".to_owned()),
        (false, "variants: [{ control: true }, { name: b }]".to_owned()),
        (false, format!("variants: [{{ name: {}, control: true }}, {{ name: b }}]", "n".repeat(33))),
        (false, "variants: [{ name: a, control: true, share: 1 }, { name: b }]".to_owned()),
        (false, "status: draft".to_owned()),
        // Metrics.
        (true, "VARIANTS, metrics: [{ metric: m, role: primary, minimum_effect: 1% }]".to_owned()),
        (true, "VARIANTS, metrics: [{ metric: m, role: guardrail, margin: 0.02, action: stop }]".to_owned()),
        (true, "VARIANTS, metrics: [{ id: n, type: conversion, event: buy, role: primary }]".to_owned()),
        (true, format!("VARIANTS, metrics: [{}]", list("{ id: n#, type: count, event: buy }", 64))),
        (false, format!("VARIANTS, metrics: [{}]", list("{ id: n#, type: count, event: buy }", 65))),
        (false, "VARIANTS, metrics: [{ metric: m, margin: 2% }]".to_owned()),
        (false, "VARIANTS, metrics: [{ metric: m, role: primary, action: stop }]".to_owned()),
        (false, "VARIANTS, metrics: [{ metric: m, role: guardrail, margin: 0 }]".to_owned()),
        (false, "VARIANTS, metrics: [{ metric: m, role: best }]".to_owned()),
        (false, "VARIANTS, metrics: [{ metrc: m }]".to_owned()),
        (false, "VARIANTS, metrics: [{ metric: m, type: sum, event: buy }]".to_owned()),
        (false, "VARIANTS, metrics: [{ id: n, event: buy }]".to_owned()),
        (false, "VARIANTS, metrics: [{ id: n, kind: metric, type: sum, event: buy }]".to_owned()),
        (false, "VARIANTS, metrics: [m]".to_owned()),
        // Segments.
        (true, "VARIANTS, segments: [country, { attribute: device, values: [a, 1, true] }, { attribute: x, values: auto }]".to_owned()),
        (true, format!("VARIANTS, segments: [{}]", list("s#", 8))),
        (false, format!("VARIANTS, segments: [{}]", list("s#", 9))),
        (true, format!("VARIANTS, segments: [{{ attribute: a, values: [{}] }}]", list("v#", 64))),
        (false, format!("VARIANTS, segments: [{{ attribute: a, values: [{}] }}]", list("v#", 65))),
        (false, "VARIANTS, segments: [{ attribute: a, values: [x, x] }]".to_owned()),
        (false, "VARIANTS, segments: [{ attribute: a, values: [other] }]".to_owned()),
        (false, "VARIANTS, segments: [{ attribute: a, values: some }]".to_owned()),
        (false, "VARIANTS, segments: [{ values: [x] }]".to_owned()),
        (false, format!("VARIANTS, segments: [{long}]")),
        (false, format!("VARIANTS, segments: [{{ attribute: a, values: [{}] }}]", "v".repeat(257))),
        // Analysis.
        (true, "VARIANTS, analysis: { method: bayesian, alpha: 0.5, planned_units: 1e6 }".to_owned()),
        (false, "VARIANTS, analysis: { method: frequentist }".to_owned()),
        (false, "VARIANTS, analysis: { alpha: 0 }".to_owned()),
        (false, "VARIANTS, analysis: { alpha: 0.51 }".to_owned()),
        (false, "VARIANTS, analysis: { alpha: 5% }".to_owned()),
        (false, "VARIANTS, analysis: { planned_units: 0 }".to_owned()),
        (false, "VARIANTS, analysis: { planned_units: 1.5 }".to_owned()),
        (false, "VARIANTS, analysis: { planned_units: '5' }".to_owned()),
        (false, "VARIANTS, analysis: { planned_units: 1000000000001 }".to_owned()),
        // Targeting.
        (true, r#"VARIANTS, targeting: { "and": [true, { "in": [{ "var": "a" }, [1, 2]] }] }"#.to_owned()),
        (true, r#"VARIANTS, targeting: { "matches": [{ "var": "a" }, "^x+$"] }"#.to_owned()),
        (false, r#"VARIANTS, targeting: { "equals": [1, 2] }"#.to_owned()),
        // Who is served.
        (true, "VARIANTS, environments: [staging, 5], overrides: { a: [u1, 17], b: [true] }".to_owned()),
        (true, "VARIANTS, overrides: {}".to_owned()),
        (false, "VARIANTS, environments: []".to_owned()),
        (false, "VARIANTS, environments: staging".to_owned()),
        (false, "VARIANTS, environments: [a, a]".to_owned()),
        (false, "VARIANTS, environments: [~]".to_owned()),
        (false, format!("VARIANTS, environments: [{long}]")),
        (true, format!("VARIANTS, environments: [{}]", list("e#", 32))),
        (false, format!("VARIANTS, environments: [{}]", list("e#", 33))),
        (false, "VARIANTS, overrides: { a: [] }".to_owned()),
        (false, "VARIANTS, overrides: { a: u1 }".to_owned()),
        (false, "VARIANTS, overrides: { a: [''] }".to_owned()),
        (false, "VARIANTS, overrides: { a: [u1, u1] }".to_owned()),
        (false, "VARIANTS, overrides: [u1]".to_owned()),
        (true, format!("VARIANTS, overrides: {{ a: [{}] }}", list("u#", 1_000))),
        (false, format!("VARIANTS, overrides: {{ a: [{}] }}", list("u#", 1_001))),
        (false, format!("VARIANTS, overrides: {{ a: [{}] }}", "u".repeat(129))),
        (false, r#"VARIANTS, targeting: { "==": [1, 2], "!=": [1, 2] }"#.to_owned()),
    ] {
        check(&validator, &experiment(&keys), legal);
    }
}

#[test]
fn metrics_pass_or_fail_both() {
    let validator = of_definitions();
    for (legal, keys) in [
        (true, "type: conversion, event: buy"),
        (
            true,
            "type: conversion, event: buy, window: 7d, maturity: matured, direction: decrease, name: n, description: d",
        ),
        (false, "type: conversion"),
        (false, "event: buy"),
        (false, "type: mean, event: buy"),
        (false, "type: conversion, event: buy, cap: 1"),
        (false, "type: conversion, event: buy, where: x"),
        (false, "type: conversion, event: buy, where: { a: [1] }"),
        (true, "type: count, event: buy, where: { country: DE, level: 3, paid: true }, cap: 5, floor: -5"),
        (false, "type: count, event: buy, from: 1d, to: 2d"),
        (true, "type: sum, event: buy, unit: EUR"),
        (true, "type: quantile, event: load, quantile: 0.95, unit: seconds"),
        (false, "type: sum, event: buy, unit: euro"),
        (false, "type: sum, event: buy, unit: 5"),
        (false, "type: conversion, event: buy, unit: EUR"),
        (false, "type: count, event: buy, unit: seconds"),
        (true, "type: sum, event: buy, cap: 19.99, covariate: { attribute: history }"),
        (true, "type: sum, event: buy, covariate: { event: buy, before: 14d, where: { a: b } }"),
        (false, "type: sum, event: buy, covariate: { event: buy }"),
        (false, "type: sum, event: buy, covariate: { attribute: a, before: 14d }"),
        (false, "type: sum, event: buy, covariate: { attribute: a, event: b, before: 14d }"),
        (false, "type: sum, event: buy, cap: '5'"),
        (false, "type: sum, event: buy, cap: 1000000001"),
        (false, "type: sum, event: buy, maturity: matured"),
        (false, "type: sum, event: buy, maturity: ripe"),
        (false, "type: sum, event: buy, direction: up"),
        (false, "type: sum, event: buy, window: 0"),
        (false, "type: sum, event: buy, window: 14"),
        (false, "type: sum, event: buy, window: +1d"),
        (false, "type: sum, event: buy, window: 14 days"),
        (true, "type: sum, event: buy, window: 5215w"),
        (
            true,
            "type: ratio, numerator: { event: click }, denominator: { event: view, value: sum, where: { a: b } }, window: 1h",
        ),
        (true, "type: ratio, numerator: { event: click }, denominator: { event: view }, cap: 5, floor: 0"),
        (false, "type: ratio, numerator: { event: click }"),
        (false, "type: ratio, event: buy, numerator: { event: click }, denominator: { event: view }"),
        (false, "type: ratio, numerator: { event: click }, denominator: { event: view, value: mean }"),
        (false, "type: ratio, numerator: { event: click }, denominator: { event: view }, covariate: { attribute: a }"),
        (true, "type: retention, event: session, from: 0, to: 36h"),
        (true, "type: retention, event: session, from: 1d, to: 2d, maturity: open"),
        (true, "type: retention, event: session, from: 1d, to: 2d, maturity: matured"),
        (false, "type: retention, event: session, from: 1d"),
        (false, "type: retention, event: session, from: 1d, to: 2d, window: 3d"),
        (true, "type: quantile, event: load, quantile: 0.95"),
        (true, "type: quantile, event: load, quantile: 95%, cap: 10, window: 1d"),
        (false, "type: quantile, event: load"),
        (false, "type: quantile, event: load, quantile: 1"),
        (false, "type: quantile, event: load, quantile: 0"),
        (false, "type: sum, event: buy, quantile: 0.5"),
        (false, "type: sum, event: buy, colour: red"),
    ] {
        check(&validator, &metric(keys), legal);
    }
}

#[test]
fn everything_else_passes_or_fails_both() {
    let validator = of_definitions();
    let avro = r#"{"type":"record","name":"Conversion","fields":[{"name":"event_value","type":["null","long"]}]}"#;
    let quoted = Value::from(avro).to_string();
    for (legal, text) in [
        (false, "[1]".to_owned()),
        (false, "{ id: e }".to_owned()),
        (false, "{ kind: cohort, id: e }".to_owned()),
        (true, "{ kind: layer, id: a.b_c-9, unit: device, salt: s, title: t, owner: o, description: d }".to_owned()),
        (false, "{ kind: layer, id: Checkout }".to_owned()),
        (false, "{ kind: layer, id: '' }".to_owned()),
        (false, "{ kind: layer }".to_owned()),
        (false, "{ kind: layer, id: l, slots: [] }".to_owned()),
        (true, "{ kind: holdout, id: h, share: 1% }".to_owned()),
        (true, "{ kind: holdout, id: h, share: 0.015, unit: device }".to_owned()),
        (false, "{ kind: holdout, id: h }".to_owned()),
        (false, "{ kind: holdout, id: h, share: 0 }".to_owned()),
        (false, "{ kind: holdout, id: h, share: 1 }".to_owned()),
        (true, "{ kind: flag, id: f, type: string, variants: { a: x }, default: a }".to_owned()),
        (true, "{ kind: flag, id: f, type: object, variants: { a: { deep: [1, ~] } }, default: a, enabled: FALSE }".to_owned()),
        (false, "{ kind: flag, id: f, type: boolean, variants: { a: x }, default: a }".to_owned()),
        (false, "{ kind: flag, id: f, type: number, variants: { a: '1' }, default: a }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: 1 }, default: a }".to_owned()),
        (false, "{ kind: flag, id: f, type: text, variants: { a: x }, default: a }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: {}, default: a }".to_owned()),
        (true, "{ kind: flag, id: f, type: string, variants: { a: x } }".to_owned()),
        (true, "{ kind: flag, id: f, type: string, variants: { a: x }, environments: [e], overrides: { a: [u] } }".to_owned()),
        (true, r#"{ kind: flag, id: f, type: string, variants: { a: x }, targeting: { "if": [{ var: b }, a] } }"#.to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, targeting: a, rules: [] }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, targeting: { of: [] } }".to_owned()),
        (true, "{ kind: flag, id: f, type: string, variants: { a: x }, metadata: { team: growth, tier: 1, old: true } }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, metadata: { a: [1] } }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, metadata: { a: ~ } }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, metadata: { '': 1 } }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, metadata: [1] }".to_owned()),
        (true, "{ kind: flag, id: f, type: string, variants: { a: x }, prerequisites: [] }".to_owned()),
        (
            true,
            "{ kind: flag, id: f, type: string, variants: { a: x }, prerequisites: [{ flag: g, variant: b }] }\n---\n\
             { kind: flag, id: g, type: string, variants: { b: x } }"
                .to_owned(),
        ),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, prerequisites: [{ flag: g }] }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, prerequisites: [g] }".to_owned()),
        (
            true,
            "{ kind: flag, id: f, type: string, variants: { a: x, b: y }, rules: [{ experiment: e }] }\n---\n\
             { kind: experiment, id: e, variants: [{ name: a, control: true }, { name: b }] }"
                .to_owned(),
        ),
        (
            false,
            "{ kind: flag, id: f, type: string, variants: { a: x }, rules: [{ serve: a, experiment: e }] }".to_owned(),
        ),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, default: a, enabled: 'true' }".to_owned()),
        (false, "{ kind: flag, id: f, type: string, variants: { a: x }, default: a, rules: [{ name: r }] }".to_owned()),
        (
            false,
            "{ kind: flag, id: f, type: string, variants: { a: x }, default: a, rules: [{ serve: a, rollout: { a: 1 } }] }"
                .to_owned(),
        ),
        (
            false,
            "{ kind: flag, id: f, type: string, variants: { a: x }, default: a, rules: [{ rollout: { a: 150% } }, { rollout: { a: 1.5 } }] }"
                .to_owned(),
        ),
        (true, format!("{{ kind: schema, id: 700, avro: {avro}, description: d }}")),
        (true, format!("{{ kind: schema, id: 700, guid: 6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10, avro: {quoted} }}")),
        (false, format!("{{ kind: schema, id: 0, avro: {avro} }}")),
        (false, format!("{{ kind: schema, id: 2147483648, avro: {avro} }}")),
        (false, format!("{{ kind: schema, avro: {avro} }}")),
        (false, format!("{{ kind: schema, id: 5, guid: xyz, avro: {avro} }}")),
        (false, "{ kind: schema, id: 5 }".to_owned()),
        (false, "{ kind: schema, id: 5, avro: [1] }".to_owned()),
        (true, "{ kind: settings, from: 2026-06-01T00:00:00Z, look: 2s, chunk: 10s, semantics: 2, description: d }".to_owned()),
        (true, "{ kind: settings, from: '2026-06-01T17:00:00Z', chunk: 1m }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00Z }".to_owned()),
        (false, "{ kind: settings, look: 2s }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:30:00Z, look: 2s }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00+02:00, look: 2s }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01, look: 2s }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00Z, look: 0s }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00Z, look: 2 }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00Z, semantics: 0 }".to_owned()),
        (false, "{ kind: settings, from: 2026-06-01T00:00:00Z, look: 2s, id: s }".to_owned()),
        (true, "{ kind: retired, id: e, salts: [a, b] }".to_owned()),
        (false, "{ kind: retired, id: e, salts: [] }".to_owned()),
        (false, "{ kind: retired, salts: [a] }".to_owned()),
        (true, "{ kind: filters, where: [{ a: b }, { a: c, d: e }] }".to_owned()),
        (false, "{ kind: filters }".to_owned()),
    ] {
        check(&validator, &text, legal);
    }
}

#[test]
fn events_pass_or_fail_both() {
    let validator = of_events();
    let usual = [
        ("event_id", r#""6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10""#),
        ("event_type", r#""conversion""#),
        ("event_time", r#""2026-05-01T09:30:00Z""#),
        ("event_name", r#""buy""#),
        ("unit_id", r#""u1""#),
    ];
    let many: String = (0..33).map(|at| format!("\"a{at}\":1,")).collect();
    let (many, fewer) = (many.trim_end_matches(','), many.split_once(',').unwrap().1.trim_end_matches(','));
    for (legal, changes) in [
        (true, String::new()),
        (true, r#""unknown":[1,{"a":2}]"#.to_owned()),
        (true, r#""event_id":"6A3C3F5E4F6E4A399C1B0F6C7A3F1D10""#.to_owned()),
        (false, r#""event_id":"6a3c3f5e""#.to_owned()),
        (false, r#""event_id":null"#.to_owned()),
        (false, r#""event_type":"click""#.to_owned()),
        (true, r#""event_time":null,"created_at":"2026-05-01t09:30:00.123456+02:00""#.to_owned()),
        (false, r#""event_time":null"#.to_owned()),
        (false, r#""event_time":"2026-05-01T09:30:00""#.to_owned()),
        (false, r#""event_time":"2026-05-01T09:30:00.1234567Z""#.to_owned()),
        (false, r#""event_time":1777627800"#.to_owned()),
        (true, r#""unit_id":null,"user_id":"u1""#.to_owned()),
        (true, r#""user_id":"u1""#.to_owned()),
        (true, r#""unit_id":null,"user_id":"u1","unit_type":"user""#.to_owned()),
        (false, r#""unit_id":null,"user_id":"u1","unit_type":"device""#.to_owned()),
        (false, r#""unit_id":null"#.to_owned()),
        (false, r#""unit_id":"""#.to_owned()),
        (false, format!(r#""unit_id":"{}""#, "u".repeat(129))),
        (false, r#""unit_id":5"#.to_owned()),
        (true, format!(r#""unit_type":"{}""#, "u".repeat(32))),
        (false, format!(r#""unit_type":"{}""#, "u".repeat(33))),
        (false, r#""event_type":"exposure""#.to_owned()),
        (false, r#""event_type":"exposure","experiment_id":"e""#.to_owned()),
        (true, r#""event_type":"exposure","experiment_id":"e","variant":"v","event_name":null"#.to_owned()),
        (false, format!(r#""event_type":"exposure","experiment_id":"e","variant":"{}""#, "v".repeat(33))),
        (false, format!(r#""event_type":"exposure","experiment_id":"{}","variant":"v""#, "e".repeat(65))),
        (true, r#""experiment_id":"e""#.to_owned()),
        (false, r#""event_name":null"#.to_owned()),
        (false, format!(r#""event_name":"{}""#, "n".repeat(65))),
        (true, r#""event_value":-1000000000"#.to_owned()),
        (false, r#""event_value":1000000001"#.to_owned()),
        (false, r#""event_value":"7""#.to_owned()),
        (true, r#""attributes":{"a":"x","b":1.5,"c":true}"#.to_owned()),
        (true, r#""metadata":{"a":"x"},"attributes":null"#.to_owned()),
        (true, format!(r#""attributes":{{{fewer}}}"#)),
        (false, format!(r#""attributes":{{{many}}}"#)),
        (false, r#""attributes":{"a":[1]}"#.to_owned()),
        (false, r#""attributes":{"a":null}"#.to_owned()),
        (false, r#""attributes":{"":1}"#.to_owned()),
        (false, format!(r#""attributes":{{"{}":1}}"#, "a".repeat(65))),
        (false, format!(r#""attributes":{{"a":"{}"}}"#, "x".repeat(257))),
        (true, r#""config_version":7,"sdk":"web/1","copy":2"#.to_owned()),
        (false, r#""config_version":-1"#.to_owned()),
        (false, r#""config_version":1.5"#.to_owned()),
        (false, r#""copy":-1"#.to_owned()),
        (false, r#""copy":4294967296"#.to_owned()),
        (false, format!(r#""sdk":"{}""#, "s".repeat(65))),
        (true, r#""event_type":"retraction","kind":"bot","event_name":null"#.to_owned()),
        (true, r#""event_type":"retraction","kind":"erase","event_name":null"#.to_owned()),
        (false, r#""event_type":"retraction""#.to_owned()),
        (false, r#""event_type":"retraction","kind":"undo""#.to_owned()),
        (false, r#""event_type":"retraction","kind":"correct""#.to_owned()),
        (
            true,
            r#""event_type":"retraction","kind":"correct","target_event_id":"0f0d6f83-6f5e-4e02-8b1c-8d3f6c1f9a77","target_event_time":"2026-05-01T09:00:00Z""#
                .to_owned(),
        ),
        (
            false,
            r#""event_type":"retraction","kind":"correct","target_event_id":"0f0d6f83","target_event_time":"2026-05-01T09:00:00Z""#
                .to_owned(),
        ),
    ] {
        let kept = usual.iter().filter(|(name, _)| !changes.contains(&format!("\"{name}\":")));
        let mut fields: Vec<String> = kept.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        fields.extend((!changes.is_empty()).then_some(changes));
        check_event(&validator, &format!("{{{}}}", fields.join(",")), legal);
    }
}
