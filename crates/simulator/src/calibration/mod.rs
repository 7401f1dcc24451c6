//! Calibration: the error rates that the statistics promise, measured by simulation.
//!
//! A [`Scenario`] is a design of an experiment whose truth is known, how often to run it, and what it may show: each [`Measure`] has an
//! allowed range, from theory or from an independent simulation and not from these runs. [`run`] is a function of scenario, seed and a range of runs, so that the caller may split the
//! runs over threads and [`Counts::merge`] the results in any order; the counts are integers and come out the same. There is no clock,
//! file or thread in here: `examples/calibrate` has them, and a test makes a small run with the same code.
//!
//! Beside what must hold stand positive controls: methods known to fail, which must be seen failing, because a simulation that could not
//! find 61 % of false positives would not be evidence for 2 %.
//!
//! The rejected alternative is one random stream for all runs: it would be drawn in order, and could not be split.

mod brownian;
mod changing_split;
mod conversions;
mod count;
mod draw;
mod exact;
mod group_sequential;
mod guardrail;
mod multiplicity;
mod open_window;
mod revenue;
mod sample_ratio;
mod special_metrics;
mod stopping;
mod watch;

pub use count::{Counts, Kind, Measure, STAGES, Tally};
pub(crate) use draw::{Binomial, Draw, binomial_mass};

use count::Report;
use std::ops::Range;

/// One run of a scenario after its tables are built.
pub(crate) type Prepared = Box<dyn Fn(&mut Draw, &mut Report<'_>)>;

/// How an experiment with known truth comes about and is looked at.
pub(crate) trait Design: Send + Sync {
    /// Builds what all runs share, such as tables of binomials, and returns what one run does. `report` says what is asked for.
    fn prepared(&self, report: &Report<'_>) -> Prepared;
}

/// A design, how often to run it, and what it may show.
pub struct Scenario {
    /// Names it and its random numbers: renaming it draws others.
    pub id: &'static str,
    /// Which part of the statistics it belongs to.
    pub chapter: Chapter,
    /// What happens in it.
    pub title: String,
    /// Runs of a full calibration.
    pub runs: u64,
    /// Where a run ends, on the axis of its plots: in users, days, hypotheses, or fixed samples.
    pub horizon: f64,
    /// What it must show.
    pub measures: Vec<Measure>,
    pub(crate) design: Box<dyn Design>,
}

/// Parts of the statistics, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chapter {
    /// False positives of the default method and of what it replaces.
    FalsePositives,
    /// Whether intervals hold the truth at every look.
    Coverage,
    /// What continuous looking costs.
    Power,
    /// Tests of conversions without approximation.
    Exact,
    /// A few looks with a boundary.
    GroupSequential,
    /// Values that grow after exposure.
    OpenWindows,
    /// Splits that change, and several treatments.
    Allocation,
    /// Posteriors as stopping rules.
    Bayesian,
    /// Whether the split is as promised.
    SampleRatio,
    /// Covariates and quantiles.
    SpecialMetrics,
    /// Safe enough, or harmful.
    Guardrails,
    /// Many metrics, many experiments.
    Multiplicity,
}

impl Chapter {
    /// All of them, in order.
    pub const ALL: [Chapter; 12] = [
        Chapter::FalsePositives,
        Chapter::Coverage,
        Chapter::Power,
        Chapter::Exact,
        Chapter::GroupSequential,
        Chapter::OpenWindows,
        Chapter::Allocation,
        Chapter::Bayesian,
        Chapter::SampleRatio,
        Chapter::SpecialMetrics,
        Chapter::Guardrails,
        Chapter::Multiplicity,
    ];
}

/// Every scenario. Check A is the first.
pub fn scenarios() -> Vec<Scenario> {
    let parts = [
        conversions::scenarios(),
        revenue::scenarios(),
        brownian::scenarios(),
        group_sequential::scenarios(),
        open_window::scenarios(),
        changing_split::scenarios(),
        stopping::scenarios(),
        sample_ratio::scenarios(),
        exact::scenarios(),
        special_metrics::scenarios(),
        guardrail::scenarios(),
        multiplicity::scenarios(),
    ];
    let mut all: Vec<Scenario> = parts.into_iter().flatten().collect();
    // Stable: within a chapter the order is that of the files.
    all.sort_by_key(|scenario| scenario.chapter);
    all
}

/// Simulates the runs of a range. The runs of two ranges, merged, are those of both together.
pub fn run(scenario: &Scenario, seed: u64, runs: Range<u64>) -> Counts {
    let mut counts = Counts::none(&scenario.measures);
    let mut report = Report { measures: &scenario.measures, counts: &mut counts };
    let prepared = scenario.design.prepared(&report);
    for run in runs {
        prepared(&mut Draw::of(seed, scenario.id, run), &mut report);
    }
    counts
}

/// A share that an earlier, independent simulation of 10,000 runs found: within five standard errors of the difference of two such
/// shares, and a fifth beside, because the designs agree in what is said about them and not in every detail.
fn near(name: &'static str, expected: f64) -> Measure {
    let by = 5.0 * libm::sqrt(2.0 * expected.max(2e-4) / 10_000.0) + 0.2 * expected;
    let high = (expected + by).min(1.0);
    // What lies below alpha must stay there, whatever the noise of the expectation.
    let high = if expected <= 0.04 { high.min(0.05) } else { high };
    Measure::share(name, expected, (expected - by).max(0.0), high)
}

/// 100000 as 100,000, for titles.
fn grouped(number: impl Into<f64>) -> String {
    let digits = format!("{:.0}", number.into());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
