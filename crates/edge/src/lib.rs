//! Which variant? Over HTTP, from definitions in memory.
//!
//! An [`Edge`] speaks OFREP, the protocol of OpenFeature's clients, so that every OpenFeature library is a library of Assay. It answers from
//! an immutable [`Ruleset`](assay_experiment::evaluation::Ruleset) that a thread beside the answering ones replaces; answering touches
//! neither network nor disk. What a single evaluation decides in a running experiment is appended to the log as an exposure, as are the
//! events that clients send. Rejected: a framework between socket and answer, which costs as much as everything else together.

mod answers;
mod body;
mod buffers;
mod bulk;
mod cors;
mod current;
mod dedupe;
mod disk;
mod edge;
mod etag;
mod events;
mod exposures;
mod files;
mod guard;
mod identify;
mod ladder;
mod limits;
mod losses;
mod metrics;
mod ofrep;
mod path;
mod prepare;
mod probes;
mod queue;
mod reports;
mod respond;
mod server;
mod service;
mod shipper;
mod source;
mod stream;
mod tokens;
mod upstream;

pub use cors::Origins;
pub use current::Offer;
pub use edge::{Edge, EdgeError, EdgeSettings, Presence};
pub use limits::Limits;
pub use shipper::{Destination, OpenLog};
pub use source::Source;
pub use tokens::Tokens;
pub use upstream::Upstream;

/// Who sends what this crate sends.
const SDK: &str = concat!("assay-edge/", env!("CARGO_PKG_VERSION"));
