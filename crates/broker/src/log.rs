//! What every log can do. The contract is written as tests in `tests/contract.rs` and both logs pass it.

use std::time::Duration;

/// A partition of a topic, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u32);

/// The place of a record in its partition; of a record not yet written, the place it will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub u64);

/// Who says what time a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamping {
    /// The log, when it appends (Kafka's LogAppendTime).
    Append,
    /// The writer (Kafka's CreateTime), for backfills.
    Given,
}

/// What a topic should be.
#[derive(Debug, Clone)]
pub struct TopicSpec {
    /// Its name: at most 200 of `[a-zA-Z0-9._-]`.
    pub name: String,
    /// How many partitions; fixed for ever.
    pub partitions: u32,
    /// Who says what time a record has.
    pub stamping: Stamping,
    /// How long records are kept; `None` is for ever.
    pub retention: Option<Duration>,
    /// Whether only the newest record of each key has to be kept (Kafka: `cleanup.policy=compact`). Older ones disappear some time later.
    pub compacted: bool,
}

/// Most bytes of a record: key, headers and payload.
///
/// Twice what brokers let others write unless they are told otherwise, so that a dead letter, which carries its record whole and says what
/// is wrong with it, can be written too.
pub const RECORD_BYTES_MAX: usize = 2 << 20;

/// What a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Survives restarts. A local log's differs after deletion and re-creation. Kafka's does not: librdkafka does not hand out the broker's
    /// id of a topic, so this is the cluster's id and the name, and the genesis record in partition 0 has to tell.
    pub id: String,
    /// How many partitions.
    pub partitions: u32,
    /// Who says what time a record has.
    pub stamping: Stamping,
}

/// A record to be appended.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub payload: &'a [u8],
    /// Milliseconds since the epoch; needed with [`Stamping::Given`], ignored with [`Stamping::Append`].
    pub timestamp_ms: Option<i64>,
}

/// Where an appended record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its place.
    pub offset: Offset,
    /// Its time, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// The readable range of a partition: `low` is the oldest record kept, `next` is where the next one goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Oldest kept.
    pub low: Offset,
    /// One beyond the newest readable.
    pub next: Offset,
}

/// A record as read; borrows from its [`Batch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place. Gaps between neighbours are legal.
    pub offset: Offset,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// Names and values, encoded; use [`Record::header`].
    pub(crate) headers: &'a [u8],
    /// The body.
    pub payload: &'a [u8],
}

/// Records read together. Owns one buffer, so that reading costs no allocation per record.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) offset: Offset,
    pub(crate) timestamp_ms: i64,
    /// Start of the record in `bytes`; key, headers and payload follow each other.
    pub(crate) start: usize,
    /// Length of the key, or `None` where there is no key.
    pub(crate) key: Option<usize>,
    pub(crate) headers: usize,
    pub(crate) payload: usize,
}

/// A log: topics of partitions of records.
///
/// Blocking; callers own their threads. All methods may be called from several threads at once.
pub trait Log: Send + Sync {
    /// Creates the topic if there is none of that name; an existing one must have the same partitions and stamping, and must not be
    /// compacted unless it should be.
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error>;

    /// Describes a topic; [`Error::UnknownTopic`] if there is none.
    fn topic(&self, name: &str) -> Result<Topic, Error>;

    /// Appends in order and returns when all are durable and readable. After an error any prefix may have been written, but never a record
    /// without those before it. After [`Error::Refused`] it is of no use to try the same records again.
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error>;

    /// The readable range now.
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error>;

    /// Notes how far a partition has been dealt with, for tools that people watch lag with. Nothing depends on it, and nobody waits for it: an
    /// error may be that of an earlier note. A log that has no such tools does nothing.
    fn note_progress(&self, topic: &str, partition: Partition, next: Offset) -> Result<(), Error> {
        let _ = (topic, partition, next);
        Ok(())
    }

    /// Reads from an offset on. [`Error::OffsetGone`] if it was removed or never written.
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error>;
}

/// Reads one partition in order.
pub trait Reader: Send {
    /// Fills `batch` (cleared first) with what is there, at most about `max_bytes` but at least one record if any;
    /// waits up to `timeout` for the first. An empty batch means that nothing came.
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error>;

    /// One beyond the newest record that this reader can get to, as far as it knows; where it stands once it has read everything there is.
    fn next_in_log(&mut self) -> Result<Offset, Error>;
}

/// What can go wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such topic.
    #[error("there is no topic {0}; create it, or check the name and the log's address")]
    UnknownTopic(String),
    /// The topic has other properties than asked for.
    #[error("topic {topic} has {found}, but {wanted} is needed; use the old setting or a new topic name")]
    TopicDiffers {
        /// Its name.
        topic: String,
        /// What it has.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The offset is outside of what the log holds.
    #[error(
        "offset {wanted} of {topic}/{partition} is gone: the log holds {low} to {next}; the topic was truncated or recreated, \
         or it kept records for too short a time"
    )]
    OffsetGone {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Asked for.
        wanted: u64,
        /// Oldest.
        low: u64,
        /// Next to be written.
        next: u64,
    },
    /// Something that this log refuses, such as a record above [`RECORD_BYTES_MAX`]. Trying again does not help.
    #[error("record refused: {0}")]
    Refused(String),
    /// The log's own files are damaged beyond a torn tail.
    #[error("the log is damaged: {0}")]
    Corrupt(String),
    /// A file operation failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The broker said no, or nothing, for longer than allowed.
    #[error("kafka: {0}")]
    Kafka(String),
}

/// Headers as they travel in a batch: length-framed names and values.
pub(crate) fn encode_headers(headers: &[(&str, &[u8])], out: &mut Vec<u8>) {
    headers.iter().for_each(|(name, value)| encode_header(name, value, out));
}

/// One header as it travels in a batch.
pub(crate) fn encode_header(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

/// Refuses records that are too large, before any of them is written.
pub(crate) fn check_size(records: &[NewRecord<'_>]) -> Result<(), Error> {
    match records.iter().map(NewRecord::size).find(|&size| size > RECORD_BYTES_MAX) {
        Some(size) => Err(Error::Refused(format!("it has {size} bytes; at most {RECORD_BYTES_MAX} are allowed"))),
        None => Ok(()),
    }
}

impl NewRecord<'_> {
    /// Bytes of key, headers and payload, and of the lengths between the headers.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        self.key.map_or(0, <[u8]>::len) + headers + self.payload.len()
    }
}

impl<'a> Record<'a> {
    /// Names and values. A name that is not UTF-8 is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let mut rest = self.headers;
        let mut part = move || {
            let (length, after) = rest.split_at_checked(4)?;
            let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
            let (part, after) = after.split_at_checked(length)?;
            rest = after;
            Some(part)
        };
        std::iter::from_fn(move || Some((part()?, part()?)))
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Batch {
    /// Forgets all records, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }

    /// Bytes of all records.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record whose headers are encoded already.
    pub(crate) fn push(
        &mut self,
        offset: Offset,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        headers: &[u8],
        payload: &[u8],
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key.unwrap_or_default());
        self.bytes.extend_from_slice(headers);
        self.bytes.extend_from_slice(payload);
        let place = Place {
            offset,
            timestamp_ms,
            start,
            key: key.map(<[u8]>::len),
            headers: headers.len(),
            payload: payload.len(),
        };
        self.records.push(place);
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.records.iter().map(|place| {
            let key_end = place.start + place.key.unwrap_or(0);
            let headers_end = key_end + place.headers;
            Record {
                offset: place.offset,
                timestamp_ms: place.timestamp_ms,
                key: place.key.map(|_| &self.bytes[place.start..key_end]),
                headers: &self.bytes[key_end..headers_end],
                payload: &self.bytes[headers_end..headers_end + place.payload],
            }
        })
    }
}
