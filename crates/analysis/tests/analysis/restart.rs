//! Snapshots of the analysis: results are those of an analysis that never stopped.

use crate::harness::{Topics, World, crowd};
use assay_analysis::Analysis;
use std::time::Duration;

const TWO: &str = "
kind: experiment
id: e
salt: s
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE] }]
metrics: [{ metric: bought, role: primary }, { metric: value, role: secondary }]
analysis: { planned_units: 100 }
---
{ kind: metric, id: bought, type: conversion, event: buy }
---
{ kind: metric, id: value, type: sum, event: buy, window: 1m }
---
{ kind: metric, id: later, type: count, event: buy }
";

fn world() -> World {
    let mut world = World::new(3, TWO);
    let wider = TWO.replace(
        "{ metric: value, role: secondary }]",
        "{ metric: value, role: secondary }, { metric: later, role: secondary }]",
    );
    world.version(2, &wider);
    world.version(3, &wider.replace("salt: s", "salt: t"));
    world.play(&crowd("e", &[("control", 9, "1.5"), ("treatment", 2, "2.25")], 90));
    world.play("91 tick\n92 publish 2 0\n93 tick\n94 expose e/control x1 country=DE\n95 publish 2 1 2\n96 tick");
    world.play("96 do buy x1 1\n97 expose e/control x2 country=DE\n97 do buy x2 4\n98 tick\n2h tick\n2h1s tick\n2h2s publish 3\n2h3s expose e/control x3 country=DE\n2h3s do buy x3 2\n2h3s tick\n2h4s tick");
    // Looks get longer at the hour; one partition hears of it earlier than the others.
    world.play("2h10s settings 3 5 10 2 1\n2h11s settings 3 5 10 2 0 2\n2h59m58s expose e/control x4 country=DE\n2h59m59s do buy x4 3\n3h1s do buy x4 1\n3h4s expose e/treatment x5 country=US\n3h5s tick\n3h9s do buy x5 6\n3h20s tick");
    world
}

/// Invariant 10, over every place to stop: before, in and after a publication that is half done.
#[test]
fn a_start_from_any_snapshot_goes_on_as_if_nothing_had_been() {
    let world = world();
    let expected = world.json().to_string();
    for stop in (1..world.looks.len()).step_by(5) {
        // A new log for every stop: records come one by one, and the analysis ends after some of them.
        let topics = Topics::new(3);
        let mut service = topics.service(None);
        for look in &world.looks[..stop] {
            topics.append(look);
            service.step(Duration::ZERO).unwrap();
        }
        let (analysis, resume) = Analysis::restore(&service.snapshot()).unwrap();
        drop(service);
        let mut service = topics.service(Some((analysis, resume)));
        for look in &world.looks[stop..] {
            topics.append(look);
        }
        service.step(Duration::ZERO).unwrap();
        assert_eq!(service.view().unwrap().aligned.to_json("test").to_string(), expected, "stopped after {stop} looks");
        let again = Analysis::restore(&service.snapshot()).unwrap().0;
        assert_eq!(again.results().unwrap().to_json("test").to_string(), expected);
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let analysis = world().analyse();
    let whole = analysis.snapshot(&[1, 2, 3]);
    let (again, resume) = Analysis::restore(&whole).unwrap();
    assert_eq!(resume, [1, 2, 3]);
    assert_eq!(again.snapshot(&resume), whole);
    let refused = |bytes: &[u8]| Analysis::restore(bytes).unwrap_err().to_string();
    for at in (0..whole.len()).step_by(whole.len() / 200) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let why = refused(&bytes);
        assert!(why.contains("checksum") || why.contains("format"), "byte {at}: {why}");
    }
    assert!(refused(&whole[..whole.len() - 1]).contains("checksum"));
    assert!(refused(b"").contains("format"));
    assert!(refused(b"{\"format\":1}").contains("format"));
}
