//! The log as topics of Apache Kafka.
//!
//! One consumer per reader, assigned by hand at an explicit offset: no group, no rebalance, no committed offset that could disagree with a
//! snapshot. Plain threads; no asynchronous consumer.

use crate::log::{
    Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec,
    encode_headers,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

/// How to reach a cluster.
#[derive(Debug, Clone, Default)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Further settings of librdkafka, such as `security.protocol`.
    pub extra: BTreeMap<String, String>,
}

/// A cluster.
pub struct KafkaLog {
    settings: KafkaSettings,
    producer: ThreadedProducer<Deliveries>,
    admin: AdminClient<DefaultClientContext>,
    /// For metadata and watermarks.
    observer: BaseConsumer,
}

/// How long the cluster may be silent before an operation fails.
const PATIENCE: Duration = Duration::from_secs(30);

struct Deliveries;

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<(usize, Arc<Flight>)>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(message) => Ok(Appended {
                offset: Offset(message.offset().max(0) as u64),
                timestamp_ms: message.timestamp().to_millis().unwrap_or(0),
            }),
            Err((problem, _)) => Err(problem.to_string()),
        };
        ticket.1.land(ticket.0, outcome);
    }
}

type Landing = Result<Appended, String>;

/// The records of one append that are under way.
struct Flight {
    /// How many landed, and what became of each.
    landed: Mutex<(usize, Vec<Option<Landing>>)>,
    all: Condvar,
}

impl Flight {
    fn land(&self, at: usize, outcome: Result<Appended, String>) {
        let mut landed = self.landed.lock().expect("no code panics while it holds this lock");
        landed.1[at] = Some(outcome);
        landed.0 += 1;
        if landed.0 == landed.1.len() {
            self.all.notify_all();
        }
    }
}

fn kafka(problem: KafkaError) -> Error {
    Error::Kafka(problem.to_string())
}

impl KafkaLog {
    /// Connects; fails when no broker answers.
    pub fn connect(settings: KafkaSettings) -> Result<KafkaLog, Error> {
        let mut producer = config(&settings);
        producer
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "2")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string());
        let log = KafkaLog {
            producer: producer.create_with_context(Deliveries).map_err(kafka)?,
            admin: config(&settings).create().map_err(kafka)?,
            observer: consumer(&settings)?,
            settings,
        };
        log.observer.client().fetch_metadata(None, Duration::from_secs(10)).map_err(|problem| {
            Error::Kafka(format!(
                "no broker of {} answers: {problem}; check the address and that Kafka runs",
                log.settings.brokers
            ))
        })?;
        Ok(log)
    }

    fn watermarks(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        let (low, next) = self.observer.fetch_watermarks(topic, partition.0 as i32, PATIENCE).map_err(kafka)?;
        Ok(Bounds { low: Offset(low.max(0) as u64), next: Offset(next.max(0) as u64) })
    }

    fn describe(&self, name: &str) -> Result<Option<(Topic, Option<String>)>, Error> {
        let metadata = self.observer.client().fetch_metadata(Some(name), PATIENCE).map_err(kafka)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none());
        let Some(partitions) = found.map(|topic| topic.partitions().len() as u32).filter(|&count| count > 0) else {
            return Ok(None);
        };
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let described =
            wait(self.admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options)).map_err(kafka)?;
        let resource = described.into_iter().next().transpose().map_err(|code| Error::Kafka(code.to_string()))?;
        let stamping = resource
            .as_ref()
            .and_then(|resource| resource.get("message.timestamp.type"))
            .and_then(|entry| entry.value.clone());
        let kind = if stamping.as_deref() == Some("LogAppendTime") { Stamping::Append } else { Stamping::Given };
        // librdkafka does not hand out the broker's topic id; the genesis record in partition 0 tells a recreated topic apart.
        let id = format!("{}/{name}", self.observer.client().fetch_cluster_id(PATIENCE).unwrap_or_default());
        Ok(Some((Topic { name: name.to_owned(), id, partitions, stamping: kind }, stamping)))
    }
}

fn config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("client.id", "assay");
    for (name, value) in &settings.extra {
        config.set(name, value);
    }
    config
}

fn consumer(settings: &KafkaSettings) -> Result<BaseConsumer, Error> {
    let mut config = config(settings);
    config
        .set("group.id", "assay")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", "16384");
    config.create_with_context::<_, BaseConsumer>(DefaultConsumerContext).map_err(kafka)
}

/// Waits for one of the admin client's futures on this thread.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Log for KafkaLog {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, Error> {
        let stamping = match spec.stamping {
            Stamping::Append => "LogAppendTime",
            Stamping::Given => "CreateTime",
        };
        let existing = match self.describe(&spec.name)? {
            Some(existing) => existing,
            None => {
                let retention = spec.retention.map_or("-1".to_owned(), |retention| retention.as_millis().to_string());
                let topic = NewTopic::new(&spec.name, spec.partitions as i32, TopicReplication::Fixed(-1))
                    .set("message.timestamp.type", stamping)
                    .set("retention.ms", &retention)
                    .set("cleanup.policy", if spec.compacted { "compact" } else { "delete" });
                let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
                let results = wait(self.admin.create_topics([&topic], &options)).map_err(kafka)?;
                for result in results {
                    match result {
                        Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                        Err((name, code)) => return Err(Error::Kafka(format!("creating topic {name}: {code}"))),
                    }
                }
                // Brokers learn of a new topic one after the other.
                let deadline = Instant::now() + PATIENCE;
                loop {
                    if let Some(existing) = self.describe(&spec.name)? {
                        break existing;
                    }
                    if Instant::now() > deadline {
                        return Err(Error::UnknownTopic(spec.name.clone()));
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        };
        let (topic, found) = existing;
        if topic.partitions != spec.partitions || topic.stamping != spec.stamping {
            return Err(Error::TopicDiffers {
                topic: spec.name.clone(),
                found: format!(
                    "{} partitions and message.timestamp.type={}",
                    topic.partitions,
                    found.unwrap_or_default()
                ),
                wanted: format!("{} partitions and message.timestamp.type={stamping}", spec.partitions),
            });
        }
        Ok(topic)
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        self.describe(name)?.map(|(topic, _)| topic).ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        let flight = Arc::new(Flight { landed: Mutex::new((0, vec![None; records.len()])), all: Condvar::new() });
        let deadline = Instant::now() + PATIENCE;
        for (at, record) in records.iter().enumerate() {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for (name, value) in record.headers {
                headers = headers.insert(Header { key: name, value: Some(*value) });
            }
            let mut outgoing = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new((at, flight.clone())))
                .partition(partition.0 as i32)
                .payload(record.payload)
                .headers(headers);
            outgoing.key = record.key;
            outgoing.timestamp = record.timestamp_ms;
            let mut waiting = outgoing;
            loop {
                match self.producer.send(waiting) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                        if Instant::now() < deadline =>
                    {
                        std::thread::sleep(Duration::from_millis(5));
                        waiting = back;
                    }
                    Err((problem, _)) => return Err(kafka(problem)),
                }
            }
        }
        let landed = flight.landed.lock().expect("no code panics while it holds this lock");
        let (landed, late) = flight
            .all
            .wait_timeout_while(landed, PATIENCE + Duration::from_secs(5), |(count, all)| *count < all.len())
            .expect("no code panics while it holds this lock");
        if late.timed_out() {
            return Err(Error::Kafka(format!(
                "appending to {topic}/{}: no answer within {} s",
                partition.0,
                PATIENCE.as_secs()
            )));
        }
        let outcomes = landed.1.iter().map(|outcome| outcome.clone().expect("all have landed"));
        outcomes
            .collect::<Result<Vec<_>, String>>()
            .map_err(|problem| Error::Kafka(format!("appending to {topic}/{}: {problem}", partition.0)))
    }

    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        self.watermarks(topic, partition)
    }

    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error> {
        let Bounds { low, next } = self.watermarks(topic, partition)?;
        if from < low || from > next {
            return Err(Error::OffsetGone {
                topic: topic.to_owned(),
                partition: partition.0,
                wanted: from.0,
                low: low.0,
                next: next.0,
            });
        }
        let consumer = consumer(&self.settings)?;
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(topic, partition.0 as i32, rdkafka::Offset::Offset(from.0 as i64))
            .map_err(kafka)?;
        consumer.assign(&assignment).map_err(kafka)?;
        Ok(Box::new(KafkaReader {
            consumer,
            topic: topic.to_owned(),
            partition,
            next: from,
            failing_since: None,
            headers: Vec::new(),
        }))
    }
}

struct KafkaReader {
    consumer: BaseConsumer,
    topic: String,
    partition: Partition,
    next: Offset,
    failing_since: Option<Instant>,
    headers: Vec<u8>,
}

impl Reader for KafkaReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error> {
        batch.clear();
        let mut patience = timeout;
        while batch.size() < max_bytes {
            let message = match self.consumer.poll(patience) {
                None => return Ok(()),
                Some(Err(problem)) => return self.failed(problem),
                Some(Ok(message)) => message,
            };
            patience = Duration::ZERO;
            self.failing_since = None;
            self.headers.clear();
            if let Some(headers) = message.headers() {
                let all: Vec<(&str, &[u8])> =
                    headers.iter().map(|header| (header.key, header.value.unwrap_or_default())).collect();
                encode_headers(&all, &mut self.headers);
            }
            let offset = Offset(message.offset().max(0) as u64);
            let time = message.timestamp().to_millis().unwrap_or(0);
            batch.push(offset, time, message.key(), &self.headers, message.payload().unwrap_or_default());
            self.next = Offset(offset.0 + 1);
        }
        Ok(())
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        let (_, next) = self
            .consumer
            .fetch_watermarks(&self.topic, self.partition.0 as i32, Duration::from_secs(5))
            .map_err(kafka)?;
        Ok(Offset(next.max(0) as u64))
    }
}

impl KafkaReader {
    /// librdkafka retries what can be retried; what it reports is fatal only if it is about the offset or lasts.
    fn failed(&mut self, problem: KafkaError) -> Result<(), Error> {
        if matches!(
            problem.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::UnknownTopicOrPartition
            )
        ) {
            let (low, next) = self
                .consumer
                .fetch_watermarks(&self.topic, self.partition.0 as i32, PATIENCE)
                .map_or((0, 0), |(low, next)| (low.max(0) as u64, next.max(0) as u64));
            return Err(Error::OffsetGone {
                topic: self.topic.clone(),
                partition: self.partition.0,
                wanted: self.next.0,
                low,
                next,
            });
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        tracing::warn!(topic = self.topic, partition = self.partition.0, %problem, seconds = since.elapsed().as_secs(), "the broker cannot be read");
        Ok(())
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        // Whatever is still queued had its answer already, or its append failed.
        if let Err(problem) = self.producer.flush(Duration::from_secs(1)) {
            tracing::warn!(%problem, "records were still under way");
        }
    }
}
