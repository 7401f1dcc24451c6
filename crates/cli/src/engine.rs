//! Everything in one process: log, embedded ClickHouse, pipeline, analysis, health.

use crate::WrongUse;
use crate::archive::Tables;
use crate::definitions;
use crate::edge::{self, Feed};
use crate::health::{self, Health};
use crate::overseer::{self, Known, Seer};
use crate::planning::Desk;
use crate::report::Reporter;
use crate::settings::{ClickHouseAt, Settings};
use anyhow::{Context, Result, anyhow, bail};
use assay_aggregates::{SEMANTICS, SEMANTICS_KNOWN};
use assay_broker::{Log, Stamping, TopicSpec};
use assay_control_plane::http::{Board, Published, Sources};
use assay_control_plane::{Edges, PublishError, Publisher, Version, install};
use assay_edge::Edge;
use assay_embedded_clickhouse::{Access, Engine as Embedded, find_library, serve};
use assay_experiment::ConfigVersion;
use assay_experiment::control::Genesis;
use assay_experiment::format_time;
use assay_experiment::snapshot::Snapshot;
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
use tokio::sync::watch;

/// Events are kept this long in a topic that is made now.
const RETENTION: Duration = Duration::from_secs(14 * 24 * 3_600);
/// Between two looks at whether the definitions have to be appended again. What is read then need not be read before publishing.
const KEEP_EVERY: Duration = Duration::from_secs(300);
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
        if runs(Part::ControlPlane) {
            if let Some(version) = publish(log.as_ref(), settings, &topics, &genesis, &feed)? {
                show(version, &in_force);
            }
            runtime.spawn(keep_published(
                feed,
                log.clone(),
                topics.events.clone(),
                genesis.partitions,
                settings.data.join("control"),
                in_force,
                stopped.clone(),
            ));
        }
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
                settings.snapshot_every,
            )),
            false => None,
        };
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
            stop,
            runtime: Some(runtime),
        })
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

/// Publishes what the settings name, if they name anything; the version that is in force then, if there is one.
fn publish(
    log: &dyn Log,
    settings: &Settings,
    topics: &Topics,
    genesis: &Genesis,
    feed: &Feed,
) -> Result<Option<Version>> {
    let publisher = Publisher::new(log, &topics.events, genesis.partitions, &settings.data.join("control"));
    publisher.resume()?;
    let published = publisher.published()?;
    if let Some(version) = &published {
        feed.everywhere(version);
    }
    let Some(directory) = &settings.config else { return Ok(published) };
    let wanted = definitions::load(directory)?;
    let changes = publisher.change_settings(&wanted.settings, &SEMANTICS_KNOWN, health::now_ms());
    for change in changes.context("publishing the changes of settings")? {
        let from = format_time(change.from());
        tracing::info!(from, change.look_ms, change.chunk_ms, change.semantics, "settings will change");
    }
    let announce = |before: Option<&Version>, next: &Version| feed.announce(before, next);
    let version = publisher.publish_after(&wanted, announce).context("publishing the definitions")?;
    feed.everywhere(&version);
    tracing::info!(version = version.number, "definitions are in force");
    Ok(Some(version))
}

/// Tells the doors which definitions are in force.
fn show(version: Version, in_force: &watch::Sender<Option<Arc<Published>>>) {
    in_force.send_if_modified(|known| {
        let newer = known.as_ref().is_none_or(|known| known.version != version.number);
        if newer {
            let document = Snapshot::new(ConfigVersion(version.number), version.bodies.clone()).encode().into();
            *known = Some(Arc::new(Published { version: version.number, document, bodies: version.bodies }));
        }
        newer
    });
}

/// Every few minutes: what was published must never leave the log with old records, and what others published becomes known.
async fn keep_published(
    feed: Feed,
    log: Arc<dyn Log>,
    events: String,
    partitions: u32,
    directory: PathBuf,
    in_force: watch::Sender<Option<Arc<Published>>>,
    mut stopped: watch::Receiver<bool>,
) {
    let in_force = Arc::new(in_force);
    // The sender says so once, or is dropped.
    while tokio::time::timeout(KEEP_EVERY, stopped.wait_for(|stop| *stop)).await.is_err() {
        let (feed, log, events, directory) = (feed.clone(), log.clone(), events.clone(), directory.clone());
        let in_force = in_force.clone();
        let kept = tokio::task::spawn_blocking(move || {
            let publisher = Publisher::new(log.as_ref(), &events, partitions, &directory);
            let kept = publisher.keep(health::now_ms(), RETENTION)?;
            if let Some(version) = publisher.published()? {
                feed.everywhere(&version);
                show(version, &in_force);
            }
            Ok::<_, PublishError>(kept)
        });
        match kept.await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!("appended the definitions again"),
            Ok(Err(problem)) => tracing::error!(%problem, "could not keep the definitions in the log; trying again"),
            Err(problem) => tracing::error!(%problem, "keeping the definitions in the log failed; trying again"),
        }
    }
}
