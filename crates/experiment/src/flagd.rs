//! Flags from flagd's JSON format, so that files written for flagd are answered by this engine as flagd answers them.
//!
//! Each flag goes through the same reader as our own, and one that is refused is refused alone. Targeting stays as it is, with what
//! `$evaluators` defines put in the place of each `$ref`; a rule that cannot be evaluated is found when the flags are compiled.

use crate::Flag;
use crate::parse_flag::flag;
use crate::read::Check;
use crate::yaml::from_json;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Bytes of a file; ten thousand flags of ordinary size have fewer.
const BYTES_MAX: usize = 16 << 20;
/// Flags of a file, as many as definitions in a set.
const FLAGS_MAX: usize = 10_000;
/// Bytes of a key, as many as an id has.
const KEY_MAX: usize = 64;
/// How far `$ref` may lead to others.
const REFERENCES_MAX: usize = 8;
/// Values that a rule may have with all references replaced; a rule within its limit of bytes has fewer. Otherwise a few evaluators that name
/// each other twice would fill the memory.
const VALUES_MAX: usize = 40_000;

/// The flags of a file.
#[derive(Debug, Default)]
pub struct Import {
    /// By key.
    pub flags: BTreeMap<String, Flag>,
    /// Keys of flags that cannot be taken over, and why.
    pub refused: Vec<(String, String)>,
}

/// Whether a text is a file of flagd, as far as one can tell: JSON with an object `flags`. Other JSON is none, and what is no JSON may be one
/// with a slip in it, which only reading it tells.
pub fn may_be(text: &str) -> bool {
    if text.len() > BYTES_MAX {
        return false;
    }
    serde_json::from_str::<Json>(text).map_or(true, |file| file.get("flags").is_some_and(Json::is_object))
}

/// Reads a file of flagd. `Err` when it is none.
///
/// What flagd does otherwise than a flag of ours is kept: a disabled flag, and one without `defaultVariant`, answers the caller's own default;
/// and a key may have letters that no id of ours has, so that such a flag can be evaluated, but not be published.
pub fn import(text: &str) -> Result<Import, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("the file has {} bytes; at most {BYTES_MAX} are allowed", text.len()));
    }
    let file: Json = serde_json::from_str(text).map_err(|problem| format!("this is not JSON: {problem}"))?;
    let Some(flags) = file.get("flags").and_then(Json::as_object) else {
        return Err("this is no file of flagd: it has no object 'flags'".to_owned());
    };
    if flags.len() > FLAGS_MAX {
        return Err(format!("{} flags; at most {FLAGS_MAX} are allowed", flags.len()));
    }
    let none = Map::new();
    let part = |name: &str| file.get(name).and_then(Json::as_object).unwrap_or(&none);
    let (evaluators, metadata) = (part("$evaluators"), part("metadata"));
    let mut import = Import::default();
    for (key, given) in flags {
        match one(key, given, evaluators, metadata) {
            Ok(flag) => {
                import.flags.insert(key.clone(), flag);
            }
            Err(reason) => import.refused.push((key.clone(), reason)),
        }
    }
    Ok(import)
}

fn one(key: &str, given: &Json, evaluators: &Map<String, Json>, shared: &Map<String, Json>) -> Result<Flag, String> {
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(format!("its key has {} bytes; 1 to {KEY_MAX} are allowed", key.len()));
    }
    let enabled = match given.get("state").and_then(Json::as_str) {
        Some("ENABLED") => true,
        Some("DISABLED") => false,
        _ => return Err("its state is neither ENABLED nor DISABLED".to_owned()),
    };
    let variants = given.get("variants").and_then(Json::as_object).ok_or("it has no object 'variants'")?;
    let kind = match variants.values().next() {
        Some(Json::Bool(_)) => "boolean",
        Some(Json::Number(_)) => "number",
        Some(Json::Object(_)) => "object",
        _ => "string",
    };
    let mut metadata = shared.clone();
    metadata.extend(given.get("metadata").and_then(Json::as_object).cloned().unwrap_or_default());
    let mut document = json!({"kind": "flag", "id": "flagd", "type": kind, "enabled": enabled, "variants": variants});
    if let Some(default) = given.get("defaultVariant").filter(|default| enabled && !default.is_null()) {
        document["default"] = default.clone();
    }
    if !metadata.is_empty() {
        document["metadata"] = metadata.into();
    }
    let mut check = Check { file: "flagd", problems: Vec::new(), strict: false };
    let read = flag(&mut check, &from_json(&document));
    let problems: Vec<&str> = check.problems.iter().map(|problem| problem.message.as_str()).collect();
    let Some((mut flag, _)) = read.filter(|_| problems.is_empty()) else { return Err(problems.join("; ")) };
    flag.id = key.to_owned();
    let targeting = given.get("targeting").filter(|rule| rule.as_object().is_none_or(|rule| !rule.is_empty()));
    flag.targeting =
        targeting.filter(|rule| !rule.is_null()).map(|rule| resolved(rule, evaluators, 0, &mut { VALUES_MAX }));
    Ok(flag)
}

/// A rule with its references replaced. Those that lead nowhere or too far stay, so that compiling the rule says so.
fn resolved(rule: &Json, evaluators: &Map<String, Json>, depth: usize, room: &mut usize) -> Json {
    let Some(rest) = room.checked_sub(1) else { return json!({"$ref": "more values than a rule may have"}) };
    *room = rest;
    match rule {
        Json::Array(items) => items.iter().map(|item| resolved(item, evaluators, depth, room)).collect(),
        Json::Object(entries) => {
            let target = entries.get("$ref").filter(|_| entries.len() == 1).and_then(Json::as_str);
            match target.and_then(|name| evaluators.get(name)).filter(|_| depth < REFERENCES_MAX) {
                Some(evaluator) => resolved(evaluator, evaluators, depth + 1, room),
                None => {
                    entries.iter().map(|(name, item)| (name.clone(), resolved(item, evaluators, depth, room))).collect()
                }
            }
        }
        scalar => scalar.clone(),
    }
}
