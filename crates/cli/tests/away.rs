//! A ClickHouse that refuses, hangs, or answers after the client gave up changes nothing but the number of chunks that wait.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod world;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use world::{Server, verify};

const PASS: u8 = 0;
const REFUSE: u8 = 1;
const HANG: u8 = 2;
const LATE: u8 = 3;
/// Longer than an insert may take.
const TOO_LATE: Duration = Duration::from_secs(11);

/// A way to ClickHouse that can be disturbed.
struct Proxy {
    address: String,
    mode: Arc<AtomicU8>,
}

impl Proxy {
    fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mode = Arc::new(AtomicU8::new(PASS));
        let (server, shared) = (server.trim_start_matches("http://").to_owned(), mode.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if shared.load(Ordering::SeqCst) == REFUSE {
                    continue;
                }
                let server = TcpStream::connect(&server).unwrap();
                let (from, to, mode) = (client.try_clone().unwrap(), server.try_clone().unwrap(), shared.clone());
                std::thread::spawn(move || carry(from, to, &mode, false));
                let mode = shared.clone();
                std::thread::spawn(move || carry(server, client, &mode, true));
            }
        });
        Proxy { address, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mode: &AtomicU8, answers: bool) {
    from.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(problem) if matches!(problem.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                if mode.load(Ordering::SeqCst) == REFUSE {
                    break;
                }
                continue;
            }
            Err(_) => break,
        };
        match mode.load(Ordering::SeqCst) {
            REFUSE => break,
            // The request is swallowed, and nobody ever answers.
            HANG if !answers => continue,
            LATE if answers => std::thread::sleep(TOO_LATE),
            _ => {}
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// One number from a process's metrics; the sum over its labels.
fn metric(address: &str, name: &str) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

#[test]
fn results_go_on_without_clickhouse_and_every_row_comes_later() {
    let server = Server::shared();
    let proxy = Proxy::start(&server.url);
    // Away from the start: its tables are made when it is there.
    proxy.set(REFUSE);
    let directory = tempfile::Builder::new().prefix("away-").tempdir_in(assay_real_parts::target()).unwrap();
    let data = directory.path().display().to_string();
    let url = format!("http://{}", proxy.address);
    let mut demo = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args(["demo", "--exit", "--seconds", "90", "--dir", &data, "--clickhouse", &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let health = lines.by_ref().map(Result::unwrap).find(|line| line.contains("/readyz")).unwrap();
    let health = health.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let rest = std::thread::spawn(move || lines.map(Result::unwrap).collect::<Vec<_>>().join("\n"));
    std::thread::sleep(Duration::from_secs(4));
    assert!(metric(&health, "assay_spilled_chunks") > 0.0, "without tables rows wait in the store");
    proxy.set(PASS);
    let waited = Instant::now();
    while metric(&health, "assay_spilled_chunks") > 0.0 {
        assert!(waited.elapsed() < Duration::from_secs(40), "what waited for tables was not delivered");
        std::thread::sleep(Duration::from_millis(200));
    }
    for mode in [REFUSE, HANG, LATE] {
        proxy.set(mode);
        let (look, snapshots) = (
            metric(&health, "assay_results_look_timestamp_seconds"),
            metric(&health, "assay_snapshot_timestamp_seconds"),
        );
        let started = Instant::now();
        let mut most: f64 = 0.0;
        while started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(500));
            most = most.max(metric(&health, "assay_spilled_chunks"));
            let behind =
                started.elapsed().as_secs_f64() - (metric(&health, "assay_results_look_timestamp_seconds") - look);
            assert!(behind < 4.0, "in mode {mode} results fell {behind} s behind");
        }
        if mode != LATE {
            assert!(most > 0.0, "in mode {mode} chunks wait in the store");
        }
        let newer = metric(&health, "assay_snapshot_timestamp_seconds");
        assert!(newer > snapshots, "in mode {mode} snapshots go on: {snapshots} {newer}");
        proxy.set(PASS);
        let waited = Instant::now();
        while metric(&health, "assay_spilled_chunks") > 0.0 {
            assert!(waited.elapsed() < Duration::from_secs(60), "after mode {mode} what waited was not delivered");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let status = demo.wait().unwrap();
    let told = rest.join().unwrap();
    assert!(status.success(), "{told}");
    let data = directory.path().join("hillstrom");
    verify(&format!("local:{}", data.join("log").display()), &data, server, None);
}
