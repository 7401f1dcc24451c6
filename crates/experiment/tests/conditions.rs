//! Usual conditions are answered without the engine of JSONLogic; what they answer is what the engine answers.

#![allow(clippy::unwrap_used, reason = "a rule that cannot be built has failed")]

use assay_experiment::evaluation::{Context, Reason, Ruleset};
use assay_experiment::{ConfigVersion, Source, parse};
use serde_json::{Value as Json, json};

/// Values of every type, and where conversions differ.
const VALUES: [&str; 21] = [
    "\"pro\"",
    "\"free\"",
    "\"\"",
    "\"18\"",
    "\"true\"",
    "17",
    "18",
    "18.0",
    "18.5",
    "-1",
    "0",
    "9007199254740993",
    "1e300",
    "true",
    "false",
    "null",
    "[]",
    "[\"pro\"]",
    "[18]",
    "{}",
    "{\"a\":1}",
];

fn rules() -> Vec<Json> {
    let plan = json!({"var": "plan"});
    let constants =
        [json!("pro"), json!("18"), json!("true"), json!(18), json!(18.5), json!(0), json!(true), json!(false)];
    let mut rules = Vec::new();
    for constant in constants {
        for name in ["==", "===", "!=", "!==", "<", "<=", ">", ">="] {
            rules.push(json!({ name: [plan, constant] }));
        }
    }
    rules.push(json!({"in": [plan, ["pro", "free"]]}));
    rules.push(json!({"in": [{"var": ["plan"]}, ["18"]]}));
    let simple = rules.clone();
    for (at, rule) in simple.iter().enumerate() {
        rules.push(json!({ "!": rule }));
        rules.push(json!({"!": [rule]}));
        let other = &simple[(at * 7 + 3) % simple.len()];
        rules.push(json!({"and": [rule, other]}));
        rules.push(json!({"or": [rule, {"and": [other, {"==": [{"var": "country"}, "DE"]}]}]}));
    }
    rules
}

/// A flag that is on where a rule holds, and one that asks the engine the same: a bare attribute is no usual condition.
fn compile(rules: &[Json]) -> Ruleset {
    let flag = |id: String, rule: &Json| {
        format!(
            "{{ kind: flag, id: {id}, type: boolean, variants: {{ \"on\": true, \"off\": false }}, default: \"off\", \
             rules: [{{ if: {rule}, serve: \"on\" }}] }}"
        )
    };
    let both = rules.iter().enumerate().flat_map(|(at, rule)| {
        let asked = json!({"and": [rule, {"var": "yes"}]});
        [flag(format!("quick-{at}"), rule), flag(format!("asked-{at}"), &asked)]
    });
    let text = both.collect::<Vec<_>>().join("\n---\n");
    let definitions = parse(&[Source { name: "test", text: &text }]).unwrap_or_else(|problems| panic!("{problems:?}"));
    Ruleset::compile(&definitions, ConfigVersion(1), "production")
}

#[test]
fn usual_conditions_hold_where_the_engine_says_so() {
    let rules = rules();
    let ruleset = compile(&rules);
    let mut contexts: Vec<String> =
        VALUES.iter().map(|value| format!("{{\"country\":\"DE\",\"yes\":true,\"plan\":{value}}}")).collect();
    contexts.push("{\"yes\":true}".to_owned());
    let mut on = 0;
    for text in &contexts {
        let context = Context::parse(text.as_bytes()).unwrap();
        let holds = |key: String| ruleset.evaluate_key(&key, &context).unwrap().reason == Reason::TargetingMatch;
        for (at, rule) in rules.iter().enumerate() {
            let quick = holds(format!("quick-{at}"));
            assert_eq!(quick, holds(format!("asked-{at}")), "{rule} of {text}");
            on += usize::from(quick);
        }
    }
    let all = rules.len() * contexts.len();
    assert!((all / 10..all * 9 / 10).contains(&on), "{on} of {all} hold: the cases tell nothing");
}
