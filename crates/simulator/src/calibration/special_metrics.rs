//! Covariates and quantiles under continuous looking (§6.1, §6.5).

use super::count::{Measure, Report};
use super::{Binomial, Chapter, Design, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Estimate, compare_estimate};
use assay_statistics::cuped::{CovariateArm, Slope, adjust, compare, raw_variance};
use assay_statistics::moments::Arm;
use assay_statistics::quantile::{CONCENTRATION, RankSequence};
use libm::{rint, sqrt};

const RAW: &str = "default, without the covariate";
const ADJUSTED: &str = "default, with CUPED";
const MISSED: &str = "CUPED's interval missed the effect at some look";
const REDUCTION: &str = "variance taken off at the end, thousandths";
const QUANTILE: &str = "interval missed the quantile at some look";

/// Normal values with a covariate that explains a known share of them.
#[derive(Debug, Clone, Copy)]
struct Covariate {
    /// Between metric and covariate.
    correlation: f64,
    /// Treatment less control, in standard deviations.
    effect: f64,
}

const BATCH: u32 = 100;
const COVARIATE_LOOKS: u32 = 200;
const QUANTILE_LOOKS: u32 = 1_000;

/// Σ of an arm: y, x, y², x², xy.
type Sums = [f64; 5];

fn add(sums: &mut Sums, y: f64, x: f64) {
    for (sum, term) in sums.iter_mut().zip([y, x, y * y, x * x, x * y]) {
        *sum += term;
    }
}

impl Design for Covariate {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let Covariate { correlation, effect } = *self;
        let rest = sqrt(1.0 - correlation * correlation);
        let split = Binomial::new(BATCH, 0.5);
        let design = always_valid::Design::new(Alpha::FIVE_PERCENT, f64::from(BATCH * COVARIATE_LOOKS));
        let alpha = Alpha::FIVE_PERCENT.value();
        Box::new(move |draw, report| {
            let (mut counts, mut sums) = ([0.0; 2], [[0.0; 5]; 2]);
            let (mut raw, mut adjusted, mut missed, mut reduction) = (None, None, None, 0.0);
            for look in 1..=COVARIATE_LOOKS {
                let treated = split.draw(draw);
                for (arm, arrived) in [BATCH - treated, treated].into_iter().enumerate() {
                    counts[arm] += f64::from(arrived);
                    for _ in 0..arrived {
                        let x = draw.normal();
                        let y = correlation * x + rest * draw.normal() + effect * arm as f64;
                        add(&mut sums[arm], y, x);
                    }
                }
                let arms = [0, 1].map(|arm| {
                    let [y, x, yy, xx, xy] = sums[arm];
                    CovariateArm::from_sums(counts[arm], y, x, yy, xx, xy)
                });
                let [control, treatment] = arms.map(|arm| Arm { n: arm.n, mean: arm.mean_y, m2: arm.m2_y });
                if always_valid::compare(&control, &treatment, None, &design).p_value < alpha {
                    raw = raw.or(Some(look));
                }
                let after = adjust(&arms, Slope::Lin);
                let before = raw_variance(&arms[0], &arms[1]);
                let Some(pair) = compare(&after[0], &after[1], before) else { continue };
                let estimate = Estimate::of_variance(pair.difference, pair.variance_floored, pair.units);
                let waited = counts[0].min(counts[1]) >= design.units_min;
                let found = compare_estimate(&estimate, waited, &design);
                adjusted = adjusted.or((found.p_value < alpha).then_some(look));
                missed = missed.or((effect < found.low || found.high < effect).then_some(look));
                reduction = pair.variance_reduction.unwrap_or(0.0);
            }
            report.first(RAW, raw, COVARIATE_LOOKS);
            report.first(ADJUSTED, adjusted, COVARIATE_LOOKS);
            report.first(MISSED, missed, COVARIATE_LOOKS);
            report.amount(REDUCTION, rint(1_000.0 * reduction.max(0.0)) as u64);
        })
    }
}

/// One arm's quantile: only the number of values at or below it matters, which is binomial whatever the distribution.
#[derive(Debug, Clone, Copy)]
struct Quantile {
    q: f64,
}

impl Design for Quantile {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let below = Binomial::new(BATCH, self.q);
        let sequence = RankSequence { q: self.q, concentration: CONCENTRATION };
        let bound = -Alpha::FIVE_PERCENT.ln();
        Box::new(move |draw, report| {
            let (mut count, mut first) = (0, None);
            for look in 1..=QUANTILE_LOOKS {
                count += u64::from(below.draw(draw));
                if sequence.ln_e(u64::from(look * BATCH), count) >= bound {
                    first = Some(look);
                    break;
                }
            }
            report.first(QUANTILE, first, QUANTILE_LOOKS);
        })
    }
}

/// A/A and an effect for the covariate, three quantiles.
pub(super) fn scenarios() -> Vec<Scenario> {
    let null = Covariate { correlation: 0.7, effect: 0.0 };
    // 80 % power for a fixed horizon of all users: 2.8 standard errors.
    let effect = Covariate { effect: 2.801_585_218 * 2.0 / sqrt(f64::from(BATCH * COVARIATE_LOOKS)), ..null };
    let users = f64::from(BATCH * COVARIATE_LOOKS);
    let mut all = vec![
        scenario(
            "cuped-null",
            "A/A, normal values, covariate with correlation 0.7, looks every 100 to 20,000".to_owned(),
            2_000,
            users,
            Box::new(null),
            vec![
                Measure::at_most(ADJUSTED, 0.05),
                Measure::at_most(RAW, 0.05),
                // Of the variance, the square of the correlation.
                Measure::mean(REDUCTION, 490.0, 10.0),
            ],
        ),
        scenario(
            "cuped-effect",
            "An effect that a fixed horizon finds with 80 % power, the same covariate".to_owned(),
            2_000,
            users,
            Box::new(effect),
            vec![
                Measure::share(RAW, 0.53, 0.49, 0.57),
                // Half of the variance is gone, so the drift grows from 2.80 to 3.92, which is found with 0.88.
                Measure::share(ADJUSTED, 0.88, 0.85, 0.92),
                Measure::at_most(MISSED, 0.05),
            ],
        ),
    ];
    all.extend([("quantile-50", 0.5), ("quantile-90", 0.9), ("quantile-99", 0.99)].map(|(id, q)| {
        let title = format!("The {q} quantile of one arm, looks every 100 units to 100,000");
        let horizon = f64::from(BATCH * QUANTILE_LOOKS);
        let measures = vec![Measure::at_most(QUANTILE, 0.05)];
        scenario(id, title, 10_000, horizon, Box::new(Quantile { q }), measures)
    }));
    all
}

fn scenario(
    id: &'static str,
    title: String,
    runs: u64,
    horizon: f64,
    design: Box<dyn Design>,
    measures: Vec<Measure>,
) -> Scenario {
    Scenario { id, chapter: Chapter::SpecialMetrics, title, runs, horizon, measures, design }
}
