//! What every log promises, on files and on a real Kafka.

use assay_broker::{
    Batch, Error, Fsync, KafkaLog, KafkaSettings, LocalLog, LocalSettings, Log, MemoryLog, NewRecord, Offset,
    Partition, Reader, Stamping, TopicSpec,
};
use assay_real_parts::Kafka;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn spec(name: &str, partitions: u32, stamping: Stamping) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, stamping, retention: None, compacted: false }
}

fn record<'a>(key: &'a str, payload: &'a [u8]) -> NewRecord<'a> {
    NewRecord { key: Some(key.as_bytes()), headers: &[], payload, timestamp_ms: None }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// Offset, time, key, headers, payload.
type Read = (u64, i64, Option<Vec<u8>>, Vec<(String, Vec<u8>)>, Vec<u8>);

fn read(reader: &mut dyn Reader, count: usize, max_bytes: usize) -> Vec<Read> {
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    while found.len() < count {
        reader.poll(&mut batch, max_bytes, Duration::from_secs(20)).unwrap();
        assert!(!batch.is_empty(), "only {} of {count} records came", found.len());
        found.extend(batch.iter().map(|it| {
            let headers = it.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
            (it.offset.0, it.timestamp_ms, it.key.map(<[u8]>::to_vec), headers, it.payload.to_vec())
        }));
    }
    found
}

fn contract(log: &dyn Log) {
    topics(log);
    order_and_content(log);
    times(log);
    positions(log);
    waiting(log);
    writers_at_once(log);
}

fn topics(log: &dyn Log) {
    assert!(matches!(log.topic("absent"), Err(Error::UnknownTopic(_))));
    let made = log.create_topic(&spec("topics", 3, Stamping::Append)).unwrap();
    assert_eq!((made.partitions, made.stamping), (3, Stamping::Append));
    assert_eq!(log.create_topic(&spec("topics", 3, Stamping::Append)).unwrap(), made, "making it again finds it");
    assert_eq!(log.topic("topics").unwrap(), made);
    let other = log.create_topic(&spec("topics", 4, Stamping::Append)).unwrap_err();
    assert!(other.to_string().contains("3 partitions"), "{other}");
    let other = log.create_topic(&spec("topics", 3, Stamping::Given)).unwrap_err();
    assert!(matches!(other, Error::TopicDiffers { .. }), "{other}");
}

fn order_and_content(log: &dyn Log) {
    log.create_topic(&spec("order", 2, Stamping::Append)).unwrap();
    let bodies: Vec<Vec<u8>> = (0..500u32).map(|at| at.to_le_bytes().repeat(1 + at as usize % 50)).collect();
    let headers: [(&str, &[u8]); 2] = [("assay", b"tick"), ("empty", b"")];
    for part in bodies.chunks(100) {
        let records: Vec<NewRecord<'_>> =
            part.iter().map(|body| NewRecord { headers: &headers, ..record("k", body) }).collect();
        let appended = log.append("order", Partition(1), &records).unwrap();
        assert!(appended.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    }
    log.append("order", Partition(0), &[NewRecord { key: None, ..record("", b"") }]).unwrap();
    for max_bytes in [1, 1_000, 1 << 20] {
        let mut reader = log.open("order", Partition(1), Offset(0)).unwrap();
        let found = read(reader.as_mut(), 500, max_bytes);
        assert!(found.iter().map(|it| &it.4).eq(bodies.iter()), "bodies in order, {max_bytes} bytes at a time");
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(found[7].2.as_deref(), Some(&b"k"[..]));
        let expected = [("assay".to_owned(), b"tick".to_vec()), ("empty".to_owned(), Vec::new())];
        assert_eq!(found[7].3, expected);
    }
    let mut reader = log.open("order", Partition(0), Offset(0)).unwrap();
    assert_eq!(read(reader.as_mut(), 1, 1)[0].2, None, "no key is not an empty key");
}

fn times(log: &dyn Log) {
    log.create_topic(&spec("stamped", 1, Stamping::Append)).unwrap();
    let before = now_ms();
    let given = NewRecord { timestamp_ms: Some(5), ..record("k", b"x") };
    let appended = log.append("stamped", Partition(0), &[given, given]).unwrap();
    let mut reader = log.open("stamped", Partition(0), Offset(0)).unwrap();
    let found = read(reader.as_mut(), 2, 1 << 20);
    for (read, said) in found.iter().zip(&appended) {
        assert!((before - 5..=now_ms() + 5).contains(&read.1), "the log says the time, not the writer");
        assert_eq!((read.0, read.1), (said.offset.0, said.timestamp_ms), "what append said is what is read");
    }
    log.create_topic(&spec("given", 1, Stamping::Given)).unwrap();
    let at = |time| NewRecord { timestamp_ms: Some(time), ..record("k", b"x") };
    log.append("given", Partition(0), &[at(1_000_000), at(999_000)]).unwrap();
    let mut reader = log.open("given", Partition(0), Offset(0)).unwrap();
    let times: Vec<i64> = read(reader.as_mut(), 2, 1 << 20).iter().map(|it| it.1).collect();
    assert_eq!(times, [1_000_000, 999_000], "given times stay, even when they go back");
}

fn positions(log: &dyn Log) {
    log.create_topic(&spec("positions", 1, Stamping::Append)).unwrap();
    let bounds = log.bounds("positions", Partition(0)).unwrap();
    assert_eq!((bounds.low, bounds.next), (Offset(0), Offset(0)));
    let records: Vec<NewRecord<'_>> = (0..10).map(|_| record("k", b"body")).collect();
    log.append("positions", Partition(0), &records).unwrap();
    assert_eq!(log.bounds("positions", Partition(0)).unwrap().next, Offset(10));
    let mut reader = log.open("positions", Partition(0), Offset(7)).unwrap();
    assert_eq!(read(reader.as_mut(), 3, 1 << 20).iter().map(|it| it.0).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(reader.next_in_log().unwrap(), Offset(10));
    let gone = log.open("positions", Partition(0), Offset(11)).err().expect("nothing was ever there");
    assert!(matches!(gone, Error::OffsetGone { wanted: 11, next: 10, .. }), "{gone}");
    assert!(gone.to_string().contains("truncated"), "{gone}");
}

fn waiting(log: &dyn Log) {
    log.create_topic(&spec("waiting", 1, Stamping::Append)).unwrap();
    let mut reader = log.open("waiting", Partition(0), Offset(0)).unwrap();
    let mut batch = Batch::default();
    reader.poll(&mut batch, 1_000, Duration::from_millis(10)).unwrap();
    assert!(batch.is_empty(), "nothing is nothing, not an error");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            log.append("waiting", Partition(0), &[record("k", b"late")]).unwrap();
        });
        assert_eq!(read(reader.as_mut(), 1, 1_000)[0].4, b"late");
    });
    assert!(reader.next_in_log().unwrap() >= Offset(1));
}

fn writers_at_once(log: &dyn Log) {
    log.create_topic(&spec("writers", 1, Stamping::Append)).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            scope.spawn(move || {
                for at in 0..50u8 {
                    log.append("writers", Partition(0), &[record("k", &[writer, at])]).unwrap();
                }
            });
        }
    });
    let mut reader = log.open("writers", Partition(0), Offset(0)).unwrap();
    let found = read(reader.as_mut(), 200, 1 << 20);
    for writer in 0..4u8 {
        let own: Vec<u8> = found.iter().filter(|it| it.4[0] == writer).map(|it| it.4[1]).collect();
        assert_eq!(own, (0..50).collect::<Vec<u8>>(), "each writer's records stay in their order");
    }
    assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].1), "append times never go back");
}

fn local(directory: &std::path::Path, fsync: Fsync, segment_bytes: u64) -> LocalLog {
    LocalLog::open(directory, LocalSettings { fsync, segment_bytes, ..LocalSettings::default() }).unwrap()
}

#[test]
fn files_keep_the_contract() {
    for (fsync, segment_bytes) in [(Fsync::Always, 64 << 20), (Fsync::Never, 2_000)] {
        let directory = tempfile::tempdir().unwrap();
        contract(&local(directory.path(), fsync, segment_bytes));
    }
}

#[test]
fn memory_keeps_the_contract() {
    contract(&MemoryLog::new(std::sync::Arc::new(now_ms)));
}

#[test]
fn kafka_keeps_the_contract() {
    let kafka = Kafka::start();
    let settings = KafkaSettings { brokers: kafka.address.clone(), extra: BTreeMap::new() };
    contract(&KafkaLog::connect(settings).unwrap());
}

#[test]
fn an_absent_kafka_is_told_in_words() {
    let extra = BTreeMap::from([("log_level".to_owned(), "0".to_owned())]);
    let settings = KafkaSettings { brokers: format!("127.0.0.1:{}", assay_real_parts::free_port()), extra };
    let message = KafkaLog::connect(settings).err().expect("nobody listens").to_string();
    assert!(message.contains("check the address"), "{message}");
}

#[test]
fn files_survive_their_process() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Always, 1_000);
    let topic = log.create_topic(&spec("t", 1, Stamping::Append)).unwrap();
    let bodies: Vec<Vec<u8>> = (0..100u8).map(|at| vec![at; 40]).collect();
    for body in &bodies {
        log.append("t", Partition(0), &[record("k", body)]).unwrap();
    }
    drop(log);
    let log = local(directory.path(), Fsync::Always, 1_000);
    assert_eq!(log.topic("t").unwrap(), topic);
    let found = read(log.open("t", Partition(0), Offset(0)).unwrap().as_mut(), 100, 1 << 20);
    assert!(found.iter().map(|it| &it.4).eq(bodies.iter()));
    assert_eq!(log.append("t", Partition(0), &[record("k", b"x")]).unwrap()[0].offset, Offset(100));
}

#[test]
fn one_process_owns_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let _log = local(directory.path(), Fsync::Never, 1_000);
    let message = LocalLog::open(directory.path(), LocalSettings::default()).err().expect("it is taken").to_string();
    assert!(message.contains("process"), "{message}");
}

fn newest_segment(directory: &std::path::Path) -> std::path::PathBuf {
    let partition = directory.join("t/0");
    let mut files: Vec<_> = std::fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.pop().unwrap()
}

#[test]
fn a_torn_end_is_cut_off_at_any_byte() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 64 << 20);
    log.create_topic(&spec("t", 1, Stamping::Append)).unwrap();
    for at in 0..3u8 {
        log.append("t", Partition(0), &[record("k", &[at; 30])]).unwrap();
    }
    drop(log);
    let path = newest_segment(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let log = local(directory.path(), Fsync::Never, 64 << 20);
        let kept = log.bounds("t", Partition(0)).unwrap().next.0;
        assert_eq!(kept, (length / (bytes.len() / 3)) as u64, "whole records stay, {length} bytes");
        let appended = log.append("t", Partition(0), &[record("k", b"after")]).unwrap();
        assert_eq!(appended[0].offset, Offset(kept));
        let found = read(log.open("t", Partition(0), Offset(0)).unwrap().as_mut(), kept as usize + 1, 1 << 20);
        assert_eq!(found.last().unwrap().4, b"after");
    }
}

#[test]
fn damage_that_is_no_torn_end_stops_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 200);
    log.create_topic(&spec("t", 1, Stamping::Append)).unwrap();
    for at in 0..20u8 {
        log.append("t", Partition(0), &[record("k", &[at; 50])]).unwrap();
    }
    drop(log);
    let first = directory.path().join("t/0/00000000000000000000.log");
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let message = match LocalLog::open(directory.path(), LocalSettings::default()) {
        Err(problem) => problem.to_string(),
        Ok(log) => log.topic("t").unwrap_err().to_string(),
    };
    assert!(message.contains("damaged"), "{message}");
}

#[test]
fn retention_removes_whole_segments_and_says_what_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 200);
    let kept = TopicSpec { retention: Some(Duration::from_millis(1)), ..spec("t", 1, Stamping::Append) };
    log.create_topic(&kept).unwrap();
    for at in 0..20u8 {
        log.append("t", Partition(0), &[record("k", &[at; 50])]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(20));
    log.retain().unwrap();
    let bounds = log.bounds("t", Partition(0)).unwrap();
    assert!(bounds.low > Offset(0) && bounds.next == Offset(20), "{bounds:?}");
    let gone = log.open("t", Partition(0), Offset(0)).err().expect("it was removed");
    assert!(matches!(gone, Error::OffsetGone { wanted: 0, .. }), "{gone}");
    let rest = (bounds.next.0 - bounds.low.0) as usize;
    assert_eq!(read(log.open("t", Partition(0), bounds.low).unwrap().as_mut(), rest, 1 << 20).len(), rest);
}

#[test]
fn given_times_from_the_future_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 1_000);
    log.create_topic(&spec("t", 1, Stamping::Given)).unwrap();
    let ahead = NewRecord { timestamp_ms: Some(now_ms() + 120_000), ..record("k", b"x") };
    let message = log.append("t", Partition(0), &[ahead]).unwrap_err().to_string();
    assert!(message.contains("ahead of the clock"), "{message}");
}
