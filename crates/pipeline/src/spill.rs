//! What waits for ClickHouse, in the store: chunks in the order in which they came, one queue for each partition, and units to be erased.
//!
//! Queues do not wait for each other: a chunk that ClickHouse refuses holds up its own partition alone. A unit is erased when every chunk
//! that came before its request has been delivered; until then the request is kept, so that nothing older can bring the unit back.

use crate::clock::Clock;
use crate::flush::FlushError;
use crate::metrics::Metrics;
use crate::sink::{Erasure, Insert, Sink, SinkError};
use crate::store::{Store, StoreError};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spilled {
    /// Blocks of rows.
    Rows(Vec<Insert>),
    /// A unit to be forgotten.
    Erase { unit_type: String, unit_id: String },
}

/// The spill of all partitions of a log that this process owns.
pub struct Spill {
    store: Arc<dyn Store>,
    chunks: String,
    erasures: String,
    bytes_max: u64,
    waiting: Mutex<Waiting>,
}

/// Written by flushers (what is new) and by whoever delivers (what is done); never held while anything is read, written or sent, except
/// for putting a new chunk, which must keep its place.
#[derive(Default)]
struct Waiting {
    queues: BTreeMap<u32, Queue>,
    /// Oldest first.
    erasures: VecDeque<Request>,
    /// Whether somebody works at an erasure: one at a time, because each is a mutation of a whole table.
    erasing: bool,
    bytes: u64,
    /// Goes up, so that keys sort in the order of their making.
    next: u64,
    /// Why the last delivery failed.
    why: String,
}

/// The chunks of a partition, oldest first.
#[derive(Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    /// Whether somebody delivers the oldest.
    busy: bool,
    pace: Pace,
}

struct Chunk {
    order: u64,
    key: String,
    size: u64,
}

/// A unit that asked to be forgotten.
struct Request {
    order: u64,
    partition: u32,
    /// Of its unit, to recognise the same request after a restart.
    unit: u64,
    key: String,
    size: u64,
    /// Erased once already, while older chunks of other partitions still waited.
    early: bool,
    pace: Pace,
}

/// When to try again.
#[derive(Default)]
struct Pace {
    due: Duration,
    wait: Duration,
    /// Whether the last failure was that nobody answered.
    away: bool,
}

/// What [`Spill::deliver_next`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing is due.
    Idle,
    /// Something got through; more may follow at once.
    Delivered,
    /// What was tried will be tried again later; others may be due.
    Failed,
}

enum Job {
    Chunk { partition: u32, key: String },
    Erasure { key: String, mark: String, last: bool },
}

struct Failure {
    why: String,
    away: bool,
}

/// First wait after a failure; doubled up to [`WAIT_MAX`], so that a server that comes up is not met by a storm.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// First wait for a removal under way; most are done when it is over.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

impl Pace {
    fn failed(&mut self, now: Duration, away: bool) {
        self.wait = (self.wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        (self.due, self.away) = (now + self.wait, away);
    }

    fn under_way(&mut self, now: Duration) {
        self.wait = (self.wait * 2).clamp(LOOK_AGAIN, WAIT_MAX);
        (self.due, self.away) = (now + self.wait, false);
    }
}

impl Spill {
    /// Finds what an earlier run left. At most `bytes_max` wait; then partitions pause.
    pub fn open(store: Arc<dyn Store>, log_id: &str, bytes_max: u64) -> Result<Self, StoreError> {
        let (chunks, erasures) = (format!("spill/{log_id}/"), format!("erasures/{log_id}/"));
        let mut waiting = Waiting::default();
        for (key, size) in store.list(&chunks)? {
            let Some((order, partition, _)) = numbers(&key, &chunks, 10) else { continue };
            waiting.queues.entry(partition).or_default().chunks.push_back(Chunk { order, key, size });
            waiting.bytes += size;
            waiting.next = waiting.next.max(order + 1);
        }
        for (key, size) in store.list(&erasures)? {
            let Some((order, partition, unit)) = numbers(&key, &erasures, 16) else { continue };
            let pace = Pace::default();
            waiting.erasures.push_back(Request { order, partition, unit, key, size, early: false, pace });
            waiting.bytes += size;
            waiting.next = waiting.next.max(order + 1);
        }
        Ok(Spill { store, chunks, erasures, bytes_max, waiting: Mutex::new(waiting) })
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no code panics while it holds this lock")
    }

    /// Whether no chunk of a partition waits.
    pub fn is_empty(&self, partition: u32) -> bool {
        self.held().queues.get(&partition).is_none_or(|queue| queue.chunks.is_empty())
    }

    /// How many chunks wait, how many bytes with them and the erasures, and why.
    pub fn waiting(&self) -> (usize, u64, String) {
        let waiting = self.held();
        (waiting.queues.values().map(|queue| queue.chunks.len()).sum(), waiting.bytes, waiting.why.clone())
    }

    /// How many units wait to be erased.
    pub fn erasures(&self) -> usize {
        self.held().erasures.len()
    }

    pub(crate) fn note(&self, why: &str) {
        self.held().why = why.to_owned();
    }

    /// Keeps a chunk; durable when this returns.
    pub(crate) fn push(&self, partition: u32, first: u64, inserts: Vec<Insert>) -> Result<(), FlushError> {
        let bytes = Spilled::Rows(inserts).encode();
        let mut waiting = self.held();
        let ending = format!("-{partition:05}-{first}");
        // After a restart the same chunk comes again, with the same rows.
        let known = |queue: &Queue| queue.chunks.iter().any(|chunk| chunk.key.ends_with(&ending));
        if waiting.queues.get(&partition).is_some_and(known) {
            return Ok(());
        }
        let (order, key, size) = self.put(&mut waiting, &self.chunks, &ending, &bytes)?;
        waiting.queues.entry(partition).or_default().chunks.push_back(Chunk { order, key, size });
        Ok(())
    }

    /// Keeps the request to erase a unit, behind every chunk that waits now; durable when this returns.
    pub(crate) fn push_erasure(&self, partition: u32, unit_type: &str, unit_id: &str) -> Result<(), FlushError> {
        let (unit_type, unit_id) = (unit_type.to_owned(), unit_id.to_owned());
        let bytes = Spilled::Erase { unit_type, unit_id }.encode();
        let unit = xxh3_64(&bytes);
        let mut waiting = self.held();
        let (order, key, size) =
            self.put(&mut waiting, &self.erasures, &format!("-{partition:05}-{unit:016x}"), &bytes)?;
        // The same request from before a restart: chunks that came again since must not outlive it.
        let (erasing, mut older) = (waiting.erasing, Vec::new());
        waiting.erasures.retain(|request| {
            let same = !erasing && (request.partition, request.unit) == (partition, unit);
            if same {
                older.push((request.key.clone(), request.size));
            }
            !same
        });
        waiting.erasures.push_back(Request { order, partition, unit, key, size, early: false, pace: Pace::default() });
        waiting.bytes -= older.iter().map(|(_, size)| size).sum::<u64>();
        drop(waiting);
        older.iter().try_for_each(|(key, _)| self.store.remove(key))?;
        Ok(())
    }

    fn put(
        &self,
        waiting: &mut Waiting,
        prefix: &str,
        ending: &str,
        bytes: &[u8],
    ) -> Result<(u64, String, u64), FlushError> {
        let size = bytes.len() as u64;
        if waiting.bytes + size > self.bytes_max {
            return Err(FlushError::SpillFull { why: waiting.why.clone(), spilled: waiting.bytes });
        }
        let order = waiting.next;
        let key = format!("{prefix}{order:020}{ending}");
        self.store.put(&key, bytes)?;
        waiting.next += 1;
        waiting.bytes += size;
        Ok((order, key, size))
    }

    /// Delivers the oldest chunk of one partition, or goes on with an erasure. Several threads may call it; each takes something else.
    pub fn deliver_next(&self, sink: &dyn Sink, metrics: &Metrics, clock: &dyn Clock) -> Delivery {
        match self.claim(clock.monotonic()) {
            None => Delivery::Idle,
            Some(Job::Chunk { partition, key }) => {
                let outcome = self.bring(&key, sink, metrics, clock);
                self.settle_chunk(partition, outcome, clock.monotonic())
            }
            Some(Job::Erasure { key, mark, last }) => {
                let outcome = self.erase(&key, mark, last, sink);
                self.settle_erasure(&key, last, outcome, clock.monotonic())
            }
        }
    }

    /// The oldest thing that is due and that nobody works at.
    fn claim(&self, now: Duration) -> Option<Job> {
        let mut waiting = self.held();
        let oldest = waiting
            .queues
            .iter_mut()
            .filter(|(_, queue)| !queue.busy && queue.pace.due <= now && !queue.chunks.is_empty())
            .min_by_key(|(_, queue)| queue.chunks[0].order);
        if let Some((&partition, queue)) = oldest {
            queue.busy = true;
            return Some(Job::Chunk { partition, key: queue.chunks[0].key.clone() });
        }
        if waiting.erasing {
            return None;
        }
        let Waiting { queues, erasures, erasing, .. } = &mut *waiting;
        let older = |queue: &Queue, order: u64| queue.chunks.front().is_some_and(|chunk| chunk.order < order);
        let (request, last) = erasures.iter().filter(|request| request.pace.due <= now).find_map(|request| {
            let last = !queues.values().any(|queue| older(queue, request.order));
            // Its own partition has nearly all of a unit's rows; only misrouted records are elsewhere.
            let own = queues.get(&request.partition).is_none_or(|queue| !older(queue, request.order));
            (last || own && !request.early).then_some((request, last))
        })?;
        *erasing = true;
        let mark = format!("assay-erase-{:032x}", xxh3_128(format!("{} {last}", request.key).as_bytes()));
        Some(Job::Erasure { key: request.key.clone(), mark, last })
    }

    fn read(&self, key: &str) -> Result<Spilled, Failure> {
        let bytes = self.store.get(key)?;
        bytes.and_then(|bytes| Spilled::decode(&Bytes::from(bytes))).ok_or_else(|| Failure {
            // Its rows are in no snapshot's future: they must not be skipped in silence.
            why: format!(
                "{key} in the store is damaged or gone, and its partition's rows wait behind it; restore the file, or remove the snapshots after it so that the log is read again"
            ),
            away: false,
        })
    }

    fn bring(&self, key: &str, sink: &dyn Sink, metrics: &Metrics, clock: &dyn Clock) -> Result<(), Failure> {
        match self.read(key)? {
            Spilled::Rows(inserts) => deliver(sink, &inserts, metrics, clock)?,
            // What a build before erasures had their own place left here.
            Spilled::Erase { .. } => {}
        }
        Ok(self.store.remove(key)?)
    }

    fn erase(&self, key: &str, mark: String, last: bool, sink: &dyn Sink) -> Result<bool, Failure> {
        let Spilled::Erase { unit_type, unit_id } = self.read(key)? else { return Ok(true) };
        let done = sink.erase(&Erasure { unit_type, unit_id, mark })?;
        if done && last {
            self.store.remove(key)?;
        }
        Ok(done)
    }

    fn settle_chunk(&self, partition: u32, outcome: Result<(), Failure>, now: Duration) -> Delivery {
        let mut waiting = self.held();
        let Waiting { queues, erasures, bytes, why, .. } = &mut *waiting;
        let queue = queues.get_mut(&partition).expect("it has a queue");
        queue.busy = false;
        if let Err(failure) = outcome {
            // That nobody answers was told when the first chunk was spilled.
            if !failure.away && queue.pace.wait.is_zero() {
                tracing::error!(
                    partition,
                    why = failure.why,
                    "a chunk is not delivered, and its partition's rows wait behind it"
                );
            }
            queue.pace.failed(now, failure.away);
            *why = failure.why;
            return Delivery::Failed;
        }
        let delivered = queue.chunks.pop_front().expect("it had this chunk");
        queue.pace = Pace::default();
        *bytes -= delivered.size;
        // Somebody answered: what waited for an answer need not wait longer.
        let paces = queues.values_mut().map(|queue| &mut queue.pace).chain(erasures.iter_mut().map(|it| &mut it.pace));
        paces.filter(|pace| pace.away).for_each(|pace| *pace = Pace::default());
        if queues.values().all(|queue| queue.chunks.is_empty()) {
            why.clear();
        }
        Delivery::Delivered
    }

    fn settle_erasure(&self, key: &str, last: bool, outcome: Result<bool, Failure>, now: Duration) -> Delivery {
        let mut waiting = self.held();
        let Waiting { erasures, erasing, bytes, why, .. } = &mut *waiting;
        *erasing = false;
        let at = erasures.iter().position(|request| request.key == key).expect("nobody removes one under way");
        match outcome {
            Err(failure) => {
                if !failure.away && erasures[at].pace.wait.is_zero() {
                    tracing::error!(why = failure.why, "a unit is not erased yet; trying again");
                }
                erasures[at].pace.failed(now, failure.away);
                *why = failure.why;
                Delivery::Failed
            }
            Ok(false) => {
                erasures[at].pace.under_way(now);
                Delivery::Idle
            }
            Ok(true) if last => {
                let done = erasures.remove(at).expect("it was found");
                *bytes -= done.size;
                Delivery::Delivered
            }
            Ok(true) => {
                (erasures[at].early, erasures[at].pace) = (true, Pace::default());
                Delivery::Delivered
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(problem: StoreError) -> Self {
        Failure { why: problem.to_string(), away: false }
    }
}

impl From<SinkError> for Failure {
    fn from(problem: SinkError) -> Self {
        Failure { away: matches!(problem, SinkError::Away(_)), why: problem.to_string() }
    }
}

/// One attempt to bring a chunk's blocks into ClickHouse, in order; the ledger row comes last.
pub(crate) fn deliver(
    sink: &dyn Sink,
    inserts: &[Insert],
    metrics: &Metrics,
    clock: &dyn Clock,
) -> Result<(), SinkError> {
    inserts.iter().try_for_each(|insert| {
        let started = clock.monotonic();
        let outcome = sink.insert(insert);
        let taken = clock.monotonic().saturating_sub(started);
        metrics.insert(&insert.table, outcome.is_ok(), taken, insert.rows.len());
        outcome
    })
}

/// Order, partition and a third number of a key.
fn numbers(key: &str, prefix: &str, radix: u32) -> Option<(u64, u32, u64)> {
    let mut parts = key.strip_prefix(prefix)?.split('-');
    let (order, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((order, partition, u64::from_str_radix(parts.next()?, radix).ok()?))
}

impl Spilled {
    /// Length-framed fields behind a kind, in front of a checksum.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 8];
        let mut field = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Spilled::Rows(inserts) => {
                field(b"rows");
                for insert in inserts {
                    field(insert.table.as_bytes());
                    field(insert.columns.as_bytes());
                    field(insert.token.as_bytes());
                    field(&insert.rows);
                }
            }
            Spilled::Erase { unit_type, unit_id } => {
                field(b"erase");
                field(unit_type.as_bytes());
                field(unit_id.as_bytes());
            }
        }
        let checksum = xxh3_64(&out[8..]);
        out[..8].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    fn decode(bytes: &Bytes) -> Option<Spilled> {
        let (checksum, mut rest) = bytes.split_at_checked(8)?;
        if checksum != xxh3_64(rest).to_le_bytes() {
            return None;
        }
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_at_checked(8)?;
            let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
            let (field, after) = after.split_at_checked(length)?;
            fields.push(field);
            rest = after;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        match fields.split_first()? {
            (&b"erase", [unit_type, unit_id]) => {
                Some(Spilled::Erase { unit_type: text(unit_type)?, unit_id: text(unit_id)? })
            }
            (&b"rows", fields) if fields.len() % 4 == 0 => {
                let insert = |part: &[&[u8]]| {
                    Some(Insert {
                        table: text(part[0])?,
                        columns: text(part[1])?,
                        token: text(part[2])?,
                        rows: bytes.slice_ref(part[3]),
                    })
                };
                fields.chunks(4).map(insert).collect::<Option<_>>().map(Spilled::Rows)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use std::fmt::Write;

    fn insert(table: &str) -> Insert {
        Insert {
            table: table.to_owned(),
            columns: "a, b".to_owned(),
            token: "t/1".to_owned(),
            rows: Bytes::from_static(&[0, 1, 255]),
        }
    }

    #[test]
    fn what_waits_reads_back_and_damage_is_seen() {
        for what in [
            Spilled::Rows(vec![insert("one"), insert("two")]),
            Spilled::Erase { unit_type: "user".to_owned(), unit_id: "u1".to_owned() },
        ] {
            let mut bytes = what.encode();
            assert_eq!(Spilled::decode(&Bytes::from(bytes.clone())), Some(what));
            *bytes.last_mut().unwrap() ^= 1;
            assert_eq!(Spilled::decode(&Bytes::from(bytes)), None);
        }
    }

    /// Time that stands still until it is told to go on.
    struct Stopped(Mutex<Duration>);

    impl Clock for Stopped {
        fn wall_ms(&self) -> i64 {
            0
        }
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    /// Writes down what it is asked, and refuses what is named as such.
    #[derive(Default)]
    struct Scripted {
        told: Mutex<String>,
        refused: Mutex<Vec<&'static str>>,
        away: Mutex<bool>,
    }

    impl Scripted {
        fn answer(&self, what: &str) -> Result<(), SinkError> {
            if *self.away.lock().unwrap() {
                return Err(SinkError::Away("away".to_owned()));
            }
            let refused = self.refused.lock().unwrap().iter().any(|name| what.ends_with(name));
            write!(self.told.lock().unwrap(), "{}{what} ", if refused { "!" } else { "" }).unwrap();
            if refused { Err(SinkError::Refused(format!("no {what}"))) } else { Ok(()) }
        }
    }

    impl Sink for Scripted {
        fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
            self.answer(&insert.table)
        }
        fn erase(&self, erasure: &Erasure) -> Result<bool, SinkError> {
            self.answer(&format!("-{}", erasure.unit_id)).map(|()| true)
        }
    }

    struct World {
        spill: Spill,
        store: Arc<MemoryStore>,
        sink: Scripted,
        clock: Stopped,
        metrics: Metrics,
    }

    impl World {
        fn new() -> World {
            let store = Arc::new(MemoryStore::default());
            World {
                spill: Spill::open(store.clone(), "log", 1 << 20).unwrap(),
                store,
                sink: Scripted::default(),
                clock: Stopped(Mutex::default()),
                metrics: Metrics::new(&prometheus::Registry::new()).unwrap(),
            }
        }

        /// Pushes chunks like `0a` (partition 0, table a) and erasures like `1-u` (partition 1, unit u).
        fn push(&self, what: &[&str]) {
            for (at, what) in what.iter().enumerate() {
                let (partition, name) = what.split_at(1);
                let partition = partition.parse().unwrap();
                match name.strip_prefix('-') {
                    Some(unit) => self.spill.push_erasure(partition, "user", unit).unwrap(),
                    None => self.spill.push(partition, at as u64, vec![insert(name)]).unwrap(),
                }
            }
        }

        /// Everything that is due after some seconds, and what it was that ClickHouse was asked.
        fn run(&self, seconds: u64) -> String {
            *self.clock.0.lock().unwrap() += Duration::from_secs(seconds);
            while self.spill.deliver_next(&self.sink, &self.metrics, &self.clock) != Delivery::Idle {}
            std::mem::take(&mut *self.sink.told.lock().unwrap()).trim_end().to_owned()
        }
    }

    #[test]
    fn a_refused_chunk_holds_up_its_own_partition_alone() {
        let world = World::new();
        world.sink.refused.lock().unwrap().push("poison");
        world.push(&["0poison", "0a", "1b", "2c", "1d"]);
        assert_eq!(world.run(0), "!poison b c d");
        assert_eq!(world.run(0), "", "it waits before it tries again");
        assert_eq!(world.run(1), "!poison");
        assert_eq!(world.run(1), "", "longer each time");
        assert_eq!(world.run(1), "!poison");
        let (chunks, _, why) = world.spill.waiting();
        assert_eq!((chunks, why.as_str()), (2, "no poison"));
        world.sink.refused.lock().unwrap().clear();
        assert_eq!(world.run(30), "poison a");
        assert_eq!(world.spill.waiting(), (0, 0, String::new()));
    }

    #[test]
    fn one_answer_wakes_all_that_waited_for_one() {
        let world = World::new();
        *world.sink.away.lock().unwrap() = true;
        world.push(&["0a", "1b", "2c"]);
        (0..6).for_each(|_| assert_eq!(world.run(30), ""));
        *world.sink.away.lock().unwrap() = false;
        world.push(&["3d"]);
        assert_eq!(world.run(0), "d a b c");
    }

    #[test]
    fn a_unit_is_erased_after_everything_that_came_before() {
        let world = World::new();
        world.push(&["0a", "0-u", "0b"]);
        assert_eq!(world.run(0), "a b -u", "rows do not wait for an erasure");
        assert_eq!(world.spill.erasures(), 0);

        world.sink.refused.lock().unwrap().push("poison");
        world.push(&["1poison", "0-u"]);
        assert_eq!(world.run(0), "!poison -u", "the rows of its own partition are in");
        assert_eq!(world.spill.erasures(), 1, "but a misrouted record may be in the other one");
        world.sink.refused.lock().unwrap().clear();
        assert_eq!(world.run(30), "poison -u");
        assert_eq!(world.spill.waiting().1, 0);
    }

    #[test]
    fn what_waits_survives_a_restart_and_the_same_request_is_kept_once() {
        let mut world = World::new();
        *world.sink.away.lock().unwrap() = true;
        world.push(&["0a", "0-u", "1b"]);
        let bytes = world.spill.waiting().1;
        world.spill = Spill::open(world.store.clone(), "log", 1 << 20).unwrap();
        assert_eq!((world.spill.waiting().1, world.spill.erasures()), (bytes, 1));
        // The log is read again from a snapshot before all that.
        world.push(&["0a", "0-u"]);
        assert_eq!((world.spill.waiting().0, world.spill.erasures()), (2, 1));
        *world.sink.away.lock().unwrap() = false;
        assert_eq!(world.run(0), "a b -u");
        assert!(world.store.is_empty());
    }

    #[test]
    fn a_damaged_chunk_is_told_and_the_others_go_on() {
        let world = World::new();
        world.push(&["0a", "1b"]);
        let (key, size) = world.store.list("spill/log/").unwrap().remove(0);
        world.store.damage(&key, size as usize - 1);
        assert_eq!(world.run(0), "b");
        let (chunks, _, why) = world.spill.waiting();
        assert!(chunks == 1 && why.contains(&key) && why.contains("restore the file"), "{why}");
    }
}
