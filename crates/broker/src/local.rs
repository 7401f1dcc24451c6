//! The log as files of this machine, for one process.
//!
//! `DIR/TOPIC/topic` says what a topic is, `DIR/TOPIC/PARTITION/OFFSET.log` are segments. Records are durable before they are acked or
//! read. A torn end of the newest segment is what a crash leaves and is cut off on opening; damage anywhere else stops the log.
//! When a segment of a compacted topic is full, the closed ones are rewritten with the newest record of every key.

use crate::compaction::{DRAFT_SUFFIX, draft, remove};
use crate::log::{
    Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec, check_size,
};
use crate::segment::{Cursor, encode, records_follow, walk};
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When an append counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// When the disk says so: survives loss of power.
    Always,
    /// When the operating system has it: survives the end of the process.
    Never,
}

/// How a local log behaves.
#[derive(Clone)]
pub struct LocalSettings {
    /// When an append counts as durable.
    pub fsync: Fsync,
    /// A segment is closed when it is this long; retention removes whole segments.
    pub segment_bytes: u64,
    /// Milliseconds since the epoch. Only records' times come from it.
    pub clock: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl Default for LocalSettings {
    fn default() -> Self {
        LocalSettings { fsync: Fsync::Always, segment_bytes: 64 << 20, clock: Arc::new(wall_clock) }
    }
}

fn wall_clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A given time may be at most this far ahead of the clock: a record from the future would close windows that have not been.
const AHEAD_MAX_MS: i64 = 60_000;
/// After old segments could not be removed, it is tried again this much later.
const TIDY_AGAIN_MS: i64 = 60_000;

/// A log in a directory, locked while it is open.
pub struct LocalLog {
    directory: PathBuf,
    settings: LocalSettings,
    topics: RwLock<HashMap<String, Arc<LocalTopic>>>,
    _lock: File,
}

struct LocalTopic {
    topic: Topic,
    retention_ms: Option<i64>,
    compacted: bool,
    partitions: Vec<Arc<LocalPartition>>,
}

struct LocalPartition {
    directory: PathBuf,
    /// Held while appending, so that offsets and times go up.
    appender: Mutex<Appender>,
    /// What readers may see; written by the appender when records are durable.
    readable: Mutex<Readable>,
    grown: Condvar,
}

struct Appender {
    file: File,
    length: u64,
    next: u64,
    last_ms: i64,
    buffer: Vec<u8>,
    /// Set when a failed append could not be undone.
    broken: bool,
    /// Old segments are left alone until then.
    tidy_from_ms: i64,
}

struct Readable {
    next: u64,
    segments: Vec<Segment>,
}

#[derive(Clone, Copy)]
struct Segment {
    base: u64,
    length: u64,
    last_ms: i64,
    /// How often it was rewritten since the log was opened: a reader of the file before reads the new one.
    generation: u64,
}

pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds this lock")
}

impl LocalLog {
    /// Opens or creates the log in a directory and repairs torn ends.
    pub fn open(directory: &Path, settings: LocalSettings) -> Result<LocalLog, Error> {
        fs::create_dir_all(directory).map_err(io(format!("creating {}", directory.display())))?;
        let path = directory.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(io(format!("opening {}", path.display())))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::Refused(format!(
                "the log in {} is in use by another process; stop that one, or choose another directory",
                directory.display()
            )));
        }
        let mut topics = HashMap::new();
        for entry in fs::read_dir(directory).map_err(io(format!("reading {}", directory.display())))? {
            let path = entry.map_err(io(format!("reading {}", directory.display())))?.path();
            if path.join("topic").is_file() {
                let topic = LocalTopic::open(&path)?;
                topics.insert(topic.topic.name.clone(), Arc::new(topic));
            }
        }
        Ok(LocalLog { directory: directory.to_owned(), settings, topics: RwLock::new(topics), _lock: lock })
    }

    fn find(&self, name: &str) -> Result<Arc<LocalTopic>, Error> {
        let topics = self.topics.read().expect("no code panics while it holds this lock");
        topics.get(name).cloned().ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    fn partition(&self, topic: &str, partition: Partition) -> Result<(Arc<LocalTopic>, Arc<LocalPartition>), Error> {
        let topic = self.find(topic)?;
        let found = topic.partitions.get(partition.0 as usize).cloned();
        let found = found
            .ok_or_else(|| Error::Refused(format!("topic {} has no partition {}", topic.topic.name, partition.0)))?;
        Ok((topic, found))
    }

    /// Removes segments whose newest record is older than their topic's retention, as appending does. Returns how many.
    pub fn retain(&self) -> Result<usize, Error> {
        let now = (self.settings.clock)();
        let topics: Vec<_> =
            self.topics.read().expect("no code panics while it holds this lock").values().cloned().collect();
        let mut removed = 0;
        for topic in topics {
            let Some(retention) = topic.retention_ms else { continue };
            for partition in &topic.partitions {
                removed += partition.retain(now - retention)?;
            }
        }
        Ok(removed)
    }
}

impl Log for LocalLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if spec.name.is_empty() || spec.name.len() > 200 || !spec.name.bytes().all(legal) || spec.name.starts_with('.')
        {
            return Err(Error::Refused(format!(
                "'{}' is no name of a topic: 1 to 200 of a-z, A-Z, 0-9, '.', '_' and '-'",
                spec.name
            )));
        }
        if spec.partitions == 0 {
            return Err(Error::Refused(format!("topic {} needs a partition", spec.name)));
        }
        let mut topics = self.topics.write().expect("no code panics while it holds this lock");
        if let Some(known) = topics.get(&spec.name) {
            return known.fits(spec);
        }
        let topic = LocalTopic::create(&self.directory.join(&spec.name), spec)?;
        let described = topic.topic.clone();
        topics.insert(spec.name.clone(), Arc::new(topic));
        Ok(described)
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        Ok(self.find(name)?.topic.clone())
    }

    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        let (topic, partition) = self.partition(topic, partition)?;
        let (appended, rolled) = partition.append(topic.topic.stamping, records, &self.settings)?;
        // The records are there, whatever becomes of old ones.
        partition.tidy(&topic, rolled, (self.settings.clock)());
        Ok(appended)
    }

    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        let (_, partition) = self.partition(topic, partition)?;
        let readable = held(&partition.readable);
        Ok(Bounds { low: Offset(readable.segments[0].base), next: Offset(readable.next) })
    }

    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error> {
        let (owner, found) = self.partition(topic, partition)?;
        let readable = held(&found.readable);
        let (low, next) = (readable.segments[0].base, readable.next);
        if from.0 < low || from.0 > next {
            return Err(Error::OffsetGone {
                topic: owner.topic.name.clone(),
                partition: partition.0,
                wanted: from.0,
                low,
                next,
            });
        }
        drop(readable);
        let name = owner.topic.name.clone();
        Ok(Box::new(LocalReader { partition: found, topic: name, number: partition.0, next: from.0, cursor: None }))
    }
}

impl LocalTopic {
    fn fits(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        let shape = |partitions: u32, stamping: Stamping, compacted: bool| {
            let kept = if compacted { "the newest record of each key" } else { "every record" };
            format!("{partitions} partitions, {stamping:?} times and {kept}")
        };
        // More than the newest is no harm to whoever needs only that.
        let compacted = self.compacted && !spec.compacted;
        if self.topic.partitions != spec.partitions || self.topic.stamping != spec.stamping || compacted {
            return Err(Error::TopicDiffers {
                topic: self.topic.name.clone(),
                found: shape(self.topic.partitions, self.topic.stamping, self.compacted),
                wanted: shape(spec.partitions, spec.stamping, spec.compacted),
            });
        }
        Ok(self.topic.clone())
    }

    fn create(directory: &Path, spec: &TopicSpec) -> Result<Self, Error> {
        for partition in 0..spec.partitions {
            let path = directory.join(partition.to_string());
            fs::create_dir_all(&path).map_err(io(format!("creating {}", path.display())))?;
        }
        let id = random_id().map_err(io("reading random bytes"))?;
        let retention = spec.retention.map_or(-1, |retention| retention.as_millis() as i64);
        let kept = if spec.compacted { "newest" } else { "all" };
        let text = format!("2 {} {id} {} {:?} {retention} {kept}\n", spec.name, spec.partitions, spec.stamping);
        // Written last and renamed into place: a topic exists whole or not at all.
        let (draft, path) = (directory.join("topic.new"), directory.join("topic"));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(io(format!("writing {}", path.display())))?;
        LocalTopic::open(directory)
    }

    fn open(directory: &Path) -> Result<Self, Error> {
        let (topic, retention, compacted) = describe(directory)?;
        let partitions = (0..topic.partitions)
            .map(|partition| LocalPartition::open(&directory.join(partition.to_string())).map(Arc::new))
            .collect::<Result<_, _>>()?;
        Ok(LocalTopic { topic, retention_ms: (retention >= 0).then_some(retention), compacted, partitions })
    }
}

/// What a topic's file says: the topic, how many milliseconds records are kept (for ever if below 0), and whether only the newest of each key.
pub(crate) fn describe(directory: &Path) -> Result<(Topic, i64, bool), Error> {
    let path = directory.join("topic");
    let text = fs::read_to_string(&path).map_err(io(format!("reading {}", path.display())))?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let parsed = match words.as_slice() {
        ["2", name, id, partitions, stamping, retention, kept] => {
            partitions.parse().ok().zip(retention.parse::<i64>().ok()).map(|(partitions, retention)| {
                let stamping = if *stamping == "Given" { Stamping::Given } else { Stamping::Append };
                let topic = Topic { name: (*name).to_owned(), id: (*id).to_owned(), partitions, stamping };
                (topic, retention, *kept == "newest")
            })
        }
        _ => None,
    };
    parsed.ok_or_else(|| Error::Corrupt(format!("{} does not describe a topic of this version", path.display())))
}

fn random_id() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl LocalPartition {
    fn open(directory: &Path) -> Result<Self, Error> {
        let bases = bases(directory)?;
        let newest = *bases.last().expect("there is at least one");
        let mut segments: Vec<Segment> = Vec::new();
        let (mut next, mut last_ms) = (newest, i64::MIN);
        // Up to here everything is in a segment that was rewritten.
        let mut rewritten = 0;
        for base in bases {
            let path = segment_path(directory, base);
            if base < rewritten {
                // What stopped before it was finished: the records are in the segment before.
                remove(&path)?;
                continue;
            }
            let length = fs::metadata(&path).map_err(io(format!("reading {}", path.display())))?.len();
            let end = walk(&path, |_| Ok(()))?;
            if end.length < length && base < newest {
                return Err(Error::Corrupt(format!(
                    "{} is damaged at byte {} although newer segments follow",
                    path.display(),
                    end.length
                )));
            }
            if end.length < length {
                cut_off(&path, end.length, end.next.unwrap_or(base))?;
            }
            rewritten = end.next.unwrap_or(base);
            if base == newest {
                next = rewritten;
            }
            // Times must not go back although the newest segment may be empty.
            last_ms = last_ms.max(end.last_ms);
            segments.push(Segment { base, length: end.length, last_ms: end.last_ms, generation: 0 });
        }
        let newest = *segments.last().expect("the newest is never part of another");
        let path = segment_path(directory, newest.base);
        let file = OpenOptions::new().append(true).open(&path).map_err(io(format!("opening {}", path.display())))?;
        let buffer = Vec::new();
        let appender =
            Appender { file, length: newest.length, next, last_ms, buffer, broken: false, tidy_from_ms: i64::MIN };
        Ok(LocalPartition {
            directory: directory.to_owned(),
            appender: Mutex::new(appender),
            readable: Mutex::new(Readable { next, segments }),
            grown: Condvar::new(),
        })
    }

    /// Returns where the records are, and whether a new segment was begun for them.
    fn append(
        &self,
        stamping: Stamping,
        records: &[NewRecord<'_>],
        settings: &LocalSettings,
    ) -> Result<(Vec<Appended>, bool), Error> {
        check_size(records)?;
        let mut appender = held(&self.appender);
        if appender.broken {
            return Err(Error::Refused(format!(
                "{} is closed after a failed write; free space and start again",
                self.directory.display()
            )));
        }
        let now = (settings.clock)();
        let mut done = Vec::with_capacity(records.len());
        let mut buffer = std::mem::take(&mut appender.buffer);
        buffer.clear();
        let (mut next, mut last_ms) = (appender.next, appender.last_ms);
        for record in records {
            let given = match (stamping, record.timestamp_ms) {
                (Stamping::Append, _) => now.max(last_ms),
                (Stamping::Given, None) => {
                    return Err(Error::Refused("this topic needs a given time for every record".to_owned()));
                }
                (Stamping::Given, Some(given)) if given > now + AHEAD_MAX_MS => {
                    let message = format!(
                        "its time is {} s ahead of the clock, more than the 60 s that are allowed",
                        (given - now) / 1_000
                    );
                    return Err(Error::Refused(message));
                }
                (Stamping::Given, Some(given)) => given,
            };
            encode(next, given, record, &mut buffer);
            done.push(Appended { offset: Offset(next), timestamp_ms: given });
            last_ms = last_ms.max(given);
            next += 1;
        }
        let rolled = appender.length >= settings.segment_bytes;
        if rolled {
            self.roll(&mut appender)?;
        }
        let written = appender.file.write_all(&buffer).and_then(|()| match settings.fsync {
            Fsync::Always => appender.file.sync_data(),
            Fsync::Never => Ok(()),
        });
        if let Err(source) = written {
            // What was written of it must not be read after a restart as if it had been acked.
            let undone = appender.file.set_len(appender.length).and_then(|()| appender.file.sync_data());
            appender.broken = undone.is_err();
            appender.buffer = buffer;
            return Err(Error::Io { what: format!("appending to {}", self.directory.display()), source });
        }
        appender.length += buffer.len() as u64;
        (appender.next, appender.last_ms) = (next, last_ms);
        let length = appender.length;
        appender.buffer = buffer;
        let mut readable = held(&self.readable);
        readable.next = next;
        let newest = readable.segments.last_mut().expect("there is at least one");
        (newest.length, newest.last_ms) = (length, last_ms);
        drop(readable);
        self.grown.notify_all();
        Ok((done, rolled))
    }

    fn roll(&self, appender: &mut Appender) -> Result<(), Error> {
        let path = segment_path(&self.directory, appender.next);
        appender.file.sync_all().map_err(io(format!("syncing {}", self.directory.display())))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(io(format!("creating {}", path.display())))?;
        sync_directory(&self.directory)?;
        (appender.file, appender.length) = (file, 0);
        held(&self.readable).segments.push(Segment {
            base: appender.next,
            length: 0,
            last_ms: appender.last_ms,
            generation: 0,
        });
        Ok(())
    }

    /// Removes what is too old, and after a segment was begun what is no longer the newest of its key. Failing at that is told and tried
    /// again later: the log works without.
    fn tidy(&self, topic: &LocalTopic, rolled: bool, now: i64) {
        let mut appender = held(&self.appender);
        if now < appender.tidy_from_ms {
            return;
        }
        // Only reads the age of the oldest segment, unless there is something to remove.
        let retained = topic.retention_ms.map_or(Ok(0), |retention| self.retain(now - retention));
        let compacted = if topic.compacted && rolled { self.compact() } else { Ok(()) };
        if let Err(problem) = retained.and(compacted) {
            tracing::warn!(%problem, topic = topic.topic.name, "old segments stay for now; free space, and check who owns the files");
            appender.tidy_from_ms = now + TIDY_AGAIN_MS;
        }
    }

    /// Rewrites the closed segments with the newest record of every key. Nobody appends meanwhile, so no segment is closed meanwhile.
    fn compact(&self) -> Result<(), Error> {
        let closed: Vec<Segment> = {
            let readable = held(&self.readable);
            readable.segments[..readable.segments.len() - 1].to_vec()
        };
        if closed.len() < 2 {
            return Ok(());
        }
        let paths: Vec<PathBuf> = closed.iter().map(|segment| segment_path(&self.directory, segment.base)).collect();
        let draft = draft(&paths)?;
        let mut readable = held(&self.readable);
        fs::rename(&draft.path, &paths[0]).map_err(io(format!("replacing {}", paths[0].display())))?;
        sync_directory(&self.directory)?;
        let first = closed[0];
        let last_ms = closed.iter().map(|segment| segment.last_ms).max().expect("there are two");
        let whole = Segment { length: draft.length, last_ms, generation: first.generation + 1, ..first };
        readable.segments.splice(..closed.len(), [whole]);
        drop(readable);
        paths[1..].iter().try_for_each(|path| remove(path))
    }

    fn retain(&self, oldest_ms: i64) -> Result<usize, Error> {
        let mut removed = 0;
        let mut readable = held(&self.readable);
        while readable.segments.len() > 1 && readable.segments[0].last_ms < oldest_ms {
            let path = segment_path(&self.directory, readable.segments[0].base);
            remove(&path)?;
            readable.segments.remove(0);
            removed += 1;
        }
        Ok(removed)
    }
}

pub(crate) fn segment_path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{base:020}.log"))
}

/// First offsets of the segments in a directory; begins one where there is none.
fn bases(directory: &Path) -> Result<Vec<u64>, Error> {
    let mut bases: Vec<u64> = Vec::new();
    for entry in fs::read_dir(directory).map_err(io(format!("reading {}", directory.display())))? {
        let path = entry.map_err(io(format!("reading {}", directory.display())))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(DRAFT_SUFFIX) {
            remove(&path)?;
        }
        bases.extend(name.strip_suffix(".log").and_then(|base| base.parse::<u64>().ok()));
    }
    bases.sort_unstable();
    if bases.is_empty() {
        bases.push(0);
        let path = segment_path(directory, 0);
        File::create(&path).map_err(io(format!("creating {}", path.display())))?;
    }
    Ok(bases)
}

/// Cuts off a torn end. Damage with whole records after it is none.
fn cut_off(path: &Path, length: u64, next: u64) -> Result<(), Error> {
    let failed = || io(format!("repairing {}", path.display()));
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed())?;
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(length)).and_then(|_| file.read_to_end(&mut rest)).map_err(failed())?;
    if records_follow(&rest, next) {
        return Err(Error::Corrupt(format!(
            "{} is damaged at byte {length} although whole records follow, so this is no write that a crash cut short; restore the file \
             from a copy, or move the log away and start anew from a snapshot",
            path.display()
        )));
    }
    tracing::warn!(path = %path.display(), cut = rest.len(), "cut off a torn record at the end of the log");
    file.set_len(length).and_then(|()| file.sync_all()).map_err(failed())
}

fn sync_directory(directory: &Path) -> Result<(), Error> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(io(format!("syncing {}", directory.display())))
}

struct LocalReader {
    partition: Arc<LocalPartition>,
    topic: String,
    number: u32,
    next: u64,
    /// The segment that is read, its generation, and how far.
    cursor: Option<((u64, u64), Cursor)>,
}

impl Reader for LocalReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error> {
        batch.clear();
        loop {
            let next = self.next;
            let (readable, _) = self
                .partition
                .grown
                .wait_timeout_while(held(&self.partition.readable), timeout, |it| it.next <= next)
                .expect("no code panics while it holds this lock");
            if readable.next <= self.next {
                return Ok(());
            }
            let at = readable.segments.iter().rposition(|segment| segment.base <= self.next);
            let Some(at) = at else {
                return Err(Error::OffsetGone {
                    topic: self.topic.clone(),
                    partition: self.number,
                    wanted: self.next,
                    low: readable.segments[0].base,
                    next: readable.next,
                });
            };
            let segment = readable.segments[at];
            let following = readable.segments.get(at + 1).map(|segment| segment.base);
            let wanted = (segment.base, segment.generation);
            if self.cursor.as_ref().is_none_or(|(known, _)| *known != wanted) {
                // While the list is held nobody replaces the file.
                let path = segment_path(&self.partition.directory, segment.base);
                self.cursor = Some((wanted, Cursor::open(&path)?));
            }
            drop(readable);
            let (_, cursor) = self.cursor.as_mut().expect("just set");
            self.next = cursor.fill(batch, self.next, segment.length, max_bytes.max(1))?;
            // What was compacted away leaves nothing between here and the next segment.
            match following {
                Some(base) if batch.is_empty() => self.next = base,
                _ => return Ok(()),
            }
        }
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        Ok(Offset(held(&self.partition.readable).next))
    }
}
