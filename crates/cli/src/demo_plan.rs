//! What the demonstration plays: the events of a published experiment on a compressed clock, and the figures that it should end with.
//!
//! The plan is a function of the data set and the start alone, so that a demonstration that was killed goes on with the same events.

use crate::random::Random;
use anyhow::{Context, Result, bail};
use assay_experiment::{Timestamp, format_time};
use serde_json::{Value as Json, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Which published experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DataSet {
    /// 64,000 customers, three arms of an e-mail campaign.
    Hillstrom,
    /// 90,189 players, two gates, retention.
    CookieCats,
}

/// A message to be sent at a moment after the start.
pub struct Planned {
    /// Milliseconds after the start.
    pub send_ms: u32,
    /// The unit, which chooses the partition.
    pub unit: String,
    /// The message.
    pub payload: Vec<u8>,
}

/// What should come out.
pub struct Expected {
    /// Units, by arm.
    pub units: Vec<(&'static str, i64)>,
    /// Per metric and treatment.
    pub rows: Vec<ExpectedRow>,
}

/// Published figures of one comparison.
pub struct ExpectedRow {
    /// The metric.
    pub metric: &'static str,
    /// The treatment.
    pub variant: &'static str,
    /// Sum in the control arm.
    pub control_sum: f64,
    /// Sum in the treatment arm.
    pub sum: f64,
    /// Treatment minus control.
    pub difference: f64,
    /// Natural logarithm of the e-value.
    pub ln_e: f64,
    /// The always-valid interval.
    pub interval: (f64, f64),
}

/// All messages in the order of sending, and how many of each kind are in them.
pub struct Plan {
    /// In the order of sending.
    pub messages: Vec<Planned>,
    /// Distinct valid exposures and conversions.
    pub valid: (u64, u64),
    /// Messages that are sent again.
    pub repeats: u64,
    /// Messages that cannot be accepted.
    pub broken: u64,
}

/// Of every hundred messages so many are sent again later, and so many arrive late.
const REPEATED_PERCENT: u64 = 3;
const DELAYED_PERCENT: u64 = 2;
/// A delayed or repeated message comes up to so many milliseconds after its time.
const DELAY_MS_MAX: u64 = 4_000;

const HILLSTROM: &[u8] = include_bytes!("../data/hillstrom.csv.gz");

impl DataSet {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            DataSet::Hillstrom => "hillstrom",
            DataSet::CookieCats => "cookie-cats",
        }
    }

    /// How many days the original took; they are compressed into the demonstration.
    pub fn days(self) -> u32 {
        // Two weeks: the outcomes of the one, and five days of new players before the ninth day of the last of the other.
        14
    }

    /// The definitions for a demonstration of so many seconds.
    pub fn definitions(self, seconds: u32) -> String {
        match self {
            DataSet::Hillstrom => include_str!("../data/hillstrom.yaml").to_owned(),
            DataSet::CookieCats => {
                let text = include_str!("../data/cookie-cats.yaml");
                let day = self.day_seconds(seconds);
                [8, 7, 2, 1].iter().fold(text.to_owned(), |text, days| {
                    text.replace(&format!("DAYS_{days}"), &format!("{}s", days * day))
                })
            }
        }
    }

    /// How long a day of the original takes, in whole seconds because windows are.
    fn day_seconds(self, seconds: u32) -> u32 {
        (seconds / self.days()).max(1)
    }

    /// The figures of the published data.
    pub fn expected(self) -> Expected {
        let row = |metric, variant, control_sum, sum, difference, ln_e, interval| ExpectedRow {
            metric,
            variant,
            control_sum,
            sum,
            difference,
            ln_e,
            interval,
        };
        match self {
            DataSet::Hillstrom => Expected {
                units: vec![("control", 21_306), ("mens", 21_307), ("womens", 21_387)],
                rows: vec![
                    row("visit", "mens", 2_262.0, 3_894.0, 0.076589564, 227.30273, (0.066312874, 0.086866253)),
                    row("visit", "womens", 2_262.0, 3_238.0, 0.045233107, 86.157818, (0.035413254, 0.055052959)),
                    row("conversion", "mens", 122.0, 267.0, 0.0068050065, 23.261046, (0.0040100065, 0.0096000065)),
                    row("conversion", "womens", 122.0, 189.0, 0.0031110575, 5.2627087, (0.00061311062, 0.0056090044)),
                    row("spend", "mens", 13_908.33, 30_311.69, 0.76982716, 11.423647, (0.32897967, 1.2106746)),
                    row("spend", "womens", 13_908.33, 23_038.11, 0.42441222, 3.6125517, (0.028638532, 0.8201859)),
                ],
            },
            DataSet::CookieCats => Expected {
                units: vec![("gate_30", 44_700), ("gate_40", 45_489)],
                rows: vec![
                    row(
                        "retention_1",
                        "gate_40",
                        20_034.0,
                        20_119.0,
                        -0.0059051698,
                        0.30784143,
                        (-0.015951211, 0.0041408709),
                    ),
                    row(
                        "retention_7",
                        "gate_40",
                        8_502.0,
                        8_279.0,
                        -0.0082012983,
                        3.3519945,
                        (-0.016068466, -0.00033413041),
                    ),
                    row(
                        "sum_game_rounds",
                        "gate_40",
                        2_344_795.0,
                        2_333_530.0,
                        -1.1574885,
                        -0.76166097,
                        (-5.1251539, 2.810177),
                    ),
                ],
            },
        }
    }

    /// Every message of a demonstration that starts at a moment and lasts so many seconds.
    pub fn plan(self, start_ms: i64, seconds: u32, file: Option<&Path>) -> Result<Plan> {
        let text = self.read(file)?;
        let mut planner =
            Planner { start_ms, plan: Plan { messages: Vec::new(), valid: (0, 0), repeats: 0, broken: 0 } };
        let span = seconds * 1_000;
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let headers = reader.headers()?.clone();
        let column = |name: &str| {
            headers.iter().position(|header| header == name).with_context(|| format!("the file has no column {name}"))
        };
        match self {
            DataSet::Hillstrom => {
                let [segment, visit, conversion, spend] = ["segment", "visit", "conversion", "spend"].map(column);
                let (segment, visit, conversion, spend) = (segment?, visit?, conversion?, spend?);
                let (zip, channel, history) = (column("zip_code")?, column("channel")?, column("history")?);
                for (at, record) in reader.records().enumerate() {
                    let record = record?;
                    let variant = match &record[segment] {
                        "No E-Mail" => "control",
                        "Mens E-Mail" => "mens",
                        "Womens E-Mail" => "womens",
                        other => bail!("the file has an unknown segment '{other}'"),
                    };
                    let unit = format!("customer-{at:05}");
                    let mut random = Random(at as u64);
                    let seen = random.below(span * 7 / 10);
                    let attributes = json!({
                        "zip_code": record[zip], "channel": record[channel], "history": record[history].parse::<f64>()?,
                    });
                    planner.exposure("hillstrom", variant, &unit, seen, attributes, &mut random);
                    let after = |random: &mut Random| seen + 50 + random.below(span - span / 20 - seen);
                    if &record[visit] == "1" {
                        planner.conversion("visit", None, &unit, after(&mut random), &mut random);
                    }
                    if &record[conversion] == "1" {
                        planner.conversion("purchase", Some(&record[spend]), &unit, after(&mut random), &mut random);
                    }
                }
            }
            DataSet::CookieCats => {
                let (version, rounds) = (column("version")?, column("sum_game_rounds")?);
                let (first, seventh) = (column("retention_1")?, column("retention_7")?);
                let day = 1_000 * self.day_seconds(seconds);
                for (at, record) in reader.records().enumerate() {
                    let record = record?;
                    let unit = format!("player-{at:05}");
                    let mut random = Random(at as u64);
                    let seen = random.below(span - 9 * day);
                    planner.exposure("cookie-cats", &record[version], &unit, seen, json!({}), &mut random);
                    let within = |days: u32, random: &mut Random| seen + days * day + random.below(day);
                    if &record[rounds] != "0" {
                        let at = seen + 50 + random.below(8 * day);
                        planner.conversion("rounds", Some(&record[rounds]), &unit, at, &mut random);
                    }
                    for (column, days) in [(first, 1), (seventh, 7)] {
                        if record[column].eq_ignore_ascii_case("true") {
                            planner.conversion("session", None, &unit, within(days, &mut random), &mut random);
                        }
                    }
                }
            }
        }
        planner.broken(self.name(), span);
        let mut plan = planner.plan;
        plan.messages.sort_by_key(|message| message.send_ms);
        Ok(plan)
    }

    fn read(self, file: Option<&Path>) -> Result<Vec<u8>> {
        let packed = match (self, file) {
            (_, Some(file)) => std::fs::read(file).with_context(|| format!("reading {}", file.display()))?,
            (DataSet::Hillstrom, None) => HILLSTROM.to_vec(),
            (DataSet::CookieCats, None) => {
                let usual = PathBuf::from("crates/cli/data/cookie_cats.csv.gz");
                std::fs::read(&usual).with_context(|| {
                    format!("reading {}; run this in a checkout of Assay, or give the file of the Cookie Cats data with --file", usual.display())
                })?
            }
        };
        let mut text = Vec::new();
        if packed.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut text)?;
        } else {
            text = packed;
        }
        Ok(text)
    }
}

struct Planner {
    start_ms: i64,
    plan: Plan,
}

impl Planner {
    fn exposure(
        &mut self,
        experiment: &str,
        variant: &str,
        unit: &str,
        at_ms: u32,
        attributes: Json,
        random: &mut Random,
    ) {
        self.plan.valid.0 += 1;
        let event = json!({
            "event_id": random.uuid(), "event_type": "exposure", "event_time": self.time(at_ms), "unit_id": unit,
            "experiment_id": experiment, "variant": variant, "attributes": attributes, "sdk": "demo/1.0",
        });
        self.send(event, unit, at_ms, random);
    }

    fn conversion(&mut self, name: &str, value: Option<&str>, unit: &str, at_ms: u32, random: &mut Random) {
        self.plan.valid.1 += 1;
        let mut event = json!({
            "event_id": random.uuid(), "event_type": "conversion", "event_time": self.time(at_ms), "unit_id": unit, "event_name": name,
        });
        if let Some(value) = value.and_then(|value| serde_json::from_str::<serde_json::Number>(value).ok()) {
            event["event_value"] = Json::Number(value);
        }
        self.send(event, unit, at_ms, random);
    }

    fn time(&self, at_ms: u32) -> String {
        format_time(Timestamp::from_millis(self.start_ms + i64::from(at_ms)))
    }

    fn send(&mut self, event: Json, unit: &str, at_ms: u32, random: &mut Random) {
        let payload = event.to_string().into_bytes();
        let mut push = |send_ms, payload| self.plan.messages.push(Planned { send_ms, unit: unit.to_owned(), payload });
        let delayed = random.next() % 100 < DELAYED_PERCENT;
        let delay = if delayed { random.next() % DELAY_MS_MAX } else { random.next() % 50 };
        if random.next() % 100 < REPEATED_PERCENT {
            self.plan.repeats += 1;
            push(at_ms + (random.next() % DELAY_MS_MAX) as u32, payload.clone());
        }
        push(at_ms + delay as u32, payload);
    }

    /// One of each mistake that services make.
    fn broken(&mut self, experiment: &str, span_ms: u32) {
        let mut random = Random(0xb0b);
        let time = self.time(span_ms / 2);
        let future = format_time(Timestamp::from_millis(self.start_ms + 3_600_000));
        let late = format_time(Timestamp::from_millis(self.start_ms - 3 * 24 * 3_600_000));
        let mut event = |changes: Json| {
            let mut event = json!({
                "event_id": random.uuid(), "event_type": "conversion", "event_time": time, "unit_id": "customer-00007", "event_name": "visit",
            });
            for (name, value) in changes.as_object().into_iter().flatten() {
                event[name] = value.clone();
            }
            event.to_string().into_bytes()
        };
        let exposure = |experiment: &str, variant: &str| json!({"event_type": "exposure", "experiment_id": experiment, "variant": variant});
        let mistakes = [
            b"{\"event_id\":\"6a3c3f5e-4f6e-4a39-9c1b-0f6c7a3f1d10\",\"event_type\":\"expo".to_vec(),
            b"not an event at all".to_vec(),
            vec![0, 0, 0, 0, 99, 1, 2, 3],
            event(exposure("hilstrom-2", "control")),
            event(exposure(experiment, "kids")),
            event(json!({"event_name": "x".repeat(65)})),
            event(json!({"unit_id": ""})),
            event(json!({"event_time": future})),
            event(json!({"event_time": late})),
            event(json!({"event_time": "yesterday"})),
            event(json!({"event_value": "a lot"})),
            String::from_utf8(event(json!({"event_value": 7})))
                .expect("JSON is text")
                .replace("\"event_value\":7", "\"event_value\":1e400")
                .into_bytes(),
        ];
        self.plan.broken = mistakes.len() as u64;
        let spread = span_ms / mistakes.len() as u32;
        for (at, payload) in mistakes.into_iter().enumerate() {
            self.plan.messages.push(Planned {
                send_ms: spread * at as u32,
                unit: "customer-00007".to_owned(),
                payload,
            });
        }
    }
}
