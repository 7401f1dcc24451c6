//! Which definitions are in force when parts are away, come back, or are wrong.

use crate::harness::{Client, DEFINITIONS, Wish, World, offer, snapshot, wait};
use assay_edge::{Source, Upstream};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn dark(world: &World) -> Json {
    world.evaluate("dark", "{\"plan\":\"pro\"}").json()
}

fn with_directory(path: &Path, source: Source) -> World {
    World::with(Wish { directory: Some(path.to_owned()), source: Some(source), ..Wish::default() })
}

#[test]
fn only_higher_versions_come_into_force() {
    let world = World::new();
    world.offers.send_replace(Some(offer(6, "{ kind: layer, id: l }")));
    wait("the refusal shows", || {
        let ready = world.client().get("/readyz").json();
        ready["upstream"].as_str().unwrap().contains("version 6 is lower than 7")
    });
    assert_eq!(world.evaluate("dark", "{}").status, 200);
    world.offers.send_replace(Some(offer(7, "{ kind: layer, id: l }")));
    wait("the contradiction shows", || {
        world.client().get("/readyz").json()["upstream"].as_str().unwrap().contains("another content")
    });
    assert_eq!(world.evaluate("dark", "{}").status, 200);
    world.publish(8, DEFINITIONS);
    wait("all is fine", || world.client().get("/readyz").json()["upstream"] == "fine");
    assert_eq!(world.metric("assay_edge_config_updates_total{outcome=\"lower\"}"), Some(1.0));
}

/// What the next version stops is off before that version is in force, and only that.
#[test]
fn what_is_halted_is_off_at_once() {
    let world = World::new();
    let asked = "{\"targetingKey\":\"u1\"}";
    assert_eq!(world.evaluate("shop", asked).json()["reason"], "SPLIT");
    let tag = world.post("/ofrep/v1/evaluate/flags", "{}").header("etag").unwrap().to_owned();
    let mut halted = offer(7, DEFINITIONS);
    halted.halted = ["shop".to_owned(), "ramp".to_owned()].into();
    world.offers.send_replace(Some(halted));
    wait("it is off", || world.evaluate("shop", asked).json()["reason"] == "DISABLED");
    assert_eq!(world.evaluate("ramp", asked).json()["reason"], "DISABLED");
    assert_eq!(dark(&world)["value"], true);
    let reply = world.client().send("POST", "/ofrep/v1/evaluate/flags", &[("if-none-match", &tag)], "{}");
    assert_eq!((reply.status, reply.header("x-config-version")), (200, Some("7")), "the tag has changed");
}

#[test]
fn a_restart_without_a_source_answers_from_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("edge");
    let world = World::with(Wish { directory: Some(kept.clone()), ..Wish::default() });
    world.publish(7, DEFINITIONS);
    world.publish(8, DEFINITIONS);
    drop(world);
    let away = || Source::Http(Upstream::new("http://127.0.0.1:9", None).unwrap());
    let world = with_directory(&kept, away());
    let answer = dark(&world);
    assert_eq!((&answer["value"], &answer["metadata"]["version"]), (&Json::from(true), &Json::from(8)), "{answer}");
    assert_eq!(
        (&answer["metadata"]["configStale"], &answer["metadata"]["configSource"]),
        (&true.into(), &"last_known_good".into())
    );
    let ready = world.client().get("/readyz");
    assert_eq!((ready.status, ready.json()["source"].as_str()), (200, Some("last_known_good")));
    wait("the source is missed", || {
        world.client().get("/readyz").json()["upstream"].as_str().unwrap().contains("127.0.0.1:9")
    });
    wait("the standing is measured", || {
        world.metric("assay_edge_config_standing{standing=\"last_known_good\"}") == Some(1.0)
    });
    drop(world);

    // The newest is damaged: the one before answers. Both are: the bootstrap file.
    let newest = kept.join("production-published.json");
    std::fs::write(&newest, "{\"version\":9}").unwrap();
    let world = with_directory(&kept, away());
    assert_eq!(dark(&world)["metadata"]["version"], 7);
    drop(world);
    std::fs::remove_file(kept.join("production-published.before.json")).unwrap();
    let bootstrap = directory.path().join("bootstrap.json");
    std::fs::write(&bootstrap, snapshot(3, DEFINITIONS).encode()).unwrap();
    let wish = Wish {
        directory: Some(kept.clone()),
        source: Some(away()),
        bootstrap: Some(bootstrap.clone()),
        ..Wish::default()
    };
    let world = World::with(wish);
    let answer = dark(&world);
    assert_eq!((&answer["metadata"]["version"], &answer["metadata"]["configSource"]), (&3.into(), &"bootstrap".into()));
    drop(world);
    // A bootstrap file is a guess: whatever the source says replaces it.
    let world = World::with(Wish { bootstrap: Some(bootstrap), ..Wish::default() });
    assert_eq!(dark(&world)["metadata"]["version"], 3);
    world.publish(2, DEFINITIONS);
    assert_eq!(dark(&world)["metadata"]["configSource"], Json::Null);
}

#[test]
fn a_directory_is_followed_and_its_mistakes_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let flags = directory.path().join("flags");
    std::fs::create_dir(&flags).unwrap();
    let file = flags.join("all.yaml");
    std::fs::write(&file, DEFINITIONS).unwrap();
    let kept = directory.path().join("edge");
    let world = with_directory(&kept, Source::Files(flags.clone()));
    world.wait_version(1);
    let changed = DEFINITIONS.replace("low: 1, high: 2.5", "low: 1.5, high: 2.5");
    std::fs::write(&file, &changed).unwrap();
    world.wait_version(2);
    assert_eq!(world.evaluate("price", "{}").json()["value"], 1.5);
    std::fs::write(flags.join("wrong.yaml"), "kind: flag\nid: x\n").unwrap();
    wait("the mistake shows", || {
        world.client().get("/readyz").json()["upstream"].as_str().unwrap().contains("wrong.yaml")
    });
    assert_eq!(world.evaluate("price", "{}").json()["value"], 1.5, "what was good stays");
    std::fs::remove_file(flags.join("wrong.yaml")).unwrap();
    wait("all is fine", || world.client().get("/readyz").json()["upstream"] == "fine");
    // Its numbers mean nothing to the log, so exposures do not name them.
    assert_eq!(world.evaluate("shop", "{\"targetingKey\":\"u1\"}").status, 200);
    wait("the exposure is there", || world.records().len() == 1);
    assert!(world.records()[0].2.get("config_version").is_none());
    drop(world);
    // Numbers go on after a restart, and only if something changed.
    let world = with_directory(&kept, Source::Files(flags.clone()));
    assert_eq!(world.edge.as_ref().unwrap().version(), Some(2));
    std::fs::write(&file, DEFINITIONS).unwrap();
    world.wait_version(3);
    drop(world);
    // A directory's numbers do not shut out what is published.
    let world = World::with(Wish { directory: Some(kept), ..Wish::default() });
    world.publish(1, DEFINITIONS);
}

#[test]
fn a_file_with_a_snapshot_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("snapshot.json");
    let world = with_directory(&directory.path().join("edge"), Source::Files(file.clone()));
    assert_eq!(world.evaluate("dark", "{}").status, 503);
    std::fs::write(&file, snapshot(4, DEFINITIONS).encode()).unwrap();
    world.wait_version(4);
    std::fs::write(&file, snapshot(5, DEFINITIONS).encode()).unwrap();
    world.wait_version(5);
    assert_eq!(dark(&world)["metadata"]["version"], 5);
}

/// A control plane that answers with the next of these bodies, else that nothing is newer; it keeps the heads of requests.
fn control_plane(answers: Arc<Mutex<Vec<String>>>, heads: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answers, heads) = (answers.clone(), heads.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    heads.lock().unwrap().push(head);
                    let next = { answers.lock().unwrap().pop() };
                    let reply = match next {
                        Some(body) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
                        None => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
                    };
                    if stream.write_all(reply.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_control_plane_is_asked_for_what_is_newer() {
    let directory = tempfile::tempdir().unwrap();
    let damaged = snapshot(9, DEFINITIONS).encode().replace("pro", "con");
    // Taken from the end.
    let answers =
        Arc::new(Mutex::new(vec![snapshot(8, DEFINITIONS).encode(), damaged, snapshot(7, DEFINITIONS).encode()]));
    let heads = Arc::new(Mutex::new(Vec::new()));
    let address = control_plane(answers, heads.clone());
    let upstream = Upstream::new(&address, Some("a-token")).unwrap();
    let world = with_directory(&directory.path().join("edge"), Source::Http(upstream));
    world.wait_version(8);
    wait("it asks on", || heads.lock().unwrap().iter().any(|head| head.contains("after=8")));
    let heads = heads.lock().unwrap();
    assert!(heads[0].starts_with("GET /internal/definitions?after=0&wait=25 "), "{}", heads[0]);
    assert!(heads.iter().all(|head| head.to_ascii_lowercase().contains("authorization: bearer a-token")));
    assert!(heads[1].contains("after=7"), "{}", heads[1]);
    assert_eq!(dark(&world)["metadata"].get("configStale"), None);
    assert_eq!(Client::new(world.address()).get("/readyz").json()["upstream"], "fine");
}
