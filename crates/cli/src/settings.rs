//! What `serve` and `demo` run with: arguments, then the environment, then a file, then what is usual.

use crate::WrongUse;
use anyhow::{Context, Result, bail};
use assay_edge::{Origins, Tokens};
use serde::Deserialize;
use std::collections::BTreeSet;
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
    /// Partitions that this process owns, such as 0-3,7: several processes share a Kafka log, each with its own --data. Default: all.
    #[arg(long, value_name = "LIST", env = "ASSAY_OWN")]
    pub own: Option<String>,
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
    /// Where flags are evaluated and events are taken. Default: 127.0.0.1:8016.
    #[arg(long, value_name = "IP:PORT", env = "ASSAY_EDGE_LISTEN")]
    pub edge_listen: Option<SocketAddr>,
    /// Where an edge gets definitions: http(s)://HOST:PORT of a control plane, a directory of YAML, or the file of a snapshot. Default: from
    /// this process.
    #[arg(long, value_name = "URL|DIR|FILE", env = "ASSAY_EDGE_SOURCE")]
    pub edge_source: Option<String>,
    /// Snapshot with which an edge starts for the first time, when its source is away.
    #[arg(long, value_name = "FILE", env = "ASSAY_EDGE_BOOTSTRAP")]
    pub edge_bootstrap: Option<PathBuf>,
    /// Pages of which origins may ask an edge: https://HOST, several parted by commas, or *. Default: *.
    #[arg(long, value_name = "ORIGINS", env = "ASSAY_EDGE_ORIGINS")]
    pub edge_origins: Option<String>,
    /// Tokens that an edge asks for, parted by commas, plain or sha256:HEX; only from the environment or the file.
    #[arg(skip)]
    pub edge_tokens: Option<String>,
    /// Token that an edge shows to its control plane; only from the environment or the file.
    pub edge_source_token: Option<String>,
    /// Whose flags an edge evaluates. Default: production.
    #[arg(long, value_name = "NAME", env = "ASSAY_ENVIRONMENT")]
    pub environment: Option<String>,
    /// Seconds between snapshots.
    #[arg(long, value_name = "SECONDS", env = "ASSAY_SNAPSHOT_SECONDS")]
    pub snapshot_seconds: Option<u64>,
    /// Seconds between results in ClickHouse, of which pictures over time are made. Default: 5.
    #[arg(long, value_name = "SECONDS", env = "ASSAY_RESULTS_SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub results_seconds: Option<u64>,
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
    /// Partitions that this process owns; `None` for all.
    pub own: Option<BTreeSet<u32>>,
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
    /// How the edge runs.
    pub edge: EdgeAt,
    /// Between snapshots.
    pub snapshot_every: Duration,
    /// Between results in ClickHouse.
    pub results_every: Duration,
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

/// How the edge runs.
#[derive(Debug, Clone)]
pub struct EdgeAt {
    /// Where it answers.
    pub listen: SocketAddr,
    /// Where definitions come from; `None`: from this process.
    pub source: Option<EdgeSource>,
    /// For the first start.
    pub bootstrap: Option<PathBuf>,
    /// Who may ask.
    pub tokens: Tokens,
    /// From which pages.
    pub origins: Origins,
    /// Whose flags.
    pub environment: String,
    /// Whether a log was named: alone, an edge does not make one up.
    pub has_log: bool,
}

/// Where the definitions of an edge come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeSource {
    /// A control plane, and the token that it asks for.
    Url(String, Option<String>),
    /// A directory or a file.
    Path(PathBuf),
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
            own: self.own.or(file.own),
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
            edge_listen: self.edge_listen.or(file.edge_listen),
            edge_source: self.edge_source.or(file.edge_source),
            edge_bootstrap: self.edge_bootstrap.or(file.edge_bootstrap),
            edge_origins: self.edge_origins.or(file.edge_origins),
            edge_tokens: self.edge_tokens.or(file.edge_tokens),
            edge_source_token: self.edge_source_token.or(file.edge_source_token),
            environment: self.environment.or(file.environment),
            snapshot_seconds: self.snapshot_seconds.or(file.snapshot_seconds),
            results_seconds: self.results_seconds.or(file.results_seconds),
            spill_bytes: self.spill_bytes.or(file.spill_bytes),
        })
    }

    /// Fills in what is usual and checks the rest.
    pub fn complete(self) -> Result<Settings> {
        let data = self.data.unwrap_or_else(|| PathBuf::from(".local/assay"));
        let has_log = self.log.is_some();
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
        let own = self.own.as_deref().map(owned).transpose()?;
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
        let edge = edge_at(
            self.edge_listen.unwrap_or(listen(8016)),
            self.edge_source.map(|source| edge_source(source, self.edge_source_token)).transpose()?,
            self.edge_bootstrap,
            self.edge_tokens.as_deref().unwrap_or_default(),
            self.edge_origins.as_deref().unwrap_or("*"),
            self.environment.unwrap_or_else(|| "production".to_owned()),
            has_log,
        )?;
        Ok(Settings {
            log,
            partitions,
            own,
            topics: self.topics.unwrap_or_else(|| "assay".to_owned()),
            clickhouse,
            database: self.database.unwrap_or_else(|| "assay".to_owned()),
            login: (self.clickhouse_user, self.clickhouse_password),
            config: self.config,
            listen: self.listen.unwrap_or(listen(8080)),
            read_token: self.read_token.filter(|token| !token.is_empty()),
            dashboards: self.dashboards,
            edge,
            snapshot_every: Duration::from_secs(self.snapshot_seconds.unwrap_or(30)),
            results_every: Duration::from_secs(self.results_seconds.unwrap_or(5).max(1)),
            spill_bytes: self.spill_bytes.unwrap_or(16 << 30),
            data,
        })
    }
}

fn edge_source(given: String, token: Option<String>) -> Result<EdgeSource> {
    if given.starts_with("http://") || given.starts_with("https://") {
        return Ok(EdgeSource::Url(given, token));
    }
    let path = PathBuf::from(&given);
    if !path.exists() && path.extension().is_none_or(|extension| extension != "json") {
        bail!(WrongUse(format!(
            "--edge-source: '{given}' is neither http://HOST:PORT nor a directory nor a file; a snapshot that is yet to come ends in .json"
        )));
    }
    Ok(EdgeSource::Path(path))
}

fn edge_at(
    listen: SocketAddr,
    source: Option<EdgeSource>,
    bootstrap: Option<PathBuf>,
    tokens: &str,
    origins: &str,
    environment: String,
    has_log: bool,
) -> Result<EdgeAt> {
    let tokens = Tokens::parse(tokens)
        .map_err(|problem| WrongUse(format!("tokens of the edge (ASSAY_EDGE_TOKENS): {problem}")))?;
    let origins = Origins::parse(origins).map_err(|problem| WrongUse(format!("--edge-origins: {problem}")))?;
    // Whoever can reach it could write events for anybody.
    if tokens.is_open() && !listen.ip().is_loopback() {
        bail!(WrongUse(format!(
            "--edge-listen {listen} can be reached from other machines, but there are no tokens; set ASSAY_EDGE_TOKENS, or listen on 127.0.0.1"
        )));
    }
    if let Some(missing) = bootstrap.as_ref().filter(|path| !path.is_file()) {
        bail!(WrongUse(format!("--edge-bootstrap: {} is no file", missing.display())));
    }
    Ok(EdgeAt { listen, source, bootstrap, tokens, origins, environment, has_log })
}

/// Most partitions of a log.
const PARTITIONS_MAX: u32 = 65_536;

/// `0-3,7` as numbers.
fn owned(text: &str) -> Result<BTreeSet<u32>> {
    let wrong = || WrongUse(format!("--own: '{text}' is no list of partitions; write one such as 0-3,7"));
    let mut all = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else { bail!(wrong()) };
        if first > last || last >= PARTITIONS_MAX {
            bail!(wrong());
        }
        all.extend(first..=last);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_partitions_are_read_or_refused() {
        assert_eq!(owned("0-3,7").unwrap().into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 7]);
        assert_eq!(owned(" 5 , 5-6 ").unwrap().into_iter().collect::<Vec<_>>(), [5, 6]);
        for wrong in ["", "a", "3-1", "1,", "-1", "0-99999999", "1-2-3"] {
            assert!(owned(wrong).unwrap_err().to_string().contains("such as 0-3,7"), "{wrong}");
        }
    }
}
