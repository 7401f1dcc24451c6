//! The doors of results from outside: over sockets, against the running binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use assay_experiment::snapshot::Snapshot;
use assay_real_parts::wait_until;
use doors::{Answer, PATIENCE, Place, Running, ask, log_lines};
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
        ("/v1/experiments/shop/history?metric=srm&segment=planet:3", 404, "it has country:DE"),
        ("/v1/experiments/shop/history?segment=country:DE", 404, "metric=srm"),
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
    for path in
        ["/v1/experiments/shop/results.csv", "/v1/status", "/internal/definitions", "/openapi.json", "/v1/stream"]
    {
        assert_eq!(running.get(path).status, 401, "{path}");
    }
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(running.method(method, "/v1/experiments/shop/verify").status, 401);
    }
    // The page comes without numbers, and asks for the token itself.
    let page = running.get("/experiments/shop");
    assert!(
        page.status == 200 && page.body.contains("id=\"look\">null<") && !page.body.contains("shorter checkout"),
        "{}",
        page.body
    );
    let script = page.body.split("src=\"/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert_eq!(running.get(&format!("/assets/{script}")).status, 200);
    assert!(running.ask("/experiments/shop", &token).body.contains("shorter checkout"));
}

/// Begins a verification, waits for its end, and gives it.
fn verified(running: &Running<'_>, look: &str) -> Json {
    let path = "/v1/experiments/shop/verify";
    // The next may begin only a moment after the last one ended.
    wait_until("a verification begins", PATIENCE, || {
        let begun = running.method("POST", &format!("{path}?look={look}"));
        assert!(begun.status == 202 || begun.status == 429 && header(&begun, "retry-after") == "2", "{begun:?}");
        begun.status == 202
    });
    running.results(path, |json| json["state"] != "running")
}

#[test]
fn a_published_look_is_what_a_replay_of_the_log_gives() {
    let place = Place::new();
    place.fill(240);
    let running = place.start(&[]);
    let newest = running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 480);
    let arm = &newest["experiments"][0]["metrics"][0]["variants"][1]["always_valid"];
    assert!(arm["crossed"]["look"].is_string(), "it is decided: {arm}");
    let look = newest["look"].as_str().unwrap();
    let found = verified(&running, look);
    assert_eq!(
        (&found["state"], &found["identical"], &found["look"]),
        (&json!("done"), &json!(true), &newest["look"]),
        "{found}"
    );
    assert_eq!((&found["share"], &found["offsets"]), (&json!(1.0), &newest["provenance"]["offsets"]));
    assert!(found["records"].as_u64().unwrap() >= newest["events"]["records"].as_u64().unwrap(), "{found}");
    assert_eq!(
        (&found["build"], &found["published_build"]),
        (&newest["provenance"]["build"], &newest["provenance"]["build"])
    );

    // The command that it names gives the same, beside the service that owns the log.
    let command = found["command"].as_str().unwrap().strip_prefix("assay ").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_assay")).args(command.split(' ')).output().unwrap();
    let replayed: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{command}: {output:?}"));
    assert_eq!(replayed["experiments"].to_string(), newest["experiments"].to_string());
    assert_eq!(replayed["provenance"], newest["provenance"]);

    // It is forgotten when nobody wants it any more, and no other site can begin one.
    assert_eq!(running.method("DELETE", "/v1/experiments/shop/verify").status, 204);
    assert_eq!(running.get("/v1/experiments/shop/verify").status, 404);
    let other = [("origin", "http://elsewhere.example"), ("sec-fetch-site", "cross-site")];
    let refused = ask(&place.address, "POST", "/v1/experiments/shop/verify", &other).unwrap();
    assert!(refused.status == 403 && refused.body.contains("another site"), "{refused:?}");
    assert_eq!(running.method("POST", "/v1/experiments/none/verify").status, 404);
}

#[test]
fn a_look_that_was_changed_after_it_was_published_is_found() {
    let place = Place::new();
    place.fill(120);
    let running = place.start(&[]);
    running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 240);
    let first = "SELECT formatDateTime(min(look), '%Y-%m-%dT%H:%i:%SZ') FROM experiment_looks WHERE body LIKE '%\"exposures\":240%'";
    let look = place.wait_for_rows(first, |text| text.starts_with("20") && !text.starts_with("1970"));
    // The board of a new process begins with the last look of the one before, so that this one comes from ClickHouse.
    running.results("/v1/experiments/shop/results", |json| json["look"].as_str() > Some(look.as_str()));
    running.stop();
    let running = place.start(&[]);
    let found = verified(&running, &look);
    assert_eq!((&found["identical"], &found["look"]), (&json!(true), &json!(look)), "{found}");
    let changed = "INSERT INTO experiment_looks (look, experiment_id, published_at, body) SELECT look, experiment_id, published_at + 1, \
        replaceOne(body, '\"exposures\":240,\"exposures_lost\"', '\"exposures\":241,\"exposures_lost\"') FROM experiment_looks \
        WHERE experiment_id = 'shop' AND formatDateTime(look, '%Y-%m-%dT%H:%i:%SZ') = ";
    place.change_rows(&format!("{changed}'{look}'"));
    let found = verified(&running, &look);
    assert_eq!((&found["state"], &found["identical"]), (&json!("done"), &json!(false)), "{found}");
    let differs = json!({"path": "experiments[0].exposures", "published": "241", "replayed": "240"});
    assert_eq!(found["differs"], differs, "{found}");
}

#[test]
fn alarms_and_the_evidence_for_them_outlive_the_process() {
    let place = Place::new();
    place.fill_arms([360, 120]);
    let running = place.start(&[]);
    let alarms = |log: &Json| -> Vec<Json> {
        let entries = log["entries"].as_array().map_or(&[][..], Vec::as_slice);
        entries.iter().filter(|it| it["kind"] == "alarm").cloned().collect()
    };
    let log = "/v1/experiments/shop/log";
    let codes = |all: &[Json]| all.iter().map(|it| it["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let before = running.results(log, |json| codes(&alarms(json)).contains(&"srm".to_owned()));
    let look =
        running.results("/v1/experiments/shop/results", |json| json["events"]["exposures"] == 480)["look"].clone();

    // The split over time: the evidence of the look that the results have, overall and within a segment value.
    let path = "/v1/experiments/shop/history?metric=srm";
    let last = |history: &Json| history["series"]["srm"].as_array().and_then(|points| points.last().cloned());
    let split = running.results(path, |json| last(json).is_some_and(|point| point[1] == 480));
    let columns =
        json!(["look", "units", "p_value_running", "ln_e", "config_version", "units/control", "units/treatment"]);
    assert_eq!(split["columns"], columns);
    let srm = &running.json("/v1/experiments/shop/results")["experiments"][0]["srm"];
    let point = last(&split).unwrap();
    assert_eq!([&point[2], &point[3]], [&srm["p_value_running"], &srm["ln_e"]], "{point}");
    assert_eq!([&point[5], &point[6]], [&json!(360), &json!(120)]);
    let within =
        running.results(&format!("{path}&segment=country:DE"), |json| last(json).is_some_and(|point| point[1] == 160));
    let german = srm["segments"].as_array().unwrap().iter().find(|it| it["value"] == "DE").unwrap();
    let point = last(&within).unwrap();
    assert_eq!([&point[2], &point[3]], [&german["p_value_running"], &german["ln_e"]], "{within}");
    assert_eq!([&point[5], &point[6]], [&json!(120), &json!(40)]);

    // Once more, with looks of its own: what was raised is still there, and is not raised anew.
    let before = alarms(&before);
    running.stop();
    let running = place.start(&[]);
    running.results("/v1/experiments/shop/results", |json| json["look"].as_str() > look.as_str());
    let after = alarms(&running.json(log));
    assert!(before.iter().all(|it| after.contains(it)), "{before:?} are not all in {after:?}");
    let srm = after.iter().filter(|it| it["code"] == "srm").map(|it| it["state"].clone()).collect::<Vec<_>>();
    assert_eq!(srm, ["raised"], "{after:?}");
}
