//! One comparison over time: the naive test and the always-valid one at every look, where they crossed, and where they ended.

use super::compare::Fixed;
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{Comparison, Design, Running, compare};
use assay_statistics::fixed_horizon;
use assay_statistics::moments::Arm;

/// N*, of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Planned {
    /// Given.
    Units(f64),
    /// What the last look of each comparison has.
    Last,
}

/// Arms at a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Time as written.
    pub at: String,
    /// Time as a number, to plot at.
    pub x: f64,
    /// Cumulative.
    pub control: Arm,
    /// Cumulative.
    pub treatment: Arm,
}

/// A look.
#[derive(Debug, Clone)]
pub struct Look {
    /// Time as written.
    pub at: String,
    /// Time as a number.
    pub x: f64,
    /// Cumulative.
    pub control: Arm,
    /// Cumulative.
    pub treatment: Arm,
    /// Holds at all looks together.
    pub valid: Comparison,
    /// Welch's t, as if this were the only look.
    pub naive: Option<Fixed>,
}

/// A comparison over time.
pub struct Series {
    /// Names and values of the columns that name it.
    pub key: Vec<(String, String)>,
    /// N*.
    pub planned: f64,
    /// In order of time, at least one.
    pub looks: Vec<Look>,
    /// The least p so far, after the last look.
    pub running: Running,
    /// The first look at which the running p was below alpha.
    pub crossed: Option<usize>,
    /// The first at which the naive p was.
    pub naive_crossed: Option<usize>,
    /// Share of false positives.
    pub alpha: f64,
}

impl Series {
    /// Looks at all points in order. `None` without points.
    pub fn new(key: Vec<(String, String)>, points: Vec<Point>, planned: Planned, alpha: Alpha) -> Option<Series> {
        let last = points.last()?;
        let planned = match planned {
            Planned::Units(units) => units,
            Planned::Last => (last.control.n + last.treatment.n).max(1.0),
        };
        let rate = points.iter().all(|point| is_rate(&point.control) && is_rate(&point.treatment));
        let design = Design::new(alpha, planned);
        let mut series = Series {
            key,
            planned,
            looks: Vec::with_capacity(points.len()),
            running: Running::default(),
            crossed: None,
            naive_crossed: None,
            alpha: alpha.value(),
        };
        for Point { at, x, control, treatment } in points {
            let units = control.n + treatment.n;
            let share = (control.n * control.mean + treatment.n * treatment.mean) / units;
            let valid = compare(&control, &treatment, (rate && units > 0.0).then_some(share), &design);
            let naive = fixed_horizon::welch(&control, &treatment, alpha).map(Fixed::from);
            series.running.look(&valid);
            let now = Some(series.looks.len());
            if series.crossed.is_none() && series.running.p_value < alpha.value() {
                series.crossed = now;
            }
            if series.naive_crossed.is_none() && naive.is_some_and(|test| test.p_value < alpha.value()) {
                series.naive_crossed = now;
            }
            series.looks.push(Look { at, x, control, treatment, valid, naive });
        }
        Some(series)
    }

    /// The last look.
    pub fn last(&self) -> &Look {
        self.looks.last().expect("a series has a look")
    }

    /// Whether the naive test rejects at the last look.
    pub fn naive_end(&self) -> bool {
        self.last().naive.is_some_and(|test| test.p_value < self.alpha)
    }

    /// Whether the always-valid test of the last look alone rejects.
    pub fn valid_end(&self) -> bool {
        self.last().valid.p_value < self.alpha
    }
}

/// Values of 0 and 1 have the variance of a rate, with n or n - 1 below it; then the test waits for events, too.
fn is_rate(arm: &Arm) -> bool {
    let bernoulli = arm.mean * (1.0 - arm.mean);
    (0.0..=1.0).contains(&arm.mean) && (arm.variance() - bernoulli).abs() <= bernoulli * (1e-4 + 2.0 / arm.n.max(1.0))
}

/// How many comparisons crossed, and how many of them ended otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Counted.
    pub comparisons: usize,
    /// The naive p was below alpha at some look.
    pub naive_ever: usize,
    /// At the last look.
    pub naive_end: usize,
    /// At some look but not at the last.
    pub naive_lost: usize,
    /// The always-valid p was below alpha at some look.
    pub valid_ever: usize,
    /// At the last look, taken alone.
    pub valid_end: usize,
    /// At some look but not at the last taken alone.
    pub valid_lost: usize,
}

impl Tally {
    /// Counts comparisons.
    pub fn of<'a>(series: impl Iterator<Item = &'a Series>) -> Tally {
        series.fold(Tally::default(), |tally, series| {
            let (naive, valid) = (series.naive_crossed.is_some(), series.crossed.is_some());
            Tally {
                comparisons: tally.comparisons + 1,
                naive_ever: tally.naive_ever + usize::from(naive),
                naive_end: tally.naive_end + usize::from(series.naive_end()),
                naive_lost: tally.naive_lost + usize::from(naive && !series.naive_end()),
                valid_ever: tally.valid_ever + usize::from(valid),
                valid_end: tally.valid_end + usize::from(series.valid_end()),
                valid_lost: tally.valid_lost + usize::from(valid && !series.valid_end()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(conversions: &[(f64, f64, f64)]) -> Series {
        let point = |(at, &(n, c, t)): (usize, &(f64, f64, f64))| Point {
            at: at.to_string(),
            x: at as f64,
            control: Arm::of_conversions(n, c),
            treatment: Arm::of_conversions(n, t),
        };
        let points = conversions.iter().enumerate().map(point).collect();
        Series::new(Vec::new(), points, Planned::Units(10_000.0), Alpha::FIVE_PERCENT).unwrap()
    }

    #[test]
    fn what_crossed_and_came_back_is_counted() {
        // z is 2.7, then 0.8; then so large that every method agrees, for good.
        let lost = series(&[(1_000.0, 50.0, 79.0), (5_000.0, 250.0, 268.0)]);
        let won = series(&[(1_000.0, 50.0, 55.0), (9_000.0, 450.0, 700.0)]);
        let tally = Tally::of([&lost, &won].into_iter());
        assert_eq!((tally.comparisons, tally.naive_ever, tally.naive_end, tally.naive_lost), (2, 2, 1, 1));
        assert_eq!((tally.valid_ever, tally.valid_end, tally.valid_lost), (1, 1, 0));
        assert_eq!((lost.crossed, lost.naive_crossed, won.crossed), (None, Some(0), Some(1)));
    }

    #[test]
    fn rates_wait_for_events() {
        // 200 units and 4 of them converted: enough units, too few events.
        assert_eq!(series(&[(200.0, 1.0, 3.0)]).last().valid.status.name(), "burn_in");
        assert!(
            is_rate(&Arm { n: 1000.0, mean: 0.25, m2: 187.5 }) && !is_rate(&Arm { n: 1000.0, mean: 0.25, m2: 300.0 })
        );
    }
}
