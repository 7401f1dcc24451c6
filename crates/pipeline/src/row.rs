//! Rows of the tables in ClickHouse's RowBinary format: fields in the order of the column lists here, without names.
//!
//! The same chunk of the log gives the same bytes, whoever encodes it and whenever.

use assay_aggregates::{ControlFact, DeadLetter, Fact};
use assay_experiment::{Attribute, Body, Event, Retraction, Timestamp, Value};
use bytes::Bytes;

/// Columns of `experiment_events`, as [`Rows::fact`] and [`Rows::control`] write them.
pub(crate) const EVENT_COLUMNS: &str = "event_id, event_type, experiment_id, variant, user_id, event_name, event_value, metadata, \
    created_at, unit_type, copy, config_version, sdk, kind, target_event_id, target_event_time, body, log_time, chunk_time, \
    semantics, log, partition, offset";
/// Columns of `dead_letters`, as [`Rows::dead_letter`] writes them.
pub(crate) const DEAD_LETTER_COLUMNS: &str =
    "reason, detail, key, payload, log_time, chunk_time, semantics, log, partition, offset";
/// Columns of `chunks`, as [`ledger`] writes them.
pub(crate) const CHUNK_COLUMNS: &str =
    "log, semantics, partition, first_offset, next_offset, rows, dead, hash, chunk_time";

/// What every row of a partition has in common.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub log: String,
    pub semantics: u32,
    pub partition: u32,
}

/// The rows of one chunk so far. `chunk_time` is known when the chunk ends, so rows are written with room for it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub bytes: Vec<u8>,
    pub count: u32,
    /// Where each row's `chunk_time` stands.
    chunk_times: Vec<usize>,
}

impl Rows {
    pub fn fact(&mut self, origin: &Origin, fact: &Fact<'_>) {
        let event = fact.event;
        let mut named = Named::default();
        let erase = matches!(event.body, Body::Retraction(Retraction::Erase));
        named.read(&event.body);
        self.uuid(event.id.0);
        self.text(named.event_type);
        self.text(named.experiment);
        self.text(named.variant);
        // The request to forget somebody must not be what remembers them.
        self.text(if erase { "" } else { &event.unit_id });
        self.text(named.name);
        self.nullable(named.value, |rows, value| rows.int64(value.0));
        if erase {
            self.length(0)
        } else {
            self.attributes(event)
        };
        self.int64(event.time.0);
        self.text(&event.unit_type);
        self.uint32(event.copy);
        self.int64(event.config_version.unwrap_or(0) as i64);
        self.text(event.sdk.as_deref().unwrap_or_default());
        self.text(named.kind);
        self.nullable(named.target, |rows, target| rows.uuid(target));
        self.nullable(named.target_time, |rows, time| rows.int64(time.0));
        self.text("");
        self.end(origin, fact.log_time, fact.offset);
    }

    pub fn control(&mut self, origin: &Origin, fact: &ControlFact<'_>) {
        self.uuid(0);
        self.text(fact.kind);
        self.text("");
        self.text("");
        self.text("");
        self.text("");
        self.bytes.push(1);
        self.length(fact.input.headers.len());
        for (name, value) in fact.input.headers {
            self.text(name);
            self.raw(value);
        }
        self.int64(fact.log_time.0);
        self.text("");
        self.uint32(0);
        self.int64(fact.version.unwrap_or(0) as i64);
        self.text("");
        self.text("");
        self.bytes.push(1);
        self.bytes.push(1);
        self.raw(fact.input.payload);
        self.end(origin, fact.log_time, fact.offset);
    }

    pub fn dead_letter(&mut self, origin: &Origin, letter: &DeadLetter<'_>) {
        self.text(letter.reason.name());
        self.text(&letter.detail);
        self.raw(letter.input.key.unwrap_or_default());
        self.raw(letter.input.payload);
        self.end(origin, letter.log_time, letter.input.offset);
    }

    fn end(&mut self, origin: &Origin, log_time: Timestamp, offset: u64) {
        self.int64(log_time.millis());
        self.chunk_times.push(self.bytes.len());
        self.uint32(0);
        self.uint32(origin.semantics);
        self.text(&origin.log);
        self.uint32(origin.partition);
        self.int64(offset as i64);
        self.count += 1;
    }

    /// The finished rows: the chunk's window is known now.
    pub fn finish(mut self, window: Timestamp) -> Bytes {
        let seconds = seconds(window).to_le_bytes();
        for at in self.chunk_times {
            self.bytes[at..at + 4].copy_from_slice(&seconds);
        }
        self.bytes.into()
    }

    fn attributes(&mut self, event: &Event<'_>) {
        self.length(event.attributes.len());
        for (name, value) in &event.attributes {
            self.text(name);
            match value {
                Attribute::Text(text) => self.text(text),
                Attribute::Number(number) => self.text(&number.to_string()),
                Attribute::Bool(yes) => self.text(if *yes { "true" } else { "false" }),
            }
        }
    }

    fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes.push(u8::from(value.is_none()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// LEB128.
    fn length(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn uint32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn int64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// ClickHouse writes the upper half first, each half little-endian.
    fn uuid(&mut self, id: u128) {
        self.bytes.extend_from_slice(&((id >> 64) as u64).to_le_bytes());
        self.bytes.extend_from_slice(&(id as u64).to_le_bytes());
    }
}

/// What the kinds of events have in common as columns.
#[derive(Default)]
struct Named<'a> {
    event_type: &'static str,
    experiment: &'a str,
    variant: &'a str,
    name: &'a str,
    value: Option<Value>,
    kind: &'static str,
    target: Option<u128>,
    target_time: Option<Timestamp>,
}

impl<'a> Named<'a> {
    fn read(&mut self, body: &'a Body<'a>) {
        match body {
            Body::Exposure { experiment, variant } => {
                (self.event_type, self.experiment, self.variant) = ("exposure", experiment, variant);
            }
            Body::Conversion { name, value, experiment } => {
                (self.event_type, self.name, self.value) = ("conversion", name, *value);
                self.experiment = experiment.as_deref().unwrap_or_default();
            }
            Body::Retraction(retraction) => {
                self.event_type = "retraction";
                match retraction {
                    Retraction::Correct { target, target_time, name, value } => {
                        (self.kind, self.name, self.value) = ("correct", name, *value);
                        (self.target, self.target_time) = (Some(target.0), Some(*target_time));
                    }
                    Retraction::Bot => self.kind = "bot",
                    Retraction::Erase => self.kind = "erase",
                }
            }
        }
    }
}

/// The row of the `chunks` table for a chunk.
pub(crate) fn ledger(origin: &Origin, chunk: &assay_aggregates::Chunk, hash: u128) -> Vec<u8> {
    let mut row = Rows::default();
    row.text(&origin.log);
    row.uint32(chunk.semantics);
    row.uint32(origin.partition);
    row.int64(chunk.first as i64);
    row.int64(chunk.next as i64);
    row.uint32(chunk.rows);
    row.uint32(chunk.dead);
    row.text(&format!("{hash:032x}"));
    row.uint32(seconds(chunk.window));
    row.bytes
}

/// ClickHouse's DateTime: seconds since the epoch in 32 bits; what lies outside is shown as the nearest.
fn seconds(time: Timestamp) -> u32 {
    time.0.div_euclid(1_000_000).clamp(0, i64::from(u32::MAX)) as u32
}
