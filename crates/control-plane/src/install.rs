//! Makes a log Assay's: topics, and the genesis record that starts every partition of the events.

use assay_broker::{Appended, Batch, Error as LogError, Log, NewRecord, Offset, Partition, TopicSpec};
use assay_experiment::control::{self, Control, Encoded, Genesis};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::files::{FileError, read, write};

/// A log that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Files of this installation.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is something else in it.
    #[error(
        "partition {partition} of {topic} does not start with a genesis record: the topic is somebody else's; give another name"
    )]
    Foreign {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// It is not the log that this installation knows.
    #[error(
        "{topic} is log {found}, but this installation belongs to log {known}: the topic was deleted and made again, or the data directory \
         is another's; use the old topic, or a new data directory"
    )]
    Recreated {
        /// The topic.
        topic: String,
        /// What the log says.
        found: String,
        /// What the data directory says.
        known: String,
    },
    /// Another number of partitions.
    #[error(
        "{topic} has {found} partitions, but the log was made with {wanted}; events would meet the wrong state: use a new topic"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: u32,
        /// How many it should have.
        wanted: u32,
    },
    /// A file of this installation that cannot be read.
    #[error(
        "{} is damaged ({problem}); restore it from a copy, or remove it if the topic is certainly the one that this data directory belongs to",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Its start was removed, and nothing here knows what it was.
    #[error(
        "the start of {0} was removed and this data directory does not know the log; copy the data directory that does"
    )]
    Unknown(String),
    /// The settings of a new log contradict each other.
    #[error("{0}; nothing was written, choose other settings")]
    Settings(#[from] assay_experiment::Malformed),
}

/// How long reading the first record may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Creates what is missing and gives the identity of the log. `wanted` is used for a log that has none yet.
pub fn install(
    log: &dyn Log,
    topics: &[TopicSpec],
    events: &str,
    directory: &Path,
    wanted: impl FnOnce(String, u64) -> Genesis,
) -> Result<Genesis, InstallError> {
    // The events come first: if they are refused, nothing else is made.
    let (of_events, others): (Vec<_>, Vec<_>) = topics.iter().partition(|topic| topic.name == events);
    let mut partitions = 0;
    for spec in of_events {
        partitions = log.create_topic(spec)?.partitions;
    }
    let file = directory.join("genesis.json");
    let known = match read(&file)? {
        // Without it a topic that was made again could not be told from the one that this directory belongs to.
        Some(bytes) => Some(
            Genesis::decode(&bytes)
                .map_err(|problem| InstallError::Damaged { path: file.clone(), problem: problem.to_string() })?,
        ),
        None => None,
    };
    let is_new = known.is_none();
    let genesis = match (first(log, events, 0)?, known) {
        (Start::Genesis(found), None) => found,
        (Start::Genesis(found), Some(known)) if found == known => known,
        (Start::Genesis(found), Some(known)) => {
            return Err(InstallError::Recreated { topic: events.to_owned(), found: found.log, known: known.log });
        }
        (Start::Removed, Some(known)) => known,
        (Start::Removed, None) => return Err(InstallError::Unknown(events.to_owned())),
        (Start::Empty, Some(known)) => {
            return Err(InstallError::Recreated {
                topic: events.to_owned(),
                found: "empty".to_owned(),
                known: known.log,
            });
        }
        (Start::Empty, None) => {
            let id = uuid::Uuid::new_v4().simple().to_string();
            let genesis = wanted(id, uuid::Uuid::new_v4().as_u64_pair().0);
            genesis.check()?;
            append(log, events, 0, &control::genesis(&genesis))?;
            // Another process may have been faster: the first record counts.
            match first(log, events, 0)? {
                Start::Genesis(genesis) => genesis,
                _ => return Err(InstallError::Foreign { topic: events.to_owned(), partition: 0 }),
            }
        }
    };
    if genesis.partitions != partitions {
        return Err(InstallError::Partitions {
            topic: events.to_owned(),
            found: partitions,
            wanted: genesis.partitions,
        });
    }
    for partition in 1..partitions {
        if let Start::Empty = first(log, events, partition)? {
            if !is_new {
                return Err(InstallError::Recreated {
                    topic: format!("partition {partition} of {events}"),
                    found: "empty".to_owned(),
                    known: genesis.log,
                });
            }
            append(log, events, partition, &control::genesis(&genesis))?;
        }
        match first(log, events, partition)? {
            Start::Genesis(found) if found != genesis => {
                return Err(InstallError::Recreated { topic: events.to_owned(), found: found.log, known: genesis.log });
            }
            _ => {}
        }
    }
    for spec in others {
        log.create_topic(spec)?;
    }
    write(&file, &genesis.encode())?;
    Ok(genesis)
}

/// What a partition starts with.
enum Start {
    Empty,
    Removed,
    Genesis(Genesis),
}

fn first(log: &dyn Log, topic: &str, partition: u32) -> Result<Start, InstallError> {
    let bounds = log.bounds(topic, Partition(partition))?;
    if bounds.low.0 > 0 {
        return Ok(Start::Removed);
    }
    if bounds.next.0 == 0 {
        return Ok(Start::Empty);
    }
    let mut batch = Batch::default();
    log.open(topic, Partition(partition), Offset(0))?.poll(&mut batch, 1, PATIENCE)?;
    let record = batch
        .iter()
        .next()
        .ok_or_else(|| LogError::Kafka(format!("the first record of {topic}/{partition} did not come")))?;
    let headers: Vec<(&str, &[u8])> = record.headers().collect();
    match control::decode(&headers, record.payload) {
        Ok(Some(Control::Genesis(genesis))) => Ok(Start::Genesis(genesis)),
        _ => Err(InstallError::Foreign { topic: topic.to_owned(), partition }),
    }
}

/// Appends control records to one partition, in order.
pub(crate) fn append_all(
    log: &dyn Log,
    topic: &str,
    partition: u32,
    records: &[Encoded],
) -> Result<Vec<Appended>, LogError> {
    let headers: Vec<Vec<(&str, &[u8])>> = records
        .iter()
        .map(|record| record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect())
        .collect();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let new: Vec<NewRecord<'_>> = records
        .iter()
        .zip(&headers)
        .map(|(record, headers)| NewRecord { key: None, headers, payload: &record.body, timestamp_ms: Some(now) })
        .collect();
    log.append(topic, Partition(partition), &new)
}

fn append(log: &dyn Log, topic: &str, partition: u32, record: &Encoded) -> Result<(), LogError> {
    append_all(log, topic, partition, std::slice::from_ref(record)).map(drop)
}
