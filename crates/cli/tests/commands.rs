//! The commands as people and scripts use them: arguments and files in, text and exit code out.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const COMMANDS: [&str; 12] = [
    "demo",
    "serve",
    "replay",
    "stats",
    "analyze",
    "power",
    "peek",
    "bucket",
    "check",
    "evaluate",
    "sql",
    "dead-letters",
];

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn assay(arguments: &[&str], input: &[u8]) -> Told {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(arguments)
        .env_remove("ASSAY_CLICKHOUSE_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // From a thread, because a command that answers before it has read everything would wait for us and we for it.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Whatever is printed, the exit code and a part of the message are as expected.
fn refuses(arguments: &[&str], code: i32, message: &str) {
    let told = assay(arguments, b"");
    assert_eq!(told.code, code, "{arguments:?}: {}{}", told.out, told.err);
    assert!(told.err.contains(message), "{arguments:?} says: {}", told.err);
    assert!(!told.err.contains("panicked"), "{arguments:?}: {}", told.err);
}

#[test]
fn every_command_has_an_example() {
    for command in COMMANDS {
        let told = assay(&[command, "--help"], b"");
        assert_eq!(told.code, 0);
        assert!(
            told.out.contains("Example") && told.out.contains(&format!("assay {command}")),
            "{command}: {}",
            told.out
        );
    }
    for action in ["list", "explain", "resend"] {
        assert!(assay(&["dead-letters", action, "--help"], b"").out.contains("Example"), "{action}");
    }
    assert!(assay(&["--help"], b"").out.contains("Examples"));
}

#[test]
fn wrong_use_and_failure_are_told_apart() {
    refuses(&["demo", "--fast"], 2, "--fast");
    refuses(&["frobnicate"], 2, "frobnicate");
    refuses(&["replay", "--config", "x"], 2, "--events");
    refuses(&["replay", "--config", "x", "--events", "y", "--partitions", "0"], 2, "0");
    refuses(&["serve", "--log", "nats://here"], 2, "write local:DIR or kafka://HOST:PORT");
    refuses(&["serve", "--clickhouse", "ftp://there"], 2, "http://HOST:PORT");
    refuses(&["serve", "--partitions", "0"], 2, "1 to 4096");
    refuses(&["serve", "--own", "0-3,x"], 2, "write one such as 0-3,7");
    refuses(&["serve", "--config", "no-such-directory"], 2, "no-such-directory");
    refuses(&["serve", "--file", "no-such-file.toml"], 1, "no-such-file.toml");
    refuses(&["dead-letters", "list", "--data", "no-such-directory"], 1, "there is no log in");
    refuses(&["sql", "--url", "http://127.0.0.1:1", "SELECT 1"], 1, "is assay running there?");
}

#[test]
fn a_settings_file_names_what_it_does_not_know() {
    let files = Files::new();
    let file = files.write("assay.toml", "data = \"here\"\npartitoins = 4\n");
    refuses(&["serve", "--file", file.to_str().unwrap()], 1, "partitoins");
}

#[test]
fn stats_answers_each_input_in_its_place() {
    let input = json!([
        {"method": "chi_square", "counts": [5000, 5012], "weights": [1, 1]},
        {"method": "tarot"},
        7,
    ]);
    let told = assay(&["stats"], input.to_string().as_bytes());
    assert_eq!(told.code, 0, "{}", told.err);
    let answers: Vec<Json> = serde_json::from_str(&told.out).unwrap();
    assert!((answers[0]["p_value"].as_f64().unwrap() - 0.904_5).abs() < 1e-3, "{}", answers[0]);
    assert!(answers[1]["error"].as_str().unwrap().contains("there is no method 'tarot'"));
    assert!(answers[2]["error"].as_str().unwrap().contains("object"));
    let told = assay(&["stats"], b"{}");
    assert_eq!(told.code, 1);
    assert!(told.err.contains("no array"), "{}", told.err);
}

#[test]
fn bucket_is_scheme_xp1() {
    let told =
        assay(&["bucket"], b"{\"tag\":\"V\",\"salt\":\"checkout\",\"unit_type\":\"user\",\"unit\":\"user-42\"}\n\n");
    assert_eq!(told.out.trim(), r#"{"bucket":431922,"hash":"6e927853791f703f"}"#);
    let told =
        assay(&["bucket"], b"{\"tag\":\"V\",\"salt\":\"\",\"unit_type\":\"user\",\"unit\":\"u\"}\n{\"tag\":\"Q\"}");
    assert_eq!(told.code, 1);
    assert!(told.err.contains("line 2"), "{}", told.err);
}

struct Files(TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::Builder::new().prefix("commands-").tempdir_in(assay_real_parts::target()).unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A shop with two arms; everybody decides for themselves.
    fn definitions(&self) -> String {
        let path = self.write(
            "definitions/shop.yaml",
            "kind: experiment\nid: shop\nsalt: shop\nstatus: running\nassignment: external\n\
             variants: [{ name: control, control: true }, { name: treatment }]\n\
             metrics: [{ metric: bought, role: primary }, { metric: revenue, role: secondary }]\n\
             analysis: { planned_units: 1000 }\n---\n{ kind: metric, id: bought, type: conversion, event: buy }\n---\n\
             { kind: metric, id: revenue, type: sum, event: buy }\n",
        );
        path.parent().unwrap().display().to_string()
    }

    fn replay(&self, events: &[&Path], more: &[&str]) -> Told {
        let config = self.definitions();
        let mut arguments = vec!["replay", "--json", "--config", &config, "--events"];
        arguments.extend(events.iter().map(|path| path.to_str().unwrap()));
        arguments.extend(more);
        assay(&arguments, b"")
    }
}

fn event(number: u32, time: &str, unit: u32, more: &Json) -> Json {
    let mut event = json!({"event_id": format!("00000000-0000-4000-8000-{number:012}"), "event_time": time, "unit_id": format!("u{unit}")});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

/// 60 units, every second one buys for its number.
fn history() -> Vec<String> {
    let mut lines = Vec::new();
    for unit in 0..60 {
        let variant = ["control", "treatment"][(unit % 2) as usize];
        let seen = format!("2026-05-01T09:{unit:02}:00Z");
        let exposure = json!({"event_type": "exposure", "experiment_id": "shop", "variant": variant});
        lines.push(event(unit, &seen, unit, &exposure).to_string());
        if unit % 3 == 0 {
            let bought = format!("2026-05-01T09:{unit:02}:30Z");
            let conversion = json!({"event_type": "conversion", "event_name": "buy", "event_value": unit});
            lines.push(event(1_000 + unit, &bought, unit, &conversion).to_string());
        }
    }
    lines
}

/// Results without what may differ: where the records lay.
fn numbers(told: &Told) -> Json {
    assert_eq!(told.code, 0, "{}", told.err);
    let mut results: Json = serde_json::from_str(&told.out).unwrap();
    results.as_object_mut().unwrap().remove("provenance");
    results.as_object_mut().unwrap().remove("freshness");
    for counts in ["control", "records"] {
        results["events"].as_object_mut().unwrap().remove(counts);
    }
    results
}

#[test]
fn replay_says_the_same_in_json_and_at_the_terminal() {
    let files = Files::new();
    let events = files.write("events.jsonl", &history().join("\n"));
    let said = numbers(&files.replay(&[&events], &[]))["experiments"][0]["said"].clone();
    let sentence: String =
        said["sentence"].as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(sentence, "Waiting for data: 30 of 50 users in the smaller arm.");
    let told = assay(&["replay", "--config", &files.definitions(), "--events", events.to_str().unwrap()], b"");
    // Lines are broken between words.
    let shown = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let caveats = said["caveats"].as_array().unwrap().iter().filter_map(Json::as_str);
    let working = format!("Is it working? {}.", said["answers"]["working"]["word"].as_str().unwrap());
    for words in caveats.chain([sentence.as_str(), &working]) {
        assert!(shown.contains(words), "{words} is not in\n{}", told.out);
    }
}

#[test]
fn replay_gives_the_same_numbers_from_any_order_file_and_number_of_partitions() {
    let files = Files::new();
    let lines = history();
    let plain = files.write("events.jsonl", &lines.join("\n"));
    let expected = numbers(&files.replay(&[&plain], &[]));
    let metrics = &expected["experiments"][0]["metrics"];
    assert_eq!(expected["experiments"][0]["units"], json!({"control": 30, "treatment": 30}));
    // 0, 6, 12, … 54 and 3, 9, … 57.
    assert_eq!(metrics[0]["variants"][0]["sum"], json!(10.0));
    assert_eq!(metrics[1]["variants"][0]["sum"], json!(270.0));
    assert_eq!(metrics[1]["variants"][1]["sum"], json!(300.0));
    assert_eq!(expected["events"]["exposures"], json!(60));

    let mut backwards = lines.clone();
    backwards.reverse();
    let reversed = files.write("reversed.jsonl", &format!("\u{feff}  {}\n\n", backwards.join("  \r\n")));
    assert_eq!(numbers(&files.replay(&[&reversed], &["--partitions", "7"])), expected);
    let (one, other) = lines.split_at(17);
    let (one, other) = (files.write("one.jsonl", &one.join("\n")), files.write("other.jsonl", &other.join("\n")));
    assert_eq!(numbers(&files.replay(&[&other, &one], &["--partitions", "1"])), expected);

    let packed = files.0.path().join("events.jsonl.gz");
    let mut encoder =
        flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    encoder.write_all(lines.join("\n").as_bytes()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(numbers(&files.replay(&[&packed], &[])), expected);
    let packed = files.0.path().join("events.jsonl.zst");
    std::fs::write(&packed, zstd::encode_all(lines.join("\n").as_bytes(), 1).unwrap()).unwrap();
    assert_eq!(numbers(&files.replay(&[&packed], &[])), expected);
    let config = files.definitions();
    let told = assay(&["replay", "--json", "--config", &config, "--events", "-"], lines.join("\n").as_bytes());
    assert_eq!(numbers(&told), expected);
    // For people, too.
    let told = assay(&["replay", "--config", &config, "--events", "-"], lines.join("\n").as_bytes());
    assert!(told.out.contains("shop (running)") && told.out.contains("60 exposures"), "{}", told.out);
}

/// Lengths of looks say when numbers are told, not what they are; a log that begins after a change has begun with it.
#[test]
fn replay_changes_settings_at_their_hour() {
    let files = Files::new();
    let events = files.write("events.jsonl", &history().join("\n"));
    let expected = numbers(&files.replay(&[&events], &[]));
    files.write(
        "definitions/settings.yaml",
        "{ kind: settings, from: 2020-01-01T00:00:00Z, look: 2s, chunk: 10s }\n---\n\
         { kind: settings, from: 2026-05-01T09:00:00Z, look: 10s, chunk: 1m }\n",
    );
    let told = files.replay(&[&events], &["--partitions", "3"]);
    let found = numbers(&told);
    // The last event is at 09:59:00, and closes the look of ten seconds that begins there.
    assert_eq!((&expected["look"], &found["look"]), (&json!("2026-05-01T09:59:01Z"), &json!("2026-05-01T09:59:10Z")));
    for name in ["units", "exposures", "srm"] {
        assert_eq!(found["experiments"][0][name], expected["experiments"][0][name], "{name}");
    }
    assert_eq!(found["events"], expected["events"]);
    files.write("definitions/settings.yaml", "{ kind: settings, from: 2026-05-01T09:00:00Z, semantics: 99 }");
    let told = files.replay(&[&events], &[]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("semantics 99 from 2026-05-01T09:00:00Z on"), "{}", told.err);
}

#[test]
fn append_times_are_kept_and_never_go_backwards() {
    let files = Files::new();
    let exposure = json!({"event_type": "exposure", "experiment_id": "shop", "variant": "control"});
    let at = |number: u32, time: &str, append: Json| {
        let mut line = event(number, time, number, &exposure);
        line["append_time"] = append;
        line.to_string()
    };
    // The second is a day and an hour late by its append time; the third has none and takes the one before it.
    let lines = [
        at(1, "2026-05-01T09:00:00Z", json!("2026-05-01T09:00:01Z")),
        at(2, "2026-05-01T09:00:00Z", json!("2026-05-02T10:00:00Z")),
        event(3, "2026-05-02T09:59:00Z", 3, &exposure).to_string(),
    ];
    let results = numbers(&files.replay(&[&files.write("a.jsonl", &lines.join("\n"))], &[]));
    assert_eq!(results["events"]["rejected"]["late"], json!(1), "{results}");
    assert_eq!(results["events"]["exposures"], json!(2));

    let lines = [
        at(1, "2026-05-01T09:00:00Z", json!("2026-05-01T09:00:01Z")),
        at(2, "2026-05-01T09:00:00Z", json!("2026-05-01T09:00:00Z")),
    ];
    let told = files.replay(&[&files.write("b.jsonl", &lines.join("\n"))], &[]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("b.jsonl, line 2") && told.err.contains("backwards"), "{}", told.err);

    for (append, expected) in [(json!(7), "append_time is 7"), (json!("soon"), "append_time")] {
        let told = files.replay(&[&files.write("c.jsonl", &at(1, "2026-05-01T09:00:00Z", append))], &[]);
        assert_eq!(told.code, 1);
        assert!(told.err.contains("c.jsonl, line 1") && told.err.contains(expected), "{}", told.err);
    }
}

/// Whatever comes, it is counted under its reason and the rest goes on.
#[test]
fn every_mistake_has_its_reason() {
    let files = Files::new();
    let exposure = |experiment: &str, variant: &str| json!({"event_type": "exposure", "experiment_id": experiment, "variant": variant});
    let buy = |value: Json| json!({"event_type": "conversion", "event_name": "buy", "event_value": value});
    let noon = "2026-05-01T12:00:00Z";
    let wrong: Vec<(&str, String)> = vec![
        ("malformed", "not an event".to_owned()),
        ("malformed", "{\"event_id\":\"6a3c3f5e".to_owned()),
        ("malformed", event(1, noon, 1, &buy(json!(3))).to_string().replace(":3", ":1e400")),
        ("malformed", event(2, noon, 1, &buy(json!(1_000_000_001))).to_string()),
        (
            "malformed",
            event(3, noon, 1, &json!({"event_type": "conversion", "event_name": "x".repeat(65)})).to_string(),
        ),
        ("malformed", event(4, "yesterday", 1, &buy(json!(3))).to_string()),
        ("unknown_experiment", event(5, noon, 1, &exposure("shoop", "control")).to_string()),
        ("unknown_variant", event(6, noon, 1, &exposure("shop", "kids")).to_string()),
        ("unknown_version", {
            let mut late = exposure("shop", "control");
            late["config_version"] = json!(99);
            event(7, noon, 1, &late).to_string()
        }),
        ("wrong_unit_type", {
            let mut device = exposure("shop", "control");
            device["unit_type"] = json!("device");
            event(8, noon, 1, &device).to_string()
        }),
    ];
    let mut lines = history();
    let first = serde_json::from_str::<Json>(&lines[0]).unwrap();
    // A repeat, and the same id with another body.
    lines.push(lines[0].clone());
    let mut conflict = first;
    conflict["variant"] = json!("treatment");
    lines.push(conflict.to_string());
    // A unit in two variants; a correction of something that never came.
    lines.push(event(2_000, "2026-05-01T10:30:00Z", 2, &exposure("shop", "treatment")).to_string());
    lines.push(
        event(
            2_001,
            "2026-05-01T10:31:00Z",
            3,
            &json!({"event_type": "retraction", "kind": "correct", "target_event_id": "99999999-0000-4000-8000-000000000000",
                "target_event_time": "2026-05-01T10:00:00Z", "event_name": "buy", "event_value": 5}),
        )
        .to_string(),
    );
    lines.extend(wrong.iter().map(|(_, line)| line.clone()));
    let told = files.replay(&[&files.write("events.jsonl", &lines.join("\n"))], &[]);
    let results = numbers(&told);
    for reason in ["malformed", "unknown_experiment", "unknown_variant", "unknown_version", "wrong_unit_type"] {
        let expected = wrong.iter().filter(|(known, _)| *known == reason).count();
        assert_eq!(results["events"]["rejected"][reason], json!(expected), "{reason}: {}", results["events"]);
    }
    assert_eq!(results["events"]["rejected"]["conflict"], json!(1));
    assert_eq!(results["events"]["duplicates"], json!(1));
    assert_eq!(results["events"]["retractions"], json!(1));
    assert_eq!(results["experiments"][0]["crossed_units"], json!(1));
    assert_eq!(results["experiments"][0]["units"], json!({"control": 29, "treatment": 30}));
    assert!(told.err.contains("rejected: malformed: "), "{}", told.err);
}

#[test]
fn a_future_or_late_event_is_set_aside() {
    let files = Files::new();
    let exposure = json!({"event_type": "exposure", "experiment_id": "shop", "variant": "control"});
    let at = |number: u32, time: &str, append: &str| {
        let mut line = event(number, time, number, &exposure);
        line["append_time"] = json!(append);
        line.to_string()
    };
    let lines = [
        at(1, "2026-05-01T09:05:00Z", "2026-05-01T09:00:00Z"),
        at(2, "2026-05-01T09:05:00.001Z", "2026-05-01T09:00:00Z"),
        at(3, "2026-04-30T09:00:00Z", "2026-05-01T09:00:00Z"),
        at(4, "2026-04-30T08:59:59.999Z", "2026-05-01T09:00:00Z"),
    ];
    let results = numbers(&files.replay(&[&files.write("a.jsonl", &lines.join("\n"))], &[]));
    assert_eq!(results["events"]["rejected"]["future"], json!(1), "{results}");
    assert_eq!(results["events"]["rejected"]["late"], json!(1), "{results}");
    assert_eq!(results["events"]["exposures"], json!(2));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let files = Files::new();
    let told = files.replay(&[Path::new("no-such-events.jsonl")], &[]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("no-such-events.jsonl"), "{}", told.err);
    let torn = files.write("torn.jsonl.gz", "this was never packed");
    let told = files.replay(&[&torn], &[]);
    assert_eq!(told.code, 1);
    assert!(told.err.contains("torn.jsonl.gz"), "{}", told.err);
}

#[test]
fn check_names_file_line_and_the_nearest_key() {
    let files = Files::new();
    let config = files.definitions();
    let told = assay(&["check", "--config", &config], b"");
    assert_eq!(told.code, 0, "{}", told.err);
    files.write("definitions/wrong.yaml", "kind: metric\nid: clicks\ntype: count\nevnet: click\n");
    let told = assay(&["check", "--config", &config], b"");
    assert_eq!(told.code, 1);
    let all = format!("{}{}", told.out, told.err);
    assert!(all.contains("wrong.yaml:4") && all.contains("evnet") && all.contains("event"), "{all}");
}
