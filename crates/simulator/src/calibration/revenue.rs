//! Values: revenue with many zeros and a heavy tail, and plain normal values in small numbers.

use super::count::{Measure, Report};
use super::watch::{self, Wanted, Watch, Watched};
use super::{Binomial, Chapter, Design, Draw, Prepared, Scenario, near};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid;
use assay_statistics::moments::Sums;

/// A/A: no arm is better.
#[derive(Debug, Clone, Copy)]
struct Values {
    kind: Value,
    treatment_share: f64,
    planned: f64,
    batch: u32,
    looks: u32,
}

/// What a unit is worth.
#[derive(Debug, Clone, Copy)]
enum Value {
    /// A share of users buys, for a lognormal amount.
    Purchases { buyers: f64, ln_sd: f64 },
    /// Standard normal.
    Normal,
}

/// Amounts are integers of a thousandth, as an engine stores them.
const SCALE: f64 = 1_000.0;
/// The median purchase is 30: its logarithm.
const LN_MEDIAN: f64 = 3.401_197_381_662_155;

impl Value {
    /// The most frequent case as one draw: how many units of each batch are not zero.
    fn nonzero(self, batch: u32) -> Vec<Binomial> {
        match self {
            Value::Purchases { buyers, .. } => Binomial::family(batch, buyers),
            Value::Normal => Binomial::family(batch, 1.0),
        }
    }

    fn draw(self, draw: &mut Draw) -> i128 {
        let value = match self {
            Value::Purchases { ln_sd, .. } => draw.lognormal(LN_MEDIAN, ln_sd),
            Value::Normal => draw.normal(),
        };
        libm::rint(value * SCALE) as i128
    }
}

impl Design for Values {
    fn prepared(&self, report: &Report<'_>) -> Prepared {
        let split = Binomial::new(self.batch, self.treatment_share);
        let nonzero = self.kind.nonzero(self.batch);
        let watched = Watched {
            design: always_valid::Design::new(Alpha::FIVE_PERCENT, self.planned),
            planned: self.planned,
            difference: 0.0,
            lift: 0.0,
            looks: self.looks,
            batch: self.batch,
        };
        let (wanted, kind) = (Wanted::of(report), self.kind);
        let counts_events = matches!(kind, Value::Purchases { .. });
        Box::new(move |draw, report| {
            let mut watch = Watch::new(watched, wanted);
            let mut sums = [Sums::default(); 2];
            for look in 1..=watched.looks {
                let treated = split.draw(draw);
                for (sums, arrived) in sums.iter_mut().zip([watched.batch - treated, treated]) {
                    let buyers = nonzero[arrived as usize].draw(draw);
                    sums.n += i64::from(arrived);
                    sums.nonzero += i64::from(buyers);
                    for _ in 0..buyers {
                        let value = kind.draw(draw);
                        sums.y += value;
                        sums.yy += value * value;
                    }
                }
                let [control, treatment] = sums.map(|sums| sums.arm(SCALE));
                let share = (sums[0].nonzero + sums[1].nonzero) as f64 / (control.n + treatment.n);
                watch.look(look, &control, &treatment, counts_events.then_some(share));
            }
            watch.report(report);
        })
    }
}

/// Those of the table of hard designs.
pub(super) fn scenarios() -> Vec<Scenario> {
    // id, sd of ln, treatment's share, N*; expected for the default without the event rule and for plain Welch.
    let revenue: [(&'static str, f64, f64, f64, f64, f64); 5] = [
        ("aa-revenue-even-5k", 1.2, 0.5, 5e3, 0.020, 0.020),
        ("aa-revenue-90-10-100k", 1.2, 0.1, 1e5, 0.001, 0.080),
        ("aa-revenue-90-10-5k", 1.2, 0.1, 5e3, 0.001, 0.252),
        ("aa-whales-even-5k", 2.0, 0.5, 5e3, 0.004, 0.005),
        ("aa-whales-90-10-5k", 2.0, 0.1, 5e3, 0.0, 0.270),
    ];
    let mut all: Vec<Scenario> = revenue
        .into_iter()
        .map(|(id, ln_sd, share, planned, floored, plain)| {
            let kind = Value::Purchases { buyers: 0.05, ln_sd };
            let design = Values { kind, treatment_share: share, planned, batch: 100, looks: 1_000 };
            let treated = 100.0 * share;
            let title = format!(
                "A/A, revenue: 5 % buy, lognormal with sd {ln_sd}, {}/{treated}, N* = {}, looks every 100 to 100,000",
                100.0 - treated,
                super::grouped(planned)
            );
            scenario(id, title, design, 5_000, floored, plain)
        })
        .collect();
    let small = Values { kind: Value::Normal, treatment_share: 0.1, planned: 500.0, batch: 4, looks: 1_000 };
    let title = "A/A, normal values, 90/10, N* = 500, looks every 4 users to 4,000".to_owned();
    all.push(scenario("aa-normal-90-10-500", title, small, 10_000, 0.018, 0.025));
    all
}

fn scenario(id: &'static str, title: String, design: Values, runs: u64, floored: f64, plain: f64) -> Scenario {
    let measures = vec![
        Measure::at_most(watch::DEFAULT, 0.05),
        near(watch::NO_EVENT_RULE, floored),
        near(watch::PLAIN_WELCH, plain),
    ];
    let horizon = f64::from(design.batch * design.looks);
    Scenario { id, chapter: Chapter::FalsePositives, title, runs, horizon, measures, design: Box::new(design) }
}
