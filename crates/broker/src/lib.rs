//! The log behind one trait: Apache Kafka or files of this machine.

mod log;

pub use log::{Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Record, Stamping, Topic, TopicSpec};
