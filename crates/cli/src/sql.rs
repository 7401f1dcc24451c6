//! `assay sql`: a query to ClickHouse, the embedded one or a server.

use crate::engine::open_embedded;
use anyhow::{Context, Result, anyhow};
use assay_pipeline::{ClickHouse, ClickHouseSettings, SinkError};
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Ask ClickHouse: the rows, results and dead letters are tables there.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay sql \"SHOW TABLES\"\n  assay sql \"SELECT * FROM variant_totals(experiment = 'checkout-v3', event = 'purchase', start = '2026-05-01', stop = '2026-06-01')\"\n  assay sql --dir .local/demo/hillstrom \"SELECT * FROM balance\"\n  echo 'SELECT count() FROM events' | assay sql --format JSONEachRow\n\nWhile assay runs, its ClickHouse answers at --url; --dir opens the data of one that does not run."
)]
pub struct Arguments {
    /// The query; absent, it is read from standard input.
    query: Option<String>,
    /// Where ClickHouse answers.
    #[arg(long, value_name = "URL", env = "ASSAY_CLICKHOUSE_URL", default_value = "http://127.0.0.1:8123")]
    url: String,
    /// Data directory of an Assay that does not run; its engine is opened in place of asking --url.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The database.
    #[arg(long, value_name = "NAME", env = "ASSAY_DATABASE", default_value = "assay")]
    database: String,
    /// A format of ClickHouse's. Default: PrettyCompact in a terminal, else TabSeparatedWithNames.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// A person may wait this long.
const PATIENCE: Duration = Duration::from_secs(300);

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let query = match &arguments.query {
        Some(query) => query.clone(),
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("reading the query from standard input")?;
            text
        }
    };
    let query = query.trim().trim_end_matches(';');
    let usual = if std::io::stdout().is_terminal() { "PrettyCompact" } else { "TabSeparatedWithNames" };
    let format = arguments.format.as_deref().unwrap_or(usual);
    let answer = match &arguments.dir {
        Some(directory) => {
            let engine = open_embedded(directory)?;
            engine.query(Some(&arguments.database), query, format)?
        }
        None => ask(arguments, query, format)?,
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(&answer).and_then(|()| out.flush()) {
        // `assay sql … | head`: the reader has what it wanted.
        Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => {}
        outcome => outcome.context("writing the answer")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn ask(arguments: &Arguments, query: &str, format: &str) -> Result<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let settings = ClickHouseSettings {
        url: arguments.url.clone(),
        database: arguments.database.clone(),
        user: std::env::var("ASSAY_CLICKHOUSE_USER").ok(),
        password: std::env::var("ASSAY_CLICKHOUSE_PASSWORD").ok(),
        timeout: PATIENCE,
    };
    ClickHouse::new(&settings, runtime.handle().clone()).query(query, format).map_err(|problem| match problem {
        SinkError::Away(why) => {
            let url = &arguments.url;
            anyhow!("asking {url}; is assay running there? For one that does not run, give its data with --dir: {why}")
        }
        SinkError::Refused(why) => anyhow!("the query was refused: {why}"),
    })
}
