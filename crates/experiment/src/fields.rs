//! From loose fields to an [`Event`]: the rules that JSON and Avro share.

use crate::time::{parse_time, shown};
use crate::{Attribute, Body, Event, EventId, Malformed, Retraction, Timestamp, Value};
use std::borrow::Cow;

/// The fields of an event as they were found, before any rule was applied.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub event_id: Option<Cow<'a, str>>,
    pub event_type: Option<Cow<'a, str>>,
    pub event_time: Option<Cow<'a, str>>,
    pub created_at: Option<Cow<'a, str>>,
    pub unit_id: Option<Cow<'a, str>>,
    pub user_id: Option<Cow<'a, str>>,
    pub unit_type: Option<Cow<'a, str>>,
    pub experiment_id: Option<Cow<'a, str>>,
    pub variant: Option<Cow<'a, str>>,
    pub event_name: Option<Cow<'a, str>>,
    pub event_value: Option<Result<Value, String>>,
    pub attributes: Option<Vec<(Cow<'a, str>, Attribute<'a>)>>,
    pub metadata: Option<Vec<(Cow<'a, str>, Attribute<'a>)>>,
    pub config_version: Option<u64>,
    pub sdk: Option<Cow<'a, str>>,
    pub kind: Option<Cow<'a, str>>,
    pub target_event_id: Option<Cow<'a, str>>,
    pub target_event_time: Option<Cow<'a, str>>,
    pub copy: Option<u32>,
}

/// Limits of the format, in bytes or entries.
pub(crate) mod limit {
    pub const UNIT_ID: usize = 128;
    pub const UNIT_TYPE: usize = 32;
    pub const EXPERIMENT: usize = 64;
    pub const VARIANT: usize = 32;
    pub const NAME: usize = 64;
    pub const SDK: usize = 64;
    pub const ATTRIBUTES: usize = 32;
    pub const ATTRIBUTE_NAME: usize = 64;
    pub const ATTRIBUTE_VALUE: usize = 256;
}

/// Applies the rules.
pub(crate) fn finish(fields: Fields<'_>) -> Result<Event<'_>, Malformed> {
    let id = event_id("event_id", required("event_id", fields.event_id)?.as_ref())?;
    let time = one_of(("event_time", fields.event_time), ("created_at", fields.created_at))?;
    let time = time_of("event_time", required("event_time", time)?.as_ref())?;
    let by_user = fields.user_id.is_some();
    let unit_id = one_of(("unit_id", fields.unit_id), ("user_id", fields.user_id))?;
    let unit_id = text("unit_id", required("unit_id", unit_id)?, limit::UNIT_ID)?;
    let unit_type = text("unit_type", fields.unit_type.unwrap_or(Cow::Borrowed("user")), limit::UNIT_TYPE)?;
    if by_user && unit_type != "user" {
        return Err(Malformed::field(
            "user_id",
            format!("names a user, but unit_type is '{unit_type}'; write unit_id"),
        ));
    }
    let value = fields.event_value.transpose().map_err(|problem| Malformed::field("event_value", problem))?;
    let kind = required("event_type", fields.event_type)?;
    let body = match kind.as_ref() {
        "exposure" => Body::Exposure {
            experiment: text("experiment_id", required("experiment_id", fields.experiment_id)?, limit::EXPERIMENT)?,
            variant: text("variant", required("variant", fields.variant)?, limit::VARIANT)?,
        },
        "conversion" => Body::Conversion {
            name: text("event_name", required("event_name", fields.event_name)?, limit::NAME)?,
            value,
            experiment: fields.experiment_id.map(|id| text("experiment_id", id, limit::EXPERIMENT)).transpose()?,
        },
        "retraction" => Body::Retraction(match required("kind", fields.kind)?.as_ref() {
            "correct" => {
                let target_time = required("target_event_time", fields.target_event_time)?;
                Retraction::Correct {
                    target: event_id("target_event_id", required("target_event_id", fields.target_event_id)?.as_ref())?,
                    target_time: time_of("target_event_time", target_time.as_ref())?,
                    name: text("event_name", required("event_name", fields.event_name)?, limit::NAME)?,
                    value,
                }
            }
            "bot" => Retraction::Bot,
            "erase" => Retraction::Erase,
            other => {
                return Err(Malformed::field("kind", format!("'{}' is none of correct, bot and erase", shown(other))));
            }
        }),
        other => {
            let problem = format!("'{}' is none of exposure, conversion and retraction", shown(other));
            return Err(Malformed::field("event_type", problem));
        }
    };
    let attributes = one_of(("attributes", fields.attributes), ("metadata", fields.metadata))?;
    let attributes = check_attributes(attributes.unwrap_or_default())?;
    let sdk = fields.sdk.map(|sdk| text("sdk", sdk, limit::SDK)).transpose()?;
    let copy = fields.copy.unwrap_or(0);
    Ok(Event { id, time, unit_type, unit_id, body, attributes, config_version: fields.config_version, sdk, copy })
}

fn required<T>(name: &'static str, field: Option<T>) -> Result<T, Malformed> {
    field.ok_or_else(|| Malformed::field(name, "is missing"))
}

fn one_of<T: PartialEq>(
    name: (&'static str, Option<T>),
    alias: (&'static str, Option<T>),
) -> Result<Option<T>, Malformed> {
    match (name.1, alias.1) {
        (Some(one), Some(other)) if one != other => Err(Malformed::field(
            alias.0,
            format!("is another name of {} but has another value; send only one", name.0),
        )),
        (one, other) => Ok(one.or(other)),
    }
}

pub(crate) fn text<'a>(name: &'static str, value: Cow<'a, str>, max: usize) -> Result<Cow<'a, str>, Malformed> {
    if value.is_empty() || value.len() > max {
        return Err(Malformed::field(name, format!("has {} bytes; 1 to {max} are allowed", value.len())));
    }
    Ok(value)
}

fn event_id(name: &'static str, text: &str) -> Result<EventId, Malformed> {
    uuid(text.as_bytes()).map(EventId).ok_or_else(|| {
        Malformed::field(name, format!("'{}' is not a UUID such as 6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10", shown(text)))
    })
}

fn time_of(name: &'static str, text: &str) -> Result<Timestamp, Malformed> {
    parse_time(text).map_err(|problem| Malformed::field(name, problem))
}

/// 32 hexadecimal digits, with the four hyphens or without.
pub(crate) fn uuid(text: &[u8]) -> Option<u128> {
    let hyphens = match text.len() {
        36 => [8, 13, 18, 23].as_slice(),
        32 => &[],
        _ => return None,
    };
    let mut id = 0u128;
    for (at, &byte) in text.iter().enumerate() {
        if hyphens.contains(&at) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        id = id << 4 | u128::from((byte as char).to_digit(16)?);
    }
    Some(id)
}

/// Sorts by name and applies the limits.
pub(crate) fn check_attributes<'a>(
    mut attributes: Vec<(Cow<'a, str>, Attribute<'a>)>,
) -> Result<Vec<(Cow<'a, str>, Attribute<'a>)>, Malformed> {
    if attributes.len() > limit::ATTRIBUTES {
        let problem = format!("has {} entries; at most {} are allowed", attributes.len(), limit::ATTRIBUTES);
        return Err(Malformed::field("attributes", problem));
    }
    attributes.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    if let Some(twice) = attributes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Malformed::field("attributes", format!("'{}' stands twice", shown(&twice[0].0))));
    }
    for (name, value) in &attributes {
        if name.is_empty() || name.len() > limit::ATTRIBUTE_NAME {
            let problem = format!("a name has {} bytes; 1 to {} are allowed", name.len(), limit::ATTRIBUTE_NAME);
            return Err(Malformed::field("attributes", problem));
        }
        match value {
            Attribute::Text(text) if text.len() > limit::ATTRIBUTE_VALUE => {
                let problem =
                    format!("'{name}' has {} bytes; at most {} are allowed", text.len(), limit::ATTRIBUTE_VALUE);
                return Err(Malformed::field("attributes", problem));
            }
            Attribute::Number(number) if !number.is_finite() => {
                return Err(Malformed::field("attributes", format!("'{name}' is not a finite number")));
            }
            _ => {}
        }
    }
    Ok(attributes)
}
