//! The doors of results from outside: over sockets, against the running binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use assay_experiment::snapshot::Snapshot;
use doors::{Answer, PATIENCE, Place, ask, log_lines};
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;

/// What depends on when one looks; and the number of looks, because a replay's log begins earlier, to have the definitions in force from its
/// first record on.
const BY_THE_CLOCK: [&str; 6] = ["days_running", "units_per_day", "days", "days_left", "cohorts", "looks_evaluated"];

fn strip(json: &mut Json) {
    match json {
        Json::Object(members) => {
            BY_THE_CLOCK.iter().for_each(|name| drop(members.remove(*name)));
            members.values_mut().for_each(strip);
        }
        Json::Array(all) => all.iter_mut().for_each(strip),
        _ => {}
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.header(name).unwrap_or_else(|| panic!("no {name} in {answer:?}"))
}

#[test]
fn results_are_those_of_a_replay_digit_by_digit() {
    let place = Place::new();
    place.fill(240);
    let running = place.start(&[]);
    let found = running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 480);
    assert!(found["server_time"].is_string() && found["published_at"].is_string(), "{found}");
    drop(running);
    let lines = place.path("events.jsonl");
    std::fs::write(&lines, log_lines(place.log().as_ref())).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["replay", "--json", "--partitions", "3", "--config", place.path("definitions").to_str().unwrap()])
        .args(["--events", lines.to_str().unwrap()])
        .output()
        .unwrap();
    let mut replayed: Json = serde_json::from_slice(&output.stdout).unwrap();
    let mut experiments = found["experiments"].clone();
    strip(&mut experiments);
    strip(&mut replayed["experiments"]);
    assert!(experiments[0]["metrics"][0]["variants"][1]["lift"].is_f64(), "{experiments}");
    assert_eq!(experiments.to_string(), replayed["experiments"].to_string());
    for name in ["exposures", "conversions", "duplicates", "rejected", "unattributed"] {
        assert_eq!(found["events"][name], replayed["events"][name], "{name}");
    }
}

#[test]
fn doors_answer_as_their_contract_says() {
    let place = Place::new();
    place.fill(240);
    let running = place.start(&[]);
    let newest = running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 480);
    let verdict = &newest["experiments"][0]["verdict"];
    assert_eq!(verdict["arms"][0]["variant"], "treatment", "{verdict}");

    // The list, with a draft that no look has.
    let list = running.json("/v1/experiments");
    assert_eq!(
        (&list["groups"]["draft"], &list["experiments"][1]["experiment"]),
        (&json!(1), &json!("later")),
        "{list}"
    );
    assert_eq!(list["experiments"][0]["experiment"], "shop");

    // An earlier look, and one that is known already.
    let look = newest["look"].as_str().unwrap();
    let earlier = format!("/v1/experiments/shop/results?look={look}");
    let first = running.get(&earlier);
    assert_eq!((first.status, &first.json()["look"]), (200, &newest["look"]));
    let again = running.ask(&earlier, &[("if-none-match", header(&first, "etag"))]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let before = running.get("/v1/experiments/shop/results?look=2001-01-01T00:00:00Z");
    assert!(before.status == 404 && before.body.contains("there are looks from 20"), "{before:?}");

    // Segments.
    let segments = |wanted: &str| {
        running.json(&format!("/v1/experiments/shop/results?segment={wanted}"))["experiments"][0]["segments"].clone()
    };
    assert_eq!(segments("country").as_array().unwrap().len(), 3);
    assert_eq!(segments("country:DE")[0]["value"], "DE");
    let missing = running.ask("/v1/experiments/shop/results?segment=planet", &[("x-request-id", "me-1")]);
    assert_eq!((missing.status, header(&missing, "content-type")), (404, "application/problem+json"));
    let problem = missing.json();
    assert_eq!((&problem["request_id"], &problem["status"]), (&json!("me-1"), &json!(404)));
    assert!(problem["detail"].as_str().unwrap().contains("it has country"), "{problem}");

    // What cannot be is told in words.
    for (path, status, words) in [
        ("/v1/experiments/none/results", 404, "/v1/experiments lists all"),
        ("/v1/experiments/later/results", 404, "is a draft"),
        ("/v1/experiments/shop/results?look=yesterday", 400, "'look'"),
        ("/v1/experiments/shop/history?points=1", 400, "from 2 to"),
        ("/v1/experiments/shop/history?metric=none", 404, "it has bought"),
        ("/v1/experiments/shop/definition?version=x", 400, "whole number"),
        ("/nowhere", 404, "/openapi.json"),
    ] {
        let answer = running.get(path);
        assert_eq!((answer.status, header(&answer, "content-type")), (status, "application/problem+json"), "{path}");
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    }
    let method = running.method("DELETE", "/v1/experiments");
    assert_eq!((method.status, header(&method, "allow")), (405, "GET,HEAD"));

    // The same as a table, and the experiment's past.
    let table = running.get("/v1/experiments/shop/results.csv");
    assert!(
        table.body.lines().nth(2).unwrap().contains(",shop,shop,bought,primary,,,treatment,240,"),
        "{}",
        table.body
    );
    let definition = running.json("/v1/experiments/shop/definition");
    assert!(definition["yaml"].as_str().unwrap().starts_with("kind: experiment\nid: shop\n"), "{definition}");
    running.results("/v1/experiments/shop/log", |json| json["entries"][0]["kind"] == "version");
    let history = running.results("/v1/experiments/shop/history", |json| {
        json["series"]["bought/treatment"].as_array().is_some_and(|points| !points.is_empty())
    });
    assert_eq!(
        history["columns"].as_array().unwrap().len(),
        history["series"]["bought/treatment"][0].as_array().unwrap().len()
    );

    // Definitions for edges.
    let document = running.get("/internal/definitions");
    assert_eq!(Snapshot::decode(document.body.as_bytes()).unwrap().version().0, 1);
    assert_eq!(running.get("/internal/definitions?after=1").status, 304);

    // Pages hold the newest look; nothing may be loaded from elsewhere.
    for path in ["/experiments", "/experiments/shop", "/plan", "/status"] {
        let page = running.get(path);
        assert_eq!((page.status, header(&page, "content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(header(&page, "content-security-policy").starts_with("default-src 'self'"));
        assert!(page.body.contains("id=\"look\">{\""), "{path}: {}", page.body);
    }
}

#[test]
fn streams_tell_what_is_new() {
    let place = Place::new();
    place.fill(120);
    let running = place.start(&[]);
    let newest = running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 240);
    let told = |path: &str, known: &str, wanted: &str| -> Vec<(String, Json)> {
        let mut stream = TcpStream::connect(&place.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nlast-event-id: {known}\r\n\r\n").unwrap();
        let (mut found, mut name) = (Vec::new(), String::new());
        for line in BufReader::new(stream).lines().map(Result::unwrap) {
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                found.push((name.clone(), serde_json::from_str(data).unwrap()));
                if name == wanted {
                    break;
                }
            }
        }
        found
    };
    let events = told("/v1/experiments/shop/stream", "", "result");
    let (_, result) = events.last().unwrap();
    assert_eq!(result["experiments"][0]["experiment"], "shop", "{events:?}");
    assert!(result["server_time"].is_string());
    // Looks go on while the log is quiet, so there is always a newer one.
    let (_, newer) = told("/v1/experiments/shop/stream", result["look"].as_str().unwrap(), "result").pop().unwrap();
    assert!(newer["look"].as_str() > newest["look"].as_str(), "{newer}");
    let (_, beat) = told("/v1/stream", "", "beat").pop().unwrap();
    assert!(beat["server_time"].is_string() && beat["log_times"]["2"].is_string(), "{beat}");
    let list = told("/v1/stream", "", "result").pop().unwrap().1;
    assert_eq!(list["experiments"][0]["experiment"], "shop");
    assert_eq!(running.get("/v1/experiments/none/stream").status, 404);
}

#[test]
fn earlier_looks_outlive_the_process() {
    let place = Place::new();
    place.fill(120);
    let running = place.start(&[]);
    running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 240);
    let sql =
        "SELECT formatDateTime(min(look), '%Y-%m-%dT%H:%i:%SZ') FROM experiment_looks WHERE experiment_id = 'shop'";
    let look = place.wait_for_rows(sql, |text| text.starts_with("202"));
    let seen = running.json(&format!("/v1/experiments/shop/results?look={look}"));
    running.stop();
    let running = place.start(&["--read-token", "s3cret"]);
    assert_eq!(running.get("/livez").status, 200);
    assert_eq!(running.get("/v1/experiments").status, 401);
    let token = [("authorization", "Bearer s3cret")];
    let path = format!("/v1/experiments/shop/results?look={look}");
    let mut kept = running.ask(&path, &token).json();
    assert_eq!(kept["look"], look, "{kept}");
    // It is what was seen then, to the last digit.
    let mut seen = seen;
    for name in ["server_time", "published_at"] {
        seen[name] = Json::Null;
        kept[name] = Json::Null;
    }
    assert_eq!(kept["experiments"], seen["experiments"]);
    assert_eq!(ask(&place.address, "GET", "/experiments", &[]).unwrap().status, 401);
}
