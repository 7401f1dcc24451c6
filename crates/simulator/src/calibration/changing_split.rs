//! Allocation (§1.9): a split that changes on the way, and several treatments against one control.

use super::count::{Measure, Report};
use super::{Binomial, Chapter, Design, Draw, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::epochs::{self, Pair};
use assay_statistics::always_valid::{self, Comparison};
use assay_statistics::moments::Arm;
use assay_statistics::multiplicity::holm;

const BY_EPOCH: &str = "epochs weighted";
const POOLED: &str = "raw arms pooled over epochs";
const HOLM: &str = "any treatment, Holm over running p";
const UNADJUSTED: &str = "any treatment, unadjusted";

const BATCH: u32 = 100;
const LOOKS: u32 = 1_000;

/// From 50/50 to 10/90 after half of the users, while the rate of everybody doubles: pooling compares late users with early ones.
#[derive(Debug, Clone, Copy)]
struct ChangingSplit;

/// Share of the treatment and rate of both arms, before and after.
const EPOCHS: [(f64, f64); 2] = [(0.5, 0.05), (0.9, 0.10)];

impl Design for ChangingSplit {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        let tables = EPOCHS.map(|(share, rate)| (Binomial::new(BATCH, share), Binomial::family(BATCH, rate)));
        let design = always_valid::Design::new(Alpha::FIVE_PERCENT, f64::from(BATCH * LOOKS));
        let bound = -design.alpha().ln();
        Box::new(move |draw, report| {
            let (mut counts, mut firsts) = ([[(0.0, 0.0); 2]; 2], [None; 2]);
            for look in 1..=LOOKS {
                let epoch = usize::from(look > LOOKS / 2);
                let (split, converting) = &tables[epoch];
                let treated = split.draw(draw);
                for (arm, arrived) in [BATCH - treated, treated].into_iter().enumerate() {
                    counts[epoch][arm].0 += f64::from(arrived);
                    counts[epoch][arm].1 += f64::from(converting[arrived as usize].draw(draw));
                }
                let pooled = [0, 1].map(|arm| {
                    let (n, x) = (counts[0][arm], counts[1][arm]);
                    (n.0 + x.0, n.1 + x.1)
                });
                let crossed = [
                    epochs::compare(&counts.map(pair), Some(share_of(pooled)), &design).ln_e > bound,
                    compare(pooled, &design).ln_e > bound,
                ];
                for (first, crossed) in firsts.iter_mut().zip(crossed) {
                    *first = first.or(crossed.then_some(look));
                }
            }
            report.first(BY_EPOCH, firsts[0], LOOKS);
            report.first(POOLED, firsts[1], LOOKS);
        })
    }
}

fn compare(arms: [(f64, f64); 2], design: &always_valid::Design) -> Comparison {
    let Pair { control, treatment } = pair(arms);
    always_valid::compare(&control, &treatment, Some(share_of(arms)), design)
}

fn share_of([control, treatment]: [(f64, f64); 2]) -> f64 {
    (control.1 + treatment.1) / (control.0 + treatment.0)
}

/// The arms of an epoch.
fn pair(arms: [(f64, f64); 2]) -> Pair {
    let [control, treatment] = arms.map(|(n, x)| Arm::of_conversions(n, x));
    Pair { control, treatment }
}

/// Three treatments and a control, a quarter of the users each, all alike.
#[derive(Debug, Clone, Copy)]
struct Treatments;

const ARMS: usize = 4;

impl Design for Treatments {
    fn prepared(&self, _: &Report<'_>) -> Prepared {
        // Arms are filled one after the other: each takes its share of those who are left.
        let shares = [0.25, 1.0 / 3.0, 0.5].map(|share| Binomial::family(BATCH, share));
        let converting = Binomial::family(BATCH, 0.05);
        let design = always_valid::Design::new(Alpha::FIVE_PERCENT, f64::from(BATCH * LOOKS) / 2.0);
        Box::new(move |draw, report| {
            let mut counts = [(0.0, 0.0); ARMS];
            let mut running = [1.0f64; ARMS - 1];
            let mut firsts = [None; 2];
            for look in 1..=LOOKS {
                for (count, arrived) in counts.iter_mut().zip(arrivals(&shares, draw)) {
                    count.0 += f64::from(arrived);
                    count.1 += f64::from(converting[arrived as usize].draw(draw));
                }
                for (p, &treatment) in running.iter_mut().zip(&counts[1..]) {
                    *p = p.min(compare([counts[0], treatment], &design).p_value);
                }
                let adjusted = firsts[0].is_none() && holm(&running).iter().any(|&p| p < design.alpha().value());
                let unadjusted = running.iter().any(|&p| p < design.alpha().value());
                for (first, crossed) in firsts.iter_mut().zip([adjusted, unadjusted]) {
                    *first = first.or(crossed.then_some(look));
                }
            }
            report.first(HOLM, firsts[0], LOOKS);
            report.first(UNADJUSTED, firsts[1], LOOKS);
        })
    }
}

fn arrivals(shares: &[Vec<Binomial>; ARMS - 1], draw: &mut Draw) -> [u32; ARMS] {
    let mut left = BATCH;
    let mut arrived = [0; ARMS];
    for (arm, share) in shares.iter().enumerate() {
        arrived[arm] = share[left as usize].draw(draw);
        left -= arrived[arm];
    }
    arrived[ARMS - 1] = left;
    arrived
}

/// Both, as A/A experiments.
pub(super) fn scenarios() -> Vec<Scenario> {
    let changing = "A/A, rates 0.05 then 0.10, split 50/50 then 10/90 from 50,000 users on";
    let several = "A/A/A/A, Bernoulli 0.05, three treatments against one control, N* = 50,000 per pair";
    vec![
        scenario(
            "changing-split",
            changing,
            Box::new(ChangingSplit),
            vec![Measure::at_most(BY_EPOCH, 0.05), Measure::at_least(POOLED, 0.99)],
        ),
        scenario(
            "three-treatments",
            several,
            Box::new(Treatments),
            vec![Measure::at_most(HOLM, 0.05), Measure::at_most(UNADJUSTED, 0.15)],
        ),
    ]
}

fn scenario(id: &'static str, title: &str, design: Box<dyn Design>, measures: Vec<Measure>) -> Scenario {
    let horizon = f64::from(BATCH * LOOKS);
    Scenario { id, chapter: Chapter::Allocation, title: title.to_owned(), runs: 10_000, horizon, measures, design }
}
