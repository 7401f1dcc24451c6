//! One event as the fold sees it, whatever encoding it came in.
//!
//! Decoding lives in `json` and `wire`; the rules of `formats` (lengths, finite values) hold for every [`Event`] that exists.

use crate::{EventId, Timestamp, Value};
use std::borrow::Cow;

/// A decoded event: every field within the limits of the format.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// The duplicate key, together with the unit.
    pub id: EventId,
    /// When it happened, by the producer's clock.
    pub time: Timestamp,
    /// What kind of thing was randomised; `user` unless said otherwise.
    pub unit_type: Cow<'a, str>,
    /// Who.
    pub unit_id: Cow<'a, str>,
    /// What happened.
    pub body: Body<'a>,
    /// Sorted by name, names unique.
    pub attributes: Vec<(Cow<'a, str>, Attribute<'a>)>,
    /// The version of the definitions by which the edge decided.
    pub config_version: Option<u64>,
    /// `name/version` of the library that sent it.
    pub sdk: Option<Cow<'a, str>>,
    /// 0 unless a door wrote one event for several units.
    pub copy: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Body<'a> {
    /// The unit saw a variant.
    Exposure {
        /// Id of the experiment.
        experiment: Cow<'a, str>,
        /// Name of the variant.
        variant: Cow<'a, str>,
    },
    /// The unit did something that metrics may want.
    Conversion {
        /// Name of the event, such as `purchase`.
        name: Cow<'a, str>,
        /// Absent for events that only count.
        value: Option<Value>,
        /// What the producer believed; never used for attribution.
        experiment: Option<Cow<'a, str>>,
    },
    /// Takes something back.
    Retraction(Retraction<'a>),
}

/// Takes something back.
#[derive(Debug, Clone, PartialEq)]
pub enum Retraction<'a> {
    /// One conversion, repeated here so that it can be removed without remembering it.
    Correct {
        /// Id of the conversion.
        target: EventId,
        /// Its event time.
        target_time: Timestamp,
        /// Its name.
        name: Cow<'a, str>,
        /// Its value.
        value: Option<Value>,
    },
    /// The unit is no person: it leaves all results for good.
    Bot,
    /// The unit asks to be forgotten: it leaves all results and tables for good.
    Erase,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A finite number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

/// A short form of an event's decoded body, equal for JSON and Avro of the same event.
///
/// `core` covers event type, time, names and value, that is what a `correct` retraction repeats; `rest` covers everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    /// Of what a retraction repeats.
    pub core: u32,
    /// Of the other fields.
    pub rest: u32,
}
