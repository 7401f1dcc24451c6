//! Appends to Kafka: all of it, or a prefix.
//!
//! A hole would be worse than an error: whoever tries again appends the whole, and a reader would see a later record before an earlier one.
//! The producer is idempotent and gapless, so what a broker refuses stops everything behind it; and its messages never time out on their
//! own, because a later one might still be delivered. When time is up, the producer is emptied and replaced: what its brokers have got is a
//! prefix, in sequence, and nothing is left to follow.

use crate::kafka::{KafkaSettings, config};
use crate::log::{Appended, Error, NewRecord, Offset, Partition, RECORD_BYTES_MAX, check_size};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What surrounds a record in a batch, generously.
pub(crate) const BATCH_BYTES_MAX: usize = RECORD_BYTES_MAX + (64 << 10);
/// How long the answers to what was given up may take; they come from this process.
const EMPTIED_WITHIN: Duration = Duration::from_secs(5);

/// The producer, replaced when it stopped.
pub(crate) struct Deliveries {
    settings: KafkaSettings,
    producer: Mutex<Arc<ThreadedProducer<Context>>>,
}

struct Context;

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<(usize, Arc<Flight>)>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok(Appended {
                offset: Offset(message.offset().max(0) as u64),
                timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            }),
            Err((problem, _)) => Err(problem.clone()),
        };
        ticket.1.land(ticket.0, outcome);
    }
}

type Landing = Result<Appended, KafkaError>;

/// The records of one append that are under way.
struct Flight {
    /// How many landed, and what became of each.
    landed: Mutex<(usize, Vec<Option<Landing>>)>,
    all: Condvar,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code panics while it holds this lock")
}

impl Flight {
    fn land(&self, at: usize, outcome: Landing) {
        let mut landed = held(&self.landed);
        landed.1[at] = Some(outcome);
        landed.0 += 1;
        if landed.0 == landed.1.len() {
            self.all.notify_all();
        }
    }

    /// Waits until all have landed. `false` if they have not in time.
    fn wait(&self, patience: Duration) -> bool {
        let under_way = |it: &mut (usize, Vec<Option<Landing>>)| it.0 < it.1.len();
        let waited = self.all.wait_timeout_while(held(&self.landed), patience, under_way);
        !waited.expect("no code panics while it holds this lock").1.timed_out()
    }
}

impl Deliveries {
    pub fn new(settings: &KafkaSettings) -> Result<Self, Error> {
        let producer = Mutex::new(Arc::new(producer(settings)?));
        Ok(Deliveries { settings: settings.clone(), producer })
    }

    pub fn append(
        &self,
        topic: &str,
        partition: Partition,
        records: &[NewRecord<'_>],
        patience: Duration,
    ) -> Result<Vec<Appended>, Error> {
        check_size(records)?;
        let producer = held(&self.producer).clone();
        let flight = Arc::new(Flight { landed: Mutex::new((0, vec![None; records.len()])), all: Condvar::new() });
        let deadline = Instant::now() + patience;
        for (at, record) in records.iter().enumerate() {
            if let Err(problem) = send(&producer, topic, partition, record, (at, flight.clone()), deadline) {
                (at..records.len()).for_each(|at| flight.land(at, Err(problem.clone())));
                break;
            }
        }
        if !records.is_empty() && !flight.wait(deadline.saturating_duration_since(Instant::now())) {
            producer.purge(PurgeConfig::default().queue().inflight());
            self.replace(&producer)?;
            flight.wait(EMPTIED_WITHIN);
            let what = format!("appending to {topic}/{}: no answer within {} s", partition.0, patience.as_secs());
            return Err(Error::Kafka(what));
        }
        let landed = std::mem::take(&mut held(&flight.landed).1);
        let landed: Vec<Landing> = landed.into_iter().map(|outcome| outcome.expect("all have landed")).collect();
        if producer.client().fatal_error().is_some() {
            self.replace(&producer)?;
        }
        let failed = landed.iter().filter_map(|outcome| outcome.as_ref().err());
        // What was stopped because of another record's failure says less than that.
        let failed = failed.min_by_key(|problem| problem.rdkafka_error_code().is_none_or(is_consequence));
        match failed {
            Some(problem) => Err(told(problem, topic, partition)),
            None => Ok(landed.into_iter().flatten().collect()),
        }
    }

    /// Puts another producer in the place of one that stopped, unless somebody did already.
    fn replace(&self, stopped: &Arc<ThreadedProducer<Context>>) -> Result<(), Error> {
        let mut current = held(&self.producer);
        if Arc::ptr_eq(&current, stopped) {
            *current = Arc::new(producer(&self.settings)?);
        }
        Ok(())
    }
}

fn producer(settings: &KafkaSettings) -> Result<ThreadedProducer<Context>, Error> {
    let mut config = config(settings, &[("linger.ms", "2")]);
    config
        .set("enable.idempotence", "true")
        .set("enable.gapless.guarantee", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0")
        .set("message.max.bytes", BATCH_BYTES_MAX.to_string());
    config.create_with_context(Context).map_err(crate::kafka::kafka)
}

fn send(
    producer: &ThreadedProducer<Context>,
    topic: &str,
    partition: Partition,
    record: &NewRecord<'_>,
    ticket: (usize, Arc<Flight>),
    deadline: Instant,
) -> Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (name, value) in record.headers {
        headers = headers.insert(Header { key: name, value: Some(*value) });
    }
    let mut waiting = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(ticket))
        .partition(partition.0 as i32)
        .payload(record.payload)
        .headers(headers);
    waiting.key = record.key;
    waiting.timestamp = record.timestamp_ms;
    loop {
        match producer.send(waiting) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
                waiting = back;
            }
            Err((problem, _)) => return Err(problem),
        }
    }
}

fn is_consequence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fatal, GaplessGuarantee, PurgeInflight, PurgeQueue};
    matches!(code, Fatal | GaplessGuarantee | PurgeInflight | PurgeQueue)
}

fn told(problem: &KafkaError, topic: &str, partition: Partition) -> Error {
    use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
    match problem.rdkafka_error_code() {
        Some(MessageSizeTooLarge | MessageBatchTooLarge) => Error::Refused(format!(
            "a record for {topic}/{} is larger than the topic allows; set its max.message.bytes to {BATCH_BYTES_MAX}",
            partition.0
        )),
        _ => Error::Kafka(format!("appending to {topic}/{}: {problem}", partition.0)),
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        // Whatever is still queued had its answer already, or its append failed.
        if let Err(problem) = held(&self.producer).flush(Duration::from_secs(1)) {
            tracing::warn!(%problem, "records were still under way");
        }
    }
}
