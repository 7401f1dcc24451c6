//! Conversions: two Bernoulli rates, looked at after every batch of users.

use super::count::{Measure, Report};
use super::watch::{self, Wanted, Watch, Watched};
use super::{Binomial, Chapter, Design, Prepared, Scenario};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid;
use assay_statistics::moments::Arm;

/// Users come in batches, each user is assigned at random, and each arm converts at its rate.
#[derive(Debug, Clone, Copy)]
struct Conversions {
    /// Of control and treatment.
    rates: [f64; 2],
    /// Share of users that get the treatment.
    treatment_share: f64,
    /// N*.
    planned: f64,
    /// Users between looks.
    batch: u32,
    looks: u32,
}

impl Design for Conversions {
    fn prepared(&self, report: &Report<'_>) -> Prepared {
        let split = Binomial::new(self.batch, self.treatment_share);
        let converting = self.rates.map(|rate| Binomial::family(self.batch, rate));
        let [control, treatment] = self.rates;
        let watched = Watched {
            design: always_valid::Design::new(Alpha::FIVE_PERCENT, self.planned),
            planned: self.planned,
            difference: treatment - control,
            lift: treatment / control - 1.0,
            looks: self.looks,
            batch: self.batch,
        };
        let (wanted, batch) = (Wanted::of(report), self.batch);
        Box::new(move |draw, report| {
            let mut watch = Watch::new(watched, wanted);
            let (mut units, mut converted) = ([0u32; 2], [0u32; 2]);
            for look in 1..=watched.looks {
                let treated = split.draw(draw);
                for (arm, arrived) in [batch - treated, treated].into_iter().enumerate() {
                    units[arm] += arrived;
                    converted[arm] += converting[arm][arrived as usize].draw(draw);
                }
                let [control, treatment] = [0, 1].map(|arm| arm_of(units[arm], converted[arm]));
                let share = f64::from(converted[0] + converted[1]) / (control.n + treatment.n);
                watch.look(look, &control, &treatment, Some(share));
            }
            watch.report(report);
        })
    }
}

fn arm_of(units: u32, converted: u32) -> Arm {
    Arm::of_conversions(f64::from(units), f64::from(converted))
}

/// `users` in looks of 100.
fn design(rates: [f64; 2], treatment_share: f64, planned: f64, users: u32) -> Conversions {
    Conversions { rates, treatment_share, planned, batch: 100, looks: users / 100 }
}

fn scenario(id: &'static str, chapter: Chapter, title: &str, design: Conversions, measures: Vec<Measure>) -> Scenario {
    let horizon = f64::from(design.batch * design.looks);
    Scenario { id, chapter, title: title.to_owned(), runs: 10_000, horizon, measures, design: Box::new(design) }
}

/// Check A, the hard designs, coverage and power.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = vec![check_a()];
    all.extend(hard());
    all.extend(coverage());
    all.push(power());
    all
}

fn check_a() -> Scenario {
    let title = "Check A: Bernoulli 0.05, 50/50, N* = 100,000, a look after every 100 users up to 100,000";
    let measures = vec![
        Measure::share(watch::DEFAULT, 0.0188, 0.010, 0.028),
        Measure::share(watch::LAST_LOOK, 0.0024, 0.0, 0.006),
        Measure::share(watch::NAIVE, 0.53, 0.50, 0.56),
    ];
    scenario("check-a", Chapter::FalsePositives, title, design([0.05; 2], 0.5, 1e5, 100_000), measures)
}

/// A/A designs in which the usual implementation fails or the default comes close to alpha.
fn hard() -> Vec<Scenario> {
    // id, rate, treatment's share, N*; expected for the default without the event rule and for plain Welch.
    let cases: [(&'static str, f64, f64, f64, f64, f64); 9] = [
        ("aa-0.05-even-100k", 0.05, 0.5, 1e5, 0.019, 0.019),
        ("aa-0.01-90-10-100k", 0.01, 0.1, 1e5, 0.008, 0.070),
        ("aa-0.01-90-10-5k", 0.01, 0.1, 5e3, 0.005, 0.322),
        ("aa-0.01-98-2-5k", 0.01, 0.02, 5e3, 0.0003, 0.610),
        ("aa-0.001-even-1k", 0.001, 0.5, 1e3, 0.005, 0.005),
        ("aa-0.001-90-10-1k", 0.001, 0.1, 1e3, 0.0, 0.326),
        ("aa-0.3-90-10-1k", 0.3, 0.1, 1e3, 0.022, 0.034),
        ("aa-0.5-even-1k", 0.5, 0.5, 1e3, 0.032, 0.032),
        ("aa-0.2-each-user", 0.2, 0.5, 500.0, 0.032, 0.034),
    ];
    cases
        .into_iter()
        .map(|(id, rate, share, planned, floored, plain)| {
            let each = id.ends_with("each-user");
            let mut design = design([rate; 2], share, planned, 100_000);
            if each {
                design = Conversions { batch: 1, looks: 2_000, ..design };
            }
            let every = if each { "look after every user to 2,000" } else { "looks every 100 to 100,000" };
            let treated = 100.0 * share;
            let planned = super::grouped(planned);
            let title = format!("A/A, Bernoulli {rate}, {}/{treated}, N* = {planned}, {every}", 100.0 - treated);
            let measures = vec![
                Measure::at_most(watch::DEFAULT, 0.05),
                super::near(watch::NO_EVENT_RULE, floored),
                super::near(watch::PLAIN_WELCH, plain),
            ];
            scenario(id, Chapter::FalsePositives, &title, design, measures)
        })
        .collect()
}

/// Real effects in hard designs: does the interval hold them at every look of 100,000 users?
fn coverage() -> Vec<Scenario> {
    let cases: [(&'static str, [f64; 2], f64, f64); 7] = [
        ("miss-0.001-thrice-90-10", [0.001, 0.003], 0.1, 5e3),
        ("miss-0.001-half-90-10", [0.001, 0.0005], 0.1, 5e3),
        ("miss-0.01-twice-90-10", [0.01, 0.02], 0.1, 1e4),
        ("miss-0.01-half-90-10", [0.01, 0.005], 0.1, 5e3),
        ("miss-0.01-thrice-98-2", [0.01, 0.03], 0.02, 5e3),
        ("miss-0.05-half-98-2", [0.05, 0.025], 0.02, 5e3),
        ("miss-0.05-half-more-98-2", [0.05, 0.075], 0.02, 1e4),
    ];
    let mut all: Vec<Scenario> = cases
        .into_iter()
        .map(|(id, rates, share, planned)| {
            let treated = 100.0 * share;
            let [control, treatment] = rates;
            let title = format!(
                "Rates {control} and {treatment}, {}/{treated}, N* = {}",
                100.0 - treated,
                super::grouped(planned)
            );
            let measures = vec![
                Measure::at_most(watch::MISSED, 0.05),
                Measure::at_most(watch::MISSED_NO_EVENT_RULE, 0.15),
                Measure::at_most(watch::LIFT_MISSED, 0.05),
            ];
            scenario(id, Chapter::Coverage, &title, design(rates, share, planned, 100_000), measures)
        })
        .collect();
    let lift = "Rates 0.05 and 0.055, 50/50, N* = 100,000";
    let measures = vec![
        Measure::at_most(watch::MISSED, 0.05),
        super::near(watch::LIFT_MISSED, 0.016),
        super::near(watch::DELTA_MISSED, 0.021),
    ];
    all.push(scenario("lift-0.05", Chapter::Coverage, lift, design([0.05, 0.055], 0.5, 1e5, 100_000), measures));
    let lift = "Rates 0.01 and 0.02, 90/10, N* = 10,000, no event rule";
    let measures = vec![
        super::near(watch::LIFT_MISSED_NO_EVENT_RULE, 0.034),
        super::near(watch::DELTA_MISSED_NO_EVENT_RULE, 0.083),
    ];
    all.push(scenario("lift-0.01", Chapter::Coverage, lift, design([0.01, 0.02], 0.1, 1e4, 100_000), measures));
    all
}

/// The textbook example, 5 % against 5.5 %, to 1.645 times the fixed sample.
fn power() -> Scenario {
    let measures = vec![
        Measure::share(watch::DEFAULT, 0.8085, 0.795, 0.822),
        Measure::share(watch::BY_PLAN, 0.536, 0.515, 0.557),
        Measure::share(watch::FIXED_AT_PLAN, 0.80, 0.785, 0.815),
        Measure::mean(watch::UNITS, 60_500.0, 1_500.0),
    ];
    let design = design([0.05, 0.055], 0.5, 62_462.0, 102_800);
    let title =
        "Rates 0.05 and 0.055, 50/50, N* = 62,462 (80 % power at a fixed horizon), to 1.645 times as many users";
    scenario("power-0.05-0.055", Chapter::Power, title, design, measures)
}
