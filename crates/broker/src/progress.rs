//! Offsets committed under a consumer group, for the tools that people watch lag with. Nothing of Assay's reads them.

use crate::kafka::{KafkaSettings, config, group, kafka};
use crate::log::{Error, Offset, Partition};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::Mutex;
use std::time::Duration;

/// Commits without waiting for the answer: whoever notes progress has something to do that matters.
pub(crate) struct Progress {
    consumer: BaseConsumer<Answers>,
}

/// Answers that are heard at a time; one commit has one.
const ANSWERS_MAX: usize = 4;

/// Why a commit failed, until somebody asks.
#[derive(Default)]
struct Answers {
    failed: Mutex<Option<String>>,
}

impl ClientContext for Answers {}

impl ConsumerContext for Answers {
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(problem) = result {
            *self.failed.lock().expect("no code panics while it holds this lock") = Some(problem.to_string());
        }
    }
}

impl Progress {
    pub fn new(settings: &KafkaSettings) -> Result<Progress, Error> {
        let mut config = config(settings, &[]);
        config.set("group.id", group(settings)).set("enable.auto.commit", "false");
        let consumer = config.create_with_context(Answers::default()).map_err(kafka)?;
        Ok(Progress { consumer })
    }

    /// Commits an offset. An error may be that of a commit before, whose answer came meanwhile.
    pub fn note(&self, topic: &str, partition: Partition, next: Offset) -> Result<(), Error> {
        let mut offsets = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(next.0 as i64);
        offsets.add_partition_offset(topic, partition.0 as i32, offset).map_err(kafka)?;
        self.consumer.commit(&offsets, CommitMode::Async).map_err(kafka)?;
        for _ in 0..ANSWERS_MAX {
            // Nothing is assigned, so no record can come.
            let _ = self.consumer.poll(Duration::ZERO);
        }
        match self.consumer.context().failed.lock().expect("no code panics while it holds this lock").take() {
            Some(problem) => Err(Error::Kafka(format!("an offset was not committed: {problem}"))),
            None => Ok(()),
        }
    }
}
