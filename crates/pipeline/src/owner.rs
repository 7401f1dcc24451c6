//! Owns one partition: reads the log, applies records, publishes looks, hands rows and snapshots to the flusher, writes ticks.
//!
//! [`Owner::step`] never waits for ClickHouse and can be driven by one thread; what has to be flushed is in [`Owner::outbox`].

use crate::clock::Clock;
use crate::flush::{ChunkRows, Item, Topics};
use crate::letter::Letter;
use crate::metrics::Metrics;
use crate::row::{Origin, Rows};
use crate::snapshots::{SnapshotError, Snapshots};
use assay_aggregates::{
    Chunk, ControlFact, DeadLetter, Effects, Fact, Halt, Input, Look, Partition as State, Runs, TOUCHED_MAX, pieces,
};
use assay_broker::{Batch, Error as LogError, Log, NewRecord, Offset, Partition, Reader, Record};
use assay_experiment::{Timestamp, control};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Settings of an owner.
#[derive(Debug, Clone)]
pub struct OwnerSettings {
    /// At least this long between snapshots.
    pub snapshot_every: Duration,
    /// How long a step may wait for records.
    pub poll: Duration,
    /// Bytes read in one step.
    pub batch_bytes: usize,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        OwnerSettings { snapshot_every: Duration::from_secs(30), poll: Duration::from_millis(20), batch_bytes: 1 << 20 }
    }
}

/// Why an owner stopped.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The fold.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The snapshots.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Nothing to start from.
    #[error(
        "partition {partition} of {topic} starts at offset {low}, and no snapshot that can be read covers what was removed before it: put the snapshots back, or use a new topic"
    )]
    NoBase {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// Its oldest record.
        low: u64,
    },
}

impl OwnerError {
    /// Whether starting again from the newest snapshot may help; otherwise somebody has to do something.
    ///
    /// Runs of ids that cannot be written pass when the disk has space again. Damaged ones are found when a snapshot that names them is
    /// restored: an older one is taken, and what is read again seals them anew.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            OwnerError::Log(LogError::Kafka(_) | LogError::Io { .. })
                | OwnerError::Snapshot(SnapshotError::Store(_))
                | OwnerError::Halt(Halt::Runs(_))
        )
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Applied so many records.
    Applied(usize),
    /// There was nothing to read.
    Idle,
    /// Waits because a record is ahead of the wall clock by so many milliseconds.
    Ahead(i64),
}

/// The largest record that travels to a topic: a broker's default limit is a megabyte with its framing.
const RECORD_BYTES_MAX: usize = 900_000;
/// A record further ahead of the wall clock than this pauses the partition before it is applied.
const AHEAD_MAX_MS: i64 = 60_000;
/// A record this young is no part of the past that is read again after a start; two usual chunks.
const PRESENT_MS: i64 = 10_000;
/// A tick waits until the look's end has passed by this much, so that records under way are in.
const TICK_AFTER_MS: i64 = 50;

/// Owns one partition.
pub struct Owner {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    topics: Topics,
    settings: OwnerSettings,
    partition: Partition,
    state: Option<State>,
    /// Used when the state starts at the genesis record.
    runs: Option<Box<dyn Runs>>,
    reader: Box<dyn Reader>,
    batch: Batch,
    /// Records of the batch that were applied.
    applied: usize,
    gathered: Gathered,
    snapshot_due: Duration,
    /// Whether no snapshot was taken since the start.
    unsaved: bool,
    /// Time of the last record read, and when it was read.
    last: Option<(i64, Duration)>,
    /// Offset of a tick that has not been read yet.
    tick: Option<Offset>,
    /// What is to be flushed, in order.
    pub outbox: VecDeque<Item>,
}

/// What the fold told since the outbox was last filled.
struct Gathered {
    origin: Option<Origin>,
    events: Rows,
    dead: Rows,
    letters: Vec<Letter>,
    looks: Vec<Look>,
    erasures: Vec<(String, String)>,
    items: Vec<Item>,
}

impl Owner {
    /// Starts from a state, or at the genesis record with `runs` for the memory of ids.
    #[expect(clippy::too_many_arguments, reason = "each is a part that the caller owns")]
    pub fn new(
        log: Arc<dyn Log>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        topics: Topics,
        settings: OwnerSettings,
        partition: u32,
        state: Option<State>,
        runs: Box<dyn Runs>,
    ) -> Result<Self, OwnerError> {
        let number = Partition(partition);
        let from = match &state {
            Some(state) => Offset(state.next_offset()),
            None => {
                let low = log.bounds(&topics.events, number)?.low;
                if low.0 > 0 {
                    return Err(OwnerError::NoBase { topic: topics.events, partition, low: low.0 });
                }
                low
            }
        };
        let reader = log.open(&topics.events, number, from)?;
        let snapshot_due = clock.monotonic() + settings.snapshot_every;
        let gathered = Gathered::new(state.as_ref());
        Ok(Owner {
            log,
            clock,
            metrics,
            topics,
            settings,
            partition: number,
            state,
            runs: Some(runs),
            reader,
            batch: Batch::default(),
            applied: 0,
            gathered,
            snapshot_due,
            unsaved: true,
            last: None,
            tick: None,
            outbox: VecDeque::new(),
        })
    }

    /// The newest state of a partition, if there is a snapshot.
    pub fn restore(snapshots: &mut Snapshots) -> Result<Option<State>, OwnerError> {
        Ok(snapshots.newest()?.map(|restored| restored.partition))
    }

    /// The state, once the genesis record was read.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Records of the log that are not applied yet.
    pub fn lag(&mut self) -> Result<u64, OwnerError> {
        let next = self.state.as_ref().map_or(0, State::next_offset);
        Ok(self.reader.next_in_log()?.0.saturating_sub(next))
    }

    /// Reads and applies what there is, at most one batch. The outbox must be emptied before the next step.
    pub fn step(&mut self) -> Result<Step, OwnerError> {
        if self.applied == self.batch.len() {
            self.reader.poll(&mut self.batch, self.settings.batch_bytes, self.settings.poll)?;
            self.applied = 0;
        }
        if self.batch.is_empty() {
            self.tick_if_due()?;
            return Ok(Step::Idle);
        }
        let outcome = self.apply_batch()?;
        self.publish_looks()?;
        self.outbox.extend(self.gathered.items.drain(..));
        Ok(outcome)
    }

    fn apply_batch(&mut self) -> Result<Step, OwnerError> {
        let batch = std::mem::take(&mut self.batch);
        let before = self.state.as_ref().map(|state| (state.counters().clone(), state.dedupe().lookups));
        let from = self.applied;
        let mut ahead = None;
        let mut failed = None;
        let mut headers: Vec<(&str, &[u8])> = Vec::new();
        let records: Vec<Record<'_>> = batch.iter().skip(from).collect();
        for (at, record) in records.iter().enumerate() {
            if at.is_multiple_of(TOUCHED_MAX)
                && let Some(state) = &self.state
            {
                let next = records[at..].iter().take(TOUCHED_MAX);
                state.touch(next.filter_map(|record| Some((record.key?, record.payload))));
            }
            let lead = record.timestamp_ms - self.clock.wall_ms();
            if lead > AHEAD_MAX_MS {
                ahead = Some(lead);
                break;
            }
            headers.clear();
            headers.extend(record.headers());
            let input = input_of(record, &headers);
            match self.apply(&input) {
                Ok(()) => {}
                // What came before the hour is told first; the record is tried again, and changes nothing again.
                Err(OwnerError::Halt(Halt::Switch { .. })) if self.applied > from => break,
                Err(problem) => {
                    failed = Some(problem);
                    break;
                }
            }
            self.last = Some((record.timestamp_ms, self.clock.monotonic()));
            self.applied += 1;
        }
        self.batch = batch;
        if let Some(problem) = failed {
            return Err(problem);
        }
        if let Some(state) = &self.state {
            let (counters, lookups) = before.unwrap_or_default();
            self.metrics.progress(self.applied - from, &counters, state.counters(), (lookups, state.dedupe().lookups));
        }
        Ok(ahead.map_or(Step::Applied(self.applied - from), Step::Ahead))
    }

    fn apply(&mut self, input: &Input<'_>) -> Result<(), OwnerError> {
        if self.state.is_none() {
            let runs = self.runs.take().expect("a state is started once");
            let state = State::start(self.partition.0, input, runs)?;
            self.gathered.origin = Some(origin(&state));
            self.state = Some(state);
        }
        let state = self.state.as_mut().expect("just started");
        if state.changes_settings(input.timestamp) {
            state.advance(input, &mut self.gathered)?;
            self.gathered.origin = Some(origin(state));
        }
        // The first one is due as soon as the past has been read: a process that never lives for a whole interval must get on too.
        let present = self.unsaved && self.clock.wall_ms() - input.timestamp.millis() <= PRESENT_MS;
        if state.ends_chunk(input.timestamp) && (present || self.clock.monotonic() >= self.snapshot_due) {
            state.advance(input, &mut self.gathered)?;
            self.snapshot()?;
        }
        self.state.as_mut().expect("just started").apply(input, &mut self.gathered)?;
        Ok(())
    }

    /// Takes a snapshot between two records, at the end of a chunk: nothing before it is held in memory alone.
    fn snapshot(&mut self) -> Result<(), OwnerError> {
        let state = self.state.as_ref().expect("there is a state at the end of a chunk");
        if state.open_rows() > 0 {
            return Ok(());
        }
        let started = self.clock.monotonic();
        let (next_offset, bytes, taken_ms) = (state.next_offset(), state.snapshot(), self.clock.wall_ms());
        self.publish_looks()?;
        self.outbox.extend(self.gathered.items.drain(..));
        self.outbox.push_back(Item::Snapshot { next_offset, bytes, taken_ms });
        self.unsaved = false;
        let now = self.clock.monotonic();
        // A large state takes longer; it should take at most a twentieth of the time.
        self.snapshot_due = now + self.settings.snapshot_every.max(20 * now.saturating_sub(started));
        Ok(())
    }

    /// Looks are durable before anything that covers them.
    fn publish_looks(&mut self) -> Result<(), OwnerError> {
        if self.gathered.looks.is_empty() {
            return Ok(());
        }
        let key = self.partition.0.to_string();
        let looks = self.gathered.looks.drain(..);
        let records: Vec<(i64, Vec<u8>)> = looks
            .flat_map(|look| {
                let time = look.as_of().millis();
                pieces(look.encode(), RECORD_BYTES_MAX).into_iter().map(move |piece| (time, piece))
            })
            .collect();
        let new: Vec<NewRecord<'_>> = records
            .iter()
            .map(|(time, piece)| NewRecord {
                key: Some(key.as_bytes()),
                headers: &[],
                payload: piece,
                timestamp_ms: Some(*time),
            })
            .collect();
        self.log.append(&self.topics.aggregates, self.partition, &new)?;
        Ok(())
    }

    /// Appends a tick when all is read, the open look is over, and no tick is under way.
    fn tick_if_due(&mut self) -> Result<(), OwnerError> {
        let Some(state) = &self.state else { return Ok(()) };
        if self.tick.is_some_and(|tick| state.next_offset() <= tick.0) || !state.needs_ticks() {
            return Ok(());
        }
        let now = self.clock.monotonic();
        let (last_ms, read_at) = *self.last.get_or_insert((state.log_time().millis(), now));
        let estimate = last_ms + now.saturating_sub(read_at).as_millis() as i64;
        if estimate < state.look_ends().millis() + TICK_AFTER_MS || self.reader.next_in_log()?.0 != state.next_offset()
        {
            return Ok(());
        }
        let tick = control::tick();
        let headers: Vec<(&str, &[u8])> = tick.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let record =
            NewRecord { key: None, headers: &headers, payload: &tick.body, timestamp_ms: Some(self.clock.wall_ms()) };
        let appended = self.log.append(&self.topics.events, self.partition, &[record])?;
        self.tick = appended.first().map(|appended| appended.offset);
        self.metrics.tick();
        Ok(())
    }

    /// Tells the gauges; cheap, but not for every record.
    pub fn measure(&mut self) -> Result<(), OwnerError> {
        let lag = self.lag()?;
        if let Some(state) = &self.state {
            let now_ms = self.clock.wall_ms();
            let behind = (now_ms - state.log_time().millis()) as f64 / 1e3;
            self.metrics.lag(&self.topics.events, self.partition.0, lag, behind, now_ms);
            self.metrics.size(self.partition.0, state.size());
        }
        Ok(())
    }
}

/// A record as the fold reads it, with its headers.
pub fn input_of<'a>(record: &Record<'a>, headers: &'a [(&'a str, &'a [u8])]) -> Input<'a> {
    Input {
        offset: record.offset.0,
        timestamp: Timestamp::from_millis(record.timestamp_ms),
        key: record.key,
        headers,
        payload: record.payload,
    }
}

fn origin(state: &State) -> Origin {
    Origin { log: state.genesis().log.clone(), semantics: state.semantics(), partition: state.id() }
}

impl Gathered {
    fn new(state: Option<&State>) -> Self {
        Gathered {
            origin: state.map(origin),
            events: Rows::default(),
            dead: Rows::default(),
            letters: Vec::new(),
            looks: Vec::new(),
            erasures: Vec::new(),
            items: Vec::new(),
        }
    }

    fn origin(&self) -> Origin {
        self.origin.clone().expect("the state is started before its first effect")
    }
}

impl Effects for Gathered {
    fn fact(&mut self, fact: &Fact<'_>) {
        let Gathered { origin, events, .. } = self;
        events.fact(origin.as_ref().expect("the state is started before its first effect"), fact);
    }

    fn control(&mut self, fact: &ControlFact<'_>) {
        let Gathered { origin, events, .. } = self;
        events.control(origin.as_ref().expect("the state is started before its first effect"), fact);
    }

    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let origin = self.origin();
        self.dead.dead_letter(&origin, letter);
        self.letters.push(Letter {
            offset: letter.input.offset,
            key: letter.input.key.map(<[u8]>::to_vec),
            headers: letter.input.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect(),
            payload: letter.input.payload.to_vec(),
            reason: letter.reason.name(),
            detail: letter.detail.clone(),
            log_time_ms: letter.log_time.millis(),
        });
    }

    fn look(&mut self, look: Look) {
        self.looks.push(look);
    }

    fn chunk(&mut self, chunk: Chunk) {
        let (events, dead) = (std::mem::take(&mut self.events), std::mem::take(&mut self.dead));
        debug_assert_eq!((events.count, dead.count), (chunk.rows, chunk.dead));
        if chunk.rows + chunk.dead > 0 {
            self.items.push(Item::Rows(ChunkRows {
                chunk: Some(chunk),
                events: events.finish(chunk.window),
                dead: dead.finish(chunk.window),
                letters: std::mem::take(&mut self.letters),
            }));
        }
        for (unit_type, unit_id) in self.erasures.drain(..) {
            self.items.push(Item::Erase { unit_type, unit_id });
        }
    }

    fn erase(&mut self, unit_type: &str, unit_id: &str) {
        self.erasures.push((unit_type.to_owned(), unit_id.to_owned()));
    }
}
