//! Brings the tables of a database to what this build needs, and refuses one that is newer.

use crate::sink::{ClickHouse, SinkError};

/// Number, name and statements, in order; never changed once published.
const MIGRATIONS: [(u32, &str, &str); 2] = [
    (1, "tables", include_str!("../../../schemas/clickhouse/0001_tables.sql")),
    (2, "views", include_str!("../../../schemas/clickhouse/0002_views.sql")),
];

/// How many blocks a table has to remember, so that a retried insert is recognised.
const DEDUPLICATION_WINDOW: u64 = 100_000;

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
        "table {table} remembers too few inserted blocks; run: ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = {DEDUPLICATION_WINDOW}"
    )]
    Window {
        /// The table.
        table: String,
    },
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
    for table in ["experiment_events", "dead_letters"] {
        check_window(clickhouse, table)?;
    }
    Ok(())
}

fn check_window(clickhouse: &ClickHouse, table: &str) -> Result<(), MigrationError> {
    let sql = format!("SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'");
    let engine = String::from_utf8_lossy(&clickhouse.query(&sql, "TabSeparated")?).into_owned();
    // `replicated_deduplication_window` ends in the same words.
    let window = engine.split("replicated_deduplication_window = ").nth(1).map_or(0, |rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    if window < DEDUPLICATION_WINDOW {
        return Err(MigrationError::Window { table: table.to_owned() });
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split_and_comments_alone_are_none() {
        let found: Vec<&str> = split("-- a\nSELECT 1;\n\n-- b\nSELECT 2\n;\n-- the end\n").collect();
        assert_eq!(found, ["-- a\nSELECT 1", "-- b\nSELECT 2"]);
    }
}
