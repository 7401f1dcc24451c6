//! How the whole system is: what `GET /v1/status` answers, a trait for who knows it, and the sentence that comes first.
//!
//! The sentence says the worst that is so, in words and with the place; whatever else is so stands below it.

use serde::Serialize;

/// Knows how everything is. Asked often, so it answers from memory.
pub trait Overseer: Send + Sync {
    /// How everything is now.
    fn status(&self) -> Status;
}

/// How everything is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// By the server's clock.
    pub server_time: String,
    /// From an event to results with it; null until some looks were seen, or where results are made elsewhere.
    pub latency: Option<Latency>,
    /// The newest look that all partitions have closed; null until there is one.
    pub look: Option<AlignedLook>,
    /// What makes results.
    pub analysis: Service,
    /// What became of events.
    pub events: Events,
    /// Every partition that is processed here.
    pub partitions: Vec<PartitionState>,
    /// Where rows go.
    pub sinks: Vec<Sink>,
    /// The edges that asked this process for the definitions within ten minutes, and its own; null where it publishes none.
    pub edges: Option<Vec<Edge>>,
    /// The definitions.
    pub config: Config,
    /// Of the data directory; null where the system does not tell.
    pub disk: Option<Disk>,
    /// What runs here.
    pub build: Build,
    /// Where the operator keeps dashboards of `/metrics`.
    pub dashboards: Option<String>,
}

/// From an event's place in the log to results with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the events take less.
    pub median_ms: f64,
    /// One in a hundred takes longer.
    pub p99_ms: f64,
    /// Over so many looks, the newest.
    pub looks: usize,
}

/// The newest look that all partitions have closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlignedLook {
    /// As of when.
    pub at: String,
    /// From its end to that of the newest look of any partition.
    pub age_ms: i64,
    /// `live`, `delayed` or `stale`.
    pub state: &'static str,
    /// A partition that holds it back.
    pub held_by: Option<u32>,
    /// Whether it is held because partitions have different versions of the definitions.
    pub versions_differ: bool,
}

/// A part that works, or says why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Whether it does its work.
    pub fine: bool,
    /// In words.
    pub says: String,
}

/// What became of events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Events {
    /// Over how long `per_second` is taken; 0 until the second reading.
    pub seconds: f64,
    /// By outcome: `accepted`, `duplicate`, `late` and so on, and `control` for records of the log itself.
    pub outcomes: Vec<Outcome>,
    /// Dead letters by reason.
    pub dead_letters: Vec<Outcome>,
}

/// One outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Which.
    pub name: String,
    /// Since the process started.
    pub total: u64,
    /// Over the last minute.
    pub per_second: f64,
}

/// What a partition does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionDoing {
    /// Restores its state.
    Starting,
    /// Reads what it missed.
    CatchingUp,
    /// Keeps up.
    Live,
    /// Waits, and goes on by itself.
    Paused,
    /// Stopped until somebody does something.
    Halted,
    /// Folds, but its results are not used any more.
    Frozen,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionState {
    /// Which.
    pub partition: u32,
    /// What it does.
    pub state: PartitionDoing,
    /// Why it does not go on; null if it does.
    pub why: Option<String>,
    /// The time up to which it has read; null before its first record.
    pub log_time: Option<String>,
    /// How far that is behind the server's clock.
    pub behind_ms: Option<i64>,
    /// Records not applied yet.
    pub lag: u64,
    /// Next offset to be applied.
    pub next_offset: u64,
    /// End of the newest look that it has closed.
    pub closed_look: Option<String>,
    /// Whether all others wait for it.
    pub holds_cut: bool,
    /// Version of the definitions in force.
    pub config_version: u64,
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sink {
    /// Its name.
    pub name: &'static str,
    /// Chunks that wait in the store.
    pub waiting_chunks: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Bytes that may wait; beyond it partitions pause.
    pub waiting_bytes_max: Option<u64>,
    /// Chunks on their way.
    pub in_flight: u64,
    /// Why chunks wait, or why nothing is written any more.
    pub why: Option<String>,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Its id.
    pub id: String,
    /// Version of the definitions that it answers from.
    pub version: u64,
    /// When it was last heard of; it asks at least every 25 s.
    pub seen: String,
    /// Whether it has the newest version.
    pub state: EdgeState,
}

/// How an edge is, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeState {
    /// It goes on answering from an older version than the newest.
    Behind,
    /// It was not heard of for a minute.
    Silent,
    /// It has the newest version, or is just getting it.
    Current,
}

/// The definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The newest version that any partition has; 0 for none.
    pub version: u64,
    /// Partitions that have it.
    pub partitions: usize,
    /// The files that it comes from; null where this process follows none.
    pub files: Option<Service>,
}

/// Of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Bytes that may be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What runs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Of the command.
    pub version: String,
    /// Meaning of the fold.
    pub semantics: u32,
    /// Identity of the log.
    pub log: String,
    /// When the process started.
    pub started: String,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing to do.
    Fine,
    /// It may pass by itself.
    Warning,
    /// Somebody has to do something.
    Alarm,
}

/// Rows that wait fill the store up to a bound; from this share of it on, people should look.
const WAITING_SHARE: f64 = 0.5;
/// Snapshots and chunks fit into less, but a disk that is this full is filling.
const DISK_SHARE: f64 = 0.05;
/// Partitions that are named in a sentence.
const NAMED: usize = 3;

impl Status {
    /// The first sentence, and how much it matters.
    pub fn sentence(&self) -> (Level, String) {
        let those = |doing: PartitionDoing| -> Vec<&PartitionState> {
            self.partitions.iter().filter(|it| it.state == doing).collect()
        };
        let why = |these: &[&PartitionState]| these.first().and_then(|it| it.why.clone()).unwrap_or_default();
        let count = self.partitions.len();
        let found = |doing, words: &str| {
            let these = those(doing);
            let verb = if these.len() == 1 { "is" } else { "are" };
            (!these.is_empty()).then(|| format!("{} {verb} {words}{}", named(&these), because(&why(&these))))
        };
        if let Some(text) = found(PartitionDoing::Halted, "halted") {
            return (Level::Alarm, text);
        }
        if let Some(text) = found(PartitionDoing::Frozen, "frozen: results do not use what it says any more") {
            return (Level::Alarm, text);
        }
        if let Some(text) = found(PartitionDoing::Paused, "paused") {
            return (Level::Alarm, text);
        }
        if let Some(sink) = self.sinks.iter().find(|it| it.is_filling()) {
            let text = format!("{} chunks wait for {}{}", sink.waiting_chunks, sink.name, because_of(&sink.why));
            return (Level::Alarm, text);
        }
        if let Some(disk) = self.disk.filter(|it| (it.free as f64) < DISK_SHARE * it.total as f64) {
            return (
                Level::Alarm,
                format!("The disk of the data directory is almost full: {}% is free.", disk.percent()),
            );
        }
        if let Some(text) =
            found(PartitionDoing::Starting, "starting").or(found(PartitionDoing::CatchingUp, "catching up"))
        {
            return (Level::Warning, text);
        }
        if !self.analysis.fine {
            return (Level::Warning, format!("Results do not keep up: {}.", self.analysis.says.trim_end_matches('.')));
        }
        if let Some(text) = self.behind() {
            return (Level::Warning, text);
        }
        if let Some(sink) = self.sinks.iter().find(|it| it.waiting_chunks > 0 || it.why.is_some()) {
            let text = format!(
                "Results are live, and {} chunks wait for {}{}",
                sink.waiting_chunks,
                sink.name,
                because_of(&sink.why)
            );
            return (Level::Warning, text);
        }
        if let Some(files) = self.config.files.as_ref().filter(|files| !files.fine) {
            let says = files.says.trim_end_matches('.');
            return (Level::Warning, format!("The files of the definitions are not in force: {says}."));
        }
        if count == 0 {
            return (Level::Fine, "No partition is processed here.".to_owned());
        }
        let behind = self.partitions.iter().filter_map(|it| it.behind_ms).max().unwrap_or(0).max(0);
        let seconds = (behind.max(1) as u64).div_ceil(1_000);
        let partitions =
            if count == 1 { "The only partition is".to_owned() } else { format!("All {count} partitions are") };
        (Level::Fine, format!("{partitions} within {seconds} s."))
    }
}

impl Status {
    /// Edges that do not answer from the newest definitions.
    fn behind(&self) -> Option<String> {
        let all = self.edges.as_deref().unwrap_or_default();
        let behind: Vec<&Edge> = all.iter().filter(|it| it.state == EdgeState::Behind).collect();
        match behind.as_slice() {
            [] => None,
            [one] => Some(format!(
                "Edge {} answers from version {} of the definitions, not from the newest.",
                one.id, one.version
            )),
            these => {
                let names: Vec<&str> = these.iter().take(NAMED).map(|it| it.id.as_str()).collect();
                let more = if these.len() > NAMED { ", …" } else { "" };
                let count = these.len();
                Some(format!("{count} edges ({}{more}) do not answer from the newest definitions.", names.join(", ")))
            }
        }
    }
}

impl Sink {
    fn is_filling(&self) -> bool {
        self.waiting_bytes_max.is_some_and(|most| self.waiting_bytes as f64 > WAITING_SHARE * most as f64)
    }
}

impl Disk {
    fn percent(&self) -> u64 {
        (100.0 * self.free as f64 / self.total.max(1) as f64).round() as u64
    }
}

fn named(these: &[&PartitionState]) -> String {
    let names: Vec<String> = these.iter().take(NAMED).map(|it| it.partition.to_string()).collect();
    match these.len() {
        1 => format!("Partition {}", names[0]),
        count if count <= NAMED => format!("Partitions {}", names.join(", ")),
        count => format!("{count} partitions ({}, …)", names.join(", ")),
    }
}

fn because(why: &str) -> String {
    if why.is_empty() { ".".to_owned() } else { format!(": {}.", why.trim_end_matches('.')) }
}

fn because_of(why: &Option<String>) -> String {
    because(why.as_deref().unwrap_or(""))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn partition(partition: u32) -> PartitionState {
        PartitionState {
            partition,
            state: PartitionDoing::Live,
            why: None,
            log_time: Some("2026-11-23T18:42:06Z".to_owned()),
            behind_ms: Some(400),
            lag: 0,
            next_offset: 10,
            closed_look: Some("2026-11-23T18:42:06Z".to_owned()),
            holds_cut: false,
            config_version: 3,
        }
    }

    /// Everything is fine.
    pub(crate) fn calm() -> Status {
        Status {
            server_time: "2026-11-23T18:42:06.400Z".to_owned(),
            latency: None,
            look: None,
            analysis: Service { fine: true, says: "fine".to_owned() },
            events: Events { seconds: 60.0, outcomes: Vec::new(), dead_letters: Vec::new() },
            partitions: (0..64).map(partition).collect(),
            sinks: vec![Sink {
                name: "ClickHouse",
                waiting_chunks: 0,
                waiting_bytes: 0,
                waiting_bytes_max: Some(1_000),
                in_flight: 1,
                why: None,
            }],
            edges: None,
            config: Config { version: 3, partitions: 64, files: None },
            disk: Some(Disk { free: 50, total: 100 }),
            build: Build { version: "assay".to_owned(), semantics: 1, log: "log".to_owned(), started: String::new() },
            dashboards: None,
        }
    }

    fn check(change: impl FnOnce(&mut Status), level: Level, sentence: &str) {
        let mut status = calm();
        change(&mut status);
        assert_eq!(status.sentence(), (level, sentence.to_owned()));
    }

    #[test]
    fn the_first_sentence_says_the_worst() {
        let halt = |status: &mut Status, partition: usize, state, why: &str| {
            status.partitions[partition].state = state;
            status.partitions[partition].why = Some(why.to_owned());
        };
        check(|_| {}, Level::Fine, "All 64 partitions are within 1 s.");
        check(|it| it.partitions[7].behind_ms = Some(2_001), Level::Fine, "All 64 partitions are within 3 s.");
        check(|it| it.partitions.truncate(1), Level::Fine, "The only partition is within 1 s.");
        check(|it| it.partitions.clear(), Level::Fine, "No partition is processed here.");
        check(
            |it| halt(it, 7, PartitionDoing::Paused, "the log is away"),
            Level::Alarm,
            "Partition 7 is paused: the log is away.",
        );
        check(
            |it| {
                (0..5).for_each(|at| halt(it, at, PartitionDoing::Paused, "the log is away"));
                halt(it, 9, PartitionDoing::Halted, "a bug");
            },
            Level::Alarm,
            "Partition 9 is halted: a bug.",
        );
        check(
            |it| (0..5).for_each(|at| halt(it, at, PartitionDoing::CatchingUp, "")),
            Level::Warning,
            "5 partitions (0, 1, 2, …) are catching up.",
        );
        check(
            |it| it.analysis = Service { fine: false, says: "stale: the aligned look is 31 s behind".to_owned() },
            Level::Warning,
            "Results do not keep up: stale: the aligned look is 31 s behind.",
        );
        let edges = |states: &[EdgeState]| {
            let edge = |(number, &state): (usize, &EdgeState)| Edge {
                id: format!("e{number}"),
                version: 2,
                seen: String::new(),
                state,
            };
            Some(states.iter().enumerate().map(edge).collect())
        };
        check(
            |it| it.edges = edges(&[EdgeState::Current, EdgeState::Silent]),
            Level::Fine,
            "All 64 partitions are within 1 s.",
        );
        check(
            |it| it.edges = edges(&[EdgeState::Behind, EdgeState::Current]),
            Level::Warning,
            "Edge e0 answers from version 2 of the definitions, not from the newest.",
        );
        check(
            |it| it.edges = edges(&[EdgeState::Behind; 5]),
            Level::Warning,
            "5 edges (e0, e1, e2, …) do not answer from the newest definitions.",
        );
        check(
            |it| (it.sinks[0].waiting_chunks, it.sinks[0].why) = (12, Some("connection refused".to_owned())),
            Level::Warning,
            "Results are live, and 12 chunks wait for ClickHouse: connection refused.",
        );
        check(
            |it| (it.sinks[0].waiting_chunks, it.sinks[0].waiting_bytes) = (12, 501),
            Level::Alarm,
            "12 chunks wait for ClickHouse.",
        );
        check(
            |it| it.config.files = Some(Service { fine: false, says: "a.yaml:3:1: no such key".to_owned() }),
            Level::Warning,
            "The files of the definitions are not in force: a.yaml:3:1: no such key.",
        );
        check(
            |it| it.disk = Some(Disk { free: 4, total: 100 }),
            Level::Alarm,
            "The disk of the data directory is almost full: 4% is free.",
        );
    }
}
