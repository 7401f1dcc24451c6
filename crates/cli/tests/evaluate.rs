//! `assay evaluate` as people use it: definitions in files, questions on standard input, answers as lines.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use serde_json::{Value as Json, json};
use std::io::Write;
use std::process::{Command, Stdio};

const DEFINITIONS: &str = r#"
kind: flag
id: new-search
type: boolean
variants: { "on": true, "off": false }
default: "off"
rules:
  - { name: staff, if: { "ends_with": [{ "var": "email" }, "@example.com"] }, serve: "on" }
  - { name: ramp, rollout: { "on": 10%, "off": 90% } }
---
{ kind: flag, id: only-staging, type: string, variants: { a: x }, default: a, environments: [staging] }
---
{ kind: layer, id: l }
---
kind: experiment
id: checkout
status: running
layer: l
traffic: 40%
variants: [{ name: control, control: true }, { name: treatment }]
"#;

fn evaluate(arguments: &[&str], input: &[u8]) -> (i32, Vec<Json>, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("all.yaml"), DEFINITIONS).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["evaluate", "--config"])
        .arg(directory.path())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let answers = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap_or(-1), answers, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn each_line_gets_one_answer() {
    let long = format!("{{\"key\":\"new-search\",\"context\":{{\"a\":\"{}\"}}}}", "x".repeat(140_000));
    let large = format!("{{\"key\":\"new-search\",\"context\":{{\"a\":\"{}\"}}}}", "x".repeat(70_000));
    let input = [
        r#"{"key":"new-search","context":{"targetingKey":"u-1","email":"ann@example.com"}}"#,
        "",
        r#"{"key":"new-search","context":{"targetingKey":"u-1"}}"#,
        r#"{"key":"new-search"}"#,
        r#"{"key":"only-staging","context":{}}"#,
        "this is not JSON",
        r#"{"context":{}}"#,
        r#"{"key":"new-search","context":[1]}"#,
        &long,
        &large,
        r#"{"key":"new-search","context":{"targetingKey":"u-1"}}"#,
    ];
    let (code, answers, err) = evaluate(&[], input.join("\n").as_bytes());
    assert_eq!((code, err.as_str()), (0, ""));
    let found: Vec<(&Json, &Json, &Json)> =
        answers.iter().map(|it| (&it["key"], &it["reason"], &it["errorCode"])).collect();
    let none = Json::Null;
    let search = json!("new-search");
    assert_eq!(
        found,
        [
            (&search, &json!("TARGETING_MATCH"), &none),
            (&search, &json!("SPLIT"), &none),
            (&search, &none, &json!("TARGETING_KEY_MISSING")),
            (&json!("only-staging"), &none, &json!("FLAG_NOT_FOUND")),
            (&json!(""), &none, &json!("PARSE_ERROR")),
            (&json!(""), &none, &json!("PARSE_ERROR")),
            (&search, &none, &json!("INVALID_CONTEXT")),
            (&json!(""), &none, &json!("PARSE_ERROR")),
            (&search, &none, &json!("INVALID_CONTEXT")),
            (&search, &json!("SPLIT"), &none),
        ]
    );
    assert_eq!(answers[0]["value"], json!(true));
    assert_eq!(answers[0]["metadata"], json!({"flagSetId": "production", "version": 0}));
    assert!(answers[4]["errorDetails"].as_str().unwrap().contains("line 6: is not {\"key\""), "{}", answers[4]);
    assert!(answers[7]["errorDetails"].as_str().unwrap().contains("line 9: has more than"), "{}", answers[7]);

    let (_, answers, _) = evaluate(&["--environment", "staging"], br#"{"key":"only-staging","context":{}}"#);
    assert_eq!(answers[0]["metadata"]["flagSetId"], "staging");
    assert_eq!((&answers[0]["value"], &answers[0]["variant"]), (&json!("x"), &json!("a")));
}

#[test]
fn files_of_flagd_are_answered_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let flags = json!({
        "flags": {
            "myFlag": {
                "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
                "targeting": {"if": [{"$ref": "german"}, "on"]}, "metadata": {"tier": 2},
            },
            "new-search": {"state": "OFF", "variants": {"on": true}},
        },
        "$evaluators": {"german": {"==": [{"var": "country"}, "DE"]}},
        "metadata": {"team": "growth"},
    });
    std::fs::write(file.path(), flags.to_string()).unwrap();
    let input = [r#"{"key":"myFlag","context":{"country":"DE"}}"#, r#"{"key":"new-search"}"#].join("\n");
    let (code, answers, err) = evaluate(&["--flagd", file.path().to_str().unwrap()], input.as_bytes());
    assert_eq!(code, 0);
    assert!(err.contains("'new-search' is left out: its state is neither ENABLED nor DISABLED"), "{err}");
    assert_eq!(answers[0]["value"], true);
    assert_eq!(answers[0]["metadata"], json!({"flagSetId": "production", "version": 0, "team": "growth", "tier": 2}));
    assert_eq!(answers[1]["errorCode"], "TARGETING_KEY_MISSING", "the flag of the directory is still there");

    std::fs::write(file.path(), flags.to_string().replace("\"OFF\"", "\"ENABLED\"")).unwrap();
    let (code, answers, err) = evaluate(&["--flagd", file.path().to_str().unwrap()], b"");
    assert!(code == 1 && answers.is_empty() && err.contains("'new-search' is defined twice"), "{err}");
}

/// Before anything is published the slots for `traffic` are foreseen, and the answers are the same each time.
#[test]
fn experiments_that_were_not_published_yet_are_answered() {
    let lines: Vec<String> =
        (0..1_000).map(|at| format!(r#"{{"key":"checkout","context":{{"targetingKey":"u{at}"}}}}"#)).collect();
    let (code, answers, err) = evaluate(&[], lines.join("\n").as_bytes());
    assert_eq!((code, err.as_str(), answers.len()), (0, "", 1_000));
    let split = answers.iter().filter(|it| it["reason"] == "SPLIT").count();
    assert!((330..470).contains(&split), "{split} of 1000 are in 40 %");
    assert_eq!(answers, evaluate(&[], lines.join("\n").as_bytes()).1);
}
