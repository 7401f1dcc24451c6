//! OFREP as its clients insist on it.

use crate::harness::{Client, DEFINITIONS, Wish, World, snapshot};
use assay_edge::Offer;
use assay_experiment::ConfigVersion;
use assay_experiment::snapshot::Snapshot;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const FLAGS: &str = "/ofrep/v1/evaluate/flags";

#[test]
fn single_evaluation_answers_by_the_table() {
    let world = World::new();
    let mut client = world.client();
    let long = "x".repeat(500);
    for (key, body, status, expected) in [
        ("dark", "{\"context\":{\"plan\":\"pro\"}}", 200, ("TARGETING_MATCH", json!(true))),
        ("dark", "{\"context\":{}}", 200, ("DEFAULT", json!(false))),
        ("dark", "{}", 200, ("DEFAULT", json!(false))),
        ("dark", "{\"context\":null,\"other\":[1]}", 200, ("DEFAULT", json!(false))),
        ("dark", "{\"context\":[]}", 400, ("INVALID_CONTEXT", json!(null))),
        ("dark", "{\"context\":{\"a\":1}", 400, ("PARSE_ERROR", json!(null))),
        ("dark", "{\"context\":{},\"context\":{}}", 400, ("PARSE_ERROR", json!(null))),
        ("dark", "[]", 400, ("PARSE_ERROR", json!(null))),
        ("dark", "", 400, ("PARSE_ERROR", json!(null))),
        ("price", "{\"context\":{}}", 200, ("STATIC", json!(1.0))),
        ("ramp", "{\"context\":{\"targetingKey\":\"u1\"}}", 200, ("SPLIT", json!("B"))),
        ("ramp", "{\"context\":{}}", 400, ("TARGETING_KEY_MISSING", json!(null))),
        ("ramp", "{\"context\":{\"targetingKey\":1.5}}", 400, ("INVALID_CONTEXT", json!(null))),
        ("ramp", "{\"context\":{\"targetingKey\":\"\"}}", 400, ("TARGETING_KEY_MISSING", json!(null))),
        ("shop", "{\"context\":{\"targetingKey\":\"u1\"}}", 200, ("SPLIT", json!("a"))),
        ("nothing", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("d%61rk", "{\"context\":{}}", 200, ("DEFAULT", json!(false))),
        ("d%2561rk", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("..%2fdark", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("../../../../metrics", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("%2e%2e/dark", "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
        ("%zz", "{\"context\":{}}", 400, ("PARSE_ERROR", json!(null))),
        ("%ff", "{\"context\":{}}", 400, ("PARSE_ERROR", json!(null))),
        (&long, "{\"context\":{}}", 404, ("FLAG_NOT_FOUND", json!(null))),
    ] {
        let reply = client.post(&format!("{FLAGS}/{key}"), body);
        let told = format!("{key} {body}: {} {}", reply.status, reply.text());
        let json = reply.json();
        assert_eq!(reply.status, status, "{told}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{told}");
        assert_eq!(reply.header("x-config-version"), Some("7"), "{told}");
        if status == 200 {
            assert_eq!((json["reason"].as_str(), &json["value"]), (Some(expected.0), &expected.1), "{told}");
            assert!(json["variant"].is_string() && json["metadata"]["version"] == 7, "{told}");
            assert_eq!(json["metadata"]["flagSetId"], "production", "{told}");
        } else {
            assert_eq!(json["errorCode"].as_str(), Some(expected.0), "{told}");
            assert!(!json["errorDetails"].as_str().unwrap().is_empty() && json["key"].is_string(), "{told}");
            assert!(reply.body.len() < 1_000, "{told}");
        }
    }
    // Number flags with a fraction are fractions in every answer, for clients that tell them apart.
    assert!(client.post(&format!("{FLAGS}/price"), "{}").text().contains("\"value\":1.0"));
}

#[test]
fn methods_media_types_and_addresses_are_checked() {
    let world = World::new();
    let mut client = world.client();
    let json = [("content-type", "application/json")];
    for (method, path, headers, status, code) in [
        ("GET", "/ofrep/v1/evaluate/flags/dark", &json[..], 405, "GENERAL"),
        ("PUT", FLAGS, &json, 405, "GENERAL"),
        ("POST", "/ofrep/v1/stream", &json, 405, "GENERAL"),
        ("POST", "/metrics", &json, 405, "GENERAL"),
        ("DELETE", "/v1/events", &json, 405, "GENERAL"),
        ("POST", "/ofrep/v1/evaluate/flags/dark", &[("content-type", "text/plain")], 415, "GENERAL"),
        ("POST", FLAGS, &[("content-type", "application/xml")], 415, "GENERAL"),
        ("POST", FLAGS, &[("content-type", "application/json"), ("content-encoding", "gzip")], 415, "GENERAL"),
        ("POST", "/ofrep/v2/evaluate/flags", &json, 404, "GENERAL"),
        ("POST", "/", &json, 404, "GENERAL"),
    ] {
        let reply = client.send(method, path, headers, "{\"context\":{}}");
        assert_eq!((reply.status, reply.json()["errorCode"].as_str()), (status, Some(code)), "{method} {path}");
        assert!(!reply.json()["errorDetails"].as_str().unwrap().is_empty());
        assert_eq!(reply.header("allow").is_some(), status == 405, "{method} {path}");
    }
    // The last one is what curl says unless it is told otherwise.
    for media in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/x-www-form-urlencoded"] {
        assert_eq!(client.send("POST", FLAGS, &[("content-type", media)], "{}").status, 200, "{media}");
    }
    assert_eq!(client.send("POST", FLAGS, &[], "{}").status, 200);
    // A page of another origin cannot pass by the browser's question.
    let origin = ("origin", "https://x.example");
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(client.send("POST", FLAGS, &[origin, form], "{}").status, 415);
    assert_eq!(client.send("POST", FLAGS, &[origin], "{}").status, 415);
}

#[test]
fn bulk_answers_have_tags_that_spare_the_next() {
    let world = World::new();
    let mut client = world.client();
    let body = "{\"context\":{\"targetingKey\":\"u1\"}}";
    let reply = client.post(FLAGS, body);
    assert_eq!(reply.status, 200);
    let json = reply.json();
    let keys: Vec<&str> = json["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["dark", "price", "ramp", "shop", "tried"]);
    assert_eq!(json["metadata"]["version"], 7);
    assert_eq!(json["eventStreams"][0]["type"], "sse");
    assert_eq!(json["eventStreams"][0]["endpoint"]["requestUri"], "/ofrep/v1/stream");
    let tag = reply.header("etag").unwrap().to_owned();
    let mut asked = |given: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("if-none-match", given), ("origin", "https://x.example")];
        let reply = client.send("POST", FLAGS, &headers, body);
        assert!(reply.header("etag").is_some() && reply.header("x-config-version").is_some(), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{reply:?}");
        assert!(reply.header("access-control-expose-headers").unwrap().contains("ETag"));
        reply.status
    };
    for given in [tag.clone(), tag.trim_matches('"').to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        assert_eq!(asked(&given, body), 304, "{given}");
    }
    assert_eq!(asked("\"other\"", body), 200);
    assert_eq!(asked(&tag, "{\"context\":{\"targetingKey\":\"u2\"}}"), 200, "another context");
    world.publish(8, DEFINITIONS);
    assert_eq!(asked(&tag, body), 200, "another version");

    // Flags that need a unit fail alone.
    let reply = world.post(FLAGS, "{}");
    let json = reply.json();
    let ramp = json["flags"].as_array().unwrap().iter().find(|flag| flag["key"] == "ramp").unwrap();
    assert_eq!((reply.status, ramp["errorCode"].as_str()), (200, Some("TARGETING_KEY_MISSING")), "{ramp}");
    assert!(ramp["errorDetails"].is_string());
    let reply = world.post(FLAGS, "{\"context\":1}");
    assert_eq!((reply.status, reply.json()["errorCode"].as_str()), (400, Some("INVALID_CONTEXT")));
    assert!(reply.json().get("key").is_none());
}

#[test]
fn pages_may_ask_and_are_told_what_they_need() {
    let world = World::with(Wish {
        tokens: "a-token-of-sixteen-bytes",
        origins: Some("https://shop.example"),
        ..Wish::default()
    });
    world.publish(7, DEFINITIONS);
    let mut client = world.client();
    let page = ("origin", "https://shop.example");
    let reply = client.send("OPTIONS", FLAGS, &[page, ("access-control-request-method", "POST")], "");
    assert_eq!(reply.status, 204, "without a token");
    let allowed = reply.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    for name in ["content-type", "authorization", "x-api-key", "if-none-match"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    assert_eq!(reply.header("access-control-max-age"), Some("600"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://shop.example"));
    let json = ("content-type", "application/json");
    for (headers, status) in [
        (vec![page, json], 401),
        (vec![page, json, ("authorization", "Bearer a-token-of-sixteen-byteX")], 401),
        (vec![page, json, ("authorization", "Bearer a-token-of-sixteen-bytes")], 200),
        (vec![page, json, ("x-api-key", "a-token-of-sixteen-bytes")], 200),
        (vec![("origin", "https://evil.example"), json, ("x-api-key", "a-token-of-sixteen-bytes")], 200),
    ] {
        let reply = client.send("POST", &format!("{FLAGS}/dark"), &headers, "{}");
        assert_eq!(reply.status, status, "{headers:?}");
        let allowed = reply.header("access-control-allow-origin");
        assert_eq!(allowed, (headers[0] == page).then_some("https://shop.example"), "{headers:?}");
        assert_eq!(reply.header("vary"), Some("Origin"));
        if status == 401 {
            let json = reply.json();
            assert!(json["key"] == "dark" && json["errorDetails"].as_str().unwrap().contains("X-API-Key"), "{json}");
        }
    }
    assert_eq!(client.post("/v1/events", "[]").status, 401);
    assert_eq!(client.get("/readyz").status, 200, "probes need no token");
}

#[test]
fn an_edge_without_definitions_says_so_and_its_clients_use_their_defaults() {
    let world = World::with(Wish::default());
    let mut client = world.client();
    let reply = client.post(&format!("{FLAGS}/dark"), "{}");
    assert_eq!((reply.status, reply.json()["errorCode"].as_str()), (503, Some("PROVIDER_NOT_READY")));
    assert_eq!(reply.json()["key"], "dark");
    assert_eq!(client.post(FLAGS, "{}").status, 503);
    let ready = client.get("/readyz");
    assert_eq!((ready.status, ready.json()["source"].as_str()), (503, Some("none")));
    assert_eq!(client.get("/livez").status, 200);
    world.publish(7, DEFINITIONS);
    let ready = client.get("/readyz").json();
    assert_eq!(
        (&ready["ready"], &ready["version"], ready["source"].as_str()),
        (&json!(true), &json!(7), Some("fresh"))
    );
    assert_eq!(client.post(FLAGS, "{}").status, 200);
}

/// A definition that cannot be evaluated fails alone: another build published it, where no rule of this one stood against it.
#[test]
fn one_bad_flag_is_quarantined() {
    let world = World::with(Wish::default());
    let bad = "{ kind: flag, id: bad, type: boolean, variants: { \"on\": true, \"off\": false }, default: \"off\", \
               rules: [{ if: { \"==\": [1, 1] }, serve: \"on\" }] }";
    let good = snapshot(7, &format!("{DEFINITIONS}\n---\n{bad}"));
    let bodies =
        good.bodies().iter().map(|body| body.replace("{\"==\":[1,1]}", "{\"no_such_operator\":[1]}")).collect();
    let snapshot = Arc::new(Snapshot::new(ConfigVersion(7), bodies));
    world.offers.send_replace(Some(Offer { snapshot, halted: BTreeSet::new() }));
    world.wait_version(7);
    let reply = world.evaluate("bad", "{}");
    assert_eq!((reply.status, reply.json()["errorCode"].as_str()), (400, Some("PARSE_ERROR")), "{}", reply.text());
    assert_eq!(world.evaluate("dark", "{}").status, 200);
    assert_eq!(world.client().get("/readyz").json()["quarantined"][0]["key"], "bad");
    let bulk = world.post(FLAGS, "{}").json();
    assert_eq!(bulk["flags"][0]["errorCode"], "PARSE_ERROR", "{bulk}");
}

#[test]
fn a_client_that_heard_of_a_version_gets_it() {
    let world = World::new();
    let address = world.address();
    let tag =
        world.post(FLAGS, "{}").header("etag").unwrap().replace("production.7.", "production.8.").replace('"', "%22");
    let ask = |path: String, header: Option<&'static str>| {
        std::thread::spawn(move || {
            let headers: Vec<(&str, &str)> =
                header.map(|version| ("x-min-config-version", version)).into_iter().collect();
            let reply = Client::new(address).send("POST", &path, &headers, "{}");
            reply.header("x-config-version").unwrap().to_owned()
        })
    };
    // Nobody waits for ever.
    assert_eq!(ask(FLAGS.to_owned(), Some("9")).join().unwrap(), "7");
    // The version may come just too late on a busy machine, so what counts is that both ways ask for it.
    for _ in 0..20 {
        let waiting = [ask(format!("{FLAGS}?flagConfigEtag={tag}"), None), ask(format!("{FLAGS}/dark"), Some("8"))];
        std::thread::sleep(std::time::Duration::from_millis(20));
        world.publish(8, DEFINITIONS);
        let versions = waiting.map(|asked| asked.join().unwrap());
        if versions == ["8", "8"] {
            return;
        }
    }
    panic!("nobody waited for the version");
}
