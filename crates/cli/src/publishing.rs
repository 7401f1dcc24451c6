//! Publishes what files define, at the start and when they change, and notices what others publish.

use crate::definitions::{self, Text};
use crate::edge::Feed;
use crate::engine::RETENTION;
use crate::health::{Health, now_ms};
use crate::report;
use crate::settings::Settings;
use crate::watched::Watched;
use anyhow::{Context, Result, anyhow, bail};
use assay_aggregates::SEMANTICS_KNOWN;
use assay_broker::Log;
use assay_control_plane::http::Published;
use assay_control_plane::{PublishError, Publisher, Version};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Definitions, format_time};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Between two looks at whether the definitions have to be appended again. What is read then need not be read before publishing.
const KEEP_EVERY: Duration = Duration::from_secs(300);
/// Between two looks at the files, and at whether the fold has a newer version than is known here: an edit is in force within twice this and
/// what publishing takes, and thousands of files can be looked at in it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Publishes to the log of this process.
pub struct Publishing {
    log: Arc<dyn Log>,
    events: String,
    partitions: u32,
    directory: PathBuf,
    files: Option<Watched>,
    feed: Feed,
    /// What the doors show.
    in_force: watch::Sender<Option<Arc<Published>>>,
    /// What is wrong with keeping the definitions in the log; told once.
    troubled: Option<String>,
}

/// Why a change of the files is not in force.
enum Unpublished {
    /// The files are wrong: nothing helps but other ones.
    Wrong(String),
    /// Something else, and it is tried again.
    Failed(String),
}

impl Publishing {
    /// Finishes what was begun, and publishes what the settings name, if they name anything.
    pub fn start(
        settings: &Settings,
        log: Arc<dyn Log>,
        events: &str,
        partitions: u32,
        feed: Feed,
        in_force: watch::Sender<Option<Arc<Published>>>,
    ) -> Result<Publishing> {
        let mut publishing = Publishing {
            log,
            events: events.to_owned(),
            partitions,
            directory: settings.data.join("control"),
            files: settings.config.as_deref().map(Watched::new),
            feed,
            in_force,
            troubled: None,
        };
        publishing.publisher().resume()?;
        if let Some(version) = publishing.publisher().published()? {
            publishing.everywhere(version);
        }
        if let Some(texts) = publishing.files.as_mut().map(|files| files.look(true)).transpose()?.flatten() {
            let wanted = definitions::parsed(&texts).or_else(|problems| {
                problems.iter().for_each(|problem| eprintln!("{problem}"));
                bail!("{} problem(s) in the definitions", problems.len())
            })?;
            publishing.publish(&wanted).context("publishing the definitions")?;
        }
        Ok(publishing)
    }

    /// Follows files and log until the process stops.
    pub async fn follow(mut self, health: Arc<Health>, reload: Arc<Notify>, mut stopped: watch::Receiver<bool>) {
        let mut kept = Instant::now();
        health.config_files(self.files.is_some().then_some(Ok(())));
        loop {
            let now = tokio::select! {
                // The sender says so once, or is dropped.
                _ = stopped.wait_for(|stop| *stop) => return,
                () = reload.notified() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let due = kept.elapsed() >= KEEP_EVERY;
            if due {
                kept = Instant::now();
            }
            let known_by = health.clone();
            let turned = tokio::task::spawn_blocking(move || {
                if let Err(problem) = report::guard(|| self.turn(now, due, &known_by)) {
                    tracing::error!(problem, "following the definitions failed; trying again");
                }
                self
            });
            match turned.await {
                Ok(next) => self = next,
                // Only a process that stops gives up a task that waits.
                Err(_) => return,
            }
        }
    }

    fn turn(&mut self, now: bool, due: bool, health: &Health) {
        match self.follow_files(now) {
            Ok(false) => {}
            Ok(true) => health.config_files(Some(Ok(()))),
            Err(Unpublished::Wrong(problem) | Unpublished::Failed(problem)) => {
                health.config_files(Some(Err(format!("{problem}; version {} stays in force", self.number()))));
            }
        }
        // The fold reads every record, so it sees a version of another publisher as soon as the log has it.
        let newest = health.partitions().iter().map(|one| one.config_version).max().unwrap_or(0);
        if due || newest > self.number() {
            let trouble = self.keep().err().map(|problem| problem.to_string());
            if let Some(problem) = trouble.as_ref().filter(|_| trouble != self.troubled) {
                tracing::error!(problem, "could not keep the definitions in the log; trying again");
            }
            self.troubled = trouble;
        }
    }

    /// Publishes what is new in the files. Whether there was anything.
    fn follow_files(&mut self, now: bool) -> Result<bool, Unpublished> {
        let Some(files) = &mut self.files else { return Ok(false) };
        let told = |problem: String| {
            problem.lines().for_each(|line| tracing::error!("{line}"));
            tracing::error!("the definitions stay as they are until their files are right");
            let mut lines = problem.lines();
            let (first, more) = (lines.next().unwrap_or_default().to_owned(), lines.count());
            Unpublished::Wrong(if more == 0 { first } else { format!("{first} (and {more} more)") })
        };
        let Some(texts) = files.look(now).map_err(|problem| told(format!("{problem:#}")))? else { return Ok(false) };
        let wanted = read(&texts).map_err(|problem| told(format!("{problem:#}")))?;
        match self.publish(&wanted) {
            Ok(()) => Ok(true),
            Err(problem @ PublishError::Refused(_)) => Err(told(problem.to_string())),
            Err(problem) => {
                if let Some(files) = &mut self.files {
                    files.again();
                }
                tracing::error!(%problem, "could not publish the definitions; trying again");
                Err(Unpublished::Failed(problem.to_string()))
            }
        }
    }

    fn publish(&self, wanted: &Definitions) -> Result<(), PublishError> {
        let publisher = self.publisher();
        for change in publisher.change_settings(&wanted.settings, &SEMANTICS_KNOWN, now_ms())? {
            let from = format_time(change.from());
            tracing::info!(from, change.look_ms, change.chunk_ms, change.semantics, "settings will change");
        }
        let announce = |before: Option<&Version>, next: &Version| self.feed.announce(before, next);
        let version = publisher.publish_after(wanted, announce)?;
        tracing::info!(version = version.number, "definitions are in force");
        self.everywhere(version);
        Ok(())
    }

    /// What was published must never leave the log with old records, and what others published becomes known.
    fn keep(&self) -> Result<(), PublishError> {
        let publisher = self.publisher();
        if publisher.keep(now_ms(), RETENTION)? {
            tracing::info!("appended the definitions again");
        }
        if let Some(version) = publisher.published()? {
            self.everywhere(version);
        }
        Ok(())
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher::new(self.log.as_ref(), &self.events, self.partitions, &self.directory)
    }

    /// The version that is known to be in force; 0 for none.
    fn number(&self) -> u64 {
        self.in_force.borrow().as_ref().map_or(0, |known| known.version)
    }

    /// Tells the edge and the doors which definitions all partitions have.
    fn everywhere(&self, version: Version) {
        self.feed.everywhere(&version);
        self.in_force.send_if_modified(|known| {
            let newer = known.as_ref().is_none_or(|known| known.version != version.number);
            if newer {
                let document = Snapshot::new(ConfigVersion(version.number), version.bodies.clone()).encode().into();
                *known = Some(Arc::new(Published { version: version.number, document, bodies: version.bodies }));
            }
            newer
        });
    }
}

fn read(texts: &[Text]) -> Result<Definitions> {
    definitions::parsed(texts).map_err(|problems| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!(told.join("\n"))
    })
}
