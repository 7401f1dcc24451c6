//! `assay serve`: everything in one process, until it is told to stop.

use crate::edge;
use crate::engine::{Engine, Part};
use crate::settings::{Given, Settings};
use anyhow::Result;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Run Assay: evaluate flags, read events from the log, keep results, write rows to ClickHouse.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay serve --data /var/lib/assay --config experiments/\n  assay serve --log kafka://broker:9092 --clickhouse http://clickhouse:8123 --config experiments/\n  assay serve --only edge --edge-source http://assay:8080 --log kafka://broker:9092 --data /var/lib/assay-edge\n  assay serve --only edge --edge-source flags/ --environment staging\n  assay serve --file assay.toml\n\nEvery option can stand in the file (log = \"kafka://broker:9092\") or in the environment. Secrets: ASSAY_CLICKHOUSE_PASSWORD, ASSAY_EDGE_TOKENS (who may ask the edge), ASSAY_EDGE_SOURCE_TOKEN (what it shows to the control plane), or the file.\n\nAsk the edge: curl -s localhost:8016/ofrep/v1/evaluate/flags/KEY -d '{\"context\":{\"targetingKey\":\"u-17\"}}'"
)]
pub struct Arguments {
    /// File of settings.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Run single services only.
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    given: Given,
}

pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut given = arguments.given;
    given.clickhouse_password = std::env::var("ASSAY_CLICKHOUSE_PASSWORD").ok();
    given.edge_tokens = std::env::var("ASSAY_EDGE_TOKENS").ok();
    given.edge_source_token = std::env::var("ASSAY_EDGE_SOURCE_TOKEN").ok();
    let settings = given.or_file(arguments.file.as_deref())?.complete()?;
    if arguments.only == [Part::Edge] {
        return run_edge(&settings);
    }
    let engine = Engine::start(&settings, &arguments.only)?;
    eprintln!("log          {} ({} partitions, {})", settings.log, engine.genesis.partitions, engine.genesis.log);
    eprintln!("clickhouse   {}, database {}", engine.clickhouse_url, settings.database);
    eprintln!("results      http://{}/experiments, /v1/experiments, /openapi.json", engine.http);
    eprintln!("health       http://{}/readyz, /livez, /metrics", engine.http);
    if let Some(edge) = engine.edge {
        tell_edge(&settings, edge);
    }
    eprintln!("running; Ctrl-C stops");
    wait_reloading(|| engine.reload())?;
    eprintln!("stopping");
    engine.stop();
    Ok(ExitCode::SUCCESS)
}

fn run_edge(settings: &Settings) -> Result<ExitCode> {
    let edge = edge::alone(settings)?;
    tell_edge(settings, edge.address());
    eprintln!("health       http://{}/readyz, /livez, /metrics", edge.address());
    eprintln!("running; Ctrl-C stops");
    wait_for_signal()?;
    eprintln!("stopping");
    edge.stop();
    Ok(ExitCode::SUCCESS)
}

fn tell_edge(settings: &Settings, address: SocketAddr) {
    let tokens = if settings.edge.tokens.is_open() { ", without tokens" } else { "" };
    eprintln!("edge         http://{address}/ofrep/v1, environment {}{tokens}", settings.edge.environment);
}

/// Returns at Ctrl-C or SIGTERM.
pub fn wait_for_signal() -> Result<()> {
    signals()?();
    Ok(())
}

/// The same; at SIGHUP it reloads and goes on.
fn wait_reloading(reload: impl Fn()) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut hangup = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup())?
    };
    let stop = stop_signals(&runtime)?;
    runtime.block_on(async {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                Some(()) = hangup.recv() => reload(),
            }
        }
    });
    Ok(())
}

/// Becomes true at Ctrl-C or SIGTERM, for loops that look now and then.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let (raised, wait) = (flag.clone(), signals()?);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        wait();
        raised.store(true, Ordering::SeqCst);
    })?;
    Ok(flag)
}

/// From now on signals are caught; the function that is returned waits for one.
fn signals() -> Result<impl FnOnce() + Send> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop = stop_signals(&runtime)?;
    Ok(move || runtime.block_on(stop))
}

/// Ends at Ctrl-C or SIGTERM, which are caught from now on.
fn stop_signals(runtime: &Runtime) -> Result<impl Future<Output = ()> + Send + use<>> {
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
