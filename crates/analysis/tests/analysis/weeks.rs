//! Units by week of first exposure: which weeks there are, and that each has the numbers of its own units.

use crate::harness::{START_S, World};
use assay_experiment::{Timestamp, format_time};
use assay_statistics::alpha::Alpha;
use assay_statistics::fixed_horizon::welch;
use assay_statistics::lift::{Lift, Mean, fieller};
use assay_statistics::moments::Arm;
use assay_statistics::sides::Sides;
use serde_json::Value as Json;

const DEFINITIONS: &str = "kind: experiment\nid: e\nsalt: s\nstatus: running\nassignment: external\n\
    variants: [{ name: control, control: true }, { name: treatment }]\n\
    metrics: [{ metric: value, role: primary, minimum_effect: 5% }, { metric: kept, role: secondary }]\n\
    analysis: { planned_units: 100 }\n---\n{ kind: metric, id: value, type: sum, event: buy }\n---\n\
    { kind: metric, id: kept, type: sum, event: buy, window: 24h, maturity: matured }";

/// A pair every so many hours, from the 30th hour on: its value is by its number and its arm.
fn world(every: usize, hours: usize, end: &str) -> World {
    let mut world = World::new(2, DEFINITIONS);
    for hour in (30..hours).step_by(every) {
        for (arm, value) in [("control", control_value(hour)), ("treatment", treatment_value(hour))] {
            world.play(&format!("{hour}h30m expose e/{arm} {arm}{hour}\n{hour}h30m1s do buy {arm}{hour} {value}"));
        }
    }
    world.play(end);
    world
}

fn control_value(hour: usize) -> usize {
    100 + hour * 7 % 23
}

fn treatment_value(hour: usize) -> usize {
    110 + hour * 5 % 31
}

fn at(hour: i64) -> String {
    format_time(Timestamp((START_S + hour * 3_600) * 1_000_000))
}

fn arm(values: impl Iterator<Item = f64>) -> Arm {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    Arm { n, mean, m2: values.iter().map(|value| (value - mean) * (value - mean)).sum() }
}

fn weeks(json: &Json, metric: usize) -> Vec<Json> {
    json["experiments"][0]["metrics"][metric]["weeks"].as_array().unwrap().clone()
}

#[test]
fn each_week_has_the_numbers_of_its_own_units() {
    let (every, hours) = (5, 400);
    let json = world(every, hours, "400h tick").json();
    let found = weeks(&json, 0);
    // The first exposure is on May 2 at 6:30, so the first week ends with May 8; the third one is under way.
    assert_eq!(found.len(), 3);
    for (number, week) in found.iter().enumerate() {
        let (from, to) = (24 + 168 * number as i64, 24 + 168 * (number as i64 + 1));
        assert_eq!(week["week"], number + 1);
        assert_eq!((week["from"].as_str(), week["to"].as_str()), (Some(&*at(from)), Some(&*at(to))));
        let own = || (30..hours).step_by(every).filter(move |&hour| (from..to).contains(&(hour as i64)));
        let (c, t) = (arm(own().map(|it| control_value(it) as f64)), arm(own().map(|it| treatment_value(it) as f64)));
        let [control, treatment] = [&week["variants"][0], &week["variants"][1]];
        assert!(control["lift"].is_null() && control.get("low").is_none(), "{control}");
        assert_eq!((control["units"].as_f64(), treatment["units"].as_f64()), (Some(c.n), Some(t.n)));
        let test = welch(&c, &t, Alpha::FIVE_PERCENT).unwrap();
        let (mc, mt) = (Mean::of(&c), Mean::of(&t));
        let set = fieller(mc.mean, mc.variance, mt.mean, mt.variance, Sides::Two.critical(Alpha::FIVE_PERCENT));
        let Lift::Bounded { low, high } = set else { panic!("{set:?}") };
        let expected = [
            ("mean", t.mean),
            ("difference", test.difference),
            ("low", test.low),
            ("high", test.high),
            ("lift", t.mean / c.mean - 1.0),
            ("lift_low", low),
            ("lift_high", high),
        ];
        for (name, expected) in expected {
            let found = treatment[name].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{name}: {found} is not {expected}");
        }
        assert_eq!(treatment["lift_shape"], "bounded");
    }
}

/// Whatever is in a metric's results is in one of its weeks, and nothing else.
#[test]
fn weeks_sum_to_the_total_also_where_windows_are_waited_for() {
    let json = world(7, 400, "400h tick").json();
    for (metric, all) in [(0, 53), (1, 50)] {
        for variant in 0..2 {
            let total = &json["experiments"][0]["metrics"][metric]["variants"][variant]["units"];
            let of_weeks =
                weeks(&json, metric).iter().map(|it| it["variants"][variant]["units"].as_i64().unwrap()).sum();
            assert_eq!((total.as_i64(), Some(all)), (Some(of_weeks), total.as_i64()), "metric {metric}");
        }
    }
}

/// Whoever reads the looks in another order, or goes on from a snapshot, has the same weeks.
#[test]
fn weeks_are_a_function_of_the_log() {
    let played = world(11, 700, "700h tick");
    let analysis = played.analyse();
    let resume = vec![0; played.partitions() as usize];
    let (again, _) = assay_analysis::Analysis::restore(&analysis.snapshot(&resume)).unwrap();
    let json = played.json();
    assert_eq!(weeks(&again.results().unwrap().to_json("test"), 0), weeks(&json, 0));
    assert_eq!(weeks(&json, 0).len(), 4);
}

#[test]
fn half_a_year_is_told_and_empty_weeks_are_among_it() {
    let mut world = World::new(1, DEFINITIONS);
    for week in [0, 3, 29] {
        world.play(&format!("{}h expose e/control u{week}", week * 168));
    }
    world.play("4900h tick");
    let found = weeks(&world.json(), 0);
    assert_eq!((found.len(), &found[0]["week"], &found[25]["week"]), (26, &5.into(), &30.into()));
    let units: i64 = found.iter().map(|it| it["variants"][0]["units"].as_i64().unwrap()).sum();
    assert_eq!((units, &found[0]["variants"][0]["mean"]), (1, &Json::Null));
}
