//! A small run of every calibration scenario: does anything contradict what the statistics promise?
//!
//! Guards invariant 22. `make calibrate` makes the full run with the same code; a failure here names the scenario, whose counts are the
//! same on every machine.

use assay_simulator::calibration::{Chapter, Counts, Scenario, run, scenarios};
use std::collections::BTreeSet;

const SEED: u64 = 4;
/// Of a full run's runs, one in so many: check A has 500.
const PART: u64 = 20;
/// A measure fails if its counts are less likely than this under every value in its allowed range. With some 200 measures of two ends
/// each, even if all of them lay exactly at an end, one seed in two thousand would fail.
const HARDLY: f64 = 1e-6;

fn check(chapter: Chapter) {
    for scenario in scenarios().iter().filter(|scenario| scenario.chapter == chapter) {
        let counts = run(scenario, SEED, 0..scenario.runs / PART);
        for (measure, tally) in scenario.measures.iter().zip(&counts.0) {
            let found = tally.value(measure.kind);
            assert!(
                !measure.contradicted_by(tally, HARDLY),
                "{}, {}: {found:?} of {} runs, which contradicts {} to {}",
                scenario.id,
                measure.name,
                tally.trials,
                measure.low,
                measure.high
            );
        }
    }
}

#[test]
fn false_positives() {
    check(Chapter::FalsePositives);
}

#[test]
fn coverage() {
    check(Chapter::Coverage);
}

#[test]
fn power() {
    check(Chapter::Power);
}

#[test]
fn group_sequential() {
    check(Chapter::GroupSequential);
}

#[test]
fn open_windows() {
    check(Chapter::OpenWindows);
}

#[test]
fn allocation() {
    check(Chapter::Allocation);
}

#[test]
fn bayesian() {
    check(Chapter::Bayesian);
}

#[test]
fn sample_ratio() {
    check(Chapter::SampleRatio);
}

#[test]
fn exact() {
    check(Chapter::Exact);
}

#[test]
fn special_metrics() {
    check(Chapter::SpecialMetrics);
}

#[test]
fn guardrails() {
    check(Chapter::Guardrails);
}

#[test]
fn multiplicity() {
    check(Chapter::Multiplicity);
}

/// Runs may be split over threads in any way.
#[test]
fn parts_add_up_to_the_whole() {
    let all = scenarios();
    let split = |scenario: &Scenario| {
        let mut counts = Counts::none(&scenario.measures);
        for part in [5..6, 0..2, 2..5] {
            counts.merge(&run(scenario, SEED, part));
        }
        counts
    };
    for chapter in Chapter::ALL {
        let scenario = all.iter().find(|scenario| scenario.chapter == chapter).expect("every chapter has scenarios");
        assert_eq!(split(scenario), run(scenario, SEED, 0..6), "{}", scenario.id);
    }
}

/// Ids name random numbers and plots, so two scenarios must not share one.
#[test]
fn ids_are_unique() {
    let all = scenarios();
    let ids: BTreeSet<_> = all.iter().map(|scenario| scenario.id).collect();
    assert_eq!(ids.len(), all.len());
}

/// The small run is large enough to tell the default from a method that errs in 8 % of experiments, and from looking with a fixed bound.
#[test]
fn a_broken_method_would_be_noticed() {
    let all = scenarios();
    let check_a = &all[0];
    let promised = &check_a.measures[0];
    let counts = run(check_a, SEED, 0..check_a.runs / PART);
    let [default, .., naive] = &counts.0[..] else { panic!("check A has the default first and the fixed bound last") };
    assert!(promised.contradicted_by(naive, HARDLY), "{naive:?}");
    let mut broken = default.clone();
    broken.hits = 8 * broken.trials / 100;
    assert!(promised.contradicted_by(&broken, HARDLY), "{broken:?}");
}
