//! Brute force over the set of (record, log time), compared with the fold at every look.
//!
//! The oracle keeps lists and looks at all of them again for every look; it shares nothing with the fold but the definitions' file.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

mod history;

use assay_aggregates::Look;
use history::{FUTURE_S, History, LATE_S, Record, SLACK_S, Step, What, fold, history, history_from, merged};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// (experiment, variant, hour, row, metric) → units, nonzero, y, yy, x, xx, xy.
type Sums = BTreeMap<(usize, usize, i64, usize, usize), [i128; 7]>;

/// Everything that brute force says about a prefix.
#[derive(Debug, Default, PartialEq)]
struct Truth {
    sums: Sums,
    units: BTreeMap<(usize, usize, i64, usize), i64>,
    crossed: [i64; 2],
    accepted: [u64; 3],
    duplicates: u64,
    late: u64,
    future: u64,
    erased: u64,
}

const US: i64 = 1_000_000;
const ONE: i64 = 1_000_000;

fn oracle(records: &[&Record]) -> Truth {
    let mut truth = Truth::default();
    let mut ids = BTreeSet::new();
    let mut accepted: Vec<(&Record, i64)> = Vec::new();
    let mut erased = BTreeSet::new();
    let mut now = i64::MIN;
    for record in records {
        now = now.max(record.at_s * US);
        let e = record.time_s * US;
        let target = match &record.what {
            What::Correct { target_time_s, .. } => (*target_time_s * US).min(e),
            _ => e,
        };
        if erased.contains(&record.unit) {
            truth.erased += 1;
        } else if e > now + FUTURE_S * US {
            truth.future += 1;
        } else if now > target + LATE_S * US {
            truth.late += 1;
        } else if !ids.insert((record.id, record.unit)) {
            truth.duplicates += 1;
        } else {
            accepted.push((record, now));
            truth.accepted[match record.what {
                What::Expose { .. } => 0,
                What::Convert { .. } => 1,
                _ => 2,
            }] += 1;
            if record.what == What::Erase {
                erased.insert(record.unit);
            }
        }
    }
    let units: BTreeSet<usize> = accepted.iter().map(|(record, _)| record.unit).collect();
    for unit in units {
        let own: Vec<&(&Record, i64)> = accepted.iter().filter(|(record, _)| record.unit == unit).collect();
        if own.iter().any(|(record, _)| matches!(record.what, What::Bot | What::Erase)) {
            continue;
        }
        for experiment in 0..2 {
            one_unit(&own, experiment, &mut truth);
        }
    }
    truth.sums.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.units.retain(|_, units| *units != 0);
    truth
}

/// One unit in one experiment. Experiment 0 excludes crossed units, experiment 1 keeps them where they were first.
fn one_unit(own: &[&(&Record, i64)], wanted: usize, truth: &mut Truth) {
    let exposures: Vec<(i64, i64, usize, u128, usize)> = own
        .iter()
        .filter_map(|(record, now)| match record.what {
            What::Expose { experiment, variant, country } if experiment == wanted => {
                let e = record.time_s * US;
                Some((e.max(now - SLACK_S * US), e, variant, record.id, country))
            }
            _ => None,
        })
        .collect();
    let Some(&(first, _, variant, _, country)) = exposures.iter().min() else { return };
    let crossed = exposures.iter().map(|exposure| exposure.2).collect::<BTreeSet<_>>().len() > 1;
    truth.crossed[wanted] += i64::from(crossed);
    if crossed && wanted == 0 {
        return;
    }
    let taken_back = |id: u128, time_s: i64, name: usize, value: i64| {
        own.iter().any(|(record, _)| {
            matches!(&record.what, What::Correct { target, target_time_s, name: said, value: worth }
                if *target == id && *target_time_s == time_s && *said == name && *worth == value)
        })
    };
    let conversions: Vec<(i64, usize, i64, bool)> = own
        .iter()
        .filter_map(|(record, _)| match record.what {
            What::Convert { name, value, gift } if !taken_back(record.id, record.time_s, name, value) => {
                Some((record.time_s * US, name, value, gift))
            }
            _ => None,
        })
        .collect();
    let within = |from: i64, to: i64| {
        let conversions = &conversions;
        move |name: usize| {
            conversions
                .iter()
                .filter(move |(c, of, ..)| *of == name && first + from <= *c && *c < first.saturating_add(to))
                .copied()
                .collect::<Vec<_>>()
        }
    };
    const H: i64 = 3_600 * US;
    let ever = i64::MAX;
    let buys = within(0, 2 * H)(0);
    let sold = within(0, 3 * H)(0);
    let contributions = [
        // bought: conversion of buy in 2 h
        (ONE * i64::from(!buys.is_empty()), 0),
        // views: count of view, no window
        (ONE * within(0, ever)(1).len() as i64, 0),
        // revenue: sum of buy in 3 h, from -3 to 5
        (sold.iter().map(|it| it.2).sum::<i64>().clamp(-3 * ONE, 5 * ONE), 0),
        // per-view: sum of buy by count of view
        (within(0, ever)(0).iter().map(|it| it.2).sum::<i64>(), ONE * within(0, ever)(1).len() as i64),
        // back: view in [1 h, 2 h)
        (ONE * i64::from(!within(H, 2 * H)(1).is_empty()), 0),
        // gifts: count of buy where gift is true
        (ONE * within(0, ever)(0).iter().filter(|it| it.3).count() as i64, 0),
    ];
    let hour = first.div_euclid(H);
    // Row 0 is everybody; then come DE, FR, other.
    for row in [0, 1 + country.min(2)] {
        *truth.units.entry((wanted, variant, hour, row)).or_default() += 1;
        for (metric, &(y, x)) in contributions.iter().enumerate() {
            let sums = truth.sums.entry((wanted, variant, hour, row, metric)).or_default();
            let (y, x) = (i128::from(y), i128::from(x));
            let add = [1, i128::from(y != 0), y, y * y, x, x * x, x * y];
            sums.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
        }
    }
}

/// What the looks of a partition say up to one of them.
fn said(looks: &[Look]) -> Truth {
    let mut truth = Truth::default();
    let mut blocks = BTreeMap::new();
    for look in looks {
        for experiment in &look.experiments {
            let at = usize::from(experiment.id == "second");
            truth.crossed[at] = experiment.tallies.crossed;
            for block in &experiment.blocks {
                blocks.insert((at, block.variant, block.hour), block.clone());
            }
        }
    }
    for ((experiment, variant, hour), block) in blocks {
        let metrics = block.cells.len() / block.units.len();
        for row in 0..block.units.len() {
            truth.units.insert((experiment, usize::from(variant), hour, row), block.units[row]);
            for metric in 0..metrics {
                let cell = block.cells[row * metrics + metric];
                let sums = [cell.units.into(), cell.nonzero.into(), cell.y, cell.yy, cell.x, cell.xx, cell.xy];
                truth.sums.insert((experiment, usize::from(variant), hour, row, metric), sums);
            }
        }
    }
    truth.sums.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.units.retain(|_, units| *units != 0);
    if let Some(look) = looks.last() {
        let counters = &look.counters;
        truth.accepted = counters.accepted;
        truth.duplicates = counters.duplicates;
        let rejected = |reason| counters.rejected(reason);
        truth.late = rejected(assay_aggregates::Reason::Late);
        truth.future = rejected(assay_aggregates::Reason::Future);
        truth.erased = rejected(assay_aggregates::Reason::Erased);
    }
    truth
}

fn check(history: &History, partitions: u32) {
    for partition in fold(history, partitions) {
        for (at, look) in partition.looks.iter().enumerate() {
            let prefix: Vec<&Record> = partition
                .records
                .iter()
                .filter(|(offset, _)| *offset < look.next_offset)
                .map(|(_, record)| record)
                .collect();
            let expected = oracle(&prefix);
            let found = said(&partition.looks[..=at]);
            assert_eq!(found, expected, "look {} of {}: records {prefix:#?}", look.last, partition.looks.len());
            let counters = &look.counters;
            let known = counters.accepted.iter().sum::<u64>()
                + counters.duplicates
                + counters.rejected.iter().sum::<u64>()
                + counters.control;
            assert_eq!(counters.records, known, "every record is accounted for");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 4 to 7: at every look the state is brute force over the records before it.
    #[test]
    fn the_fold_is_brute_force(history in history(60), partitions in 1u32..4) {
        check(&history, partitions);
    }

    /// Invariants 4 and 24: with delays of at most A, neither the order of arrival nor the number of partitions matters, and repeats do not.
    #[test]
    fn the_order_of_arrival_is_irrelevant(
        steps in history(40),
        delays in proptest::collection::vec((0..SLACK_S, 0..SLACK_S, any::<bool>()), 40),
        partitions in 2u32..5,
    ) {
        let one = history_from(&steps, |at| vec![delays[at % delays.len()].0]);
        let other = history_from(&steps, |at| {
            let (_, delay, twice) = delays[at % delays.len()];
            if twice { vec![delay, SLACK_S] } else { vec![delay] }
        });
        prop_assert_eq!(merged(&fold(&one, 1)), merged(&fold(&other, partitions)));
    }

    /// Invariant 8: when every unit is taken out, nothing is left, exactly.
    #[test]
    fn retracting_everybody_leaves_zero(history in history(50), partitions in 1u32..3) {
        let mut all = history.clone();
        let last = history.records.last().map_or(0, |record| record.at_s);
        for unit in 0..history::UNITS {
            all.records.push(Record {
                id: 1_000_000 + unit as u128, at_s: last, time_s: last, unit, what: What::Bot,
            });
        }
        for ((_, _), block) in merged(&fold(&all, partitions)) {
            prop_assert!(block.is_zero(), "{block:?}");
        }
    }

    /// Invariant 16: a restart at any record changes nothing that follows.
    #[test]
    fn restarts_leave_no_trace(history in history(50), cuts in proptest::collection::vec(0usize..60, 0..6)) {
        let whole = fold(&history, 2);
        let restarted = history::fold_with_restarts(&history, 2, &cuts);
        for (one, other) in whole.iter().zip(&restarted) {
            prop_assert_eq!(&one.looks, &other.looks);
            prop_assert_eq!(one.state_hash, other.state_hash);
        }
    }

    /// Invariant 3: a broker's clock that runs backwards never opens a closed look again.
    #[test]
    fn looks_close_once(history in history(50), back in proptest::collection::vec(-4_000i64..1, 50)) {
        let mut history = history;
        for (record, back) in history.records.iter_mut().zip(&back) {
            record.at_s += back;
        }
        for partition in fold(&history, 2) {
            let mut closed = i64::MIN;
            let mut previous = None;
            for look in &partition.looks {
                prop_assert!(closed < look.first && look.first <= look.last);
                prop_assert_eq!(look.previous, previous);
                (closed, previous) = (look.last, Some(look.last));
            }
        }
        check(&history, 2);
    }
}

/// Invariant 6: an id that was forgotten can only be late, so it never counts again.
#[test]
fn an_id_never_counts_twice_even_after_its_memory_ends() {
    let mut steps = vec![
        Step {
            gap_s: 10,
            unit: 0,
            what: What::Expose { experiment: 0, variant: 0, country: 0 },
            age_s: 0,
            repeats: None,
        },
        Step { gap_s: 10, unit: 0, what: What::Convert { name: 1, value: 0, gift: false }, age_s: -290, repeats: None },
    ];
    // The conversion again and again, over three times its memory.
    for _ in 0..60 {
        steps.push(Step {
            gap_s: LATE_S / 20,
            unit: 0,
            what: What::Convert { name: 1, value: 0, gift: false },
            age_s: 0,
            repeats: Some(1),
        });
    }
    let history = history::build(&steps);
    check(&history, 1);
    let counters = fold(&history, 1)[0].looks.last().unwrap().counters.clone();
    assert_eq!(counters.accepted[1], 1);
    assert!(counters.duplicates > 15 && counters.rejected(assay_aggregates::Reason::Late) > 30, "{counters:?}");
}
