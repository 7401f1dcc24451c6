//! The log behind one trait: Apache Kafka or files of this machine.
//!
//! [`open`] gives a [`Log`] by its address. Both kinds pass the same contract tests. Rejected: an asynchronous trait, because the fold reads
//! partitions on plain threads and an executor between log and fold would only add a place where a wake-up can get lost.

mod address;
mod compaction;
mod deliveries;
mod headers;
mod kafka;
mod kafka_reader;
mod local;
mod local_view;
mod log;
mod memory;
mod progress;
mod segment;
mod topic_settings;

pub use address::{open, open_to_read};
pub use kafka::{KafkaLog, KafkaSettings};
pub use local::{Fsync, LocalLog, LocalSettings};
pub use log::{
    Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, RECORD_BYTES_MAX, Reader, Record, Stamping,
    Topic, TopicSpec,
};
pub use memory::MemoryLog;
