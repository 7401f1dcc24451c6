//! Exposures and events: what reaches the log, once, in which form.

use crate::harness::{PARTITIONS, PATIENCE, Wish, World, wait};
use assay_experiment::partitioner::partition_of;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

fn event(number: u32, unit: &str) -> Json {
    json!({
        "event_id": format!("00000000-0000-4000-8000-{number:012}"), "event_type": "conversion", "event_name": "buy",
        "event_time": "2026-11-24T12:00:00Z", "unit_id": unit, "event_value": 1.25,
    })
}

#[test]
fn a_single_evaluation_of_an_experiment_is_one_exposure() {
    let world = World::new();
    let context = "{\"targetingKey\":\"u1\",\"country\":\"DE\",\"orders_before\":3,\"secret\":\"x\"}";
    let mut client = world.client();
    let body = format!("{{\"context\":{context}}}");
    for _ in 0..20 {
        assert_eq!(client.post("/ofrep/v1/evaluate/flags/shop", &body).status, 200);
    }
    // A flag that the experiment decides is the same exposure.
    assert_eq!(client.post("/ofrep/v1/evaluate/flags/tried", &body).json()["metadata"]["experiment"], "shop");
    client.post("/ofrep/v1/evaluate/flags", &body);
    client.post("/ofrep/v1/evaluate/flags/ramp", &body);
    client.post("/ofrep/v1/evaluate/flags/shop", "{\"context\":{\"targetingKey\":\"u2\"}}");
    wait("both are in the log", || world.records().len() == 2);
    for (key, partition, record) in world.records() {
        assert_eq!(partition, partition_of(key.as_bytes(), PARTITIONS));
        assert_eq!(record["unit_id"], key.as_str());
        assert_eq!(record["event_type"], "exposure");
        assert_eq!(record["experiment_id"], "shop");
        assert_eq!(record["config_version"], 7);
        assert_eq!(record["sdk"], concat!("assay-edge/", env!("CARGO_PKG_VERSION")));
        assert!(!record["event_time"].as_str().unwrap().contains('.'), "the start of a second: {record}");
        assert_eq!(&record["event_id"].as_str().unwrap()[14..15], "8", "{record}");
        if key == "u1" {
            assert_eq!(
                record["attributes"],
                json!({"country": "DE", "orders_before": 3.0}),
                "nothing else leaves the edge"
            );
        }
    }
    assert_eq!(world.metric("assay_edge_exposures_total{outcome=\"repeated\"}"), Some(20.0));
}

/// Bulk evaluation exposes nobody, and neither does what no experiment decided.
#[test]
fn nothing_is_exposed_by_loading_a_page() {
    let world = World::new();
    for _ in 0..5 {
        assert_eq!(world.post("/ofrep/v1/evaluate/flags", "{\"context\":{\"targetingKey\":\"u1\"}}").status, 200);
        assert_eq!(world.evaluate("ramp", "{\"targetingKey\":\"u1\"}").status, 200);
    }
    assert_eq!(world.post("/v1/events", &event(1, "u1").to_string()).status, 202);
    assert_eq!(world.records().len(), 1, "only what was sent");
}

/// What the client saw in a bulk answer it tells on first use; it cannot make up a variant.
#[test]
fn an_exposure_can_be_asked_for_by_flag() {
    let world = World::new();
    let asked = "{\"flag\":\"tried\",\"context\":{\"targetingKey\":\"u1\",\"country\":\"FR\"}}";
    assert_eq!(world.post("/v1/exposures", asked).status, 202);
    let records = world.records();
    assert_eq!(
        (records.len(), &records[0].2["variant"], &records[0].2["attributes"]["country"]),
        (1, &json!("a"), &json!("FR"))
    );
    let reply =
        world.post("/v1/exposures", "[{\"flag\":\"ramp\",\"context\":{\"targetingKey\":\"u1\"}},{\"flag\":\"x\"}]");
    assert_eq!(reply.status, 400);
    let told = reply.json();
    assert!(told["events"][0]["reason"].as_str().unwrap().contains("nothing to log"), "{told}");
    assert!(told["events"][1]["reason"].as_str().unwrap().contains("no flag"), "{told}");
}

#[test]
fn every_event_is_told_what_became_of_it() {
    let world = World::new();
    let late = json!({"event_id": "nonsense"});
    let mut many = event(4, "u4");
    many.as_object_mut().unwrap().remove("unit_id");
    many["units"] = json!({"user": "u4", "device": "d4"});
    let reply = world.post("/v1/events", &json!([event(1, "u1"), late, event(2, &"x".repeat(129)), many]).to_string());
    let told = reply.json();
    assert_eq!((reply.status, &told["accepted"]), (202, &json!(2)), "{told}");
    let statuses: Vec<&str> =
        told["events"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "rejected", "rejected", "accepted"]);
    assert!(told["events"][1]["reason"].as_str().unwrap().starts_with("event_id: "), "{told}");
    assert!(told["events"][2]["reason"].as_str().unwrap().contains("129 bytes"), "{told}");
    let records = world.records();
    let units: BTreeSet<(&str, u64)> =
        records.iter().map(|(key, _, record)| (key.as_str(), record["copy"].as_u64().unwrap_or(0))).collect();
    assert_eq!(units, BTreeSet::from([("u1", 0), ("u4", 1), ("d4", 0)]));
    assert!(records.iter().all(|(key, partition, _)| *partition == partition_of(key.as_bytes(), PARTITIONS)));
    assert!(records.iter().any(|(_, _, record)| record["event_value"] == 1.25));

    // Lines, one of which is broken; and things that are no events at all.
    let lines = format!("{}\nnonsense\n{}\n", event(5, "u5"), event(6, "u6"));
    let reply = world.client().send("POST", "/v1/events", &[("content-type", "application/x-ndjson")], &lines);
    assert_eq!((reply.status, &reply.json()["accepted"]), (202, &json!(2)));
    for (body, status) in [("", 400), ("[]", 400), ("[1,2]", 400), ("{", 400), ("\"x\"", 400), ("{}", 400)] {
        assert_eq!(world.post("/v1/events", body).status, status, "{body}");
    }
}

#[test]
fn openfeature_tracking_is_a_conversion() {
    let world = World::new();
    let body =
        "{\"name\":\"buy\",\"context\":{\"targetingKey\":\"u1\"},\"details\":{\"value\":19.99,\"currency\":\"EUR\"}}";
    assert_eq!(world.post("/v1/track", body).status, 202);
    let records = world.records();
    let record = &records[0].2;
    assert_eq!((&record["event_name"], &record["event_value"]), (&json!("buy"), &json!(19.99)));
    assert_eq!(record["attributes"]["currency"], "EUR");
    assert_eq!(world.post("/v1/track", "{\"name\":\"buy\"}").status, 400);
}

/// The answer is 202 only when the log has them; the exposures of an outage come with it when it is over.
#[test]
fn a_log_that_is_away_loses_nothing_that_has_room() {
    let world = World::new();
    world.log.away.store(true, Ordering::SeqCst);
    let address = world.address();
    let sent = std::thread::spawn(move || {
        crate::harness::Client::new(address).post("/v1/events", &event(1, "u1").to_string())
    });
    for unit in 0..50 {
        assert_eq!(world.evaluate("shop", &format!("{{\"targetingKey\":\"u{unit}\"}}")).status, 200);
    }
    wait("appending was tried", || world.log.attempts.load(Ordering::SeqCst) > 0);
    let ready = world.client().get("/readyz");
    assert_eq!(ready.status, 200, "flags are answered");
    assert!(ready.json()["log"].as_str().unwrap().contains("the broker is away"), "{}", ready.text());
    let reply = sent.join().unwrap();
    assert_eq!((reply.status, &reply.json()["accepted"]), (503, &json!(0)), "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert!(reply.json()["events"][0]["reason"].as_str().unwrap().contains("same event_id"));
    assert!(world.records().is_empty());
    world.log.away.store(false, Ordering::SeqCst);
    wait("the exposures are there", || {
        world.records().iter().filter(|(_, _, record)| record["event_type"] == "exposure").count() == 50
    });
    assert_eq!(world.post("/v1/events", &event(1, "u1").to_string()).status, 202);
}

/// A stopped edge has appended what it took; one whose log is away stops all the same.
#[test]
fn stopping_appends_what_waits() {
    let mut world = World::new();
    for unit in 0..200 {
        assert_eq!(world.evaluate("shop", &format!("{{\"targetingKey\":\"u{unit}\"}}")).status, 200);
    }
    world.edge.take().unwrap().stop();
    assert_eq!(world.records().len(), 200);

    let mut world = World::new();
    world.log.away.store(true, Ordering::SeqCst);
    assert_eq!(world.evaluate("shop", "{\"targetingKey\":\"u1\"}").status, 200);
    let stopped = std::time::Instant::now();
    world.edge.take().unwrap().stop();
    assert!(stopped.elapsed() < PATIENCE / 2, "{:?}", stopped.elapsed());
}

#[test]
fn without_a_source_there_is_nothing_to_fill_in() {
    let world = World::with(Wish::default());
    let body = "{\"experiment_id\":\"shop\",\"variant\":\"a\",\"unit_id\":\"u1\"}";
    assert_eq!(world.post("/v1/exposures", body).status, 202);
    assert!(world.records()[0].2.get("config_version").is_none());
}
