//! `assay serve`: everything in one process, until it is told to stop.

use crate::engine::{Engine, Part};
use crate::settings::Given;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run Assay: read events from the log, keep results, write rows to ClickHouse.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay serve --data /var/lib/assay --config experiments/\n  assay serve --log kafka://broker:9092 --clickhouse http://clickhouse:8123 --config experiments/\n  assay serve --file assay.toml\n\nEvery option can stand in the file (log = \"kafka://broker:9092\") or in the environment. Passwords: ASSAY_CLICKHOUSE_PASSWORD, or the file."
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
    let settings = given.or_file(arguments.file.as_deref())?.complete()?;
    let engine = Engine::start(&settings, &arguments.only)?;
    eprintln!("log          {} ({} partitions, {})", settings.log, engine.genesis.partitions, engine.genesis.log);
    eprintln!("clickhouse   {}, database {}", engine.clickhouse_url, settings.database);
    eprintln!("health       http://{}/readyz, /livez, /metrics", engine.http);
    eprintln!("running; Ctrl-C stops");
    wait_for_signal()?;
    eprintln!("stopping");
    engine.stop();
    Ok(ExitCode::SUCCESS)
}

/// Returns at Ctrl-C or SIGTERM.
pub fn wait_for_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            outcome = tokio::signal::ctrl_c() => outcome?,
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
