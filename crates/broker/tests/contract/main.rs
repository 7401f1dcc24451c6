//! What every log promises, on files and on a real Kafka.

#![allow(clippy::unwrap_used, reason = "a log that cannot be prepared has failed the test")]

mod files;
mod kafka;

use assay_broker::{
    Batch, Error, Fsync, KafkaLog, KafkaSettings, LocalLog, LocalSettings, Log, MemoryLog, NewRecord, Offset,
    Partition, RECORD_BYTES_MAX, Reader, Stamping, TopicSpec,
};
use assay_real_parts::Kafka;
use std::collections::BTreeMap;
use std::path::Path;
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
    sizes(log);
    newest_of_each_key(log);
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

fn sizes(log: &dyn Log) {
    log.create_topic(&spec("sizes", 1, Stamping::Append)).unwrap();
    let large = vec![7; RECORD_BYTES_MAX - 1];
    log.append("sizes", Partition(0), &[record("k", &large)]).unwrap();
    for (key, headers, size) in
        [("kk", &[][..], large.len()), ("", &[("name", &b""[..])][..], large.len()), ("k", &[], 3 * large.len())]
    {
        let more = vec![7; size];
        let refused =
            log.append("sizes", Partition(0), &[record("a", b"b"), NewRecord { headers, ..record(key, &more) }]);
        let refused = refused.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
        assert!(refused.to_string().contains(&RECORD_BYTES_MAX.to_string()), "{refused}");
    }
    assert_eq!(log.bounds("sizes", Partition(0)).unwrap().next, Offset(1), "nothing of what was refused is there");
    let mut reader = log.open("sizes", Partition(0), Offset(0)).unwrap();
    assert_eq!(read(reader.as_mut(), 1, 1)[0].4, large);
}

/// Whatever a compacted topic forgot, the newest record of each key is there, under the offset that it was given.
fn newest_of_each_key(log: &dyn Log) {
    log.create_topic(&TopicSpec { compacted: true, ..spec("newest", 1, Stamping::Append) }).unwrap();
    let mut expected = BTreeMap::new();
    let mut early = log.open("newest", Partition(0), Offset(0)).unwrap();
    let (mut batch, mut seen) = (Batch::default(), Vec::new());
    for number in 0..600u32 {
        let key = if number == 3 { "once".to_owned() } else { format!("key-{}", number % 4) };
        let appended = log.append("newest", Partition(0), &[record(&key, &number.to_le_bytes())]).unwrap();
        expected.insert(key.into_bytes(), (appended[0].offset, number));
        if number % 50 == 0 {
            early.poll(&mut batch, 1, Duration::from_millis(1)).unwrap();
            seen.extend(batch.iter().map(|record| record.offset));
        }
    }
    let end = Offset(600);
    for from in [0, 3, 299, 590] {
        let mut reader = log.open("newest", Partition(0), Offset(from)).unwrap();
        let mut found = BTreeMap::new();
        let mut next = Offset(from);
        while next < end {
            reader.poll(&mut batch, 1_000, Duration::from_secs(20)).unwrap();
            assert!(!batch.is_empty(), "nothing comes after {next:?}");
            for record in batch.iter() {
                assert!(next <= record.offset, "offsets go up");
                next = Offset(record.offset.0 + 1);
                let number = u32::from_le_bytes(record.payload.try_into().unwrap());
                found.insert(record.key.unwrap().to_vec(), (record.offset, number));
            }
        }
        let expected: BTreeMap<_, _> =
            expected.clone().into_iter().filter(|(_, (offset, _))| *offset >= Offset(from)).collect();
        assert_eq!(found, expected);
        assert_eq!(reader.next_in_log().unwrap(), end);
    }
    // Whoever was in the middle of it goes on.
    while seen.last().is_none_or(|last| last.0 + 1 < end.0) {
        early.poll(&mut batch, 1_000, Duration::from_secs(20)).unwrap();
        assert!(!batch.is_empty(), "nothing comes after {:?}", seen.last());
        seen.extend(batch.iter().map(|record| record.offset));
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
}

fn local(directory: &Path, fsync: Fsync, segment_bytes: u64) -> LocalLog {
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
    let log = KafkaLog::connect(settings).unwrap();
    contract(&log);
    kafka::transactions(&log, &kafka.address);
    kafka::names_that_are_no_text(&log, &kafka.address);
    kafka::topics_of_others(&log, &kafka.address);
    kafka::progress_for_tools(&log, &kafka.address);
}
