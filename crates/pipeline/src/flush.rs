//! Makes durable what a partition told, strictly in order: rows and dead letters, then the snapshot that covers them.

use crate::clock::Clock;
use crate::letter::{BODY_BYTES_MAX, Framed, Letter};
use crate::metrics::Metrics;
use crate::row::{CHUNK_COLUMNS, DEAD_LETTER_COLUMNS, EVENT_COLUMNS, Origin, ledger};
use crate::sink::{Insert, Sink};
use crate::snapshots::Snapshots;
use crate::spill::{Spill, deliver};
use crate::store::StoreError;
use assay_aggregates::Chunk;
use assay_broker::{Error as LogError, Log, NewRecord, Offset, Partition};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// What an owner hands over, in the order of the log.
#[derive(Debug)]
pub enum Item {
    /// The rows of a chunk.
    Rows(ChunkRows),
    /// A unit to be forgotten.
    Erase {
        /// Its type.
        unit_type: String,
        /// Who.
        unit_id: String,
    },
    /// A state that covers everything before.
    Snapshot {
        /// Where a restart goes on.
        next_offset: u64,
        /// The state.
        bytes: Vec<u8>,
        /// When it was taken, in milliseconds since the epoch.
        taken_ms: i64,
    },
}

/// The rows of a chunk.
#[derive(Debug, Default)]
pub struct ChunkRows {
    /// Which; absent only in the default.
    pub chunk: Option<Chunk>,
    /// Rows of `experiment_events`.
    pub events: Bytes,
    /// Rows of `dead_letters`.
    pub dead: Bytes,
    /// Records for the dead-letter topic.
    pub letters: Vec<Letter>,
}

impl Item {
    /// What it takes in memory, about.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Item::Rows(rows) => {
                let letters: usize = rows.letters.iter().map(Letter::size).sum();
                (rows.events.len() + rows.dead.len() + letters) as u64
            }
            Item::Erase { unit_type, unit_id } => (unit_type.len() + unit_id.len()) as u64,
            Item::Snapshot { bytes, .. } => bytes.len() as u64,
        }
    }
}

/// Names of the topics.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Exposures, conversions, retractions, control records.
    pub events: String,
    /// Looks.
    pub aggregates: String,
    /// Results.
    pub results: String,
    /// Records that were not accepted.
    pub dead_letters: String,
}

impl Default for Topics {
    fn default() -> Self {
        Topics {
            events: "assay.events".to_owned(),
            aggregates: "assay.aggregates".to_owned(),
            results: "assay.results".to_owned(),
            dead_letters: "assay.dead-letters".to_owned(),
        }
    }
}

/// Could not make something durable; nothing after it was done, so trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// The dead-letter topic.
    #[error(transparent)]
    Log(#[from] assay_broker::Error),
    /// Spilling, or the snapshot.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// ClickHouse is away and the spill is at its bound.
    #[error(
        "ClickHouse is away ({why}) and {spilled} bytes wait for it, the bound: the partition pauses until it is back"
    )]
    SpillFull {
        /// Why the last insert failed.
        why: String,
        /// Bytes that wait.
        spilled: u64,
    },
}

/// Letters that are appended together: with the largest bodies this is what a broker takes in a second.
const LETTERS_AT_A_TIME: usize = 100;
/// A failure that came faster than this is tried once more; one that took longer would hold up what follows.
const HICCUP: Duration = Duration::from_secs(1);

/// What a flusher needs.
pub struct FlusherParts {
    /// Where dead letters go.
    pub log: Arc<dyn Log>,
    /// Names of the topics.
    pub topics: Topics,
    /// Where rows go.
    pub sink: Arc<dyn Sink>,
    /// Where rows go while ClickHouse is away.
    pub spill: Arc<Spill>,
    /// Where states go.
    pub snapshots: Snapshots,
    /// Measures.
    pub metrics: Metrics,
    /// Time, for measures.
    pub clock: Arc<dyn Clock>,
}

/// Flushes one partition. Takes items one after the other; each is durable when [`Flusher::take`] returns.
pub struct Flusher {
    parts: FlusherParts,
    log_id: String,
    partition: u32,
    /// First offset of a chunk whose item failed, and how many of its letters are in the topic: a second attempt must not repeat them.
    appended: Option<(u64, usize)>,
}

impl Flusher {
    /// For a partition of a log.
    pub fn new(log_id: &str, partition: u32, parts: FlusherParts) -> Self {
        Flusher { parts, log_id: log_id.to_owned(), partition, appended: None }
    }

    /// Makes an item durable. After an error the same item has to be given again.
    pub fn take(&mut self, item: &Item) -> Result<(), FlushError> {
        match item {
            Item::Rows(rows) => {
                let Some(chunk) = rows.chunk else { return Ok(()) };
                self.append_letters(chunk.first, &rows.letters)?;
                self.deliver(self.inserts(&chunk, rows), &chunk)?;
                self.appended = None;
                Ok(())
            }
            // Kept first and done by whoever drains: it takes longer than the rows behind it should wait.
            Item::Erase { unit_type, unit_id } => self.parts.spill.push_erasure(self.partition, unit_type, unit_id),
            Item::Snapshot { next_offset, bytes, taken_ms } => {
                let started = self.parts.clock.monotonic();
                self.parts.snapshots.write(*next_offset, bytes, *taken_ms)?;
                let taken = self.parts.clock.monotonic().saturating_sub(started);
                self.parts.metrics.snapshot(self.partition, bytes.len(), taken, *taken_ms);
                self.note_progress(*next_offset);
                Ok(())
            }
        }
    }

    /// Tells the log how far a snapshot covers it; only people's tools read that.
    fn note_progress(&self, next_offset: u64) {
        let FlusherParts { log, topics, metrics, .. } = &self.parts;
        if let Err(problem) = log.note_progress(&topics.events, Partition(self.partition), Offset(next_offset)) {
            metrics.commit_failures.inc();
            tracing::warn!(partition = self.partition, %problem, "tools that show lag do not see the newest snapshot");
        }
    }

    fn append_letters(&mut self, chunk: u64, letters: &[Letter]) -> Result<(), FlushError> {
        let mut done = self.appended.filter(|(first, _)| *first == chunk).map_or(0, |(_, done)| done);
        while done < letters.len() {
            let next = &letters[done..letters.len().min(done + LETTERS_AT_A_TIME)];
            self.append(next)?;
            done += next.len();
            self.appended = Some((chunk, done));
        }
        Ok(())
    }

    /// Appends letters. What the log does not take as it is goes in one by one, in the end without its body: the log has no say in which
    /// dead letters there are, and the original is where the headers point.
    fn append(&self, letters: &[Letter]) -> Result<(), FlushError> {
        let framed = |letter, body_max| Framed::new(&self.parts.topics.events, self.partition, letter, body_max);
        let whole: Vec<Framed<'_>> = letters.iter().map(|letter| framed(letter, BODY_BYTES_MAX)).collect();
        match self.send(&whole) {
            Err(LogError::Refused(_)) => {}
            outcome => return Ok(outcome?),
        }
        for letter in letters {
            if let Err(LogError::Refused(why)) = self.send(&[framed(letter, BODY_BYTES_MAX)]) {
                let (partition, offset) = (self.partition, letter.offset);
                tracing::warn!(partition, offset, why, "a dead letter goes to its topic without its body");
                self.send(&[framed(letter, 0)])?;
            }
        }
        Ok(())
    }

    fn send(&self, framed: &[Framed<'_>]) -> Result<(), LogError> {
        let headers: Vec<Vec<(&str, &[u8])>> = framed.iter().map(Framed::headers).collect();
        let record = |(framed, headers)| Framed::record(framed, headers);
        let records: Vec<NewRecord<'_>> = framed.iter().zip(&headers).map(record).collect();
        self.parts.log.append(&self.parts.topics.dead_letters, Partition(0), &records).map(drop)
    }

    fn inserts(&self, chunk: &Chunk, rows: &ChunkRows) -> Vec<Insert> {
        let (log, semantics, partition) = (&self.log_id, chunk.semantics, self.partition);
        let token = format!("{log}/{semantics}/{partition}/{}-{}", chunk.first, chunk.next);
        let insert = |table: &str, columns: &str, rows: Bytes| Insert {
            table: table.to_owned(),
            columns: columns.to_owned(),
            token: format!("{table}/{token}"),
            rows,
        };
        let mut inserts = Vec::new();
        if !rows.events.is_empty() {
            inserts.push(insert("experiment_events", EVENT_COLUMNS, rows.events.clone()));
        }
        if !rows.dead.is_empty() {
            inserts.push(insert("dead_letters", DEAD_LETTER_COLUMNS, rows.dead.clone()));
        }
        let hash = xxh3_128(&[xxh3_128(&rows.events).to_le_bytes(), xxh3_128(&rows.dead).to_le_bytes()].concat());
        let origin = Origin { log: log.clone(), semantics, partition };
        inserts.push(insert("chunks", CHUNK_COLUMNS, ledger(&origin, chunk, hash).into()));
        inserts
    }

    /// Into ClickHouse; behind what waits for it, or after a failure that is more than a hiccup, into the store.
    fn deliver(&self, inserts: Vec<Insert>, chunk: &Chunk) -> Result<(), FlushError> {
        let FlusherParts { sink, spill, metrics, clock, .. } = &self.parts;
        let partition = self.partition;
        if spill.is_empty(partition) {
            let started = clock.monotonic();
            let mut attempt = deliver(sink.as_ref(), &inserts, metrics, clock.as_ref());
            let taken = clock.monotonic().saturating_sub(started);
            if attempt.is_err() && taken < HICCUP {
                metrics.insert_retries.inc();
                attempt = deliver(sink.as_ref(), &inserts, metrics, clock.as_ref());
            }
            let Err(problem) = attempt else {
                metrics.delivered(chunk.window.millis(), clock.wall_ms());
                return Ok(());
            };
            tracing::warn!(partition, %problem, "ClickHouse did not take rows: they wait in the store");
            spill.note(&problem.to_string());
        }
        spill.push(partition, chunk.first, inserts)
    }
}
