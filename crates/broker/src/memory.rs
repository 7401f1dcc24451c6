//! The log in memory, for simulations: everything is lost with it, and only its clock says what time it is.

use crate::log::{
    Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec, check_size,
    encode_headers,
};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Milliseconds since the epoch.
type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A log in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    topics: Mutex<HashMap<String, Kept>>,
    grown: Condvar,
}

struct Kept {
    topic: Topic,
    partitions: Vec<Vec<Stored>>,
}

#[derive(Clone)]
struct Stored {
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

impl MemoryLog {
    /// An empty log with this clock.
    pub fn new(clock: Clock) -> Self {
        MemoryLog { shared: Arc::new(Shared { clock, topics: Mutex::new(HashMap::new()), grown: Condvar::new() }) }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.shared.topics.lock().expect("no code panics while it holds this lock")
    }
}

fn find<'a>(
    topics: &'a mut HashMap<String, Kept>,
    topic: &str,
    partition: Partition,
) -> Result<(Stamping, &'a mut Vec<Stored>), Error> {
    let kept = topics.get_mut(topic).ok_or_else(|| Error::UnknownTopic(topic.to_owned()))?;
    let stamping = kept.topic.stamping;
    let records = kept.partitions.get_mut(partition.0 as usize);
    let records = records.ok_or_else(|| Error::Refused(format!("{topic} has no partition {}", partition.0)))?;
    Ok((stamping, records))
}

impl Log for MemoryLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        let mut topics = self.held();
        let id = format!("memory-{}", topics.len());
        let kept = topics.entry(spec.name.clone()).or_insert_with(|| Kept {
            topic: Topic { name: spec.name.clone(), id, partitions: spec.partitions, stamping: spec.stamping },
            partitions: vec![Vec::new(); spec.partitions as usize],
        });
        if (kept.topic.partitions, kept.topic.stamping) != (spec.partitions, spec.stamping) {
            return Err(Error::TopicDiffers {
                topic: spec.name.clone(),
                found: format!("{} partitions, {:?}", kept.topic.partitions, kept.topic.stamping),
                wanted: format!("{} partitions, {:?}", spec.partitions, spec.stamping),
            });
        }
        Ok(kept.topic.clone())
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        self.held().get(name).map(|kept| kept.topic.clone()).ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        check_size(records)?;
        let now = (self.shared.clock)();
        let mut topics = self.held();
        let (stamping, stored) = find(&mut topics, topic, partition)?;
        let mut appended = Vec::with_capacity(records.len());
        for record in records {
            let last = stored.last().map_or(i64::MIN, |last| last.timestamp_ms);
            let timestamp_ms = match (stamping, record.timestamp_ms) {
                (Stamping::Append, _) => now.max(last),
                (Stamping::Given, Some(given)) => given,
                (Stamping::Given, None) => {
                    return Err(Error::Refused("this topic needs a given time for every record".to_owned()));
                }
            };
            let mut headers = Vec::new();
            encode_headers(record.headers, &mut headers);
            appended.push(Appended { offset: Offset(stored.len() as u64), timestamp_ms });
            let key = record.key.map(<[u8]>::to_vec);
            stored.push(Stored { timestamp_ms, key, headers, payload: record.payload.to_vec() });
        }
        self.shared.grown.notify_all();
        Ok(appended)
    }

    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        let mut topics = self.held();
        let (_, stored) = find(&mut topics, topic, partition)?;
        Ok(Bounds { low: Offset(0), next: Offset(stored.len() as u64) })
    }

    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error> {
        let next = self.bounds(topic, partition)?.next;
        if from > next {
            let (topic, partition) = (topic.to_owned(), partition.0);
            return Err(Error::OffsetGone { topic, partition, wanted: from.0, low: 0, next: next.0 });
        }
        Ok(Box::new(MemoryReader { log: self.clone(), topic: topic.to_owned(), partition, next: from.0 as usize }))
    }
}

struct MemoryReader {
    log: MemoryLog,
    topic: String,
    partition: Partition,
    next: usize,
}

impl Reader for MemoryReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error> {
        batch.clear();
        let mut topics = self.log.held();
        if find(&mut topics, &self.topic, self.partition)?.1.len() == self.next && !timeout.is_zero() {
            let waited = self.log.shared.grown.wait_timeout(topics, timeout);
            (topics, _) = waited.expect("no code panics while it holds this lock");
        }
        let (_, stored) = find(&mut topics, &self.topic, self.partition)?;
        for record in &stored[self.next..] {
            if !batch.is_empty() && batch.size() >= max_bytes {
                break;
            }
            let offset = Offset(self.next as u64);
            batch.push(offset, record.timestamp_ms, record.key.as_deref(), &record.headers, &record.payload);
            self.next += 1;
        }
        Ok(())
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        Ok(self.log.bounds(&self.topic, self.partition)?.next)
    }
}
