//! `GET /v1/status`: what health, pipeline and disk know of this process, in one document.

use crate::health::{Health, now_ms};
use crate::pace::READ_EVERY;
use assay_aggregates::SEMANTICS;
use assay_control_plane::Edges;
use assay_control_plane::http::Published;
use assay_control_plane::status::{
    AlignedLook, Build, Config, Disk, Edge, Events, Overseer, PartitionDoing, PartitionState, Service, Sink, Status,
};
use assay_edge::Presence;
use assay_experiment::control::Genesis;
use assay_experiment::{Timestamp, format_time};
use assay_pipeline::{Doing, PartitionStatus};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Knows how everything is.
pub struct Seer {
    health: Arc<Health>,
    log: String,
    look_ms: i64,
    data: PathBuf,
    spill_bytes: u64,
    dashboards: Option<String>,
    started_ms: i64,
    edges: Option<Known>,
}

/// The edges that a control plane knows of.
pub struct Known {
    /// Those that asked it for the definitions.
    pub edges: Arc<Edges>,
    /// The one of this process, if there is one.
    pub own: Option<Presence>,
    /// What is in force.
    pub definitions: watch::Receiver<Option<Arc<Published>>>,
}

impl Seer {
    pub fn new(
        health: Arc<Health>,
        genesis: &Genesis,
        data: PathBuf,
        spill_bytes: u64,
        dashboards: Option<String>,
        edges: Option<Known>,
    ) -> Seer {
        let (log, look_ms) = (genesis.log.clone(), genesis.look_ms as i64);
        Seer { health, log, look_ms, data, spill_bytes, dashboards, started_ms: now_ms(), edges }
    }

    fn partitions(&self, look: Option<&AlignedLook>) -> Vec<PartitionState> {
        let (now, frozen) = (now_ms(), self.health.frozen());
        let held_by = look.filter(|look| look.state != "live").and_then(|look| look.held_by);
        let state = |one: PartitionStatus| {
            let known = (one.log_time_ms > 0).then_some(one.log_time_ms);
            let freeze = frozen.iter().find(|(partition, _)| *partition == one.partition).map(|(_, why)| why.clone());
            let (state, why) = match (one.doing, freeze) {
                (Doing::Halted(why), _) => (PartitionDoing::Halted, Some(why)),
                (_, Some(why)) => (PartitionDoing::Frozen, Some(why)),
                (Doing::Paused(why), _) => (PartitionDoing::Paused, Some(why)),
                (Doing::Starting, _) => (PartitionDoing::Starting, None),
                (Doing::CatchingUp, _) => (PartitionDoing::CatchingUp, None),
                (Doing::Live, _) => (PartitionDoing::Live, None),
            };
            PartitionState {
                partition: one.partition,
                state,
                why,
                log_time: known.map(time),
                behind_ms: known.map(|log_time| (now - log_time).max(0)),
                lag: one.lag,
                next_offset: one.next_offset,
                closed_look: known.map(|log_time| time(log_time - log_time.rem_euclid(self.look_ms.max(1)))),
                holds_cut: held_by == Some(one.partition),
                config_version: one.config_version,
            }
        };
        self.health.partitions().into_iter().map(state).collect()
    }

    fn sinks(&self) -> Vec<Sink> {
        let (chunks, bytes, why) = self.health.spilled();
        let mut sinks = vec![Sink {
            name: "ClickHouse",
            waiting_chunks: chunks as u64,
            waiting_bytes: bytes,
            waiting_bytes_max: Some(self.spill_bytes),
            in_flight: self.health.in_flight(),
            why: (chunks > 0 && !why.is_empty()).then_some(why),
        }];
        if let Some(why) = self.health.writer() {
            let why = Some(format!("results are not written any more: {why}"));
            sinks.push(Sink {
                name: "results in ClickHouse",
                waiting_chunks: 0,
                waiting_bytes: 0,
                waiting_bytes_max: None,
                in_flight: 0,
                why,
            });
        }
        sinks
    }

    /// All edges, where definitions are published.
    fn edges(&self) -> Option<Vec<Edge>> {
        let known = self.edges.as_ref()?;
        let now_ms = now_ms();
        if let Some(own) = &known.own {
            known.edges.heard(own.name(), own.version().unwrap_or(0), now_ms);
        }
        if let Some(published) = &*known.definitions.borrow() {
            known.edges.published(published.version, now_ms);
        }
        Some(known.edges.list(now_ms))
    }

    /// Bytes that this process may write, and all.
    fn disk(&self) -> Option<Disk> {
        let found = rustix::fs::statvfs(&self.data).ok()?;
        Some(Disk { free: found.f_bavail * found.f_frsize, total: found.f_blocks * found.f_frsize })
    }
}

impl Overseer for Seer {
    fn status(&self) -> Status {
        let look = self.health.view().map(|view| AlignedLook {
            at: format_time(view.aligned.look),
            age_ms: view.freshness.age.0 / 1_000,
            state: view.freshness.state(),
            held_by: view.freshness.held_by,
            versions_differ: view.freshness.versions_differ,
        });
        let partitions = self.partitions(look.as_ref());
        let version = partitions.iter().map(|it| it.config_version).max().unwrap_or(0);
        let (fine, says) = self.health.analysis();
        let (seconds, outcomes, dead_letters) = self.health.counted();
        Status {
            server_time: time(now_ms()),
            latency: self.health.latency(self.look_ms as f64),
            look,
            analysis: Service { fine, says },
            events: Events { seconds, outcomes, dead_letters },
            config: Config {
                version,
                partitions: partitions.iter().filter(|it| it.config_version == version).count(),
                files: self
                    .health
                    .config()
                    .map(|now| Service { fine: now.is_ok(), says: now.err().unwrap_or_else(|| "fine".to_owned()) }),
            },
            partitions,
            sinks: self.sinks(),
            edges: self.edges(),
            disk: self.disk(),
            build: Build {
                version: crate::build().to_owned(),
                semantics: SEMANTICS,
                log: self.log.clone(),
                started: time(self.started_ms),
            },
            dashboards: self.dashboards.clone(),
        }
    }
}

/// Reads the counters every few seconds until the process stops.
pub async fn count(health: Arc<Health>, mut stopped: watch::Receiver<bool>) {
    loop {
        health.count(Instant::now());
        tokio::select! {
            // The sender says so once, or is dropped.
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(READ_EVERY) => {}
        }
    }
}

fn time(ms: i64) -> String {
    format_time(Timestamp::from_millis(ms))
}
