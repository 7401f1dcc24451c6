//! The short form of an event's body: equal for JSON and Avro of the same event, different for (almost) any other.

use crate::{Attribute, Body, Digest, Event, Retraction, Timestamp, Value};
use xxhash_rust::xxh3::xxh3_64;

/// The digest of an event, without its id and unit, which are the key that it is remembered under.
pub fn digest(event: &Event<'_>) -> Digest {
    let mut bytes = Framed(Vec::with_capacity(128));
    match &event.body {
        Body::Conversion { name, value, .. } => bytes.conversion(event.time, name, *value),
        Body::Exposure { experiment, variant } => {
            bytes.0.push(1);
            bytes.number(event.time.0);
            bytes.text(experiment);
            bytes.text(variant);
        }
        Body::Retraction(retraction) => {
            bytes.0.push(3);
            bytes.number(event.time.0);
            match retraction {
                Retraction::Correct { target, target_time, name, value } => {
                    bytes.0.push(1);
                    bytes.0.extend_from_slice(&target.0.to_le_bytes());
                    bytes.conversion(*target_time, name, *value);
                }
                Retraction::Bot => bytes.0.push(2),
                Retraction::Erase => bytes.0.push(3),
            }
        }
    }
    let core = bytes.hash();
    bytes.0.clear();
    if let Body::Conversion { experiment, .. } = &event.body {
        bytes.text(experiment.as_deref().unwrap_or_default());
    }
    for (name, value) in &event.attributes {
        bytes.text(name);
        match value {
            Attribute::Text(text) => {
                bytes.0.push(1);
                bytes.text(text);
            }
            // -0.0 counts as 0.
            Attribute::Number(number) => {
                bytes.0.push(2);
                bytes.number((number + 0.0).to_bits() as i64);
            }
            Attribute::Bool(flag) => bytes.0.extend_from_slice(&[3, u8::from(*flag)]),
        }
    }
    bytes.0.push(0xff);
    bytes.number(event.config_version.map_or(-1, |version| version as i64));
    bytes.text(event.sdk.as_deref().unwrap_or_default());
    bytes.number(i64::from(event.copy));
    Digest { core, rest: bytes.hash() }
}

impl Digest {
    /// The core of the conversion that a correction describes.
    pub fn of_correction(time: Timestamp, name: &str, value: Option<Value>) -> u32 {
        let mut bytes = Framed(Vec::with_capacity(96));
        bytes.conversion(time, name, value);
        bytes.hash()
    }
}

struct Framed(Vec<u8>);

impl Framed {
    fn conversion(&mut self, time: Timestamp, name: &str, value: Option<Value>) {
        self.0.push(2);
        self.number(time.0);
        self.text(name);
        self.0.push(u8::from(value.is_some()));
        self.number(value.map_or(0, |value| value.0));
    }

    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn hash(&self) -> u32 {
        xxh3_64(&self.0) as u32
    }
}
