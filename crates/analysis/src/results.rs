//! What is known at one look: of the log, of every experiment, metric, variant and segment.

use crate::findable::Findable;
use crate::guardrails::GuardrailResult;
use crate::infer::Remembered;
use crate::projected::Projected;
use crate::weeks::Week;
use assay_aggregates::{ByReason, Counters};
use assay_experiment::{
    Direction, Maturity, Method, MetricKind, Role, Span, Status as ExperimentStatus, Timestamp, Value,
};
use assay_statistics::always_valid;
use assay_statistics::bayesian::Posterior;
use assay_statistics::fixed_horizon::Test;
use assay_statistics::lift::Lift;
use std::collections::BTreeMap;

/// Everything at one look.
#[derive(Debug, Clone)]
pub struct Results {
    /// End of the look: the instant that the numbers are as of.
    pub look: Timestamp,
    /// Whether all partitions have closed this look; else some lag, and nothing may act on it.
    pub aligned: bool,
    /// Version of the definitions in force.
    pub config_version: u64,
    /// By id; the phase in force before earlier ones.
    pub experiments: Vec<ExperimentResult>,
    /// Over all partitions.
    pub counters: Counters,
    /// Per partition: first offset covered, one beyond the last, log time.
    pub offsets: BTreeMap<u32, (u64, u64, Timestamp)>,
    /// How many partitions the log has.
    pub partitions: u32,
    /// How many of them have closed this look.
    pub closed: u32,
    /// Identity of the log.
    pub log: String,
    /// Meaning of the fold.
    pub semantics: u32,
    /// 1 where running values go back to the start of the log; else named by the look with which they began anew.
    pub epoch: u64,
}

/// How far an aligned look is behind the newest look of any partition, by log time. What no partition has closed yet only a clock can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// From the end of the aligned look to the end of the newest one.
    pub age: Span,
    /// A partition that holds the aligned look back, if one does.
    pub held_by: Option<u32>,
    /// Whether it is held because partitions have different versions of the definitions: a publication is under way.
    pub versions_differ: bool,
}

/// An aligned look that is older than this, while a partition is ahead, gets a provisional companion.
const LIVE_MAX: Span = Span(5 * Span::SECOND.0);
/// After this people should know that the numbers are old.
const DELAYED_MAX: Span = Span(30 * Span::SECOND.0);

impl Freshness {
    /// `live`, `delayed` beyond 5 s, `stale` beyond 30 s.
    pub fn state(&self) -> &'static str {
        match self.age {
            age if age <= LIVE_MAX => "live",
            age if age <= DELAYED_MAX => "delayed",
            _ => "stale",
        }
    }

    /// Whether provisional results belong beside the aligned ones.
    pub fn is_late(&self) -> bool {
        self.age > LIVE_MAX
    }
}

/// One experiment.
#[derive(Debug, Clone)]
pub struct ExperimentResult {
    /// Its id.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is expected, and why.
    pub hypothesis: String,
    /// Who answers for it.
    pub owner: String,
    /// What is randomised.
    pub unit: String,
    /// What people call one of them.
    pub unit_name: String,
    /// Whether units enter.
    pub status: ExperimentStatus,
    /// Tells phases apart.
    pub salt: String,
    /// Whether the definitions in force have this phase; an earlier one is read out only.
    pub in_force: bool,
    /// Name, whether it is the control, weight.
    pub variants: Vec<(String, bool, f64)>,
    /// What people call the variants, in the same order.
    pub titles: Vec<String>,
    /// Start of the UTC hour of the first exposure that counts.
    pub started: Option<Timestamp>,
    /// From the start to the look.
    pub days_running: Option<f64>,
    /// Of everything that defines a number.
    pub plan_hash: String,
    /// Whether this look is one that every partition has closed.
    pub aligned: bool,
    /// Of all records, those that were rejected.
    pub rejected_share: Option<f64>,
    /// Of all records, those that were rejected as late.
    pub late_share: Option<f64>,
    /// Units a day since then, from the first whole hour on.
    pub units_per_day: Option<f64>,
    /// Exposed, uncrossed units per variant.
    pub units: Vec<i64>,
    /// Units seen in several variants.
    pub crossed: i64,
    /// Exposures accepted.
    pub exposures: u64,
    /// Exposures from before the experiment was live, or after it ended.
    pub outside: u64,
    /// Exposures that an edge showed and could not write, as it reported them.
    pub lost: u64,
    /// By variant shown and library.
    pub misbucketed: BTreeMap<(u8, String), u64>,
    /// Exposures that named it and were rejected, with the place of the last of each reason.
    pub rejected: ByReason,
    /// N*.
    pub planned_units: u64,
    /// Of the primary metric.
    pub alpha: f64,
    /// Which numbers decide.
    pub method: Method,
    /// Looks that counted for the running values.
    pub looks: u64,
    /// The split.
    pub srm: Srm,
    /// Per segment attribute.
    pub balance: Vec<Balance>,
    /// Over all units.
    pub metrics: Vec<MetricResult>,
    /// By segment value.
    pub segments: Vec<SegmentResult>,
    /// Whether effects differ between the values of an attribute.
    pub heterogeneity: Vec<Heterogeneity>,
    /// Effects as averages over the values of an attribute.
    pub stratified: Vec<Stratified>,
}

/// How evenly the values of an attribute fall on the arms.
#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    /// The attribute.
    pub attribute: String,
    /// The largest standardised difference between a treatment and the control, over its values.
    pub std_difference: f64,
    /// Chi-square, for a declared look only.
    pub p_value_fixed: f64,
    /// The least so far over its values, adjusted for their number.
    pub p_value_running: f64,
}

/// Whether the arms have the sizes that the weights promise within a segment value.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentSplit {
    /// The attribute.
    pub attribute: String,
    /// Its value, or `other`.
    pub value: String,
    /// Of this look.
    pub ln_e: f64,
    /// The least so far.
    pub p_value_running: f64,
    /// Over all values.
    pub p_value_adjusted: f64,
    /// Whether the split is broken there.
    pub alarm: bool,
}

/// Whether the effect on a primary metric differs between the values of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Heterogeneity {
    /// Id of the metric.
    pub metric: String,
    /// The attribute.
    pub attribute: String,
    /// The treatment.
    pub variant: String,
    /// Whether anything can be inferred for the metric.
    pub supported: bool,
    /// Values that are compared.
    pub values: usize,
    /// Q, its degrees of freedom, I², p.
    pub test: Option<(f64, usize, f64, f64)>,
    /// Among all that were tested.
    pub p_value_bh: Option<f64>,
}

/// The effect on a primary metric as an average over the values of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Stratified {
    /// Id of the metric.
    pub metric: String,
    /// The attribute.
    pub attribute: String,
    /// The treatment.
    pub variant: String,
    /// Whether anything can be inferred for the metric.
    pub supported: bool,
    /// The plain difference.
    pub total: Option<f64>,
    /// The average, and its standard error.
    pub average: Option<(f64, f64)>,
    /// Every large value has the opposite sign.
    pub reversal: bool,
    /// Averaging moves the effect, and the values are unbalanced.
    pub shifted: bool,
}

impl Stratified {
    /// Whether the arms have different mixtures of units.
    pub fn alarm(&self) -> bool {
        self.reversal || self.shifted
    }
}

/// Whether the arms have the sizes that the weights promise.
#[derive(Debug, Clone)]
pub struct Srm {
    /// Of the sequential test.
    pub ln_e: f64,
    /// Of this look.
    pub p_value: f64,
    /// The least so far, which decides.
    pub p_value_running: f64,
    /// Chi-square, for a declared look only.
    pub p_value_fixed: f64,
    /// The running p at which the split is called broken.
    pub threshold: f64,
    /// Whether the split is broken.
    pub alarm: bool,
    /// First exposures per variant, crossed units too.
    pub counts: Vec<i64>,
    /// Within every segment value.
    pub segments: Vec<SegmentSplit>,
}

/// A metric of an experiment.
#[derive(Debug, Clone)]
pub struct MetricResult {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// What is computed.
    pub kind: MetricKind,
    /// What values are counted in; empty means plain numbers.
    pub unit: String,
    /// What it is for.
    pub role: Role,
    /// Which way is better.
    pub direction: Direction,
    /// Which units are in n.
    pub maturity: Maturity,
    /// From the first exposure.
    pub window: Option<Span>,
    /// Upper limit of a unit's total.
    pub cap: Option<Value>,
    /// In millionths.
    pub minimum_effect: Option<i64>,
    /// In millionths.
    pub margin: Option<i64>,
    /// Units whose value may still change because their window (and L after it) has not passed, and all units; by whole hours.
    pub inside: Option<(i64, i64)>,
    /// In the order of the variants.
    pub arms: Vec<Arm>,
    /// Units exposed lately.
    pub cohorts: Vec<Cohort>,
    /// Units by week of first exposure, over all units only.
    pub weeks: Vec<Week>,
}

/// Units first exposed in the minutes or hours before the look, with their values so far.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// `1h`, `24h` or `7d`.
    pub name: &'static str,
    /// Start of the first minute (of `1h`) or hour.
    pub from: Timestamp,
    /// End of the last one, or the look where that is earlier.
    pub to: Timestamp,
    /// In the order of the variants.
    pub arms: Vec<CohortArm>,
}

/// A variant's part of a cohort.
#[derive(Debug, Clone)]
pub struct CohortArm {
    /// Units that are in the metric.
    pub units: i64,
    /// Of their values, or of numerators.
    pub sum: f64,
    /// Per unit, or the ratio.
    pub mean: Option<f64>,
}

/// A variant's numbers.
#[derive(Debug, Clone)]
pub struct Arm {
    /// Its name.
    pub variant: String,
    /// Whether the others are compared with it.
    pub control: bool,
    /// Units in the metric's n.
    pub units: i64,
    /// Of the units' values, or of numerators.
    pub sum: f64,
    /// Of denominators.
    pub denominator: Option<f64>,
    /// Per unit, or the ratio.
    pub mean: Option<f64>,
    /// Between units.
    pub variance: Option<f64>,
    /// With the control; the control has none.
    pub comparison: Option<Comparison>,
}

/// A treatment compared with the control.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Treatment minus control.
    pub difference: Option<f64>,
    /// Treatment by control, minus 1.
    pub lift: Option<f64>,
    /// Lifts that are not ruled out.
    pub lift_set: Option<Lift>,
    /// Of this look.
    pub always_valid: always_valid::Comparison,
    /// Over all looks so far; `None` in provisional results.
    pub remembered: Option<Remembered>,
    /// Holm over the treatments on the running p-values; of the primary metric only.
    pub p_value_adjusted: Option<f64>,
    /// Valid at the planned end only.
    pub fixed_horizon: Option<Test>,
    /// Descriptive.
    pub posterior: Option<Posterior>,
    /// Units and events that an arm needs, and those that the smaller arm has.
    pub burn_in_needs: (f64, f64, f64, Option<f64>),
    /// The split is broken: decisions are refused.
    pub srm_blocked: bool,
    /// Nothing can be inferred for this type of metric yet.
    pub unsupported: bool,
    /// Of guardrails, over all units.
    pub guardrail: Option<GuardrailResult>,
    /// Of primary metrics, over all units: whether this can be told, and what.
    pub findable: Option<Option<Findable>>,
    /// Of primary metrics, over all units: when it would be clear of its minimum.
    pub projected: Option<Projected>,
}

impl Comparison {
    /// Whether the numbers say anything, and if not, why: `ok`, `burn_in`, `degenerate`, `srm_blocked` or `unsupported`.
    pub fn status(&self) -> &'static str {
        match (self.unsupported, self.srm_blocked) {
            (true, _) => "unsupported",
            (_, true) => "srm_blocked",
            _ => self.always_valid.status.name(),
        }
    }
}

/// Results of one segment value.
#[derive(Debug, Clone)]
pub struct SegmentResult {
    /// The attribute.
    pub attribute: String,
    /// Its value, or `other`.
    pub value: String,
    /// Per variant.
    pub units: Vec<i64>,
    /// As for all units.
    pub metrics: Vec<MetricResult>,
}
