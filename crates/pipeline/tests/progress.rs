//! What Kafka's own tools see of the pipeline: the offset of the newest snapshot, and never one beyond it.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

use assay_broker::{KafkaLog, KafkaSettings, Log, NewRecord, Partition, Stamping, TopicSpec};
use assay_experiment::control::{self, Genesis};
use assay_pipeline::{
    Erasure, Insert, Keep, Metrics, OwnerSettings, Parts, Pipeline, Sink, SinkError, Store, StoreError, SystemClock,
    Topics,
};
use assay_real_parts::{Kafka, wait_until};
use prometheus::Registry;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct World {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Store for World {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.objects.lock().unwrap().insert(key.to_owned(), bytes.to_vec());
        Ok(())
    }
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.objects.lock().unwrap().get(key).cloned())
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let objects = self.objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, bytes)| (key.clone(), bytes.len() as u64)).collect())
    }
    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.objects.lock().unwrap().remove(key);
        Ok(())
    }
}

impl Sink for World {
    fn insert(&self, _: &Insert) -> Result<(), SinkError> {
        Ok(())
    }
    fn erase(&self, _: &Erasure) -> Result<bool, SinkError> {
        Ok(true)
    }
}

impl World {
    /// Offset of the newest snapshot.
    fn newest(&self) -> i64 {
        let snapshots = self.list("snapshots/log/00000/").unwrap();
        let offset = |key: &str| key.rsplit('/').next()?.split('-').next()?.parse().ok();
        snapshots.iter().filter_map(|(key, _)| offset(key)).max().unwrap_or(0)
    }
}

#[test]
fn the_groups_offset_follows_the_snapshots_and_is_never_ahead() {
    let kafka = Kafka::start();
    let settings = KafkaSettings { brokers: kafka.address.clone(), extra: BTreeMap::new() };
    let log: Arc<dyn Log> = Arc::new(KafkaLog::connect(settings).unwrap());
    let topics = Topics::default();
    for name in [&topics.events, &topics.aggregates, &topics.dead_letters] {
        let (name, stamping) = (name.clone(), Stamping::Append);
        log.create_topic(&TopicSpec { name, partitions: 1, stamping, retention: None, compacted: false }).unwrap();
    }
    let genesis = Genesis { chunk_ms: 1_000, ..Genesis::new("log".to_owned(), 1, 7) };
    let first = control::genesis(&genesis);
    let headers: Vec<(&str, &[u8])> = first.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let append = |headers: &[(&str, &[u8])], payload: &[u8]| {
        let record = NewRecord { key: None, headers, payload, timestamp_ms: None };
        log.append(&topics.events, Partition(0), &[record]).unwrap();
    };
    append(&headers, &first.body);
    let tool: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &kafka.address).set("group.id", "assay").create().unwrap();
    let committed = || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&topics.events, 0);
        let found = tool.committed_offsets(asked, Duration::from_secs(30)).unwrap();
        found.elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
    };
    let (world, runs, registry) = (Arc::new(World::default()), tempfile::tempdir().unwrap(), Registry::new());
    let pipeline = Pipeline::start(Parts {
        log: log.clone(),
        log_id: "log".to_owned(),
        topics: topics.clone(),
        partitions: vec![0],
        sink: world.clone(),
        store: world.clone(),
        runs: runs.path().to_owned(),
        clock: Arc::new(SystemClock::default()),
        metrics: Metrics::new(&registry).unwrap(),
        owner: OwnerSettings { snapshot_every: Duration::from_millis(500), ..OwnerSettings::default() },
        keep: Keep { all_for: Duration::from_secs(86_400), dailies_for: Duration::from_secs(86_400) },
        spill_bytes_max: 1 << 20,
        flush_bytes_max: 1 << 20,
    })
    .unwrap();
    let mut seen = std::collections::BTreeSet::new();
    wait_until("three commits", PATIENCE, || {
        append(&[], b"broken");
        // Asked in this order, a snapshot that is written in between can only be newer.
        let (found, newest) = (committed(), world.newest());
        if let Some(found) = found {
            assert!(found <= newest, "{found} is committed, the newest snapshot is at {newest}");
            seen.insert(found);
        }
        seen.len() >= 3
    });
    pipeline.stop();
    wait_until("the newest snapshot is seen", PATIENCE, || committed() == Some(world.newest()));
    let failures = registry.gather().into_iter().find(|it| it.name() == "assay_commit_failures_total").unwrap();
    assert_eq!(failures.get_metric()[0].get_counter().get_value(), 0.0);
}
