//! Earlier looks, series and definitions, from ClickHouse.

use assay_control_plane::http::{
    Archive, ArchiveError, Cut, DefinitionVersion, HistoryQuery, HistoryRow, Kept, SplitQuery, SplitRow,
};
use assay_experiment::Timestamp;
use assay_pipeline::ClickHouse;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Columns of [`kept`].
pub const LOOK_COLUMNS: &str = "look, experiment_id, published_at, body";

/// Rows of `experiment_looks`: each experiment at this look.
pub fn kept(cut: &Cut, published_ms: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for id in cut.ids() {
        let Some(body) = cut.document(id) else { continue };
        let row = json!({"look": seconds(cut.look.millis()), "experiment_id": id, "published_at": seconds(published_ms), "body": body});
        out.extend_from_slice(row.to_string().as_bytes());
        out.push(b'\n');
    }
    out
}

/// DateTime64(3) reads seconds with a fraction.
fn seconds(ms: i64) -> String {
    let ms = ms.max(0);
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// ClickHouse as an archive.
pub struct Tables {
    clickhouse: ClickHouse,
}

const LOOK: &str = "SELECT toUnixTimestamp64Milli(look) AS look_ms, toUnixTimestamp64Milli(published_at) AS published_ms, body \
    FROM experiment_looks WHERE experiment_id = {experiment:String} AND look <= fromUnixTimestamp64Milli({at:Int64}) \
    ORDER BY look DESC, published_at DESC LIMIT 1";
const FIRST: &str = "SELECT toUnixTimestamp64Milli(min(look)) AS first, count() AS looks FROM experiment_looks \
    WHERE experiment_id = {experiment:String}";
/// Both arms of each look; of too many looks every n-th, with the first, the last and those with the lowest and the highest lift.
const HISTORY: &str = "SELECT * FROM ( \
    SELECT *, row_number() OVER (ORDER BY look) AS place, count() OVER () AS places, min(lift) OVER () AS lowest, max(lift) OVER () AS highest \
    FROM ( \
        SELECT toUnixTimestamp64Milli(t.look) AS look, t.units + c.units AS units, t.status AS status, t.lift AS lift, \
            t.lift_low AS lift_low, t.lift_high AS lift_high, t.difference AS difference, t.low AS low, t.high AS high, t.ln_e AS ln_e, \
            t.p_value_running AS p_value_running, c.mean AS mean_control, t.mean AS mean, \
            t.config_version AS config_version \
        FROM (SELECT * FROM experiment_results FINAL WHERE experiment_id = {experiment:String} AND salt = {salt:String} \
            AND metric = {metric:String} AND segment = '' AND variant = {variant:String} \
            AND look >= fromUnixTimestamp64Milli({from:Int64}) AND look <= fromUnixTimestamp64Milli({to:Int64})) AS t \
        INNER JOIN (SELECT * FROM experiment_results FINAL WHERE experiment_id = {experiment:String} AND salt = {salt:String} \
            AND metric = {metric:String} AND segment = '' AND variant = {control:String} \
            AND look >= fromUnixTimestamp64Milli({from:Int64}) AND look <= fromUnixTimestamp64Milli({to:Int64})) AS c \
        ON c.look = t.look)) \
    WHERE places <= {rows:UInt64} OR place = 1 OR place = places OR lift = lowest OR lift = highest \
        OR place % intDiv(places + {rows:UInt64} - 1, {rows:UInt64}) = 0 \
    ORDER BY look";
/// The split at each look, of too many every n-th, with the first, the last and that with the most evidence.
const SPLIT: &str = "SELECT look_ms, ln_e, p_value_running, counts, config_version FROM ( \
    SELECT *, row_number() OVER (ORDER BY look_ms) AS place, count() OVER () AS places, max(ln_e) OVER () AS highest \
    FROM ( \
        SELECT toUnixTimestamp64Milli(look) AS look_ms, split_ln_e AS ln_e, ifNull(split_p_value, srm_p_value) AS p_value_running, \
            split_counts AS counts, config_version \
        FROM experiment_results FINAL WHERE experiment_id = {experiment:String} AND salt = {salt:String} \
            AND metric = {metric:String} AND segment = {segment:String} AND segment_value = {value:String} AND variant = {control:String} \
            AND (segment = '' OR split_p_value IS NOT NULL) \
            AND look >= fromUnixTimestamp64Milli({from:Int64}) AND look <= fromUnixTimestamp64Milli({to:Int64}))) \
    WHERE places <= {rows:UInt64} OR place = 1 OR place = places OR ln_e = highest \
        OR place % intDiv(places + {rows:UInt64} - 1, {rows:UInt64}) = 0 \
    ORDER BY look_ms";
const VERSIONS: &str = "SELECT config_version AS version, toUnixTimestamp64Milli(min(log_time)) AS at, any(body) AS text FROM experiment_events \
    WHERE event_type = 'config' AND JSONExtractString(body, 'kind') = 'experiment' AND JSONExtractString(body, 'id') = {experiment:String} \
    GROUP BY config_version ORDER BY version LIMIT 10000";

/// The first and the last millisecond that ClickHouse's times hold without fail: 1900 and 2200.
const TIMES: (i64, i64) = (-2_208_988_800_000, 7_258_118_400_000);

impl Tables {
    /// Of a database whose tables are made.
    pub fn new(clickhouse: ClickHouse) -> Self {
        Tables { clickhouse }
    }

    fn ask<T: DeserializeOwned>(&self, sql: &str, parameters: &[(&str, String)]) -> Result<Vec<T>, ArchiveError> {
        let told = |problem: &dyn std::fmt::Display| ArchiveError(problem.to_string());
        let answer = self.clickhouse.ask(sql, parameters, "JSONEachRow").map_err(|problem| told(&problem))?;
        let rows = answer.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        rows.map(|line| serde_json::from_slice(line).map_err(|problem| told(&problem))).collect()
    }
}

fn millis(at: Timestamp) -> String {
    at.millis().clamp(TIMES.0, TIMES.1).to_string()
}

impl Archive for Tables {
    fn look(&self, experiment: &str, at: Timestamp) -> Result<Option<Kept>, ArchiveError> {
        #[derive(Deserialize)]
        struct Row {
            look_ms: i64,
            published_ms: i64,
            body: String,
        }
        let rows: Vec<Row> = self.ask(LOOK, &[("experiment", experiment.to_owned()), ("at", millis(at))])?;
        let kept = |row: Row| Kept {
            look: Timestamp::from_millis(row.look_ms),
            published_ms: row.published_ms,
            body: row.body,
        };
        Ok(rows.into_iter().next().map(kept))
    }

    fn first(&self, experiment: &str) -> Result<Option<Timestamp>, ArchiveError> {
        #[derive(Deserialize)]
        struct Row {
            first: i64,
            looks: u64,
        }
        let rows: Vec<Row> = self.ask(FIRST, &[("experiment", experiment.to_owned())])?;
        Ok(rows.into_iter().find(|row| row.looks > 0).map(|row| Timestamp::from_millis(row.first)))
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<HistoryRow>, ArchiveError> {
        #[derive(Deserialize)]
        struct Row {
            look: i64,
            units: i64,
            status: String,
            lift: Option<f64>,
            lift_low: Option<f64>,
            lift_high: Option<f64>,
            difference: Option<f64>,
            low: Option<f64>,
            high: Option<f64>,
            ln_e: Option<f64>,
            p_value_running: Option<f64>,
            mean_control: Option<f64>,
            mean: Option<f64>,
            config_version: u64,
        }
        let parameters = [
            ("experiment", query.experiment.clone()),
            ("salt", query.salt.clone()),
            ("metric", query.metric.clone()),
            ("variant", query.variant.clone()),
            ("control", query.control.clone()),
            ("from", query.from.map_or(TIMES.0.to_string(), millis)),
            ("to", query.to.map_or(TIMES.1.to_string(), millis)),
            ("rows", query.rows_max.to_string()),
        ];
        let rows: Vec<Row> = self.ask(HISTORY, &parameters)?;
        let row = |it: Row| HistoryRow {
            look: Timestamp::from_millis(it.look),
            units: it.units,
            status: it.status,
            lift: it.lift,
            lift_low: it.lift_low,
            lift_high: it.lift_high,
            difference: it.difference,
            low: it.low,
            high: it.high,
            ln_e: it.ln_e,
            p_value_running: it.p_value_running,
            mean_control: it.mean_control,
            mean: it.mean,
            config_version: it.config_version,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn split(&self, query: &SplitQuery) -> Result<Vec<SplitRow>, ArchiveError> {
        #[derive(Deserialize)]
        struct Row {
            look_ms: i64,
            ln_e: Option<f64>,
            p_value_running: f64,
            counts: Vec<i64>,
            config_version: u64,
        }
        let (segment, value) = query.segment.clone().unwrap_or_default();
        let parameters = [
            ("experiment", query.experiment.clone()),
            ("salt", query.salt.clone()),
            ("metric", query.metric.clone()),
            ("control", query.control.clone()),
            ("segment", segment),
            ("value", value),
            ("from", query.from.map_or(TIMES.0.to_string(), millis)),
            ("to", query.to.map_or(TIMES.1.to_string(), millis)),
            ("rows", query.rows_max.to_string()),
        ];
        let rows: Vec<Row> = self.ask(SPLIT, &parameters)?;
        let row = |it: Row| SplitRow {
            look: Timestamp::from_millis(it.look_ms),
            ln_e: it.ln_e,
            p_value_running: it.p_value_running,
            counts: it.counts,
            config_version: it.config_version,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn versions(&self, experiment: &str) -> Result<Vec<DefinitionVersion>, ArchiveError> {
        #[derive(Deserialize)]
        struct Row {
            version: u64,
            at: i64,
            text: String,
        }
        let rows: Vec<Row> = self.ask(VERSIONS, &[("experiment", experiment.to_owned())])?;
        let version =
            |row: Row| DefinitionVersion { version: row.version, at: Timestamp::from_millis(row.at), body: row.text };
        Ok(rows.into_iter().map(version).collect())
    }
}
