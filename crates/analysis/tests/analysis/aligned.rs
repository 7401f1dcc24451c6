//! Which looks count, and what stands beside them.

use crate::harness::{LATE, START_S, Topics, World, check, crowd, totals};
use assay_aggregates::{Look, SEMANTICS};
use assay_analysis::{Analysis, Freeze};
use assay_experiment::format_time;
use std::fmt::Write;
use std::time::Duration;

const SHOP: &str = "
kind: experiment
id: shop
title: Before
owner: me
salt: one
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR] }]
metrics: [{ metric: bought, role: primary }, { metric: revenue, role: secondary }]
analysis: { planned_units: 100 }
---
{ kind: metric, id: bought, type: conversion, event: buy, window: 10m }
---
{ kind: metric, id: revenue, type: sum, event: buy, window: 10m }
";

/// Of two partitions the units `a`, `b`, `c` and `e` live in the first, `c1` and `d` in the second.
fn two() -> World {
    World::new(2, SHOP)
}

/// Every look that an analysis of these records counts, as a line: when, version, units, epoch.
fn counted(analysis: &mut Analysis, out: &mut String) {
    while analysis.step().is_some() {
        let results = analysis.results().unwrap();
        let shop: Vec<String> = results
            .experiments
            .iter()
            .map(|it| format!("{}{:?} {}", it.salt, it.units, if it.in_force { "in force" } else { "earlier" }))
            .collect();
        let seconds = results.look.0 / 1_000_000 - START_S;
        let _ = writeln!(out, "{seconds} v{} {}", results.config_version, shop.join(", "));
    }
}

fn counted_after_each(looks: &[Look], partitions: u32) -> String {
    let mut analysis = Analysis::new(partitions, LATE);
    let mut out = String::new();
    for look in looks {
        analysis.take(look.clone()).unwrap();
        counted(&mut analysis, &mut out);
    }
    out
}

#[test]
fn provisional_results_stand_beside_a_late_look_and_leave_no_trace() {
    let mut world = two();
    world.play(
        "1 expose shop/control a country=DE
         1 expose shop/treatment b country=FR
         2 do buy a 5
         3 tick
         3h tick 1
         3h1s expose shop/control c1 country=DE
         3h9s tick 1",
    );
    let topics = Topics::new(2);
    let mut service = topics.service(None);
    world.looks.iter().for_each(|look| topics.append(look));
    assert!(service.step(Duration::ZERO).unwrap());
    let before = service.view().unwrap();
    assert_eq!((before.freshness.state(), before.freshness.held_by), ("stale", Some(0)));
    let aligned = before.aligned.to_json("test").to_string();
    let newer = before.provisional.expect("the aligned look is three hours old").to_json("test");
    let json = service.view().unwrap().to_json("test");
    let metric = |json: &serde_json::Value| {
        let arm = &json["experiments"][0]["metrics"][1]["variants"][0];
        format!(
            "{} {} units, running {}\n",
            json["freshness"]["kind"], arm["units"], arm["always_valid"]["p_value_running"]
        )
    };
    // Revenue is counted when its windows have passed: in the provisional results as in the aligned ones.
    let second = &newer["experiments"][0]["metrics"][1]["variants"][1];
    assert!(second["always_valid"].get("p_value_running").is_none(), "nothing provisional has a memory");
    check(
        &format!(
            "{}{}{} of {} closed, held by {}, {} ms {}",
            metric(&json),
            metric(&newer),
            newer["freshness"]["closed"],
            newer["freshness"]["partitions"],
            json["freshness"]["held_by"],
            json["freshness"]["age_ms"],
            json["freshness"]["state"]
        ),
        r#""aligned" 0 units, running null
           "provisional" 1 units, running null
           1 of 2 closed, held by 0, 10806000 ms "stale""#,
    );
    assert_eq!(json["provisional"], newer);
    let why = &json["experiments"][0]["said"]["answers"]["why"];
    assert_eq!((&why["word"], &why["why"]), (&"Wait 3 h".into(), &"Partition 0 holds the cut.".into()));
    // The partition comes back: what was aligned is as if nobody had looked ahead.
    assert_eq!(service.analysis().results().unwrap().to_json("test").to_string(), aligned);
    world.play("3h9s tick 0");
    world.of(0).iter().rev().take(1).for_each(|look| topics.append(look));
    assert!(service.step(Duration::ZERO).unwrap());
    let view = service.view().unwrap();
    assert!(view.provisional.is_none(), "nothing is late any more");
    assert_eq!(view.aligned.to_json("test").to_string(), world.json().to_string());
}

#[test]
fn a_contradiction_freezes_its_partition_and_is_found_again_after_a_restart() {
    let mut world = two();
    world.play(
        "1 expose shop/control a country=DE\n2 tick\n3 tick\n4 expose shop/treatment b country=DE\n5 tick\n6 tick",
    );
    let topics = Topics::new(2);
    let mut service = topics.service(None);
    let (first, later): (Vec<Look>, Vec<Look>) =
        world.looks.iter().cloned().partition(|look| look.first <= START_S + 2);
    first.iter().for_each(|look| topics.append(look));
    service.step(Duration::ZERO).unwrap();
    let kept = service.snapshot();
    assert_eq!(service.frozen(), []);
    let aligned = service.view().unwrap().aligned.look;
    // Another writer has other numbers for a look that was read. The aligned look does not move, and yet it is told.
    let mut forged = first.iter().rfind(|look| look.partition == 1).unwrap().clone();
    forged.hash ^= 1;
    topics.append(&forged);
    let frozen = |service: &assay_analysis::Service| {
        service.frozen().iter().map(|(_, freeze)| freeze.to_string()).collect::<Vec<_>>().join("\n")
    };
    assert!(!service.step(Duration::ZERO).unwrap());
    let expected = format!(
        "partition 1 published the look that ends at {} twice with different content; its results are frozen until the cause is found",
        format_time(forged.as_of())
    );
    check(&frozen(&service), &expected);
    later.iter().for_each(|look| topics.append(look));
    service.step(Duration::ZERO).unwrap();
    check(&frozen(&service), &expected);
    assert_eq!(service.view().unwrap().aligned.look, aligned, "the aligned look waits");
    // Nothing that came after the contradiction is passed over by a start from a snapshot, whether taken before or after it.
    for bytes in [kept, service.snapshot()] {
        let (analysis, resume) = Analysis::restore(&bytes).unwrap();
        assert!(resume[1] <= first.iter().filter(|look| look.partition == 1).count() as u64, "{resume:?}");
        let mut again = topics.service(Some((analysis, resume)));
        again.step(Duration::ZERO).unwrap();
        check(&frozen(&again), &expected);
    }
}

#[test]
fn nothing_spins_when_every_partition_is_frozen() {
    let mut world = World::new(1, SHOP);
    world.play("1 expose shop/control a country=DE\n2 tick\n3 tick");
    let topics = Topics::new(1);
    let mut service = topics.service(None);
    world.looks.iter().for_each(|look| topics.append(look));
    let mut forged = world.looks[0].clone();
    forged.hash ^= 1;
    topics.append(&forged);
    service.step(Duration::ZERO).unwrap();
    assert_eq!(service.frozen().len(), 1);
    let (before, wait) = (std::time::Instant::now(), Duration::from_millis(30));
    service.step(wait).unwrap();
    assert!(before.elapsed() >= wait);
    assert!(service.caught_up(), "what is frozen is told by itself");
}

#[test]
fn what_cannot_follow_or_is_of_another_log_freezes() {
    let mut world = two();
    world.play("1 expose shop/control a country=DE\n2 tick\n3 tick\n4 tick\n5 tick");
    let looks = world.of(0);
    let after = |change: &dyn Fn(&mut Look)| {
        let mut analysis = Analysis::new(2, LATE);
        analysis.take(looks[0].clone()).unwrap();
        let mut next = looks[1].clone();
        change(&mut next);
        analysis.take(next)
    };
    assert_eq!(after(&|_| {}), Ok(()));
    assert_eq!(after(&|look| *look = looks[0].clone()), Ok(()), "a repeat changes nothing");
    assert!(matches!(after(&|look| *look = looks[2].clone()), Err(Freeze::Gap { partition: 0, .. })));
    assert_eq!(after(&|look| look.log = "other".to_owned()), Err(Freeze::OtherLog { partition: 0 }));
    let wanted = SEMANTICS + 1;
    assert_eq!(after(&|look| look.semantics = wanted), Err(Freeze::Semantics { partition: 0, wanted }));
    assert_eq!(after(&|look| look.partition = 2), Err(Freeze::OtherLog { partition: 2 }));
    let broken = after(&|look| (look.config, look.definitions) = (9, Some(vec!["{}".to_owned()])));
    assert!(matches!(broken, Err(Freeze::Definitions { partition: 0, version: 9, .. })), "{broken:?}");
}

#[test]
fn looks_with_mixed_versions_do_not_count() {
    let mut world = two();
    let renamed = SHOP
        .replace("title: Before\nowner: me", "title: After\nowner: you")
        .replace("id: bought,", "id: bought, name: Buyers,");
    world.version(2, &renamed);
    world.play(
        "1 expose shop/control a country=DE
         2 tick
         3 publish 2 1
         4 expose shop/control c country=DE
         4 expose shop/treatment b country=DE
         5 tick
         6 expose shop/treatment d country=DE
         7 tick
         8 publish 2 0
         9 expose shop/treatment e country=DE
         10 tick",
    );
    // Seconds 3 to 7 pass with version 2 in one partition and 1 in the other.
    let found = counted_after_each(&world.looks, 2);
    check(
        &found,
        "1 v1 one[0, 0] in force
         2 v1 one[1, 0] in force
         3 v1 one[1, 0] in force
         9 v2 one[2, 2] in force
         10 v2 one[2, 3] in force",
    );
    let names = |at: usize| {
        let mut analysis = Analysis::new(2, LATE);
        world.looks[..at].iter().for_each(|look| analysis.take(look.clone()).unwrap());
        analysis.advance();
        let results = analysis.results().unwrap();
        let shop = &results.experiments[0];
        format!("{} {} {} {}", shop.title, shop.owner, shop.metrics[0].name, format_time(results.look))
    };
    // The results that are shown meanwhile are those of the last look that counts, in its own words.
    let mixed = world.looks.iter().filter(|look| look.first < START_S + 7).count();
    assert_eq!(names(mixed), "Before me bought 2026-05-01T00:00:03Z");
    assert_eq!(names(world.looks.len()), "After you Buyers 2026-05-01T00:00:10Z");
    // Neither the order of reading nor repeats change which looks count.
    let mut turned = world.of(1);
    turned.extend(world.of(0));
    turned.extend(world.of(1));
    assert_eq!(counted_after_each(&turned, 2), found);
}

#[test]
fn a_publication_that_stays_half_done_costs_no_memory_and_says_what_it_waits_for() {
    let mut world = two();
    world.version(2, SHOP);
    world.play("1 expose shop/control a country=DE\n2 tick\n3 publish 2 1");
    for second in 4..200 {
        world.play(&format!("{second} expose shop/control c{second} country=DE\n{second} tick"));
    }
    let analysis = world.analyse();
    assert_eq!([analysis.waiting(0), analysis.waiting(1)], [1, 1]);
    let freshness = analysis.freshness().unwrap();
    assert!(freshness.versions_differ);
    assert_eq!((freshness.held_by, freshness.state()), (Some(0), "stale"));
    // Once it is done, everything that happened meanwhile counts.
    world.play("200 publish 2 0\n202 tick");
    let json = world.json();
    assert_eq!(json["experiments"][0]["units"]["control"], 197);
}

#[test]
fn a_new_phase_stands_beside_the_earlier_one() {
    let mut world = two();
    // Fewer variants, other segments, another name for a variant: nothing of one phase fits the other.
    let three = SHOP.replace("{ name: treatment }]", "{ name: treatment }, { name: third }]");
    let mut world3 = World::new(2, &three);
    let next = SHOP.replace("salt: one", "salt: two").replace("values: [DE, FR]", "values: [DE]");
    for world in [&mut world, &mut world3] {
        world.version(2, &next);
        world.play(
            "1 expose shop/control a country=DE
             1 expose shop/treatment b country=DE
             2 tick
             3 publish 2
             4 expose shop/treatment c country=DE
             5 tick
             2h tick
             2h1s tick",
        );
    }
    let json = world3.json();
    let line = |it: &serde_json::Value| {
        format!("{} {} {} {} {}\n", it["experiment"], it["salt"], it["in_force"], it["status"], it["units"])
    };
    let found: String = json["experiments"].as_array().unwrap().iter().map(line).collect();
    check(
        &found,
        r#""shop" "two" true "running" {"control":0,"treatment":1}
           "shop" "one" false "stopped" {"control":1,"third":0,"treatment":1}"#,
    );
    let topics = Topics::new(2);
    topics.service(None).publish(&world3.results()).unwrap();
    let keys: Vec<String> = topics.published().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["shop", "shop/phase=one"]);
    let rows = String::from_utf8(assay_analysis::result_rows(&world3.results())).unwrap();
    assert!(rows.contains(r#""salt":"one""#) && rows.contains(r#""salt":"two""#));
    // Where the aggregates begin after the change, the earlier phase's definition is gone: it is left out, and nothing takes its place.
    for world in [&world, &world3] {
        let mut cut = Analysis::new(2, LATE);
        let late = world.looks.iter().filter(|look| look.first >= START_S + 5);
        late.for_each(|look| cut.take(look.clone()).unwrap());
        cut.advance();
        let results = cut.results().unwrap();
        assert_eq!(results.experiments.len(), 1);
        assert_eq!((results.experiments[0].salt.as_str(), &results.experiments[0].units[..]), ("two", &[0, 1][..]));
    }
}

#[test]
fn aggregates_cut_anywhere_begin_at_the_greatest_first_keyframe_with_the_folds_totals() {
    let mut world = two();
    world.play("0 tick");
    for minute in (1..240).step_by(7) {
        world.play(&format!(
            "{minute}m expose shop/control c{minute} country=DE
             {minute}m expose shop/treatment t{minute} country=FR
             {minute}m do buy c{minute} 3
             {minute}m20s do buy t{minute} 2
             {minute}m40s tick"
        ));
    }
    let mut whole = Analysis::new(2, LATE);
    world.looks.iter().for_each(|look| whole.take(look.clone()).unwrap());
    let mut expected = std::collections::BTreeMap::new();
    while let Some(look) = whole.step() {
        expected.insert(look, totals(&whole.results().unwrap()));
    }
    let parts = [world.of(0), world.of(1)];
    let (mut starts, mut epochs) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for cut0 in (0..parts[0].len()).step_by(3) {
        for cut1 in (0..parts[1].len()).step_by(5) {
            let kept = [&parts[0][cut0..], &parts[1][cut1..]];
            let keyframes = kept.map(|looks| looks.iter().find(|look| look.keyframe).map(Look::changed_at));
            let mut analysis = Analysis::new(2, LATE);
            kept.iter().for_each(|looks| looks.iter().for_each(|look| analysis.take(look.clone()).unwrap()));
            let mut first = None;
            while let Some(look) = analysis.step() {
                first.get_or_insert(look);
                assert_eq!(totals(&analysis.results().unwrap()), expected[&look], "look {look:?}, cut {cut0} {cut1}");
            }
            let Some(begin) = keyframes[0].zip(keyframes[1]).map(|(one, other)| one.max(other)) else {
                assert_eq!(first, None, "a partition without a full look holds everything");
                continue;
            };
            assert_eq!(first, Some(begin));
            let epoch = analysis.results().unwrap().epoch;
            assert_eq!(epoch, if cut0 + cut1 == 0 { 1 } else { begin.millis() as u64 / 1_000 });
            starts.insert(begin);
            epochs.insert(epoch);
        }
    }
    assert!(starts.len() >= 3 && epochs.len() > 3, "{starts:?} {epochs:?}");
}

#[test]
fn a_service_without_its_snapshot_on_cut_aggregates_does_not_freeze() {
    let mut world = two();
    world.play("1 expose shop/control a country=DE\n2 tick\n3 tick\n1h1s tick\n1h2s tick\n1h3s tick");
    let topics = Topics::new(2);
    let late = world.looks.iter().filter(|look| look.first >= START_S + 2);
    late.for_each(|look| topics.append(look));
    let mut service = topics.service(None);
    assert!(!service.caught_up());
    service.step(Duration::ZERO).unwrap();
    assert_eq!(service.frozen(), []);
    assert!(service.caught_up());
    let view = service.view().unwrap();
    assert_eq!(totals(&view.aligned), totals(&world.results()));
    assert!(view.aligned.epoch > 1, "running values began anew");
}

#[test]
fn every_split_of_the_same_events_gives_the_same_results() {
    let results = |partitions: u32| {
        let mut world = World::new(partitions, SHOP);
        world.play(&crowd("shop", &[("control", 9, "1.5"), ("treatment", 3, "2.25")], 120));
        world.play("121 tick\n30m tick\n30m expose shop/control late country=FR\n2h tick\n2h1s tick");
        let json = world.json();
        let p = &json["experiments"][0]["metrics"][0]["variants"][1]["always_valid"]["p_value_running"];
        assert!(p.as_f64().unwrap() < 0.05, "the events decide something: {p}");
        format!("{}\n{}", json["experiments"], json["look"])
    };
    let one = results(1);
    assert_eq!(results(3), one);
    assert_eq!(results(7), one);
}

/// What happens around the hours at which looks get longer, shorter, and the meaning of the fold changes.
const AROUND: &str = "
    59m50s expose shop/control a country=DE
    59m50s expose shop/treatment d country=FR
    59m59s do buy a 5
    1h expose shop/treatment b country=FR
    1h1s do buy d 7
    1h2s tick
    1h3s do buy b 2
    1h9s expose shop/control c1 country=DE
    1h30m tick
    2h10s do buy c1 1
    2h59m59s do buy b 1
    3h expose shop/control c country=US
    3h1s tick
    3h6s tick";

fn lengths(world: &World, partition: u32) -> Vec<(i64, i64, u32)> {
    let mut found: Vec<(i64, i64, u32)> = Vec::new();
    for look in world.of(partition) {
        let length = look.length.0 / 1_000_000;
        if found.last().is_none_or(|last| (last.1, last.2) != (length, look.semantics)) {
            found.push((look.first * length - START_S, length, look.semantics));
        }
    }
    found
}

/// Invariant 11. Two partitions that read the changes at other offsets and in another order have the same looks, and what is merged of
/// them is what one partition says.
#[test]
fn looks_of_another_length_begin_at_the_stated_hour_in_every_partition() {
    let one = |changes: &[&str]| {
        let mut world = World::with_semantics(1, SHOP, 1);
        world.play(&changes.join("\n"));
        world.play(AROUND);
        world
    };
    let changes = ["10m settings 1 2 10 1", "20m settings 3 1 5 2"];
    let single = one(&changes);
    assert_eq!(lengths(&single, 0), [(0, 1, 1), (3_600, 2, 1), (10_800, 1, 2)]);
    let mut world = World::with_semantics(2, SHOP, 1);
    world.play("5s expose shop/control d country=FR\n10m settings 1 2 10 1 0\n11m tick 1\n12m settings 3 1 5 2 1");
    world.play("13m bot d\n30m settings 1 2 10 1 1\n31m settings 1 2 10 1 1\n40m settings 3 1 5 2 0");
    let mut other = World::with_semantics(1, SHOP, 1);
    other.play("5s expose shop/control d country=FR\n13m bot d\n20m settings 1 2 10 1\n21m settings 3 1 5 2");
    world.play(AROUND);
    other.play(AROUND);
    assert_eq!(lengths(&world, 0), lengths(&single, 0));
    assert_eq!(lengths(&world, 1), lengths(&single, 0));
    assert_eq!(totals(&world.results()), totals(&other.results()));
    // Every look that counts is the end of a look in every partition, whatever its length.
    let mut analysis = Analysis::new(2, LATE);
    world.looks.iter().for_each(|look| analysis.take(look.clone()).unwrap());
    while let Some(look) = analysis.step() {
        let seconds = look.millis() / 1_000 - START_S;
        let whole = if (3_600..10_800).contains(&seconds) { 2 } else { 1 };
        assert_eq!((look.millis() % 1_000, seconds % whole), (0, 0), "{seconds}");
    }
    assert_eq!(analysis.results().unwrap().semantics, 2);
    let mut without = one(&[]);
    assert_eq!(lengths(&without, 0), [(0, 1, 1)]);
    // Sums do not depend on how often one looks.
    let (long, short) = (single.json(), without.play("3h8s tick").json());
    for name in ["units", "srm", "crossed_units"] {
        assert_eq!(long["experiments"][0][name], short["experiments"][0][name], "{name}");
    }
}

/// A partition that did not get the change in time has other looks: nothing is put together of the two until they agree again.
#[test]
fn partitions_with_looks_of_different_lengths_do_not_count_together() {
    let mut world = World::with_semantics(2, SHOP, 2);
    world.play("10m settings 1 2 10 2 0\n11m tick");
    world
        .play("59m50s expose shop/control a country=DE\n1h5s expose shop/treatment d country=FR\n1h6s tick\n1h9s tick");
    let aligned = world.results();
    assert_eq!(aligned.look.0 / 1_000_000 - START_S, 3_600);
    let freshness = world.analyse().freshness().unwrap();
    assert!(freshness.versions_differ && freshness.age.0 > 0);
    world.play("1h59m settings 3 2 10 2 1\n3h1s tick\n3h2s tick");
    assert_eq!(world.results().look.0 / 1_000_000 - START_S, 10_802);
}
