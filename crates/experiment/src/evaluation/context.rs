//! What a caller knows about a unit, parsed once for any number of flags.

use super::Failure;
use crate::Attribute;
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{DataValue, ParsedData};
use std::borrow::Cow;
use std::cell::RefCell;

/// Bytes of a context: people and products are described in a few hundred.
const BYTES_MAX: usize = 64 << 10;
/// Keys of a context, those of nested objects included.
const KEYS_MAX: usize = 256;
/// Values in all lists of a context. A rule may go through one list for each value of another.
const ITEMS_MAX: usize = 1_000;
/// Nesting of a context; people and products have flat attributes.
const DEPTH_MAX: usize = 8;
/// Bytes of a unit's id, as in the events that will name it.
const UNIT_MAX: usize = 128;

/// An evaluation context: a JSON object with `targetingKey` and attributes. It may be sent to another thread, but not shared by two.
#[derive(Debug)]
pub struct Context {
    parsed: ParsedData,
    /// A targeting key that was sent as an integer, in decimal digits.
    digits: Option<String>,
    /// Whether it says which type of unit it is about.
    has_unit_type: bool,
    /// Memory of the engine, used for one condition after the other.
    arena: RefCell<Bump>,
}

/// A context that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContext {
    /// Not a JSON object, or one that says something twice.
    #[error("the context {0}")]
    Malformed(String),
    /// Beyond a limit.
    #[error("the context {0}")]
    TooLarge(String),
}

impl From<BadContext> for Failure {
    fn from(bad: BadContext) -> Self {
        Failure::InvalidContext(bad.to_string())
    }
}

impl Context {
    /// Reads a context. Rules that ask for the time (`$flagd.timestamp`) find null; see [`Context::at`].
    pub fn parse(json: &[u8]) -> Result<Context, BadContext> {
        Context::of(text(json)?)
    }

    /// Reads a context as of a time in seconds since 1970, which rules find as `$flagd.timestamp`.
    pub fn at(json: &[u8], seconds: i64) -> Result<Context, BadContext> {
        let text = text(json)?.trim_ascii_start();
        let Some(rest) = text.strip_prefix('{') else { return Context::of(text) };
        let comma = if rest.trim_ascii_start().starts_with('}') { "" } else { "," };
        Context::of(&format!("{{\"$flagd\":{{\"timestamp\":{seconds}}}{comma}{rest}"))
    }

    fn of(text: &str) -> Result<Context, BadContext> {
        let parsed =
            ParsedData::from_json(text).map_err(|problem| BadContext::Malformed(format!("is not JSON: {problem}")))?;
        if !parsed.value().is_object() {
            return Err(BadContext::Malformed("is no JSON object; send {} when nothing is known".to_owned()));
        }
        measure(parsed.value(), 1, &mut Size::default())?;
        let digits = match lookup(parsed.value(), "targetingKey") {
            Some(DataValue::Number(number)) if number.is_integer() => number.as_i64().map(|number| number.to_string()),
            _ => None,
        };
        let has_unit_type = lookup(parsed.value(), "unitType").is_some();
        Ok(Context { parsed, digits, has_unit_type, arena: RefCell::new(Bump::new()) })
    }

    /// The id of what asks, a text or an integer in digits.
    pub fn targeting_key(&self) -> Option<&str> {
        self.digits.as_deref().or_else(|| lookup(self.parsed.value(), "targetingKey")?.as_str())
    }

    /// A text, number or boolean by its name; lists, objects and null are `None`.
    pub fn attribute(&self, name: &str) -> Option<Attribute<'_>> {
        match lookup(self.parsed.value(), name)? {
            DataValue::String(text) => Some(Attribute::Text(Cow::Borrowed(text))),
            DataValue::Number(number) => Some(Attribute::Number(number.as_f64())),
            DataValue::Bool(flag) => Some(Attribute::Bool(*flag)),
            _ => None,
        }
    }

    /// The id of the unit of a type: the targeting key where the context is about that type (`unitType`, else `user`), otherwise the
    /// attribute of the type's name.
    pub(crate) fn unit(&self, unit_type: &str) -> Result<Cow<'_, str>, Failure> {
        let root = self.parsed.value();
        let said = if self.has_unit_type { lookup(root, "unitType").and_then(DataValue::as_str) } else { None };
        let asks = said.unwrap_or("user");
        let name = if asks == unit_type { "targetingKey" } else { unit_type };
        let invalid = |what: &str| Failure::InvalidContext(format!("'{name}' is {what}; {UNIT_RULE}"));
        let unit = match lookup(root, name) {
            None | Some(DataValue::Null | DataValue::String("")) => {
                return Err(Failure::TargetingKeyMissing(unit_type.to_owned()));
            }
            Some(DataValue::String(text)) => Cow::Borrowed(*text),
            Some(DataValue::Number(number)) if number.is_integer() => {
                Cow::Owned(number.as_i64().map(|number| number.to_string()).unwrap_or_default())
            }
            Some(DataValue::Number(_)) => return Err(invalid("a fraction, or an integer beyond 64 bits")),
            Some(DataValue::Bool(_)) => return Err(invalid("a boolean")),
            Some(_) => return Err(invalid("a list or an object")),
        };
        if unit.len() > UNIT_MAX {
            return Err(invalid(&format!("{} bytes long", unit.len())));
        }
        Ok(unit)
    }

    /// Memory for one evaluation. A rule that is evaluated within another gets its own.
    pub(super) fn with_arena<T>(&self, evaluate: impl FnOnce(&Bump) -> T) -> T {
        match self.arena.try_borrow_mut() {
            Ok(mut arena) => {
                let found = evaluate(&arena);
                arena.reset();
                found
            }
            Err(_) => evaluate(&Bump::new()),
        }
    }

    pub(super) fn parsed(&self) -> &ParsedData {
        &self.parsed
    }
}

const UNIT_RULE: &str = "the id of a unit is a text of 1 to 128 bytes, or an integer";

fn text(json: &[u8]) -> Result<&str, BadContext> {
    if json.len() > BYTES_MAX {
        return Err(BadContext::TooLarge(format!("has {} bytes; at most {BYTES_MAX} are allowed", json.len())));
    }
    std::str::from_utf8(json).map_err(|_| BadContext::Malformed("is not UTF-8".to_owned()))
}

pub(super) fn lookup<'a>(object: &'a DataValue<'a>, name: &str) -> Option<&'a DataValue<'a>> {
    object.as_object()?.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// What a context has so far.
#[derive(Default)]
struct Size {
    keys: usize,
    items: usize,
}

fn measure(value: &DataValue<'_>, depth: usize, size: &mut Size) -> Result<(), BadContext> {
    let too_large = |limit: String| Err(BadContext::TooLarge(limit));
    if depth > DEPTH_MAX && (value.is_object() || value.is_array()) {
        return too_large(format!("is nested more than {DEPTH_MAX} deep"));
    }
    match value {
        DataValue::Array(items) => {
            size.items += items.len();
            if size.items > ITEMS_MAX {
                return too_large(format!("has lists of more than {ITEMS_MAX} values together"));
            }
            items.iter().try_for_each(|item| measure(item, depth + 1, size))
        }
        DataValue::Object(entries) => {
            size.keys += entries.len();
            if size.keys > KEYS_MAX {
                return too_large(format!("has more than {KEYS_MAX} keys"));
            }
            for (at, (name, item)) in entries.iter().enumerate() {
                if entries[..at].iter().any(|(known, _)| known == name) {
                    return Err(BadContext::Malformed(format!("says '{name}' twice")));
                }
                measure(item, depth + 1, size)?;
            }
            Ok(())
        }
        DataValue::Number(number) if !number.as_f64().is_finite() => {
            Err(BadContext::Malformed("has a number beyond 1e308".to_owned()))
        }
        _ => Ok(()),
    }
}
