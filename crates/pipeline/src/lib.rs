//! Poll, decode, apply, flush to ClickHouse, snapshot.
//!
//! [`Owner`] folds one partition and never waits for ClickHouse; [`Flusher`] makes durable what the owner told, in order, so that a
//! snapshot is written only after everything that it covers. Both can be driven by one thread; [`Pipeline`] runs them on many. What may
//! repeat after a crash are looks, rows, dead letters and snapshots since the last snapshot, all with the same content.
//!
//! Rejected: committing offsets to the broker as the place to go on from. Two truths about one position can disagree, and a snapshot has to
//! name its offset anyway.

mod budget;
mod clock;
mod flush;
mod letter;
mod metrics;
mod migrate;
mod owner;
mod row;
mod runs;
mod service;
mod sink;
mod snapshots;
mod spill;
mod store;

pub use clock::{Clock, SystemClock};
pub use flush::{ChunkRows, FlushError, Flusher, FlusherParts, Item, Topics};
pub use letter::Letter;
pub use metrics::Metrics;
pub use migrate::{Migrated, MigrationError, migrate};
pub use owner::{Owner, OwnerError, OwnerSettings, Step, input_of};
pub use runs::FileRuns;
pub use service::{Doing, PartitionStatus, Parts, Pipeline};
pub use sink::{ClickHouse, ClickHouseSettings, Erasure, Insert, Sink, SinkError};
pub use snapshots::{Keep, Restored, SnapshotError, Snapshots};
pub use spill::{Delivery, Spill};
pub use store::{DirectoryStore, MemoryStore, Store, StoreError};
