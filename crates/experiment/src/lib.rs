//! What an experiment is, who gets which variant, exposures and conversions.

mod definition;
mod event;
mod vocabulary;

pub use definition::*;
pub use event::{Attribute, Body, Digest, Event, Retraction};
pub use vocabulary::{ConfigVersion, EventId, Span, Timestamp, Value};
