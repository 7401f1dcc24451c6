//! What is asked and what the definitions and the hash say to it.

use crate::sources;
use serde_json::{Value as Json, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Units of each split that is compared with the hash.
const UNITS: usize = 200;
/// A variant with a name that is no word of a programming language.
const BEAR: &str = "mit Bär 🐻";

/// What is compared of an answer.
pub fn picked(answer: &Json) -> Json {
    ["value", "variant", "reason", "error"].iter().map(|name| ((*name).to_owned(), even(&answer[*name]))).collect()
}

/// Whole numbers are whole however they are written, because JavaScript knows no others.
pub fn even(value: &Json) -> Json {
    match value {
        Json::Number(number) => json!(number.as_f64()),
        Json::Array(items) => items.iter().map(even).collect(),
        Json::Object(entries) => entries.iter().map(|(name, value)| (name.clone(), even(value))).collect(),
        other => other.clone(),
    }
}

/// Every way to an answer, from `cases.json`.
pub fn written() -> Vec<Json> {
    serde_json::from_str(&std::fs::read_to_string(sources().join("cases.json")).unwrap()).unwrap()
}

/// Ids as people have them: numbers, letters of the world, composed and decomposed, blanks, the longest that is allowed.
fn units() -> Vec<String> {
    let mut units: Vec<String> = (0..UNITS - 10)
        .map(|number| match number % 3 {
            0 => format!("user-{number}"),
            1 => format!("{:08x}-0000-4000-8000-{number:012}", number * 2_654_435_761_usize % 0xffff_ffff),
            _ => format!("用户-{number}"),
        })
        .collect();
    let strange = ["42", "é", "e\u{301}", " ", "a b", "ab:c", "👩‍🔬", "a\nb\t\"c\"\\", "Ünïcödé", &"x".repeat(128)];
    units.extend(strange.map(str::to_owned));
    units
}

/// The buckets of units by the command that other implementations are checked with.
fn buckets(tag: &str, salt: &str, unit_type: &str, units: &[String]) -> Vec<u64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .arg("bucket")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for unit in units {
        writeln!(stdin, "{}", json!({"tag": tag, "salt": salt, "unit_type": unit_type, "unit": unit})).unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["bucket"].as_u64().unwrap()).collect()
}

/// A case for each unit: variant and value are those of the range, given by its end, that holds the bucket.
fn split(key: &str, context: &Json, (tag, salt): (&str, &str), ends: &[(u64, &str, &str)]) -> Vec<Json> {
    let units = units();
    let buckets = buckets(tag, salt, "user", &units);
    let cases = units.iter().zip(buckets).map(|(unit, bucket)| {
        let (_, variant, value) = ends.iter().find(|(end, _, _)| bucket < *end).unwrap();
        let mut context = context.clone();
        context["targetingKey"] = json!(unit);
        json!({
            "name": format!("{key} of {unit}"), "key": key, "type": "string", "default": "code", "context": context,
            "expect": {"value": value, "variant": variant, "reason": "SPLIT"},
        })
    });
    cases.collect()
}

pub fn cases() -> Vec<Json> {
    let mut cases = written();
    let checkout = ("V", "checkout-salt");
    let arms = [(250_000, "control", "control"), (750_000, "treatment", "treatment"), (1_000_000, BEAR, BEAR)];
    cases.extend(split("checkout", &json!({}), checkout, &arms));
    // A flag that an experiment decides has values of its own.
    let arms = [(250_000, "control", "Buy"), (750_000, "treatment", "Buy now"), (1_000_000, BEAR, "Kaufen")];
    cases.extend(split("pay-button", &json!({}), checkout, &arms));
    let arms = [(500_000, "control", "control"), (1_000_000, "free", "free")];
    cases.extend(split("shipping", &json!({"country": "DE"}), ("V", "shipping-salt"), &arms));
    let shares = [(300_000, "new", "new"), (1_000_000, "old", "old")];
    cases.extend(split("ramp", &json!({}), ("R", "ramp-2026"), &shares));
    cases.extend(devices());
    cases
}

/// Half of all devices are held out of experiments; the others are split.
fn devices() -> Vec<Json> {
    let units = units();
    let (held, arms) = (buckets("H", "quiet-salt", "device", &units), buckets("V", "player-salt", "device", &units));
    let cases = units.iter().zip(held.iter().zip(&arms)).map(|(unit, (held, arm))| {
        // An integer is the same unit as its digits.
        let device = unit.parse::<u64>().map_or_else(|_| json!(unit), |number| json!(number));
        let expected = if *held < 500_000 {
            json!({"value": "control", "variant": "control", "reason": "DEFAULT", "metadata": {"holdout": "quiet-devices"}})
        } else {
            let variant = if *arm < 500_000 { "control" } else { "smooth" };
            json!({"value": variant, "variant": variant, "reason": "SPLIT"})
        };
        json!({
            "name": format!("player of {unit}"), "key": "player", "type": "string", "default": "code",
            "context": {"targetingKey": "user-1", "device": device}, "expect": expected,
        })
    });
    cases.collect()
}
