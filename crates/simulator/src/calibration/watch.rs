//! Watches a pair of arms look by look, with every method that a scenario asks for.

use super::count::Report;
use assay_statistics::always_valid::{self, Comparison, Design, Status};
use assay_statistics::lift;
use assay_statistics::moments::Arm;
use assay_statistics::sides::Sides;
use libm::{fabs, sqrt};

/// The default, waiting period included.
pub(crate) const DEFAULT: &str = "default";
/// Waiting only for 50 units per arm, not for events.
pub(crate) const NO_EVENT_RULE: &str = "default, no event rule";
/// The same mixture over Welch's variance, as usually implemented.
pub(crate) const PLAIN_WELCH: &str = "plain Welch variance";
/// z at every look against the fixed-horizon bound.
pub(crate) const NAIVE: &str = "fixed-horizon z at every look";
/// The default at the last look, forgetting all before.
pub(crate) const LAST_LOOK: &str = "default, last look alone";
/// By the planned number of units.
pub(crate) const BY_PLAN: &str = "default, by planned n";
/// z once, at the planned number of units.
pub(crate) const FIXED_AT_PLAN: &str = "fixed-horizon z, once at planned n";
/// Units at the first crossing, or all.
pub(crate) const UNITS: &str = "users when it stops";
/// The interval excluded the true difference at some look.
pub(crate) const MISSED: &str = "difference missed";
/// The same without the event rule.
pub(crate) const MISSED_NO_EVENT_RULE: &str = "difference missed, no event rule";
/// The same for plain Welch.
pub(crate) const MISSED_WELCH: &str = "difference missed, plain Welch variance";
/// Fieller's set excluded the true lift at some look.
pub(crate) const LIFT_MISSED: &str = "lift missed, Fieller";
/// Fieller's, without the event rule.
pub(crate) const LIFT_MISSED_NO_EVENT_RULE: &str = "lift missed, Fieller, no event rule";
/// The delta method's interval did.
pub(crate) const DELTA_MISSED: &str = "lift missed, delta";
/// The delta method's, without the event rule.
pub(crate) const DELTA_MISSED_NO_EVENT_RULE: &str = "lift missed, delta, no event rule";

/// What is true, and what was planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched {
    /// Chosen before the first look.
    pub(crate) design: Design,
    /// N*, at which power is compared.
    pub(crate) planned: f64,
    /// Treatment minus control.
    pub(crate) difference: f64,
    /// Relative to control.
    pub(crate) lift: f64,
    /// How many looks a run has.
    pub(crate) looks: u32,
    /// Units of one look.
    pub(crate) batch: u32,
}

/// Which of the methods below a scenario asks for, in their order; found once, not at every look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted([bool; METHODS]);

const METHODS: usize = 11;
const FIRSTS: [&str; METHODS] = [
    DEFAULT,
    NO_EVENT_RULE,
    PLAIN_WELCH,
    NAIVE,
    MISSED,
    MISSED_NO_EVENT_RULE,
    MISSED_WELCH,
    LIFT_MISSED,
    LIFT_MISSED_NO_EVENT_RULE,
    DELTA_MISSED,
    DELTA_MISSED_NO_EVENT_RULE,
];

impl Wanted {
    pub(crate) fn of(report: &Report<'_>) -> Wanted {
        Wanted(FIRSTS.map(|name| report.wants(name)))
    }
}

/// One run.
pub(crate) struct Watch {
    watched: Watched,
    wanted: Wanted,
    z: f64,
    firsts: [Option<u32>; METHODS],
    by_plan: bool,
    fixed_at_plan: bool,
    last_look: bool,
}

impl Watch {
    pub(crate) fn new(watched: Watched, wanted: Wanted) -> Watch {
        // The quantile is the same for all runs, but its cost is nothing against a run's.
        let z = Sides::Two.critical(watched.design.alpha());
        Watch { watched, wanted, z, firsts: [None; METHODS], by_plan: false, fixed_at_plan: false, last_look: false }
    }

    /// One look; `share` is the pooled share of units with an event, for metrics that have events.
    pub(crate) fn look(&mut self, look: u32, control: &Arm, treatment: &Arm, share: Option<f64>) {
        let Watched { design, planned, difference, lift, .. } = self.watched;
        let full = always_valid::compare(control, treatment, share, &design);
        let crossed = full.p_value < design.alpha().value();
        self.mark(0, look, || crossed);
        self.mark(4, look, || misses(&full, difference));
        self.mark(7, look, || lift_missed(&full, control, treatment, lift));
        self.mark(9, look, || delta_missed(&full, control, treatment, lift));
        self.last_look = crossed;

        let lenient = if full.status == Status::BurnIn && self.lenient() {
            always_valid::compare(control, treatment, None, &design)
        } else {
            full
        };
        self.mark(1, look, || lenient.p_value < design.alpha().value());
        self.mark(5, look, || misses(&lenient, difference));
        self.mark(8, look, || lift_missed(&lenient, control, treatment, lift));
        self.mark(10, look, || delta_missed(&lenient, control, treatment, lift));

        self.mark(2, look, || welch_excludes(&lenient, &design, 0.0));
        self.mark(6, look, || welch_excludes(&lenient, &design, difference));
        let z = self.z;
        self.mark(3, look, || significant(&lenient, z));
        // The first look that has the planned number is where a fixed horizon ends.
        let at_plan = full.units - f64::from(self.watched.batch) < planned && planned <= full.units;
        if at_plan {
            self.by_plan = self.firsts[0].is_some();
            self.fixed_at_plan = significant(&lenient, z);
        }
    }

    fn lenient(&self) -> bool {
        [1, 2, 3, 5, 6, 8, 10].into_iter().any(|at| self.wanted.0[at])
    }

    fn mark(&mut self, at: usize, look: u32, happened: impl FnOnce() -> bool) {
        if self.wanted.0[at] && self.firsts[at].is_none() && happened() {
            self.firsts[at] = Some(look);
        }
    }

    /// After the last look.
    pub(crate) fn report(&self, report: &mut Report<'_>) {
        for (name, first) in FIRSTS.iter().zip(self.firsts) {
            report.first(name, first, self.watched.looks);
        }
        report.whether(LAST_LOOK, self.last_look);
        report.whether(BY_PLAN, self.by_plan);
        report.whether(FIXED_AT_PLAN, self.fixed_at_plan);
        let looks = self.firsts[0].unwrap_or(self.watched.looks);
        report.amount(UNITS, u64::from(looks) * u64::from(self.watched.batch));
    }
}

/// Whether the interval excludes the truth.
fn misses(comparison: &Comparison, truth: f64) -> bool {
    truth < comparison.low || comparison.high < truth
}

fn significant(comparison: &Comparison, z: f64) -> bool {
    comparison
        .variance
        .is_some_and(|variance| variance.welch > 0.0 && fabs(comparison.difference) > z * sqrt(variance.welch))
}

/// Whether the mixture over Welch's variance rejects that null, from 50 units per arm on.
fn welch_excludes(comparison: &Comparison, design: &Design, null: f64) -> bool {
    let Some(variance) = comparison.variance.filter(|variance| variance.welch > 0.0) else { return false };
    // `lenient` says nothing in its burn-in, and neither does this.
    comparison.status == Status::Ok
        && always_valid::ln_e(comparison.difference, variance.welch, comparison.units, design.rho2(), null)
            > -design.alpha().ln()
}

/// The floor's factor of both variances; `None` while nothing is said.
fn factor(comparison: &Comparison) -> Option<f64> {
    comparison.variance.filter(|_| comparison.status == Status::Ok)?.factor()
}

fn lift_missed(comparison: &Comparison, control: &Arm, treatment: &Arm, truth: f64) -> bool {
    let set = factor(comparison).map(|factor| lift::sequential(control, treatment, factor, comparison.multiplier));
    set.is_some_and(|set| !set.contains(truth))
}

fn delta_missed(comparison: &Comparison, control: &Arm, treatment: &Arm, truth: f64) -> bool {
    // Without conversions in the treatment the method has no variance and says nothing.
    if treatment.mean <= 0.0 {
        return false;
    }
    let interval =
        factor(comparison).and_then(|factor| lift::delta_sequential(control, treatment, factor, comparison.multiplier));
    interval.is_some_and(|interval| !interval.contains(truth))
}
