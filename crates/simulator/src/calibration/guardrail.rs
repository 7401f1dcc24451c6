//! Guardrails (§7.3): how often a harmful treatment is declared safe, a harmless one harmful, and how soon either is known.

use super::count::{Measure, Report};
use super::{Binomial, Chapter, Design, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::guardrail::{Better, Guardrail, Margin, Running};
use assay_statistics::moments::Arm;

const SAFE: &str = "ever declared safe";
const HARM: &str = "ever declared harmful";
const UNITS: &str = "users when declared safe, or all";

/// Conversions of both arms against a margin of half a percentage point.
#[derive(Debug, Clone, Copy)]
struct Margined {
    rates: [f64; 2],
    treatment_share: f64,
    margin: Margin,
}

const BATCH: u32 = 100;
const LOOKS: u32 = 1_000;

impl Design for Margined {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let split = Binomial::new(BATCH, self.treatment_share);
        let converting = self.rates.map(|rate| Binomial::family(BATCH, rate));
        let alpha = Alpha::FIVE_PERCENT;
        let guardrail = Guardrail::new(self.margin, Better::More, alpha, f64::from(BATCH * LOOKS))
            .expect("the scenarios' margins are above 0 and below 1");
        Box::new(move |draw, report| {
            let (mut units, mut converted) = ([0.0; 2], [0.0; 2]);
            let (mut running, mut safe, mut harm) = (Running::default(), None, None);
            for look in 1..=LOOKS {
                let treated = split.draw(draw);
                for (arm, arrived) in [BATCH - treated, treated].into_iter().enumerate() {
                    units[arm] += f64::from(arrived);
                    converted[arm] += f64::from(converting[arm][arrived as usize].draw(draw));
                }
                let [control, treatment] = [0, 1].map(|arm| Arm::of_conversions(units[arm], converted[arm]));
                let share = (converted[0] + converted[1]) / (units[0] + units[1]);
                running.look(&guardrail.look(&control, &treatment, Some(share)));
                safe = safe.or(running.is_safe(alpha).then_some(look));
                harm = harm.or(running.is_harmful(alpha).then_some(look));
            }
            report.first(SAFE, safe, LOOKS);
            report.first(HARM, harm, LOOKS);
            report.amount(UNITS, u64::from(safe.unwrap_or(LOOKS) * BATCH));
        })
    }
}

/// At the margin, without any effect, and with a clear loss.
pub(super) fn scenarios() -> Vec<Scenario> {
    let absolute = Margin::Absolute(0.005);
    let at_margin = [0.05, 0.045];
    let even = Margined { rates: at_margin, treatment_share: 0.5, margin: absolute };
    let uneven = Margined { treatment_share: 0.1, ..even };
    let nothing = Margined { rates: [0.05; 2], ..even };
    let loss = Margined { rates: [0.05, 0.04], ..even };
    vec![
        scenario("guardrail-margin-even", "Rates 0.05 and 0.045, margin 0.005", even, vec![super::near(SAFE, 0.0175)]),
        scenario(
            "guardrail-margin-90-10",
            "Rates 0.05 and 0.045, margin 0.005",
            uneven,
            vec![super::near(SAFE, 0.0094)],
        ),
        scenario(
            "guardrail-relative",
            "Rates 0.05 and 0.045, margin 10 % of the control",
            Margined { margin: Margin::Relative(0.1), ..even },
            vec![Measure::at_most(SAFE, 0.05)],
        ),
        scenario(
            "guardrail-nothing",
            "Rates 0.05 and 0.05, margin 0.005",
            nothing,
            vec![
                Measure::share(SAFE, 0.88, 0.86, 0.90),
                Measure::at_most(HARM, 0.05),
                Measure::mean(UNITS, 52_900.0, 1_500.0),
            ],
        ),
        scenario(
            "guardrail-loss",
            "Rates 0.05 and 0.04, margin 0.005",
            loss,
            vec![Measure::at_most(SAFE, 0.001), Measure::at_least(HARM, 0.99)],
        ),
    ]
}

fn scenario(id: &'static str, title: &str, design: Margined, measures: Vec<Measure>) -> Scenario {
    let treated = 100.0 * design.treatment_share;
    let title = format!("{title}, {}/{treated}, looks every 100 users to 100,000", 100.0 - treated);
    let (runs, horizon) = (10_000, f64::from(BATCH * LOOKS));
    Scenario { id, chapter: Chapter::Guardrails, title, runs, horizon, measures, design: Box::new(design) }
}
