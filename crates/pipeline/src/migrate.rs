//! Brings the tables of a database to what this build needs, and refuses one that is newer.

use crate::sink::{ClickHouse, Erasure, Insert, Sink, SinkError};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Number, name and statements, in order; never changed once published.
const MIGRATIONS: [(u32, &str, &str); 4] = [
    (1, "tables", include_str!("../../../schemas/clickhouse/0001_tables.sql")),
    (2, "views", include_str!("../../../schemas/clickhouse/0002_views.sql")),
    (3, "looks", include_str!("../../../schemas/clickhouse/0003_looks.sql")),
    (4, "split", include_str!("../../../schemas/clickhouse/0004_split.sql")),
];

/// How many blocks a table has to remember, so that a retried insert is recognised.
const DEDUPLICATION_WINDOW: u64 = 100_000;
/// And for how long; a table that is not replicated remembers without an end.
const DEDUPLICATION_SECONDS: u64 = 7 * 24 * 3_600;
/// Tables that rows of the pipeline go into.
const TABLES: [&str; 3] = ["experiment_events", "dead_letters", "chunks"];

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// ClickHouse is away or refused.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A newer build was here.
    #[error("the database has migration {found}, this build knows {known}; use the build that made it, or a newer one")]
    Newer {
        /// Highest number in the database.
        found: u32,
        /// Highest number in this build.
        known: u32,
    },
    /// Somebody changed a setting that exactly-once needs.
    #[error(
        "table {table} remembers too few inserted blocks; run: ALTER TABLE {table} MODIFY SETTING {setting} = {needed}"
    )]
    Window {
        /// The table.
        table: String,
        /// The setting.
        setting: &'static str,
        /// What it should be, at least.
        needed: u64,
    },
}

impl MigrationError {
    /// Whether it passes by itself; otherwise somebody has to do what the message says.
    pub fn is_passing(&self) -> bool {
        matches!(self, MigrationError::Sink(_))
    }
}

/// Creates the database and what is missing in it. Running it again changes nothing.
pub fn migrate(clickhouse: &ClickHouse) -> Result<(), MigrationError> {
    clickhouse.create_database()?;
    clickhouse.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, name String, applied_at DateTime DEFAULT now()) \
         ENGINE = ReplacingMergeTree ORDER BY version",
    )?;
    let found = number(&clickhouse.query("SELECT max(version) FROM schema_migrations", "TabSeparated")?);
    let known = MIGRATIONS[MIGRATIONS.len() - 1].0;
    if found > known {
        return Err(MigrationError::Newer { found, known });
    }
    for (version, name, statements) in MIGRATIONS.iter().filter(|(version, ..)| *version > found) {
        for statement in split(statements) {
            clickhouse.execute(statement)?;
        }
        clickhouse.execute(&format!("INSERT INTO schema_migrations (version, name) VALUES ({version}, '{name}')"))?;
        tracing::info!(version, name, "migrated the database");
    }
    TABLES.iter().try_for_each(|table| check_windows(clickhouse, table))
}

fn check_windows(clickhouse: &ClickHouse, table: &str) -> Result<(), MigrationError> {
    let sql = format!("SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'");
    let engine = String::from_utf8_lossy(&clickhouse.query(&sql, "TabSeparated")?).into_owned();
    for (setting, needed) in needed_windows(&engine) {
        let found = match setting_of(&engine, setting) {
            Some(found) => found,
            None => default_of(clickhouse, setting)?,
        };
        if found < needed {
            return Err(MigrationError::Window { table: table.to_owned(), setting, needed });
        }
    }
    Ok(())
}

/// What an engine must remember, and how much of it.
fn needed_windows(engine: &str) -> Vec<(&'static str, u64)> {
    if engine.starts_with("Replicated") || engine.starts_with("Shared") {
        vec![
            ("replicated_deduplication_window", DEDUPLICATION_WINDOW),
            ("replicated_deduplication_window_seconds", DEDUPLICATION_SECONDS),
        ]
    } else {
        vec![("non_replicated_deduplication_window", DEDUPLICATION_WINDOW)]
    }
}

/// A setting in the text of an engine; the names of two of them end in the same words.
fn setting_of(engine: &str, setting: &str) -> Option<u64> {
    engine.split([' ', ',', '\n']).collect::<Vec<_>>().windows(3).find_map(|words| match words {
        [name, "=", value] if *name == setting => value.parse().ok(),
        _ => None,
    })
}

/// What the server takes where a table says nothing.
fn default_of(clickhouse: &ClickHouse, setting: &str) -> Result<u64, SinkError> {
    let table =
        if setting.starts_with("replicated") { "replicated_merge_tree_settings" } else { "merge_tree_settings" };
    let sql = format!("SELECT value FROM system.{table} WHERE name = '{setting}'");
    let answer = clickhouse.query(&sql, "TabSeparated")?;
    Ok(std::str::from_utf8(&answer).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

fn number(text: &[u8]) -> u32 {
    std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Statements of a file: they end in `;` at the end of a line, and no text in them does.
fn split(file: &str) -> impl Iterator<Item = &str> {
    file.split(";\n").map(str::trim).filter(|statement| {
        statement.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
    })
}

/// A ClickHouse whose tables are made, or found fit, before the first row goes in: at the start, or whenever it comes within reach.
pub struct Migrated {
    clickhouse: ClickHouse,
    /// Held while the tables are being made, so that one thread makes them; what it found is what those that waited get.
    ready: Mutex<Ready>,
}

enum Ready {
    Unknown,
    Yes,
    No { since: Instant, why: SinkError },
}

/// A database that is of no use is looked at again after this long: somebody may have repaired it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Migrated {
    /// Nothing is asked before [`Migrated::prepare`] or the first row.
    pub fn new(clickhouse: ClickHouse) -> Self {
        Migrated { clickhouse, ready: Mutex::new(Ready::Unknown) }
    }

    /// Makes the tables if that has not been done.
    pub fn prepare(&self) -> Result<(), SinkError> {
        let asked = Instant::now();
        let mut ready = self.ready.lock().expect("no code panics while it holds this lock");
        match &*ready {
            Ready::Yes => return Ok(()),
            // Somebody found out while this thread waited, or nobody can have changed it yet.
            Ready::No { since, why } if *since >= asked => return Err(why.clone()),
            Ready::No { since, why: why @ SinkError::Refused(_) } if since.elapsed() < LOOK_AGAIN => {
                return Err(why.clone());
            }
            Ready::No { .. } | Ready::Unknown => {}
        }
        let (why, level) = match migrate(&self.clickhouse) {
            Ok(()) => {
                *ready = Ready::Yes;
                return Ok(());
            }
            Err(MigrationError::Sink(problem)) => (problem, tracing::Level::WARN),
            Err(problem) => (SinkError::Refused(problem.to_string()), tracing::Level::ERROR),
        };
        if !matches!(&*ready, Ready::No { why: known, .. } if *known == why) {
            match level {
                tracing::Level::ERROR => {
                    tracing::error!(%why, "nothing is delivered to ClickHouse; rows wait in the store")
                }
                _ => tracing::warn!(%why, "ClickHouse's tables are not made yet; rows wait in the store"),
            }
        }
        *ready = Ready::No { since: Instant::now(), why: why.clone() };
        Err(why)
    }

    /// A table that is gone is made again: somebody dropped the database, or put an empty ClickHouse in place of the old one.
    fn look_at<T>(&self, outcome: Result<T, SinkError>) -> Result<T, SinkError> {
        if let Err(SinkError::Refused(why)) = &outcome
            && (why.contains("UNKNOWN_TABLE") || why.contains("UNKNOWN_DATABASE"))
        {
            *self.ready.lock().expect("no code panics while it holds this lock") = Ready::Unknown;
        }
        outcome
    }
}

impl Sink for Migrated {
    fn insert(&self, insert: &Insert) -> Result<(), SinkError> {
        self.prepare()?;
        self.look_at(self.clickhouse.insert(insert))
    }

    fn erase(&self, erasure: &Erasure) -> Result<bool, SinkError> {
        self.prepare()?;
        self.look_at(self.clickhouse.erase(erasure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_and_comments_alone_are_none() {
        let found: Vec<&str> = split("-- a\nSELECT 1;\n\n-- b\nSELECT 2\n;\n-- the end\n").collect();
        assert_eq!(found, ["-- a\nSELECT 1", "-- b\nSELECT 2"]);
    }

    fn check(engine: &str, expected: &str) {
        let found: Vec<String> = needed_windows(engine)
            .into_iter()
            .map(|(setting, needed)| format!("{setting} {:?} of {needed}", setting_of(engine, setting)))
            .collect();
        assert_eq!(found.join("; "), expected);
    }

    #[test]
    fn each_kind_of_engine_has_its_own_windows() {
        check(
            "ReplacingMergeTree(semantics) ORDER BY offset SETTINGS non_replicated_deduplication_window = 100000, index_granularity = 8192",
            "non_replicated_deduplication_window Some(100000) of 100000",
        );
        check("MergeTree ORDER BY a", "non_replicated_deduplication_window None of 100000");
        check(
            "ReplicatedReplacingMergeTree('/a', '{replica}') ORDER BY a SETTINGS replicated_deduplication_window = 100000, replicated_deduplication_window_seconds = 3600",
            "replicated_deduplication_window Some(100000) of 100000; replicated_deduplication_window_seconds Some(3600) of 604800",
        );
    }
}
