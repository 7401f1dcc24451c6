//! Canonical JSON as YAML that people read and [`assay_experiment::parse`] reads back.

use serde_json::Value as Json;

/// Members in an order that people expect; the others follow by name.
const FIRST: [&str; 8] = ["kind", "id", "title", "hypothesis", "owner", "status", "unit", "assignment"];

/// A document.
pub(crate) fn document(value: &Json) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Json, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(members) => {
            let first = FIRST.iter().filter_map(|name| members.get_key_value(*name));
            let rest = members.iter().filter(|(name, _)| !FIRST.contains(&name.as_str()));
            for (name, value) in first.chain(rest) {
                out.push_str(&format!("{indent}{}:", scalar(&Json::from(name.as_str()))));
                nested(out, value, depth);
            }
        }
        Json::Array(items) => {
            for item in items {
                out.push_str(&format!("{indent}- {}\n", flow(item)));
            }
        }
        other => out.push_str(&format!("{indent}{}\n", scalar(other))),
    }
}

fn nested(out: &mut String, value: &Json, depth: usize) {
    match value {
        Json::Object(members) if !members.is_empty() && members.values().any(|it| it.is_object() || it.is_array()) => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        Json::Array(items) if items.iter().any(|it| it.is_object() || it.is_array()) => {
            out.push('\n');
            block(out, value, depth + 1);
        }
        other => out.push_str(&format!(" {}\n", flow(other))),
    }
}

/// On one line.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(members) if members.is_empty() => "{}".to_owned(),
        Json::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", scalar(&Json::from(name.as_str())), flow(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        other => scalar(other),
    }
}

/// Plain where it can be taken for nothing else; else as JSON, which is YAML too.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) => {
            let starts = text.starts_with(|it: char| it.is_ascii_alphabetic());
            let plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
            // What some reader of YAML takes for a truth value or for nothing.
            let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
            let taken = word.contains(&text.to_ascii_lowercase().as_str());
            if starts && plain && !taken { text.clone() } else { value.to_string() }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::{Source, canonical, parse};
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let text = "kind: experiment\nid: shop\nsalt: \"12e3\"\ntitle: \"Is 'x: y' # better?\"\nstatus: running\n\
            variants: [{ name: \"on\", control: true }, { name: treatment, weight: 2 }]\n\
            targeting: { \"==\": [{ \"var\": \"country\" }, \"DE\"] }\nsegments: [{ attribute: country, values: [DE, \"NO\"] }]\n\
            metrics: [{ metric: bought, role: primary, minimum_effect: 1% }]\nanalysis: { planned_units: 1000 }\n---\n\
            { kind: metric, id: bought, type: conversion, event: buy, window: 14d }\n";
        let read = |text: &str| canonical::parts(&parse(&[Source { name: "test", text }]).unwrap());
        let parts = read(text);
        let written: Vec<String> = parts.iter().map(|part| document(&serde_json::from_str(part).unwrap())).collect();
        assert_eq!(read(&written.join("---\n")), parts, "{}", written.join("---\n"));
        assert!(
            written[1].starts_with("kind: experiment\nid: shop\ntitle: \"Is 'x: y' # better?\"\n"),
            "{}",
            written[1]
        );
    }

    #[test]
    fn empty_things_stay_things() {
        assert_eq!(document(&json!({"a": {}, "b": [], "c": "no", "d": 1.5})), "a: {}\nb: []\nc: \"no\"\nd: 1.5\n");
    }
}
