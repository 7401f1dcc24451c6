//! A log in a few lines of text, its look records, and results as tables.
//!
//! A script has one line per record: `TIME expose EXPERIMENT/VARIANT UNIT [ATTRIBUTE=VALUE…]`, `TIME do EVENT UNIT [VALUE]`,
//! `TIME bot UNIT`, `TIME tick [PARTITION…]`, `TIME publish VERSION [PARTITION…]`. Times are like `90`, `2m` or `1h30m` after the start and never go back.

use assay_aggregates::{Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Look, MemoryRuns, Partition};
use assay_analysis::{Analysis, Results, Service};
use assay_broker::{Log, MemoryLog, NewRecord, Partition as At, Stamping, TopicSpec};
use assay_experiment::{Source, Span, Timestamp, canonical, control, format_time, parse, partitioner};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// L of these logs.
pub const LATE: Span = Span::HOUR;
/// Their first record: 2026-05-01T00:00:00Z.
pub const START_S: i64 = 1_777_593_600;

/// A log and what its partitions told.
pub struct World {
    partitions: Vec<(Option<Partition>, u64)>,
    versions: BTreeMap<u64, Vec<String>>,
    events: u128,
    /// In the order in which they were told.
    pub looks: Vec<Look>,
}

#[derive(Default)]
struct Told(Vec<Look>);

impl Effects for Told {
    fn fact(&mut self, _: &Fact<'_>) {}
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        panic!("{}: {}", letter.reason, letter.detail);
    }
    fn look(&mut self, look: Look) {
        self.0.push(look);
    }
    fn chunk(&mut self, _: Chunk) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

impl World {
    /// With version 1 of the definitions in force from the start.
    pub fn new(partitions: u32, definitions: &str) -> World {
        let mut genesis = control::Genesis::new("test".to_owned(), partitions, 77);
        genesis.late_ms = LATE.0 as u64 / 1_000;
        genesis.first_exposure_slack_ms = 600_000;
        let mut world = World {
            partitions: (0..partitions).map(|_| (None, 0)).collect(),
            versions: BTreeMap::new(),
            events: 0,
            looks: Vec::new(),
        };
        for partition in 0..partitions {
            world.control(partition, 0, &control::genesis(&genesis));
        }
        world.version(1, definitions);
        world.play("0 publish 1");
        world
    }

    /// Learns a version, to be published later.
    pub fn version(&mut self, number: u64, definitions: &str) {
        let parsed = parse(&[Source { name: "test", text: definitions }]).unwrap();
        self.versions.insert(number, canonical::parts(&parsed));
    }

    /// Plays a script.
    pub fn play(&mut self, script: &str) -> &mut Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = micros(words[0]);
            match words[1] {
                "expose" => {
                    let (experiment, variant) = words[2].split_once('/').unwrap();
                    let pairs = words[4..].iter().map(|word| word.split_once('=').unwrap());
                    let attributes: Map<String, Json> =
                        pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
                    self.event(at, words[3], json!({"event_type": "exposure", "experiment_id": experiment, "variant": variant, "attributes": attributes}));
                }
                "do" => {
                    let mut event = json!({"event_type": "conversion", "event_name": words[2]});
                    if let Some(value) = words.get(4) {
                        event["event_value"] = serde_json::from_str(value).unwrap();
                    }
                    self.event(at, words[3], event);
                }
                "bot" => self.event(at, words[2], json!({"event_type": "retraction", "kind": "bot"})),
                "tick" => self.each(&words[2..], |world, partition| world.control(partition, at, &control::tick())),
                "publish" => {
                    let number: u64 = words[2].parse().unwrap();
                    let records = control::version(number, &self.versions[&number]);
                    self.each(&words[3..], |world, partition| {
                        records.iter().for_each(|record| world.control(partition, at, record));
                    });
                }
                other => panic!("no line of a script: {other}"),
            }
        }
        self
    }

    fn each(&mut self, named: &[&str], mut act: impl FnMut(&mut World, u32)) {
        let all: Vec<u32> = match named {
            [] => (0..self.partitions.len() as u32).collect(),
            named => named.iter().map(|word| word.parse().unwrap()).collect(),
        };
        all.into_iter().for_each(|partition| act(self, partition));
    }

    fn event(&mut self, at: i64, unit: &str, mut event: Json) {
        self.events += 1;
        event["event_id"] = json!(format!("00000000-0000-4000-8000-{:012x}", self.events));
        event["event_time"] = json!(format_time(Timestamp(START_S * 1_000_000 + at)));
        event["unit_id"] = json!(unit);
        let partition = partitioner::partition_of(unit.as_bytes(), self.partitions.len() as u32);
        self.append(partition, at, &[], event.to_string().as_bytes());
    }

    fn control(&mut self, partition: u32, at: i64, record: &control::Encoded) {
        let headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        self.append(partition, at, &headers, &record.body);
    }

    fn append(&mut self, partition: u32, at: i64, headers: &[(&str, &[u8])], payload: &[u8]) {
        let (state, next) = &mut self.partitions[partition as usize];
        let timestamp = Timestamp(START_S * 1_000_000 + at);
        let input = Input { offset: *next, timestamp, key: None, headers, payload };
        *next += 1;
        let mut told = Told::default();
        state
            .get_or_insert_with(|| Partition::start(partition, &input, Box::new(MemoryRuns::default())).unwrap())
            .apply(&input, &mut told)
            .unwrap();
        self.looks.extend(told.0);
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// Looks of one partition.
    pub fn of(&self, partition: u32) -> Vec<Look> {
        self.looks.iter().filter(|look| look.partition == partition).cloned().collect()
    }

    /// An analysis that read everything, partition after partition.
    pub fn analyse(&self) -> Analysis {
        let mut analysis = Analysis::new(self.partitions(), LATE);
        for partition in 0..self.partitions() {
            self.of(partition).into_iter().for_each(|look| analysis.take(look).unwrap());
        }
        analysis.advance();
        analysis
    }

    /// Results of everything.
    pub fn results(&self) -> Results {
        self.analyse().results().unwrap()
    }

    /// The JSON of everything.
    pub fn json(&self) -> Json {
        self.results().to_json("test")
    }
}

/// `1h30m` or `90`, in microseconds.
fn micros(text: &str) -> i64 {
    let mut sum = 0.0;
    let mut number = String::new();
    for letter in text.chars() {
        let unit = match letter {
            'h' => 3_600.0,
            'm' => 60.0,
            's' => 1.0,
            digit => {
                number.push(digit);
                continue;
            }
        };
        sum += number.parse::<f64>().unwrap() * unit;
        number.clear();
    }
    sum += number.parse::<f64>().unwrap_or(0.0);
    (sum * 1e6).round() as i64
}

/// A script of so many units per arm, one each second: unit `ARM-n` is exposed, and buys for `value` every so many units.
pub fn crowd(experiment: &str, arms: &[(&str, usize, &str)], units: usize) -> String {
    let mut script = String::new();
    for n in 0..units {
        for (arm, every, value) in arms {
            let country = ["DE", "FR", "US"][n % 3];
            let _ = writeln!(script, "{n} expose {experiment}/{arm} {arm}-{n} country={country}");
            if n % every == 0 {
                let _ = writeln!(script, "{n} do buy {arm}-{n} {value}");
            }
        }
    }
    script
}

/// One line per metric and variant: units, sum and mean; then whatever paths below the variant are asked for.
pub fn table(json: &Json, paths: &[&str]) -> String {
    let mut out = String::new();
    for experiment in json["experiments"].as_array().unwrap() {
        for metric in experiment["metrics"].as_array().unwrap() {
            for arm in metric["variants"].as_array().unwrap() {
                let _ = write!(
                    out,
                    "{} {} {}: {} units, sum {}, mean {}",
                    experiment["experiment"].as_str().unwrap(),
                    metric["metric"].as_str().unwrap(),
                    arm["variant"].as_str().unwrap(),
                    arm["units"],
                    arm["sum"],
                    arm["mean"]
                );
                for path in paths {
                    let value = path.split('.').fold(arm, |at, name| &at[name]);
                    let _ = write!(out, ", {path} {value}");
                }
                out.push('\n');
            }
        }
    }
    out
}

/// Compares text without regard to indentation.
#[track_caller]
pub fn check(found: &str, expected: &str) {
    let lines = |text: &str| text.lines().map(|line| line.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    let (found, expected): (Vec<String>, Vec<String>) = (lines(found), lines(expected));
    assert_eq!(found, expected, "found:\n{}", found.join("\n"));
}

/// Everything about the experiments that does not depend on earlier looks.
pub fn totals(results: &Results) -> String {
    let mut json = results.to_json("test");
    for name in [
        "p_value_running",
        "p_value_adjusted",
        "intersection",
        "drift_suspected",
        "crossed",
        "looks_evaluated",
        "safe_p_value_running",
        "harm_p_value_running",
        "decision",
        "verdict",
    ] {
        remove(&mut json["experiments"], name);
    }
    json["experiments"].to_string()
}

fn remove(json: &mut Json, name: &str) {
    match json {
        Json::Object(map) => {
            map.remove(name);
            map.values_mut().for_each(|value| remove(value, name));
        }
        Json::Array(all) => all.iter_mut().for_each(|value| remove(value, name)),
        _ => {}
    }
}

/// Topics in memory, and looks in them.
pub struct Topics {
    pub log: MemoryLog,
}

impl Topics {
    pub fn new(partitions: u32) -> Topics {
        let log = MemoryLog::new(Arc::new(|| 0));
        for (name, partitions) in [("aggregates", partitions), ("results", 1)] {
            let spec = TopicSpec {
                name: name.to_owned(),
                partitions,
                stamping: Stamping::Append,
                retention: None,
                compacted: name == "results",
            };
            log.create_topic(&spec).unwrap();
        }
        Topics { log }
    }

    pub fn append(&self, look: &Look) {
        let body = look.encode();
        let record = NewRecord { key: None, headers: &[], payload: &body, timestamp_ms: None };
        self.log.append("aggregates", At(look.partition), &[record]).unwrap();
    }

    pub fn service(&self, snapshot: Option<(Analysis, Vec<u64>)>) -> Service {
        Service::open(Arc::new(self.log.clone()), "aggregates", "results", "test", LATE, snapshot).unwrap()
    }

    /// Key and body of everything published.
    pub fn published(&self) -> Vec<(String, Vec<u8>)> {
        let mut reader = self.log.open("results", At(0), assay_broker::Offset(0)).unwrap();
        let mut batch = assay_broker::Batch::default();
        reader.poll(&mut batch, usize::MAX, Duration::ZERO).unwrap();
        batch.iter().map(|it| (String::from_utf8(it.key.unwrap().to_vec()).unwrap(), it.payload.to_vec())).collect()
    }
}
