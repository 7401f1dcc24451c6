//! Everything in one process: log, embedded ClickHouse, pipeline, analysis, health.

use crate::WrongUse;
use crate::archive::Tables;
use crate::edge::{self, Feed};
use crate::health::{self, Health};
use crate::overseer::{self, Known, Seer};
use crate::planning::Desk;
use crate::publishing::Publishing;
use crate::report::Reporter;
use crate::settings::{ClickHouseAt, Settings};
use crate::verifier::Replayer;
use anyhow::{Context, Result, anyhow, bail};
use assay_aggregates::SEMANTICS;
use assay_broker::{Log, Stamping, TopicSpec};
use assay_control_plane::http::{Board, Sources};
use assay_control_plane::{Edges, install};
use assay_edge::Edge;
use assay_embedded_clickhouse::{Access, Engine as Embedded, find_library, serve};
use assay_experiment::control::Genesis;
use assay_pipeline::{
    ClickHouse, ClickHouseSettings, DirectoryStore, Keep, Metrics, Migrated, OwnerSettings, Parts, Pipeline,
    SystemClock, Topics,
};
use prometheus::Registry;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

/// Events are kept this long in a topic that is made now.
pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 3_600);
/// An insert that takes longer counts as failed.
const INSERT_TIMEOUT: Duration = Duration::from_secs(10);
/// Snapshots of the last day stay, and the last one of every day for as long as the log keeps its records. On disk that is a day of
/// snapshots at their interval, and one for each day of the retention.
const KEEP: Keep = Keep { all_for: Duration::from_secs(24 * 3_600), dailies_for: RETENTION };
/// Rows and snapshots that may wait in memory to be flushed.
const FLUSH_BYTES: u64 = 512 << 20;
/// Looks that are kept in memory.
const BOARD_BYTES: usize = 64 << 20;
/// Between attempts to make the tables of a ClickHouse that was away at the start.
const PREPARE_EVERY: Duration = Duration::from_secs(5);

/// Which services run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Reads events, writes rows and aggregates.
    Pipeline,
    /// Reads aggregates, writes results.
    Analysis,
    /// Publishes definitions.
    ControlPlane,
    /// Evaluates flags, takes events.
    Edge,
}

/// A running Assay.
pub struct Engine {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Names of its topics.
    pub topics: Topics,
    /// What it is.
    pub genesis: Genesis,
    /// Where rows are.
    pub clickhouse: ClickHouse,
    /// Where ClickHouse answers.
    pub clickhouse_url: String,
    /// Where health and metrics answer.
    pub http: SocketAddr,
    /// Where the edge answers, if it runs here.
    pub edge: Option<SocketAddr>,
    /// The newest results and how everything is.
    pub health: Arc<Health>,
    answering: Option<Edge>,
    pipeline: Option<Arc<Pipeline>>,
    reporter: Option<Reporter>,
    /// Told by whoever wants the files of definitions to be read at once; the publishing task listens.
    reload: Arc<Notify>,
    stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

/// The topics of an installation.
pub fn topics(prefix: &str) -> Topics {
    Topics {
        events: format!("{prefix}.events"),
        aggregates: format!("{prefix}.aggregates"),
        results: format!("{prefix}.results"),
        dead_letters: format!("{prefix}.dead-letters"),
    }
}

impl Engine {
    /// Starts the parts; returns when all accept work.
    pub fn start(settings: &Settings, only: &[Part]) -> Result<Engine> {
        let runs = |part| only.is_empty() || only.contains(&part);
        std::fs::create_dir_all(&settings.data)
            .with_context(|| format!("making {}; give another directory with --data", settings.data.display()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let registry = Registry::new();
        health::register_build(&registry)?;
        let listener = listen(&runtime, settings.listen, "--listen")?;
        let http = listener.local_addr()?;
        let log = assay_broker::open(&settings.log).context("opening the log")?;
        let topics = topics(&settings.topics);
        let genesis = make_log(log.as_ref(), settings, &topics)?;
        // First of all, so that flags are answered from the disk while everything else starts.
        let feed = Feed::new();
        let answering = match runs(Part::Edge) {
            true => {
                let own = runs(Part::ControlPlane).then_some(&feed);
                Some(edge::start(settings, registry.clone(), edge::opened(&log), own)?)
            }
            false => None,
        };
        let clickhouse_url = start_clickhouse(&runtime, settings, stopped.clone())?;
        let clickhouse = ClickHouse::new(
            &ClickHouseSettings {
                url: clickhouse_url.clone(),
                database: settings.database.clone(),
                user: settings.login.0.clone(),
                password: settings.login.1.clone(),
                timeout: INSERT_TIMEOUT,
            },
            runtime.handle().clone(),
        );
        let tables = Arc::new(Migrated::new(clickhouse.clone()));
        if let Err(problem) = tables.prepare() {
            match settings.clickhouse {
                ClickHouseAt::Embedded(_) => return Err(anyhow!(problem).context("preparing ClickHouse's tables")),
                // Results do not need it; rows wait, and the tables are made when it is there.
                ClickHouseAt::Url(_) => prepare_later(&runtime, tables.clone(), stopped.clone()),
            }
        }
        let (in_force, definitions) = watch::channel(None);
        let publishing = match runs(Part::ControlPlane) {
            true => Some(Publishing::start(settings, log.clone(), &topics.events, genesis.partitions, feed, in_force)?),
            false => None,
        };
        let store = Arc::new(DirectoryStore::open(&settings.data.join("store"))?);
        let pipeline = match runs(Part::Pipeline) {
            true => Some(Arc::new(Pipeline::start(Parts {
                log: log.clone(),
                log_id: genesis.log.clone(),
                topics: topics.clone(),
                partitions: owned(settings, &genesis)?,
                sink: tables,
                store: store.clone(),
                runs: settings.data.join("runs"),
                clock: Arc::new(SystemClock::default()),
                metrics: Metrics::new(&registry)?,
                owner: OwnerSettings { snapshot_every: settings.snapshot_every, ..OwnerSettings::default() },
                keep: KEEP,
                spill_bytes_max: settings.spill_bytes,
                flush_bytes_max: FLUSH_BYTES,
            })?)),
            false => None,
        };
        let health = Arc::new(Health::new(registry, pipeline.clone())?);
        let board = Arc::new(Board::new(BOARD_BYTES));
        let reporter = match runs(Part::Analysis) {
            true => Some(Reporter::start(
                log.clone(),
                &topics,
                &genesis,
                store,
                clickhouse.clone(),
                health.clone(),
                board.clone(),
                (settings.snapshot_every, settings.results_every),
            )),
            false => None,
        };
        let reload = Arc::new(Notify::new());
        if let Some(publishing) = publishing {
            runtime.spawn(publishing.follow(health.clone(), reload.clone(), stopped.clone()));
        }
        runtime.spawn(overseer::count(health.clone(), stopped.clone()));
        let edges = Arc::new(Edges::default());
        let known = runs(Part::ControlPlane).then(|| Known {
            edges: edges.clone(),
            own: answering.as_ref().map(Edge::presence),
            definitions: definitions.clone(),
        });
        let seer = Seer::new(
            health.clone(),
            &genesis,
            settings.data.clone(),
            settings.spill_bytes,
            settings.dashboards.clone(),
            known,
        );
        let doors = assay_control_plane::http::router(Sources {
            board,
            archive: Some(Arc::new(Tables::new(clickhouse.clone()))),
            definitions,
            edges,
            planner: Some(Arc::new(Desk::default())),
            overseer: Some(Arc::new(seer)),
            verifier: Some(Arc::new(Replayer::new(
                log.clone(),
                &settings.log,
                &settings.topics,
                &topics.events,
                stopped.clone(),
            ))),
            read_token: settings.read_token.clone(),
            stopped: stopped.clone(),
            now_ms: health::now_ms,
        });
        runtime.spawn(health::serve(health.clone(), doors, listener, stopped));
        Ok(Engine {
            log,
            topics,
            genesis,
            clickhouse,
            clickhouse_url,
            http,
            edge: answering.as_ref().map(Edge::address),
            health,
            answering,
            pipeline,
            reporter,
            reload,
            stop,
            runtime: Some(runtime),
        })
    }

    /// Reads the files of definitions at once, even those that just changed.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Stops everything between two records.
    pub fn stop(mut self) {
        // Its last exposures are appended while the log is still read.
        if let Some(edge) = self.answering.take() {
            edge.stop();
        }
        if let Some(reporter) = self.reporter.take() {
            reporter.stop();
        }
        self.health.forget_pipeline();
        if let Some(pipeline) = self.pipeline.take().and_then(Arc::into_inner) {
            pipeline.stop();
        }
        let _ = self.stop.send(true);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// The partitions that this process owns.
fn owned(settings: &Settings, genesis: &Genesis) -> Result<Vec<u32>> {
    let Some(own) = &settings.own else { return Ok((0..genesis.partitions).collect()) };
    match own.last() {
        Some(&last) if last < genesis.partitions => Ok(own.iter().copied().collect()),
        _ => bail!(WrongUse(format!("--own: the log has partitions 0 to {}; name only those", genesis.partitions - 1))),
    }
}

/// Makes the tables as soon as ClickHouse is there: the first chunk of rows would do it too, but results may be written before.
fn prepare_later(runtime: &Runtime, tables: Arc<Migrated>, mut stopped: watch::Receiver<bool>) {
    runtime.spawn(async move {
        loop {
            let next = tables.clone();
            let prepared = tokio::task::spawn_blocking(move || next.prepare().is_ok()).await;
            if !matches!(prepared, Ok(false)) {
                return;
            }
            tokio::select! {
                // The sender says so once, or is dropped.
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(PREPARE_EVERY) => {}
            }
        }
    });
}

fn listen(runtime: &Runtime, address: SocketAddr, option: &str) -> Result<TcpListener> {
    runtime.block_on(TcpListener::bind(address)).with_context(|| {
        format!(
            "listening on {address}; stop what uses the port, or choose another with {option} (port 0 takes a free one)"
        )
    })
}

fn make_log(log: &dyn Log, settings: &Settings, topics: &Topics) -> Result<Genesis> {
    // A topic that exists says how many partitions it has; the wish counts only for a new one.
    let partitions = log.topic(&topics.events).map_or(settings.partitions, |topic| topic.partitions);
    let spec = |name: &str, partitions, stamping, compacted: bool| TopicSpec {
        name: name.to_owned(),
        partitions,
        stamping,
        retention: (!compacted).then_some(RETENTION),
        compacted,
    };
    let specs = [
        spec(&topics.events, partitions, Stamping::Append, false),
        spec(&topics.aggregates, partitions, Stamping::Append, false),
        spec(&topics.results, 1, Stamping::Append, true),
        spec(&topics.dead_letters, 1, Stamping::Append, false),
    ];
    let genesis = install(log, &specs, &topics.events, &settings.data.join("control"), |id, seed| Genesis {
        semantics: SEMANTICS,
        ..Genesis::new(id, partitions, seed)
    })?;
    Ok(genesis)
}

fn start_clickhouse(runtime: &Runtime, settings: &Settings, mut stopped: watch::Receiver<bool>) -> Result<String> {
    let address = match &settings.clickhouse {
        ClickHouseAt::Url(url) => return Ok(url.clone()),
        ClickHouseAt::Embedded(address) => *address,
    };
    let listener = listen(runtime, address, "--clickhouse-listen")?;
    let url = format!("http://{}", listener.local_addr()?);
    let engine = open_embedded(&settings.data)?;
    runtime.spawn(async move {
        let shutdown = async move {
            // The sender says so once, or is dropped.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(problem) = serve(engine, listener, Access::Anyone, shutdown).await {
            tracing::error!(%problem, "the embedded ClickHouse stopped answering");
        }
    });
    Ok(url)
}

/// The engine in this process, on the data directory of an installation.
pub fn open_embedded(data: &Path) -> Result<Embedded> {
    let named = std::env::var_os("ASSAY_LIBCHDB").map(PathBuf::from);
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let mut directories: Vec<PathBuf> = beside.iter().cloned().collect();
    // In a checkout the binary is in target/release and the engine in target/clickhouse.
    directories.extend(beside.iter().filter_map(|beside| Some(beside.parent()?.join("clickhouse"))));
    directories.extend(["target/clickhouse", "/usr/local/lib", "/usr/lib"].map(PathBuf::from));
    let library = find_library(named.as_deref(), &directories)?;
    Ok(Embedded::open(&library, &data.join("clickhouse"))?)
}
