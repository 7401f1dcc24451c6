//! Publishing definitions: the records go to every partition; an outbox finishes what a crash left half done.
//!
//! The directory keeps three files. `outbox.json` is a version on its way, `published.json` the newest that is in all partitions,
//! `position.json` says how far the log was read for what others published. All three can be lost: the log has everything.

use crate::change::{self, Refusal};
use crate::files::{FileError, read, remove, write};
use crate::install::append_all;
use crate::ledger::{FIRST, Ledger};
use crate::{history, mint};
use assay_broker::{Error as LogError, Log};
use assay_experiment::{Definitions, canonical, control};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A version of the definitions as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Canonical JSON of each definition.
    pub bodies: Vec<String>,
}

/// How far the log was read, and when everything was last appended.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Position {
    next: u64,
    highest: u64,
    appended_ms: i64,
}

/// Definitions that were not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log. Publishing again finishes what was begun.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Files of this installation.
    #[error(transparent)]
    File(#[from] FileError),
    /// They change what must not change.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<Refusal>),
    /// A file of this installation that cannot be read.
    #[error("{0} is damaged; restore it from a copy, or remove it to take over what the log has")]
    Damaged(PathBuf),
    /// What the log has is refused by this build.
    #[error(
        "version {number} of the definitions in the log is not valid here: {problem}; use the build that published it"
    )]
    Foreign {
        /// Number of the version.
        number: u64,
        /// Why it is refused.
        problem: String,
    },
    /// Others were faster, again and again.
    #[error("somebody else publishes to the same log all the time; stop one of the two, then publish again")]
    Contended,
    /// Somebody wrote the highest number that there is.
    #[error("the log has a record that claims version {0}, so that no higher one is left; use a new topic")]
    Exhausted(u64),
}

/// Largest body of a record; Kafka's usual limit for a record is 1 MB with everything around it.
const BODY_BYTES_MAX: usize = 900_000;
/// How often another publisher may be faster.
const ATTEMPTS: usize = 8;

/// Publishes to one log.
pub struct Publisher<'a> {
    log: &'a dyn Log,
    topic: String,
    partitions: u32,
    directory: PathBuf,
}

impl<'a> Publisher<'a> {
    /// For the events topic of a log; `directory` keeps the outbox and what was published last.
    pub fn new(log: &'a dyn Log, topic: &str, partitions: u32, directory: &Path) -> Self {
        Publisher { log, topic: topic.to_owned(), partitions, directory: directory.to_owned() }
    }

    /// The newest version that this installation knows to be in all partitions.
    pub fn published(&self) -> Result<Option<Version>, PublishError> {
        self.load("published.json")
    }

    /// Finishes what a crash left half done. Parts that are there already come again with the same bytes.
    pub fn resume(&self) -> Result<(), PublishError> {
        let Some(version) = self.load("outbox.json")? else { return Ok(()) };
        let ours = self.deliver(&version)?;
        if !ours {
            tracing::warn!(version = version.number, "somebody else published this version first; it is given up");
        }
        Ok(())
    }

    /// Publishes definitions unless they are in force already. What the log has is found out first, so a new directory goes on where others
    /// left off, with their numbers and their salts.
    pub fn publish(&self, wanted: &Definitions) -> Result<Version, PublishError> {
        self.publish_after(wanted, |_, _| {})
    }

    /// The same; `announce` is told what is in force and what is to come before any partition has it, so that what the new version takes back
    /// can end at once.
    pub fn publish_after(
        &self,
        wanted: &Definitions,
        announce: impl Fn(Option<&Version>, &Version),
    ) -> Result<Version, PublishError> {
        for _ in 0..ATTEMPTS {
            let ledger = self.catch_up()?;
            let before = match &ledger.newest {
                Some(version) => definitions(version)?,
                None => Definitions::default(),
            };
            let bodies = complete(wanted, &before)?;
            if let Some(current) = ledger.newest.as_ref().filter(|current| current.bodies == bodies) {
                return Ok(current.clone());
            }
            let number = ledger.highest.checked_add(1).ok_or(PublishError::Exhausted(ledger.highest))?;
            let version = Version { number, bodies };
            self.save("outbox.json", &version)?;
            announce(ledger.newest.as_ref(), &version);
            if self.deliver(&version)? {
                return Ok(version);
            }
        }
        Err(PublishError::Contended)
    }

    /// To be called every few minutes: finishes what is half done, reads on what others published, so that publishing need not read much, and
    /// every quarter of the retention appends the full set again, so that the log never loses it. Repeats are the original bytes. The clock
    /// decides only when they are written. Returns whether it appended.
    pub fn keep(&self, now_ms: i64, retention: Duration) -> Result<bool, PublishError> {
        let ledger = self.catch_up()?;
        let Some(version) = ledger.newest else { return Ok(false) };
        let due = i64::try_from(retention.as_millis() / 4).unwrap_or(i64::MAX);
        let appended = self.position()?.appended_ms;
        if appended == 0 {
            // What this directory knows was appended, or appended again, when it became known.
            self.save("position.json", &Position { appended_ms: now_ms, ..self.position()? })?;
            return Ok(false);
        }
        // A clock that was set back must not keep the set from being appended.
        if appended <= now_ms && now_ms - appended < due {
            return Ok(false);
        }
        self.save("outbox.json", &version)?;
        self.deliver(&version)?;
        self.save("position.json", &Position { appended_ms: now_ms, ..self.position()? })?;
        Ok(true)
    }

    /// Reads what the log has. What this directory does not know is taken over, and appended to all partitions once more: whoever
    /// published it may have died before it was everywhere.
    fn catch_up(&self) -> Result<Ledger, PublishError> {
        self.resume()?;
        let mut ledger = self.ledger()?;
        let known = ledger.newest.as_ref().map(|version| version.number);
        ledger.read(self.log, &self.topic)?;
        match &ledger.newest {
            Some(version) if Some(version.number) != known => {
                definitions(version)?;
                self.save("outbox.json", version)?;
                self.append(version, FIRST)?;
                self.settle(&ledger, version)?;
            }
            _ => self.save_position(&ledger)?,
        }
        Ok(ledger)
    }

    /// What this directory knows of the log. Without the last version everything has to be read again.
    fn ledger(&self) -> Result<Ledger, PublishError> {
        Ok(match self.published()? {
            Some(version) => {
                let position = self.position()?;
                Ledger::new(position.next, position.highest, Some(version))
            }
            None => Ledger::default(),
        })
    }

    /// Brings the version of the outbox into every partition, and empties the outbox. `false` when another version of this number was first.
    fn deliver(&self, version: &Version) -> Result<bool, PublishError> {
        let mut ledger = self.ledger()?;
        let records = control::version(version.number, &version.bodies);
        append_all(self.log, &self.topic, FIRST, &records)?;
        let repeated = ledger.newest.as_ref() == Some(version);
        ledger.read(self.log, &self.topic)?;
        if !repeated && !ledger.has(version) {
            remove(&self.directory.join("outbox.json"))?;
            return Ok(false);
        }
        self.append(version, FIRST + 1)?;
        self.settle(&ledger, version)?;
        tracing::info!(version = version.number, "published definitions");
        Ok(true)
    }

    fn append(&self, version: &Version, from: u32) -> Result<(), PublishError> {
        let records = control::version(version.number, &version.bodies);
        for partition in from..self.partitions {
            append_all(self.log, &self.topic, partition, &records)?;
        }
        Ok(())
    }

    /// A version is in all partitions: it is known from now on.
    fn settle(&self, ledger: &Ledger, version: &Version) -> Result<(), PublishError> {
        // If somebody published a higher one meanwhile, the log is read again from before it.
        if ledger.newest.as_ref() == Some(version) {
            self.save("published.json", version)?;
            self.save_position(ledger)?;
        }
        remove(&self.directory.join("outbox.json"))?;
        Ok(())
    }

    fn save_position(&self, ledger: &Ledger) -> Result<(), PublishError> {
        let position = Position { next: ledger.resume_at(), highest: ledger.highest, ..self.position()? };
        self.save("position.json", &position)
    }

    /// A damaged position is as good as none: everything is read again.
    fn position(&self) -> Result<Position, PublishError> {
        let bytes = read(&self.directory.join("position.json"))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    fn load(&self, name: &str) -> Result<Option<Version>, PublishError> {
        let path = self.directory.join(name);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| PublishError::Damaged(path))
    }

    fn save(&self, name: &str, content: &impl Serialize) -> Result<(), PublishError> {
        let bytes = serde_json::to_vec(content).expect("numbers and texts are JSON");
        Ok(write(&self.directory.join(name), &bytes)?)
    }
}

fn definitions(version: &Version) -> Result<Definitions, PublishError> {
    canonical::definitions(version.bodies.iter().map(String::as_str))
        .map_err(|problem| PublishError::Foreign { number: version.number, problem })
}

/// What is to be published: with salts, slots and the history of the versions before, checked against those and as every partition will.
fn complete(wanted: &Definitions, before: &Definitions) -> Result<Vec<String>, PublishError> {
    let mut next = wanted.clone();
    let mut refusals = mint::complete(&mut next, before);
    refusals.extend(change::compare(before, &next));
    refusals.extend(history::carry(&mut next, before));
    let bodies = canonical::parts(&next);
    let of_set = |reason| Refusal { subject: "definitions".to_owned(), reason };
    if refusals.is_empty()
        && let Err(problem) = canonical::definitions(bodies.iter().map(String::as_str))
    {
        refusals.push(of_set(problem));
    }
    if let Some(body) = bodies.iter().find(|body| body.len() > BODY_BYTES_MAX) {
        let start: String = body.chars().take(80).collect();
        refusals.push(of_set(format!(
            "one has {} bytes, at most {BODY_BYTES_MAX} are possible; it starts with {start}",
            body.len()
        )));
    }
    if refusals.is_empty() { Ok(bodies) } else { Err(PublishError::Refused(refusals)) }
}
