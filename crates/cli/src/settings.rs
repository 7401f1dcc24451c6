//! What `serve` and `demo` run with: arguments, then the environment, then a file, then what is usual.

use crate::WrongUse;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings as people give them; whatever is absent is looked for in the next place.
#[derive(Debug, Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Given {
    /// Directory of everything that is kept: snapshots, and the embedded log and ClickHouse.
    #[arg(long, value_name = "DIR", env = "ASSAY_DATA")]
    pub data: Option<PathBuf>,
    /// The log: local:DIR or kafka://HOST:PORT[?SETTING=VALUE&…]. Default: local, in the data directory.
    #[arg(long, value_name = "ADDRESS", env = "ASSAY_LOG")]
    pub log: Option<String>,
    /// Partitions of a log that is made now. Default: 4 for a local log, 64 for Kafka.
    #[arg(long, value_name = "N", env = "ASSAY_PARTITIONS")]
    pub partitions: Option<u32>,
    /// What the topics' names start with.
    #[arg(long, value_name = "NAME", env = "ASSAY_TOPICS")]
    pub topics: Option<String>,
    /// ClickHouse: embedded, or http://HOST:PORT, or https://HOST:PORT.
    #[arg(long, value_name = "ADDRESS", env = "ASSAY_CLICKHOUSE")]
    pub clickhouse: Option<String>,
    /// Its database.
    #[arg(long, value_name = "NAME", env = "ASSAY_DATABASE")]
    pub database: Option<String>,
    /// Its user.
    #[arg(long, value_name = "NAME", env = "ASSAY_CLICKHOUSE_USER")]
    pub clickhouse_user: Option<String>,
    /// Its password; only from the environment or the file, because arguments can be seen by others.
    #[arg(skip)]
    pub clickhouse_password: Option<String>,
    /// Where the embedded ClickHouse answers.
    #[arg(long, value_name = "IP:PORT", env = "ASSAY_CLICKHOUSE_LISTEN")]
    pub clickhouse_listen: Option<SocketAddr>,
    /// Directory of definitions to publish on starting.
    #[arg(long, value_name = "DIR", env = "ASSAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where /metrics, /livez and /readyz answer.
    #[arg(long, value_name = "IP:PORT", env = "ASSAY_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// What readers of results have to show as a bearer token. Default: nothing.
    #[arg(long, value_name = "TOKEN", env = "ASSAY_READ_TOKEN", hide_env_values = true)]
    pub read_token: Option<String>,
    /// Where dashboards of /metrics are, for a link on the status page.
    #[arg(long, value_name = "URL", env = "ASSAY_DASHBOARDS")]
    pub dashboards: Option<String>,
    /// Seconds between snapshots.
    #[arg(long, value_name = "SECONDS", env = "ASSAY_SNAPSHOT_SECONDS")]
    pub snapshot_seconds: Option<u64>,
    /// Bytes that may wait for a ClickHouse that is away.
    #[arg(long, value_name = "BYTES", env = "ASSAY_SPILL_BYTES")]
    pub spill_bytes: Option<u64>,
}

/// Settings, complete.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of everything that is kept.
    pub data: PathBuf,
    /// Address of the log.
    pub log: String,
    /// Of a log that is made now.
    pub partitions: u32,
    /// What the topics' names start with.
    pub topics: String,
    /// Where rows go.
    pub clickhouse: ClickHouseAt,
    /// Its database.
    pub database: String,
    /// Its user and password.
    pub login: (Option<String>, Option<String>),
    /// Definitions to publish.
    pub config: Option<PathBuf>,
    /// Where health and metrics answer.
    pub listen: SocketAddr,
    /// What readers of results have to show.
    pub read_token: Option<String>,
    /// Where dashboards of /metrics are.
    pub dashboards: Option<String>,
    /// Between snapshots.
    pub snapshot_every: Duration,
    /// Bound of the spill.
    pub spill_bytes: u64,
}

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClickHouseAt {
    /// The engine in this process, and where it answers.
    Embedded(SocketAddr),
    /// A server.
    Url(String),
}

impl Given {
    /// Adds what a file says where nothing was given.
    pub fn or_file(self, path: Option<&Path>) -> Result<Given> {
        let Some(path) = path else { return Ok(self) };
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let file: Given = toml::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        Ok(Given {
            data: self.data.or(file.data),
            log: self.log.or(file.log),
            partitions: self.partitions.or(file.partitions),
            topics: self.topics.or(file.topics),
            clickhouse: self.clickhouse.or(file.clickhouse),
            database: self.database.or(file.database),
            clickhouse_user: self.clickhouse_user.or(file.clickhouse_user),
            clickhouse_password: self.clickhouse_password.or(file.clickhouse_password),
            clickhouse_listen: self.clickhouse_listen.or(file.clickhouse_listen),
            config: self.config.or(file.config),
            listen: self.listen.or(file.listen),
            read_token: self.read_token.or(file.read_token),
            dashboards: self.dashboards.or(file.dashboards),
            snapshot_seconds: self.snapshot_seconds.or(file.snapshot_seconds),
            spill_bytes: self.spill_bytes.or(file.spill_bytes),
        })
    }

    /// Fills in what is usual and checks the rest.
    pub fn complete(self) -> Result<Settings> {
        let data = self.data.unwrap_or_else(|| PathBuf::from(".local/assay"));
        let log = self.log.unwrap_or_else(|| format!("local:{}", data.join("log").display()));
        if !log.starts_with("kafka://") && !log.starts_with("local:") {
            bail!(WrongUse(format!("'{log}' is no address of a log; write local:DIR or kafka://HOST:PORT")));
        }
        if let Some(directory) = self.config.as_ref().filter(|directory| !directory.is_dir()) {
            bail!(WrongUse(format!("--config: {} is no directory", directory.display())));
        }
        let usual = if log.starts_with("kafka:") { 64 } else { 4 };
        let partitions = self.partitions.unwrap_or(usual);
        if !(1..=4_096).contains(&partitions) {
            bail!(WrongUse(format!("{partitions} partitions: a log has 1 to 4096")));
        }
        let listen = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let clickhouse = match self.clickhouse.as_deref() {
            None | Some("embedded") => ClickHouseAt::Embedded(self.clickhouse_listen.unwrap_or(listen(8123))),
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => ClickHouseAt::Url(url.to_owned()),
            Some(other) => {
                let problem = format!(
                    "'{other}' is no address of a ClickHouse; write embedded, http://HOST:PORT or https://HOST:PORT"
                );
                bail!(WrongUse(problem))
            }
        };
        if let Some(url) =
            self.dashboards.as_deref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            bail!(WrongUse(format!("--dashboards: '{url}' is no address of a page; write http://… or https://…")));
        }
        Ok(Settings {
            log,
            partitions,
            topics: self.topics.unwrap_or_else(|| "assay".to_owned()),
            clickhouse,
            database: self.database.unwrap_or_else(|| "assay".to_owned()),
            login: (self.clickhouse_user, self.clickhouse_password),
            config: self.config,
            listen: self.listen.unwrap_or(listen(8080)),
            read_token: self.read_token.filter(|token| !token.is_empty()),
            dashboards: self.dashboards,
            snapshot_every: Duration::from_secs(self.snapshot_seconds.unwrap_or(30)),
            spill_bytes: self.spill_bytes.unwrap_or(16 << 30),
            data,
        })
    }
}
