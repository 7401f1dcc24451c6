//! Merge partitions, infer, publish results.
//!
//! [`Analysis`] is a fold over the look records of all partitions: it reads them in lockstep and infers once per look that every partition has
//! closed. Its numbers are a function of the log, like everything before it; restarts, lag and repeats leave no trace. [`Results`] are
//! outputs, never read back. Rejected: inferring from ClickHouse, because rows arrive there later than looks close, and not in lockstep.

mod findable;
mod fold;
mod guardrails;
mod infer;
mod json;
mod part;
mod plan;
mod projected;
mod records;
mod results;
mod service;
mod snapshot;
mod strata;
mod summary;
mod sums;
mod table;
mod told;
mod verdict;
mod weeks;
mod words;

pub use findable::Findable;
pub use fold::Analysis;
pub use guardrails::{Decision, GuardrailResult};
pub use infer::{Crossing, Memory, Remembered};
pub use json::{kind_name, role_name, status_name};
pub use part::Freeze;
pub use projected::Projected;
pub use results::{
    Arm, Balance, Cohort, CohortArm, Comparison, ExperimentResult, Freshness, Heterogeneity, MetricResult, Results,
    SegmentResult, SegmentSplit, Srm, Stratified,
};
pub use service::{Service, ServiceError, View};
pub use snapshot::SnapshotError;
pub use summary::Summary;
pub use table::{AGGREGATE_COLUMNS, RESULT_COLUMNS, aggregate_rows, result_rows};
pub use verdict::{Finding, Verdict};
pub use weeks::{Compared, Week, WeekArm};
pub use words::{Answer, Answers, Brief, Check, Part as SaidPart, Said, text_of};
