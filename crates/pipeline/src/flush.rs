//! Makes durable what a partition told, strictly in order: rows and dead letters, then the snapshot that covers them.

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::row::{CHUNK_COLUMNS, DEAD_LETTER_COLUMNS, EVENT_COLUMNS, Origin, ledger};
use crate::sink::{Insert, Sink, SinkError};
use crate::snapshots::Snapshots;
use crate::spill::{Spill, Spilled};
use crate::store::StoreError;
use assay_aggregates::Chunk;
use assay_broker::{Log, NewRecord, Partition};
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
    pub events: Vec<u8>,
    /// Rows of `dead_letters`.
    pub dead: Vec<u8>,
    /// Records for the dead-letter topic.
    pub letters: Vec<Letter>,
}

/// A record that was not accepted, for the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it was.
    pub offset: u64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub payload: Vec<u8>,
    /// Why, for counting.
    pub reason: &'static str,
    /// Why, in words.
    pub detail: String,
    /// Log time when it was applied, in milliseconds since the epoch.
    pub log_time_ms: i64,
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
    /// Measures.
    pub clock: Arc<dyn Clock>,
}

/// Flushes one partition. Takes items one after the other; each is durable when [`Flusher::take`] returns.
pub struct Flusher {
    parts: FlusherParts,
    origin: Origin,
}

impl Flusher {
    /// For a partition of a log.
    pub fn new(log_id: &str, semantics: u32, partition: u32, parts: FlusherParts) -> Self {
        Flusher { parts, origin: Origin { log: log_id.to_owned(), semantics, partition } }
    }

    /// Makes an item durable. After an error the same item has to be given again.
    pub fn take(&mut self, item: &Item) -> Result<(), FlushError> {
        match item {
            Item::Rows(rows) => {
                self.append_letters(&rows.letters)?;
                let inserts = self.inserts(rows);
                self.deliver(Spilled::Rows(inserts), rows.chunk.map_or(0, |chunk| chunk.first))
            }
            Item::Erase { unit_type, unit_id } => {
                let spilled = Spilled::Erase { unit_type: unit_type.clone(), unit_id: unit_id.clone() };
                self.deliver(spilled, u64::MAX)
            }
            Item::Snapshot { next_offset, bytes, taken_ms } => {
                let started = self.parts.clock.monotonic();
                self.parts.snapshots.write(*next_offset, bytes, *taken_ms)?;
                let taken = self.parts.clock.monotonic().saturating_sub(started);
                self.parts.metrics.snapshot(self.origin.partition, bytes.len(), taken, *taken_ms);
                Ok(())
            }
        }
    }

    fn append_letters(&self, letters: &[Letter]) -> Result<(), FlushError> {
        for letters in letters.chunks(1_000) {
            let framed: Vec<_> =
                letters.iter().map(|letter| Framed::new(&self.parts.topics.events, &self.origin, letter)).collect();
            let headers: Vec<Vec<(&str, &[u8])>> = framed.iter().map(Framed::headers).collect();
            let records: Vec<NewRecord<'_>> = framed
                .iter()
                .zip(&headers)
                .zip(letters)
                .map(|((framed, headers), letter)| NewRecord {
                    key: Some(framed.place.as_bytes()),
                    headers,
                    payload: &letter.payload,
                    timestamp_ms: Some(letter.log_time_ms),
                })
                .collect();
            self.parts.log.append(&self.parts.topics.dead_letters, Partition(0), &records)?;
        }
        Ok(())
    }

    fn inserts(&self, rows: &ChunkRows) -> Vec<Insert> {
        let Some(chunk) = rows.chunk else { return Vec::new() };
        let Origin { log, semantics, partition } = &self.origin;
        let token = format!("{log}/{semantics}/{partition}/{}-{}", chunk.first, chunk.next);
        let insert = |table: &str, columns: &str, rows: Vec<u8>| Insert {
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
        inserts.push(insert("chunks", CHUNK_COLUMNS, ledger(&self.origin, &chunk, hash)));
        inserts
    }

    /// Into ClickHouse; behind what waits for it, or after a failure that is more than a hiccup, into the store.
    fn deliver(&mut self, what: Spilled, first: u64) -> Result<(), FlushError> {
        let partition = self.origin.partition;
        if self.parts.spill.is_empty(partition) {
            let started = self.parts.clock.monotonic();
            let mut attempt = deliver(self.parts.sink.as_ref(), &what, &self.parts.metrics, self.parts.clock.as_ref());
            let taken = self.parts.clock.monotonic().saturating_sub(started);
            if attempt.is_err() && taken < HICCUP {
                self.parts.metrics.insert_retries.inc();
                attempt = deliver(self.parts.sink.as_ref(), &what, &self.parts.metrics, self.parts.clock.as_ref());
            }
            let Err(problem) = attempt else { return Ok(()) };
            tracing::warn!(partition, problem = problem.0, "ClickHouse is away: rows wait in the store");
            self.parts.spill.note(&problem.0);
        }
        self.parts.spill.push(partition, first, &what)
    }
}

/// One attempt to bring rows into ClickHouse.
pub(crate) fn deliver(sink: &dyn Sink, what: &Spilled, metrics: &Metrics, clock: &dyn Clock) -> Result<(), SinkError> {
    match what {
        Spilled::Rows(inserts) => inserts.iter().try_for_each(|insert| {
            let started = clock.monotonic();
            let outcome = sink.insert(insert);
            let taken: Duration = clock.monotonic().saturating_sub(started);
            metrics.insert(&insert.table, outcome.is_ok(), taken, insert.rows.len());
            outcome
        }),
        Spilled::Erase { unit_type, unit_id } => sink.erase(unit_type, unit_id),
    }
}

/// A dead letter's place and headers as texts.
struct Framed {
    place: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Framed {
    /// Original headers come first; ours are named so that they cannot be taken for them.
    fn new(topic: &str, origin: &Origin, letter: &Letter) -> Self {
        let mut headers = letter.headers.clone();
        let ours = [
            ("assay-dead-topic", topic.to_owned().into_bytes()),
            ("assay-dead-partition", origin.partition.to_string().into_bytes()),
            ("assay-dead-offset", letter.offset.to_string().into_bytes()),
            ("assay-dead-reason", letter.reason.as_bytes().to_vec()),
            ("assay-dead-detail", letter.detail.clone().into_bytes()),
            ("assay-dead-key", letter.key.clone().unwrap_or_default()),
        ];
        headers.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        Framed { place: format!("{topic}/{}/{}", origin.partition, letter.offset), headers }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }
}
