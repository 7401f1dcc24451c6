//! Publishing definitions: the records go to every partition; an outbox finishes what a crash left half done.

use crate::change::{self, Refusal};
use crate::files::{FileError, read, remove, write};
use crate::install::append_all;
use crate::mint;
use assay_broker::{Error as LogError, Log};
use assay_experiment::{Definitions, canonical, control};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A version of the definitions as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// Canonical JSON of each definition.
    pub bodies: Vec<String>,
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
}

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

    /// The last version that this installation published completely.
    pub fn published(&self) -> Result<Option<Version>, PublishError> {
        self.load("published.json")
    }

    /// Finishes what a crash left half done. Parts that are there already come again with the same bytes.
    pub fn resume(&self) -> Result<(), PublishError> {
        let Some(version) = self.load("outbox.json")? else { return Ok(()) };
        let records = control::version(version.number, &version.bodies);
        for partition in 0..self.partitions {
            append_all(self.log, &self.topic, partition, &records)?;
        }
        self.save("published.json", &version)?;
        remove(&self.directory.join("outbox.json"))?;
        tracing::info!(version = version.number, "published definitions");
        Ok(())
    }

    /// Publishes definitions unless they are in force already. `in_force` is the newest version that the log is known to have.
    pub fn publish(&self, wanted: &Definitions, in_force: Option<Version>) -> Result<Version, PublishError> {
        self.resume()?;
        let current = self.published()?.into_iter().chain(in_force).max_by_key(|version| version.number);
        let before = match &current {
            Some(version) => canonical::definitions(version.bodies.iter().map(String::as_str))
                .map_err(|_| PublishError::Damaged(self.directory.join("published.json")))?,
            None => Definitions::default(),
        };
        let mut next = wanted.clone();
        let mut refusals = mint::complete(&mut next, &before);
        refusals.extend(change::compare(&before, &next));
        if !refusals.is_empty() {
            return Err(PublishError::Refused(refusals));
        }
        let bodies = canonical::parts(&next);
        if let Some(current) = current.as_ref().filter(|current| current.bodies == bodies) {
            return Ok(current.clone());
        }
        let version = Version { number: current.map_or(0, |current| current.number) + 1, bodies };
        self.save("outbox.json", &version)?;
        self.resume()?;
        Ok(version)
    }

    fn load(&self, name: &str) -> Result<Option<Version>, PublishError> {
        let path = self.directory.join(name);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| PublishError::Damaged(path))
    }

    fn save(&self, name: &str, version: &Version) -> Result<(), PublishError> {
        let bytes = serde_json::to_vec(version).expect("a number and texts are JSON");
        Ok(write(&self.directory.join(name), &bytes)?)
    }
}
