//! Group sequential tests (§2): alpha spent over a few looks, planned or not, and what may be said at the stop.

use super::count::{Measure, Report};
use super::{Chapter, Design, Draw, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::group_sequential::stagewise::{Stopped, stagewise};
use assay_statistics::group_sequential::{self as sequential, Spending, Z_CAP};
use assay_statistics::sides::Sides;
use libm::{fabs, rint, sqrt};

const CROSSED: &str = "ever crossed";
const SAMPLE: &str = "sample when it stops, thousandths of a fixed sample";
const REPEATED: &str = "repeated interval missed the effect at some look";
const STAGEWISE: &str = "interval at the stop missed the effect";
const MEDIAN: &str = "median-unbiased estimate above the effect";
const NAIVE_ABOVE: &str = "plain estimate at the stop above the effect";

/// Z's drift at which a fixed sample has 80 % power: z(0.025) + z(0.2).
const DETECTABLE: f64 = 2.801_585_218_112_969;

/// A test of a Brownian motion.
#[derive(Debug, Clone, Copy)]
struct Test {
    spending: Spending,
    looks: Looks,
    /// E Z at the planned end of a fixed sample.
    drift: f64,
    /// Planned maximum, in fixed samples.
    inflation: f64,
    /// Whether to work out interval and estimate at the stop, which takes longer than everything else.
    concludes: bool,
}

/// When one looks.
#[derive(Debug, Clone, Copy)]
enum Looks {
    /// Equally spaced up to the plan.
    Planned(u32),
    /// At so many random times, which nobody planned.
    Unplanned(u32),
    /// Equally spaced, but the last, declared final, comes at this fraction of the plan.
    Ending(u32, f64),
}

impl Looks {
    fn count(self) -> u32 {
        match self {
            Looks::Planned(looks) | Looks::Unplanned(looks) | Looks::Ending(looks, _) => looks,
        }
    }

    fn times(self, draw: &mut Draw) -> Vec<f64> {
        let mut times: Vec<f64> = (1..=self.count()).map(|look| f64::from(look) / f64::from(self.count())).collect();
        match self {
            Looks::Planned(_) => {}
            Looks::Unplanned(looks) => {
                // Uniform order statistics from exponential gaps; the last look is where the last gap leaves it.
                let gaps: Vec<f64> = (0..=looks).map(|_| draw.exponential(1.0) + 0.01).collect();
                let all: f64 = gaps.iter().sum();
                let mut passed = 0.0;
                for (time, gap) in times.iter_mut().zip(&gaps) {
                    passed += gap / all;
                    *time = passed;
                }
            }
            Looks::Ending(looks, end) => times[looks as usize - 1] = end,
        }
        times
    }
}

impl Test {
    fn design(&self) -> sequential::Design {
        sequential::Design { alpha: Alpha::FIVE_PERCENT, sides: Sides::Two, spending: self.spending, z_cap: Z_CAP }
    }

    fn bounds(&self, times: &[f64]) -> Vec<f64> {
        let looks =
            self.design().bounds_final_exhausts(times).expect("the times grow and the spending function is valid");
        looks.iter().map(|look| look.z).collect()
    }
}

impl Design for Test {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let this = *self;
        // Only random times need their own bounds in each run.
        let planned = (!matches!(this.looks, Looks::Unplanned(_))).then(|| {
            let times = this.looks.times(&mut Draw::of(0, "times", 0));
            let bounds = this.bounds(&times);
            (times, bounds)
        });
        // Information is in planned maxima, and so is the drift.
        let drift = this.drift * sqrt(this.inflation);
        Box::new(move |draw, report| {
            let (times, bounds) = planned.clone().unwrap_or_else(|| {
                let times = this.looks.times(draw);
                let bounds = this.bounds(&times);
                (times, bounds)
            });
            let path = walk(draw, &times, drift);
            let z = |look: usize| path[look] / sqrt(times[look]);
            let crossed = (0..times.len()).find(|&look| fabs(z(look)) >= bounds[look]);
            let stop = crossed.unwrap_or(times.len() - 1);
            report.first(CROSSED, crossed.map(|look| look as u32 + 1), times.len() as u32);
            report.amount(SAMPLE, rint(1_000.0 * this.inflation * times[stop]) as u64);
            let missed = |look: usize| fabs(z(look) - drift * sqrt(times[look])) > bounds[look];
            report.whether(REPEATED, (0..times.len()).any(missed));
            if this.concludes {
                let stopped =
                    Stopped { information: &times, bounds: &bounds, sides: Sides::Two, stage: stop + 1, z: z(stop) };
                let said = stagewise(&stopped, Alpha::FIVE_PERCENT).expect("a test that stopped at one of its looks");
                report.whether(STAGEWISE, drift < said.drift_low || said.drift_high < drift);
                report.whether(MEDIAN, said.drift_median > drift);
                report.whether(NAIVE_ABOVE, path[stop] / times[stop] > drift);
            }
        })
    }
}

/// B at those times.
fn walk(draw: &mut Draw, times: &[f64], drift: f64) -> Vec<f64> {
    let (mut before, mut position) = (0.0, 0.0);
    let mut step = |&time: &f64| {
        let passed = time - before;
        position += drift * passed + sqrt(passed) * draw.normal();
        before = time;
        position
    };
    times.iter().map(&mut step).collect()
}

/// Errors of planned and unplanned looks, the table of power, and what is said at the stop.
pub(super) fn scenarios() -> Vec<Scenario> {
    errors().chain(power()).chain([conclusion()]).collect()
}

fn errors() -> impl Iterator<Item = Scenario> {
    let hwang = Spending::HwangShihDeCani { gamma: -4.0 };
    let cases = [
        ("gs-obf-5", "O'Brien-Fleming spending", Spending::ObrienFleming, Looks::Planned(5)),
        ("gs-obf-28", "O'Brien-Fleming spending", Spending::ObrienFleming, Looks::Planned(28)),
        ("gs-pocock-5", "Pocock spending", Spending::Pocock, Looks::Planned(5)),
        ("gs-power-5", "Kim-DeMets spending, rho 2", Spending::Power { rho: 2.0 }, Looks::Planned(5)),
        ("gs-hsd-5", "Hwang-Shih-DeCani spending, gamma -4", hwang, Looks::Planned(5)),
        ("gs-obf-unplanned", "O'Brien-Fleming spending", Spending::ObrienFleming, Looks::Unplanned(6)),
        ("gs-pocock-unplanned", "Pocock spending", Spending::Pocock, Looks::Unplanned(6)),
        ("gs-obf-over", "O'Brien-Fleming spending", Spending::ObrienFleming, Looks::Ending(5, 1.3)),
        ("gs-pocock-under", "Pocock spending", Spending::Pocock, Looks::Ending(5, 0.85)),
    ];
    cases.into_iter().map(|(id, family, spending, looks)| {
        let test = Test { spending, looks, drift: 0.0, inflation: 1.0, concludes: false };
        let when = match looks {
            Looks::Planned(looks) => format!("{looks} equal looks"),
            Looks::Unplanned(looks) => format!("{looks} looks at random times"),
            Looks::Ending(looks, end) => format!("{looks} looks, the last at {end} of the plan"),
        };
        // Bounds at random times are found anew in each run.
        let runs = if matches!(looks, Looks::Unplanned(_)) { 4_000 } else { 20_000 };
        let by = 4.5 * sqrt(0.05 * 0.95 / runs as f64);
        let measures = vec![Measure::share(CROSSED, 0.05, 0.05 - by, 0.05 + by)];
        scenario(id, format!("A/A, {family}, {when}"), runs, test, measures)
    })
}

fn power() -> impl Iterator<Item = Scenario> {
    // id, family, looks, inflation for 80 % power, mean sample in thousandths of the fixed one.
    let cases = [
        ("gs-power-obf-5", "O'Brien-Fleming", Spending::ObrienFleming, 5, 1.025, 820.0),
        ("gs-power-obf-14", "O'Brien-Fleming", Spending::ObrienFleming, 14, 1.042, 790.0),
        ("gs-power-obf-28", "O'Brien-Fleming", Spending::ObrienFleming, 28, 1.049, 780.0),
        ("gs-power-pocock-5", "Pocock", Spending::Pocock, 5, 1.21, 800.0),
        ("gs-power-pocock-14", "Pocock", Spending::Pocock, 14, 1.26, 780.0),
    ];
    cases.into_iter().map(|(id, family, spending, looks, inflation, sample)| {
        let looks_at = Looks::Planned(looks);
        let test = Test { spending, looks: looks_at, drift: DETECTABLE, inflation, concludes: false };
        let title = format!("80 % power with {family} spending, {looks} looks, {inflation} times a fixed sample");
        let measures = vec![
            Measure::share(CROSSED, 0.80, 0.78, 0.82),
            Measure::mean(SAMPLE, sample, 15.0),
            Measure::share(REPEATED, 0.05, 0.04, 0.06),
        ];
        scenario(id, title, 10_000, test, measures)
    })
}

fn conclusion() -> Scenario {
    let looks = Looks::Planned(5);
    let test = Test { spending: Spending::ObrienFleming, looks, drift: DETECTABLE, inflation: 1.025, concludes: true };
    let measures = vec![
        Measure::share(STAGEWISE, 0.05, 0.035, 0.065),
        Measure::share(MEDIAN, 0.5, 0.465, 0.535),
        Measure::at_least(NAIVE_ABOVE, 0.53),
    ];
    let title = "Stage-wise interval and estimate after O'Brien-Fleming spending, 5 looks, 80 % power".to_owned();
    scenario("gs-conclusion", title, 4_000, test, measures)
}

fn scenario(id: &'static str, title: String, runs: u64, test: Test, measures: Vec<Measure>) -> Scenario {
    let horizon = test.inflation;
    Scenario { id, chapter: Chapter::GroupSequential, title, runs, horizon, measures, design: Box::new(test) }
}
