//! From what a door was given to records of the log: defaults filled in, ids made, units told apart, every limit checked.

use assay_experiment::{Timestamp, format_time, json};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::current::Current;
use crate::events::Door;
use crate::exposures::{exposure, floor, now, version};
use crate::identify;

/// The fields of an object as they were written: numbers must stay exact.
type Fields = BTreeMap<String, String>;

/// Unit and text of each record that an event becomes; `Err` says why it is none.
pub fn records(door: Door, text: &str, current: Option<&Current>) -> Result<Vec<(String, String)>, String> {
    let complete = match door {
        Door::Events => Cow::Borrowed(text),
        Door::Exposures => exposure_of(text, current)?.into(),
        Door::Track => track_of(text)?.into(),
    };
    json::expand_units(&complete).map_err(|problem| problem.to_string())
}

/// An exposure, said in full, or asked for by `flag` and `context`: then the edge decides which variant it is.
fn exposure_of(text: &str, current: Option<&Current>) -> Result<String, String> {
    let mut fields = read(text)?;
    if let Some(flag) = fields.remove("flag") {
        return exposure_of_flag(&flag, fields.get("context"), current);
    }
    if fields.entry("event_type".to_owned()).or_insert_with(|| quote("exposure")) != "\"exposure\"" {
        return Err("event_type: this address takes exposures only; send others to /v1/events".to_owned());
    }
    if let Some(version) = current.and_then(version) {
        fields.entry("config_version".to_owned()).or_insert_with(|| version.to_string());
    }
    Ok(complete(fields))
}

fn exposure_of_flag(flag: &str, context: Option<&String>, current: Option<&Current>) -> Result<String, String> {
    let current = current.ok_or("flag: this edge has no definitions yet; send it again")?;
    let key: String = serde_json::from_str(flag).map_err(|_| "flag: is no text")?;
    let context = context.map_or("{}", String::as_str);
    let context = current.context(context.as_bytes()).map_err(|problem| format!("context: {problem}"))?;
    let answer = current.ruleset.evaluate_key(&key, &context).map_err(|problem| format!("flag: {problem}"))?;
    match &answer.exposure {
        Some(assigned) => Ok(exposure(current, assigned, &context, now())),
        None => Err(format!("flag: no experiment decided ({}), so there is nothing to log", answer.reason.name())),
    }
}

/// A conversion: as the format has it, or as OpenFeature tracks (`name`, `context`, `details` with `value`).
fn track_of(text: &str) -> Result<String, String> {
    let mut fields = read(text)?;
    if let Some(name) = fields.remove("name") {
        fields.insert("event_name".to_owned(), name);
    }
    if let Some(context) = fields.remove("context") {
        let context = read(&context).map_err(|problem| format!("context: {problem}"))?;
        let unit = context.get("targetingKey").ok_or("context: targetingKey is missing: whose event is it?")?;
        let unit = if unit.starts_with('"') { unit.clone() } else { quote(unit) };
        fields.entry("unit_id".to_owned()).or_insert(unit);
        if let Some(kind) = context.get("unitType") {
            fields.entry("unit_type".to_owned()).or_insert_with(|| kind.clone());
        }
    }
    if let Some(details) = fields.remove("details") {
        let mut details = read(&details).map_err(|problem| format!("details: {problem}"))?;
        if let Some(value) = details.remove("value") {
            fields.insert("event_value".to_owned(), value);
        }
        if !details.is_empty() {
            fields.entry("attributes".to_owned()).or_insert_with(|| write(&details));
        }
    }
    if fields.entry("event_type".to_owned()).or_insert_with(|| quote("conversion")) != "\"conversion\"" {
        return Err("event_type: this address takes conversions only; send others to /v1/events".to_owned());
    }
    Ok(complete(fields))
}

/// Fills in time, library and, last, the id that follows from everything else.
fn complete(mut fields: Fields) -> String {
    if !fields.contains_key("created_at") {
        fields.entry("event_time".to_owned()).or_insert_with(|| quote(&format_time(second())));
    }
    fields.entry("sdk".to_owned()).or_insert_with(|| quote(crate::SDK));
    if !fields.contains_key("event_id") {
        let mut framed = Vec::new();
        for part in fields.iter().flat_map(|(name, value)| [name, value]) {
            framed.extend_from_slice(&(part.len() as u32).to_le_bytes());
            framed.extend_from_slice(part.as_bytes());
        }
        fields.insert("event_id".to_owned(), quote(&identify::of(&framed).to_string()));
    }
    write(&fields)
}

fn second() -> Timestamp {
    floor(now())
}

fn quote(text: &str) -> String {
    crate::respond::quoted(text)
}

fn write(fields: &Fields) -> String {
    let entries: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
    format!("{{{}}}", entries.join(","))
}

fn read(text: &str) -> Result<Fields, String> {
    let pairs: Pairs = serde_json::from_str(text).map_err(|problem| format!("is no JSON object: {problem}"))?;
    let mut fields = Fields::new();
    for (name, value) in pairs.0 {
        // The same as nothing, everywhere in the format.
        if value.get() == "null" {
            continue;
        }
        if fields.insert(name.clone(), value.get().to_owned()).is_some() {
            return Err(format!("{name}: stands twice"));
        }
    }
    Ok(fields)
}

/// Names and raw values in the order written, repeats and all.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<'de>, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::{Attribute, Body, Event, Value};

    fn one(door: Door, text: &str) -> (String, String) {
        let mut records = records(door, text, None).unwrap();
        assert_eq!(records.len(), 1);
        records.remove(0)
    }

    #[test]
    fn an_exposure_needs_only_what_it_is_about() {
        let text =
            "{\"experiment_id\":\"shop\",\"variant\":\"b\",\"unit_id\":\"u1\",\"event_time\":\"2026-11-24T12:00:00Z\"}";
        let (unit, record) = one(Door::Exposures, text);
        assert_eq!((unit.as_str(), &record), ("u1", &one(Door::Exposures, text).1), "a retry is the same event");
        let event = json::decode(record.as_bytes()).unwrap();
        assert_eq!(event.body, Body::Exposure { experiment: "shop".into(), variant: "b".into() });
        assert_eq!(event.sdk.as_deref(), Some(crate::SDK));
        let other = one(Door::Exposures, &text.replace("\"b\"", "\"a\"")).1;
        assert_ne!(json::decode(other.as_bytes()).unwrap().id, event.id);
        let kept = text.replace('{', "{\"event_id\":\"6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10\",");
        assert!(one(Door::Exposures, &kept).1.contains("6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10"));
        for (text, problem) in [
            ("{\"event_type\":\"conversion\"}", "exposures only"),
            ("{\"variant\":\"b\",\"unit_id\":\"u\"}", "experiment_id: is missing"),
            ("{\"variant\":\"a\",\"variant\":\"b\"}", "variant: stands twice"),
            ("[]", "is no JSON object"),
            ("{\"flag\":\"shop\"}", "no definitions"),
        ] {
            let found = records(Door::Exposures, text, None).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }

    #[test]
    fn openfeature_tracking_becomes_a_conversion() {
        let text = "{\"name\":\"purchase\",\"context\":{\"targetingKey\":17,\"unitType\":\"account\",\"x\":1},\
                    \"details\":{\"value\":19.990001,\"currency\":\"EUR\"}}";
        let (unit, record) = one(Door::Track, text);
        let event = json::decode(record.as_bytes()).unwrap();
        assert_eq!((unit.as_str(), &*event.unit_type), ("17", "account"));
        let Body::Conversion { name, value, .. } = &event.body else { panic!("{event:?}") };
        assert_eq!((&**name, *value), ("purchase", Some(Value(19_990_001))));
        assert_eq!(event.attributes, [("currency".into(), Attribute::Text("EUR".into()))]);
        assert_eq!(event.time.0 % 1_000_000, 0, "the start of a second");
        let plain = one(Door::Track, "{\"event_name\":\"view\",\"unit_id\":\"u\"}").1;
        assert!(matches!(json::decode(plain.as_bytes()), Ok(Event { body: Body::Conversion { .. }, .. })));
        for (text, problem) in [
            ("{\"name\":\"view\",\"context\":{}}", "targetingKey is missing"),
            ("{\"name\":\"view\",\"unit_id\":\"u\",\"details\":{\"a\":[1]}}", "attributes"),
            ("{\"name\":\"view\",\"unit_id\":\"u\",\"details\":{\"value\":\"x\"}}", "event_value"),
            ("{\"name\":\"view\"}", "unit_id: is missing"),
        ] {
            let found = records(Door::Track, text, None).unwrap_err();
            assert!(found.contains(problem), "{text}: {found}");
        }
    }

    #[test]
    fn one_event_of_several_units_is_a_record_for_each() {
        let text = "{\"name\":\"view\",\"units\":{\"user\":\"u1\",\"device\":\"d9\"}}";
        let records = records(Door::Track, text, None).unwrap();
        let events: Vec<Event<'_>> = records.iter().map(|(_, text)| json::decode(text.as_bytes()).unwrap()).collect();
        assert_eq!(records.iter().map(|(unit, _)| unit.as_str()).collect::<Vec<_>>(), ["d9", "u1"]);
        assert_eq!((events[0].id, events[0].copy, events[1].copy), (events[1].id, 0, 1));
    }
}
