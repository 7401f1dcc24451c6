//! The limit of every metric: the sum of many small contributions is a Brownian motion in information time.
//!
//! With t = N / planned n, B(t) has drift and unit variance per t, and z = B(t)/√t. What holds here holds for all metrics once their
//! means are normal; `conversions` and `revenue` show from when on they are.

use super::count::{Measure, Report};
use super::{Chapter, Design, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Rule};
use assay_statistics::sides::Sides;
use assay_statistics::special::normal_upper_quantile;
use libm::{fabs, sqrt};

/// The mixture crossed its bound.
const ALWAYS_VALID: &str = "always-valid";
/// It did by t = 1.
const BY_PLAN: &str = "always-valid, by planned n";
/// When, or the horizon.
const SAMPLE: &str = "sample when it stops, thousandths of planned n";
/// |z| passed the fixed bound.
const NAIVE: &str = "fixed-horizon z at every look";

/// A walk with equally spaced looks.
#[derive(Debug, Clone, Copy)]
struct Walk {
    /// E z at t = 1.
    drift: f64,
    alpha: Alpha,
    /// t at the last look.
    horizon: f64,
    looks: u32,
    /// N* in planned n.
    tuned: f64,
}

impl Design for Walk {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let Walk { drift, alpha, horizon, looks, tuned } = *self;
        let rho2 = always_valid::tuned(alpha, Rule::Exact) / tuned;
        let (ln_bound, z_bound) = (-alpha.ln(), Sides::Two.critical(alpha));
        let step = horizon / f64::from(looks);
        let sd = sqrt(step);
        Box::new(move |draw, report| {
            let (mut position, mut crossed, mut naive) = (0.0, None, None);
            for look in 1..=looks {
                let t = step * f64::from(look);
                position += drift * step + sd * draw.normal();
                // The estimate of the drift is B/t with variance 1/t.
                if crossed.is_none() && always_valid::ln_e(position / t, 1.0 / t, t, rho2, 0.0) > ln_bound {
                    crossed = Some(look);
                }
                if naive.is_none() && fabs(position) > z_bound * sqrt(t) {
                    naive = Some(look);
                }
            }
            report.first(ALWAYS_VALID, crossed, looks);
            report.first(NAIVE, naive, looks);
            let time = |look: u32| step * f64::from(look);
            report.whether(BY_PLAN, crossed.is_some_and(|look| time(look) < 1.0 + 0.5 * step));
            report.amount(SAMPLE, libm::rint(1_000.0 * time(crossed.unwrap_or(looks))) as u64);
        })
    }
}

/// What other tunings than N* = horizon cost, what a fixed bound costs by the number of looks, and the table of power.
pub(super) fn scenarios() -> Vec<Scenario> {
    tunings().chain(naive_looks()).chain(power()).collect()
}

fn tunings() -> impl Iterator<Item = Scenario> {
    let cases: [(&'static str, f64, f64); 6] = [
        ("tuned-0.05", 0.05, 0.0333),
        ("tuned-0.1", 0.1, 0.0324),
        ("tuned-0.25", 0.25, 0.0288),
        ("tuned-0.5", 0.5, 0.0241),
        ("tuned-1", 1.0, 0.0178),
        ("tuned-2", 2.0, 0.0106),
    ];
    cases.into_iter().map(|(id, tuned, expected)| {
        let walk = Walk { drift: 0.0, alpha: Alpha::FIVE_PERCENT, horizon: 1.0, looks: 1_000, tuned };
        let title = format!("A/A in the limit of normal means, N* = {tuned} of the horizon, 1,000 looks");
        let measures = vec![exact(ALWAYS_VALID, expected)];
        scenario(id, Chapter::FalsePositives, title, walk, measures)
    })
}

fn naive_looks() -> impl Iterator<Item = Scenario> {
    let cases: [(&'static str, u32, f64); 6] = [
        ("naive-1", 1, 0.05),
        ("naive-2", 2, 0.0831),
        ("naive-5", 5, 0.142),
        ("naive-10", 10, 0.193),
        ("naive-20", 20, 0.248),
        ("naive-50", 50, 0.320),
    ];
    cases.into_iter().map(|(id, looks, expected)| {
        let walk = Walk { drift: 0.0, alpha: Alpha::FIVE_PERCENT, horizon: 1.0, looks, tuned: 1.0 };
        let title = format!("A/A, |z| > 1.96 at any of {looks} equally spaced looks");
        scenario(id, Chapter::FalsePositives, title, walk, vec![exact(NAIVE, expected)])
    })
}

fn power() -> impl Iterator<Item = Scenario> {
    // id, alpha, power at a fixed horizon; expected power at planned n, horizon for the same power, mean sample in thousandths.
    let cases: [(&'static str, f64, f64, f64, f64, f64); 4] = [
        ("power-.05-.80", 0.05, 0.80, 0.530, 1.644, 986.0),
        ("power-.05-.90", 0.05, 0.90, 0.689, 1.563, 801.0),
        ("power-.10-.80", 0.10, 0.80, 0.526, 1.751, 1_011.0),
        ("power-.01-.80", 0.01, 0.80, 0.540, 1.494, 954.0),
    ];
    cases.into_iter().map(|(id, alpha, fixed, by_plan, horizon, sample)| {
        let level = Alpha::new(alpha).expect("the table has alphas");
        let drift = Sides::Two.critical(level) + normal_upper_quantile(1.0 - fixed);
        let walk = Walk { drift, alpha: level, horizon, looks: (1_000.0 * horizon) as u32, tuned: 1.0 };
        let title =
            format!("alpha {alpha}, {fixed} power at a fixed horizon; always-valid to {horizon} times as many units");
        let measures = vec![exact(ALWAYS_VALID, fixed), exact(BY_PLAN, by_plan), Measure::mean(SAMPLE, sample, 25.0)];
        scenario(id, Chapter::Power, title, walk, measures)
    })
}

/// A share known by numerical integration: within five standard errors of 10,000 runs, and half a hundredth of itself because
/// integration and simulation place their looks alike but not equally.
fn exact(name: &'static str, expected: f64) -> Measure {
    let by = 5.0 * sqrt(expected * (1.0 - expected) / 10_000.0) + 0.005 * expected;
    Measure::share(name, expected, (expected - by).max(0.0), expected + by)
}

fn scenario(id: &'static str, chapter: Chapter, title: String, walk: Walk, measures: Vec<Measure>) -> Scenario {
    let horizon = walk.horizon;
    Scenario { id, chapter, title, runs: 10_000, horizon, measures, design: Box::new(walk) }
}
