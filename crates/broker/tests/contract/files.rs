//! What is a local log's alone: crashes, damage, and files that go.

use crate::{local, now_ms, read, record, spec};
use assay_broker::{
    Batch, Error, Fsync, LocalLog, LocalSettings, Log, NewRecord, Offset, Partition, Stamping, TopicSpec, open_to_read,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// Whoever only reads sees what is there, changes nothing, and is in nobody's way.
#[test]
fn another_process_may_read_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 1_000);
    let topic = log.create_topic(&spec("t", 2, Stamping::Append)).unwrap();
    let bodies: Vec<Vec<u8>> = (0..100u8).map(|at| vec![at; 40]).collect();
    let view = open_to_read(&format!("local:{}", directory.path().display())).unwrap();
    for (at, body) in bodies.iter().enumerate() {
        log.append("t", Partition(1), &[record("k", body)]).unwrap();
        let bounds = view.bounds("t", Partition(1)).unwrap();
        assert_eq!((bounds.low, bounds.next), (Offset(0), Offset(at as u64 + 1)));
    }
    // A record that is half written is not there yet.
    let newest = {
        let mut files: Vec<_> = std::fs::read_dir(directory.path().join("t/1")).unwrap().collect();
        files.sort_by_key(|entry| entry.as_ref().unwrap().path());
        files.pop().unwrap().unwrap().path()
    };
    let whole = std::fs::read(&newest).unwrap();
    let half = [&whole[..], &whole[..20.min(whole.len())]].concat();
    std::fs::write(&newest, &half).unwrap();
    assert_eq!(view.topic("t").unwrap(), topic);
    for from in [0, 1, 50, 99, 100] {
        let mut reader = view.open("t", Partition(1), Offset(from)).unwrap();
        let wanted = &bodies[from as usize..];
        let (mut batch, mut found) = (Batch::default(), Vec::new());
        while found.len() < wanted.len() {
            reader.poll(&mut batch, 200, Duration::ZERO).unwrap();
            assert!(!batch.is_empty(), "{} of {}", found.len(), wanted.len());
            found.extend(batch.iter().map(|it| it.payload.to_vec()));
        }
        assert_eq!(found, wanted);
        assert_eq!(reader.next_in_log().unwrap(), Offset(100));
    }
    assert_eq!(std::fs::read(&newest).unwrap(), half, "nothing was repaired");
    assert_eq!(view.bounds("t", Partition(0)).unwrap().next, Offset(0));
    assert!(matches!(view.bounds("absent", Partition(0)), Err(Error::UnknownTopic(_))));
    assert!(matches!(view.open("t", Partition(1), Offset(101)), Err(Error::OffsetGone { .. })));
    assert!(matches!(view.append("t", Partition(1), &[record("k", b"x")]), Err(Error::Refused(_))));
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let partition = directory.join("t/0");
    let mut files: Vec<_> = std::fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn newest_segment(directory: &Path) -> PathBuf {
    segments(directory).pop().unwrap()
}

/// Damage with whole records after it was never what a crash left: nothing may be cut off.
#[test]
fn one_wrong_bit_anywhere_but_in_the_last_record_stops_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 64 << 20);
    log.create_topic(&spec("t", 1, Stamping::Append)).unwrap();
    for at in 0..4u8 {
        log.append("t", Partition(0), &[NewRecord { headers: &[("name", b"value")], ..record("k", &[at; 30]) }])
            .unwrap();
    }
    drop(log);
    let path = newest_segment(directory.path());
    let whole = std::fs::read(&path).unwrap();
    let frame = whole.len() / 4;
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        let opened =
            LocalLog::open(directory.path(), LocalSettings { fsync: Fsync::Never, ..LocalSettings::default() });
        if at < 3 * frame {
            let message = opened.err().expect("it must not be opened").to_string();
            let place = format!("damaged at byte {}", at / frame * frame);
            assert!(message.contains(&place) && message.contains("restore"), "byte {at}: {message}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was cut off");
        } else {
            let kept = opened.unwrap().bounds("t", Partition(0)).unwrap().next;
            assert_eq!(kept, Offset(3), "the last one may be what a crash left");
        }
    }
}

/// The records are there, so the append succeeded.
#[test]
fn old_segments_that_cannot_be_removed_fail_no_append() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 200);
    let kept = TopicSpec { retention: Some(Duration::from_millis(1)), ..spec("t", 1, Stamping::Append) };
    log.create_topic(&kept).unwrap();
    log.append("t", Partition(0), &[record("k", &[0; 300])]).unwrap();
    let first = segments(directory.path()).remove(0);
    std::fs::remove_file(&first).unwrap();
    std::fs::create_dir(&first).unwrap();
    for at in 1..5 {
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(log.append("t", Partition(0), &[record("k", &[0; 300])]).unwrap()[0].offset, Offset(at));
    }
    assert!(log.retain().is_err(), "who asks for it is told");
}

#[test]
fn a_compacted_topic_stays_as_large_as_its_keys() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 2_000);
    let topic = TopicSpec { compacted: true, ..spec("t", 1, Stamping::Append) };
    log.create_topic(&topic).unwrap();
    let size = || segments(directory.path()).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum::<u64>();
    for number in 0..5_000u32 {
        let key = format!("key-{}", number % 7);
        log.append("t", Partition(0), &[record(&key, &number.to_le_bytes().repeat(10))]).unwrap();
        assert!(size() < 3 * 2_200, "{} bytes after {number} records", size());
    }
    log.append("t", Partition(0), &[NewRecord { key: None, ..record("", b"keyless") }]).unwrap();
    let all = |log: &LocalLog| {
        let (mut reader, mut batch, mut found) =
            (log.open("t", Partition(0), Offset(0)).unwrap(), Batch::default(), Vec::new());
        while found.last().is_none_or(|(last, _): &(u64, Vec<u8>)| *last < 5_000) {
            reader.poll(&mut batch, 100, Duration::from_secs(5)).unwrap();
            assert!(!batch.is_empty());
            found.extend(batch.iter().map(|record| (record.offset.0, record.payload.to_vec())));
        }
        found
    };
    let before = all(&log);
    drop(log);
    let log = local(directory.path(), Fsync::Never, 2_000);
    assert_eq!(all(&log), before, "opening changes nothing");
    assert_eq!(log.bounds("t", Partition(0)).unwrap().next, Offset(5_001));
    let other = log.create_topic(&spec("t", 1, Stamping::Append)).unwrap_err().to_string();
    assert!(other.contains("the newest record of each key, but"), "{other}");
    assert!(log.create_topic(&topic).is_ok());
}

/// Killed between putting the rewritten segment in its place and removing those that it contains, or before.
#[test]
fn compaction_may_stop_anywhere() {
    let directory = tempfile::tempdir().unwrap();
    let log = local(directory.path(), Fsync::Never, 500);
    log.create_topic(&TopicSpec { compacted: true, ..spec("t", 1, Stamping::Append) }).unwrap();
    let mut expected = BTreeMap::new();
    let contents = || segments(directory.path()).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap()));
    let mut before: BTreeMap<PathBuf, Vec<u8>> = contents().collect();
    for number in 0.. {
        let key = format!("key-{}", number % 3);
        log.append("t", Partition(0), &[record(&key, &[number; 40])]).unwrap();
        expected.insert(key, number);
        let now: BTreeMap<PathBuf, Vec<u8>> = contents().collect();
        if number > 60 && before.keys().any(|path| !now.contains_key(path)) {
            break;
        }
        before = now;
    }
    let whole: BTreeMap<PathBuf, Vec<u8>> = contents().collect();
    drop(log);
    let gone: Vec<(PathBuf, Vec<u8>)> = before.into_iter().filter(|(path, _)| !whole.contains_key(path)).collect();
    assert!(!gone.is_empty(), "some segments were joined");
    let draft = whole.keys().next().unwrap().with_extension("log.draft");
    for left in 0..=gone.len() {
        for (path, bytes) in whole.iter().chain(gone[left..].iter().map(|(path, bytes)| (path, bytes))) {
            std::fs::write(path, bytes).unwrap();
        }
        std::fs::write(&draft, b"half").unwrap();
        let log = local(directory.path(), Fsync::Never, 500);
        assert_eq!(segments(directory.path()), whole.keys().cloned().collect::<Vec<_>>(), "what was begun is finished");
        let next = log.bounds("t", Partition(0)).unwrap().next;
        let (mut reader, mut batch) = (log.open("t", Partition(0), Offset(0)).unwrap(), Batch::default());
        let (mut found, mut at) = (BTreeMap::new(), Offset(0));
        while at < next {
            reader.poll(&mut batch, 1 << 20, Duration::from_secs(5)).unwrap();
            for record in batch.iter() {
                assert!(at <= record.offset, "each record once");
                at = Offset(record.offset.0 + 1);
                found.insert(String::from_utf8(record.key.unwrap().to_vec()).unwrap(), record.payload[0]);
            }
        }
        assert_eq!(found, expected);
    }
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
