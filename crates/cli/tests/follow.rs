//! Definitions that change while a service runs: edits of its files, wrong ones among them, and what another process publishes.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use assay_real_parts::{Kafka, wait_until};
use doors::{PATIENCE, Place, Running};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

fn flag(id: &str) -> String {
    format!(
        "{{ kind: flag, id: {id}, type: boolean, variants: {{ \"on\": true, \"off\": false }}, default: \"off\" }}\n"
    )
}

/// The part of the status about definitions, once it is as wanted.
fn config(running: &Running<'_>, wanted: impl Fn(&Json) -> bool) -> Json {
    running.results("/v1/status", |json| wanted(&json["config"]))["config"].clone()
}

fn gauge(running: &Running<'_>) -> String {
    let metrics = running.get("/metrics").body;
    metrics.lines().find(|line| line.starts_with("assay_config_rejected ")).unwrap().to_owned()
}

#[test]
fn edits_are_published_and_wrong_ones_are_told_and_left() {
    let place = Place::new();
    let running = place.start(&[]);
    let file = place.path("definitions/flags.yaml");
    let begun = config(&running, |it| it["version"] == 1 && it["files"]["fine"] == true);
    assert_eq!(begun["files"], json!({"fine": true, "says": "fine"}));

    std::fs::write(&file, flag("dark")).unwrap();
    config(&running, |it| it["version"] == 2 && it["partitions"] == 3);
    let published = running.json("/internal/definitions");
    assert_eq!(published["version"], 2);
    assert!(published.to_string().contains("\"dark\""), "{published}");

    // A file of flagd beside them is as good.
    let flagd = r#"{"flags": {"bright": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"}}}"#;
    std::fs::write(place.path("definitions/flags.json"), flagd).unwrap();
    config(&running, |it| it["version"] == 3 && it["partitions"] == 3);
    assert!(running.get("/internal/definitions").body.contains("bright"));

    // A slip of the pen: nothing changes but what is said.
    std::fs::write(&file, flag("dark").replace("variants", "varaints")).unwrap();
    let wrong = config(&running, |it| it["files"]["fine"] == false);
    let says = wrong["files"]["says"].as_str().unwrap();
    assert!(says.contains("flags.yaml:1:") && says.ends_with("version 3 stays in force"), "{says}");
    assert_eq!((&wrong["version"], gauge(&running).as_str()), (&json!(3), "assay_config_rejected 1"));
    let sentence = running.json("/v1/status")["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.starts_with("The files of the definitions are not in force: "), "{sentence}");
    // Several looks later it was told once.
    std::thread::sleep(Duration::from_secs(7));
    let said = std::fs::read_to_string(place.path("said")).unwrap();
    assert_eq!(said.matches("until their files are right").count(), 1, "{said}");
    assert!(said.contains("flags.yaml:1:"), "{said}");

    // What changes what must not change is refused as when it is published by hand.
    let shop = std::fs::read_to_string(place.path("definitions/shop.yaml")).unwrap();
    std::fs::write(&file, flag("dark")).unwrap();
    std::fs::write(place.path("definitions/shop.yaml"), shop.replace("planned_units: 1000", "planned_units: 999"))
        .unwrap();
    let refused = config(&running, |it| it["files"]["says"].as_str().is_some_and(|says| says.contains("shop")));
    assert_eq!((&refused["files"]["fine"], &refused["version"]), (&json!(false), &json!(3)), "{refused}");

    // Right again, at a signal even at once.
    std::fs::write(place.path("definitions/shop.yaml"), &shop).unwrap();
    std::fs::write(&file, flag("dark") + "---\n" + &flag("light")).unwrap();
    running.signal(Signal::HUP);
    config(&running, |it| it["version"] == 4 && it["files"]["fine"] == true);
    assert_eq!(gauge(&running), "assay_config_rejected 0");
    running.stop();
}

#[test]
fn what_another_process_publishes_is_known_within_seconds() {
    let kafka = Kafka::start();
    let log = format!("kafka://{}", kafka.address);
    let (one, other) = (Place::new(), Place::new());
    let first = one.start(&["--log", &log]);
    let second = other.start(&["--log", &log]);
    assert_eq!(second.json("/internal/definitions")["version"], 1);
    std::fs::write(one.path("definitions/flags.yaml"), flag("dark")).unwrap();
    config(&first, |it| it["version"] == 2);
    let published = Instant::now();
    wait_until("the other knows it", PATIENCE, || second.json("/internal/definitions")["version"] == 2);
    assert!(published.elapsed() < Duration::from_secs(60), "only after {:?}", published.elapsed());
    // Its own files did not change, so it does not take the version back.
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(first.json("/internal/definitions")["version"], 2);
    assert_eq!(config(&second, |_| true)["files"]["fine"], true);
}
