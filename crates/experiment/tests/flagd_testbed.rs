//! flagd's own scenarios for evaluators, as they are, through our engine and the bodies that a client would get.
//!
//! All of the current ones; those tagged `fractional-v1` describe a hash that flagd gave up.

#![allow(clippy::unwrap_used, reason = "a scenario that cannot be read has failed")]

use assay_experiment::evaluation::{Context, Ruleset};
use assay_experiment::{ConfigVersion, Definitions, flagd, ofrep};
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// Scenarios of testbed 3.10.3 without the tag.
const SCENARIOS: usize = 125;

#[derive(Debug, Clone)]
struct Step {
    text: String,
    table: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Scenario {
    name: String,
    steps: Vec<Step>,
}

fn cells(line: &str) -> Vec<String> {
    line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands under one heading of a feature.
#[derive(Default)]
struct Block {
    tags: Vec<String>,
    heading: String,
    steps: Vec<Step>,
    examples: Vec<(Vec<String>, Vec<Vec<String>>)>,
}

/// The scenarios of a feature; an outline has one for each row of its examples.
fn scenarios(text: &str) -> Vec<Scenario> {
    let (mut blocks, mut tags): (Vec<Block>, Vec<String>) = Default::default();
    let mut in_examples = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let heading =
            ["Feature:", "Background:", "Scenario:", "Scenario Outline:"].iter().any(|it| line.starts_with(it));
        if line.starts_with('@') {
            tags.extend(line.split_whitespace().map(str::to_owned));
        } else if heading {
            blocks.push(Block { tags: std::mem::take(&mut tags), heading: line.to_owned(), ..Block::default() });
            in_examples = false;
        } else if line.starts_with("Examples:") {
            blocks.last_mut().unwrap().examples.push((std::mem::take(&mut tags), Vec::new()));
            in_examples = true;
        } else if line.starts_with('|') {
            let block = blocks.last_mut().unwrap();
            let rows = if in_examples {
                &mut block.examples.last_mut().unwrap().1
            } else {
                &mut block.steps.last_mut().unwrap().table
            };
            rows.push(cells(line));
        } else if let Some((_, step)) =
            line.split_once(' ').filter(|(word, _)| ["Given", "When", "Then", "And"].contains(word))
        {
            blocks.last_mut().unwrap().steps.push(Step { text: step.to_owned(), table: Vec::new() });
        }
    }
    let background: Vec<Step> = blocks
        .iter()
        .filter(|block| block.heading.starts_with("Background:"))
        .flat_map(|block| block.steps.clone())
        .collect();
    let old = |tags: &[String]| tags.iter().any(|tag| tag == "@fractional-v1");
    let mut found = Vec::new();
    for block in blocks.iter().filter(|block| block.heading.starts_with("Scenario") && !old(&block.tags)) {
        let steps: Vec<Step> = background.iter().chain(&block.steps).cloned().collect();
        if block.heading.starts_with("Scenario:") {
            found.push(Scenario { name: block.heading.clone(), steps });
            continue;
        }
        for (_, rows) in block.examples.iter().filter(|(tags, _)| !old(tags)) {
            for row in &rows[1..] {
                let fill = |text: &str| {
                    let values = rows[0].iter().zip(row);
                    values.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
                };
                let steps = steps.iter().map(|step| Step { text: fill(&step.text), table: step.table.clone() });
                found.push(Scenario { name: format!("{} {row:?}", block.heading), steps: steps.collect() });
            }
        }
    }
    found
}

fn typed(kind: &str, text: &str) -> Json {
    match kind {
        "String" => json!(text),
        "Boolean" => json!(text == "true"),
        "Integer" => json!(text.parse::<i64>().unwrap()),
        "Float" => json!(text.parse::<f64>().unwrap()),
        "Object" => serde_json::from_str(&text.replace("\\\"", "\"")).unwrap(),
        other => panic!("a type of the scenarios that is not known: {other}"),
    }
}

fn is_of(kind: &str, value: &Json) -> bool {
    match kind {
        "String" => value.is_string(),
        "Boolean" => value.is_boolean(),
        "Integer" => value.is_i64(),
        "Float" => value.is_f64(),
        _ => value.is_object(),
    }
}

/// What a client has in its hands after asking.
struct Details {
    value: Json,
    reason: Json,
    code: Json,
    metadata: Map<String, Json>,
}

fn ask(ruleset: &Ruleset, kind: &str, key: &str, fallback: &Json, context: &Map<String, Json>) -> Details {
    let context = Context::parse(json!(context).to_string().as_bytes()).unwrap();
    let body = ofrep::body(ruleset, key, &ruleset.evaluate_key(key, &context));
    let mut metadata = body["metadata"].as_object().unwrap().clone();
    assert_eq!(metadata.remove("version"), Some(json!(7)));
    assert_eq!(metadata.remove("flagSetId"), Some(json!("test")));
    let (value, code) = match body.get("value") {
        Some(value) if is_of(kind, value) => (value, &Json::Null),
        Some(_) => (fallback, &json!("TYPE_MISMATCH")),
        None => (fallback, body.get("errorCode").unwrap_or(&Json::Null)),
    };
    Details { value: value.clone(), reason: body["reason"].clone(), code: code.clone(), metadata }
}

/// The texts between quotes. Those inside an object are escaped.
fn quoted(text: &str) -> Vec<String> {
    let text = text.replace("\\\"", "\u{1}");
    text.split('"').skip(1).step_by(2).map(|part| part.replace('\u{1}', "\\\"")).collect()
}

fn run(ruleset: &Ruleset, scenario: &Scenario) -> Result<(), String> {
    let (mut context, mut flag, mut details) = (Map::new(), None, None);
    for step in &scenario.steps {
        let (text, words) = (step.text.as_str(), quoted(&step.text));
        let expect = |found: &Json, expected: &Json| match found == expected {
            true => Ok(()),
            false => Err(format!("{text}, but it was {found}")),
        };
        let told = || details.as_ref().ok_or("nothing was evaluated yet".to_owned());
        if text == "an evaluator" {
        } else if text.contains("-flag with key") {
            let kind = text.strip_prefix("a ").unwrap().split('-').next().unwrap().to_owned();
            flag = Some((kind, words[0].clone(), words[1].clone()));
        } else if text.starts_with("a context containing a targeting key") {
            context.insert("targetingKey".to_owned(), json!(words[0]));
        } else if text.starts_with("a context containing a nested property") {
            context.insert(words[0].clone(), json!({words[1].as_str(): words[2]}));
        } else if text.starts_with("a context containing a key") {
            context.insert(words[0].clone(), typed(&words[1], &words[2]));
        } else if text == "the flag was evaluated with details" {
            let (kind, key, fallback) = flag.as_ref().unwrap();
            details = Some(ask(ruleset, kind, key, &typed(kind, fallback), &context));
        } else if text.starts_with("the resolved details value") {
            let kind = &flag.as_ref().unwrap().0;
            expect(&told()?.value, &typed(kind, &words[0]))?;
        } else if text.starts_with("the reason should be") {
            expect(&told()?.reason, &json!(words[0]))?;
        } else if text.starts_with("the error-code should be") {
            expect(&told()?.code, &json!(words[0]))?;
        } else if text == "the resolved metadata is empty" {
            expect(&json!(told()?.metadata), &json!({}))?;
        } else if text == "the resolved metadata should contain" {
            for row in &step.table[1..] {
                expect(&told()?.metadata[&row[0]], &typed(&row[1], &row[2]))?;
            }
        } else {
            return Err(format!("no such step is known: {text}"));
        }
    }
    Ok(())
}

fn testbed() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let directory = root.join("target/flagd-testbed/evaluator");
    assert!(directory.is_dir(), "flagd's scenarios are not in {}: run `make deps`", directory.display());
    directory
}

#[test]
fn the_scenarios_of_flagd_hold() {
    let text = std::fs::read_to_string(testbed().join("flags/testkit-flags.json")).unwrap();
    let import = flagd::import(&text).unwrap();
    assert_eq!(import.refused, []);
    let definitions = Definitions { flags: import.flags, ..Definitions::default() };
    let ruleset = Ruleset::compile(&definitions, ConfigVersion(7), "test");
    let quarantined: Vec<&str> = ruleset.quarantined().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(quarantined, ["ref-to-nonexistent-evaluator-flag"]);

    let mut features: Vec<PathBuf> =
        std::fs::read_dir(testbed().join("gherkin")).unwrap().map(|entry| entry.unwrap().path()).collect();
    features.sort();
    let (mut count, mut failed) = (0, Vec::new());
    for feature in features {
        for scenario in scenarios(&std::fs::read_to_string(&feature).unwrap()) {
            count += 1;
            if let Err(problem) = run(&ruleset, &scenario) {
                let name = feature.file_name().unwrap().to_string_lossy().into_owned();
                failed.push(format!("{name}: {}: {problem}", scenario.name));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count}:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(count, SCENARIOS, "the scenarios were not read as they are");
}
