//! Publishing into logs, with crashes, lost directories and others who publish too. Invariants 13 and 17.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use assay_broker::{
    Appended, Batch, Bounds, Error as LogError, Fsync, LocalLog, LocalSettings, Log, MemoryLog, NewRecord, Offset,
    Partition, Reader, Stamping, Topic, TopicSpec,
};
use assay_control_plane::{PublishError, Publisher, Version, install};
use assay_experiment::control::{self, Control, Genesis};
use assay_experiment::{Definitions, Settings, Source, canonical, parse};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const EVENTS: &str = "t.events";
const PARTITIONS: u32 = 3;

fn spec(partitions: u32) -> TopicSpec {
    TopicSpec { name: EVENTS.to_owned(), partitions, stamping: Stamping::Append, retention: None, compacted: false }
}

fn memory() -> MemoryLog {
    MemoryLog::new(Arc::new(|| 1_000))
}

fn local(directory: &Path) -> LocalLog {
    LocalLog::open(directory, LocalSettings { fsync: Fsync::Never, ..LocalSettings::default() }).unwrap()
}

fn make(log: &dyn Log, directory: &Path) -> Result<Genesis, String> {
    install(log, &[spec(PARTITIONS)], EVENTS, directory, |id, seed| Genesis::new(id, PARTITIONS, seed))
        .map_err(|problem| problem.to_string())
}

fn publisher<'a>(log: &'a dyn Log, directory: &Path) -> Publisher<'a> {
    Publisher::new(log, EVENTS, PARTITIONS, directory)
}

fn definitions(text: &str) -> Definitions {
    parse(&[Source { name: "test", text }]).unwrap()
}

/// Headers and body.
type Stored = (Vec<(String, Vec<u8>)>, Vec<u8>);

/// Everything in a partition that is a part or a close: headers and body, in order.
fn records(log: &dyn Log, partition: u32) -> Vec<Stored> {
    let next = log.bounds(EVENTS, Partition(partition)).unwrap().next;
    let mut reader = log.open(EVENTS, Partition(partition), Offset(0)).unwrap();
    let (mut batch, mut found) = (Batch::default(), Vec::new());
    let mut read = 0;
    while read < next.0 {
        reader.poll(&mut batch, 1 << 20, Duration::from_secs(5)).unwrap();
        for record in batch.iter() {
            read = record.offset.0 + 1;
            if record.header("assay") == Some(b"config") {
                let headers = record.headers().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
                found.push((headers, record.payload.to_vec()));
            }
        }
    }
    found
}

/// The versions that are complete in a partition, by the rule that the first one of a number counts.
fn versions(log: &dyn Log, partition: u32) -> BTreeMap<u64, Vec<String>> {
    let mut parts: BTreeMap<(u64, u32), String> = BTreeMap::new();
    let mut complete: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (headers, body) in records(log, partition) {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        match control::decode(&headers, &body).unwrap().unwrap() {
            Control::Part { version, index, body, .. } => {
                parts.entry((version, index)).or_insert_with(|| body.to_owned());
            }
            Control::Close { version, hash, .. } => {
                let bodies: Vec<String> =
                    parts.range((version, 0)..=(version, u32::MAX)).map(|(_, body)| body.clone()).collect();
                if control::parts_hash(bodies.iter().map(String::as_str)) == hash {
                    complete.entry(version).or_insert(bodies);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    complete
}

/// Every partition has the same versions, all of which can be read; gives the newest.
fn agreed(log: &dyn Log) -> Version {
    let all: Vec<_> = (0..PARTITIONS).map(|partition| versions(log, partition)).collect();
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    for bodies in all[0].values() {
        canonical::definitions(bodies.iter().map(String::as_str)).unwrap();
    }
    let (&number, bodies) = all[0].last_key_value().unwrap();
    Version { number, bodies: bodies.clone() }
}

/// Publishes texts one after the other; each gives the number in force afterwards, or a part of the refusal.
fn check(steps: &[(&str, Result<u64, &str>)]) -> Definitions {
    let (log, directory) = (memory(), tempfile::tempdir().unwrap());
    make(&log, directory.path()).unwrap();
    for (text, expected) in steps {
        let found = publisher(&log, directory.path()).publish(&definitions(text));
        match (expected, found) {
            (Ok(number), Ok(version)) => {
                assert_eq!(version.number, *number, "{text}");
                assert_eq!(agreed(&log), version);
            }
            (Err(expected), Err(PublishError::Refused(refusals))) => {
                let all = PublishError::Refused(refusals).to_string();
                assert!(all.contains(expected), "{text}: {all}");
            }
            (_, found) => panic!("{text}: {found:?}"),
        }
    }
    canonical::definitions(agreed(&log).bodies.iter().map(String::as_str)).unwrap()
}

/// An experiment with these keys, and a layer.
fn member(id: &str, keys: &str) -> String {
    format!("{{ kind: experiment, id: {id}, variants: [{{ name: a, control: true }}, {{ name: b }}], {keys} }}\n---\n")
}

const LAYER: &str = "{ kind: layer, id: l }\n---\n";

fn slots(all: &Definitions, id: &str) -> Vec<(u32, u32)> {
    all.experiments[id].layer.as_ref().unwrap().slots.clone().unwrap()
}

/// Slots that publishing chose stand beside nothing that would make partitions refuse them.
#[test]
fn traffic_becomes_slots_that_every_partition_accepts() {
    let half = format!("{LAYER}{}", member("a", "status: running, layer: l, traffic: 50%"));
    let more = format!("{LAYER}{}", member("a", "status: running, layer: l, traffic: 60%"));
    let all =
        check(&[(&half, Ok(1)), (&half, Ok(1)), (&more, Ok(2)), (&half, Err("traffic may only grow; it has 60 %"))]);
    assert_eq!(slots(&all, "a"), [(0, 600_000)]);
    assert_eq!(all.experiments["a"].layer.as_ref().unwrap().traffic, None);
    // Without slots and traffic it is the whole layer; a draft may still shrink.
    let all = check(&[(&format!("{LAYER}{}", member("a", "layer: l")), Ok(1)), (&half, Ok(2))]);
    assert_eq!(slots(&all, "a"), [(0, 500_000)]);
    // Slots that somebody wrote must not be those that publishing chose for another.
    let written = format!("{half}{}", member("b", "status: running, layer: l, slots: [[499999, 600000]]"));
    check(&[(&half, Ok(1)), (&written, Err("overlap in layer 'l' from slot 499999 to 500000")), (&half, Ok(1))]);
    let both = format!("{written}---\n{}", "{ kind: layer, id: other }");
    let all = check(&[(&both, Ok(1))]);
    assert_eq!(
        (slots(&all, "a"), slots(&all, "b")),
        (vec![(0, 499_999), (600_000, 600_001)], vec![(499_999, 600_000)])
    );
}

#[test]
fn what_one_gives_up_another_may_take_at_once() {
    let first = format!(
        "{LAYER}{}{}",
        member("a", "status: running, layer: l, traffic: 80%"),
        member("b", "status: running, layer: l, traffic: 20%")
    );
    let second = format!(
        "{LAYER}{}{}",
        member("a", "status: stopped, layer: l, traffic: 80%"),
        member("b", "status: running, layer: l, traffic: 100%")
    );
    let all = check(&[(&first, Ok(1)), (&second, Ok(2))]);
    assert_eq!((slots(&all, "a"), slots(&all, "b")), (vec![(0, 800_000)], vec![(0, 1_000_000)]));
    // The same by removal, and by a new phase that wants less.
    let alone = format!("{LAYER}{}", member("b", "status: running, layer: l, traffic: 100%"));
    assert_eq!(slots(&check(&[(&first, Ok(1)), (&alone, Ok(2))]), "b"), [(0, 1_000_000)]);
    let smaller = format!(
        "{LAYER}{}{}",
        member("a", "salt: fresh, status: running, layer: l, traffic: 10%"),
        member("b", "status: running, layer: l, traffic: 90%")
    );
    let all = check(&[(&first, Ok(1)), (&smaller, Ok(2))]);
    assert_eq!((slots(&all, "a"), slots(&all, "b")), (vec![(0, 100_000)], vec![(100_000, 1_000_000)]));
}

#[test]
fn a_phase_that_ended_never_begins_again() {
    let with = |keys: &str| member("e", keys);
    let nothing = LAYER;
    let a = with("status: running, salt: a");
    let b = with("status: running, salt: b");
    let ended = "experiment e: its salt 'a' belongs to a phase that ended";
    // Removed and restored, at once or much later; from A to B to A.
    check(&[(&a, Ok(1)), (nothing, Ok(2)), (&a, Err(ended)), (nothing, Ok(2)), (&b, Ok(3)), (&a, Err(ended))]);
    check(&[(&a, Ok(1)), (&b, Ok(2)), (&a, Err(ended)), (&with("status: draft, salt: a"), Err(ended))]);
    check(&[
        (&a, Ok(1)),
        (&with("status: stopped, salt: a"), Ok(2)),
        (&a, Err("stopped and cannot go on")),
        (nothing, Ok(3)),
        (&a, Err(ended)),
    ]);
    // Nobody was in a draft.
    check(&[(&with("status: draft, salt: a"), Ok(1)), (nothing, Ok(2)), (&a, Ok(3))]);
    // Without a salt there is a fresh one.
    let all = check(&[(&with("status: running"), Ok(1)), (nothing, Ok(2)), (&with("status: running"), Ok(3))]);
    assert!(!all.retired["e"].contains(all.experiments["e"].salt.as_ref().unwrap()));
}

#[test]
fn filters_of_all_versions_are_counted() {
    let metrics = |levels: std::ops::Range<usize>| -> String {
        levels
            .map(|at| format!("{{ kind: metric, id: m{at}, type: count, event: up, where: {{ level: {at} }} }}\n---\n"))
            .collect()
    };
    let all = check(&[
        (&metrics(0..20), Ok(1)),
        (&metrics(0..20), Ok(1)),
        (&metrics(20..31), Ok(2)),
        (&metrics(20..31), Ok(2)),
        (&metrics(20..32), Err("32 different 'where' filters, with those of earlier versions")),
        (&metrics(5..25), Ok(3)),
    ]);
    assert_eq!(all.filters.len(), 11);
}

#[test]
fn names_may_change_and_schemas_may_not() {
    let metric = |keys: &str| {
        format!(
            "{}{{ kind: metric, id: m, type: sum, event: buy, {keys} }}",
            member("e", "status: running, metrics: [{ metric: m }]")
        )
    };
    let all = check(&[
        (&metric("name: Sales"), Ok(1)),
        (&metric("name: Revenue"), Ok(2)),
        (&metric("cap: 5"), Err("metric m is fixed")),
    ]);
    assert_eq!(all.metrics["m"].name, "Revenue");
    let schema = |fields: &str| {
        format!(r#"{{ kind: schema, id: 7, avro: {{ "type": "record", "name": "Exposure", "fields": [{fields}] }} }}"#)
    };
    let other = r#"{ "name": "x", "type": "int" }"#;
    check(&[
        (&schema(""), Ok(1)),
        (&schema(other), Err("schema 7: an id stands for one schema for ever")),
        (LAYER, Ok(2)),
    ]);
}

/// A lost directory, or a new one, goes on where the log is.
#[test]
fn a_new_directory_takes_over_what_the_log_has() {
    let files = tempfile::tempdir().unwrap();
    let log = local(files.path());
    let (known, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let genesis = make(&log, known.path()).unwrap();
    let with =
        |keys: &str| definitions(&format!("{LAYER}{}", member("e", &format!("status: running, layer: l, {keys}"))));
    publisher(&log, known.path()).publish(&with("traffic: 10%")).unwrap();
    let second = publisher(&log, known.path()).publish(&with("traffic: 20%")).unwrap();
    // Events between the records change nothing.
    let event =
        NewRecord { key: Some(b"u"), headers: &[("a", b"b".as_slice())], payload: b"{}", timestamp_ms: Some(5) };
    log.append(EVENTS, Partition(0), &[event; 100]).unwrap();

    assert_eq!(make(&log, fresh.path()).unwrap(), genesis);
    let publisher_of = |directory: &Path| publisher(&log, directory).publish(&with("traffic: 20%")).unwrap();
    assert_eq!(publisher_of(fresh.path()), second);
    assert_eq!(publisher_of(fresh.path()), second);
    // The salt is the one of the log, so what was published goes on.
    let third = publisher(&log, fresh.path()).publish(&with("traffic: 30%, title: more")).unwrap();
    let salt = |version: &Version| {
        let all = canonical::definitions(version.bodies.iter().map(String::as_str)).unwrap();
        all.experiments["e"].salt.clone()
    };
    assert_eq!((third.number, salt(&third)), (3, salt(&second)));
    // The directory that was there before learns of it before it publishes anything.
    let back = publisher(&log, known.path()).publish(&with("traffic: 30%")).unwrap();
    assert_eq!((back.number, agreed(&log)), (4, back.clone()));
    let refused = publisher(&log, fresh.path()).publish(&with("traffic: 20%")).unwrap_err();
    assert!(refused.to_string().contains("traffic may only grow; it has 30 %"), "{refused}");
    // Only what was published last was lost: reading goes on from where it was.
    std::fs::remove_file(fresh.path().join("published.json")).unwrap();
    assert_eq!(publisher(&log, fresh.path()).publish(&with("traffic: 30%")).unwrap(), back);
    std::fs::write(fresh.path().join("position.json"), "{").unwrap();
    assert_eq!(publisher(&log, fresh.path()).publish(&with("traffic: 30%")).unwrap(), back);
    std::fs::write(fresh.path().join("published.json"), "{").unwrap();
    let damaged = publisher(&log, fresh.path()).publish(&with("traffic: 30%")).unwrap_err();
    assert!(matches!(damaged, PublishError::Damaged(_)), "{damaged}");
}

/// A log that takes so many more records and then fails: the last append may have written a part.
struct Dying<'a> {
    log: &'a dyn Log,
    left: AtomicI64,
}

impl Log for Dying<'_> {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, LogError> {
        self.log.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, LogError> {
        self.log.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, LogError> {
        let left = self.left.fetch_sub(records.len() as i64, Ordering::SeqCst).max(0) as usize;
        if left < records.len() {
            self.log.append(topic, partition, &records[..left])?;
            return Err(LogError::Kafka("gone".to_owned()));
        }
        self.log.append(topic, partition, records)
    }
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition)
    }
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        self.log.open(topic, partition, from)
    }
}

/// Invariant 13: wherever the publisher dies, the next start completes the version in every partition, with the original bytes.
#[test]
fn a_crash_between_any_two_records_is_made_good() {
    let text = format!("{LAYER}{}", member("e", "status: running, layer: l, traffic: 10%"));
    let other = format!("{text}{}", member("f", "status: running"));
    // Two parts and a close for each of the partitions.
    for survives in 0..=9 {
        for loses_directory in [false, true] {
            let log = memory();
            let directory = tempfile::tempdir().unwrap();
            make(&log, directory.path()).unwrap();
            let dying = Dying { log: &log, left: AtomicI64::new(survives) };
            let outcome = publisher(&dying, directory.path()).publish(&definitions(&text));
            assert_eq!(outcome.is_ok(), survives == 9, "{survives}");
            if loses_directory {
                std::fs::remove_dir_all(directory.path()).unwrap();
            } else {
                let again = publisher(&log, directory.path());
                again.resume().unwrap();
                assert_eq!(Some(agreed(&log)), again.published().unwrap());
                assert_eq!(agreed(&log).number, 1);
                // Nothing is left to do.
                let before = records(&log, 0).len();
                again.resume().unwrap();
                assert_eq!(records(&log, 0).len(), before);
            }
            // Whoever publishes next comes to an agreement, with what was begun or without it.
            let next = publisher(&log, directory.path()).publish(&definitions(&other)).unwrap();
            assert_eq!(agreed(&log), next, "{survives} {loses_directory}");
            assert_eq!(next.number, if survives == 0 && loses_directory { 1 } else { 2 });
        }
    }
}

/// A log in which somebody else appends right before the first append.
struct Raced<'a> {
    log: &'a dyn Log,
    rival: std::sync::Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl Log for Raced<'_> {
    fn create_topic(&self, spec: &TopicSpec) -> Result<Topic, LogError> {
        self.log.create_topic(spec)
    }
    fn topic(&self, name: &str) -> Result<Topic, LogError> {
        self.log.topic(name)
    }
    fn append(&self, topic: &str, partition: Partition, records: &[NewRecord<'_>]) -> Result<Vec<Appended>, LogError> {
        let rival = self.rival.lock().unwrap().take();
        if let Some(rival) = rival {
            rival();
        }
        self.log.append(topic, partition, records)
    }
    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition)
    }
    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, LogError> {
        self.log.open(topic, partition, from)
    }
}

/// Two publishers take the same number at the same moment: no partition may differ from another about what it is.
#[test]
fn of_two_publishers_the_first_in_the_first_partition_wins() {
    let log = memory();
    let (mine, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(&log, mine.path()).unwrap();
    make(&log, theirs.path()).unwrap();
    let text = member("e", "status: running");
    let rival = || {
        publisher(&log, theirs.path()).publish(&definitions(&text)).unwrap();
    };
    let raced = Raced { log: &log, rival: std::sync::Mutex::new(Some(Box::new(rival))) };
    // The same definitions: the loser takes the winner's salt, and there is nothing more to publish.
    let version = publisher(&raced, mine.path()).publish(&definitions(&text)).unwrap();
    assert_eq!((version.number, agreed(&log)), (1, version.clone()));
    assert_eq!(publisher(&log, theirs.path()).published().unwrap(), Some(version));
    // Other definitions: the loser's come with the next number.
    let other = format!("{text}{}", member("f", "status: running"));
    let rival = || {
        publisher(&log, theirs.path()).publish(&definitions(&format!("{text}{LAYER}"))).unwrap();
    };
    let raced = Raced { log: &log, rival: std::sync::Mutex::new(Some(Box::new(rival))) };
    let version = publisher(&raced, mine.path()).publish(&definitions(&other)).unwrap();
    assert_eq!((version.number, agreed(&log)), (3, version.clone()));
}

/// Every quarter of the retention the set is appended again: the same bytes, so that nothing changes.
#[test]
fn the_newest_version_is_repeated_before_it_is_gone() {
    let (log, directory) = (memory(), tempfile::tempdir().unwrap());
    make(&log, directory.path()).unwrap();
    let (day, retention) = (24 * 3_600 * 1_000, Duration::from_secs(8 * 24 * 3_600));
    let keeper = publisher(&log, directory.path());
    assert!(!keeper.keep(day, retention).unwrap(), "there is nothing yet");
    keeper.publish(&definitions(&member("e", "status: running"))).unwrap();
    let version = keeper.publish(&definitions(&member("e", "status: paused"))).unwrap();
    let published = records(&log, 1);
    let of_version = published[published.len() / 2..].to_vec();
    let mut repeats = Vec::new();
    for hour in 0..5 * 24 {
        if keeper.keep(10 * day + hour * day / 24, retention).unwrap() {
            repeats.push(hour);
        }
    }
    assert_eq!(repeats, [48, 96]);
    for partition in 0..PARTITIONS {
        let all = records(&log, partition);
        assert_eq!(all[..published.len()], published);
        assert_eq!(all[published.len()..], [of_version.clone(), of_version.clone()].concat());
    }
    assert_eq!((agreed(&log), keeper.published().unwrap()), (version.clone(), Some(version.clone())));
    // A repeat that a crash cut off is finished, and a clock that was set back does not keep it from coming.
    let dying = Dying { log: &log, left: AtomicI64::new(3) };
    assert!(publisher(&dying, directory.path()).keep(20 * day, retention).is_err());
    assert!(keeper.keep(3 * day, retention).unwrap());
    assert!(records(&log, 2)[published.len()..].chunks(of_version.len()).all(|repeat| repeat == of_version));
    assert_eq!(agreed(&log), version);
}

/// Whether a log and a directory belong together: what `install` says.
#[test]
fn a_log_is_made_once_and_recognised() {
    let files = tempfile::tempdir().unwrap();
    for log in [&memory() as &dyn Log, &local(files.path())] {
        let directory = tempfile::tempdir().unwrap();
        let genesis = make(log, directory.path()).unwrap();
        assert_eq!(genesis.partitions, PARTITIONS);
        assert_eq!(make(log, directory.path()), Ok(genesis.clone()));
        // A new directory learns from the log; so does one whose making was cut off.
        let other = tempfile::tempdir().unwrap();
        assert_eq!(make(log, other.path()), Ok(genesis.clone()));
        assert_eq!(log.bounds(EVENTS, Partition(2)).unwrap().next, Offset(1));
    }
}

#[test]
fn making_a_log_that_was_cut_off_is_finished() {
    for survives in 0..=3 {
        let (log, directory) = (memory(), tempfile::tempdir().unwrap());
        let dying = Dying { log: &log, left: AtomicI64::new(survives) };
        assert_eq!(make(&dying, directory.path()).is_ok(), survives == 3);
        let genesis = make(&log, directory.path()).unwrap();
        for partition in 0..PARTITIONS {
            assert_eq!(log.bounds(EVENTS, Partition(partition)).unwrap().next, Offset(1));
        }
        assert_eq!(make(&log, directory.path()), Ok(genesis));
    }
}

/// Invariant 17: what does not belong together is refused before anything is written.
#[test]
fn other_logs_are_refused() {
    let refuses = |log: &dyn Log, directory: &Path, expected: &str| {
        let before: Vec<_> = (0..PARTITIONS).map(|at| log.bounds(EVENTS, Partition(at)).ok()).collect();
        let problem = make(log, directory).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
        let after: Vec<_> = (0..PARTITIONS).map(|at| log.bounds(EVENTS, Partition(at)).ok()).collect();
        if before[0].is_some() {
            assert_eq!(before, after, "nothing was written");
        }
    };
    let append = |log: &MemoryLog, partition: u32, record: &control::Encoded| {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let record = NewRecord { key: None, headers: &headers, payload: &record.body, timestamp_ms: Some(1) };
        log.append(EVENTS, Partition(partition), &[record]).unwrap();
    };
    // Somebody else's topic: in its first partition, or in another.
    let directory = tempfile::tempdir().unwrap();
    let foreign = control::Encoded { headers: vec![], body: b"{}".to_vec() };
    let log = memory();
    log.create_topic(&spec(PARTITIONS)).unwrap();
    append(&log, 0, &foreign);
    refuses(&log, directory.path(), "partition 0 of t.events does not start with a genesis record");
    let log = memory();
    log.create_topic(&spec(PARTITIONS)).unwrap();
    append(&log, 0, &control::genesis(&Genesis::new("x".to_owned(), PARTITIONS, 1)));
    append(&log, 1, &foreign);
    let problem = make(&log, directory.path()).unwrap_err();
    assert!(problem.contains("partition 1 of t.events does not start with a genesis record"), "{problem}");

    // A topic that was deleted and made again: empty, or by another installation; one partition of it; the directory's file damaged.
    let directory = tempfile::tempdir().unwrap();
    make(&memory(), directory.path()).unwrap();
    let empty = memory();
    refuses(&empty, directory.path(), "t.events is log empty, but this installation belongs to log");
    let other = memory();
    make(&other, tempfile::tempdir().unwrap().path()).unwrap();
    refuses(&other, directory.path(), "the topic was deleted and made again");
    let known = Genesis::decode(&std::fs::read(directory.path().join("genesis.json")).unwrap()).unwrap();
    let truncated = memory();
    truncated.create_topic(&spec(PARTITIONS)).unwrap();
    append(&truncated, 0, &control::genesis(&known));
    refuses(&truncated, directory.path(), "partition 1 of t.events is log empty");
    for damage in ["", "{", "{}"] {
        std::fs::write(directory.path().join("genesis.json"), damage).unwrap();
        refuses(&other, directory.path(), "genesis.json is damaged");
    }

    // Another number of partitions than the log was made with.
    let log = memory();
    log.create_topic(&spec(PARTITIONS)).unwrap();
    append(&log, 0, &control::genesis(&Genesis::new("x".to_owned(), PARTITIONS + 1, 1)));
    refuses(&log, tempfile::tempdir().unwrap().path(), "t.events has 3 partitions, but the log was made with 4");
    // A topic with another number than is asked for.
    let log = memory();
    log.create_topic(&spec(PARTITIONS + 1)).unwrap();
    refuses(&log, tempfile::tempdir().unwrap().path(), "3 partitions");
}

const HOUR_MS: i64 = 3_600_000;

/// Every change of settings in a partition, in order.
fn settings_of(log: &dyn Log, partition: u32) -> Vec<Settings> {
    let next = log.bounds(EVENTS, Partition(partition)).unwrap().next;
    let mut reader = log.open(EVENTS, Partition(partition), Offset(0)).unwrap();
    let (mut batch, mut found, mut read) = (Batch::default(), Vec::new(), 0);
    while read < next.0 {
        reader.poll(&mut batch, 1 << 20, Duration::from_secs(5)).unwrap();
        for record in batch.iter() {
            read = record.offset.0 + 1;
            let headers: Vec<(&str, &[u8])> = record.headers().collect();
            if let Ok(Some(Control::Settings(settings))) = control::decode(&headers, record.payload) {
                found.push(settings);
            }
        }
    }
    found
}

fn change(log: &dyn Log, directory: &Path, text: &str, now_ms: i64) -> Result<Vec<Settings>, String> {
    let wanted = definitions(text).settings;
    publisher(log, directory).change_settings(&wanted, &(1..=2), now_ms).map_err(|problem| problem.to_string())
}

#[test]
fn settings_reach_every_partition_once_and_complete_each_other() {
    let (log, directory) = (memory(), tempfile::tempdir().unwrap());
    make(&log, directory.path()).unwrap();
    let text = "{ kind: settings, from: 1970-01-01T05:00:00Z, look: 2s, chunk: 10s }
---
{ kind: settings, from: 1970-01-01T07:00:00Z, chunk: 20s }";
    let expected = [
        Settings { from_ms: 5 * HOUR_MS, look_ms: 2_000, chunk_ms: 10_000, semantics: 2 },
        Settings { from_ms: 7 * HOUR_MS, look_ms: 2_000, chunk_ms: 20_000, semantics: 2 },
    ];
    assert_eq!(change(&log, directory.path(), text, 1_000).unwrap(), expected);
    // The document stays in the directory: it is known, whatever the clock says, here and to whoever knows only the log.
    let other = tempfile::tempdir().unwrap();
    make(&log, other.path()).unwrap();
    for directory in [&directory, &other] {
        assert_eq!(change(&log, directory.path(), text, 99 * HOUR_MS).unwrap(), []);
        publisher(&log, directory.path()).publish(&definitions("{ kind: layer, id: a }")).unwrap();
        assert_eq!(change(&log, directory.path(), text, 99 * HOUR_MS).unwrap(), []);
    }
    for partition in 0..PARTITIONS {
        assert_eq!(settings_of(&log, partition), expected);
    }
    for (text, why) in [
        ("{ kind: settings, from: 1970-01-01T05:00:00Z, look: 5s }", "the log has other settings from this hour on"),
        ("{ kind: settings, from: 1970-01-01T08:00:00Z, look: 5s }", "choose a later one"),
        ("{ kind: settings, from: 1970-01-01T03:00:00Z, look: 1s }", "choose a later one"),
        ("{ kind: settings, from: 1970-01-01T09:00:00Z, semantics: 3 }", "has semantics 1 to 2, not 3"),
        ("{ kind: settings, from: 1970-01-01T09:00:00Z, semantics: 1 }", "only go up"),
        ("{ kind: settings, from: 1970-01-01T09:00:00Z, look: 3s }", "multiple of look_ms"),
        ("{ kind: settings, from: 1970-01-01T09:00:00Z, chunk: 2h }", "choose midnight"),
    ] {
        let refused = change(&log, directory.path(), text, 8 * HOUR_MS - 60_000).unwrap_err();
        assert!(refused.contains(why), "{text}: {refused}");
    }
    assert_eq!(settings_of(&log, 0), expected, "what is refused is nowhere");
}

/// Whatever ends the publisher, starting again brings a change into every partition, and never two for one hour.
#[test]
fn a_crash_between_partitions_leaves_no_partition_without_the_settings() {
    let text = "{ kind: settings, from: 1970-01-01T05:00:00Z, look: 2s, chunk: 10s }";
    for appends in 0..PARTITIONS as usize {
        let (log, directory) = (memory(), tempfile::tempdir().unwrap());
        make(&log, directory.path()).unwrap();
        let dying = Dying { log: &log, left: AtomicI64::new(appends as i64) };
        change(&dying, directory.path(), text, 1_000).unwrap_err();
        publisher(&log, directory.path()).resume().unwrap();
        let all: Vec<_> = (0..PARTITIONS).map(|partition| settings_of(&log, partition)).collect();
        assert!(all.iter().all(|found| found.iter().all(|it| *it == all[0][0]) && !found.is_empty()), "{all:?}");
        assert_eq!(change(&log, directory.path(), text, 99 * HOUR_MS).unwrap(), []);
    }
}
