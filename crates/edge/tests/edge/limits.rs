//! Whatever is too large, too deep or too slow.

use crate::harness::{DEFINITIONS, PATIENCE, Wish, World, wait};
use assay_edge::Limits;
use std::io::{Read, Write};
use std::time::Duration;

const DARK: &str = "/ofrep/v1/evaluate/flags/dark";

#[test]
fn large_and_deep_bodies_are_refused_in_words() {
    let world = World::new();
    let padded = |bytes: usize| format!("{{\"context\":{{}},\"more\":\"{}\"}}", "x".repeat(bytes));
    assert_eq!(world.post(DARK, &padded(100_000)).status, 200);
    let reply = world.post(DARK, &padded(128 * 1024));
    assert_eq!((reply.status, reply.json()["errorCode"].as_str()), (413, Some("PARSE_ERROR")));
    assert!(reply.json()["errorDetails"].as_str().unwrap().contains("131072"));
    for context in [
        format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)),
        format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20)),
        format!("{{{}}}", (0..300).map(|at| format!("\"k{at}\":1")).collect::<Vec<_>>().join(",")),
    ] {
        let reply = world.evaluate("dark", &context);
        assert_eq!(
            (reply.status, reply.json()["errorCode"].as_str()),
            (400, Some("INVALID_CONTEXT")),
            "{}",
            reply.text()
        );
    }
    // Deeper than any stack.
    let reply = world.evaluate("dark", &format!("{}1{}", "[".repeat(60_000), "]".repeat(60_000)));
    assert_eq!(reply.status, 400);
    let reply = world.evaluate("dark", &format!("{{\"a\":{}1{}}}", "{\"b\":".repeat(10_000), "}".repeat(10_000)));
    assert_eq!(reply.status, 400);
    let reply = world.post("/v1/events", &format!("[{}]", "{\"event_id\":1},".repeat(90_000)));
    assert_eq!(reply.status, 413);
    let reply = world.post("/v1/events", &format!("[{}1{}]", "[".repeat(400_000), "]".repeat(400_000)));
    assert_eq!(reply.status, 400);
    assert_eq!(world.evaluate("dark", "{}").status, 200, "and it goes on");
}

#[test]
fn a_body_without_a_length_is_bounded_too() {
    let world = World::new();
    let mut client = world.client();
    let head = format!("POST {DARK} HTTP/1.1\r\nhost: edge\r\ntransfer-encoding: chunked\r\n\r\n");
    client.stream.write_all(head.as_bytes()).unwrap();
    client.stream.write_all(b"5\r\n{\"con\r\n9\r\ntext\":{}}\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.reply().unwrap().status, 200);
    client.stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    for _ in 0..20 {
        // The edge may have answered and closed already.
        if client.stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    if let Ok(reply) = client.reply() {
        assert_eq!(reply.status, 413);
    }
}

#[test]
fn long_heads_are_refused() {
    let world = World::new();
    let long = "x".repeat(40_000);
    let names: Vec<String> = (0..200).map(|at| format!("x-{at}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    for headers in [&[("x-long", long.as_str())][..], &many] {
        match world.client().try_send("POST", DARK, headers, b"{}") {
            Ok(reply) => assert_eq!(reply.status, 431),
            // Closed before the client had read why.
            Err(_) => assert_eq!(world.evaluate("dark", "{}").status, 200),
        }
    }
}

/// Ten seconds for a head and for a body; who is slower loses the connection, who asks on it keeps it.
#[test]
fn slow_requests_end() {
    let world = World::new();
    let (mut head, mut body, mut busy) = (world.client(), world.client(), world.client());
    head.stream.write_all(b"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nhost: e").unwrap();
    body.stream
        .write_all(format!("POST {DARK} HTTP/1.1\r\nhost: e\r\ncontent-length: 50\r\n\r\n{{").as_bytes())
        .unwrap();
    let asked = std::thread::spawn(move || body.reply().unwrap().status);
    let closed = std::thread::spawn(move || {
        head.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let _ = head.stream.read_to_end(&mut rest);
    });
    while !closed.is_finished() || !asked.is_finished() {
        assert_eq!(busy.post(DARK, "{}").status, 200);
        std::thread::sleep(Duration::from_millis(100));
    }
    closed.join().unwrap();
    assert_eq!(asked.join().unwrap(), 408);
}

#[test]
fn requests_that_follow_each_other_at_once_are_answered_in_order() {
    let world = World::new();
    let mut client = world.client();
    let one =
        |key: &str| format!("POST /ofrep/v1/evaluate/flags/{key} HTTP/1.1\r\nhost: e\r\ncontent-length: 2\r\n\r\n{{}}");
    let all: String = ["dark", "price", "nothing", "dark"].map(one).concat();
    client.stream.write_all(all.as_bytes()).unwrap();
    let statuses: Vec<u16> = (0..4).map(|_| client.reply().unwrap().status).collect();
    assert_eq!(statuses, [200, 200, 404, 200]);
}

/// Beyond the bound a connection waits without an answer, those that are open go on, and who waits is next when one of them ends.
#[test]
fn connections_are_bounded() {
    let limits = Limits { connections: 3, ..Limits::USUAL };
    let world = World::with(Wish { limits: Some(limits), ..Wish::default() });
    world.offers.send_replace(Some(crate::harness::offer(7, DEFINITIONS)));
    let mut open: Vec<_> = (0..3).map(|_| world.client()).collect();
    for client in &mut open {
        wait("there are definitions", || client.post(DARK, "{}").status == 200);
    }
    let asked = format!("POST {DARK} HTTP/1.1\r\nhost: edge\r\ncontent-length: 2\r\n\r\n{{}}");
    let mut waiting: Vec<_> = (0..5).map(|_| world.client()).collect();
    for client in &mut waiting {
        client.stream.write_all(asked.as_bytes()).unwrap();
        client.stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    }
    for round in 0..20 {
        for client in &mut open {
            assert_eq!(client.post(DARK, "{}").status, 200, "those that are open go on");
        }
        let answered = waiting[round % 5].reply();
        assert!(answered.is_err(), "a fourth connection is answered: {answered:?}");
    }
    let metrics = open[0].get("/metrics").text();
    assert!(metrics.contains("\nassay_edge_connections 3\n"), "{metrics}");
    // One place, used by all who wait in turn.
    drop(open.pop());
    let mut answered = 0;
    wait("all that waited were answered", || {
        waiting.retain_mut(|client| match client.reply() {
            Ok(reply) => {
                assert_eq!(reply.status, 200);
                answered += 1;
                false
            }
            Err(_) => true,
        });
        waiting.is_empty()
    });
    assert_eq!(answered, 5);
    assert_eq!(open[0].post(DARK, "{}").status, 200);
}
