//! Random histories of a few units, and folding them.

use crate::driver::Driver;
use assay_aggregates::{Block, ExperimentChanges, Look, ring_start};
use assay_experiment::control::Genesis;
use assay_experiment::{Settings, Timestamp, format_time, partitioner};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

/// F, L and A of a log, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub future_s: i64,
    pub late_s: i64,
    pub slack_s: i64,
}

/// Short ones, so that memories end often within a few hours; the last is no whole number of minutes anywhere.
pub const LIMITS: [Limits; 3] = [
    Limits { future_s: 300, late_s: 4 * 3_600, slack_s: 3_600 },
    Limits { future_s: 60, late_s: 20 * 60, slack_s: 10 * 60 },
    Limits { future_s: 97, late_s: 1_733, slack_s: 1_733 },
];

/// How many units there are.
pub const UNITS: usize = 5;
/// Log time of the first event: 2026-05-01.
pub const START_S: i64 = 1_777_593_600;

/// The experiments: two where anybody decides, and one where the hash does, in sixty percent of a layer.
pub const EXPERIMENTS: [&str; 3] = ["first", "second", "third"];
/// How many versions there are: 2 adds a metric, 3 stops `second` and begins a new phase of `third`.
pub const VERSIONS: u64 = 3;

/// Salt of an experiment in a version.
pub fn salt(experiment: usize, version: u64) -> &'static str {
    match (experiment, version) {
        (0, _) => "s1",
        (1, _) => "s2",
        (_, 3..) => "s4",
        _ => "s3",
    }
}

/// The metrics of an experiment in a version.
pub fn metrics(experiment: usize, version: u64) -> Vec<&'static str> {
    let mut all = vec!["bought", "views", "revenue", "per-view", "back", "gifts", "aged"];
    if version >= 2 && experiment != 1 {
        all.push("added");
    }
    all
}

fn definitions(version: u64) -> String {
    let mut text = String::from(
        "
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
---
{ kind: metric, id: aged, type: sum, event: buy, window: 3h, covariate: { attribute: age } }
---
{ kind: metric, id: added, type: count, event: view, covariate: { attribute: age } }
---
{ kind: layer, id: layer }
",
    );
    for (at, id) in EXPERIMENTS.iter().enumerate() {
        let status = if at == 1 && version >= 3 { "stopped" } else { "running" };
        let assignment = ["external", "external", "xp1\nlayer: layer\nslots: [[0, 600000]]"][at];
        let crossing = ["exclude", "first", "assigned"][at];
        let used = metrics(at, version).into_iter().enumerate().map(|(at, metric)| {
            let role = if at == 0 { "primary" } else { "secondary" };
            format!("{{ metric: {metric}, role: {role} }}")
        });
        text.push_str(&format!(
            "---
kind: experiment
id: {id}
salt: {}
status: {status}
assignment: {assignment}
crossing: {crossing}
variants: [{{ name: control, control: true }}, {{ name: treatment }}]
segments: [{{ attribute: country, values: [DE, FR] }}]
metrics: [{}]
analysis: {{ planned_units: 100 }}
",
            salt(at, version),
            used.collect::<Vec<_>>().join(", ")
        ));
    }
    text
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Expose {
        experiment: usize,
        variant: usize,
        country: usize,
        /// Age, in halves of a year.
        age: i64,
        /// The version that it names.
        version: Option<u64>,
    },
    /// `name` 0 is buy, 1 is view, 2 is what no metric wants; `value` in micro-units.
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
    /// An edge, whose number comes after the units', lost exposures of an experiment; one beyond the last is none.
    Lose {
        experiment: usize,
        exposures: i64,
    },
    /// Of a version, in every partition.
    Publish(u64),
    /// Of settings, in every partition.
    Change(Settings),
}

/// A record: what is said, when it is said to have happened, and when it was appended.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: u128,
    pub at_s: i64,
    pub time_s: i64,
    pub unit: usize,
    pub what: What,
    /// Appended to the partition after its unit's.
    pub astray: bool,
}

/// How old an event is when it is appended.
#[derive(Debug, Clone, Copy)]
pub enum Age {
    Fresh(i64),
    /// In thousandths of A.
    Slack(i64),
    /// In thousandths of F, ahead of log time.
    Ahead(i64),
    /// In thousandths of L.
    Late(i64),
}

/// One step of a generated history.
#[derive(Debug, Clone)]
pub struct Step {
    /// Log time since the step before, in seconds or thousandths of A.
    pub gap: (i64, i64),
    pub unit: usize,
    pub what: What,
    pub age: Age,
    /// The step whose event comes again instead, and whether its body differs.
    pub repeats: Option<(usize, bool)>,
    pub astray: bool,
}

#[derive(Debug, Clone)]
pub struct History {
    pub limits: Limits,
    /// When the log begins and version 1 is published.
    pub published_s: i64,
    pub records: Vec<Record>,
    /// Meaning of the fold with which the log begins.
    pub semantics: u32,
}

/// Histories of up to so many steps.
pub fn history(steps_max: usize) -> impl Strategy<Value = History> {
    let limits = proptest::sample::select(LIMITS.to_vec());
    let steps = proptest::collection::vec(step(), 1..steps_max);
    (limits, steps, 1u32..3).prop_map(|(limits, steps, semantics)| History { semantics, ..build(limits, &steps) })
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![Just(0), Just(1_500_000), Just(-2_000_000), 0i64..7_000_000];
    let version = prop_oneof![6 => Just(None), 1 => (1u64..5).prop_map(Some)];
    let exposure = (0usize..3, 0usize..3, 0usize..3, 0i64..90, version).prop_map(
        |(experiment, variant, country, age, version)| What::Expose {
            experiment,
            variant: variant / 2,
            country,
            age,
            version,
        },
    );
    let what = prop_oneof![
        10 => exposure,
        10 => (prop_oneof![8 => 0usize..2, 1 => Just(2)], value, any::<bool>())
            .prop_map(|(name, value, gift)| What::Convert { name, value, gift }),
        // Which conversion is corrected, and whether rightly, is decided when the history is built.
        4 => (any::<u8>(), any::<bool>()).prop_map(|(pick, wrongly)| What::Correct {
            target: pick.into(), target_time_s: i64::from(wrongly), name: 0, value: 0,
        }),
        2 => prop_oneof![4 => Just(What::Bot), 1 => Just(What::Erase)],
        2 => (0..=EXPERIMENTS.len(), 1i64..1_000).prop_map(|(experiment, exposures)| What::Lose { experiment, exposures }),
        1 => (2..=VERSIONS).prop_map(What::Publish),
        // From which hour on is decided when the history is built: so many after the next.
        1 => (0i64..3, 1u64..4, 1u64..4, 1u32..3).prop_map(|(hours, look, chunks, semantics)| {
            let look_ms = look * look * 500;
            What::Change(Settings { from_ms: hours, look_ms, chunk_ms: look_ms * chunks, semantics })
        }),
    ];
    let gap = prop_oneof![4 => (0i64..3, Just(0)), 3 => (Just(1), 0i64..150), 1 => (Just(1), 150i64..2_200)];
    let age = prop_oneof![
        5 => (0i64..20).prop_map(Age::Fresh),
        3 => (0i64..1_100).prop_map(Age::Slack),
        1 => (0i64..1_300).prop_map(Age::Ahead),
        1 => (0i64..1_060).prop_map(Age::Late),
    ];
    let repeats = prop_oneof![6 => Just(None), 1 => (0usize..60, prop::bool::weighted(0.3)).prop_map(Some)];
    (gap, 0..UNITS, what, age, repeats, prop::bool::weighted(0.04))
        .prop_map(|(gap, unit, what, age, repeats, astray)| Step { gap, unit, what, age, repeats, astray })
}

/// Turns steps into records.
pub fn build(limits: Limits, steps: &[Step]) -> History {
    let mut records: Vec<Record> = Vec::new();
    let mut now = START_S;
    for (at, step) in steps.iter().enumerate() {
        now += step.gap.0 + step.gap.1 * limits.slack_s / 1_000;
        if let Some((earlier, differs)) = step.repeats.filter(|_| at > 0) {
            let mut again = records[earlier % at].clone();
            again.at_s = now;
            if differs {
                match &mut again.what {
                    What::Expose { country, .. } => *country = (*country + 1) % 3,
                    What::Convert { gift, .. } => *gift = !*gift,
                    What::Correct { value, .. } => *value += 1,
                    What::Lose { exposures, .. } => *exposures += 1,
                    What::Change(settings) => settings.look_ms /= 2,
                    What::Bot | What::Erase | What::Publish(_) => {}
                }
            }
            records.push(again);
            continue;
        }
        let (mut unit, mut what) = (step.unit, step.what.clone());
        if let What::Change(settings) = &mut what {
            settings.from_ms = (now.div_euclid(3_600) + 1 + settings.from_ms) * 3_600_000;
        }
        if let What::Lose { .. } = what {
            unit += UNITS;
        }
        if let What::Correct { target, target_time_s: wrongly, .. } = step.what {
            let conversions: Vec<&Record> =
                records.iter().filter(|record| matches!(record.what, What::Convert { .. })).collect();
            let picked = conversions.get(target as usize % (conversions.len() + 1));
            what = match picked {
                Some(Record { id, time_s, unit: of, what: What::Convert { name, value, .. }, .. }) => {
                    unit = *of;
                    What::Correct { target: *id, target_time_s: *time_s, name: *name, value: value + wrongly * 7 }
                }
                // Of something that never was, or comes with one of the next steps.
                _ => What::Correct { target: at as u128 + 3, target_time_s: now, name: 0, value: 1_500_000 },
            };
        }
        let age = match step.age {
            Age::Fresh(seconds) => seconds,
            Age::Slack(share) => share * limits.slack_s / 1_000,
            Age::Ahead(share) => -share * limits.future_s / 1_000,
            Age::Late(share) => share * limits.late_s / 1_000,
        };
        let astray = step.astray && !matches!(what, What::Publish(_) | What::Change(_));
        records.push(Record { id: at as u128 + 1, at_s: now, time_s: now - age, unit, what, astray });
    }
    History { limits, published_s: START_S - limits.slack_s / 2, records, semantics: 2 }
}

/// The same events, each appended so many seconds after it happened, once or more often.
pub fn history_from(history: &History, delays: impl Fn(usize) -> Vec<i64>) -> History {
    let limits = history.limits;
    let mut distinct: Vec<Record> = Vec::new();
    for record in &history.records {
        // An erasure depends on what came before it, and a correction on coming within L of its target and not F before it. Definitions
        // act where they are, and of two bodies under one id the first counts.
        let depends = record.astray
            || match record.what {
                What::Erase | What::Publish(_) | What::Change(_) => true,
                What::Correct { target_time_s, .. } => {
                    record.time_s + limits.slack_s > target_time_s + limits.late_s
                        || record.time_s < target_time_s - limits.future_s
                }
                What::Expose { version: Some(2..), .. } => true,
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
    // Before everything, whatever the delays.
    History { limits, published_s: START_S - 2 * limits.late_s, records, semantics: history.semantics }
}

impl Record {
    pub fn payload(&self) -> Vec<u8> {
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
        let name = |name: usize| ["buy", "view", "yawn"][name];
        let mut event = json!({"event_id": uuid(self.id), "event_time": time(self.time_s), "unit_id": unit(self.unit)});
        let more = match &self.what {
            What::Expose { experiment, variant, country, age, version } => {
                let country = ["DE", "FR", "US"][*country];
                let mut more = json!({
                    "event_type": "exposure", "experiment_id": EXPERIMENTS[*experiment],
                    "variant": (["control", "treatment"][*variant]),
                    "attributes": {"country": country, "age": *age as f64 / 2.0},
                });
                if let Some(version) = version {
                    more["config_version"] = (*version).into();
                }
                more
            }
            What::Convert { name: of, value, gift } => json!({
                "event_type": "conversion", "event_name": name(*of), "event_value": decimal(*value),
                "attributes": {"gift": gift},
            }),
            What::Correct { target, target_time_s, name: of, value } => json!({
                "event_type": "retraction", "kind": "correct", "target_event_id": uuid(*target),
                "target_event_time": time(*target_time_s), "event_name": name(*of), "event_value": decimal(*value),
            }),
            What::Lose { experiment, exposures } => json!({
                "event_type": "conversion", "unit_type": "edge", "event_name": "assay.exposures_lost", "event_value": exposures,
                "attributes": {"experiment": EXPERIMENTS.get(*experiment).unwrap_or(&"none"), "cause": "queue_full"},
            }),
            What::Bot => json!({"event_type": "retraction", "kind": "bot"}),
            What::Erase => json!({"event_type": "retraction", "kind": "erase"}),
            What::Publish(_) | What::Change(_) => unreachable!("definitions and settings are no events"),
        };
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        event.to_string().into_bytes()
    }

    /// Whether it is appended to this partition, of so many.
    fn goes_to(&self, partition: u32, partitions: u32) -> bool {
        let owner = partitioner::partition_of(unit(self.unit).as_bytes(), partitions);
        matches!(self.what, What::Publish(_) | What::Change(_))
            || (owner + u32::from(self.astray)) % partitions == partition
    }
}

pub fn unit(number: usize) -> String {
    format!("unit-{number}")
}

/// What one partition told.
pub struct Folded {
    pub partition: u32,
    pub partitions: u32,
    /// The offset after each record that it was given, and the record.
    pub records: Vec<(u64, Record)>,
    pub looks: Vec<Look>,
    pub state_hash: u128,
}

/// Folds a history over so many partitions.
pub fn fold(history: &History, partitions: u32) -> Vec<Folded> {
    fold_with_restarts(history, partitions, &[])
}

/// The same, restoring each partition from a snapshot before these records.
pub fn fold_with_restarts(history: &History, partitions: u32, cuts: &[usize]) -> Vec<Folded> {
    let mut genesis = Genesis::new("test".to_owned(), partitions, 77);
    genesis.semantics = history.semantics;
    genesis.future_ms = history.limits.future_s as u64 * 1_000;
    genesis.late_ms = history.limits.late_s as u64 * 1_000;
    genesis.first_exposure_slack_ms = history.limits.slack_s as u64 * 1_000;
    let end_s = history.records.iter().map(|record| record.at_s).max().unwrap_or(START_S).max(history.published_s);
    let at = |seconds: i64| Timestamp(seconds * 1_000_000);
    (0..partitions)
        .map(|partition| {
            let mut driver = Driver::new(&genesis, partition, at(history.published_s));
            driver.publish(at(history.published_s), 1, &definitions(1));
            let mut records = Vec::new();
            for (number, record) in history.records.iter().enumerate() {
                if cuts.contains(&number) {
                    driver.restart();
                }
                if !record.goes_to(partition, partitions) {
                    continue;
                }
                match record.what {
                    // A lower version that comes late is known but not in force.
                    What::Publish(version) if driver.state().config_version() >= version => continue,
                    What::Publish(version) => driver.publish(at(record.at_s), version, &definitions(version)),
                    What::Change(settings) => driver.change(at(record.at_s), &settings),
                    _ => {
                        driver.append(at(record.at_s), None, &[], &record.payload());
                    }
                }
                records.push((driver.state().next_offset(), record.clone()));
            }
            // The longest look is 4.5 s.
            driver.tick(at(end_s + 5));
            let state_hash = driver.state().state_hash();
            Folded { partition, partitions, records, looks: driver.told.looks, state_hash }
        })
        .collect()
}

/// Sums over all partitions: what is not zero, by (phase and variant, hour).
pub fn merged(partitions: &[Folded]) -> Vec<((String, i64), Block)> {
    sums(partitions, |changes| &changes.blocks)
}

/// The same of the last hour's minutes, from one of them on.
pub fn ring(partitions: &[Folded], from: i64) -> Vec<((String, i64), Block)> {
    let mut all = sums(partitions, |changes| &changes.minutes);
    all.retain(|((_, minute), _)| *minute >= from);
    all
}

/// The first minute of the last hour before the last look.
pub fn ring_end(partitions: &[Folded]) -> i64 {
    let last = partitions.iter().filter_map(|it| it.looks.last()).map(Look::as_of).max();
    ring_start(last.expect("the last record is a tick"))
}

fn sums(partitions: &[Folded], blocks: impl Fn(&ExperimentChanges) -> &Vec<Block>) -> Vec<((String, i64), Block)> {
    let mut total: BTreeMap<(String, u8, i64), Block> = BTreeMap::new();
    for partition in partitions {
        let mut newest: BTreeMap<(String, u8, i64), Block> = BTreeMap::new();
        for look in &partition.looks {
            for experiment in &look.experiments {
                for block in blocks(experiment) {
                    let phase = format!("{}/{}", experiment.id, experiment.salt);
                    newest.insert((phase, block.variant, block.hour), block.clone());
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
        .map(|((phase, variant, hour), block)| ((format!("{phase}/{variant}"), hour), block))
        .collect()
}
