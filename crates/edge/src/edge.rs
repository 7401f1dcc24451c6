//! The whole service: threads that answer, one that follows the definitions, some that append to the log.

use assay_experiment::snapshot::Snapshot;
use prometheus::Registry;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

use crate::bulk::Length;
use crate::cors::Origins;
use crate::current::Offer;
use crate::disk::Disk;
use crate::exposures::Exposures;
use crate::files;
use crate::ladder::Ladder;
use crate::limits::Limits;
use crate::losses::Losses;
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::reports::Reports;
use crate::server::{Places, Server};
use crate::service::Service;
use crate::shipper::{Destination, Shipper};
use crate::source::Source;
use crate::stream::Streams;
use crate::tokens::Tokens;

/// Between two looks at what is over: ages, remembered exposures, old versions.
const TICK: Duration = Duration::from_secs(1);
/// Sweeping visits every remembered exposure, so it is done seldom.
const SWEEP_TICKS: u32 = 30;

/// What an edge runs with.
pub struct EdgeSettings {
    /// Of the machine: the start of its name, by which the control plane's status lists it.
    pub host: String,
    /// Whose flags: at most 64 of `[a-z0-9._-]`.
    pub environment: String,
    /// Where definitions come from.
    pub source: Source,
    /// A snapshot for the first start, when neither source nor disk have any.
    pub bootstrap: Option<PathBuf>,
    /// Where the last good definitions are kept; `None` keeps none.
    pub directory: Option<PathBuf>,
    /// Where events go; `None` takes none.
    pub destination: Option<Destination>,
    /// Who may ask.
    pub tokens: Tokens,
    /// From which pages.
    pub origins: Origins,
    /// Threads that answer.
    pub workers: usize,
    /// How much it holds at once.
    pub limits: Limits,
    /// Where measures are registered, and what `/metrics` shows.
    pub registry: Registry,
}

/// An edge that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Sockets and threads.
    #[error("the edge cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// Two edges with one registry.
    #[error("the edge's measures cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// A name that no tag may have.
    #[error("'{0}' is no environment; use at most 64 of a-z, 0-9, '.', '_' and '-'")]
    Environment(String),
    /// A bootstrap file that was asked for and cannot be used.
    #[error("the bootstrap file cannot be used: {0}")]
    Bootstrap(String),
}

/// A running edge.
pub struct Edge {
    server: Server,
    service: Arc<Service>,
    shipper: Option<Shipper>,
    follower: JoinHandle<()>,
    stop: watch::Sender<bool>,
    name: Arc<str>,
}

/// Who an edge is and what it answers from, for those who list edges.
#[derive(Clone)]
pub struct Presence {
    name: Arc<str>,
    ladder: Arc<Ladder>,
}

impl Presence {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of the version in force; `None` before there are definitions.
    pub fn version(&self) -> Option<u64> {
        self.ladder.current().as_ref().map(|current| current.version())
    }
}

impl Edge {
    /// Starts on a listening socket. It answers at once, from what is on disk until the source speaks.
    pub fn start(mut settings: EdgeSettings, listener: TcpListener) -> Result<Edge, EdgeError> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=64).contains(&settings.environment.len()) || !settings.environment.bytes().all(legal) {
            return Err(EdgeError::Environment(settings.environment));
        }
        let bootstrap = match &settings.bootstrap {
            Some(path) => Some(offer(files::snapshot(path).map_err(EdgeError::Bootstrap)?)),
            None => None,
        };
        let metrics = Metrics::new(&settings.registry)?;
        let disk = settings.directory.as_ref().map(|directory| Disk::new(directory, &settings.environment));
        let id = disk.as_ref().map_or_else(|| uuid::Uuid::new_v4().simple().to_string(), Disk::id);
        let name = name(&settings.host, &id);
        settings.source.introduce(&name);
        let reports = Reports::load(disk.as_ref().map(Disk::reports));
        let ladder = Arc::new(Ladder::new(&settings.environment, disk, metrics.clone()));
        ladder.start(settings.source.numbering(), bootstrap);
        let queue = Arc::new(Queue::new(&settings.limits));
        let losses = Arc::new(Losses::new(id, metrics.clone()));
        let shipper = match settings.destination {
            Some(to) => Some(Shipper::start(to, queue.clone(), losses.clone(), reports, metrics.clone())?),
            None => {
                queue.close();
                None
            }
        };
        let service = Arc::new(Service {
            environment: settings.environment,
            tokens: settings.tokens,
            origins: settings.origins,
            ladder,
            exposures: Exposures::new(shipper.is_some(), queue.clone(), losses, metrics.clone()),
            queue,
            shipping: shipper.as_ref().map(Shipper::shipping),
            streams: Streams::new(settings.limits.streams),
            bulk_length: Length::default(),
            places: Places::new(settings.limits.connections),
            metrics,
            registry: settings.registry,
        });
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (source, followed) = (settings.source, service.clone());
        let follower = std::thread::Builder::new()
            .name("edge-config".to_owned())
            .spawn(move || runtime.block_on(follow(source, &followed, stopped)))?;
        let server = Server::start(&service, listener, settings.workers)?;
        Ok(Edge { server, service, shipper, follower, stop, name: name.into() })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Who it is and what it answers from.
    pub fn presence(&self) -> Presence {
        Presence { name: self.name.clone(), ladder: self.service.ladder.clone() }
    }

    /// Number of the version in force; `None` before there are definitions.
    pub fn version(&self) -> Option<u64> {
        self.presence().version()
    }

    /// Finishes requests, then appends what waits, each for at most ten seconds.
    pub fn stop(self) {
        self.service.ladder.close();
        self.server.stop();
        if let Some(lost) = self.shipper.map(Shipper::stop).filter(|lost| *lost > 0) {
            tracing::error!(lost, "events were not appended, because the log did not take them in time");
        }
        // The follower holds the receiver until it ends.
        let _ = self.stop.send(true);
        if self.follower.join().is_err() {
            tracing::error!("the thread that follows the definitions panicked");
        }
    }
}

/// Bytes of a machine's name that are used; longer ones differ at their start.
const HOST_BYTES_MAX: usize = 64;

/// The machine, which people know, and the start of the id, because several edges may run on it.
fn name(host: &str, id: &str) -> String {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let host: String = host.chars().take(HOST_BYTES_MAX).map(|it| if legal(it) { it } else { '-' }).collect();
    format!("{host}-{}", id.chars().filter(|it| legal(*it)).take(8).collect::<String>())
}

fn offer(snapshot: Snapshot) -> Offer {
    Offer { snapshot: Arc::new(snapshot), halted: BTreeSet::new() }
}

/// Follows the source, and looks at the clock, until the edge stops.
async fn follow(source: Source, service: &Service, mut stopped: watch::Receiver<bool>) {
    let clock = async {
        for tick in 0u32.. {
            service.ladder.tick();
            service.metrics.connections.set(service.places.taken() as i64);
            service.metrics.streams.set(service.streams.open() as i64);
            let (events, bytes) = service.queue.waiting();
            service.metrics.queue_events.set(events as i64);
            service.metrics.queue_bytes.set(bytes as i64);
            if tick.is_multiple_of(SWEEP_TICKS) {
                service.exposures.sweep();
            }
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::select! {
        // The sender says so once, or is dropped.
        _ = stopped.wait_for(|stop| *stop) => {}
        () = source.follow(&service.ladder) => {}
        () = clock => {}
    }
}
