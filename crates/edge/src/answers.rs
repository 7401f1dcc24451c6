//! Answers made beforehand: the bytes for each (flag, variant, reason), so that answering is finding.

use assay_experiment::evaluation::{Answer, Reason, Rule, Ruleset};
use bytes::Bytes;
use std::ops::Range;

use crate::current::Standing;
use crate::limits::PREBUILT_VALUE_MAX;
use crate::respond::quoted;

/// The bytes of every usual answer of one set of definitions.
pub struct Answers {
    metadata: String,
    flags: Vec<Option<Prebuilt>>,
}

/// One buffer for all answers of a flag, and where each starts: variant by variant, in each reason by reason.
struct Prebuilt {
    bytes: Bytes,
    ends: Vec<u32>,
}

impl Answers {
    /// Makes them; takes milliseconds for thousands of flags and happens beside the answering threads.
    pub fn new(ruleset: &Ruleset, standing: Standing) -> Self {
        let metadata = metadata(ruleset.version().0, standing);
        let flags = (0..ruleset.flags().len()).map(|flag| prebuilt(ruleset, flag, &metadata)).collect();
        Answers { metadata, flags }
    }

    /// What is told beside every answer, as a JSON object.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The bytes of an answer.
    pub fn get(&self, ruleset: &Ruleset, answer: &Answer<'_>) -> Bytes {
        match self.made(answer) {
            Some((bytes, place)) => bytes.slice(place),
            None => {
                let mut out = Vec::new();
                self.make(ruleset, answer, &mut out);
                out.into()
            }
        }
    }

    /// Adds the bytes of an answer to others.
    pub fn append(&self, ruleset: &Ruleset, answer: &Answer<'_>, out: &mut Vec<u8>) {
        match self.made(answer) {
            Some((bytes, place)) => out.extend_from_slice(&bytes[place]),
            None => self.make(ruleset, answer, out),
        }
    }

    /// Where an answer is, if it was made beforehand.
    fn made(&self, answer: &Answer<'_>) -> Option<(&Bytes, Range<usize>)> {
        if answer.holdout.is_some() || answer.prerequisite.is_some() {
            return None;
        }
        let made = self.flags[answer.flag].as_ref()?;
        let at = answer.variant? * Reason::ALL.len() + place(answer.reason);
        let start = at.checked_sub(1).map_or(0, |before| made.ends[before]);
        Some((&made.bytes, start as usize..made.ends[at] as usize))
    }

    /// Answers with more to tell, and large ones, are made when they are needed.
    fn make(&self, ruleset: &Ruleset, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let rule = &ruleset.flags()[answer.flag];
        let mut metadata = with_own(rule, &self.metadata);
        for (name, value) in [("holdout", answer.holdout), ("prerequisite", answer.prerequisite)] {
            if let Some(value) = value {
                metadata.truncate(metadata.len() - 1);
                metadata.push_str(&format!(",\"{name}\":{}}}", quoted(value)));
            }
        }
        write(out, rule, answer.variant, answer.reason, &metadata);
    }
}

/// The place of a reason in [`Reason::ALL`].
fn place(reason: Reason) -> usize {
    reason as usize
}

fn prebuilt(ruleset: &Ruleset, flag: usize, metadata: &str) -> Option<Prebuilt> {
    let rule = &ruleset.flags()[flag];
    if rule.variants().iter().any(|(_, value)| value.to_string().len() > PREBUILT_VALUE_MAX) {
        return None;
    }
    let (mut out, mut ends, metadata) = (Vec::new(), Vec::new(), with_own(rule, metadata));
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

/// The version, and where the definitions are from unless they are fresh.
fn metadata(version: u64, standing: Standing) -> String {
    match standing {
        Standing::Fresh => format!("{{\"version\":{version}}}"),
        other => format!("{{\"version\":{version},\"configStale\":true,\"configSource\":\"{}\"}}", other.name()),
    }
}

/// What the definition itself has to tell, behind what is told of all.
fn with_own(rule: &Rule, metadata: &str) -> String {
    let mut all = metadata[..metadata.len() - 1].to_owned();
    let own =
        rule.metadata().iter().filter(|(name, _)| !["version", "configStale", "configSource"].contains(&name.as_str()));
    own.for_each(|(name, value)| all.push_str(&format!(",{}:{value}", quoted(name))));
    all.push('}');
    all
}
