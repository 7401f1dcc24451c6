//! Random histories of a few units, and folding them.

use assay_aggregates::{
    Block, Chunk, ControlFact, DeadLetter, Effects, Entry, Fact, Input, Look, MemoryRuns, Partition, Remembered,
    RunName, Runs, RunsError,
};
use assay_experiment::{Source, Timestamp, canonical, control, format_time, parse, partitioner};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// F, L and A of these logs: short, so that everything happens within a few hours.
pub const FUTURE_S: i64 = 300;
pub const LATE_S: i64 = 4 * 3_600;
pub const SLACK_S: i64 = 3_600;
/// How many units there are.
pub const UNITS: usize = 5;
/// Log time starts here: 2026-05-01.
const START_S: i64 = 1_777_593_600;

const DEFINITIONS: &str = "
kind: experiment
id: first
salt: s1
status: running
assignment: external
crossing: exclude
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: bought, role: primary }, { metric: views, role: secondary }, { metric: revenue, role: secondary },
  { metric: per-view, role: secondary }, { metric: back, role: secondary }, { metric: gifts, role: secondary }]
analysis: { planned_units: 100 }
---
kind: experiment
id: second
salt: s2
status: running
assignment: external
crossing: first
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: bought, role: primary }, { metric: views, role: secondary }, { metric: revenue, role: secondary },
  { metric: per-view, role: secondary }, { metric: back, role: secondary }, { metric: gifts, role: secondary }]
analysis: { planned_units: 100 }
---
{ kind: metric, id: bought, type: conversion, event: buy, window: 2h }
---
{ kind: metric, id: views, type: count, event: view }
---
{ kind: metric, id: revenue, type: sum, event: buy, window: 3h, cap: 5, floor: -3 }
---
{ kind: metric, id: per-view, type: ratio, numerator: { event: buy, value: sum }, denominator: { event: view } }
---
{ kind: metric, id: back, type: retention, event: view, from: 1h, to: 2h }
---
{ kind: metric, id: gifts, type: count, event: buy, where: { gift: true } }
";

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Expose {
        experiment: usize,
        variant: usize,
        country: usize,
    },
    /// `name` 0 is buy, 1 is view; `value` in micro-units.
    Convert {
        name: usize,
        value: i64,
        gift: bool,
    },
    Correct {
        target: u128,
        target_time_s: i64,
        name: usize,
        value: i64,
    },
    Bot,
    Erase,
}

/// A record: what is said, when it is said to have happened, and when it was appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: u128,
    pub at_s: i64,
    pub time_s: i64,
    pub unit: usize,
    pub what: What,
}

/// One step of a generated history.
#[derive(Debug, Clone)]
pub struct Step {
    /// Seconds of log time since the step before.
    pub gap_s: i64,
    pub unit: usize,
    pub what: What,
    /// How old the event is when it is appended; negative is ahead.
    pub age_s: i64,
    /// The step whose event comes again instead.
    pub repeats: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct History {
    pub records: Vec<Record>,
}

/// Histories of up to so many steps.
pub fn history(steps_max: usize) -> impl Strategy<Value = History> {
    proptest::collection::vec(step(), 1..steps_max).prop_map(|steps| build(&steps))
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![Just(0), Just(1_500_000), Just(-2_000_000), 0i64..7_000_000];
    let what = prop_oneof![
        5 => (0usize..2, 0usize..2, 0usize..3)
            .prop_map(|(experiment, variant, country)| What::Expose { experiment, variant: variant / 2 + variant % 2, country }),
        6 => (0usize..2, value, any::<bool>()).prop_map(|(name, value, gift)| What::Convert { name, value, gift }),
        // Which conversion is corrected, and whether rightly, is decided when the history is built.
        2 => (any::<u8>(), any::<bool>()).prop_map(|(pick, wrongly)| What::Correct {
            target: pick.into(), target_time_s: i64::from(wrongly), name: 0, value: 0,
        }),
        1 => prop_oneof![4 => Just(What::Bot), 1 => Just(What::Erase)],
    ];
    let gap = prop_oneof![4 => 0i64..3, 3 => 1i64..600, 1 => 600i64..7_000];
    let age = prop_oneof![5 => 0i64..20, 3 => 0i64..4_000, 1 => -400i64..0, 1 => 0i64..(LATE_S + 900)];
    let repeats = prop_oneof![6 => Just(None), 1 => (0usize..60).prop_map(Some)];
    (gap, 0..UNITS, what, age, repeats).prop_map(|(gap_s, unit, what, age_s, repeats)| Step {
        gap_s,
        unit,
        what,
        age_s,
        repeats,
    })
}

/// Turns steps into records.
pub fn build(steps: &[Step]) -> History {
    let mut records: Vec<Record> = Vec::new();
    let mut now = START_S;
    for (at, step) in steps.iter().enumerate() {
        now += step.gap_s;
        if let Some(earlier) = step.repeats.filter(|_| at > 0) {
            let mut again = records[earlier % at].clone();
            again.at_s = now;
            records.push(again);
            continue;
        }
        let (mut unit, mut what) = (step.unit, step.what.clone());
        if let What::Correct { target, target_time_s: wrongly, .. } = step.what {
            let conversions: Vec<&Record> =
                records.iter().filter(|record| matches!(record.what, What::Convert { .. })).collect();
            let picked = conversions.get(target as usize % conversions.len().max(1));
            what = match picked {
                Some(Record { id, time_s, unit: of, what: What::Convert { name, value, .. }, .. }) => {
                    unit = *of;
                    What::Correct { target: *id, target_time_s: *time_s, name: *name, value: value + wrongly * 7 }
                }
                // Of something that never was.
                _ => What::Correct { target: 9_999, target_time_s: now, name: 0, value: 0 },
            };
        }
        records.push(Record { id: at as u128 + 1, at_s: now, time_s: now - step.age_s, unit, what });
    }
    History { records }
}

/// The same events, each appended so many seconds after it happened, once or more often.
pub fn history_from(history: &History, delays: impl Fn(usize) -> Vec<i64>) -> History {
    let mut distinct: Vec<Record> = Vec::new();
    for record in &history.records {
        // An erasure depends on what came before it, and a correction on coming within L of its target.
        let depends = match record.what {
            What::Erase => true,
            What::Correct { target_time_s, .. } => record.time_s + SLACK_S > target_time_s + LATE_S,
            _ => false,
        };
        if !depends && !distinct.iter().any(|known| known.id == record.id) {
            distinct.push(record.clone());
        }
    }
    let mut records = Vec::new();
    for (at, record) in distinct.iter().enumerate() {
        for delay in delays(at) {
            records.push(Record { at_s: record.time_s + delay, ..record.clone() });
        }
    }
    records.sort_by_key(|record| record.at_s);
    History { records }
}

impl Record {
    fn payload(&self) -> Vec<u8> {
        let time = |seconds: i64| format_time(Timestamp(seconds * 1_000_000));
        let uuid = |id: u128| format!("00000000-0000-4000-8000-{id:012x}");
        let decimal = |micros: i64| {
            let text = format!(
                "{}{}.{:06}",
                if micros < 0 { "-" } else { "" },
                micros.abs() / 1_000_000,
                micros.abs() % 1_000_000
            );
            serde_json::from_str::<serde_json::Number>(&text).unwrap()
        };
        let mut event = json!({"event_id": uuid(self.id), "event_time": time(self.time_s), "unit_id": unit(self.unit)});
        let more = match &self.what {
            What::Expose { experiment, variant, country } => json!({
                "event_type": "exposure", "experiment_id": (["first", "second"][*experiment]),
                "variant": (["control", "treatment"][*variant]), "attributes": {"country": (["DE", "FR", "US"][*country])},
            }),
            What::Convert { name, value, gift } => json!({
                "event_type": "conversion", "event_name": (["buy", "view"][*name]), "event_value": decimal(*value),
                "attributes": {"gift": gift},
            }),
            What::Correct { target, target_time_s, name, value } => json!({
                "event_type": "retraction", "kind": "correct", "target_event_id": uuid(*target),
                "target_event_time": time(*target_time_s), "event_name": (["buy", "view"][*name]), "event_value": decimal(*value),
            }),
            What::Bot => json!({"event_type": "retraction", "kind": "bot"}),
            What::Erase => json!({"event_type": "retraction", "kind": "erase"}),
        };
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        event.to_string().into_bytes()
    }
}

fn unit(number: usize) -> String {
    format!("unit-{number}")
}

/// What one partition told.
pub struct Folded {
    /// Offset and record of what it was given.
    pub records: Vec<(u64, Record)>,
    pub looks: Vec<Look>,
    pub state_hash: u128,
}

#[derive(Default)]
struct Told(Vec<Look>);

impl Effects for Told {
    fn fact(&mut self, _: &Fact<'_>) {}
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let reason = letter.reason.name();
        assert!(matches!(reason, "late" | "future" | "erased"), "{reason}: {}", letter.detail);
    }
    fn look(&mut self, look: Look) {
        let bytes = look.encode();
        assert_eq!(Look::decode(&bytes).as_ref(), Ok(&look), "a look reads back");
        self.0.push(look);
    }
    fn chunk(&mut self, _: Chunk) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

/// Runs that survive a restart.
#[derive(Clone, Default)]
struct SharedRuns(Arc<Mutex<MemoryRuns>>);

impl Runs for SharedRuns {
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError> {
        self.0.lock().unwrap().store(name, entries)
    }
    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError> {
        self.0.lock().unwrap().find(name, key)
    }
    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        self.0.lock().unwrap().load(name)
    }
    /// An older snapshot may still need it.
    fn retire(&mut self, _: RunName) {}
}

/// Folds a history over so many partitions.
pub fn fold(history: &History, partitions: u32) -> Vec<Folded> {
    fold_with_restarts(history, partitions, &[])
}

/// The same, restoring each partition from a snapshot before these records.
pub fn fold_with_restarts(history: &History, partitions: u32, cuts: &[usize]) -> Vec<Folded> {
    let definitions = parse(&[Source { name: "test", text: DEFINITIONS }]).unwrap();
    let mut genesis = control::Genesis::new("test".to_owned(), partitions, 77);
    genesis.future_ms = FUTURE_S as u64 * 1_000;
    genesis.late_ms = LATE_S as u64 * 1_000;
    genesis.first_exposure_slack_ms = SLACK_S as u64 * 1_000;
    let mut start = vec![control::genesis(&genesis)];
    start.extend(control::version(1, &canonical::parts(&definitions)));
    let first_s = history.records.iter().map(|record| record.at_s).min().unwrap_or(START_S).min(START_S);
    let end_s = history.records.iter().map(|record| record.at_s).max().unwrap_or(START_S);
    (0..partitions)
        .map(|partition| {
            let mut told = Told::default();
            let runs = SharedRuns::default();
            let mut state: Option<Partition> = None;
            let mut offset = 0;
            let mut records = Vec::new();
            let mut give = |state: &mut Option<Partition>,
                            told: &mut Told,
                            at_s: i64,
                            headers: &[(&str, &[u8])],
                            payload: &[u8]| {
                let input = Input { offset, timestamp: Timestamp(at_s * 1_000_000), key: None, headers, payload };
                state
                    .get_or_insert_with(|| Partition::start(partition, &input, Box::new(runs.clone())).unwrap())
                    .apply(&input, told)
                    .unwrap();
                offset += 1;
                offset - 1
            };
            for record in &start {
                let headers: Vec<(&str, &[u8])> =
                    record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
                give(&mut state, &mut told, first_s, &headers, &record.body);
            }
            for (at, record) in history.records.iter().enumerate() {
                if cuts.contains(&at) {
                    let snapshot = state.take().unwrap().snapshot();
                    state = Some(Partition::restore(&snapshot, Box::new(runs.clone())).unwrap());
                }
                if partitioner::partition_of(unit(record.unit).as_bytes(), partitions) == partition {
                    let offset = give(&mut state, &mut told, record.at_s, &[], &record.payload());
                    records.push((offset, record.clone()));
                }
            }
            let tick = control::tick();
            let headers: Vec<(&str, &[u8])> =
                tick.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            give(&mut state, &mut told, end_s + 1, &headers, &[]);
            Folded { records, looks: told.0, state_hash: state.unwrap().state_hash() }
        })
        .collect()
}

/// Sums over all partitions: what is not zero, by (experiment, variant, hour).
pub fn merged(partitions: &[Folded]) -> Vec<((String, i64), Block)> {
    let mut total: BTreeMap<(String, u8, i64), Block> = BTreeMap::new();
    for partition in partitions {
        let mut newest: BTreeMap<(String, u8, i64), Block> = BTreeMap::new();
        for look in &partition.looks {
            for experiment in &look.experiments {
                for block in &experiment.blocks {
                    newest.insert((experiment.id.clone(), block.variant, block.hour), block.clone());
                }
            }
        }
        for (key, block) in newest {
            let sum = total.entry(key).or_insert_with(|| Block {
                units: vec![0; block.units.len()],
                cells: vec![Default::default(); block.cells.len()],
                ..block.clone()
            });
            sum.units.iter_mut().zip(&block.units).for_each(|(sum, units)| *sum += units);
            sum.cells.iter_mut().zip(&block.cells).for_each(|(sum, cell)| sum.merge(cell));
        }
    }
    total
        .into_iter()
        .filter(|(_, block)| !block.is_zero())
        .map(|((experiment, variant, hour), block)| ((format!("{experiment}/{variant}"), hour), block))
        .collect()
}
