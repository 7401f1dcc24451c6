//! What is said of an experiment as evidence grows, and when nothing may be said.

use crate::harness::World;
use assay_analysis::Summary;
use serde_json::{Value as Json, json};
use std::fmt::Write;

const SHOP: &str = "
kind: experiment
id: shop
salt: s
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: bought, role: primary, minimum_effect: 5% }, { metric: errors, role: guardrail, margin: 20% }]
analysis: { planned_units: 1000 }
---
{ kind: metric, id: bought, type: conversion, event: buy }
---
{ kind: metric, id: errors, type: count, event: error, direction: decrease }
";

/// Units `from..to` of each arm, one a second: every so many buy, and every so many see an error.
fn people(from: usize, to: usize, arms: [(&str, usize, usize); 2], country: fn(&str, usize) -> &'static str) -> String {
    let mut script = String::new();
    for n in from..to {
        for (arm, buys, errs) in arms {
            let _ = writeln!(script, "{n} expose shop/{arm} {arm}-{n} country={}", country(arm, n));
            if n % buys == 0 {
                let _ = writeln!(script, "{n} do buy {arm}-{n}");
            }
            if n % errs == 0 {
                let _ = writeln!(script, "{n} do error {arm}-{n}");
            }
        }
    }
    let _ = writeln!(script, "{to} tick");
    script
}

fn mixed(_: &str, n: usize) -> &'static str {
    ["DE", "FR", "US"][n % 3]
}

fn experiment(world: &World) -> Json {
    world.json()["experiments"][0].clone()
}

#[test]
fn the_answers_follow_the_evidence() {
    let mut world = World::new(2, SHOP);
    world.play("0 tick\n1 tick");
    let verdict = experiment(&world)["verdict"].clone();
    assert_eq!((&verdict["code"], &verdict["working"]["code"]), (&json!("no_data"), &json!("waiting")), "{verdict}");

    let arms = [("control", 4, 9), ("treatment", 2, 9)];
    let mut world = World::new(2, SHOP);
    world.play(&people(0, 30, arms, mixed));
    let verdict = experiment(&world)["verdict"].clone();
    assert_eq!((&verdict["code"], &verdict["stop"]["code"]), (&json!("waiting"), &json!("not_yet")), "{verdict}");
    let waits = &verdict["arms"][0]["arguments"];
    assert_eq!(
        (&waits["have"], &waits["need"], &waits["of"]),
        (&json!(30.0), &json!(50.0), &json!("units")),
        "{waits}"
    );

    world.play(&people(30, 600, arms, mixed));
    let found = experiment(&world);
    let verdict = &found["verdict"];
    assert_eq!((&verdict["code"], &verdict["variant"]), (&json!("better"), &json!("treatment")), "{verdict}");
    let says = &verdict["arms"][0]["arguments"];
    assert!(says["bound"].as_f64().unwrap() > 0.05 && says["decided_units"].as_u64().unwrap() < 1_200, "{says}");
    assert_eq!((&says["direction"], &says["clears_minimum"]), (&json!("increase"), &json!(true)), "{says}");
    assert_eq!(verdict["working"]["code"], "yes");
    // Both arms see as many errors, and six hundred units are too few to rule out a fifth more.
    let safe = &verdict["safe"];
    assert_eq!((&safe["code"], &safe["arguments"]["metric"]), (&json!("not_known_yet"), &json!("errors")), "{safe}");
    assert!(safe["arguments"]["units_needed"].as_u64().unwrap() > 1_200, "{safe}");
    assert_eq!(
        (&verdict["stop"]["code"], &verdict["why"]["code"]),
        (&json!("first_week"), &json!("complete")),
        "{verdict}"
    );
    let said = &found["said"];
    let text: String = said["sentence"].as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect();
    let lift = says["lift"].as_f64().unwrap() * 100.0;
    assert!(text.starts_with(&format!("Treatment raises bought by {lift:.0}%, and by at least ")), "{text}");
    assert!(text.ends_with("%, which is clear of your minimum of 5%."), "{text}");
    assert_eq!(said["answers"]["stop"]["word"], "Yes, but", "{said}");
    assert_eq!(said["answers"]["why"], json!({"word": "Recompute it", "why": "One cut of the log."}));
    assert_eq!(
        said["caveats"].as_array().unwrap().last().unwrap(),
        "Less than a week: not every weekday has been seen."
    );
    assert_eq!(found["segments"][0]["planned_units"], 1000);
    assert_eq!(found["heterogeneity"][0]["status"], "ok", "{found}");
    let average = &found["stratified"][0];
    assert!((average["total"].as_f64().unwrap() - average["stratified"].as_f64().unwrap()).abs() < 1e-6, "{average}");
    // A plan has the same hash whatever people call it.
    let renamed = World::new(2, &SHOP.replace("salt: s\n", "salt: s\ntitle: Other words\nunit_name: buyer\n"))
        .play("1 tick")
        .json();
    assert_eq!(renamed["experiments"][0]["plan_hash"], found["plan_hash"]);
    let other = World::new(2, &SHOP.replace("1000", "2000")).play("1 tick").json();
    assert_ne!(other["experiments"][0]["plan_hash"], found["plan_hash"]);
}

#[test]
fn harm_comes_before_everything_else() {
    let mut world = World::new(2, SHOP);
    world.play(&people(0, 400, [("control", 4, 9), ("treatment", 2, 2)], mixed));
    let found = experiment(&world);
    let guardrail = &found["metrics"][1]["variants"][1]["guardrail"];
    assert_eq!((&guardrail["decision"], &guardrail["margin"]), (&json!("harm"), &json!(0.2)), "{guardrail}");
    assert!(
        guardrail["harm_ln_e"].as_f64().unwrap() > 3.0 && guardrail["safe_ln_e"].as_f64().unwrap() < 0.0,
        "{guardrail}"
    );
    assert_eq!(found["verdict"]["safe"]["code"], "no");
    let summary = Summary::of(&world.results().experiments[0]);
    assert_eq!((summary.group, summary.alarms[0].code), ("attention", "guardrail_harm"));
    let said = &summary.row["said"];
    assert_eq!((&said["tone"], &said["health"]), (&json!("alarm"), &json!("Guardrail: harm shown")), "{said}");
    assert_eq!(said["sentence"][0], json!({"text": "A guardrail shows harm.", "strong": true}));
}

#[test]
fn only_matured_metrics_say_that_the_effect_changes() {
    // What works for the first ten minutes does harm five hours later.
    let helps = people(0, 600, [("control", 4, 9), ("treatment", 2, 9)], mixed);
    let harms = people(18_000, 20_400, [("control", 4, 9), ("treatment", 10, 9)], mixed);
    let alarms = |maturity: &str| {
        let definitions = SHOP.replace("event: buy }", &format!("event: buy, window: 10m, maturity: {maturity} }}"));
        let mut world = World::new(2, &definitions);
        world.play(&helps).play(&harms).play("12h tick");
        let found = experiment(&world);
        let compared = &found["metrics"][0]["variants"][1]["always_valid"];
        assert_eq!(compared["drift_suspected"], true, "{compared}");
        Summary::of(&world.results().experiments[0]).alarms.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(alarms("matured"), ["drift"]);
    // Means of an open metric grow with the age of its units: that its intervals move says nothing.
    assert_eq!(alarms("open"), [""; 0]);
}

#[test]
fn a_split_that_is_broken_within_a_segment_blocks() {
    let mut world = World::new(2, SHOP);
    // As many units in both arms, but one country has those of one arm only.
    let country = |arm: &str, n: usize| match (arm, n % 3) {
        (_, 0) => "US",
        ("control", _) => "FR",
        _ => "DE",
    };
    world.play(&people(0, 400, [("control", 4, 9), ("treatment", 2, 9)], country));
    let found = experiment(&world);
    assert!(found["srm"]["alarm"] == false && found["srm"]["segments"][0]["alarm"] == true, "{}", found["srm"]);
    assert!(found["balance"][0]["p_value_running"].as_f64().unwrap() < 0.001, "{}", found["balance"]);
    let verdict = &found["verdict"];
    assert_eq!((&verdict["code"], &verdict["stop"]["code"]), (&json!("blocked"), &json!("repair")), "{verdict}");
    let why = &verdict["blocked_by"][0];
    assert_eq!((&why["code"], &why["arguments"]["value"]), (&json!("srm_segment"), &json!("DE")), "{why}");
}
