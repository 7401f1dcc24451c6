//! What an experiment is, who gets which variant, exposures and conversions.
//!
//! Pure: bytes, texts and values in, values out. [`wire::decode`] reads an [`Event`] from a record of the log, [`parse`] reads
//! [`Definitions`] from YAML, [`canonical`] writes them for the log, [`control`] holds the records by which Assay speaks to itself,
//! [`assignment`] hashes units, [`evaluation`] says who gets which variant of what. Rejected: deriving serialisation on the core types, because then every rename would be a
//! change of the format.

pub mod assignment;
pub mod canonical;
#[cfg(test)]
mod contract;
pub mod control;
mod decimal;
mod definition;
pub mod digest;
pub mod evaluation;
mod event;
mod fields;
pub mod flagd;
pub mod json;
mod malformed;
pub mod ofrep;
mod parse;
mod parse_flag;
mod parse_metric;
mod parse_schema;
mod parse_serving;
pub mod partitioner;
mod problem;
mod read;
pub mod snapshot;
mod time;
mod validate;
mod vocabulary;
pub mod wire;
mod yaml;

pub use decimal::decimal;
pub use definition::*;
pub use event::{Attribute, Body, Digest, Event, Retraction};
pub use malformed::Malformed;
pub use parse::{Source, parse};
pub use problem::{Problem, nearest};
pub use time::{format_time, parse_time};
pub use validate::wanted_filters;
pub use vocabulary::{ConfigVersion, EventId, Span, Timestamp, Value};
