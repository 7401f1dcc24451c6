//! Rows into ClickHouse: one block per insert, under a token that says what is in it.

use bytes::Bytes;
use clickhouse::{Client, Compression};
use std::time::Duration;
use tokio::runtime::Handle;

/// One block of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// The table.
    pub table: String,
    /// Its columns, in the order of the rows' fields.
    pub columns: String,
    /// The same token always carries the same rows: ClickHouse drops a repeat.
    pub token: String,
    /// In RowBinary.
    pub rows: Vec<u8>,
}

/// ClickHouse did not take rows, or did not say so in time: nobody knows whether it has them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// Takes rows. Whatever is given twice must count once.
pub trait Sink: Send + Sync {
    /// Inserts a block; `Ok` means that it is durable.
    fn insert(&self, insert: &Insert) -> Result<(), SinkError>;
    /// Removes every row that names a unit.
    fn erase(&self, unit_type: &str, unit_id: &str) -> Result<(), SinkError>;
}

/// How to reach a ClickHouse.
#[derive(Clone)]
pub struct ClickHouseSettings {
    /// `http://host:port`.
    pub url: String,
    /// Database; made if absent.
    pub database: String,
    /// User, if any.
    pub user: Option<String>,
    /// Password, if any.
    pub password: Option<String>,
    /// After this long an insert counts as failed.
    pub timeout: Duration,
}

/// The tables of a ClickHouse server or of the embedded engine, over HTTP.
#[derive(Clone)]
pub struct ClickHouse {
    client: Client,
    database: String,
    timeout: Duration,
    runtime: Handle,
}

/// An INSERT stays one block below these many rows; a chunk has at most a quarter of a million.
const BLOCK_ROWS: &str = "1048576";
/// And below these many bytes in memory.
const BLOCK_BYTES: &str = "1073741824";

impl ClickHouse {
    /// A connection is made when it is first used.
    pub fn new(settings: &ClickHouseSettings, runtime: Handle) -> Self {
        let mut client = Client::default()
            .with_url(settings.url.trim_end_matches('/'))
            .with_compression(Compression::None)
            .with_product_info("assay", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &settings.user {
            client = client.with_user(user);
        }
        if let Some(password) = &settings.password {
            client = client.with_password(password);
        }
        ClickHouse { client, database: settings.database.clone(), timeout: settings.timeout, runtime }
    }

    fn within<T>(&self, task: impl Future<Output = clickhouse::error::Result<T>>) -> Result<T, SinkError> {
        let limit = self.timeout;
        self.runtime.block_on(async move {
            match tokio::time::timeout(limit, task).await {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(problem)) => Err(SinkError(told(&problem))),
                Err(_) => Err(SinkError(format!("ClickHouse did not answer within {limit:?}"))),
            }
        })
    }

    /// Runs a statement in the database. Blocks; not for asynchronous code.
    pub fn execute(&self, sql: &str) -> Result<(), SinkError> {
        let client = self.client.clone().with_database(&self.database);
        self.within(client.query_raw(sql).execute())
    }

    /// Makes the database if it is absent.
    pub fn create_database(&self) -> Result<(), SinkError> {
        self.within(
            self.client.query_raw(&format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&self.database))).execute(),
        )
    }

    /// Inserts rows written as JSON, one a line. Blocks; not for asynchronous code.
    pub fn insert_json(&self, table: &str, columns: &str, rows: Vec<u8>) -> Result<(), SinkError> {
        let sql = format!("INSERT INTO {table} ({columns}) FORMAT JSONEachRow");
        let client = self.client.clone().with_database(&self.database);
        self.within(async move {
            let mut request = client.insert_formatted_with(sql).with_setting("async_insert", "0");
            request.send(Bytes::from(rows)).await?;
            request.end().await
        })
    }

    /// Runs a query and gives its result in a format of ClickHouse's. Blocks; not for asynchronous code.
    pub fn query(&self, sql: &str, format: &str) -> Result<Vec<u8>, SinkError> {
        let client = self.client.clone().with_database(&self.database);
        self.within(async move {
            let mut cursor = client.query_raw(sql).fetch_bytes(format)?;
            Ok(cursor.collect().await?.to_vec())
        })
    }
}

/// The whole chain: the outermost error of a network failure says little.
fn told(problem: &clickhouse::error::Error) -> String {
    let mut text = problem.to_string();
    let mut source = std::error::Error::source(problem);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

impl Sink for ClickHouse {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        let sql = format!("INSERT INTO {} ({}) FORMAT RowBinary", insert.table, insert.columns);
        let client = self.client.clone().with_database(&self.database);
        let rows = Bytes::copy_from_slice(&insert.rows);
        self.within(async move {
            let mut request = client
                .insert_formatted_with(sql)
                .with_setting("insert_deduplication_token", &insert.token)
                .with_setting("insert_deduplicate", "1")
                .with_setting("async_insert", "0")
                .with_setting("max_insert_block_size", BLOCK_ROWS)
                .with_setting("min_insert_block_size_rows", BLOCK_ROWS)
                .with_setting("min_insert_block_size_bytes", BLOCK_BYTES)
                .with_setting("input_format_parallel_parsing", "0")
                .with_setting("max_insert_threads", "1");
            request.send(rows).await?;
            request.end().await
        })
    }

    fn erase(&self, unit_type: &str, unit_id: &str) -> Result<(), SinkError> {
        let client = self.client.clone().with_database(&self.database);
        let erase = |sql: &str| {
            let query = client.query_raw(sql).param("unit", unit_id).param("unit_type", unit_type);
            query.with_setting("lightweight_deletes_sync", "2").execute()
        };
        self.within(erase(
            "DELETE FROM experiment_events WHERE user_id = {unit:String} AND unit_type = {unit_type:String}",
        ))?;
        // The type of a dead letter's unit is not known; a key that is this unit's is reason enough.
        self.within(erase("DELETE FROM dead_letters WHERE key = {unit:String} AND {unit_type:String} != ''"))
    }
}
