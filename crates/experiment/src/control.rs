//! Records by which Assay speaks to itself in the log: genesis, published definitions, changes of settings, ticks.
//!
//! They carry the header `assay`. A message authentication code will travel in the header `assay-mac`, which is ignored so far.

use crate::Malformed;
use crate::settings::{Settings, lengths};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// The header that makes a record a control record; its value says which.
pub const HEADER: &str = "assay";
const VERSION_HEADER: &str = "assay-version";
const PART_HEADER: &str = "assay-part";
const CLOSE_HEADER: &str = "assay-close";

/// The first record of every partition: what the log is, and the settings that its numbers depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Identity of the log, the same in all its partitions.
    pub log: String,
    /// How many partitions it has, for ever.
    pub partitions: u32,
    /// Seeds the hashes of units and ids, so that nobody outside can choose collisions.
    pub hash_seed: u64,
    /// Meaning of the fold.
    pub semantics: u32,
    /// Length of a look.
    pub look_ms: u64,
    /// Length of a chunk; a multiple of the look.
    pub chunk_ms: u64,
    /// F: an event may be this much ahead of log time.
    pub future_ms: u64,
    /// L: an event may be this much behind log time.
    pub late_ms: u64,
    /// A: an exposure counts at most this much before log time.
    pub first_exposure_slack_ms: u64,
}

/// A control record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control<'a> {
    /// The start of the log.
    Genesis(Genesis),
    /// One definition of a version.
    Part {
        /// The version.
        version: u64,
        /// From 0.
        index: u32,
        /// How many parts the version has.
        count: u32,
        /// Canonical JSON of one definition.
        body: &'a str,
    },
    /// The version is complete, and acts from here on.
    Close {
        /// The version.
        version: u64,
        /// How many parts it has.
        count: u32,
        /// [`parts_hash`] of its parts.
        hash: u128,
    },
    /// Lengths of windows and the meaning of the fold change at an hour of log time.
    Settings(Settings),
    /// Only its timestamp matters.
    Tick,
}

/// A control record to be written: headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Seconds of a day.
const DAY_S: u64 = 24 * 3_600;
/// Milliseconds of a day.
pub(crate) const LOG_DAY_MS: u64 = 1_000 * DAY_S;
/// The newest meaning of the fold, with which a new log begins.
const SEMANTICS: u32 = 2;
/// Most partitions of a log.
const PARTITIONS_MAX: u32 = 65_536;
/// Looks of all partitions together that close in a second.
const LOOKS_PER_S: u32 = 64;
/// Chunks of all partitions together that end in a second. Each is an insert of its rows and one into the ledger, and one of dead letters
/// where there are any, so six keep ClickHouse near ten inserts a second.
const CHUNKS_PER_S: u32 = 6;
/// The shortest chunk.
const CHUNK_S_MIN: u64 = 5;

/// The least number of seconds that is at least `least`, a multiple of `step`, and divides a day.
fn divisor_of_day(least: u64, step: u64) -> u64 {
    let found =
        (1..=DAY_S / step).map(|count| count * step).find(|&length| length >= least && DAY_S.is_multiple_of(length));
    found.unwrap_or(DAY_S)
}

impl Genesis {
    /// The usual settings for a log of this identity. More partitions make more looks and chunks, so these get longer with them.
    pub fn new(log: String, partitions: u32, hash_seed: u64) -> Self {
        let look_s = divisor_of_day(u64::from(partitions.div_ceil(LOOKS_PER_S)).max(1), 1);
        let chunk_s = divisor_of_day(u64::from(partitions.div_ceil(CHUNKS_PER_S)).max(CHUNK_S_MIN), look_s);
        Genesis {
            log,
            partitions,
            hash_seed,
            semantics: SEMANTICS,
            look_ms: 1_000 * look_s,
            chunk_ms: 1_000 * chunk_s,
            future_ms: 5 * 60 * 1_000,
            late_ms: 24 * 3_600 * 1_000,
            first_exposure_slack_ms: 3_600 * 1_000,
        }
    }

    /// Canonical JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and one text is JSON")
    }

    /// Reads and checks a body.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let genesis: Genesis =
            serde_json::from_slice(body).map_err(|problem| Malformed::whole(format!("genesis record: {problem}")))?;
        genesis.check()?;
        Ok(genesis)
    }

    /// Whether a log may start with it. To be asked before it is written: a genesis record stays for ever.
    pub fn check(&self) -> Result<(), Malformed> {
        let (genesis, day) = (self, LOG_DAY_MS);
        let problem = if genesis.partitions == 0 || genesis.partitions > PARTITIONS_MAX {
            "partitions must be from 1 to 65536"
        } else if let Some(problem) = lengths(genesis.look_ms, genesis.chunk_ms) {
            problem
        } else if genesis.future_ms > day
            || genesis.late_ms > 30 * day
            || genesis.first_exposure_slack_ms > genesis.late_ms
        {
            "future_ms may be up to a day, late_ms up to 30 days, first_exposure_slack_ms up to late_ms"
        } else if genesis.log.is_empty() || genesis.log.len() > 64 {
            "log must be 1 to 64 bytes"
        } else {
            return Ok(());
        };
        Err(Malformed::whole(format!("genesis record: {problem}")))
    }
}

/// A genesis record.
pub fn genesis(genesis: &Genesis) -> Encoded {
    Encoded { headers: vec![(HEADER, "genesis".to_owned())], body: genesis.encode() }
}

/// A change of settings.
pub fn settings(settings: &Settings) -> Encoded {
    let body = serde_json::to_vec(settings).expect("a struct of numbers is JSON");
    Encoded { headers: vec![(HEADER, "settings".to_owned())], body }
}

/// A tick.
pub fn tick() -> Encoded {
    Encoded { headers: vec![(HEADER, "tick".to_owned())], body: Vec::new() }
}

/// All records of a version: its parts and the closing record.
pub fn version(version: u64, bodies: &[String]) -> Vec<Encoded> {
    let count = bodies.len();
    let headers =
        |more: (&'static str, String)| vec![(HEADER, "config".to_owned()), (VERSION_HEADER, version.to_string()), more];
    let part = |(index, body): (usize, &String)| Encoded {
        headers: headers((PART_HEADER, format!("{}/{count}", index + 1))),
        body: body.clone().into_bytes(),
    };
    let hash = parts_hash(bodies.iter().map(String::as_str));
    let close = Encoded { headers: headers((CLOSE_HEADER, format!("{count} {hash:032x}"))), body: Vec::new() };
    bodies.iter().enumerate().map(part).chain([close]).collect()
}

/// Of all parts in order.
pub fn parts_hash<'a>(bodies: impl Iterator<Item = &'a str>) -> u128 {
    let mut framed = Vec::new();
    for body in bodies {
        framed.extend_from_slice(&(body.len() as u64).to_le_bytes());
        framed.extend_from_slice(body.as_bytes());
    }
    xxh3_128(&framed)
}

/// Reads a control record. `None` for any other record; `Err` for one that claims to be, but is none.
pub fn decode<'a>(headers: &[(&str, &'a [u8])], payload: &'a [u8]) -> Result<Option<Control<'a>>, Malformed> {
    let find = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let Some(kind) = find(HEADER) else { return Ok(None) };
    let wrong = |problem: &str| Malformed::whole(format!("control record: {problem}"));
    match kind {
        b"tick" if payload.is_empty() => Ok(Some(Control::Tick)),
        b"tick" => Err(wrong("a tick has no body")),
        b"genesis" => Genesis::decode(payload).map(|genesis| Some(Control::Genesis(genesis))),
        b"settings" => {
            let settings: Settings = serde_json::from_slice(payload).map_err(|problem| wrong(&problem.to_string()))?;
            settings.check().map_err(|problem| wrong(&format!("settings: {problem}")))?;
            Ok(Some(Control::Settings(settings)))
        }
        b"config" => {
            let text = |name: &str| find(name).map(|value| std::str::from_utf8(value).unwrap_or(""));
            let version = text(VERSION_HEADER).and_then(|text| text.parse().ok());
            let version: u64 =
                version.filter(|&version| version > 0).ok_or_else(|| wrong("its version is missing or no number"))?;
            if let Some(part) = text(PART_HEADER) {
                let numbers =
                    part.split_once('/').and_then(|(at, of)| Some((at.parse::<u32>().ok()?, of.parse::<u32>().ok()?)));
                let (at, count) = numbers
                    .filter(|&(at, of)| 1 <= at && at <= of)
                    .ok_or_else(|| wrong("its part is not like 3/17"))?;
                let body = std::str::from_utf8(payload).map_err(|_| wrong("its body is not text"))?;
                return Ok(Some(Control::Part { version, index: at - 1, count, body }));
            }
            let close = text(CLOSE_HEADER).and_then(|close| close.split_once(' '));
            let numbers =
                close.and_then(|(count, hash)| Some((count.parse().ok()?, u128::from_str_radix(hash, 16).ok()?)));
            let (count, hash) = numbers.ok_or_else(|| wrong("it is neither a part nor a close of a version"))?;
            Ok(Some(Control::Close { version, count, hash }))
        }
        _ => Err(wrong("its kind is none of genesis, config, settings and tick")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(encoded: &Encoded) -> Result<Option<Control<'_>>, Malformed> {
        let headers: Vec<(&str, &[u8])> =
            encoded.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        decode(&headers, &encoded.body)
    }

    #[test]
    fn control_records_read_back() {
        let start = Genesis::new("log-1".to_owned(), 4, 7);
        assert_eq!(read(&genesis(&start)), Ok(Some(Control::Genesis(start))));
        assert_eq!(read(&tick()), Ok(Some(Control::Tick)));
        let change = Settings { from_ms: 7_200_000, look_ms: 2_000, chunk_ms: 10_000, semantics: 1 };
        assert_eq!(read(&settings(&change)), Ok(Some(Control::Settings(change))));
        let bodies = ["{\"a\":1}".to_owned(), "{}".to_owned()];
        let records = version(3, &bodies);
        assert_eq!(read(&records[0]), Ok(Some(Control::Part { version: 3, index: 0, count: 2, body: "{\"a\":1}" })));
        let hash = parts_hash(bodies.iter().map(String::as_str));
        assert_eq!(read(&records[2]), Ok(Some(Control::Close { version: 3, count: 2, hash })));
        assert_eq!(decode(&[("other", b"x")], b"{}"), Ok(None));
    }

    /// Whatever the number of partitions, the record that starts the log is one that can be read, and ClickHouse is spared.
    #[test]
    fn every_number_of_partitions_makes_a_log() {
        for partitions in (1..=5_000).chain([10_007, 40_000, PARTITIONS_MAX]) {
            let genesis = Genesis::new("log-1".to_owned(), partitions, 7);
            assert_eq!(Genesis::decode(&genesis.encode()).as_ref(), Ok(&genesis));
            let per_s = |length_ms| f64::from(partitions) * 1_000.0 / length_ms as f64;
            assert!(per_s(genesis.look_ms) <= 64.0 && per_s(genesis.chunk_ms) <= 6.0, "{genesis:?}");
        }
        let lengths = |partitions| {
            let genesis = Genesis::new("log-1".to_owned(), partitions, 7);
            (genesis.look_ms, genesis.chunk_ms)
        };
        assert_eq!(
            [1, 4, 30, 64, 65, 448].map(lengths),
            [(1_000, 5_000), (1_000, 5_000), (1_000, 5_000), (1_000, 12_000), (2_000, 12_000), (8_000, 80_000),]
        );
    }

    #[test]
    fn a_log_that_could_not_be_read_is_not_begun() {
        let good = Genesis::new("log-1".to_owned(), 4, 7);
        assert_eq!(good.check(), Ok(()));
        for bad in [
            Genesis { partitions: 0, ..good.clone() },
            Genesis { look_ms: 7_000, chunk_ms: 35_000, ..good.clone() },
            Genesis { chunk_ms: 5_500, ..good.clone() },
            Genesis { first_exposure_slack_ms: good.late_ms + 1, ..good.clone() },
        ] {
            let problem = bad.check().unwrap_err().to_string();
            assert!(problem.starts_with("genesis record: "), "{problem}");
        }
    }

    #[test]
    fn what_only_looks_like_a_control_record_is_refused() {
        for (headers, body) in [
            (vec![("assay", "coup")], ""),
            (vec![("assay", "tick")], "x"),
            (vec![("assay", "genesis")], "{}"),
            (vec![("assay", "settings")], "{}"),
            (vec![("assay", "settings")], r#"{"from_ms":1,"look_ms":1000,"chunk_ms":5000,"semantics":1}"#),
            (vec![("assay", "config")], "{}"),
            (vec![("assay", "config"), ("assay-version", "0"), ("assay-part", "1/1")], "{}"),
            (vec![("assay", "config"), ("assay-version", "1"), ("assay-part", "2/1")], "{}"),
            (vec![("assay", "config"), ("assay-version", "1"), ("assay-close", "two")], ""),
        ] {
            let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            assert!(decode(&headers, body.as_bytes()).is_err(), "{headers:?}");
        }
    }
}
