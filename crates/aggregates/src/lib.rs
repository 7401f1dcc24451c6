//! The state of one partition: validate, dedupe, attribute, add, close windows, snapshot.
//!
//! [`Partition`] is a fold over the records of one partition of the log. It has no clock and no I/O: what it needs from outside is
//! in the records, and what it tells the outside goes through [`Effects`]. Sealed runs of remembered event ids live behind [`Runs`],
//! which answers by content and so cannot change a result. Rejected: a key-value store for unit state, because a snapshot of it and the
//! offset it belongs to could not be taken at one point without stopping the fold anyway.

mod attribution;
mod bytes;
mod cell;
mod control;
mod dedupe;
mod effects;
mod filter;
mod kept;
mod look;
mod lost;
mod minutes;
mod partition;
mod pieces;
mod rejected;
mod settings;
mod slot;
mod snapshot;
mod totals;
mod units;
mod versions;
mod windows;

pub use bytes::Torn;
pub use cell::{Cell, Contribution};
pub use dedupe::{Dedupe, Entry, Lookups, MemoryRuns, Remembered, RunName, Runs, RunsError};
pub use effects::{Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Reason};
pub use look::{Counters, ExperimentChanges, Look, LookError};
pub use minutes::ring_start;
pub use partition::{Partition, Size};
pub use pieces::{Assembler, pieces};
pub use rejected::{ByReason, Rejected};
pub use settings::{Halt, SEMANTICS, SEMANTICS_KNOWN};
pub use slot::{Tallies, horizon};
pub use snapshot::{RestoreError, SnapshotInfo};
pub use totals::{Block, SEGMENTS_MAX, SegmentValues};
pub use units::TOUCHED_MAX;
