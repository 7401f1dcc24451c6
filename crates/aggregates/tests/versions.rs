//! Versions of the definitions as records of a partition: when they act, and what is refused.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

use assay_aggregates::{Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Look, MemoryRuns, Partition};
use assay_experiment::{Source, Timestamp, canonical, control, parse, wire};

/// A partition and what it told, a line for each record.
struct World {
    state: Partition,
    offset: u64,
    told: Told,
}

#[derive(Default)]
struct Told(Vec<String>);

impl Effects for Told {
    fn fact(&mut self, fact: &Fact<'_>) {
        self.0.push(format!("accepted {}", fact.event.unit_id));
    }
    fn control(&mut self, fact: &ControlFact<'_>) {
        self.0.push(format!("{} {}", fact.kind, fact.version.unwrap_or_default()));
    }
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        self.0.push(format!("{}: {}", letter.reason.name(), letter.detail));
    }
    fn chunk(&mut self, _: Chunk) {}
    fn look(&mut self, _: Look) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

impl World {
    fn new() -> World {
        let genesis = control::genesis(&control::Genesis::new("test".to_owned(), 1, 7));
        let headers = headers(&genesis);
        let input = Input { offset: 0, timestamp: Timestamp(0), key: None, headers: &headers, payload: &genesis.body };
        let state = Partition::start(0, &input, Box::new(MemoryRuns::default())).unwrap();
        let mut world = World { state, offset: 0, told: Told::default() };
        world.give(&headers, &genesis.body);
        world.told.0.clear();
        world
    }

    /// Applies one record; gives what it told.
    fn give(&mut self, headers: &[(&str, &[u8])], payload: &[u8]) -> String {
        let input = Input { offset: self.offset, timestamp: Timestamp(0), key: None, headers, payload };
        self.told.0.clear();
        self.state.apply(&input, &mut self.told).unwrap();
        self.offset += 1;
        self.told.0.join("; ")
    }

    /// Applies all records of a version; gives what its closing record told.
    fn publish(&mut self, number: u64, definitions: &str) -> String {
        let bodies = canonical::parts(&parse(&[Source { name: "test", text: definitions }]).unwrap());
        let records = control::version(number, &bodies);
        records.iter().map(|record| self.give(&headers(record), &record.body)).last().unwrap()
    }

    fn restart(&mut self) {
        let snapshot = self.state.snapshot();
        self.state = Partition::restore(&snapshot, Box::new(MemoryRuns::default())).unwrap();
        assert_eq!(self.state.snapshot(), snapshot);
    }
}

fn headers(record: &control::Encoded) -> Vec<(&'static str, &[u8])> {
    record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect()
}

/// Metrics that want these levels of an event, one filter each.
fn levels(levels: std::ops::Range<usize>) -> String {
    let metric = |at| format!("{{ kind: metric, id: m{at}, type: count, event: up, where: {{ level: {at} }} }}\n");
    levels.map(metric).collect::<Vec<_>>().join("---\n")
}

/// A log never forgets a filter, so versions that are small each may be too many together.
#[test]
fn filters_of_all_versions_together_have_a_bound() {
    let mut world = World::new();
    assert_eq!(world.publish(1, &levels(0..20)), "config 1");
    let refused = "control: with it the log would have wanted 32 different 'where' filters; at most 31 are possible in the life of a log, \
                   so give the events that are told apart names of their own";
    assert_eq!(world.publish(2, &levels(20..32)), refused);
    assert_eq!(world.state.config_version(), 1);
    // The same after a restart, and again.
    world.restart();
    assert_eq!(world.publish(2, &levels(20..32)), refused);
    assert_eq!(world.publish(3, &levels(19..31)), "config 3");
    world.restart();
    assert_eq!(world.publish(4, &levels(0..31)), "config 4");
    assert_eq!(world.publish(5, &levels(31..32)), refused);
    assert_eq!(world.state.config_version(), 4);
    // The last filter is a bit like any other: an event that passes it is accepted once and counted.
    let event = br#"{"event_id":"6a3c3f5e4f6e4a399c1b0f6c7a3f1d10","event_type":"conversion","event_time":"1970-01-01T00:00:00Z","event_name":"up","unit_id":"u","attributes":{"level":30}}"#;
    assert_eq!(world.give(&[], event), "accepted u");
    assert_eq!(world.give(&[], event), "");
}

/// A schema counts from the closing record of its version on, and goes with the last version that has it.
#[test]
fn schemas_come_and_go_with_versions() {
    let mut world = World::new();
    let schema =
        format!("{{ kind: schema, id: 700, guid: 07070707-0707-0707-0707-070707070707, avro: {} }}", wire::BUILT_IN[1]);
    let event = |unit: &str, id: u8| {
        let text = format!(
            r#"{{"event_id":"6a3c3f5e4f6e4a399c1b0f6c7a3f1d{id:02x}","event_type":"conversion","event_time":"1970-01-01T00:00:00Z","event_name":"up","unit_id":"{unit}","event_value":1.5}}"#
        );
        let mut bytes = wire::encode(&assay_experiment::json::decode(text.as_bytes()).unwrap());
        bytes[1..5].copy_from_slice(&700u32.to_be_bytes());
        bytes
    };
    let unknown = "unknown_schema: schema 700 is not known here; publish it (kind: schema), or send with one of the built-in ids 1, 2 and 3";
    assert_eq!(world.publish(1, &levels(0..1)), "config 1");
    assert_eq!(world.give(&[], &event("a", 1)), unknown);
    let bodies = canonical::parts(&parse(&[Source { name: "test", text: &schema }]).unwrap());
    let records = control::version(2, &bodies);
    world.give(&headers(&records[0]), &records[0].body);
    assert_eq!(world.give(&[], &event("a", 1)), unknown);
    assert_eq!(world.give(&headers(&records[1]), &records[1].body), "config 2");
    // What was refused was never accepted: it is no repeat.
    assert_eq!(world.give(&[], &event("a", 1)), "accepted a");
    let guid = [&[1u8][..], &[7; 16]].concat();
    assert_eq!(world.give(&[(wire::GUID_HEADER, &guid)], &event("b", 2)[5..]), "accepted b");
    world.restart();
    assert_eq!(world.give(&[], &event("c", 3)), "accepted c");
    assert_eq!(world.publish(3, &levels(0..1)), "config 3");
    assert_eq!(world.give(&[], &event("d", 4)), unknown);
    // A lower version that comes late is known, but its schemas are not in force.
    let mut world = World::new();
    assert_eq!(world.publish(2, &levels(0..1)), "config 2");
    assert_eq!(world.publish(1, &schema), "config 1");
    assert_eq!(world.give(&[], &event("d", 4)), unknown);
}
