//! Experiments for tests of words: the results that the page's own tests show, and one that is made of what a test is about.

use super::checks::{Evidence, Log};
use super::subject::{Metric, Projection, Subject, Variant};
use super::times::instant;
use crate::results::Balance;
use crate::verdict::{Finding, Verdict};
use assay_aggregates::Reason;
use assay_experiment::{Direction, Method, Role, Status, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// What the page's tests show.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/ui").join(name)
}

pub(super) fn read(name: &str) -> Json {
    let text = std::fs::read_to_string(path(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Writes it as narrow as it was.
pub(super) fn write(name: &str, json: &Json) {
    let before = std::fs::read_to_string(path(name)).unwrap();
    let indent: String = before.lines().nth(1).unwrap().chars().take_while(|it| *it == ' ').collect();
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    json.serialize(&mut serde_json::Serializer::with_formatter(&mut text, format)).unwrap();
    text.push(b'\n');
    std::fs::write(path(name), text).unwrap();
}

pub(super) fn three() -> Json {
    read("tests/fixtures/hillstrom.results.json")["experiments"][0].clone()
}

/// A process of tests ends soon.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn text(json: &Json) -> &'static str {
    leak(json.as_str().unwrap_or_default())
}

pub(super) fn finding(json: &Json) -> Finding {
    Finding { code: text(&json["code"]), arguments: json["arguments"].as_object().cloned().unwrap_or_default() }
}

fn verdict(json: &Json) -> Verdict {
    let arms = json["arms"].as_array().cloned().unwrap_or_default();
    let arm = |it: &Json| {
        // The hand-made results leave out what every comparison of the engine has.
        let mut finding = finding(it);
        finding.arguments.insert("variant".to_owned(), it["variant"].clone());
        (text(&it["variant"]).to_owned(), text(&it["metric"]).to_owned(), finding)
    };
    Verdict {
        code: text(&json["code"]),
        variant: json["variant"].as_str().map(str::to_owned),
        arms: arms.iter().map(arm).collect(),
        safe: finding(&json["safe"]),
        working: finding(&json["working"]),
        stop: finding(&json["stop"]),
        why: finding(&json["why"]),
        blocked_by: json["blocked_by"].as_array().into_iter().flatten().map(finding).collect(),
    }
}

fn metric(json: &Json) -> Metric<'static> {
    Metric {
        id: text(&json["metric"]),
        name: text(&json["name"]),
        unit: text(&json["unit"]),
        role: match text(&json["role"]) {
            "guardrail" => Role::Guardrail,
            "secondary" => Role::Secondary,
            _ => Role::Primary,
        },
        direction: if json["direction"] == "decrease" { Direction::Decrease } else { Direction::Increase },
        minimum_effect: json["minimum_effect"].as_f64(),
        margin: json["margin"].as_f64(),
        inside: json["inside_window"]["share"].as_f64().filter(|_| json["maturity"] == "open"),
        cap: json["cap"].as_f64(),
    }
}

fn status(json: &Json) -> Status {
    match text(json) {
        "draft" => Status::Draft,
        "paused" => Status::Paused,
        "stopped" => Status::Stopped,
        _ => Status::Running,
    }
}

fn guardrails(metrics: &[Json]) -> Vec<(&'static str, &'static str, Finding)> {
    let guardrails = metrics.iter().filter(|it| it["role"] == "guardrail");
    let arms =
        guardrails.flat_map(|metric| metric["variants"].as_array().into_iter().flatten().map(move |it| (metric, it)));
    let compared = arms.filter(|(_, arm)| arm["verdict"].is_object());
    compared.map(|(metric, arm)| (text(&metric["metric"]), text(&arm["variant"]), finding(&arm["verdict"]))).collect()
}

fn projection(arm: &Json) -> Option<Projection<'static>> {
    let it = arm.get("projected")?;
    let (units, days) = (it["units"].as_u64(), it["days_left"].as_f64());
    Some(Projection { variant: text(&arm["variant"]), status: text(&it["status"]), units, days })
}

/// An experiment of results, as the words see it.
pub(super) fn subject(experiment: &Json) -> Subject<'static> {
    let variants = experiment["variants"].as_array().cloned().unwrap_or_default();
    let variant =
        |it: &Json| Variant { id: text(&it["variant"]), name: text(&it["name"]), control: it["control"] == true };
    let metrics = experiment["metrics"].as_array().cloned().unwrap_or_default();
    let arms = metrics.first().and_then(|it| it["variants"].as_array()).cloned().unwrap_or_default();
    Subject {
        status: status(&experiment["status"]),
        unit: text(&experiment["unit_name"]),
        variants: variants.iter().map(variant).collect(),
        method: match text(&experiment["method"]) {
            "fixed_horizon" => Method::FixedHorizon,
            "group_sequential" => Method::GroupSequential,
            "bayesian" => Method::Bayesian,
            _ => Method::AlwaysValid,
        },
        planned_units: experiment["planned_units"].as_u64().unwrap_or_default(),
        max_units: experiment["max_units"].as_u64(),
        started: experiment["started"].as_str().and_then(instant),
        days_running: experiment["days_running"].as_f64(),
        metrics: metrics.iter().map(metric).collect(),
        verdict: Box::leak(Box::new(verdict(&experiment["verdict"]))),
        guardrails: guardrails(&metrics),
        projections: arms.iter().filter_map(projection).collect(),
        findable_lift: arms.iter().find_map(|it| it["findable"]["lift_now"].as_f64()),
    }
}

/// What the checks of an experiment of results look at.
pub(super) fn evidence(experiment: &Json) -> Evidence<'static> {
    let srm = &experiment["srm"];
    let number = |json: &Json| json.as_f64().unwrap_or(f64::INFINITY);
    let count = |json: &Json| json.as_i64().unwrap_or_default();
    let balance = |it: &Json| Balance {
        attribute: text(&it["attribute"]).to_owned(),
        std_difference: number(&it["std_difference"]),
        p_value_fixed: number(&it["p_value_fixed"]),
        p_value_running: number(&it["p_value_running"]),
    };
    let rows = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let known: Vec<Balance> = rows(&experiment["balance"]).iter().map(balance).collect();
    let variants = rows(&experiment["variants"]);
    let split = variants.iter().map(|it| text(&it["variant"]));
    let units: i64 = experiment["units"].as_object().into_iter().flatten().map(|it| count(it.1)).sum();
    let crossed = count(&experiment["crossed_units"]);
    Evidence {
        split: split.map(|id| (count(&srm["counts"][id]), srm["expected"][id].as_f64().unwrap_or_default())).collect(),
        split_p: number(&srm["p_value_running"]),
        threshold: number(&srm["threshold"]),
        segments: rows(&srm["segments"]).len(),
        balance: Vec::leak(known),
        alpha: number(&experiment["alpha"]),
        units: units + crossed,
        crossed,
        exposures: count(&experiment["exposures"]) as u64,
        outside: count(&experiment["exposures_outside"]) as u64,
        lost: count(&experiment["exposures_lost"]) as u64,
        misbucketed: rows(&experiment["misbucketed"])
            .iter()
            .map(|it| (it["variant"].as_str().map(leak), text(&it["sdk"]), count(&it["exposures"]) as u64))
            .collect(),
        rejected: experiment["rejected"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(reason, it)| {
                let number = |name: &str| count(&it[name]) as u64;
                (leak(reason), number("exposures"), number("partition") as u32, number("offset"))
            })
            .collect(),
    }
}

/// What the checks of a log look at.
pub(super) fn log(events: &Json) -> Log {
    let count = |json: &Json| json.as_u64().unwrap_or_default();
    let known = |reason: &Reason| (reason.name(), count(&events["rejected"][reason.name()]));
    Log {
        records: count(&events["records"]),
        conversions: count(&events["conversions"]),
        duplicates: count(&events["duplicates"]),
        unattributed: count(&events["unattributed"]),
        rejected: Reason::ALL.iter().map(known).collect(),
    }
}

/// A row of a list, as the words see it: names are ids there, and of metrics it knows the primary one.
pub(super) fn of_row(row: &Json) -> Subject<'static> {
    let (mut metrics, mut variants) =
        (Vec::new(), vec![json!({"variant": "control", "name": "control", "control": true})]);
    let verdict = &row["verdict"];
    for arm in verdict["arms"].as_array().into_iter().flatten().filter(|it| it["variant"] != "control") {
        variants.push(json!({"variant": arm["variant"], "name": arm["variant"], "control": false}));
    }
    let counted = &verdict["blocked_by"][0]["arguments"]["counts"];
    let counted = counted.as_object().into_iter().flatten().filter(|(name, _)| *name != "control");
    if variants.len() == 1 {
        variants.extend(counted.map(|(name, _)| json!({"variant": name, "name": name, "control": false})));
    }
    let mut filled = verdict.clone();
    if row["primary"].is_null() {
        metrics.push(json!({"metric": filled["arms"][0]["metric"], "name": "Primary"}));
    } else {
        metrics.push(row["primary"].clone());
        for arm in filled["arms"].as_array_mut().into_iter().flatten() {
            arm["metric"] = row["primary"]["metric"].clone();
            if arm["variant"] == row["primary"]["variant"] {
                for name in ["lift", "lift_low", "lift_high", "lift_shape", "minimum_effect"] {
                    arm["arguments"][name] = row["primary"][name].clone();
                }
            }
        }
    }
    if let Some(id) = verdict["safe"]["arguments"]["metric"].as_str() {
        metrics.push(json!({"metric": id, "name": id.replace('_', " "), "role": "guardrail"}));
    }
    let experiment = json!({
        "status": row["status"], "unit_name": row["unit_name"], "variants": variants, "metrics": metrics, "verdict": filled,
    });
    subject(&experiment)
}

/// The end of the look that results or a list are of.
pub(super) fn look_of(json: &Json) -> Timestamp {
    json["look"].as_str().and_then(instant).unwrap()
}

pub(super) fn look() -> Timestamp {
    look_of(&read("tests/fixtures/hillstrom.results.json"))
}

/// One treatment, "New form", on the metric "Sign-ups": a code and its arguments. The verdict follows the comparison.
pub(super) fn two(code: &str, arguments: Json) -> Json {
    let mut all = json!({
        "lift": 0.091, "lift_low": 0.029, "lift_high": 0.157, "lift_shape": "bounded", "minimum_effect": 0.03,
    });
    merge(&mut all, &arguments);
    let mut experiment = three();
    experiment["variants"] = json!([
        {"variant": "control", "name": "Old form", "control": true}, {"variant": "form", "name": "New form", "control": false},
    ]);
    let mut metric = experiment["metrics"][0].clone();
    (metric["name"], metric["minimum_effect"]) = (json!("Sign-ups"), all["minimum_effect"].clone());
    metric["variants"].as_array_mut().unwrap().truncate(2);
    metric["variants"][1]["variant"] = json!("form");
    experiment["metrics"] = json!([metric]);
    let arm = json!({"variant": "form", "metric": "conversion", "code": code, "arguments": all});
    merge(
        &mut experiment["verdict"],
        &json!({"code": code, "variant": "form", "arms": [arm], "safe": {"code": "no_guardrail", "arguments": {}}}),
    );
    experiment
}

/// With other fields.
pub(super) fn with(mut experiment: Json, more: Json) -> Json {
    merge(&mut experiment, &more);
    experiment
}

/// With another verdict.
pub(super) fn found(experiment: Json, verdict: Json) -> Json {
    let mut all = experiment["verdict"].clone();
    merge(&mut all, &verdict);
    with(experiment, json!({"verdict": all}))
}

fn merge(into: &mut Json, more: &Json) {
    let none = Map::new();
    for (name, value) in more.as_object().unwrap_or(&none) {
        into[name] = value.clone();
    }
}
