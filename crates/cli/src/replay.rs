//! `assay replay`: files of events, or the records of a log, through the very fold and analysis that run live.

use crate::refold::Refold;
use crate::{WrongUse, definitions, engine, replay_log, table};
use anyhow::{Context, Result, anyhow, bail};
use assay_aggregates::{Input, SEMANTICS};
use assay_analysis::Results;
use assay_experiment::{
    Schedule, Settings, SettingsChange, Span, Timestamp, canonical, control, format_time, json, parse_time, partitioner,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Feed files of JSON-lines events, or the records of a log, through the pipeline and the analysis, and print the results after the last look.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay replay --config experiments/ --events exposures.jsonl orders.jsonl.gz\n  zcat events.gz | assay replay --config experiments/ --events - --json\n  assay replay --log kafka://broker:9092 --look 2026-05-01T09:30:00Z --experiment checkout-v3 --json\n\nLines with append_time keep it and must not go backwards; files without it are sorted by event time. A log has its own definitions and times, so\nits results at a look are those that were published, to the last digit."
)]
pub struct Arguments {
    /// Directory of definitions, in force from the first record on.
    #[arg(long, value_name = "DIR", required_unless_present = "log")]
    config: Option<PathBuf>,
    /// Files of JSON lines; .gz and .zst are unpacked, - is standard input.
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "log")]
    events: Vec<PathBuf>,
    /// Partitions of the log; results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4096))]
    partitions: u32,
    /// Read the records of this log instead: local:DIR or kafka://HOST:PORT, also while a service owns it.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["config", "events", "partitions"], requires = "look")]
    log: Option<String>,
    /// Prefix of the log's topics.
    #[arg(long, value_name = "PREFIX", default_value = "assay", requires = "log")]
    topics: String,
    /// The end of the look of which results are wanted, as results say it.
    #[arg(long, value_name = "TIME", requires = "log")]
    look: Option<String>,
    /// Print this experiment alone.
    #[arg(long, value_name = "ID")]
    experiment: Option<String>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
}

/// One record to be: its log time and its bytes.
struct Line {
    time: Timestamp,
    id: u128,
    bytes: Vec<u8>,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (mut results, fold) = match (&arguments.log, &arguments.config) {
        (Some(address), _) => from_log(address, arguments)?,
        (None, Some(config)) => from_files(config, arguments)?,
        (None, None) => bail!(WrongUse("give --config and --events, or --log".to_owned())),
    };
    if let Some(id) = &arguments.experiment {
        results.experiments.retain(|it| it.id == *id);
        if results.experiments.is_empty() {
            bail!("there is no experiment '{id}' at this look; leave --experiment out to see all");
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string(&results.to_json(crate::build()))?);
    } else {
        print!("{}", table::render(&results));
    }
    fold.complain();
    Ok(ExitCode::SUCCESS)
}

fn from_files(config: &Path, arguments: &Arguments) -> Result<(Results, Refold)> {
    let definitions = definitions::load(config)?;
    let lines = read(&arguments.events)?;
    let bodies = canonical::parts(&definitions);
    let first = lines.first().map_or(Timestamp(0), |line| line.time);
    let mut log = Replay::new(arguments.partitions, first, &bodies, &definitions.settings)?;
    for line in &lines {
        log.event(line.time, &line.bytes)?;
    }
    Ok((log.finish()?, log.fold))
}

fn from_log(address: &str, arguments: &Arguments) -> Result<(Results, Refold)> {
    let look = arguments.look.as_deref().unwrap_or_default();
    let look = parse_time(look).map_err(|problem| WrongUse(format!("--look: {problem}")))?;
    let log = assay_broker::open_to_read(address).context("opening the log")?;
    replay_log::replay(log.as_ref(), &engine::topics(&arguments.topics).events, look, |_| Ok(()))
}

#[derive(Deserialize)]
struct Appended {
    append_time: Option<serde_json::Value>,
}

/// All files as one log: those with append times in the order given, the others sorted, merged by time.
fn read(files: &[PathBuf]) -> Result<Vec<Line>> {
    let (mut appended, mut sorted) = (Vec::new(), Vec::new());
    for file in files {
        let (lines, has_times) = read_file(file, appended.last().map(|line: &Line| line.time))?;
        if has_times { &mut appended } else { &mut sorted }.extend(lines);
    }
    sorted.sort_by(|one, other| (one.time, one.id, &one.bytes).cmp(&(other.time, other.id, &other.bytes)));
    let mut merged = Vec::with_capacity(appended.len() + sorted.len());
    let (mut given, mut found) = (appended.into_iter().peekable(), sorted.into_iter().peekable());
    loop {
        let next = match (given.peek(), found.peek()) {
            (Some(one), Some(other)) if other.time < one.time => found.next(),
            (Some(_), _) => given.next(),
            (None, _) => found.next(),
        };
        match next {
            Some(line) => merged.push(line),
            None => return Ok(merged),
        }
    }
}

/// The lines of a file, and whether it says when they were appended. `before` is the last such time of the files before it.
fn read_file(file: &Path, before: Option<Timestamp>) -> Result<(Vec<Line>, bool)> {
    let shown = file.display();
    let mut lines: Vec<(Option<Timestamp>, Line)> = Vec::new();
    let mut appended: Option<Timestamp> = None;
    for (number, line) in BufReader::new(open(file)?).split(b'\n').enumerate() {
        let line = line.with_context(|| format!("reading {shown}"))?;
        // Editors of some systems put a byte order mark before the first line.
        let line = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 0).unwrap_or(&line);
        let bytes = line.trim_ascii().to_vec();
        if bytes.is_empty() {
            continue;
        }
        let place = || format!("{shown}, line {}", number + 1);
        let given = append_time(&bytes).with_context(place)?;
        if let Some(given) = given {
            if appended.or(before).is_some_and(|before| given < before) {
                bail!("{}: append_time goes backwards; a log's time never does", place());
            }
            appended = Some(given);
        }
        let (time, id) = json::decode(&bytes).map_or((None, 0), |event| (Some(event.time), event.id.0));
        // What cannot be read takes the time of its neighbour, so that it is rejected where it stands.
        let time = time.or(lines.last().map(|(_, line)| line.time)).unwrap_or(Timestamp::MIN);
        lines.push((given, Line { time, id, bytes }));
    }
    if appended.is_some() {
        let mut current = before.or(lines.iter().find_map(|(given, _)| *given)).expect("some line has one");
        let stamped = lines.into_iter().map(|(given, line)| {
            current = given.unwrap_or(current);
            Line { time: current, ..line }
        });
        return Ok((stamped.collect(), true));
    }
    let first = lines.iter().map(|(_, line)| line.time).find(|&time| time != Timestamp::MIN).unwrap_or(Timestamp(0));
    lines.iter_mut().take_while(|(_, line)| line.time == Timestamp::MIN).for_each(|(_, line)| line.time = first);
    Ok((lines.into_iter().map(|(_, line)| line).collect(), false))
}

fn append_time(line: &[u8]) -> Result<Option<Timestamp>> {
    // A line that is no JSON at all is rejected by the fold, with its reason.
    match serde_json::from_slice::<Appended>(line).ok().and_then(|line| line.append_time) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => {
            parse_time(&text).map(Some).map_err(|problem| anyhow!("append_time {problem}"))
        }
        Some(other) => bail!("append_time is {other}; it must be a text such as \"2026-05-01T09:30:00Z\""),
    }
}

/// A file, unpacked by its ending; `-` is standard input.
pub(crate) fn open(file: &Path) -> Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let opened = std::fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
    Ok(match file.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(opened)),
        Some("zst") => {
            Box::new(zstd::stream::read::Decoder::new(opened).with_context(|| format!("unpacking {}", file.display()))?)
        }
        _ => Box::new(opened),
    })
}

/// A log that exists only while it is folded.
pub struct Replay {
    fold: Refold,
    /// The next offset of each partition.
    next: Vec<u64>,
    genesis: control::Genesis,
    schedule: Schedule,
    ticked: Timestamp,
    now: Timestamp,
}

fn wrong_settings(change: &Settings, why: &str) -> anyhow::Error {
    anyhow!("settings from {}: {why}", format_time(change.from()))
}

/// Idle partitions are ticked this often in log time, so that looks of the busy ones do not pile up.
const TICK_EVERY: Span = Span::HOUR;
impl Replay {
    /// A log whose first event comes at `first`.
    pub fn new(
        count: u32,
        first: Timestamp,
        bodies: &[String],
        settings: &BTreeMap<Timestamp, SettingsChange>,
    ) -> Result<Self> {
        let mut genesis = control::Genesis::new("replay".to_owned(), count, 0x05ee_d0fa_55a7);
        genesis.semantics = SEMANTICS;
        // An exposure counts from at most A before its record, and nothing counts from before its definition. These events were not there to
        // wait for theirs, so the log begins A earlier: the definitions are in force for every record.
        let start = first - Span(genesis.first_exposure_slack_ms as i64 * 1_000);
        let late = Span(genesis.late_ms as i64 * 1_000);
        let mut schedule = Schedule::new(&genesis);
        for change in settings.values() {
            let change = schedule.complete(change);
            if change.from() <= start {
                // A log that begins later has begun with them.
                change.check().map_err(|why| wrong_settings(&change, &why))?;
                (genesis.look_ms, genesis.chunk_ms) = (change.look_ms, change.chunk_ms);
                genesis.semantics = change.semantics;
                schedule = Schedule::new(&genesis);
            } else {
                schedule.add(change, start).map_err(|why| wrong_settings(&change, &why))?;
            }
        }
        let mut log = Replay {
            fold: Refold::new(count, late),
            next: vec![0; count as usize],
            genesis: genesis.clone(),
            schedule: schedule.clone(),
            ticked: first,
            now: first,
        };
        let mut records = vec![control::genesis(&genesis)];
        records.extend(control::version(1, bodies));
        records.extend(schedule.changes().map(control::settings));
        for partition in 0..count {
            for record in &records {
                let headers: Vec<(&str, &[u8])> =
                    record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
                log.append(partition, start, &headers, &record.body)?;
            }
        }
        Ok(log)
    }

    pub fn event(&mut self, time: Timestamp, bytes: &[u8]) -> Result<()> {
        self.now = self.now.max(time);
        if self.now > self.ticked + TICK_EVERY {
            self.tick(self.now)?;
        }
        let partition = match json::decode(bytes) {
            Ok(event) => partitioner::partition_of(event.unit_id.as_bytes(), self.genesis.partitions),
            // It is going to be a dead letter wherever it goes.
            Err(_) => 0,
        };
        self.append(partition, time, &[], bytes)
    }

    /// Closes the last look everywhere.
    pub fn finish(&mut self) -> Result<Results> {
        let length = self.schedule.at(self.now).look().0;
        self.tick(Timestamp((self.now.0.div_euclid(length) + 1).saturating_mul(length)))?;
        self.fold.analysis.results().ok_or_else(|| anyhow!("no look closed; this is a bug"))
    }

    fn tick(&mut self, at: Timestamp) -> Result<()> {
        self.ticked = at;
        let tick = control::tick();
        let headers: Vec<(&str, &[u8])> = tick.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        for partition in 0..self.genesis.partitions {
            self.append(partition, at, &headers, &[])?;
        }
        self.fold.analysis.advance();
        Ok(())
    }

    fn append(&mut self, partition: u32, time: Timestamp, headers: &[(&str, &[u8])], payload: &[u8]) -> Result<()> {
        let next = &mut self.next[partition as usize];
        // A log counts milliseconds.
        let input =
            Input { offset: *next, timestamp: Timestamp::from_millis(time.millis()), key: None, headers, payload };
        *next += 1;
        self.fold.apply(partition, &input)?;
        Ok(())
    }
}
