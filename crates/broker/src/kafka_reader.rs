//! Reads one partition of a Kafka topic.

use crate::headers::each_header;
use crate::kafka::kafka;
use crate::log::{Batch, Error, Offset, Partition, Reader, encode_header};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use std::time::{Duration, Instant};

/// How long asking a broker for the end of a partition may take.
const ASKING_MAX: Duration = Duration::from_secs(5);

pub(crate) struct KafkaReader {
    pub consumer: BaseConsumer,
    pub topic: String,
    pub partition: Partition,
    pub next: Offset,
    /// How long a broker may fail before that is an error.
    pub patience: Duration,
    pub end: End,
    /// Since when something went wrong without anything good in between.
    pub failing: Option<Instant>,
    pub headers: Vec<u8>,
}

/// What is known of the end of the partition.
///
/// The end that a broker tells counts the marks that end transactions, and what was aborted. No reader ever gets to see those, so one that
/// has read everything may stand before the end for ever. That it has read everything shows when it fetches once more from where it stands
/// and finds nothing.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// Everything readable below this was read.
    reached: u64,
    /// Fetching again to find out whether there is anything below this.
    asking: Option<u64>,
    /// Whether the last poll came back empty.
    idle: bool,
}

impl Reader for KafkaReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, timeout: Duration) -> Result<(), Error> {
        batch.clear();
        let deadline = Instant::now() + timeout;
        while batch.size() < max_bytes {
            let patience =
                if batch.is_empty() { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            let message = match self.consumer.poll(patience) {
                None => break,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.failing = None;
                    if let Some(end) = self.end.asking.take() {
                        self.end.reached = end;
                    }
                    continue;
                }
                Some(Err(problem)) => {
                    failed(&self.consumer, &self.topic, self.partition, self.next, &mut self.failing, problem)?;
                    continue;
                }
                Some(Ok(message)) => message,
            };
            self.failing = None;
            self.headers.clear();
            each_header(&message, |name, value| encode_header(name, value, &mut self.headers));
            let offset = Offset(message.offset().max(0) as u64);
            let time = message.timestamp().to_millis().unwrap_or(0);
            batch.push(offset, time, message.key(), &self.headers, message.payload().unwrap_or_default());
            self.next = Offset(offset.0 + 1);
        }
        self.end.idle = batch.is_empty();
        if batch.is_empty() { self.lasts() } else { Ok(()) }
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        let end = self.watermarks(ASKING_MAX)?.1;
        if end <= self.next.0 || end <= self.end.reached {
            return Ok(self.next);
        }
        if self.end.idle && self.end.asking.is_none() {
            // What was fetched before is thrown away by this, word of its end too: what comes now was fetched after `end` was known.
            let next = rdkafka::Offset::Offset(self.next.0 as i64);
            self.consumer.seek(&self.topic, self.partition.0 as i32, next, ASKING_MAX).map_err(kafka)?;
            self.end.asking = Some(end);
        }
        Ok(Offset(end))
    }
}

impl KafkaReader {
    fn watermarks(&self, timeout: Duration) -> Result<(u64, u64), Error> {
        watermarks(&self.consumer, &self.topic, self.partition, timeout).map_err(kafka)
    }

    /// After a failure nothing may come because there is nothing, or because nobody answers: asks, once it has lasted.
    fn lasts(&mut self) -> Result<(), Error> {
        let Some(since) = self.failing.filter(|since| since.elapsed() >= self.patience) else { return Ok(()) };
        match self.watermarks(ASKING_MAX) {
            Ok(_) => {
                self.failing = None;
                Ok(())
            }
            Err(problem) => Err(Error::Kafka(format!(
                "{}/{} could not be read for {} s: {problem}",
                self.topic,
                self.partition.0,
                since.elapsed().as_secs()
            ))),
        }
    }
}

fn watermarks(
    consumer: &BaseConsumer,
    topic: &str,
    partition: Partition,
    timeout: Duration,
) -> Result<(u64, u64), KafkaError> {
    let (low, next) = consumer.fetch_watermarks(topic, partition.0 as i32, timeout)?;
    Ok((low.max(0) as u64, next.max(0) as u64))
}

/// librdkafka tries again what can be tried again, and tells it; that is an error only if it is about the offset, or lasts.
fn failed(
    consumer: &BaseConsumer,
    topic: &str,
    partition: Partition,
    next: Offset,
    failing: &mut Option<Instant>,
    problem: KafkaError,
) -> Result<(), Error> {
    use RDKafkaErrorCode::{AutoOffsetReset, OffsetOutOfRange, UnknownTopicOrPartition};
    if matches!(problem.rdkafka_error_code(), Some(OffsetOutOfRange | AutoOffsetReset | UnknownTopicOrPartition)) {
        let (low, end) = watermarks(consumer, topic, partition, ASKING_MAX).unwrap_or((0, 0));
        let (topic, partition) = (topic.to_owned(), partition.0);
        return Err(Error::OffsetGone { topic, partition, wanted: next.0, low, next: end });
    }
    if matches!(problem, KafkaError::MessageConsumptionFatal(_)) {
        return Err(kafka(problem));
    }
    let since = failing.get_or_insert_with(Instant::now);
    tracing::warn!(topic, partition = partition.0, %problem, seconds = since.elapsed().as_secs(), "the broker cannot be read");
    Ok(())
}
