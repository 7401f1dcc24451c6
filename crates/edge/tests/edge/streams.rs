//! News over a stream.

use crate::harness::{Client, DEFINITIONS, Wish, World, wait};
use assay_edge::Limits;

fn open(client: &mut Client, path: &str, more: &str) -> String {
    use std::io::Write;
    client
        .stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: e\r\norigin: https://x.example\r\n{more}\r\n").as_bytes())
        .unwrap();
    client.read_until("\n\n")
}

#[test]
fn a_stream_tells_of_each_version() {
    let world = World::new();
    let mut client = world.client();
    let head = open(&mut client, "/ofrep/v1/stream", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: text/event-stream") && head.contains("access-control-allow-origin: *"),
        "{head}"
    );
    assert!(head.contains("retry: "), "{head}");
    assert!(client.read_until("\n\n").contains("production.7."), "what came into force before it was open");
    world.publish(8, DEFINITIONS);
    let event = client.read_until("\n\n");
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["type"], "refetchEvaluation");
    assert!(data["etag"].as_str().unwrap().starts_with("production.8."), "{data}");
    assert!(event.contains("id: production.8.") && event.contains("event: message"), "{event}");

    // Who was away is told at once what it missed, and nothing if it missed nothing.
    let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let mut back = world.client();
    open(&mut back, "/ofrep/v1/stream", "last-event-id: production.7.0\r\n");
    assert!(back.read_until("\n\n").contains(&id));
    let mut current = world.client();
    open(&mut current, "/ofrep/v1/stream", &format!("last-event-id: {id}\r\n"));
    world.publish(9, DEFINITIONS);
    assert!(current.read_until("\n\n").contains("production.9."));
}

#[test]
fn a_stream_is_opened_with_the_address_of_an_answer() {
    let world = World::with(Wish { tokens: "a-token-of-sixteen-bytes", ..Wish::default() });
    world.publish(7, DEFINITIONS);
    let headers = [("content-type", "application/json"), ("x-api-key", "a-token-of-sixteen-bytes")];
    let bulk = world.client().send("POST", "/ofrep/v1/evaluate/flags", &headers, "{}").json();
    let address = bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap();
    assert!(address.starts_with("/ofrep/v1/stream?token="), "{address}");
    assert!(open(&mut world.client(), address, "").starts_with("HTTP/1.1 200"));
    let again = world.client().send("POST", "/ofrep/v1/evaluate/flags", &headers, "{}").json();
    assert_eq!(again["eventStreams"][0]["endpoint"]["requestUri"], address, "clients would open another stream");
    let forged = format!("{}0", &address[..address.len() - 1]);
    for refused in [
        "/ofrep/v1/stream",
        "/ofrep/v1/stream?token=",
        if forged == address { "/ofrep/v1/stream?token=1.2" } else { &forged },
    ] {
        assert_eq!(world.client().get(refused).status, 401, "{refused}");
    }
    assert_eq!(world.client().send("GET", "/ofrep/v1/stream?token=9999999999.ab", &[], "").status, 401);
}

#[test]
fn streams_end_when_the_edge_stops() {
    let mut world = World::new();
    let mut client = world.client();
    open(&mut client, "/ofrep/v1/stream", "");
    let stopped = std::time::Instant::now();
    world.edge.take().unwrap().stop();
    assert!(stopped.elapsed() < std::time::Duration::from_secs(8), "{:?}", stopped.elapsed());
}

/// Who finds no room is told so and polls; those who listen go on, and a place that is given up is taken again.
#[test]
fn streams_are_bounded() {
    let limits = Limits { streams: 2, ..Limits::USUAL };
    let world = World::with(Wish { limits: Some(limits), ..Wish::default() });
    world.publish(7, DEFINITIONS);
    let bulk = || world.post("/ofrep/v1/evaluate/flags", "{}").json();
    assert!(bulk()["eventStreams"].is_array());
    let (mut one, mut other) = (world.client(), world.client());
    for client in [&mut one, &mut other] {
        assert!(open(client, "/ofrep/v1/stream", "").starts_with("HTTP/1.1 200"));
        client.read_until("production.7.");
    }
    let refused = world.client().get("/ofrep/v1/stream");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.json()["errorDetails"].as_str().unwrap().contains("2 streams are open already; poll instead"));
    assert!(bulk().get("eventStreams").is_none(), "nobody is sent where there is no room");
    world.publish(8, DEFINITIONS);
    for client in [&mut one, &mut other] {
        client.read_until("production.8.");
    }
    drop(one);
    wait("there is room again", || bulk()["eventStreams"].is_array());
    let mut third = world.client();
    assert!(open(&mut third, "/ofrep/v1/stream", "").starts_with("HTTP/1.1 200"));
    world.publish(9, DEFINITIONS);
    third.read_until("production.9.");
    other.read_until("production.9.");
}
