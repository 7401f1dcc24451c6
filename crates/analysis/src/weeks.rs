//! Units by week of first exposure, each week on its own: what novelty and its end look like.
//!
//! Weeks are seven whole UTC days from the day of the experiment's first exposure on, because sums older than a week are kept by days. Each has its
//! own fixed-horizon interval, not corrected for the number of weeks: it explains, and decides nothing.

use crate::infer::{arm, control, is_supported};
use crate::sums::Sums;
use assay_aggregates::Cell;
use assay_experiment::{Span, Timestamp};
use assay_statistics::alpha::Alpha;
use assay_statistics::fixed_horizon::{Test, welch};
use assay_statistics::lift::{self, Lift, Mean, fieller};
use assay_statistics::moments;
use assay_statistics::sides::Sides;

/// Weeks that are told, the newest ones: half a year, so that results stay readable whatever runs for ever.
pub(crate) const WEEKS_MAX: i64 = 26;
const WEEK_HOURS: i64 = 7 * 24;

/// Units first exposed in a week.
#[derive(Debug, Clone)]
pub struct Week {
    /// 1 is the first.
    pub number: i64,
    /// Start of its first day.
    pub from: Timestamp,
    /// End of its last day; of the newest week it may lie after the look.
    pub to: Timestamp,
    /// In the order of the variants.
    pub arms: Vec<WeekArm>,
}

/// A variant's part of a week.
#[derive(Debug, Clone, Copy)]
pub struct WeekArm {
    /// Units that are in the metric.
    pub units: i64,
    /// Per unit, or the ratio.
    pub mean: Option<f64>,
    /// With the control's units of the same week; the control has none.
    pub compared: Option<Compared>,
}

/// A treatment's week compared with the control's.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// Treatment minus control, with its interval.
    pub test: Option<Test>,
    /// Treatment by control, minus 1.
    pub lift: Option<f64>,
    /// Lifts that are not ruled out.
    pub lift_set: Option<Lift>,
}

/// The weeks of every metric, over all units.
pub(crate) fn weeks(sums: &Sums, alpha: Alpha) -> Vec<Vec<Week>> {
    let Some(first) = sums.first_hour() else { return vec![Vec::new(); sums.metrics.len()] };
    let start = first - first.rem_euclid(24);
    let all = sums.by_period(start, WEEK_HOURS);
    let told = all.len().saturating_sub(WEEKS_MAX as usize);
    let of = |metric: usize| {
        let week = |(number, cells): &(i64, Vec<Cell>)| week(sums, metric, start, *number, cells, alpha);
        all.iter().skip(told).map(week).collect()
    };
    (0..sums.metrics.len()).map(of).collect()
}

fn week(sums: &Sums, metric: usize, start: i64, number: i64, cells: &[Cell], alpha: Alpha) -> Week {
    let (metrics, control) = (sums.metrics.len(), control(sums));
    let kind = &sums.metrics[metric].kind;
    let cell = |variant: usize| &cells[variant * metrics + metric];
    let base = arm(cell(control), kind);
    let one = |variant: usize| {
        let own = arm(cell(variant), kind);
        let compared = (variant != control && is_supported(kind)).then(|| compare(base, own, alpha));
        WeekArm { units: cell(variant).units, mean: own.map(|arm| arm.mean), compared }
    };
    let at = |week: i64| Timestamp((start + week * WEEK_HOURS) * Span::HOUR.0);
    Week {
        number: number + 1,
        from: at(number),
        to: at(number + 1),
        arms: (0..sums.experiment.variants.len()).map(one).collect(),
    }
}

fn compare(control: Option<moments::Arm>, treatment: Option<moments::Arm>, alpha: Alpha) -> Compared {
    let Some((c, t)) = control.zip(treatment) else { return Compared { test: None, lift: None, lift_set: None } };
    let test = welch(&c, &t, alpha);
    let set = test.map(|_| {
        let (c, t) = (Mean::of(&c), Mean::of(&t));
        fieller(c.mean, c.variance, t.mean, t.variance, Sides::Two.critical(alpha))
    });
    Compared { test, lift: lift::estimate(c.mean, t.mean), lift_set: set }
}
