//! The edge of this process, beside everything else or alone, and the way of definitions to it.

use crate::WrongUse;
use crate::engine::topics;
use crate::settings::{EdgeSource, Settings};
use anyhow::{Context, Result, bail};
use assay_broker::Log;
use assay_control_plane::Version;
use assay_edge::{Destination, Edge, EdgeSettings, Limits, Offer, OpenLog, Source, Upstream};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Definitions, Status};
use prometheus::Registry;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::watch;

/// Versions of the definitions on their way to the edge of this process. The publisher writes, the edge reads.
#[derive(Clone)]
pub struct Feed(Arc<watch::Sender<Option<Offer>>>);

impl Feed {
    pub fn new() -> Feed {
        Feed(Arc::new(watch::channel(None).0))
    }

    /// A version that all partitions have: from now on exposures may name it.
    pub fn everywhere(&self, version: &Version) {
        let snapshot = Arc::new(Snapshot::new(ConfigVersion(version.number), version.bodies.clone()));
        self.0.send_if_modified(|known| {
            let new = known.as_ref().is_none_or(|known| {
                known.snapshot.version() < snapshot.version()
                    || known.snapshot.version() == snapshot.version() && !known.halted.is_empty()
            });
            if new {
                *known = Some(Offer { snapshot, halted: BTreeSet::new() });
            }
            new
        });
    }

    /// A version on its way to the partitions: what it stops or pauses is off at once, everything else waits until it is everywhere.
    pub fn announce(&self, before: Option<&Version>, next: &Version) {
        let Some(before) = before else { return };
        let snapshot = |version: &Version| Snapshot::new(ConfigVersion(version.number), version.bodies.clone());
        let (before, next) = (snapshot(before), snapshot(next));
        let (Ok(now), Ok(then)) = (before.definitions(), next.definitions()) else { return };
        let halted = halted(&now, &then);
        if !halted.is_empty() {
            self.0.send_replace(Some(Offer { snapshot: Arc::new(before), halted }));
        }
    }
}

/// What runs now and will not.
fn halted(now: &Definitions, then: &Definitions) -> BTreeSet<String> {
    let experiments = now.experiments.values().filter(|one| {
        one.status == Status::Running && then.experiments.get(&one.id).is_none_or(|it| it.status != Status::Running)
    });
    let flags = now.flags.values().filter(|one| one.enabled && then.flags.get(&one.id).is_some_and(|it| !it.enabled));
    experiments.map(|one| one.id.clone()).chain(flags.map(|one| one.id.clone())).collect()
}

/// Starts the edge on its address. `feed` is where definitions come from unless the settings name another source.
pub fn start(settings: &Settings, registry: Registry, open: Option<OpenLog>, feed: Option<&Feed>) -> Result<Edge> {
    let at = &settings.edge;
    let source = match (&at.source, feed) {
        (Some(EdgeSource::Url(url, token)), _) => Source::Http(
            Upstream::new(url, token.as_deref()).map_err(|problem| WrongUse(format!("--edge-source: {problem}")))?,
        ),
        (Some(EdgeSource::Path(path)), _) => Source::Files(path.clone()),
        (None, Some(feed)) => Source::Channel(feed.0.subscribe()),
        (None, None) if at.bootstrap.is_some() => Source::Nowhere,
        (None, None) => bail!(WrongUse(
            "an edge without a control plane in its process needs --edge-source URL, DIR or FILE".to_owned()
        )),
    };
    let listener = TcpListener::bind(at.listen).with_context(|| {
        format!(
            "listening on {}; stop what uses the port, or choose another with --edge-listen (port 0 takes a free one)",
            at.listen
        )
    })?;
    let settings = EdgeSettings {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        environment: at.environment.clone(),
        source,
        bootstrap: at.bootstrap.clone(),
        directory: Some(settings.data.join("edge")),
        destination: open.map(|open| Destination { open, topic: topics(&settings.topics).events }),
        tokens: at.tokens.clone(),
        origins: at.origins.clone(),
        workers: std::thread::available_parallelism().map_or(1, usize::from),
        limits: Limits::USUAL,
        registry,
    };
    Ok(Edge::start(settings, listener)?)
}

/// An edge and nothing else: no pipeline, no ClickHouse. The log need not be there yet; where none is named, nothing is written.
pub fn alone(settings: &Settings) -> Result<Edge> {
    let registry = Registry::new();
    crate::health::register_build(&registry)?;
    let address = settings.log.clone();
    let open: OpenLog = Box::new(move || assay_broker::open(&address));
    start(settings, registry, settings.edge.has_log.then_some(open), None)
}

/// A log that is open already.
pub fn opened(log: &Arc<dyn Log>) -> Option<OpenLog> {
    let log = log.clone();
    Some(Box::new(move || Ok(log.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::{Source as Text, canonical, parse};

    fn version(number: u64, status: &str, enabled: bool) -> Version {
        let text = format!(
            "{{ kind: experiment, id: shop, salt: s, status: {status}, variants: [{{ name: a, control: true }}, {{ name: b }}], \
             metrics: [{{ metric: bought, role: primary }}], analysis: {{ planned_units: 10 }} }}\n---\n\
             {{ kind: metric, id: bought, type: conversion, event: buy }}\n---\n\
             {{ kind: flag, id: dark, type: boolean, enabled: {enabled}, variants: {{ \"on\": true, \"off\": false }}, default: \"off\" }}"
        );
        let definitions = parse(&[Text { name: "a.yaml", text: &text }]).unwrap();
        Version { number, bodies: canonical::parts(&definitions) }
    }

    #[test]
    fn what_stops_is_off_before_the_version_is_everywhere() {
        let feed = Feed::new();
        let mut offers = feed.0.subscribe();
        let mut next = || {
            let changed = offers.has_changed().unwrap();
            let offer = offers.borrow_and_update().clone();
            changed
                .then(|| offer.map(|it| (it.snapshot.version().0, it.halted.into_iter().collect::<Vec<_>>())))
                .flatten()
        };
        let (one, two, three) = (version(1, "running", true), version(2, "paused", false), version(3, "running", true));
        feed.announce(None, &one);
        assert_eq!(next(), None);
        feed.everywhere(&one);
        assert_eq!(next(), Some((1, vec![])));
        feed.announce(Some(&one), &two);
        assert_eq!(next(), Some((1, vec!["dark".to_owned(), "shop".to_owned()])));
        feed.everywhere(&two);
        assert_eq!(next(), Some((2, vec![])));
        feed.announce(Some(&two), &three);
        assert_eq!(next(), None, "what starts waits");
        feed.everywhere(&one);
        assert_eq!(next(), None, "nothing goes back");
    }
}
