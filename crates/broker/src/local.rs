//! The log as files of this machine, for one process.
//!
//! `DIR/TOPIC/topic` says what a topic is, `DIR/TOPIC/PARTITION/OFFSET.log` are segments. Records are durable before they are acked or
//! read. A torn end of the newest segment is what a crash leaves and is cut off on opening; damage anywhere else stops the log.

use crate::log::{
    Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec,
};
use crate::segment::{Cursor, Found, RECORD_MAX, decode, encode};
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
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
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
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
                let topic = LocalTopic::open(&path, &settings)?;
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
            return known.topic.fits(spec);
        }
        let topic = LocalTopic::create(&self.directory.join(&spec.name), spec, &self.settings)?;
        let described = topic.topic.clone();
        topics.insert(spec.name.clone(), Arc::new(topic));
        Ok(described)
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        Ok(self.find(name)?.topic.clone())
    }

    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        let (topic, partition) = self.partition(topic, partition)?;
        let appended = partition.append(topic.topic.stamping, records, &self.settings)?;
        if let Some(retention) = topic.retention_ms {
            // Only reads the age of the oldest segment, unless there is something to remove.
            partition.retain((self.settings.clock)() - retention)?;
        }
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

impl Topic {
    fn fits(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        let shape = |partitions: u32, stamping: Stamping| format!("{partitions} partitions and {stamping:?} times");
        if self.partitions != spec.partitions || self.stamping != spec.stamping {
            return Err(Error::TopicDiffers {
                topic: self.name.clone(),
                found: shape(self.partitions, self.stamping),
                wanted: shape(spec.partitions, spec.stamping),
            });
        }
        Ok(self.clone())
    }
}

impl LocalTopic {
    fn create(directory: &Path, spec: &TopicSpec, settings: &LocalSettings) -> Result<Self, Error> {
        for partition in 0..spec.partitions {
            let path = directory.join(partition.to_string());
            fs::create_dir_all(&path).map_err(io(format!("creating {}", path.display())))?;
        }
        let id = random_id().map_err(io("reading random bytes"))?;
        let retention = spec.retention.map_or(-1, |retention| retention.as_millis() as i64);
        let text = format!("1 {} {id} {} {:?} {retention}\n", spec.name, spec.partitions, spec.stamping);
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
        LocalTopic::open(directory, settings)
    }

    fn open(directory: &Path, settings: &LocalSettings) -> Result<Self, Error> {
        let path = directory.join("topic");
        let text = fs::read_to_string(&path).map_err(io(format!("reading {}", path.display())))?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let parsed = match words.as_slice() {
            ["1", name, id, partitions, stamping, retention] => {
                partitions.parse().ok().zip(retention.parse::<i64>().ok()).map(|(partitions, retention)| {
                    let stamping = if *stamping == "Given" { Stamping::Given } else { Stamping::Append };
                    (Topic { name: (*name).to_owned(), id: (*id).to_owned(), partitions, stamping }, retention)
                })
            }
            _ => None,
        };
        let (topic, retention) = parsed
            .ok_or_else(|| Error::Corrupt(format!("{} does not describe a topic of this version", path.display())))?;
        let partitions = (0..topic.partitions)
            .map(|partition| LocalPartition::open(&directory.join(partition.to_string()), settings).map(Arc::new))
            .collect::<Result<_, _>>()?;
        Ok(LocalTopic { topic, retention_ms: (retention >= 0).then_some(retention), partitions })
    }
}

fn random_id() -> std::io::Result<String> {
    use std::io::Read;
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl LocalPartition {
    fn open(directory: &Path, settings: &LocalSettings) -> Result<Self, Error> {
        let listed = fs::read_dir(directory).map_err(io(format!("reading {}", directory.display())))?;
        let mut bases: Vec<u64> =
            listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".log")?.parse().ok()).collect();
        bases.sort_unstable();
        if bases.is_empty() {
            bases.push(0);
            File::create(segment_path(directory, 0))
                .map_err(io(format!("creating {}", segment_path(directory, 0).display())))?;
        }
        let newest = *bases.last().expect("there is at least one");
        let mut segments = Vec::new();
        for &base in &bases {
            let path = segment_path(directory, base);
            let length = fs::metadata(&path).map_err(io(format!("reading {}", path.display())))?.len();
            segments.push(Segment { base, length, last_ms: i64::MIN });
        }
        let path = segment_path(directory, newest);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&path)
            .map_err(io(format!("opening {}", path.display())))?;
        let end = scan(&path)?;
        let last = segments.last_mut().expect("there is at least one");
        if end.length < last.length {
            tracing::warn!(path = %path.display(), cut = last.length - end.length, "cut off a torn record at the end of the log");
            file.set_len(end.length).map_err(io(format!("truncating {}", path.display())))?;
            file.sync_all().map_err(io(format!("syncing {}", path.display())))?;
        }
        let next = end.next.unwrap_or(newest);
        (last.length, last.last_ms) = (end.length, end.last_ms);
        let mut last_ms = end.last_ms;
        // Times must not go back although the newest segment may be empty.
        for at in (0..segments.len() - 1).rev() {
            let older = scan(&segment_path(directory, segments[at].base))?;
            if older.length != segments[at].length {
                let path = segment_path(directory, segments[at].base);
                return Err(Error::Corrupt(format!(
                    "{} is damaged at byte {} although newer segments follow",
                    path.display(),
                    older.length
                )));
            }
            segments[at].last_ms = older.last_ms;
            last_ms = last_ms.max(older.last_ms);
        }
        let appender = Appender { file, length: end.length, next, last_ms, buffer: Vec::new(), broken: false };
        let _ = settings;
        Ok(LocalPartition {
            directory: directory.to_owned(),
            appender: Mutex::new(appender),
            readable: Mutex::new(Readable { next, segments }),
            grown: Condvar::new(),
        })
    }

    fn append(
        &self,
        stamping: Stamping,
        records: &[NewRecord<'_>],
        settings: &LocalSettings,
    ) -> Result<Vec<Appended>, Error> {
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
            let size = record.payload.len() + record.key.map_or(0, <[u8]>::len);
            if size > RECORD_MAX / 2 {
                return Err(Error::Refused(format!("it has {size} bytes; at most {} are allowed", RECORD_MAX / 2)));
            }
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
        Ok(done)
    }

    fn roll(&self, appender: &mut Appender) -> Result<(), Error> {
        let path = segment_path(&self.directory, appender.next);
        appender.file.sync_all().map_err(io(format!("syncing {}", self.directory.display())))?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(io(format!("creating {}", path.display())))?;
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io(format!("syncing {}", self.directory.display())))?;
        (appender.file, appender.length) = (file, 0);
        held(&self.readable).segments.push(Segment { base: appender.next, length: 0, last_ms: appender.last_ms });
        Ok(())
    }

    fn retain(&self, oldest_ms: i64) -> Result<usize, Error> {
        let mut removed = 0;
        let mut readable = held(&self.readable);
        while readable.segments.len() > 1 && readable.segments[0].last_ms < oldest_ms {
            let path = segment_path(&self.directory, readable.segments[0].base);
            fs::remove_file(&path).map_err(io(format!("removing {}", path.display())))?;
            readable.segments.remove(0);
            removed += 1;
        }
        Ok(removed)
    }
}

fn segment_path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{base:020}.log"))
}

/// How far a segment is whole.
struct End {
    length: u64,
    next: Option<u64>,
    last_ms: i64,
}

fn scan(path: &Path) -> Result<End, Error> {
    use std::io::Read;
    let mut file = File::open(path).map_err(io(format!("opening {}", path.display())))?;
    let mut end = End { length: 0, next: None, last_ms: i64::MIN };
    let (mut buffer, mut start) = (Vec::new(), 0);
    loop {
        match decode(&buffer[start..]) {
            Found::Record { frame, offset, timestamp_ms, .. } => {
                start += frame;
                end.length += frame as u64;
                end.next = Some(offset + 1);
                end.last_ms = end.last_ms.max(timestamp_ms);
            }
            Found::Damaged => return Ok(end),
            Found::Short(needed) => {
                buffer.drain(..start);
                start = 0;
                let have = buffer.len();
                let mut part = (&mut file).take((needed.max(1 << 20) - have) as u64);
                if part.read_to_end(&mut buffer).map_err(io(format!("reading {}", path.display())))? == 0 {
                    return Ok(end);
                }
            }
        }
    }
}

struct LocalReader {
    partition: Arc<LocalPartition>,
    topic: String,
    number: u32,
    next: u64,
    cursor: Option<(u64, Cursor)>,
}

impl Reader for LocalReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error> {
        batch.clear();
        let readable = held(&self.partition.readable);
        let next = self.next;
        let (readable, _) = self
            .partition
            .grown
            .wait_timeout_while(readable, timeout, |it| it.next <= next)
            .expect("no code panics while it holds this lock");
        if readable.next <= self.next {
            return Ok(());
        }
        let at = readable.segments.iter().rposition(|segment| segment.base <= self.next);
        let Some(at) = at else {
            let (low, next) = (readable.segments[0].base, readable.next);
            return Err(Error::OffsetGone {
                topic: self.topic.clone(),
                partition: self.number,
                wanted: self.next,
                low,
                next,
            });
        };
        let segment = readable.segments[at];
        drop(readable);
        if self.cursor.as_ref().is_none_or(|(base, _)| *base != segment.base) {
            let cursor = Cursor::open(&segment_path(&self.partition.directory, segment.base))?;
            self.cursor = Some((segment.base, cursor));
        }
        let (_, cursor) = self.cursor.as_mut().expect("just set");
        self.next = cursor.fill(batch, self.next, segment.length, max_bytes.max(1))?;
        Ok(())
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        Ok(Offset(held(&self.partition.readable).next))
    }
}
