//! Where looks are that have left the board: behind a trait, because only the command knows ClickHouse.

use assay_experiment::Timestamp;

/// Earlier looks, series of numbers, versions of definitions. Its functions block; the doors call them on threads of their own, a few at a time.
pub trait Archive: Send + Sync {
    /// The newest kept look of an experiment at or before an instant.
    fn look(&self, experiment: &str, at: Timestamp) -> Result<Option<Kept>, ArchiveError>;

    /// The oldest kept look of an experiment.
    fn first(&self, experiment: &str) -> Result<Option<Timestamp>, ArchiveError>;

    /// The looks of one metric, in order; thinned where there are more than [`HistoryQuery::rows_max`].
    fn history(&self, query: &HistoryQuery) -> Result<Vec<HistoryRow>, ArchiveError>;

    /// The evidence on the split at each look, in order; thinned likewise.
    fn split(&self, query: &SplitQuery) -> Result<Vec<SplitRow>, ArchiveError>;

    /// The definitions that an experiment had, oldest first.
    fn versions(&self, experiment: &str) -> Result<Vec<DefinitionVersion>, ArchiveError>;
}

/// The archive did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub String);

/// A look that was kept: results with one experiment.
#[derive(Debug, Clone)]
pub struct Kept {
    /// As of when.
    pub look: Timestamp,
    /// When it was published, by the wall clock.
    pub published_ms: i64,
    /// The JSON of the results.
    pub body: String,
}

/// Which series.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    /// Id of the experiment.
    pub experiment: String,
    /// Its phase.
    pub salt: String,
    /// Id of the metric.
    pub metric: String,
    /// The treatment.
    pub variant: String,
    /// What it is compared with.
    pub control: String,
    /// First look, if the series does not begin at the start.
    pub from: Option<Timestamp>,
    /// Last look, if it does not go to the end.
    pub to: Option<Timestamp>,
    /// Looks that are read at most; where there are more, they are taken at equal distances.
    pub rows_max: usize,
}

/// One look of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// As of when.
    pub look: Timestamp,
    /// Units of the pair.
    pub units: i64,
    /// Whether the numbers say anything.
    pub status: String,
    /// Of the treatment by the control.
    pub lift: Option<f64>,
    /// Its interval.
    pub lift_low: Option<f64>,
    /// Upper end.
    pub lift_high: Option<f64>,
    /// Treatment minus control.
    pub difference: Option<f64>,
    /// Its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Evidence against no difference.
    pub ln_e: Option<f64>,
    /// The least p so far.
    pub p_value_running: Option<f64>,
    /// Of the control.
    pub mean_control: Option<f64>,
    /// Of the treatment.
    pub mean: Option<f64>,
    /// Version of the definitions in force.
    pub config_version: u64,
}

/// Which evidence on a split.
#[derive(Debug, Clone)]
pub struct SplitQuery {
    /// Id of the experiment.
    pub experiment: String,
    /// Its phase.
    pub salt: String,
    /// Id of any of its metrics, and its control: the rows to read.
    pub metric: String,
    /// The control.
    pub control: String,
    /// Attribute and value; `None` for all units.
    pub segment: Option<(String, String)>,
    /// First look, if the series does not begin at the start.
    pub from: Option<Timestamp>,
    /// Last look, if it does not go to the end.
    pub to: Option<Timestamp>,
    /// As for a history.
    pub rows_max: usize,
}

/// The split at one look.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitRow {
    /// As of when.
    pub look: Timestamp,
    /// Logarithm of the evidence against it; `None` where it is infinite, or an earlier build did not keep it.
    pub ln_e: Option<f64>,
    /// The least p so far.
    pub p_value_running: f64,
    /// In the order of the variants; empty where an earlier build did not keep them.
    pub counts: Vec<i64>,
    /// Version of the definitions in force.
    pub config_version: u64,
}

/// A definition as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionVersion {
    /// Version of the set.
    pub version: u64,
    /// When the log had it.
    pub at: Timestamp,
    /// Canonical JSON.
    pub body: String,
}
