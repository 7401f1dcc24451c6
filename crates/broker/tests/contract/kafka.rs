//! What is Kafka's alone: transactions, other people's records and topics, brokers that are silent.

use crate::{read, record, spec};
use assay_broker::{
    Batch, Error, KafkaLog, KafkaSettings, Log, NewRecord, Offset, Partition, Reader, Stamping, TopicSpec,
};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// Reads until the reader says that it has everything, and returns the offsets and bodies.
fn drain(reader: &mut dyn Reader, from: u64) -> Vec<(u64, String)> {
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    let (started, mut next) = (Instant::now(), Offset(from));
    loop {
        reader.poll(&mut batch, 1 << 20, Duration::from_millis(20)).unwrap();
        for record in batch.iter() {
            next = Offset(record.offset.0 + 1);
            found.push((record.offset.0, String::from_utf8(record.payload.to_vec()).unwrap()));
        }
        if batch.is_empty() && reader.next_in_log().unwrap() == next {
            return found;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it stands at {next:?} and does not know that it is the end"
        );
    }
}

/// Marks that end transactions, and what was aborted, are gaps, at the end of the log too.
pub fn transactions(log: &dyn Log, address: &str) {
    log.create_topic(&spec("transactions", 1, Stamping::Append)).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("transactional.id", "somebody");
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(Duration::from_secs(30)).unwrap();
    let write = |bodies: &[&str], commits: bool| {
        producer.begin_transaction().unwrap();
        for body in bodies {
            producer.send(BaseRecord::<str, str>::to("transactions").partition(0).key("k").payload(body)).unwrap();
        }
        producer.flush(Duration::from_secs(30)).unwrap();
        match commits {
            true => producer.commit_transaction(Duration::from_secs(30)).unwrap(),
            false => producer.abort_transaction(Duration::from_secs(30)).unwrap(),
        }
    };
    let mut reader = log.open("transactions", Partition(0), Offset(0)).unwrap();
    let said = |offset: u64, body: &str| (offset, body.to_owned());
    write(&["a", "b"], true);
    assert_eq!(drain(reader.as_mut(), 0), [said(0, "a"), said(1, "b")], "the mark is at 2");
    write(&["c"], false);
    assert_eq!(drain(reader.as_mut(), 2), [], "the abort's is at 4");
    log.append("transactions", Partition(0), &[record("k", b"d")]).unwrap();
    assert_eq!(drain(reader.as_mut(), 2), [said(5, "d")]);
    write(&["e"], true);
    write(&["f", "g"], false);
    assert_eq!(drain(reader.as_mut(), 6), [said(6, "e")]);
    // One that is still open is not there yet, and nobody waits for it.
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<str, str>::to("transactions").partition(0).key("k").payload("h")).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    assert_eq!(drain(reader.as_mut(), 7), []);
    producer.commit_transaction(Duration::from_secs(30)).unwrap();
    assert_eq!(drain(reader.as_mut(), 7), [said(11, "h")]);
    let mut reader = log.open("transactions", Partition(0), Offset(12)).unwrap();
    assert_eq!(drain(reader.as_mut(), 12), [], "whoever starts behind the last record has everything");
    let mut reader = log.open("transactions", Partition(0), Offset(0)).unwrap();
    let bodies: Vec<String> = drain(reader.as_mut(), 0).into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, ["a", "b", "d", "e", "h"]);
}

/// Somebody writes a header whose name is no UTF-8.
pub fn names_that_are_no_text(log: &dyn Log, address: &str) {
    log.create_topic(&spec("names", 1, Stamping::Append)).unwrap();
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let headers = [(&b"\xff\xfe\0"[..], &b"x"[..]), (b"null\0", b""), (b"assay\0", b"tick")];
    write_raw(&producer, c"names", b"body", &headers);
    producer.flush(Duration::from_secs(30)).unwrap();
    let mut reader = log.open("names", Partition(0), Offset(0)).unwrap();
    let found = read(reader.as_mut(), 1, 1 << 20).remove(0);
    assert_eq!(found.3, [("null".to_owned(), Vec::new()), ("assay".to_owned(), b"tick".to_vec())]);
    assert_eq!(found.4, b"body");
}

/// Appends a record with headers whose names, ended by zero, are any bytes.
#[allow(unsafe_code, reason = "rdkafka has no safe way to write such a name")]
fn write_raw(producer: &BaseProducer, topic: &CStr, payload: &[u8], headers: &[(&[u8], &[u8])]) {
    use rdkafka::bindings::rd_kafka_vtype_t::*;
    use rdkafka::bindings::{
        RD_KAFKA_MSG_F_COPY, rd_kafka_produceva, rd_kafka_vtype_t, rd_kafka_vu_s__bindgen_ty_1 as Value,
        rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 as Bytes, rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 as Header,
        rd_kafka_vu_t,
    };
    let one = |vtype: rd_kafka_vtype_t, u: Value| rd_kafka_vu_t { vtype, u };
    let body = Bytes { ptr: payload.as_ptr().cast_mut().cast(), size: payload.len() };
    let mut all = vec![
        one(RD_KAFKA_VTYPE_TOPIC, Value { cstr: topic.as_ptr() }),
        one(RD_KAFKA_VTYPE_PARTITION, Value { i32_: 0 }),
        one(RD_KAFKA_VTYPE_MSGFLAGS, Value { i: RD_KAFKA_MSG_F_COPY }),
        one(RD_KAFKA_VTYPE_VALUE, Value { mem: body }),
    ];
    all.extend(headers.iter().map(|(name, value)| {
        assert_eq!(name.last(), Some(&0));
        let header = Header { name: name.as_ptr().cast(), val: value.as_ptr().cast(), size: value.len() as isize };
        one(RD_KAFKA_VTYPE_HEADER, Value { header })
    }));
    // SAFETY: the producer is alive, and so are all bytes that the values point to; librdkafka copies them.
    let problem = unsafe { rd_kafka_produceva(producer.client().native_ptr(), all.as_ptr(), all.len()) };
    assert!(problem.is_null(), "it was not taken");
}

/// Topics that somebody else made, with other settings.
pub fn topics_of_others(log: &dyn Log, address: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let make = |name: &str, settings: &[(&str, &str)]| {
        let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1)).set("message.timestamp.type", "LogAppendTime");
        let topic = settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value));
        let options = AdminOptions::new();
        let made = std::pin::pin!(admin.create_topics([&topic], &options));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut made = made;
        while Future::poll(made.as_mut(), &mut context).is_pending() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let started = Instant::now();
        while log.topic(name).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "{name} does not appear");
        }
    };
    make("forgetful", &[("cleanup.policy", "compact")]);
    let message = log.create_topic(&spec("forgetful", 1, Stamping::Append)).unwrap_err().to_string();
    assert!(message.contains("has cleanup.policy=compact, but cleanup.policy=delete is needed"), "{message}");
    assert!(log.create_topic(&TopicSpec { compacted: true, ..spec("forgetful", 1, Stamping::Append) }).is_ok());
    // What a broker refuses is no use trying again, and stops nothing that comes later.
    make("narrow", &[("max.message.bytes", "1000")]);
    log.create_topic(&spec("narrow", 1, Stamping::Append)).unwrap();
    let large = [7; 5_000];
    for _ in 0..2 {
        let records = [record("k", b"before"), record("k", &large), record("k", b"after")];
        let refused = log.append("narrow", Partition(0), &records).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)) && refused.to_string().contains("max.message.bytes"), "{refused}");
        log.append("narrow", Partition(0), &[record("k", b"again")]).unwrap();
    }
    let mut reader = log.open("narrow", Partition(0), Offset(0)).unwrap();
    let bodies: Vec<String> = drain(reader.as_mut(), 0).into_iter().map(|(_, body)| body).collect();
    assert!(!bodies.contains(&"after".to_owned()), "no record without those before it: {bodies:?}");
    assert_eq!(bodies.iter().filter(|body| *body == "again").count(), 2);
}

/// What a tool sees of a group.
fn committed(address: &str, group: &str, topic: &str) -> Option<i64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", group);
    let tool: BaseConsumer = config.create().unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let found = tool.committed_offsets(asked, Duration::from_secs(30)).unwrap();
    found.elements()[0].offset().to_raw().filter(|offset| *offset >= 0)
}

/// Progress is there for tools, under the group that the settings name, and goes back where a partition does.
pub fn progress_for_tools(log: &dyn Log, address: &str) {
    log.create_topic(&spec("progress", 1, Stamping::Append)).unwrap();
    log.append("progress", Partition(0), &[record("k", b"a"), record("k", b"b"), record("k", b"c")]).unwrap();
    let extra = BTreeMap::from([("group.id".to_owned(), "other".to_owned())]);
    let other = KafkaLog::connect(KafkaSettings { brokers: address.to_owned(), extra }).unwrap();
    assert_eq!((committed(address, "assay", "progress"), committed(address, "other", "progress")), (None, None));
    let follows = |log: &dyn Log, group: &str, next: u64| {
        let started = Instant::now();
        log.note_progress("progress", Partition(0), Offset(next)).unwrap();
        while committed(address, group, "progress") != Some(next as i64) {
            assert!(started.elapsed() < Duration::from_secs(60), "{next} does not appear");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    follows(log, "assay", 2);
    follows(log, "assay", 3);
    follows(log, "assay", 1);
    assert_eq!(committed(address, "other", "progress"), None);
    follows(&other, "other", 2);
    // Readers go on from where they are told, whatever is committed.
    let mut reader = log.open("progress", Partition(0), Offset(0)).unwrap();
    assert_eq!(drain(reader.as_mut(), 0).len(), 3);
}

#[test]
fn nobody_waits_for_progress_that_is_not_noted() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let log = silenced(&cluster);
    cluster.broker_down(1).unwrap();
    let started = Instant::now();
    for next in 0..100 {
        // That it failed may be known later, or never.
        let _ = log.note_progress("t", Partition(0), Offset(next));
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

fn silenced(cluster: &MockCluster<'_, rdkafka::producer::DefaultProducerContext>) -> KafkaLog {
    let extra = [("message.timeout.ms", "1500"), ("log_level", "0"), ("reconnect.backoff.max.ms", "300")];
    let extra = extra.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    KafkaLog::connect(KafkaSettings { brokers: cluster.bootstrap_servers(), extra }).unwrap()
}

#[test]
fn a_cluster_that_was_silent_has_a_prefix_at_most() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let log = silenced(&cluster);
    let bodies: Vec<[u8; 4]> = (0..200u32).map(u32::to_le_bytes).collect();
    let records: Vec<NewRecord<'_>> = bodies.iter().map(|body| record("k", body)).collect();
    log.append("t", Partition(0), &records[..1]).unwrap();
    cluster.broker_down(1).unwrap();
    let started = Instant::now();
    let problem = log.append("t", Partition(0), &records).unwrap_err();
    assert!(matches!(problem, Error::Kafka(_)), "{problem}");
    assert!(started.elapsed() < Duration::from_secs(10), "it says so in time");
    cluster.broker_up(1).unwrap();
    let appended = log.append("t", Partition(0), &records).unwrap();
    let mut reader = log.open("t", Partition(0), Offset(0)).unwrap();
    let count = appended.last().unwrap().offset.0 as usize + 1;
    let found: Vec<Vec<u8>> = read(reader.as_mut(), count, 1 << 20).into_iter().map(|it| it.4).collect();
    let before = &found[1..count - 200];
    assert!(before.iter().zip(&bodies).all(|(found, body)| found == body), "what was given up is a prefix");
    assert!(found[count - 200..].iter().zip(&bodies).all(|(found, body)| found == body), "then comes everything");
}

#[test]
fn a_cluster_that_stays_silent_is_an_error_of_its_reader() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 1, 1).unwrap();
    let log = silenced(&cluster);
    log.append("t", Partition(0), &[record("k", b"x")]).unwrap();
    let mut reader = log.open("t", Partition(0), Offset(0)).unwrap();
    assert_eq!(read(reader.as_mut(), 1, 1).len(), 1);
    cluster.broker_down(1).unwrap();
    let (started, mut batch) = (Instant::now(), Batch::default());
    let problem = loop {
        if let Err(problem) = reader.poll(&mut batch, 1, Duration::from_millis(100)) {
            break problem.to_string();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nobody notices");
    };
    assert!(problem.contains("t/0 could not be read for"), "{problem}");
    cluster.broker_up(1).unwrap();
    log.append("t", Partition(0), &[record("k", b"y")]).unwrap();
    let started = Instant::now();
    while batch.is_empty() {
        let _ = reader.poll(&mut batch, 1, Duration::from_millis(100));
        assert!(started.elapsed() < Duration::from_secs(60), "it never comes back");
    }
    assert_eq!(batch.iter().next().unwrap().payload, b"y");
}

#[test]
fn an_absent_kafka_is_told_in_words() {
    let extra = BTreeMap::from([("log_level".to_owned(), "0".to_owned())]);
    let settings = KafkaSettings { brokers: format!("127.0.0.1:{}", assay_real_parts::free_port()), extra };
    let message = KafkaLog::connect(settings).err().expect("nobody listens").to_string();
    assert!(message.contains("check the address"), "{message}");
}
