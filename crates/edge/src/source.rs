//! Where definitions come from: a channel of the same process, the control plane over HTTP, or files.

use assay_experiment::ConfigVersion;
use assay_experiment::snapshot::Snapshot;
use rand::RngExt;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

use crate::current::{Numbering, Offer, Origin};
use crate::files;
use crate::ladder::Ladder;
use crate::upstream::{Heard, Upstream};

/// Between two looks at files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After a failure; doubled each time, at most [`PAUSE_MAX`], less up to a half so that edges do not ask together.
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// A control plane that is back is asked within this time.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Where definitions come from.
pub enum Source {
    /// Of the same process, which says when a version is everywhere.
    Channel(watch::Receiver<Option<Offer>>),
    /// A control plane.
    Http(Upstream),
    /// A directory of YAML, one YAML file, or a snapshot; looked at every second.
    Files(PathBuf),
    /// Nowhere: what is on disk or in the bootstrap file stays.
    Nowhere,
}

impl Source {
    /// Who counts the versions.
    pub fn numbering(&self) -> Numbering {
        match self {
            Source::Files(path) if !files::is_snapshot(path) => Numbering::Local,
            _ => Numbering::Published,
        }
    }

    /// Tells whom it asks who asks.
    pub(crate) fn introduce(&mut self, name: &str) {
        if let Source::Http(upstream) = self {
            upstream.introduce(name);
        }
    }

    /// Offers what comes until the task is dropped.
    pub async fn follow(self, ladder: &Ladder) {
        match self {
            Source::Channel(offers) => channel(offers, ladder).await,
            Source::Http(upstream) => http(upstream, ladder).await,
            Source::Files(path) => look_at_files(path, ladder).await,
            Source::Nowhere => std::future::pending().await,
        }
    }
}

/// As long as its sender lives, no news is good news.
async fn channel(mut offers: watch::Receiver<Option<Offer>>, ladder: &Ladder) {
    loop {
        let offer = offers.borrow_and_update().clone();
        if let Some(offer) = offer {
            // A refusal is shown by the ladder.
            let _ = ladder.offer(offer, Numbering::Published, Origin::Upstream);
        }
        loop {
            match tokio::time::timeout(LOOK_EVERY, offers.changed()).await {
                Ok(Ok(())) => break,
                Ok(Err(_)) => {
                    ladder.failed("the control plane of this process has stopped".to_owned());
                    return std::future::pending().await;
                }
                Err(_) if offers.borrow().is_some() && ladder.sources().upstream.is_none() => ladder.confirm(),
                Err(_) => {}
            }
        }
    }
}

async fn http(upstream: Upstream, ladder: &Ladder) {
    // The first question is for everything, so that what is on disk is compared with what is published.
    let (mut pause, mut after) = (PAUSE_MIN, 0);
    loop {
        let asked = Instant::now();
        let problem = match upstream.ask(after, in_force(ladder)).await {
            Ok(Heard::Snapshot(snapshot)) => {
                let version = snapshot.version().0;
                let offer = Offer { snapshot: Arc::new(snapshot), halted: BTreeSet::new() };
                match ladder.offer(offer, Numbering::Published, Origin::Upstream) {
                    Ok(()) => {
                        (pause, after) = (PAUSE_MIN, version);
                        continue;
                    }
                    Err(problem) => problem.to_string(),
                }
            }
            Ok(Heard::NothingNewer) if after > 0 => {
                pause = PAUSE_MIN;
                ladder.confirm();
                // Who answers at once does not know long polls.
                if asked.elapsed() < LOOK_EVERY {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                continue;
            }
            Ok(Heard::NothingNewer) => "nothing is published yet".to_owned(),
            Err(problem) => problem,
        };
        ladder.failed(problem);
        let share = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(pause.mul_f64(share)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// 0 before there is any.
fn in_force(ladder: &Ladder) -> u64 {
    ladder.current().as_ref().map_or(0, |current| current.version())
}

async fn look_at_files(path: PathBuf, ladder: &Ladder) {
    let mut seen = None;
    loop {
        let (place, before) = (path.clone(), seen.clone());
        // Files of a network may take their time.
        let looked = tokio::task::spawn_blocking(move || files::look(&place, before.as_ref())).await;
        match looked.unwrap_or_else(|problem| Err(problem.to_string())) {
            Ok(None) => ladder.confirm(),
            Ok(Some((fingerprint, found))) => {
                let (snapshot, numbering) = match found {
                    files::Found::Snapshot(snapshot) => (snapshot, Numbering::Published),
                    files::Found::Bodies(bodies) => (numbered(bodies, ladder), Numbering::Local),
                };
                let offer = Offer { snapshot: Arc::new(snapshot), halted: BTreeSet::new() };
                if let Err(problem) = ladder.offer(offer, numbering, Origin::Upstream) {
                    ladder.failed(problem.to_string());
                } else {
                    seen = Some(fingerprint);
                }
            }
            Err(problem) => ladder.failed(problem),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Definitions that nobody published get a number from this edge: the next one if they say something new.
fn numbered(bodies: Vec<String>, ladder: &Ladder) -> Snapshot {
    match ladder.newest(Numbering::Local) {
        Some(known) if known.bodies() == bodies => Snapshot::clone(&known),
        known => Snapshot::new(ConfigVersion(known.map_or(1, |known| known.version().0 + 1)), bodies),
    }
}
