//! An edge alone, as the binary starts it, against the control plane's own door: it follows, shows itself in the status, and outlives it.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod doors;

use assay_control_plane::Edges;
use assay_control_plane::http::{Board, Published, Sources, router};
use assay_control_plane::status::EdgeState;
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Source, canonical, parse};
use assay_real_parts::{free_port, target, wait_until};
use doors::{PATIENCE, Place, Running, ask, send};
use serde_json::Value as Json;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::sync::watch;

const TOKEN: &str = "the-read-token";
const BEARER: [(&str, &str); 1] = [("authorization", "Bearer the-read-token")];

/// Definitions whose only flag has a value.
fn definitions(value: u64) -> String {
    format!("{{ kind: flag, id: price, type: number, variants: {{ it: {value} }}, default: it }}\n")
}

/// An edge and nothing else.
struct Alone {
    child: Child,
    address: String,
}

impl Alone {
    fn start(source: &str, token: &str, data: &TempDir) -> Alone {
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["serve", "--only", "edge", "--edge-source", &format!("http://{source}"), "--edge-listen", &address])
            .args(["--data", data.path().to_str().unwrap()])
            .env("ASSAY_EDGE_SOURCE_TOKEN", token)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let edge = Alone { child, address };
        wait_until("an edge that answers", PATIENCE, || ask(&edge.address, "GET", "/livez", &[]).is_some());
        edge
    }

    fn ready(&self) -> (u16, Json) {
        let answer = ask(&self.address, "GET", "/readyz", &[]).unwrap();
        (answer.status, answer.json())
    }

    /// The status and the answer about the flag.
    fn price(&self) -> (u16, Json) {
        let answer = send(&self.address, "POST", "/ofrep/v1/evaluate/flags/price", &[], "{\"context\":{}}").unwrap();
        (answer.status, answer.json())
    }

    fn wait_for(&self, what: &str, mut holds: impl FnMut(u16, &Json) -> bool) {
        wait_until(what, PATIENCE, || {
            let (status, ready) = self.ready();
            holds(status, &ready)
        });
    }

    /// Waits until it answers with a value; every answer on the way is one.
    fn wait_value(&self, value: u64) {
        wait_until("the value is in force", PATIENCE, || {
            let (status, answer) = self.price();
            assert_eq!(status, 200, "{answer}");
            answer["value"] == value
        });
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn directory() -> TempDir {
    tempfile::Builder::new().prefix("alone-").tempdir_in(target()).unwrap()
}

/// The edges of the status once all have a version.
fn edges(running: &Running<'_>, count: usize, version: u64) -> Vec<Json> {
    let mut found = Vec::new();
    wait_until("edges in the status", PATIENCE, || {
        let status = running.ask("/v1/status", &BEARER).json();
        found = status["edges"].as_array().unwrap().clone();
        found.len() == count && found.iter().all(|edge| edge["version"] == version && edge["state"] == "current")
    });
    found
}

#[test]
fn an_edge_alone_follows_its_control_plane_and_outlives_it() {
    let place = Place::new();
    let publish = |value| std::fs::write(place.path("definitions/shop.yaml"), definitions(value)).unwrap();
    publish(10);
    let control = place.start(&["--read-token", TOKEN]);
    let data = directory();

    let edge = Alone::start(&place.address, "another", &data);
    edge.wait_for("it says what to do about its token", |status, ready| {
        assert_eq!((status, &ready["source"]), (503, &"none".into()), "{ready}");
        ready["upstream"].as_str().unwrap().contains("does not take this edge's token; set ASSAY_EDGE_SOURCE_TOKEN")
    });
    assert_eq!(edge.price().0, 503);
    drop(edge);

    let edge = Alone::start(&place.address, TOKEN, &data);
    edge.wait_for("it is ready", |status, _| status == 200);
    edge.wait_value(10);
    assert_eq!(edge.price().1["metadata"]["version"], 1);
    let id = std::fs::read_to_string(data.path().join("edge/id")).unwrap();
    let known = edges(&control, 2, 1);
    assert!(known.iter().any(|it| it["id"].as_str().unwrap().ends_with(&id[..8])), "{known:?}");

    // A version that is published while it looks elsewhere.
    control.stop();
    publish(20);
    let control = place.start(&["--read-token", TOKEN]);
    edge.wait_value(20);
    edges(&control, 2, 2);

    // A death without a word: it goes on, and says how old its definitions are.
    let died = Instant::now();
    drop(control);
    edge.wait_for("it misses its control plane", |status, ready| {
        assert_eq!(status, 200, "{ready}");
        ready["upstream"].as_str().unwrap().contains(&place.address)
    });
    assert_eq!(edge.price().1["value"], 20);
    edge.wait_for("its definitions are stale", |status, ready| {
        assert_eq!((status, &ready["version"]), (200, &2.into()), "{ready}");
        ready["source"] == "stale"
    });
    assert!(died.elapsed() > Duration::from_secs(30), "stale after two missed polls, not at once");
    let (status, answer) = edge.price();
    assert_eq!((status, &answer["value"], &answer["metadata"]["configStale"]), (200, &20.into(), &true.into()));

    // Its own death on top: what it kept.
    drop(edge);
    let edge = Alone::start(&place.address, TOKEN, &data);
    let (status, ready) = edge.ready();
    assert_eq!((status, &ready["source"], &ready["version"]), (200, &"last_known_good".into(), &2.into()), "{ready}");
    assert_eq!(edge.price().1["metadata"]["configSource"], "last_known_good");

    // And back, with something new.
    publish(30);
    let control = place.start(&["--read-token", TOKEN]);
    edge.wait_value(30);
    edge.wait_for("all is fine", |_, ready| ready["source"] == "fresh" && ready["upstream"] == "fine");
    edges(&control, 2, 3);
}

/// The doors of a control plane whose definitions are in the hands of the test.
struct Doors {
    address: String,
    definitions: watch::Sender<Option<Arc<Published>>>,
    edges: Arc<Edges>,
    _stop: watch::Sender<bool>,
    _runtime: tokio::runtime::Runtime,
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

impl Doors {
    fn open() -> Doors {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (definitions, published) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let edges = Arc::new(Edges::default());
        let doors = router(Sources {
            board: Arc::new(Board::new(1 << 20)),
            archive: None,
            definitions: published,
            edges: edges.clone(),
            planner: None,
            overseer: None,
            verifier: None,
            read_token: Some(TOKEN.to_owned()),
            stopped,
            now_ms,
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, doors).await });
        Doors { address, definitions, edges, _stop: stop, _runtime: runtime }
    }

    fn publish(&self, version: u64, bodies: Vec<String>) {
        let document = Snapshot::new(ConfigVersion(version), bodies.clone()).encode().into();
        self.definitions.send_replace(Some(Arc::new(Published { version, document, bodies })));
    }

    fn publish_value(&self, version: u64, value: u64) {
        let text = definitions(value);
        let parsed = parse(&[Source { name: "test.yaml", text: &text }]).unwrap();
        self.publish(version, canonical::parts(&parsed));
    }

    fn listed(&self) -> Vec<(u64, EdgeState)> {
        self.edges.list(now_ms()).into_iter().map(|it| (it.version, it.state)).collect()
    }
}

#[test]
fn a_publication_is_at_the_edge_at_once_and_one_that_it_cannot_use_leaves_it_behind() {
    let doors = Doors::open();
    let data = directory();
    let edge = Alone::start(&doors.address, TOKEN, &data);
    edge.wait_for("it says what it waits for", |_, ready| {
        ready["upstream"].as_str().unwrap().contains("nothing is published yet")
    });
    doors.publish_value(1, 100);
    edge.wait_for("it is ready", |status, _| status == 200);
    wait_until("it is listed", PATIENCE, || doors.listed() == [(1, EdgeState::Current)]);
    // Who only asked every 25 s would need more than a minute for these.
    let started = Instant::now();
    for version in 2..8 {
        doors.publish_value(version, 100 * version);
        edge.wait_value(100 * version);
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    wait_until("it is listed with the newest", PATIENCE, || doors.listed() == [(7, EdgeState::Current)]);

    // As a newer build might write them.
    doors.publish(8, vec!["{\"kind\":\"wish\",\"id\":\"x\"}".to_owned()]);
    edge.wait_for("it says why not", |_, ready| {
        ready["upstream"].as_str().unwrap().contains("version 8 cannot be used")
    });
    edge.wait_value(700);
    wait_until("it is behind", PATIENCE, || {
        edge.wait_value(700);
        doors.listed() == [(7, EdgeState::Behind)]
    });
    doors.publish_value(9, 900);
    edge.wait_value(900);
    wait_until("it is no longer behind", PATIENCE, || doors.listed() == [(9, EdgeState::Current)]);
}
