//! What others read: the JSON, its schema, and the records of the results topic.

use crate::harness::{Topics, World, crowd};
use assay_analysis::View;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The example of the documented format, Hillstrom's experiment.
const EXAMPLE: &str = r#"{"look":"2008-03-31T23:59:59Z",
 "experiments":[{"experiment":"hillstrom","status":"running","config_version":1,
  "units":{"control":21306,"mens":21307,"womens":21387},"crossed_units":0,
  "srm":{"ln_e":-4.075,"p_value":1.0,"alarm":false},
  "metrics":[{"metric":"spend","type":"sum","role":"secondary","variants":[
    {"variant":"control","control":true,"units":21306,"sum":13908.33,"mean":0.652789,"variance":134.1},
    {"variant":"mens","units":21307,"sum":30311.69,"mean":1.422617,"variance":315.4,
     "difference":0.76982716,"lift":1.1792888,
     "always_valid":{"status":"ok","p_value":1.09e-5,"p_value_running":1.09e-5,"ln_e":11.42,"low":0.329,"high":1.2107,"lift_low":0.4106,"lift_high":2.6356},
     "fixed_horizon":{"p_value":1.2e-7,"low":0.485,"high":1.0545},
     "bayesian":{"chance_to_win":0.999,"expected_loss":0.0}}]}]}],
 "events":{"exposures":64000,"conversions":9972,"retractions":0,"duplicates":0,"unattributed":0,"rejected":{"malformed":1,"late":0}},
 "provenance":{"offsets":{"0":[0,18443]},"build":"…"}}"#;

const HILLSTROM: &str = "
kind: experiment
id: hillstrom
salt: s
status: running
assignment: external
variants: [{ name: control, control: true }, { name: mens }, { name: womens }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: spend, role: secondary }, { metric: visit, role: primary, minimum_effect: 5% }, { metric: median, role: secondary },
  { metric: per, role: secondary }, { metric: safe, role: guardrail, margin: 2%, action: pause }]
analysis: { planned_units: 200 }
---
{ kind: metric, id: spend, type: sum, event: buy, cap: 500 }
---
{ kind: metric, id: visit, type: conversion, event: buy, window: 1h }
---
{ kind: metric, id: median, type: quantile, event: buy, quantile: 0.5 }
---
{ kind: metric, id: per, type: ratio, numerator: { event: buy, value: sum }, denominator: { event: buy } }
---
{ kind: metric, id: safe, type: count, event: error, direction: decrease, window: 1h }
";

fn hillstrom() -> World {
    let mut world = World::new(2, HILLSTROM);
    world.play(&crowd("hillstrom", &[("control", 8, "20.5"), ("mens", 3, "31.25"), ("womens", 5, "29")], 130));
    world.play("131 tick");
    world
}

/// Every field of the example is there, with a value of the same type.
#[test]
fn the_documented_example_is_what_comes_out() {
    let example: Json = serde_json::from_str(EXAMPLE).unwrap();
    let mut missing = Vec::new();
    compare("", &example, &hillstrom().json(), &mut missing);
    assert_eq!(missing, Vec::<String>::new());
    // The comparison itself can fail.
    let mut other = hillstrom().json();
    other["experiments"][0]["metrics"][0]["variants"][1]["always_valid"].as_object_mut().unwrap().remove("lift_low");
    compare("", &example, &other, &mut missing);
    assert_eq!(missing, ["/experiments/0/metrics/0/variants/1/always_valid/lift_low is missing"]);
}

fn compare(path: &str, example: &Json, found: &Json, missing: &mut Vec<String>) {
    match (example, found) {
        (Json::Object(example), Json::Object(found)) => {
            for (name, value) in example {
                match found.get(name) {
                    Some(found) => compare(&format!("{path}/{name}"), value, found, missing),
                    None => missing.push(format!("{path}/{name} is missing")),
                }
            }
        }
        (Json::Array(example), Json::Array(found)) => {
            for (at, value) in example.iter().enumerate() {
                compare(&format!("{path}/{at}"), value, &found[at], missing);
            }
        }
        (Json::Number(_), Json::Number(_)) | (Json::String(_), Json::String(_)) | (Json::Bool(_), Json::Bool(_)) => {}
        _ => missing.push(format!("{path} is {found}")),
    }
}

#[test]
fn the_numbers_mean_what_the_format_says() {
    let json = hillstrom().json();
    let (experiment, mens) = (&json["experiments"][0], &json["experiments"][0]["metrics"][0]["variants"][1]);
    let number = |json: &Json| json.as_f64().unwrap();
    assert_eq!(experiment["units"], json!({"control": 130, "mens": 130, "womens": 130}));
    assert_eq!((number(&mens["sum"]), number(&mens["mean"])), (44.0 * 31.25, 44.0 * 31.25 / 130.0));
    let control = 17.0 * 20.5 / 130.0;
    assert!((number(&mens["difference"]) - (number(&mens["mean"]) - control)).abs() < 1e-12);
    assert!((number(&mens["lift"]) - (number(&mens["mean"]) / control - 1.0)).abs() < 1e-12);
    let p = 44.0 / 130.0;
    assert!((number(&mens["variance"]) - p * (1.0 - p) * 31.25f64.powi(2) * 130.0 / 129.0).abs() < 1e-9);
    assert!((number(&mens["standard_error"]).powi(2) * 130.0 - number(&mens["variance"])).abs() < 1e-9);
    let look = &mens["always_valid"];
    assert!((number(&look["p_value"]) - (-number(&look["ln_e"])).exp()).abs() < 1e-12);
    assert_eq!(json["events"]["exposures"], 390);
    let offsets: i64 = ["0", "1"].map(|it| json["provenance"]["offsets"][it][1].as_i64().unwrap()).iter().sum();
    assert_eq!(offsets, json["events"]["records"].as_i64().unwrap());
}

/// All shapes that come out: aligned and provisional, before and after the waiting period, blocked, phases, a part of a large one.
#[test]
fn what_comes_out_is_what_the_schema_says() {
    let schema: Json = serde_json::from_str(include_str!("../../../../schemas/json/results.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let problems = |json: &Json| -> Vec<String> {
        schema.iter_errors(json).take(5).map(|it| format!("{}: {it}", it.instance_path())).collect()
    };
    let check = |what: &str, json: &Json| assert_eq!(problems(json), Vec::<String>::new(), "{what}");
    let mut world = hillstrom();
    check("everything", &world.json());
    check("the start", &World::new(1, HILLSTROM).play("1 tick").json());
    let metric = "{ kind: metric, id: m, type: count, event: buy }";
    check("no experiment", &World::new(1, metric).play("1 tick").json());
    world.version(2, &HILLSTROM.replace("salt: s\n", "salt: t\n"));
    world.play("140 publish 2\n150 tick\n160 tick");
    // A split that is off blocks decisions.
    for n in 0..300 {
        world.play(&format!("{} expose hillstrom/mens more-{n}", 160 + n));
    }
    world.play("3h tick 0\n3h1s tick 0");
    let blocked = world.json();
    check("phases and a broken split", &blocked);
    assert_eq!(blocked["experiments"].as_array().unwrap().len(), 2);
    let topics = Topics::new(2);
    world.looks.iter().for_each(|look| topics.append(look));
    let mut service = topics.service(None);
    service.step(Duration::ZERO).unwrap();
    let view: View = service.view().unwrap();
    assert!(view.provisional.is_some());
    check("a view", &view.to_json("test"));
    service.publish(view.provisional.as_ref().unwrap()).unwrap();
    service.publish(&large().results()).unwrap();
    for (key, body) in topics.published() {
        check(&key, &serde_json::from_slice(&body).unwrap());
    }
    // It is not a schema that anything passes.
    for (path, value) in [
        ("/look", json!(17)),
        ("/experiments/0/status", json!("fine")),
        ("/experiments/0/metrics/0/variants/1/always_valid/p_value", json!(2)),
        ("/experiments/0/metrics/0/variants/1/surprise", json!(1)),
    ] {
        let mut wrong = hillstrom().json();
        let (parent, name) = path.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[name] = value;
        assert!(!problems(&wrong).is_empty(), "{path}");
    }
}

/// An experiment of 8 attributes with 64 values, 8 metrics and 3 arms.
fn large() -> World {
    let values: Vec<String> = (0..64).map(|at| format!("v{at}")).collect();
    let segments: Vec<String> =
        (0..8).map(|at| format!("{{ attribute: a{at}, values: [{}] }}", values.join(", "))).collect();
    let uses: Vec<String> = (0..8).map(|at| format!("{{ metric: m{at}, role: secondary }}")).collect();
    let metrics: Vec<String> =
        (0..8).map(|at| format!("---\n{{ kind: metric, id: m{at}, type: sum, event: buy }}\n")).collect();
    let mut world = World::new(
        1,
        &format!(
            "kind: experiment\nid: large\nsalt: s\nstatus: running\nassignment: external\n\
             variants: [{{ name: control, control: true }}, {{ name: t }}, {{ name: u }}]\nsegments: [{}]\nmetrics: [{}]\n\
             analysis: {{ planned_units: 100 }}\n{}",
            segments.join(", "),
            uses.join(", "),
            metrics.concat()
        ),
    );
    world.play("1 expose large/t x a0=v3\n1 do buy x 2\n2 tick");
    world
}

#[test]
fn large_results_travel_in_parts_that_a_broker_takes() {
    let (results, topics) = (large().results(), Topics::new(1));
    topics.service(None).publish(&results).unwrap();
    let published = topics.published();
    let whole = results.to_json("test");
    let sizes: Vec<usize> = published.iter().map(|(key, body)| key.len() + body.len()).collect();
    assert!(whole.to_string().len() > 5_000_000 && sizes.iter().all(|&size| size < 950_000), "{sizes:?}");
    assert!(sizes.len() < 12, "parts are filled: {sizes:?}");
    let keys: Vec<&str> = published.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys[..3], ["large", "large/part=1", "large/part=2"]);
    // As a reader puts them together: by look and part; a segment may go on in the next part.
    let mut parts: Vec<Json> = published.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
    assert!(parts.iter().enumerate().all(|(at, part)| part["part"] == json!({"index": at, "count": parts.len()})));
    let mut again = parts.remove(0);
    again.as_object_mut().unwrap().remove("part");
    for mut part in parts {
        assert_eq!(part["look"], again["look"]);
        let experiment = &mut part["experiments"][0];
        let metrics: Vec<Json> = experiment["metrics"].as_array_mut().unwrap().drain(..).collect();
        again["experiments"][0]["metrics"].as_array_mut().unwrap().extend(metrics);
        for mut segment in experiment["segments"].as_array_mut().unwrap().drain(..) {
            let known = again["experiments"][0]["segments"].as_array_mut().unwrap();
            match known
                .last_mut()
                .filter(|it| (&it["attribute"], &it["value"]) == (&segment["attribute"], &segment["value"]))
            {
                Some(last) => {
                    last["metrics"].as_array_mut().unwrap().append(segment["metrics"].as_array_mut().unwrap())
                }
                None => known.push(segment),
            }
        }
    }
    assert!(again == whole, "the parts together are the whole");
}

#[test]
fn small_results_are_one_record_each_and_provisional_ones_have_their_own_key() {
    let world = hillstrom();
    let topics = Topics::new(2);
    let service = topics.service(None);
    let analysis = world.analyse();
    service.publish(&analysis.results().unwrap()).unwrap();
    service.publish(&analysis.provisional().unwrap()).unwrap();
    let published: BTreeMap<String, Vec<u8>> = topics.published().into_iter().collect();
    let keys: Vec<&String> = published.keys().collect();
    assert_eq!(keys, ["hillstrom", "hillstrom/provisional"]);
    assert_eq!(published["hillstrom"], world.json().to_string().into_bytes());
    let newer: Json = serde_json::from_slice(&published["hillstrom/provisional"]).unwrap();
    assert_eq!(newer["freshness"]["kind"], "provisional");
}
