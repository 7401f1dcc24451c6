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
    /// In RowBinary; shared, because a block of many megabytes should be in memory once.
    pub rows: Bytes,
}

/// ClickHouse did not take what it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// It did not answer, or not in time: nobody knows whether it has the rows. Passes by itself.
    #[error("{0}")]
    Away(String),
    /// It answered with a refusal, which may be about this block alone; others may still be welcome.
    #[error("{0}")]
    Refused(String),
}

/// A unit that asked to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its type.
    pub unit_type: String,
    /// Who.
    pub unit_id: String,
    /// Names this attempt among others for the same unit, so that a sink can tell whether it has begun.
    pub mark: String,
}

/// Takes rows. Whatever is given twice must count once.
pub trait Sink: Send + Sync {
    /// Inserts a block; `Ok` means that it is durable.
    fn insert(&self, insert: &Insert) -> Result<(), SinkError>;
    /// Begins to remove every row that names a unit, or looks how far that is: `true` once it is done. Never waits for the removal,
    /// which may take hours on a large table.
    fn erase(&self, erasure: &Erasure) -> Result<bool, SinkError>;
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
                Ok(Err(problem @ clickhouse::error::Error::BadResponse(_))) => Err(SinkError::Refused(told(&problem))),
                Ok(Err(problem)) => Err(SinkError::Away(told(&problem))),
                Err(_) => Err(SinkError::Away(format!("ClickHouse did not answer within {limit:?}"))),
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

    /// The same with values for the `{name:Type}` of the query, which ClickHouse reads apart from its text.
    pub fn ask(&self, sql: &str, parameters: &[(&str, String)], format: &str) -> Result<Vec<u8>, SinkError> {
        let client = self.client.clone().with_database(&self.database);
        let query = client.query_raw(sql).with_setting("output_format_json_quote_64bit_integers", "0");
        let query = parameters.iter().fold(query, |query, (name, value)| query.param(name, value));
        self.within(async move { Ok(query.fetch_bytes(format)?.collect().await?.to_vec()) })
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
        let rows = insert.rows.clone();
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

    /// One mutation per table and mark, found again in `system.mutations` after a lost answer or a restart.
    ///
    /// A lightweight delete: rows are gone from every query when the mutation is done, and from the disk at the next merge. The mutation's
    /// text names the unit until ClickHouse forgets it (it keeps the last hundred).
    fn erase(&self, erasure: &Erasure) -> Result<bool, SinkError> {
        let mut done = true;
        for (table, naming) in [("experiment_events", EVENTS_NAMING), ("dead_letters", &letters_naming())] {
            match self.mutation(table, &erasure.mark)? {
                Mutation::Done => continue,
                Mutation::Running => {}
                Mutation::Failing(why) => {
                    return Err(SinkError::Refused(format!("erasing a unit from {table} does not succeed: {why}")));
                }
                Mutation::Unknown => self.delete(table, naming, erasure)?,
            }
            done = false;
        }
        Ok(done)
    }
}

/// What `system.mutations` says of a mark.
enum Mutation {
    Unknown,
    Running,
    Failing(String),
    Done,
}

/// Rows of `experiment_events` that name a unit.
const EVENTS_NAMING: &str = "user_id = {unit:String} AND unit_type = {unit_type:String}";
/// Rows of `dead_letters` that name a unit. Its type is not known there, and its id may stand in the key, in the reason, or anywhere in the
/// original bytes: as a word of its own, or behind its length as Avro writes texts. A cut-off or misrouted record names it like any other.
/// Ids written with escapes that JSON does not need are not found.
fn letters_naming() -> String {
    let word = |text: &str| {
        let split = format!("splitByString({text}, concat(detail, '\\n', key, '\\n', payload))");
        format!(
            "arrayExists((before, after) -> NOT match(before, '[A-Za-z0-9_-]') AND NOT match(after, '[A-Za-z0-9_-]'), \
             arrayMap(part -> right(part, 1), arrayPopBack({split})), arrayMap(part -> left(part, 1), arrayPopFront({split})))"
        )
    };
    format!(
        "{{unit_type:String}} != '' AND (key = {{unit:String}} OR position(payload, unhex({{avro:String}})) > 0 OR {} OR {})",
        word("{unit:String}"),
        word("{escaped:String}")
    )
}

impl ClickHouse {
    fn delete(&self, table: &str, naming: &str, erasure: &Erasure) -> Result<(), SinkError> {
        let Erasure { unit_type, unit_id, mark } = erasure;
        let sql = format!("DELETE FROM {table} WHERE {naming} AND {{mark:String}} != ''");
        let client = self.client.clone().with_database(&self.database);
        let escaped = serde_json::to_string(unit_id).expect("a text is JSON");
        let query = client
            .query_raw(&sql)
            .param("unit", unit_id)
            .param("unit_type", unit_type)
            .param("mark", mark)
            .param("avro", avro_text(unit_id))
            .param("escaped", &escaped[1..escaped.len() - 1])
            // The client must not wait for it: on a large table it takes longer than any request may.
            .with_setting("lightweight_deletes_sync", "0")
            .with_setting("mutations_sync", "0");
        self.within(query.execute())
    }

    fn mutation(&self, table: &str, mark: &str) -> Result<Mutation, SinkError> {
        let sql = format!(
            "SELECT min(is_done), any(latest_fail_reason), count() FROM system.mutations \
             WHERE database = currentDatabase() AND table = '{table}' AND position(command, '{mark}') > 0"
        );
        let answer = String::from_utf8_lossy(&self.query(&sql, "TabSeparated")?).into_owned();
        let mut fields = answer.trim_end_matches('\n').split('\t');
        let (done, why, count) = (fields.next(), fields.next().unwrap_or_default(), fields.next());
        Ok(match (count, done) {
            (None | Some("0"), _) => Mutation::Unknown,
            (_, Some("1")) => Mutation::Done,
            _ if !why.is_empty() => Mutation::Failing(why.to_owned()),
            _ => Mutation::Running,
        })
    }
}

/// A text as Avro writes it, in hexadecimal: its length in zigzag and base 128, then its bytes.
fn avro_text(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    let mut length = 2 * text.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(text.as_bytes());
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avro_puts_a_length_before_a_text() {
        assert_eq!(avro_text("u1"), "047531");
        assert_eq!(&avro_text(&"x".repeat(128))[..6], "800278");
    }
}
