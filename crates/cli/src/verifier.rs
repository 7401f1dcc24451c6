//! Replays published looks on the log of this process, one at a time, on a thread that takes only what nobody else wants.

use crate::replay_log::{self, Progress};
use crate::{posting, report};
use anyhow::{Context, Result, bail, ensure};
use assay_analysis::{Freshness, View};
use assay_broker::Log;
use assay_control_plane::http::{Difference, Refused, Verification, VerificationState, Verifier, Wanted};
use assay_experiment::{Span, Timestamp, format_time, parse_time};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between the end of a replay and the next: whoever asks again and again must not keep a processor busy.
const PAUSE: Duration = Duration::from_secs(2);
/// Bytes that a replay's units and remembered ids may take; beyond it the process that serves would be in danger.
const BYTES_MAX: usize = 1 << 30;
/// Of 19: the thread runs when no other wants to.
const NICENESS: i32 = 19;
/// Characters of a differing value that are shown.
const SHOWN_MAX: usize = 300;

/// Replays looks of one log.
pub struct Replayer {
    log: Arc<dyn Log>,
    topic: String,
    /// `assay replay --log …`, without the look.
    command: String,
    /// Whether the records are on this machine.
    is_local: bool,
    stopped: watch::Receiver<bool>,
    last: Mutex<Option<Arc<Job>>>,
}

/// One replay. Its thread writes, doors read.
struct Job {
    started: Instant,
    state: Mutex<Progressing>,
}

struct Progressing {
    shown: Verification,
    ended: Option<Instant>,
    forgotten: bool,
}

impl Job {
    fn held(&self) -> MutexGuard<'_, Progressing> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    fn shown(&self) -> Verification {
        let held = self.held();
        let until = held.ended.unwrap_or_else(Instant::now);
        Verification { seconds: (until - self.started).as_secs_f64(), ..held.shown.clone() }
    }
}

impl Replayer {
    /// Of a log by its address and the prefix of its topics.
    pub fn new(
        log: Arc<dyn Log>,
        address: &str,
        prefix: &str,
        topic: &str,
        stopped: watch::Receiver<bool>,
    ) -> Replayer {
        let topics = if prefix == "assay" { String::new() } else { format!(" --topics {prefix}") };
        // Settings of a connection may be secrets.
        let place = address.split_once('?').map_or(address, |(place, _)| place);
        Replayer {
            log,
            topic: topic.to_owned(),
            command: format!("assay replay --json --log {place}{topics}"),
            is_local: address.starts_with("local:"),
            stopped,
            last: Mutex::default(),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<Job>>> {
        self.last.lock().expect("no code panics while it holds this lock")
    }
}

impl Verifier for Replayer {
    fn start(&self, wanted: Wanted) -> Result<Verification, Refused> {
        let published = Published::read(&wanted.published)
            .map_err(|problem| Refused::Elsewhere(format!("the published look cannot be read: {problem:#}")))?;
        let look = format_time(published.look);
        let command = format!("{} --look {look} --experiment {}", self.command, wanted.experiment);
        if !self.is_local {
            return Err(Refused::Elsewhere(format!(
                "the log is not on this machine; run this beside it, and compare: {command}"
            )));
        }
        let mut last = self.last();
        if let Some(job) = last.as_ref() {
            let held = job.held();
            let same = held.shown.experiment == wanted.experiment && held.shown.look == look;
            match held.ended {
                None if same && !held.forgotten => {
                    drop(held);
                    return Ok(job.shown());
                }
                None => {
                    let of = &held.shown;
                    let words = format!("a look of {} is being replayed; wait, or end it", of.experiment);
                    return Err(Refused::Busy(words));
                }
                Some(ended) if ended.elapsed() < PAUSE => return Err(Refused::Soon(PAUSE.as_secs() as u32)),
                Some(_) => {}
            }
        }
        let shown = Verification {
            experiment: wanted.experiment.clone(),
            look,
            state: VerificationState::Running,
            identical: None,
            share: 0.0,
            records: 0,
            seconds: 0.0,
            build: crate::build().to_owned(),
            published_build: published.build.clone(),
            offsets: published.offsets.clone(),
            differs: None,
            detail: None,
            command,
        };
        let state = Mutex::new(Progressing { shown, ended: None, forgotten: false });
        let job = Arc::new(Job { started: Instant::now(), state });
        let work = Work {
            job: job.clone(),
            log: self.log.clone(),
            topic: self.topic.clone(),
            stopped: self.stopped.clone(),
            published,
            wanted,
        };
        let spawned = std::thread::Builder::new().name("verify".to_owned()).spawn(move || work.run());
        spawned.map_err(|problem| Refused::Busy(format!("the system has no thread for it: {problem}")))?;
        *last = Some(job.clone());
        Ok(job.shown())
    }

    fn state(&self, experiment: &str) -> Option<Verification> {
        let job = self.last().clone().filter(|job| !job.held().forgotten)?;
        Some(job.shown()).filter(|shown| shown.experiment == experiment)
    }

    fn forget(&self, experiment: &str) -> bool {
        let Some(job) = self.last().clone() else { return false };
        let mut held = job.held();
        let known = !held.forgotten && held.shown.experiment == experiment;
        held.forgotten |= known;
        known
    }
}

/// What of a published text does not come from the log, and where it is.
struct Published {
    look: Timestamp,
    build: String,
    freshness: Freshness,
    offsets: Json,
    /// Offset after the last record of the look, of each partition.
    next: BTreeMap<usize, u64>,
}

impl Published {
    fn read(text: &str) -> Result<Published> {
        let json: Json = serde_json::from_str(text)?;
        let look = json["look"].as_str().context("it has no look")?;
        let (freshness, provenance) = (&json["freshness"], &json["provenance"]);
        let offsets = provenance["offsets"].as_object().context("it has no offsets")?;
        let next = offsets.iter().map(|(partition, range)| Ok((partition.parse()?, range[1].as_u64().unwrap_or(0))));
        Ok(Published {
            look: parse_time(look).map_err(|problem| anyhow::anyhow!("its look: {problem}"))?,
            build: provenance["build"].as_str().unwrap_or_default().to_owned(),
            freshness: Freshness {
                age: Span(freshness["age_ms"].as_i64().unwrap_or(0).saturating_mul(1_000)),
                held_by: freshness["held_by"].as_u64().and_then(|it| u32::try_from(it).ok()),
                versions_differ: freshness["versions_differ"].as_bool().unwrap_or(false),
            },
            next: next.collect::<Result<_>>()?,
            offsets: provenance["offsets"].clone(),
        })
    }

    /// Share of the offsets that were read.
    fn share(&self, next: &[u64]) -> f64 {
        let all: u64 = self.next.values().sum();
        let read: u64 = self.next.iter().map(|(at, &wanted)| next.get(*at).map_or(0, |&next| next.min(wanted))).sum();
        read as f64 / all.max(1) as f64
    }
}

struct Work {
    job: Arc<Job>,
    log: Arc<dyn Log>,
    topic: String,
    stopped: watch::Receiver<bool>,
    published: Published,
    wanted: Wanted,
}

impl Work {
    fn run(self) {
        // Of a thread, not of the process: Linux counts niceness by thread. Where it is refused the replay is merely less polite.
        let _ = rustix::process::nice(NICENESS);
        let outcome = report::guard(|| self.differs().map_err(|problem| format!("{problem:#}")));
        let mut held = self.job.held();
        held.ended = Some(Instant::now());
        let shown = &mut held.shown;
        match outcome.and_then(|ended| ended) {
            Ok(differs) => {
                (shown.state, shown.share) = (VerificationState::Done, 1.0);
                (shown.identical, shown.differs) = (Some(differs.is_none()), differs);
            }
            Err(problem) => (shown.state, shown.detail) = (VerificationState::Failed, Some(problem)),
        }
    }

    /// Where the replay's text differs from the published one, if it does.
    fn differs(&self) -> Result<Option<Difference>> {
        let look = self.published.look;
        let (results, _) = replay_log::replay(self.log.as_ref(), &self.topic, look, |progress| self.note(progress))?;
        let view = View { aligned: Arc::new(results), provisional: None, freshness: self.published.freshness };
        let replayed = posting::posted(&view, &self.published.build, 0).aligned.document(&self.wanted.experiment);
        let replayed = replayed.context("the replay has no such experiment")?;
        Ok(difference("", &self.wanted.published, &replayed))
    }

    fn note(&self, progress: &Progress<'_>) -> Result<()> {
        let mut held = self.job.held();
        (held.shown.share, held.shown.records) = (self.published.share(progress.next), progress.records);
        ensure!(!held.forgotten, "it was ended");
        if progress.bytes > BYTES_MAX {
            bail!("the replay needs more than {} MiB of memory; run the command on another machine", BYTES_MAX >> 20);
        }
        ensure!(!*self.stopped.borrow(), "the process stops");
        Ok(())
    }
}

/// The first place, in the order of the names, at which two texts of JSON differ. Numbers are compared as they are written.
fn difference(path: &str, published: &str, replayed: &str) -> Option<Difference> {
    if published == replayed {
        return None;
    }
    inner(path, published, replayed).or_else(|| {
        let cut = |text: &str| Some(text.chars().take(SHOWN_MAX).collect());
        Some(Difference { path: path.to_owned(), published: cut(published), replayed: cut(replayed) })
    })
}

/// The same among the members or items, where both have some.
fn inner(path: &str, published: &str, replayed: &str) -> Option<Difference> {
    type Members<'a> = BTreeMap<String, &'a RawValue>;
    type Items<'a> = Vec<&'a RawValue>;
    let at = |one: Option<&&RawValue>, other: Option<&&RawValue>, path: String| match (one, other) {
        (Some(one), Some(other)) => difference(&path, one.get(), other.get()),
        (one, other) => {
            let cut = |it: Option<&&RawValue>| it.map(|it| it.get().chars().take(SHOWN_MAX).collect());
            Some(Difference { path, published: cut(one), replayed: cut(other) })
        }
    };
    if let (Ok(one), Ok(other)) =
        (serde_json::from_str::<Members<'_>>(published), serde_json::from_str::<Members<'_>>(replayed))
    {
        let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let dot = if path.is_empty() { "" } else { "." };
        return names.into_iter().find_map(|name| at(one.get(name), other.get(name), format!("{path}{dot}{name}")));
    }
    if let (Ok(one), Ok(other)) =
        (serde_json::from_str::<Items<'_>>(published), serde_json::from_str::<Items<'_>>(replayed))
    {
        return (0..one.len().max(other.len()))
            .find_map(|item| at(one.get(item), other.get(item), format!("{path}[{item}]")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_broker::{MemoryLog, Stamping, TopicSpec};

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let check = |one: &str, other: &str, wanted: Option<(&str, Option<&str>, Option<&str>)>| {
            let found = difference("", one, other);
            let found = found.as_ref().map(|it| (it.path.as_str(), it.published.as_deref(), it.replayed.as_deref()));
            assert_eq!(found, wanted);
        };
        check(r#"{"a":1}"#, r#"{"a":1}"#, None);
        check(r#"{"a":[1,{"b":2}],"c":3}"#, r#"{"a":[1,{"b":4}],"c":5}"#, Some(("a[1].b", Some("2"), Some("4"))));
        check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, Some(("a[1]", None, Some("2"))));
        check(r#"{"a":1,"b":2}"#, r#"{"b":2}"#, Some(("a", Some("1"), None)));
        // Digits are digits, although both are read as the same number.
        check("[0.1]", "[0.10]", Some(("[0]", Some("0.1"), Some("0.10"))));
        // The same values in another order are another text.
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, Some(("", Some(r#"{"a":1,"b":2}"#), Some(r#"{"b":2,"a":1}"#))));
    }
    fn wanted(experiment: &str) -> Wanted {
        let published = r#"{"look":"2026-05-01T09:30:00Z","provenance":{"offsets":{"0":[0,7]},"build":"b"},"freshness":{"age_ms":0}}"#;
        Wanted { experiment: experiment.to_owned(), published: published.to_owned() }
    }

    fn replayer(address: &str) -> (Replayer, watch::Sender<bool>) {
        let log = MemoryLog::new(Arc::new(|| 0));
        let spec = TopicSpec {
            name: "e".to_owned(),
            partitions: 1,
            stamping: Stamping::Append,
            retention: None,
            compacted: false,
        };
        log.create_topic(&spec).unwrap();
        let (stop, stopped) = watch::channel(false);
        (Replayer::new(Arc::new(log), address, "mine", "e", stopped), stop)
    }

    #[test]
    fn one_at_a_time_and_not_at_once_again() {
        let (replayer, _stop) = replayer("local:/var/log");
        let begun = replayer.start(wanted("shop")).unwrap();
        assert_eq!((begun.state, begun.identical), (VerificationState::Running, None));
        assert_eq!(
            begun.command,
            "assay replay --json --log local:/var/log --topics mine --look 2026-05-01T09:30:00Z --experiment shop"
        );
        // It waits for records that never come.
        assert_eq!(replayer.start(wanted("shop")).unwrap().state, VerificationState::Running, "the same one");
        assert!(matches!(replayer.start(wanted("other")), Err(Refused::Busy(words)) if words.contains("shop")));
        assert!(replayer.state("other").is_none() && !replayer.forget("other"));
        let ended = loop {
            let shown = replayer.state("shop").unwrap();
            if shown.state != VerificationState::Running {
                break shown;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(ended.detail.unwrap().contains("is not that of a log"), "an empty log is no log");
        assert_eq!(replayer.start(wanted("shop")), Err(Refused::Soon(2)));
        assert!(replayer.forget("shop") && replayer.state("shop").is_none());
    }

    #[test]
    fn a_log_elsewhere_is_answered_with_the_command() {
        let (replayer, _stop) = replayer("kafka://broker:9092?sasl.password=s3cret");
        let Err(Refused::Elsewhere(words)) = replayer.start(wanted("shop")) else { panic!("it began") };
        assert!(words.contains("assay replay --json --log kafka://broker:9092 --topics mine --look"), "{words}");
        assert!(!words.contains("s3cret"));
    }
}
