//! What the numbers are: metric by metric, and which of them decide.

use crate::harness::{World, check, crowd, table};
use serde_json::Value as Json;

fn definitions(uses: &str, metrics: &str, more: &str) -> String {
    format!(
        "kind: experiment\nid: e\nsalt: s\nstatus: running\nassignment: external\n\
         variants: [{{ name: control, control: true }}, {{ name: treatment }}]\n\
         segments: [{{ attribute: country, values: [DE, FR] }}]\n\
         metrics: [{uses}]\nanalysis: {{ planned_units: 100 {more} }}\n---\n{metrics}"
    )
}

const BOUGHT: &str = "{ kind: metric, id: bought, type: conversion, event: buy }";

#[test]
fn ratios_and_retention() {
    let mut world = World::new(
        2,
        &definitions(
            "{ metric: per-view, role: primary }, { metric: back, role: secondary }",
            "{ kind: metric, id: per-view, type: ratio, numerator: { event: buy, value: sum }, denominator: { event: view } }\n---\n\
             { kind: metric, id: back, type: retention, event: view, from: 1h, to: 2h }",
            "",
        ),
    );
    world.play(
        "1 expose e/control a
         1 expose e/control b
         1 expose e/treatment c
         2 do view a
         2 do view a
         2 do view b
         2 do buy a 3
         2 do view c
         2 do buy c 0.5
         1h2s do view a
         2h30s do view b
         5h tick
         5h1s tick",
    );
    // a buys for 3 in 3 views, b for nothing in 2; only a came back within the second hour.
    check(
        &table(&world.json(), &["denominator"]),
        "e per-view control: 2 units, sum 3.0, mean 0.6, denominator 5.0
         e per-view treatment: 1 units, sum 0.5, mean 0.5, denominator 1.0
         e back control: 2 units, sum 1.0, mean 0.5, denominator null
         e back treatment: 1 units, sum 0.0, mean 0.0, denominator null",
    );
}

/// Invariant 12, at every look: a matured metric holds the units of the hours whose end, window and lateness have passed, and no others.
#[test]
fn matured_metrics_hold_exactly_the_mature_hours() {
    let text = definitions(
        "{ metric: value, role: primary }, { metric: so-far, role: secondary }",
        "{ kind: metric, id: value, type: sum, event: buy, window: 30m }\n---\n\
         { kind: metric, id: so-far, type: sum, event: buy, window: 30m, maturity: open }",
        "",
    );
    let mut world = World::new(2, &text);
    let mut exposed = Vec::new();
    for minute in (0..300).step_by(11) {
        world.play(&format!(
            "{minute}m5s expose e/control u{minute}\n{minute}m6s do buy u{minute} 2\n{minute}m50s tick"
        ));
        exposed.push(minute * 60 + 5);
    }
    world.play("9h tick\n9h1s tick");
    let mut analysis = assay_analysis::Analysis::new(2, crate::harness::LATE);
    world.looks.iter().for_each(|look| analysis.take(look.clone()).unwrap());
    let (mut changes, mut before) = (0, 0);
    while analysis.step().is_some() {
        let results = analysis.results().unwrap();
        let now = results.look.0 / 1_000_000 - crate::harness::START_S;
        let mature = |at: i64| (at / 3_600 + 1) * 3_600 + 30 * 60 + 3_600 <= now;
        let expected = exposed.iter().filter(|&&at| mature(at)).count() as i64;
        let [value, so_far] = [0, 1].map(|metric| &results.experiments[0].metrics[metric]);
        assert_eq!((value.arms[0].units, value.arms[0].sum), (expected, 2.0 * expected as f64), "after {now} s");
        let all = exposed.iter().filter(|&&at| at < now).count() as i64;
        assert_eq!(so_far.arms[0].units, all, "after {now} s");
        assert_eq!([value.inside, so_far.inside], [Some((all - expected, all)); 2], "after {now} s");
        changes += usize::from(expected != before);
        before = expected;
    }
    // Five hours, each of which matures at a look of its own although no event comes then.
    assert_eq!((changes, before), (5, exposed.len() as i64));
}

/// Invariant 24.
#[test]
fn segments_sum_to_the_total() {
    let mut world = World::new(
        3,
        &definitions("{ metric: value, role: primary }", "{ kind: metric, id: value, type: sum, event: buy }", ""),
    );
    world.play(&crowd("e", &[("control", 4, "1.25"), ("treatment", 3, "7")], 60));
    world.play("61 tick");
    let json = world.json();
    let experiment = &json["experiments"][0];
    let segments = experiment["segments"].as_array().unwrap();
    let names: Vec<&str> = segments.iter().map(|segment| segment["value"].as_str().unwrap()).collect();
    assert_eq!(names, ["DE", "FR", "other"]);
    for (at, variant) in ["control", "treatment"].iter().enumerate() {
        let total = &experiment["metrics"][0]["variants"][at];
        let add = |of: &dyn Fn(&Json) -> f64| segments.iter().map(of).sum::<f64>();
        assert_eq!(add(&|it| it["units"][variant].as_f64().unwrap()), experiment["units"][variant].as_f64().unwrap());
        for field in ["units", "sum"] {
            let sum = add(&|it| it["metrics"][0]["variants"][at][field].as_f64().unwrap());
            assert_eq!(Some(sum), total[field].as_f64(), "{field} of {variant}");
        }
    }
    let balance = &experiment["balance"][0];
    assert_eq!((&balance["attribute"], &balance["std_difference"]), (&"country".into(), &0.0.into()));
}

#[test]
fn unbalanced_attributes_show() {
    let mut world = World::new(1, &definitions("{ metric: bought, role: primary }", BOUGHT, ""));
    for n in 0..10 {
        let countries = if n < 5 { ("DE", "DE") } else { ("FR", "DE") };
        world.play(&format!(
            "{n} expose e/control c{n} country={}\n{n} expose e/treatment t{n} country={}",
            countries.0, countries.1
        ));
    }
    world.play("11 tick");
    let found = world.json()["experiments"][0]["balance"][0]["std_difference"].as_f64().unwrap();
    let mut apart = World::new(1, &definitions("{ metric: bought, role: primary }", BOUGHT, ""));
    apart.play("1 expose e/control c country=DE\n1 expose e/treatment t country=FR\n2 tick");
    assert_eq!(apart.json()["experiments"][0]["balance"][0]["std_difference"], Json::Null, "apart beyond measure");
    // Shares of 1/2 and 1: 0.5 / sqrt((1/4 + 0) / 2).
    assert!((found - 0.5 / 0.125f64.sqrt()).abs() < 1e-12, "{found}");
}

#[test]
fn cohorts_end_with_the_look_and_say_what_they_cover() {
    let world = |end: &str| {
        let mut world = World::new(
            2,
            &definitions("{ metric: value, role: primary }", "{ kind: metric, id: value, type: sum, event: buy }", ""),
        );
        // One unit in the middle of every hour of ten days, worth the number of its hour.
        for hour in 0..200 {
            world.play(&format!("{hour}h30m expose e/control u{hour}\n{hour}h30m1s do buy u{hour} {hour}"));
        }
        world.play(end);
        let json = world.json();
        let cohorts = json["experiments"][0]["metrics"][0]["cohorts"].clone();
        ["1h", "24h", "7d"]
            .map(|name| {
                let (cohort, arm) = (&cohorts[name], &cohorts[name]["variants"]["control"]);
                format!(
                    "{name}: {} to {}: {} units, sum {}, mean {}\n",
                    cohort["from"], cohort["to"], arm["units"], arm["sum"], arm["mean"]
                )
            })
            .concat()
    };
    // 200 hours after midnight of May 1 it is 8 o'clock on May 9: a look at an exact hour covers as many hours as it says.
    check(
        &world("200h tick"),
        r#"1h: "2026-05-09T07:00:00Z" to "2026-05-09T08:00:00Z": 1 units, sum 199.0, mean 199.0
           24h: "2026-05-08T08:00:00Z" to "2026-05-09T08:00:00Z": 24 units, sum 4500.0, mean 187.5
           7d: "2026-05-02T08:00:00Z" to "2026-05-09T08:00:00Z": 168 units, sum 19404.0, mean 115.5"#,
    );
    // Within an hour the last one is that of the last sixty minutes, and the others count what there is of the hour under way.
    check(
        &world("199h45m tick"),
        r#"1h: "2026-05-09T06:45:00Z" to "2026-05-09T07:45:00Z": 1 units, sum 199.0, mean 199.0
           24h: "2026-05-08T08:00:00Z" to "2026-05-09T07:45:00Z": 24 units, sum 4500.0, mean 187.5
           7d: "2026-05-02T08:00:00Z" to "2026-05-09T07:45:00Z": 168 units, sum 19404.0, mean 115.5"#,
    );
    // A minute leaves as a whole: the one that is under way takes its place.
    let last_hour = |end: &str| world(end).lines().next().map(str::to_owned).unwrap();
    check(
        &[last_hour("200h30m tick"), last_hour("200h30m1s tick")].join("\n"),
        r#"1h: "2026-05-09T07:30:00Z" to "2026-05-09T08:30:00Z": 1 units, sum 199.0, mean 199.0
           1h: "2026-05-09T07:31:00Z" to "2026-05-09T08:30:01Z": 0 units, sum 0.0, mean null"#,
    );
    // A bot that is found out leaves it at once.
    check(
        &last_hour("199h40m bot u199\n199h45m tick"),
        r#"1h: "2026-05-09T06:45:00Z" to "2026-05-09T07:45:00Z": 0 units, sum 0.0, mean null"#,
    );
}

#[test]
fn a_metric_that_is_added_counts_from_then_on_and_moves_nothing_else() {
    let one = definitions("{ metric: bought, role: primary }", BOUGHT, "");
    let two = definitions(
        "{ metric: added, role: secondary }, { metric: bought, role: primary }",
        &format!("{BOUGHT}\n---\n{{ kind: metric, id: added, type: count, event: buy }}"),
        "",
    );
    let mut world = World::new(3, &one);
    world.version(2, &two);
    world.play(&crowd("e", &[("control", 9, "1"), ("treatment", 2, "1")], 80));
    world.play("81 tick\n82 tick");
    let before = world.json()["experiments"][0]["metrics"][0].clone();
    world.play(
        "83 publish 2\n84 tick\n85 expose e/control later country=DE\n86 do buy later 1\n87 do buy later 1\n88 tick",
    );
    let json = world.json();
    let metrics = &json["experiments"][0]["metrics"];
    assert_eq!(metrics[1]["metric"], "added", "metrics stay where they were");
    assert_eq!(metrics[1]["variants"][0]["units"], 1, "only units that came after it");
    assert_eq!(metrics[1]["variants"][0]["sum"], 2.0);
    assert_eq!(metrics[0]["variants"][0]["units"], 81);
    // What was decided before stays decided, with the same running values.
    let running = |metric: &Json| metric["variants"][1]["always_valid"]["crossed"].to_string();
    assert_ne!(running(&before), "null");
    assert_eq!(running(&metrics[0]), running(&before));
}

/// A version that comes late to a partition never is in force there, so partitions may learn of metrics in different orders.
#[test]
fn partitions_may_have_their_metrics_in_different_orders() {
    let one = definitions("{ metric: bought, role: primary }", BOUGHT, "");
    let added = "{ kind: metric, id: added, type: sum, event: buy }";
    let uses = "{ metric: added, role: secondary }, { metric: bought, role: primary }";
    let two = definitions(uses, &format!("{BOUGHT}\n---\n{added}"), "");
    let mut world = World::new(2, &one.replace("status: running", "status: draft"));
    world.version(2, &one);
    world.version(3, &two);
    world.play("1 publish 2 0\n1 publish 3 1\n2 publish 3 0\n2 publish 2 1\n3 tick");
    // a lives in partition 0, d in partition 1.
    world.play("4 expose e/control a\n4 expose e/treatment d\n5 do buy a 2\n5 do buy d 7\n6 tick");
    check(
        &table(&world.json(), &[]),
        "e added control: 1 units, sum 2.0, mean 2.0
         e added treatment: 1 units, sum 7.0, mean 7.0
         e bought control: 1 units, sum 1.0, mean 1.0
         e bought treatment: 1 units, sum 1.0, mean 1.0",
    );
    let rows = String::from_utf8(assay_analysis::aggregate_rows(&mut world.analyse())).unwrap();
    let sums: Vec<String> = rows
        .lines()
        .map(|row| serde_json::from_str::<Json>(row).unwrap())
        .filter(|row| row["segment"] == "" && row["units"] == 1)
        .map(|row| format!("{} {} {} {}", row["partition"], row["metric"], row["variant"], row["sum"]))
        .collect();
    check(
        &sums.join("\n"),
        r#"0 "bought" "control" "1000000"
           0 "added" "control" "2000000"
           1 "added" "treatment" "7000000"
           1 "bought" "treatment" "1000000""#,
    );
}

/// Statistics, §1.3, over numbers of units and events.
#[test]
fn the_waiting_period_counts_events_only_where_they_are_rare() {
    let status = |kind: &str, every: usize, units: usize| {
        let metric = format!("{{ kind: metric, id: m, type: {kind}, event: buy }}");
        let mut world = World::new(1, &definitions("{ metric: m, role: primary }", &metric, ""));
        // Values differ, so that there is some variance where everybody buys.
        world.play(&crowd("e", &[("control", every, "1.5"), ("treatment", every, "2")], units));
        world.play(&format!("{units} do buy control-0 3\n{units} do buy treatment-0 4\n{} tick", units + 1));
        let look = world.json()["experiments"][0]["metrics"][0]["variants"][1]["always_valid"].clone();
        format!("{kind} 1 in {every} of {units}: {} {}\n", look["status"].as_str().unwrap(), look["burn_in"])
    };
    let found: String = [
        status("sum", 1, 49),
        status("sum", 1, 50),
        status("count", 1, 50),
        status("conversion", 1, 50),
        status("conversion", 2, 50),
        status("sum", 10, 90),
        status("sum", 10, 100),
        status("conversion", 10, 90),
        status("conversion", 10, 100),
    ]
    .concat();
    check(
        &found,
        r#"sum 1 in 1 of 49: burn_in {"events_have":24.5,"events_need":10.0,"units_have":49.0,"units_need":50.0}
           sum 1 in 1 of 50: ok null
           count 1 in 1 of 50: ok null
           conversion 1 in 1 of 50: burn_in {"events_have":0.0,"events_need":10.0,"units_have":50.0,"units_need":50.0}
           conversion 1 in 2 of 50: ok null
           sum 1 in 10 of 90: burn_in {"events_have":9.0,"events_need":10.0,"units_have":90.0,"units_need":50.0}
           sum 1 in 10 of 100: ok null
           conversion 1 in 10 of 90: burn_in {"events_have":9.0,"events_need":10.0,"units_have":90.0,"units_need":50.0}
           conversion 1 in 10 of 100: ok null"#,
    );
}

#[test]
fn nothing_is_inferred_for_a_quantile() {
    let metric = "{ kind: metric, id: m, type: quantile, event: buy, quantile: 0.5 }";
    let mut world = World::new(2, &definitions("{ metric: m, role: primary }", metric, ""));
    world.play(&crowd("e", &[("control", 1, "1.5"), ("treatment", 1, "200")], 90));
    world.play("91 tick");
    let json = world.json();
    let arm = &json["experiments"][0]["metrics"][0]["variants"][1];
    assert_eq!(
        (&arm["mean"], &arm["variance"], &arm["difference"], &arm["lift"]),
        (&Json::Null, &Json::Null, &Json::Null, &Json::Null)
    );
    let look = &arm["always_valid"];
    assert_eq!(look["status"], "unsupported");
    for field in ["p_value", "p_value_running", "p_value_adjusted", "ln_e", "low", "high", "crossed"] {
        assert_eq!(look.get(field), Some(&Json::Null), "{field}");
    }
    assert_eq!(
        (&arm["fixed_horizon"]["p_value"], &arm["fixed_horizon"]["status"]),
        (&Json::Null, &"unsupported".into())
    );
    assert_eq!((&arm["bayesian"]["chance_to_win"], &arm["bayesian"]["status"]), (&Json::Null, &"unsupported".into()));
}

#[test]
fn methods_that_are_not_computed_decide_nothing() {
    let found = ["always_valid", "fixed_horizon", "group_sequential", "bayesian"].map(|method| {
        let text = definitions("{ metric: bought, role: primary }", BOUGHT, &format!(", method: {method}"));
        let json = World::new(1, &text).play("1 tick").json();
        let experiment = &json["experiments"][0];
        format!("{method}: {} {}\n", experiment["deciding"], experiment["max_units"])
    });
    check(
        &found.concat(),
        r#"always_valid: "always_valid" 165
           fixed_horizon: "fixed_horizon" null
           group_sequential: "nothing" null
           bayesian: "nothing" null"#,
    );
}

#[test]
fn holm_is_over_the_treatments_of_the_primary_metric_alone() {
    let text = definitions(
        "{ metric: bought, role: primary }, { metric: value, role: secondary }",
        &format!("{BOUGHT}\n---\n{{ kind: metric, id: value, type: sum, event: buy }}"),
        "",
    )
    .replace("{ name: treatment }]", "{ name: treatment }, { name: other }]");
    let mut world = World::new(2, &text);
    world.play(&crowd("e", &[("control", 9, "1"), ("treatment", 2, "1"), ("other", 4, "1.5")], 99));
    world.play("100 tick");
    let json = world.json();
    let experiment = &json["experiments"][0];
    let look = |variant: usize| &experiment["metrics"][0]["variants"][variant]["always_valid"];
    let p = |variant: usize| look(variant)["p_value_running"].as_f64().unwrap();
    let adjusted = |variant: usize| look(variant)["p_value_adjusted"].as_f64().unwrap();
    assert!(p(1) < p(2) && p(2) < 0.5, "{} {}", p(1), p(2));
    assert_eq!((adjusted(1), adjusted(2)), (2.0 * p(1), p(2).max(2.0 * p(1))));
    assert_eq!(experiment["metrics"][1]["variants"][1]["always_valid"].get("p_value_adjusted"), None);
    assert_eq!(experiment["segments"][0]["metrics"][0]["variants"][1]["always_valid"].get("p_value_adjusted"), None);
    let provisional = world.analyse().provisional().unwrap().to_json("test");
    let look = &provisional["experiments"][0]["metrics"][0]["variants"][1]["always_valid"];
    assert_eq!((look.get("p_value_adjusted"), look.get("p_value_running")), (None, None));
}

/// Invariant 10, by looking at every look: the running p is the least so far, and the crossing is the first look below alpha.
#[test]
fn running_values_are_the_least_of_all_looks() {
    let mut world = World::new(2, &definitions("{ metric: bought, role: primary }", BOUGHT, ""));
    world.play(&crowd("e", &[("control", 9, "1"), ("treatment", 2, "1")], 80));
    // The effect goes away again.
    for n in 0..40 {
        world.play(&format!("{} do buy control-{n}", 100 + n));
    }
    world.play("141 tick");
    let mut analysis = assay_analysis::Analysis::new(2, crate::harness::LATE);
    world.looks.iter().for_each(|look| analysis.take(look.clone()).unwrap());
    let (mut least, mut first, mut looks) = (1.0f64, None, 0);
    while analysis.step().is_some() {
        let results = analysis.results().unwrap();
        let arm = &results.experiments[0].metrics[0].arms[1];
        let comparison = arm.comparison.as_ref().unwrap();
        let remembered = comparison.remembered.unwrap();
        least = least.min(comparison.always_valid.p_value);
        looks += 1;
        if least < 0.05 && first.is_none() {
            first = Some((results.look, comparison.lift));
        }
        assert_eq!(remembered.running.p_value.to_bits(), least.to_bits());
        assert_eq!(remembered.crossed.map(|it| (it.look, it.lift)), first);
        assert_eq!(results.experiments[0].looks, looks);
    }
    let last = analysis.results().unwrap();
    let now = last.experiments[0].metrics[0].arms[1].comparison.as_ref().unwrap().always_valid.p_value;
    assert!(first.is_some() && now > least, "the last look alone no longer says what the running p says");
}
