//! Events as bytes of the log: Avro in Confluent's framing, or JSON.
//!
//! The built-in schemas (`schemas/avro`, ids 1, 2 and 3 where no registry is configured) have a decoder of their own, because the generic
//! one of `apache-avro` costs several times as much; tests hold the two equal. Other writers' schemas go the generic way.

use crate::fields::{Fields, check_attributes, finish, limit, text};
use crate::{Attribute, Body, Event, EventId, Malformed, Retraction, Timestamp, Value, format_time, json};
use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Header in which a Confluent client puts the GUID of the schema, after one magic byte.
pub const GUID_HEADER: &str = "__value_schema_id";

/// The built-in schemas, in the order of their ids from 1.
pub const BUILT_IN: [&str; 3] = [
    include_str!("../../../schemas/avro/exposure.avsc"),
    include_str!("../../../schemas/avro/conversion.avsc"),
    include_str!("../../../schemas/avro/retraction.avsc"),
];

/// The writer schemas that are known.
#[derive(Debug, Default)]
pub struct Schemas {
    by_id: BTreeMap<u32, Writer>,
    by_guid: BTreeMap<[u8; 16], Writer>,
}

#[derive(Debug, Clone)]
enum Writer {
    BuiltIn(Kind),
    Foreign(Box<Foreign>),
}

/// A schema that somebody else wrote.
#[derive(Debug, Clone)]
struct Foreign {
    schema: Schema,
    /// How many digits of `event_value` stand behind the point, by branch of its union; alone where it is none.
    scales: Vec<Option<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exposure,
    Conversion,
    Retraction,
}

impl Schemas {
    /// Ids 1, 2 and 3: exposure, conversion, retraction.
    pub fn built_in() -> Self {
        let kinds = [Kind::Exposure, Kind::Conversion, Kind::Retraction];
        let by_id = kinds.into_iter().zip(1..).map(|(kind, id)| (id, Writer::BuiltIn(kind))).collect();
        Schemas { by_id, by_guid: BTreeMap::new() }
    }

    /// Makes a writer's schema known under the id that a registry gave it, and its GUID if it has one.
    pub fn register(&mut self, id: u32, guid: Option<[u8; 16]>, schema: &str) -> Result<(), Malformed> {
        let unusable = |problem: String| Malformed::whole(format!("schema {id} cannot be used: {problem}"));
        let parsed = Schema::parse_str(schema).map_err(|problem| unusable(problem.to_string()))?;
        let Schema::Record(record) = &parsed else { return Err(unusable("it is no record".to_owned())) };
        if !["Exposure", "Conversion", "Retraction"].contains(&record.name.name().to_owned().as_str()) {
            return Err(unusable("its name is none of Exposure, Conversion and Retraction".to_owned()));
        }
        bounded(&parsed, &mut Vec::new(), &mut HashMap::new(), 0).map_err(unusable)?;
        let value = record.fields.iter().find(|field| field.name == "event_value");
        let scales = value.map_or(Ok(Vec::new()), |field| scales(&field.schema)).map_err(unusable)?;
        // Counts and lengths that a body claims are checked against this before anything is allocated for them. The limit belongs to the
        // library and to the whole process; whoever set it first keeps it.
        apache_avro::util::max_allocation_bytes(json::BYTES_MAX);
        let writer = Writer::Foreign(Box::new(Foreign { schema: parsed, scales }));
        if let Some(guid) = guid {
            self.by_guid.insert(guid, writer.clone());
        }
        self.by_id.insert(id, writer);
        Ok(())
    }
}

/// The scale of each form that a schema gives `event_value`; an error for a form that is not exact.
fn scales(schema: &Schema) -> Result<Vec<Option<u32>>, String> {
    // With 18 digits behind the point the largest value still fits 128 bits.
    const LARGEST: usize = 18;
    let one = |schema: &Schema| match schema {
        Schema::Null => Ok(None),
        Schema::Int | Schema::Long => Ok(Some(0)),
        Schema::Decimal(decimal) if decimal.scale <= LARGEST => Ok(Some(decimal.scale as u32)),
        Schema::Decimal(decimal) => {
            Err(format!("its event_value has a scale of {}; at most {LARGEST} is possible", decimal.scale))
        }
        _ => Err("its event_value is neither a decimal nor a whole number, so that it would not be exact".to_owned()),
    };
    match schema {
        Schema::Union(union) => union.variants().iter().map(one).collect(),
        schema => Ok(vec![one(schema)?]),
    }
}

/// Whether every datum of a schema takes at least one byte; an error says why data of it would not be bounded by their bytes.
///
/// `path` has the names that contain this place, `known` those that were read before it.
fn bounded(
    schema: &Schema,
    path: &mut Vec<String>,
    known: &mut HashMap<String, bool>,
    depth: usize,
) -> Result<bool, String> {
    const DEEPEST: usize = 16;
    if depth > DEEPEST {
        return Err(format!("it is more than {DEEPEST} levels deep"));
    }
    let items = |takes_bytes: bool| {
        if takes_bytes { Ok(true) } else { Err("it has lists of items that take no bytes".to_owned()) }
    };
    match schema {
        Schema::Null => Ok(false),
        Schema::Fixed(fixed) => {
            known.insert(fixed.name.to_string(), fixed.size > 0);
            Ok(fixed.size > 0)
        }
        Schema::Enum(shape) => {
            known.insert(shape.name.to_string(), true);
            Ok(true)
        }
        Schema::Ref { name } => {
            let name = name.to_string();
            if path.contains(&name) {
                return Err(format!("its type {name} contains itself"));
            }
            // A name that nothing defined before is refused when the schema is parsed.
            Ok(known.get(&name).copied().unwrap_or(false))
        }
        Schema::Array(list) => items(bounded(&list.items, path, known, depth + 1)?),
        // The key of an entry takes a byte, but a million entries of one key are one entry.
        Schema::Map(map) => items(bounded(&map.types, path, known, depth + 1)?),
        Schema::Union(union) => {
            for branch in union.variants() {
                bounded(branch, path, known, depth + 1)?;
            }
            Ok(true)
        }
        Schema::Record(record) => {
            let name = record.name.to_string();
            path.push(name.clone());
            let mut takes_bytes = false;
            for field in &record.fields {
                takes_bytes |= bounded(&field.schema, path, known, depth + 1)?;
            }
            path.pop();
            known.insert(name, takes_bytes);
            Ok(takes_bytes)
        }
        _ => Ok(true),
    }
}

/// Reads an event from a record: JSON when the first byte is `{`, else Avro.
pub fn decode<'a>(payload: &'a [u8], guid: Option<&[u8]>, schemas: &Schemas) -> Result<Event<'a>, Malformed> {
    if payload.len() > json::BYTES_MAX {
        return Err(Malformed::whole(format!("has {} bytes; at most {} are allowed", payload.len(), json::BYTES_MAX)));
    }
    if let Some(guid) = guid {
        let id: Option<[u8; 16]> = guid.strip_prefix(&[1]).and_then(|id| id.try_into().ok());
        let id = id.ok_or_else(|| Malformed::whole("the schema header is not a magic byte 1 and 16 bytes"))?;
        let unknown = || Malformed::schema(id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        return datum(payload, schemas.by_guid.get(&id).ok_or_else(unknown)?);
    }
    match payload {
        [b'{', ..] => json::decode(payload),
        [0, a, b, c, d, datum_bytes @ ..] => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            let writer = schemas.by_id.get(&id).ok_or_else(|| Malformed::schema(id.to_string()))?;
            datum(datum_bytes, writer)
        }
        [] => Err(Malformed::whole("is empty")),
        [0, ..] => Err(Malformed::whole("is too short for a schema id")),
        [first, ..] => Err(Malformed::whole(format!(
            "starts with byte {first:#04x}: neither JSON ('{{') nor Avro in Confluent framing (0)"
        ))),
    }
}

/// The id of an event that was not read yet, if it has a built-in schema; of another one's, some bytes that mean nothing.
pub fn id_ahead(payload: &[u8]) -> Option<EventId> {
    let [0, _, _, _, _, datum @ ..] = payload else { return None };
    datum.first_chunk().map(|id| EventId(u128::from_be_bytes(*id)))
}

/// Writes an event as Avro in Confluent framing with the built-in schemas.
pub fn encode(event: &Event<'_>) -> Vec<u8> {
    let kind = match &event.body {
        Body::Exposure { .. } => 1,
        Body::Conversion { .. } => 2,
        Body::Retraction(_) => 3,
    };
    let mut out = vec![0, 0, 0, 0, kind];
    out.extend_from_slice(&event.id.0.to_be_bytes());
    long(&mut out, event.time.0);
    string(&mut out, &event.unit_type);
    string(&mut out, &event.unit_id);
    match &event.body {
        Body::Exposure { experiment, variant } => {
            string(&mut out, experiment);
            string(&mut out, variant);
        }
        Body::Conversion { name, value, experiment } => {
            string(&mut out, name);
            optional(&mut out, value.as_ref(), |out, value| decimal(out, *value));
            optional(&mut out, experiment.as_ref(), |out, id| string(out, id));
        }
        Body::Retraction(Retraction::Correct { target, target_time, name, value }) => {
            long(&mut out, 0);
            long(&mut out, 1);
            out.extend_from_slice(&target.0.to_be_bytes());
            long(&mut out, 1);
            long(&mut out, target_time.0);
            long(&mut out, 1);
            string(&mut out, name);
            optional(&mut out, value.as_ref(), |out, value| decimal(out, *value));
        }
        Body::Retraction(whole) => {
            long(&mut out, if *whole == Retraction::Bot { 1 } else { 2 });
            (0..4).for_each(|_| long(&mut out, 0));
        }
    }
    if !event.attributes.is_empty() {
        long(&mut out, event.attributes.len() as i64);
        for (name, value) in &event.attributes {
            string(&mut out, name);
            match value {
                Attribute::Text(text) => {
                    long(&mut out, 0);
                    string(&mut out, text);
                }
                Attribute::Number(number) => {
                    long(&mut out, 1);
                    out.extend_from_slice(&number.to_le_bytes());
                }
                Attribute::Bool(flag) => {
                    long(&mut out, 2);
                    out.push(u8::from(*flag));
                }
            }
        }
    }
    long(&mut out, 0);
    optional(&mut out, event.config_version.as_ref(), |out, version| long(out, *version as i64));
    optional(&mut out, event.sdk.as_ref(), |out, sdk| string(out, sdk));
    long(&mut out, i64::from(event.copy));
    out
}

fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn string(out: &mut Vec<u8>, text: &str) {
    long(out, text.len() as i64);
    out.extend_from_slice(text.as_bytes());
}

fn decimal(out: &mut Vec<u8>, value: Value) {
    let bytes = value.0.to_be_bytes();
    // As few bytes as keep the sign.
    let spare = (0..7).take_while(|&at| {
        let sign = if bytes[at + 1] & 0x80 == 0 { 0 } else { 0xff };
        bytes[at] == sign
    });
    let start = spare.count();
    long(out, (8 - start) as i64);
    out.extend_from_slice(&bytes[start..]);
}

fn optional<T>(out: &mut Vec<u8>, value: Option<&T>, write: impl FnOnce(&mut Vec<u8>, &T)) {
    long(out, i64::from(value.is_some()));
    if let Some(value) = value {
        write(out, value);
    }
}

fn datum<'a>(bytes: &'a [u8], writer: &Writer) -> Result<Event<'a>, Malformed> {
    match writer {
        Writer::BuiltIn(kind) => built_in(bytes, *kind),
        Writer::Foreign(writer) => foreign(bytes, writer),
    }
}

/// A datum of one of the built-in schemas, field by field.
fn built_in(bytes: &[u8], kind: Kind) -> Result<Event<'_>, Malformed> {
    let mut from = Datum { bytes };
    let id = EventId(u128::from_be_bytes(from.array()?));
    let time = Timestamp(from.long()?);
    let unit_type = text("unit_type", from.string()?, limit::UNIT_TYPE)?;
    let unit_id = text("unit_id", from.string()?, limit::UNIT_ID)?;
    let body = match kind {
        Kind::Exposure => Body::Exposure {
            experiment: text("experiment_id", from.string()?, limit::EXPERIMENT)?,
            variant: text("variant", from.string()?, limit::VARIANT)?,
        },
        Kind::Conversion => Body::Conversion {
            name: text("event_name", from.string()?, limit::NAME)?,
            value: from.optional(Datum::decimal)?,
            experiment: from.optional(|from| text("experiment_id", from.string()?, limit::EXPERIMENT))?,
        },
        Kind::Retraction => from.retraction()?,
    };
    let attributes = check_attributes(from.attributes()?)?;
    let config_version = from
        .optional(|from| u64::try_from(from.long()?).map_err(|_| Malformed::field("config_version", "is negative")))?;
    let sdk = from.optional(|from| text("sdk", from.string()?, limit::SDK))?;
    let copy = u32::try_from(from.int()?).map_err(|_| Malformed::field("copy", "is negative"))?;
    if !from.bytes.is_empty() {
        return Err(Malformed::whole(format!("has {} bytes behind its end", from.bytes.len())));
    }
    Ok(Event { id, time, unit_type, unit_id, body, attributes, config_version, sdk, copy })
}

struct Datum<'a> {
    bytes: &'a [u8],
}

impl<'a> Datum<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| Malformed::whole("ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("take returns what was asked for"))
    }

    fn long(&mut self) -> Result<i64, Malformed> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.take(1)?[0];
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Malformed::whole("has a number of more than 64 bits"))
    }

    fn int(&mut self) -> Result<i32, Malformed> {
        i32::try_from(self.long()?)
            .map_err(|_| Malformed::whole("has a number of more than 32 bits where an int should be"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed::whole("has a negative length"))?;
        self.take(length)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        std::str::from_utf8(self.bytes()?)
            .map(Cow::Borrowed)
            .map_err(|_| Malformed::whole("has a text that is not UTF-8"))
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<Option<T>, Malformed> {
        match self.long()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Malformed::whole("has a union branch that does not exist")),
        }
    }

    fn decimal(&mut self) -> Result<Value, Malformed> {
        unscaled(self.bytes()?, 6)
    }

    fn retraction(&mut self) -> Result<Body<'a>, Malformed> {
        let kind = self.int()?;
        let target = self.optional(|from| Ok(EventId(u128::from_be_bytes(from.array()?))))?;
        let target_time = self.optional(|from| Ok(Timestamp(from.long()?)))?;
        let name = self.optional(|from| text("event_name", from.string()?, limit::NAME))?;
        let value = self.optional(Datum::decimal)?;
        let missing = |field| Malformed::field(field, "is missing");
        Ok(Body::Retraction(match kind {
            0 => Retraction::Correct {
                target: target.ok_or_else(|| missing("target_event_id"))?,
                target_time: target_time.ok_or_else(|| missing("target_event_time"))?,
                name: name.ok_or_else(|| missing("event_name"))?,
                value,
            },
            1 => Retraction::Bot,
            2 => Retraction::Erase,
            _ => return Err(Malformed::field("kind", "is none of correct, bot and erase")),
        }))
    }

    fn attributes(&mut self) -> Result<Vec<(Cow<'a, str>, Attribute<'a>)>, Malformed> {
        let mut entries = Vec::new();
        loop {
            let mut count = self.long()?;
            if count == 0 {
                return Ok(entries);
            }
            // A negative count is followed by the size of the block in bytes.
            if count < 0 {
                self.long()?;
                count = count.checked_neg().ok_or_else(|| Malformed::whole("has a map of impossible size"))?;
            }
            if entries.len() as i64 + count > limit::ATTRIBUTES as i64 {
                let problem = format!("has more entries than the {} that are allowed", limit::ATTRIBUTES);
                return Err(Malformed::field("attributes", problem));
            }
            entries.reserve_exact(count as usize);
            for _ in 0..count {
                let name = self.string()?;
                let value = match self.long()? {
                    0 => Attribute::Text(self.string()?),
                    1 => Attribute::Number(f64::from_le_bytes(self.array()?)),
                    2 => match self.take(1)?[0] {
                        flag @ (0 | 1) => Attribute::Bool(flag == 1),
                        _ => return Err(Malformed::whole("has a boolean that is neither 0 nor 1")),
                    },
                    _ => return Err(Malformed::whole("has a union branch that does not exist")),
                };
                entries.push((name, value));
            }
        }
    }
}

/// A big-endian two's complement integer, of whose digits so many stand behind the point, in micro-units: half-even at the sixth.
fn unscaled(bytes: &[u8], scale: u32) -> Result<Value, Malformed> {
    let beyond = || Malformed::field("event_value", "is beyond 1,000,000,000 in magnitude");
    let sign = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    // A fixed decimal may be longer than its digits need.
    let spare = bytes.iter().take_while(|&&byte| byte == sign).count();
    if bytes.len() - spare > 15 {
        return Err(beyond());
    }
    let start = if sign == 0 { 0i128 } else { -1 };
    let value = bytes[spare..].iter().fold(start, |sum, &byte| sum << 8 | i128::from(byte));
    scaled(value, scale).filter(|value| value.abs() <= Value::MAX.0).map(Value).ok_or_else(beyond)
}

/// An integer of which so many digits stand behind the point, in micro-units.
fn scaled(value: i128, scale: u32) -> Option<i64> {
    let micro = match scale.checked_sub(6) {
        None => value.checked_mul(10i128.pow(6 - scale))?,
        Some(surplus) => {
            let unit = 10i128.pow(surplus);
            let (whole, rest) = (value / unit, (value % unit).abs());
            let up = rest * 2 > unit || rest * 2 == unit && whole % 2 != 0;
            whole + if up { value.signum() } else { 0 }
        }
    };
    i64::try_from(micro).ok()
}

/// A datum of another writer's schema: fields are taken by name, whatever their order; unknown ones are ignored.
fn foreign<'a>(bytes: &[u8], Foreign { schema, scales }: &Foreign) -> Result<Event<'a>, Malformed> {
    let unreadable = |problem: apache_avro::Error| Malformed::whole(format!("does not fit its schema: {problem}"));
    let mut rest = bytes;
    #[allow(deprecated)]
    let value = apache_avro::from_avro_datum(schema, &mut rest, None).map_err(unreadable)?;
    if !rest.is_empty() {
        return Err(Malformed::whole(format!("has {} bytes behind its end", rest.len())));
    }
    let (Avro::Record(record), Schema::Record(shape)) = (value, schema) else {
        return Err(Malformed::whole("its schema is no record"));
    };
    let mut fields = Fields { event_type: Some(Cow::Owned(shape.name.name().to_lowercase())), ..Fields::default() };
    for (name, value) in record {
        let (branch, value) = match value {
            Avro::Union(branch, value) => (branch as usize, *value),
            value => (0, value),
        };
        if value == Avro::Null {
            continue;
        }
        let wrong = || Malformed::whole(format!("field {name} has a type that an event does not have"));
        let slot = match name.as_str() {
            "event_value" => {
                let scale = scales.get(branch).copied().flatten().ok_or_else(wrong)?;
                fields.event_value = Some(Ok(match &value {
                    Avro::Decimal(decimal) => unscaled(&Vec::try_from(decimal).map_err(|_| wrong())?, scale)?,
                    Avro::Int(number) => unscaled(&number.to_be_bytes(), scale)?,
                    Avro::Long(number) => unscaled(&number.to_be_bytes(), scale)?,
                    _ => return Err(wrong()),
                }));
                continue;
            }
            "config_version" | "copy" => {
                let number = match value {
                    Avro::Long(number) => number,
                    Avro::Int(number) => i64::from(number),
                    _ => return Err(wrong()),
                };
                if name == "copy" {
                    fields.copy = Some(u32::try_from(number).map_err(|_| wrong())?);
                } else {
                    fields.config_version = Some(u64::try_from(number).map_err(|_| wrong())?);
                }
                continue;
            }
            "attributes" | "metadata" => {
                let Avro::Map(entries) = value else { return Err(wrong()) };
                let entries = entries.into_iter().map(|(name, value)| Some((Cow::Owned(name), attribute(value)?)));
                fields.attributes = Some(entries.collect::<Option<_>>().ok_or_else(wrong)?);
                continue;
            }
            "event_id" => &mut fields.event_id,
            "event_time" | "created_at" => &mut fields.event_time,
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
            _ => continue,
        };
        *slot = Some(Cow::Owned(as_text(value).ok_or_else(wrong)?));
    }
    finish(fields)
}

fn as_text(value: Avro) -> Option<String> {
    match value {
        Avro::String(text) | Avro::Enum(_, text) => Some(text),
        Avro::Uuid(id) => Some(id.to_string()),
        Avro::Fixed(16, bytes) => Some(EventId(u128::from_be_bytes(bytes.try_into().ok()?)).to_string()),
        Avro::TimestampMicros(micros) | Avro::Long(micros) => Some(format_time(Timestamp(micros))),
        Avro::TimestampMillis(millis) => Some(format_time(Timestamp::from_millis(millis))),
        _ => None,
    }
}

fn attribute(value: Avro) -> Option<Attribute<'static>> {
    match value {
        Avro::Union(_, value) => attribute(*value),
        Avro::String(text) => Some(Attribute::Text(Cow::Owned(text))),
        Avro::Boolean(flag) => Some(Attribute::Bool(flag)),
        Avro::Int(number) => Some(Attribute::Number(f64::from(number))),
        Avro::Long(number) => Some(Attribute::Number(number as f64)),
        Avro::Float(number) => Some(Attribute::Number(f64::from(number))),
        Avro::Double(number) => Some(Attribute::Number(number)),
        _ => None,
    }
}
