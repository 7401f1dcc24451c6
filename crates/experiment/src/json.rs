//! Events as JSON, one object each, with every limit of the format.
//!
//! Fields are read once, in any order; strings without escapes are borrowed from the input.

use crate::decimal::decimal_text;
use crate::fields::{Fields, finish};
use crate::time::{format_time, shown};
use crate::{Attribute, Body, Event, Malformed, Retraction, Value};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Longest event in bytes.
pub const BYTES_MAX: usize = 64 * 1024;

/// Reads one event.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, Malformed> {
    if bytes.len() > BYTES_MAX {
        return Err(Malformed::whole(format!("has {} bytes; at most {BYTES_MAX} are allowed", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::whole("is not UTF-8"))?;
    let raw: Raw<'_> = serde_json::from_str(text).map_err(no_json)?;
    finish(raw.0)
}

fn no_json(problem: serde_json::Error) -> Malformed {
    Malformed::whole(format!("is not the JSON of an event: {problem}"))
}

/// Expands an event of a door that names several units (`"units": {"user": "u1", "device": "d9"}`) into one JSON text per unit,
/// with the same id and copy numbers from 0 in the order of the unit types. Others are returned as they are. Beside each text is its unit id.
pub fn expand_units(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(no_json)?;
    let Some(units) = object.remove("units") else {
        let event = decode(text.as_bytes())?;
        return Ok(vec![(event.unit_id.into_owned(), text.to_owned())]);
    };
    let units: BTreeMap<String, String> = serde_json::from_value(units).map_err(|_| {
        Malformed::field("units", "must be an object of unit type and unit id, such as {\"user\": \"u1\"}")
    })?;
    if units.is_empty() || units.len() > 8 {
        return Err(Malformed::field("units", "must name 1 to 8 units"));
    }
    if ["unit_id", "user_id", "unit_type", "copy"].iter().any(|name| object.contains_key(*name)) {
        return Err(Malformed::field("units", "stands instead of unit_id and unit_type; leave those out"));
    }
    // Spliced as text, because numbers must stay as they were written.
    let Some(open) = text.find('{') else { return Err(Malformed::whole("is not a JSON object")) };
    units
        .iter()
        .enumerate()
        .map(|(copy, (unit_type, unit_id))| {
            let head = serde_json::json!({ "unit_type": unit_type, "unit_id": unit_id, "copy": copy }).to_string();
            let expanded = format!("{},{}", &head[..head.len() - 1], &text[open + 1..]);
            decode(expanded.as_bytes())?;
            Ok((unit_id.clone(), expanded))
        })
        .collect()
}

/// Writes an event with the names of the format; [`decode`] reads the same event from it.
pub fn encode(event: &Event<'_>) -> String {
    let mut out = String::with_capacity(256);
    let mut field = |name: &str, value: &str| {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        out.push_str(value);
    };
    field("event_id", &format!("\"{}\"", event.id));
    match &event.body {
        Body::Exposure { experiment, variant } => {
            field("event_type", "\"exposure\"");
            field("experiment_id", &quoted(experiment));
            field("variant", &quoted(variant));
        }
        Body::Conversion { name, value, experiment } => {
            field("event_type", "\"conversion\"");
            field("event_name", &quoted(name));
            if let Some(value) = value {
                field("event_value", &decimal_text(*value));
            }
            if let Some(experiment) = experiment {
                field("experiment_id", &quoted(experiment));
            }
        }
        Body::Retraction(retraction) => {
            field("event_type", "\"retraction\"");
            match retraction {
                Retraction::Correct { target, target_time, name, value } => {
                    field("kind", "\"correct\"");
                    field("target_event_id", &format!("\"{target}\""));
                    field("target_event_time", &quoted(&format_time(*target_time)));
                    field("event_name", &quoted(name));
                    if let Some(value) = value {
                        field("event_value", &decimal_text(*value));
                    }
                }
                Retraction::Bot => field("kind", "\"bot\""),
                Retraction::Erase => field("kind", "\"erase\""),
            }
        }
    }
    field("event_time", &quoted(&format_time(event.time)));
    field("unit_id", &quoted(&event.unit_id));
    if event.unit_type != "user" {
        field("unit_type", &quoted(&event.unit_type));
    }
    if !event.attributes.is_empty() {
        let entries: Vec<String> = event
            .attributes
            .iter()
            .map(|(name, value)| format!("{}:{}", quoted(name), attribute_json(value)))
            .collect();
        field("attributes", &format!("{{{}}}", entries.join(",")));
    }
    if let Some(version) = event.config_version {
        field("config_version", &version.to_string());
    }
    if let Some(sdk) = &event.sdk {
        field("sdk", &quoted(sdk));
    }
    if event.copy != 0 {
        field("copy", &event.copy.to_string());
    }
    out.push('}');
    out
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn attribute_json(value: &Attribute<'_>) -> String {
    match value {
        Attribute::Text(text) => quoted(text),
        Attribute::Number(number) => serde_json::Value::from(*number).to_string(),
        Attribute::Bool(flag) => flag.to_string(),
    }
}

struct Raw<'a>(Fields<'a>);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw<'de>, M::Error> {
        let mut fields = Fields::default();
        while let Some(Text(name)) = map.next_key()? {
            let name = name.as_ref();
            // Where in the bytes it is helps nobody who looks for a field.
            let named = |problem: M::Error| <M::Error as serde::de::Error>::custom(format_args!("{name}: {problem}"));
            let slot = match name {
                "event_id" => &mut fields.event_id,
                "event_type" => &mut fields.event_type,
                "event_time" => &mut fields.event_time,
                "created_at" => &mut fields.created_at,
                "unit_id" => &mut fields.unit_id,
                "user_id" => &mut fields.user_id,
                "unit_type" => &mut fields.unit_type,
                "experiment_id" => &mut fields.experiment_id,
                "variant" => &mut fields.variant,
                "event_name" => &mut fields.event_name,
                "sdk" => &mut fields.sdk,
                "kind" => &mut fields.kind,
                "target_event_id" => &mut fields.target_event_id,
                "target_event_time" => &mut fields.target_event_time,
                "event_value" => {
                    let raw: &'de RawValue = map.next_value()?;
                    once(&mut fields.event_value, number(raw.get()), name)?;
                    continue;
                }
                "config_version" => {
                    once(&mut fields.config_version, map.next_value::<Option<u64>>().map_err(named)?, name)?;
                    continue;
                }
                "copy" => {
                    once(&mut fields.copy, map.next_value::<Option<u32>>().map_err(named)?, name)?;
                    continue;
                }
                "attributes" => {
                    once(
                        &mut fields.attributes,
                        map.next_value::<Option<Attributes<'de>>>().map_err(named)?.map(|it| it.0),
                        name,
                    )?;
                    continue;
                }
                "metadata" => {
                    once(
                        &mut fields.metadata,
                        map.next_value::<Option<Attributes<'de>>>().map_err(named)?.map(|it| it.0),
                        name,
                    )?;
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            once(slot, map.next_value::<Option<Text<'de>>>().map_err(named)?.map(|text| text.0), name)?;
        }
        Ok(Raw(fields))
    }
}

/// A field that stands twice is refused, because readers disagree on which one counts; `null` is the same as nothing.
fn once<T, E: serde::de::Error>(slot: &mut Option<T>, value: Option<T>, name: &str) -> Result<(), E> {
    if slot.is_some() && value.is_some() {
        return Err(E::custom(format_args!("{name} stands twice")));
    }
    if value.is_some() {
        *slot = value;
    }
    Ok(())
}

/// The raw text of a number, read exactly; `null` is the same as nothing.
fn number(text: &str) -> Option<Result<Value, String>> {
    (text != "null").then(|| crate::decimal(text).map_err(|problem| format!("{} {problem}", shown(text))))
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct Attributes<'a>(Vec<(Cow<'a, str>, Attribute<'a>)>);

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = Attributes<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of names and strings, numbers or booleans")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes<'de>, M::Error> {
                let mut entries = Vec::new();
                while let Some((Text(name), One(value))) = map.next_entry()? {
                    entries.push((name, value));
                }
                Ok(Attributes(entries))
            }
        }
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct One<'a>(Attribute<'a>);

impl<'de> Deserialize<'de> for One<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneVisitor;
        impl<'de> Visitor<'de> for OneVisitor {
            type Value = One<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a boolean")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<One<'de>, E> {
                Ok(One(Attribute::Text(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<One<'de>, E> {
                Ok(One(Attribute::Text(Cow::Owned(text.to_owned()))))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<One<'de>, E> {
                Ok(One(Attribute::Bool(flag)))
            }
            fn visit_u64<E>(self, number: u64) -> Result<One<'de>, E> {
                Ok(One(Attribute::Number(number as f64)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<One<'de>, E> {
                Ok(One(Attribute::Number(number as f64)))
            }
            fn visit_f64<E>(self, number: f64) -> Result<One<'de>, E> {
                Ok(One(Attribute::Number(number)))
            }
        }
        deserializer.deserialize_any(OneVisitor)
    }
}
