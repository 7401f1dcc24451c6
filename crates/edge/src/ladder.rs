//! Which definitions are in force, and how good they are: fresh, stale, last known good, bootstrap, none.
//!
//! Requests only load a pointer. One thread offers what sources, disk and bootstrap file give; a version lower than the one in force is
//! refused, whoever offers it, because after a failover an old copy must not undo a new decision. A bootstrap file is the exception: it is
//! a guess for the first start, and whatever the source says replaces it.

use arc_swap::{ArcSwapOption, Guard};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::watch;

use crate::current::{Current, Numbering, Offer, Origin, Standing};
use crate::disk::Disk;
use crate::metrics::Metrics;
use crate::stream::News;

/// A source that has not spoken for this long is away: two long polls.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// The definitions in force.
pub struct Ladder {
    environment: String,
    current: ArcSwapOption<Current>,
    /// Listeners end when it is taken away.
    news: Mutex<Option<watch::Sender<Option<Arc<str>>>>>,
    state: Mutex<State>,
    disk: Option<Disk>,
    metrics: Metrics,
}

/// What only the thread that offers changes, and probes read.
struct State {
    /// When the source last said something that could be used.
    heard: Option<Instant>,
    /// Why it does not.
    upstream: Option<String>,
    /// Why the disk does not take what was offered.
    disk: Option<String>,
    /// Versions that were replaced and may still be in use. They are dropped here, because dropping thousands of buffers takes time.
    replaced: Vec<Arc<Current>>,
}

/// Why an offer was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// It is older.
    #[error(
        "version {offered} is lower than {in_force}, which is in force; publish what it says under a higher number, or remove what \
         this edge keeps in its data directory if the log was made anew"
    )]
    Lower {
        /// What was offered.
        offered: u64,
        /// What is in force.
        in_force: u64,
    },
    /// The same number with another content.
    #[error("version {0} is in force with another content; two publishers gave out one number: publish again")]
    Contradicts(u64),
    /// It cannot be compiled.
    #[error("version {version} cannot be used: {problem}; use a build that knows what it says")]
    Unusable {
        /// Its number.
        version: u64,
        /// Why.
        problem: String,
    },
}

/// What probes tell about the sources.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Seconds since the source last spoke.
    pub age_seconds: Option<f64>,
    /// Why it does not.
    pub upstream: Option<String>,
    /// Why the disk does not take definitions.
    pub disk: Option<String>,
}

impl Ladder {
    /// Nothing is in force yet.
    pub fn new(environment: &str, disk: Option<Disk>, metrics: Metrics) -> Self {
        let state = State { heard: None, upstream: None, disk: None, replaced: Vec::new() };
        Ladder {
            environment: environment.to_owned(),
            current: ArcSwapOption::empty(),
            news: Mutex::new(Some(watch::channel(None).0)),
            state: Mutex::new(state),
            disk,
            metrics,
        }
    }

    /// What is in force now. Hold it only while one request is answered.
    pub fn current(&self) -> Guard<Option<Arc<Current>>> {
        self.current.load()
    }

    /// Tags of the definitions as they come into force.
    pub fn news(&self) -> News {
        let news = self.news.lock().expect("no code panics while it holds this lock");
        // Whoever comes after the end hears that it is the end.
        news.as_ref().map_or_else(|| watch::channel(None).1, watch::Sender::subscribe)
    }

    /// The edge stops: whoever listens hears no more.
    pub fn close(&self) {
        self.news.lock().expect("no code panics while it holds this lock").take();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }

    /// What this edge kept, newest first, else what the bootstrap file says.
    pub fn start(&self, numbering: Numbering, bootstrap: Option<Offer>) {
        let kept = self.disk.iter().flat_map(|disk| disk.load(numbering));
        for snapshot in kept {
            let offer = Offer { snapshot: Arc::new(snapshot), halted: BTreeSet::new() };
            match self.offer(offer, numbering, Origin::Disk) {
                Ok(()) => return,
                Err(problem) => tracing::error!(%problem, "what was kept on disk cannot be used"),
            }
        }
        if let Some(offer) = bootstrap
            && let Err(problem) = self.offer(offer, Numbering::Published, Origin::Bootstrap)
        {
            tracing::error!(%problem, "the bootstrap file cannot be used");
        }
    }

    /// Brings definitions into force, or says why not. What is in force already is only confirmed.
    pub fn offer(&self, offer: Offer, numbering: Numbering, origin: Origin) -> Result<(), Refusal> {
        let outcome = self.take(offer, numbering, origin);
        let name = match &outcome {
            Ok(true) => "accepted",
            Ok(false) => "known",
            Err(Refusal::Lower { .. }) => "lower",
            Err(Refusal::Contradicts(_)) => "contradicts",
            Err(Refusal::Unusable { .. }) => "unusable",
        };
        self.metrics.config_updates.with_label_values(&[name]).inc();
        if let Err(problem) = &outcome
            && origin == Origin::Upstream
        {
            self.state().upstream = Some(problem.to_string());
        }
        outcome.map(|_| ())
    }

    fn take(&self, offer: Offer, numbering: Numbering, origin: Origin) -> Result<bool, Refusal> {
        let before = self.current.load_full();
        let guess =
            before.as_ref().is_none_or(|before| before.origin == Origin::Bootstrap || before.numbering != numbering);
        if let Some(before) = before.filter(|_| !guess) {
            let (offered, in_force) = (offer.snapshot.version().0, before.version());
            if offered < in_force {
                return Err(Refusal::Lower { offered, in_force });
            }
            if offered == in_force && offer.snapshot.sha256() != before.offer.snapshot.sha256() {
                return Err(Refusal::Contradicts(offered));
            }
            if offered == in_force && offer.halted == before.offer.halted {
                self.confirm();
                return Ok(false);
            }
        }
        let version = offer.snapshot.version().0;
        let standing = match origin {
            Origin::Upstream => Standing::Fresh,
            Origin::Disk => Standing::LastKnownGood,
            Origin::Bootstrap => Standing::Bootstrap,
        };
        let next = Current::compile(offer, &self.environment, numbering, origin, standing)
            .map_err(|problem| Refusal::Unusable { version, problem })?;
        for (key, problem) in next.ruleset.quarantined() {
            tracing::error!(key, problem, "a definition cannot be evaluated; the others can");
        }
        self.metrics.quarantined.set(next.ruleset.quarantined().len() as i64);
        self.metrics.config_version.set(version as i64);
        let (snapshot, tag) = (next.offer.snapshot.clone(), next.tag.clone());
        self.swap(next);
        if let Some(news) = &*self.news.lock().expect("no code panics while it holds this lock") {
            news.send_replace(Some(tag));
        }
        tracing::info!(version, origin = ?origin, "definitions are in force at the edge");
        if origin == Origin::Upstream {
            self.heard();
            self.keep(&snapshot, numbering);
        }
        Ok(true)
    }

    fn swap(&self, next: Current) {
        let before = self.current.swap(Some(Arc::new(next)));
        self.state().replaced.extend(before);
    }

    fn keep(&self, snapshot: &assay_experiment::snapshot::Snapshot, numbering: Numbering) {
        let Some(disk) = &self.disk else { return };
        let outcome = disk.save(snapshot, numbering).map_err(|problem| problem.to_string());
        if let Err(problem) = &outcome {
            tracing::error!(problem, "definitions could not be kept on disk; a restart without the source needs them");
        }
        self.metrics.disk_failures.inc_by(u64::from(outcome.is_err()));
        self.state().disk = outcome.err();
    }

    fn heard(&self) {
        let mut state = self.state();
        (state.heard, state.upstream) = (Some(Instant::now()), None);
    }

    /// The source has nothing newer than what is in force.
    pub fn confirm(&self) {
        self.heard();
        if let Some(current) = self.current.load_full()
            && current.standing != Standing::Fresh
        {
            self.swap(current.with(Origin::Upstream, Standing::Fresh));
            self.keep(&current.offer.snapshot, current.numbering);
        }
    }

    /// The source gave nothing that could be used.
    pub fn failed(&self, problem: String) {
        self.metrics.config_updates.with_label_values(&["failed"]).inc();
        let mut state = self.state();
        if state.upstream.as_ref() != Some(&problem) {
            tracing::warn!(problem, "the source of the definitions gives none; what is in force stays");
        }
        state.upstream = Some(problem);
    }

    /// To be called every second: what was fresh gets stale, and what nobody uses any more is dropped.
    pub fn tick(&self) {
        let silent = {
            let mut state = self.state();
            state.replaced.retain(|replaced| Arc::strong_count(replaced) > 1);
            state.heard.is_none_or(|heard| heard.elapsed() > STALE_AFTER)
        };
        let current = self.current.load_full();
        if let Some(current) = current.as_ref().filter(|current| current.standing == Standing::Fresh && silent) {
            self.swap(current.with(Origin::Upstream, Standing::Stale));
        }
        let sources = self.sources();
        self.metrics.config_age.set(sources.age_seconds.unwrap_or(-1.0));
        for standing in Standing::ALL {
            let is = self.current.load().as_ref().is_some_and(|current| current.standing == standing);
            self.metrics.standing.with_label_values(&[standing.name()]).set(i64::from(is));
        }
    }

    /// What probes tell.
    pub fn sources(&self) -> Sources {
        let state = self.state();
        Sources {
            age_seconds: state.heard.map(|heard| heard.elapsed().as_secs_f64()),
            upstream: state.upstream.clone(),
            disk: state.disk.clone(),
        }
    }

    /// Waits a little for a version that a client has heard of.
    pub async fn wait_for(&self, version: u64, patience: Duration) {
        let reached = || self.current.load().as_ref().is_some_and(|current| current.version() >= version);
        if reached() {
            return;
        }
        let mut news = self.news();
        // Whoever does not get it in time gets what there is.
        let _ = tokio::time::timeout(patience, async { while !reached() && news.changed().await.is_ok() {} }).await;
    }

    /// The greatest version of this numbering that is in force or on disk, with what it says: where an edge that counts goes on.
    pub fn newest(&self, numbering: Numbering) -> Option<Arc<assay_experiment::snapshot::Snapshot>> {
        let current = self.current.load_full().filter(|current| current.numbering == numbering);
        current.map(|current| current.offer.snapshot.clone())
    }
}
