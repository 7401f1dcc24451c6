//! The log as topics of Apache Kafka.
//!
//! One consumer per reader, assigned by hand at an explicit offset: no rebalance, and no committed offset to go on from that could disagree
//! with a snapshot; offsets are committed for tools that show lag only. Plain threads; no asynchronous consumer.

use crate::deliveries::Deliveries;
use crate::kafka_reader::{End, KafkaReader};
use crate::log::{Appended, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Stamping, Topic, TopicSpec};
use crate::progress::Progress;
use crate::topic_settings::{Described, complaints, contradictions, wanted};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

/// How to reach a cluster.
#[derive(Debug, Clone, Default)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Further settings of librdkafka, such as `security.protocol`. `message.timeout.ms` (30,000 unless given) is how long the cluster may
    /// be silent before an operation fails. `group.id` (`assay` unless given) is the group under which progress is noted.
    pub extra: BTreeMap<String, String>,
}

/// A cluster.
pub struct KafkaLog {
    settings: KafkaSettings,
    deliveries: Deliveries,
    admin: AdminClient<DefaultClientContext>,
    /// For metadata and watermarks.
    observer: BaseConsumer,
    progress: Progress,
    patience: Duration,
}

/// The setting that says how long the cluster may be silent.
const PATIENCE_NAME: &str = "message.timeout.ms";
/// How long the cluster may be silent unless the settings say otherwise.
const PATIENCE_MS: u64 = 30_000;
/// The setting that names the consumer group.
const GROUP_NAME: &str = "group.id";
/// The group unless the settings name another.
const GROUP: &str = "assay";

pub(crate) fn kafka(problem: KafkaError) -> Error {
    Error::Kafka(problem.to_string())
}

impl KafkaLog {
    /// Connects; fails when no broker answers.
    pub fn connect(settings: KafkaSettings) -> Result<KafkaLog, Error> {
        let given = settings.extra.get(PATIENCE_NAME).map(|given| given.parse().ok().filter(|&given| given > 0));
        let patience = given.unwrap_or(Some(PATIENCE_MS)).ok_or_else(|| {
            Error::Refused(format!("{PATIENCE_NAME} must be a number of milliseconds above 0, such as {PATIENCE_MS}"))
        })?;
        let log = KafkaLog {
            deliveries: Deliveries::new(&settings)?,
            admin: config(&settings, &[]).create().map_err(kafka)?,
            observer: consumer(&settings)?,
            progress: Progress::new(&settings)?,
            patience: Duration::from_millis(patience),
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
        let (low, next) = self.observer.fetch_watermarks(topic, partition.0 as i32, self.patience).map_err(kafka)?;
        Ok(Bounds { low: Offset(low.max(0) as u64), next: Offset(next.max(0) as u64) })
    }

    fn describe(&self, name: &str) -> Result<Option<(Topic, Described)>, Error> {
        let metadata = self.observer.client().fetch_metadata(Some(name), self.patience).map_err(kafka)?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name && topic.error().is_none());
        let Some(partitions) = found.map(|topic| topic.partitions().len() as u32).filter(|&count| count > 0) else {
            return Ok(None);
        };
        let options = AdminOptions::new().request_timeout(Some(self.patience));
        let described =
            wait(self.admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options)).map_err(kafka)?;
        let resource = described.into_iter().next().transpose().map_err(|code| Error::Kafka(code.to_string()))?;
        let entries = resource.map(|resource| resource.entries).unwrap_or_default();
        let described: Described = entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect();
        let is_append = described.get("message.timestamp.type").is_some_and(|value| value == "LogAppendTime");
        let stamping = if is_append { Stamping::Append } else { Stamping::Given };
        let id = format!("{}/{name}", self.observer.client().fetch_cluster_id(self.patience).unwrap_or_default());
        Ok(Some((Topic { name: name.to_owned(), id, partitions, stamping }, described)))
    }

    fn create(&self, spec: &TopicSpec) -> Result<(Topic, Described), Error> {
        let settings = wanted(spec);
        let mut topic = NewTopic::new(&spec.name, spec.partitions as i32, TopicReplication::Fixed(-1));
        for (name, value) in &settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(self.patience));
        for result in wait(self.admin.create_topics([&topic], &options)).map_err(kafka)? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(Error::Kafka(format!("creating topic {name}: {code}"))),
            }
        }
        // Brokers learn of a new topic one after the other.
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(existing) = self.describe(&spec.name)? {
                return Ok(existing);
            }
            if Instant::now() > deadline {
                return Err(Error::UnknownTopic(spec.name.clone()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Settings of the cluster: these defaults, then what the user gives.
pub(crate) fn config(settings: &KafkaSettings, defaults: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers).set("client.id", "assay");
    for (name, value) in defaults {
        config.set(*name, *value);
    }
    for (name, value) in settings.extra.iter().filter(|(name, _)| *name != PATIENCE_NAME && *name != GROUP_NAME) {
        config.set(name, value);
    }
    config
}

/// The consumer group under which progress is noted.
pub(crate) fn group(settings: &KafkaSettings) -> &str {
    settings.extra.get(GROUP_NAME).map_or(GROUP, String::as_str)
}

fn consumer(settings: &KafkaSettings) -> Result<BaseConsumer, Error> {
    let defaults =
        [("fetch.queue.backoff.ms", "10"), ("fetch.wait.max.ms", "50"), ("queued.max.messages.kbytes", "16384")];
    let mut config = config(settings, &defaults);
    config
        .set("group.id", group(settings))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed");
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
        let (topic, described) = match self.describe(&spec.name)? {
            Some(existing) => existing,
            None => self.create(spec)?,
        };
        let mut differences = contradictions(spec, &described);
        if topic.partitions != spec.partitions {
            let count = |partitions: u32| format!("{partitions} partitions");
            differences.insert(0, (count(topic.partitions), count(spec.partitions)));
        }
        if !differences.is_empty() {
            let (found, wanted): (Vec<_>, Vec<_>) = differences.into_iter().unzip();
            return Err(Error::TopicDiffers {
                topic: spec.name.clone(),
                found: found.join(" and "),
                wanted: wanted.join(" and "),
            });
        }
        for complaint in complaints(spec, &described) {
            tracing::warn!(topic = spec.name, "the topic has {complaint}");
        }
        Ok(topic)
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        self.describe(name)?.map(|(topic, _)| topic).ok_or_else(|| Error::UnknownTopic(name.to_owned()))
    }

    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        self.deliveries.append(topic, partition, records, self.patience)
    }

    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        self.watermarks(topic, partition)
    }

    fn note_progress(&self, topic: &str, partition: Partition, next: Offset) -> Result<(), Error> {
        self.progress.note(topic, partition, next)
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
            patience: self.patience,
            end: End::default(),
            failing: None,
            headers: Vec::new(),
        }))
    }
}
