//! Answers made beforehand: the bytes for each (flag, variant, reason), so that answering is finding.
//!
//! They say what [`assay_experiment::ofrep::body`] says. Metadata stands last, so that what only one request has to tell is put behind it.

use assay_experiment::evaluation::{Answer, Reason, Rule, Ruleset};
use bytes::Bytes;
use std::fmt::Write;
use std::ops::Range;

use crate::current::Standing;
use crate::limits::PREBUILT_VALUE_MAX;
use crate::respond::quoted;

/// The bytes of every usual answer of one set of definitions.
pub struct Answers {
    metadata: String,
    flags: Vec<Option<Prebuilt>>,
}

/// One buffer for all answers of a flag, and where each ends: variant by variant, in each reason by reason.
struct Prebuilt {
    bytes: Bytes,
    ends: Vec<u32>,
}

impl Answers {
    /// Makes them; takes milliseconds for thousands of flags and happens beside the answering threads.
    pub fn new(ruleset: &Ruleset, standing: Standing) -> Self {
        let metadata = metadata(ruleset, standing);
        let flags = ruleset.flags().iter().map(|rule| prebuilt(rule, &metadata)).collect();
        Answers { metadata, flags }
    }

    /// What is told beside every answer, as a JSON object.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The bytes of an answer.
    pub fn get(&self, ruleset: &Ruleset, answer: &Answer<'_>) -> Bytes {
        match self.made(answer) {
            Some((bytes, place)) if !tells_more(ruleset, answer) => bytes.slice(place),
            _ => {
                let mut out = Vec::new();
                self.append(ruleset, answer, &mut out);
                out.into()
            }
        }
    }

    /// Adds the bytes of an answer to others.
    pub fn append(&self, ruleset: &Ruleset, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let rule = &ruleset.flags()[answer.flag];
        match self.made(answer) {
            Some((bytes, place)) => out.extend_from_slice(&bytes[place]),
            // Large values are rare, and would be kept once for each reason.
            None => write(out, rule, answer.variant, answer.reason, &of_rule(rule, &self.metadata)),
        }
        if !tells_more(ruleset, answer) {
            return;
        }
        // Both braces, of the metadata and of the whole.
        out.truncate(out.len() - 2);
        if let Some(assigned) = answer.exposure.as_ref().filter(|_| rule.experiment().is_none()) {
            let (id, phase) = (quoted(&assigned.experiment.id), assigned.phase);
            out.extend_from_slice(format!(",\"experiment\":{id},\"phase\":{phase}").as_bytes());
        }
        for (name, value) in [("holdout", answer.holdout), ("prerequisite", answer.prerequisite)] {
            if let Some(value) = value {
                out.extend_from_slice(format!(",\"{name}\":{}", quoted(value)).as_bytes());
            }
        }
        out.extend_from_slice(b"}}");
    }

    /// Where an answer is, if it was made beforehand.
    fn made(&self, answer: &Answer<'_>) -> Option<(&Bytes, Range<usize>)> {
        let made = self.flags[answer.flag].as_ref()?;
        let at = answer.variant? * Reason::ALL.len() + answer.reason as usize;
        let start = at.checked_sub(1).map_or(0, |before| made.ends[before]);
        Some((&made.bytes, start as usize..made.ends[at] as usize))
    }
}

/// Whether this request's answer says more than that its flag has this variant.
fn tells_more(ruleset: &Ruleset, answer: &Answer<'_>) -> bool {
    answer.holdout.is_some()
        || answer.prerequisite.is_some()
        || answer.exposure.is_some() && ruleset.flags()[answer.flag].experiment().is_none()
}

fn prebuilt(rule: &Rule, metadata: &str) -> Option<Prebuilt> {
    if rule.variants().iter().any(|(_, value)| value.to_string().len() > PREBUILT_VALUE_MAX) {
        return None;
    }
    let (mut out, mut ends, metadata) = (Vec::new(), Vec::new(), of_rule(rule, metadata));
    for variant in 0..rule.variants().len() {
        for reason in Reason::ALL {
            write(&mut out, rule, Some(variant), reason, &metadata);
            ends.push(out.len() as u32);
        }
    }
    Some(Prebuilt { bytes: out.into(), ends })
}

/// A success of the protocol. `variant` is always there, because clients take its absence for an error.
fn write(out: &mut Vec<u8>, rule: &Rule, variant: Option<usize>, reason: Reason, metadata: &str) {
    let variant = variant.map(|variant| &rule.variants()[variant]);
    let name = variant.map_or("null".to_owned(), |(name, _)| quoted(name));
    let key = quoted(rule.key());
    let start = ["{\"key\":", &key, ",\"reason\":\"", reason.name(), "\",\"variant\":", &name];
    start.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    if let Some((_, value)) = variant {
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(value.to_string().as_bytes());
    }
    let end = [",\"metadata\":", metadata, "}"];
    end.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

/// Version and environment, and where the definitions are from unless they are fresh.
fn metadata(ruleset: &Ruleset, standing: Standing) -> String {
    let mut all = format!("{{\"version\":{},\"flagSetId\":{}", ruleset.version().0, quoted(ruleset.environment()));
    if standing != Standing::Fresh {
        // Writing into a text cannot fail.
        let _ = write!(all, ",\"configStale\":true,\"configSource\":\"{}\"", standing.name());
    }
    all.push('}');
    all
}

/// What the definition itself has to tell, behind what is told of all.
fn of_rule(rule: &Rule, metadata: &str) -> String {
    const OURS: [&str; 6] = ["version", "flagSetId", "configStale", "configSource", "experiment", "phase"];
    let mut all = metadata[..metadata.len() - 1].to_owned();
    let own = rule.metadata().iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
    own.for_each(|(name, value)| all.push_str(&format!(",{}:{value}", quoted(name))));
    if let Some((experiment, phase)) = rule.experiment() {
        let _ = write!(all, ",\"experiment\":{},\"phase\":{phase}", quoted(&experiment.id));
    }
    all.push('}');
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::evaluation::Context;
    use assay_experiment::{ConfigVersion, Source, ofrep, parse};
    use serde_json::Value as Json;

    const TEXT: &str = r#"
{ kind: flag, id: dark, type: boolean, variants: { "on": true, "off": false }, default: "off", rules: [{ rollout: { "on": 50%, "off": 50% } }] }
---
{ kind: flag, id: price, type: number, variants: { low: 1, high: 2.5 }, default: low }
---
{ kind: flag, id: tried, type: string, variants: { a: A, b: B }, default: a, rules: [{ experiment: shop }] }
---
{ kind: flag, id: "no", type: object, enabled: false, variants: { a: { x: [1, "ü"] } }, default: a }
---
{ kind: holdout, id: out, unit: user, share: 20% }
---
{ kind: experiment, id: shop, salt: s, status: running, variants: [{ name: a, control: true }, { name: b }],
  metrics: [{ metric: bought, role: primary }], analysis: { planned_units: 10 } }
---
{ kind: metric, id: bought, type: conversion, event: buy }
"#;

    /// The bytes are another way to write what the pure crate says, whatever the reason.
    #[test]
    fn bytes_say_what_the_protocol_says() {
        let large = format!(
            "---\n{{ kind: flag, id: large, type: string, variants: {{ a: {} }}, default: a }}",
            "x".repeat(9_000)
        );
        let definitions =
            parse(&[Source { name: "a.yaml", text: TEXT }, Source { name: "b.yaml", text: &large }]).unwrap();
        let ruleset = Ruleset::compile(&definitions, ConfigVersion(7), "production");
        let answers = Answers::new(&ruleset, Standing::Fresh);
        let mut reasons = std::collections::BTreeSet::new();
        for unit in 0..200 {
            let context = Context::parse(format!("{{\"targetingKey\":\"u{unit}\"}}").as_bytes()).unwrap();
            for (flag, rule) in ruleset.flags().iter().enumerate() {
                let outcome = ruleset.evaluate(flag, &context);
                let Ok(answer) = &outcome else { panic!("{outcome:?}") };
                let mut appended = Vec::new();
                answers.append(&ruleset, answer, &mut appended);
                assert_eq!(appended, answers.get(&ruleset, answer));
                let found: Json = serde_json::from_slice(&appended).unwrap();
                assert_eq!(found, ofrep::body(&ruleset, rule.key(), &outcome), "{}", rule.key());
                reasons.insert((answer.reason, answer.holdout.is_some(), tells_more(&ruleset, answer)));
            }
        }
        assert!(reasons.len() >= 4, "{reasons:?}");
    }

    #[test]
    fn what_is_not_fresh_says_so() {
        let definitions = parse(&[Source { name: "a.yaml", text: TEXT }]).unwrap();
        let ruleset = Ruleset::compile(&definitions, ConfigVersion(7), "production");
        let answers = Answers::new(&ruleset, Standing::LastKnownGood);
        let context = Context::parse(b"{}").unwrap();
        let bytes = answers.get(&ruleset, &ruleset.evaluate_key("price", &context).unwrap());
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_eq!(
            text,
            "{\"key\":\"price\",\"reason\":\"STATIC\",\"variant\":\"low\",\"value\":1.0,\"metadata\":{\"version\":7,\
             \"flagSetId\":\"production\",\"configStale\":true,\"configSource\":\"last_known_good\"}}"
        );
    }
}
