//! Where a unit's exposure stands in the log: its row in ClickHouse says it.

use anyhow::{Context, Result};
use assay_pipeline::{ClickHouse, ClickHouseSettings};
use serde::Deserialize;
use std::time::Duration;
use tokio::runtime::Handle;

/// One answer may take this long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The rows of events.
pub struct Rows {
    clickhouse: ClickHouse,
    url: String,
}

/// An accepted exposure.
#[derive(Deserialize)]
pub struct Row {
    /// Its id.
    pub event_id: String,
    /// When the edge answered, in whole seconds.
    pub event_time: String,
    /// What was shown.
    pub variant: String,
    /// Of the log.
    pub partition: u32,
    /// In the partition.
    pub offset: u64,
    /// When the log took it.
    pub log_time: String,
}

impl Rows {
    /// Of a database; user and password come from the environment as for `assay sql`.
    pub fn new(url: &str, database: &str, runtime: Handle) -> Rows {
        let settings = ClickHouseSettings {
            url: url.to_owned(),
            database: database.to_owned(),
            user: std::env::var("ASSAY_CLICKHOUSE_USER").ok(),
            password: std::env::var("ASSAY_CLICKHOUSE_PASSWORD").ok(),
            timeout: PATIENCE,
        };
        Rows { clickhouse: ClickHouse::new(&settings, runtime), url: url.to_owned() }
    }

    /// The first exposure of a unit to an experiment that ClickHouse has.
    pub fn exposure(&self, experiment: &str, unit_type: &str, unit: &str) -> Result<Option<Row>> {
        let sql = "SELECT toString(event_id) AS event_id, toString(created_at) AS event_time, variant, partition, offset, \
                   toString(log_time) AS log_time FROM experiment_events FINAL \
                   WHERE event_type = 'exposure' AND experiment_id = {experiment:String} AND unit_type = {unit_type:String} \
                   AND user_id = {unit:String} ORDER BY created_at, offset LIMIT 1";
        let parameters = [("experiment", experiment), ("unit_type", unit_type), ("unit", unit)];
        let parameters = parameters.map(|(name, value)| (name, value.to_owned()));
        let answer = self.clickhouse.ask(sql, &parameters, "JSONEachRow").with_context(|| {
            format!("asking ClickHouse at {}; another address is given with --clickhouse", self.url)
        })?;
        let row = answer.split(|byte| *byte == b'\n').find(|line| !line.is_empty());
        row.map(|line| serde_json::from_slice(line).context("reading a row of ClickHouse")).transpose()
    }
}
