//! `assay dead-letters`: what was not accepted, why, and sending it again.

use anyhow::{Context, Result, bail};
use assay_broker::{Batch, Log, NewRecord, Offset, Partition, Record};
use assay_experiment::partitioner::partition_of;
use assay_experiment::wire::{self, Schemas};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// List, explain and re-send records that were not accepted.
///
/// They are in the topic NAME.dead-letters with their original bytes and headers. (In SQL: SELECT * FROM dead_letters FINAL.)
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay dead-letters list --data .local/assay\n  assay dead-letters list --log kafka://broker:9092 --reason unknown_version\n  assay dead-letters explain --log kafka://broker:9092 --offset 17\n  assay dead-letters resend --log kafka://broker:9092 --reason unknown_version\n\nListing and explaining work while `assay serve` runs. Re-sending into a local log does not, because it belongs to one process: stop `assay serve` first."
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// One line for each, and how many there are for each reason.
    #[command(after_help = "Example:\n  assay dead-letters list --data .local/assay --reason late")]
    List(Which),
    /// One in full: where it was, what is wrong with it, its bytes.
    #[command(after_help = "Example:\n  assay dead-letters explain --log kafka://broker:9092 --offset 17")]
    Explain(Which),
    /// Append them to the events again, with their own ids and times. What was accepted meanwhile is recognised as a repeat.
    #[command(
        after_help = "Example:\n  assay dead-letters resend --log kafka://broker:9092 --reason unknown_version --limit 100000"
    )]
    Resend(Which),
}

#[derive(clap::Args)]
struct Which {
    /// The log: local:DIR or kafka://HOST:PORT.
    #[arg(long, value_name = "ADDRESS", env = "ASSAY_LOG")]
    log: Option<String>,
    /// Data directory of an installation with a local log.
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA", default_value = ".local/assay")]
    data: PathBuf,
    /// What the topics' names start with.
    #[arg(long, value_name = "NAME", env = "ASSAY_TOPICS", default_value = "assay")]
    topics: String,
    /// Only those with this reason.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only the one at this offset of the dead-letter topic.
    #[arg(long, value_name = "OFFSET")]
    offset: Option<u64>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// A dead letter as it was read.
struct Letter {
    offset: u64,
    place: String,
    reason: String,
    detail: String,
    key: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    payload: Vec<u8>,
    /// The topic could not hold the whole body; where it was, the events topic may still have it.
    cut: bool,
}

const OURS: &str = "assay-dead-";
/// How long the topic may be silent although it has more.
const PATIENCE: Duration = Duration::from_secs(10);
/// Records appended at a time.
const BATCH: usize = 500;

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (Action::List(which) | Action::Explain(which) | Action::Resend(which)) = &arguments.action;
    let address = which.log.clone().unwrap_or_else(|| format!("local:{}", which.data.join("log").display()));
    if let Some(directory) = address.strip_prefix("local:")
        && !std::path::Path::new(directory).exists()
    {
        bail!("there is no log in {directory}; give --data or --log");
    }
    let log = match arguments.action {
        Action::Resend(_) => assay_broker::open(&address).context("opening the log to append to it")?,
        _ => assay_broker::open_to_read(&address).context("opening the log")?,
    };
    let letters = read(log.as_ref(), which)?;
    match &arguments.action {
        Action::List(_) => list(&letters, which.limit),
        Action::Explain(_) if letters.is_empty() => {
            bail!("no dead letter matches; `assay dead-letters list` shows what there is")
        }
        Action::Explain(_) => letters.iter().take(which.limit).for_each(explain),
        Action::Resend(_) => resend(log.as_ref(), which, &letters)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(log: &dyn Log, which: &Which) -> Result<Vec<Letter>> {
    let topic = format!("{}.dead-letters", which.topics);
    let mut letters: BTreeMap<String, Letter> = BTreeMap::new();
    for partition in 0..log.topic(&topic)?.partitions {
        let partition = Partition(partition);
        let bounds = log.bounds(&topic, partition)?;
        let mut reader = log.open(&topic, partition, bounds.low)?;
        let (mut batch, mut next) = (Batch::default(), bounds.low);
        while next < bounds.next {
            reader.poll(&mut batch, 1 << 20, PATIENCE)?;
            if batch.is_empty() {
                bail!("{topic} did not answer at offset {}", next.0);
            }
            for record in batch.iter() {
                next = Offset(record.offset.0 + 1);
                let letter = Letter::new(&record);
                let wanted = which.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
                    && which.offset.is_none_or(|offset| offset == letter.offset);
                // After a crash the same letter may be there twice.
                if wanted {
                    letters.insert(letter.place.clone(), letter);
                }
            }
        }
    }
    let mut letters: Vec<Letter> = letters.into_values().collect();
    letters.sort_by_key(|letter| letter.offset);
    Ok(letters)
}

impl Letter {
    fn new(record: &Record<'_>) -> Self {
        let text = |name: &str| {
            let value = record.header(&format!("{OURS}{name}")).unwrap_or_default();
            String::from_utf8_lossy(value).into_owned()
        };
        Letter {
            offset: record.offset.0,
            place: format!("{}/{}/{}", text("topic"), text("partition"), text("offset")),
            reason: text("reason"),
            detail: text("detail"),
            key: record.header(&format!("{OURS}key")).unwrap_or_default().to_vec(),
            headers: record
                .headers()
                .filter(|(name, _)| !name.starts_with(OURS))
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            payload: record.payload.to_vec(),
            cut: record.header(&format!("{OURS}truncated")).is_some(),
        }
    }

    /// The body for people: text as it is, anything else in hexadecimal.
    fn shown(&self, characters_max: usize) -> String {
        let text = match std::str::from_utf8(&self.payload) {
            Ok(text) => text.replace(|character: char| character.is_control(), " "),
            Err(_) => self.payload.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        match text.char_indices().nth(characters_max) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

fn list(letters: &[Letter], limit: usize) {
    for letter in letters.iter().take(limit) {
        println!("{:>8}  {:<18} {:<24} {}", letter.offset, letter.reason, letter.place, letter.detail);
        println!("          {}", letter.shown(110));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    letters.iter().for_each(|letter| *counts.entry(&letter.reason).or_default() += 1);
    if letters.len() > limit {
        println!("… and {} more; --limit shows them", letters.len() - limit);
    }
    let counts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    println!("{} dead letters{}{}", letters.len(), if counts.is_empty() { "" } else { ": " }, counts.join(", "));
}

fn explain(letter: &Letter) {
    println!("offset   {} in the dead-letter topic; it was {}", letter.offset, letter.place);
    println!("reason   {}", letter.reason);
    println!("detail   {}", letter.detail);
    println!("advice   {}", advice(&letter.reason));
    println!("key      {}", String::from_utf8_lossy(&letter.key));
    for (name, value) in &letter.headers {
        println!("header   {name}: {}", String::from_utf8_lossy(value));
    }
    let cut = if letter.cut { ", cut: the record was too large for this topic" } else { "" };
    println!("body     {} bytes{cut}: {}\n", letter.payload.len(), letter.shown(4_000));
}

/// What somebody can do about it.
fn advice(reason: &str) -> &'static str {
    match reason {
        "malformed" => "correct the service that sends it; the message says which field is wrong",
        "unknown_schema" => "publish the schema with the definitions (kind: schema), then re-send",
        "unknown_experiment" | "unknown_variant" => {
            "publish the experiment or correct its name in the service; re-sending helps only if it was published since"
        }
        "unknown_version" => "the edge was ahead of the log: re-send",
        "wrong_unit_type" => "send the unit that the experiment randomises",
        "not_running" => "the experiment is a draft: start it, then re-send",
        "misrouted" => {
            "the producer needs the murmur2 partitioner and the unit as its key; re-sending puts it where it belongs"
        }
        "future" | "late" => "check the clock of the device; late events cannot count any more",
        "conflict" => "two events have one id: give every event its own",
        "rate" => "this unit sends more than a person can: look whether it is a bot",
        "erased" => "nothing: this unit asked to be forgotten",
        "control" => "only Assay writes records with its headers: find who else does",
        _ => "see the message",
    }
}

fn resend(log: &dyn Log, which: &Which, letters: &[Letter]) -> Result<()> {
    let topic = format!("{}.events", which.topics);
    let partitions = log.topic(&topic)?.partitions;
    let schemas = Schemas::built_in();
    let mut by_partition: BTreeMap<u32, Vec<&Letter>> = BTreeMap::new();
    let mut kept = 0;
    for letter in letters.iter().take(which.limit) {
        // Nobody but Assay may write control records, what an erased unit sent is gone, and a cut body is no event.
        if letter.cut || matches!(letter.reason.as_str(), "control" | "erased") {
            kept += 1;
            continue;
        }
        let guid = letter.headers.iter().find(|(name, _)| name == wire::GUID_HEADER).map(|(_, value)| value.as_slice());
        let unit = wire::decode(&letter.payload, guid, &schemas).map(|event| event.unit_id.into_owned().into_bytes());
        let unit = unit.unwrap_or_else(|_| letter.key.clone());
        by_partition.entry(partition_of(&unit, partitions)).or_default().push(letter);
    }
    let mut sent = 0;
    for (partition, letters) in by_partition {
        for part in letters.chunks(BATCH) {
            let headers: Vec<Vec<(&str, &[u8])>> = part
                .iter()
                .map(|letter| letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect())
                .collect();
            let records: Vec<NewRecord<'_>> = part
                .iter()
                .zip(&headers)
                .map(|(letter, headers)| NewRecord {
                    key: Some(&letter.key),
                    headers,
                    payload: &letter.payload,
                    timestamp_ms: None,
                })
                .collect();
            log.append(&topic, Partition(partition), &records)?;
            sent += part.len();
        }
    }
    println!(
        "re-sent {sent}{}",
        if kept > 0 { format!(", kept {kept} that must not or cannot come back") } else { String::new() }
    );
    if letters.len() > which.limit {
        println!("{} more match; --limit {} sends all", letters.len() - which.limit, letters.len());
    }
    Ok(())
}
