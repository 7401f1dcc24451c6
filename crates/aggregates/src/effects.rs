//! What the fold tells the world. The world cannot answer: effects never change the state.

use crate::look::Look;
use assay_experiment::{Event, Timestamp};
use std::fmt;

/// One record of the log as the fold reads it.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Its place in the partition.
    pub offset: u64,
    /// The broker's time of the record.
    pub timestamp: Timestamp,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Its body.
    pub payload: &'a [u8],
}

/// An accepted event: a row of `experiment_events`.
#[derive(Debug)]
pub struct Fact<'a> {
    /// Where it is in the log.
    pub offset: u64,
    /// Log time M when it was applied.
    pub log_time: Timestamp,
    /// The event.
    pub event: &'a Event<'a>,
}

/// A control record that took part in the fold, archived as a row.
#[derive(Debug)]
pub struct ControlFact<'a> {
    /// Where it is in the log.
    pub offset: u64,
    /// Log time M when it was applied.
    pub log_time: Timestamp,
    /// `genesis`, `config`, `settings` or `tick`.
    pub kind: &'static str,
    /// The version it belongs to, if any.
    pub version: Option<u64>,
    /// The record as it was.
    pub input: Input<'a>,
}

/// A record that was not accepted, with its original bytes.
#[derive(Debug)]
pub struct DeadLetter<'a> {
    /// Log time M when it was applied.
    pub log_time: Timestamp,
    /// Why, for counting.
    pub reason: Reason,
    /// Why, in words.
    pub detail: String,
    /// The record as it was.
    pub input: Input<'a>,
}

/// The end of a chunk: rows since the last one are to be inserted as one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Start of the window that all its rows lie in.
    pub window: Timestamp,
    /// Offset of its first row.
    pub first: u64,
    /// One beyond the last record in it: where a snapshot taken now would resume.
    pub next: u64,
    /// Accepted events and control records.
    pub rows: u32,
    /// Rejected records.
    pub dead: u32,
    /// Meaning of the fold by which they were told.
    pub semantics: u32,
}

/// Receives what the fold tells, in the order of the log.
pub trait Effects {
    /// An event was accepted.
    fn fact(&mut self, fact: &Fact<'_>);
    /// A control record was applied.
    fn control(&mut self, fact: &ControlFact<'_>);
    /// A record was rejected.
    fn dead_letter(&mut self, letter: &DeadLetter<'_>);
    /// One or more looks closed.
    fn look(&mut self, look: Look);
    /// A chunk ended; a snapshot may be taken before the next record.
    fn chunk(&mut self, chunk: Chunk);
    /// A unit asked to be forgotten: rows that name it have to go.
    fn erase(&mut self, unit_type: &str, unit_id: &str);
}

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Not an event of the format.
    Malformed,
    /// Avro with a schema id that is not known.
    UnknownSchema,
    /// An exposure of an experiment that is not defined.
    UnknownExperiment,
    /// An exposure of a variant that the experiment lacks.
    UnknownVariant,
    /// The event names a version of the definitions that this partition has not seen.
    UnknownVersion,
    /// An exposure of a unit of another type than the experiment's.
    WrongUnitType,
    /// An exposure of an experiment that is still a draft.
    NotRunning,
    /// The unit belongs to another partition.
    Misrouted,
    /// The event's time is too far ahead of log time.
    Future,
    /// The event's time is too far behind log time.
    Late,
    /// The same id as an accepted event, with another body.
    Conflict,
    /// The unit has more events, or more waiting, than one unit may have.
    Rate,
    /// The unit asked to be forgotten.
    Erased,
    /// A control record that is incomplete, forged or invalid.
    Control,
}

impl Reason {
    /// All, in the order of their numbers.
    pub const ALL: [Reason; 14] = [
        Reason::Malformed,
        Reason::UnknownSchema,
        Reason::UnknownExperiment,
        Reason::UnknownVariant,
        Reason::UnknownVersion,
        Reason::WrongUnitType,
        Reason::NotRunning,
        Reason::Misrouted,
        Reason::Future,
        Reason::Late,
        Reason::Conflict,
        Reason::Rate,
        Reason::Erased,
        Reason::Control,
    ];

    /// As in results, tables and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Malformed => "malformed",
            Reason::UnknownSchema => "unknown_schema",
            Reason::UnknownExperiment => "unknown_experiment",
            Reason::UnknownVariant => "unknown_variant",
            Reason::UnknownVersion => "unknown_version",
            Reason::WrongUnitType => "wrong_unit_type",
            Reason::NotRunning => "not_running",
            Reason::Misrouted => "misrouted",
            Reason::Future => "future",
            Reason::Late => "late",
            Reason::Conflict => "conflict",
            Reason::Rate => "rate",
            Reason::Erased => "erased",
            Reason::Control => "control",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
