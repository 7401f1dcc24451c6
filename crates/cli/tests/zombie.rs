//! Two processes own the same partitions of a Kafka log and write into the same ClickHouse; each in turn stands still and comes back.
//!
//! A process that was stopped goes on in the middle of whatever it did: with an insert half sent, a look not yet appended, a snapshot of
//! long ago. Nobody fences it off, because everything it still writes says what the other one said.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod world;

use assay_real_parts::{Kafka, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use world::{Server, verify};

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Lets a process stand still for some seconds.
fn stand_still(child: &Child, seconds: u64) {
    signal(child, Signal::STOP);
    std::thread::sleep(Duration::from_secs(seconds));
    signal(child, Signal::CONT);
}

#[test]
fn an_owner_that_stood_still_changes_nothing() {
    let server = Server::shared();
    let kafka = Kafka::start();
    let log = format!("kafka://{}", kafka.address);
    let directory = tempfile::Builder::new().prefix("zombie-").tempdir_in(assay_real_parts::target()).unwrap();
    let data = directory.path().join("hillstrom");
    let mut first = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args([
            "demo",
            "--exit",
            "--seconds",
            "60",
            "--snapshot-seconds",
            "1",
            "--clickhouse",
            &server.url,
            "--log",
            &log,
        ])
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the demonstration began", Duration::from_secs(60), || data.join("store/snapshots").exists());
    let progress = std::fs::read(data.join("demo.json")).unwrap();
    let progress: serde_json::Value = serde_json::from_slice(&progress).unwrap();
    let mut second = Command::new(env!("CARGO_BIN_EXE_assay"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--edge-listen",
            "127.0.0.1:0",
            "--snapshot-seconds",
            "1",
            "--log",
            &log,
            "--clickhouse",
            &server.url,
        ])
        .args(["--topics", progress["topics"].as_str().unwrap()])
        .args(["--database", &format!("assay_demo_{}", progress["start_ms"])])
        .arg("--data")
        .arg(directory.path().join("second"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let owned = directory.path().join("second/store/snapshots");
    wait_until("the second owner keeps up", Duration::from_secs(60), || owned.exists());
    for seconds in [12, 3, 6] {
        stand_still(&first, seconds);
        std::thread::sleep(Duration::from_secs(3));
        stand_still(&second, seconds);
        std::thread::sleep(Duration::from_secs(1));
    }
    let status = first.wait().unwrap();
    assert!(second.try_wait().unwrap().is_none(), "the second owner lives");
    signal(&second, Signal::TERM);
    second.wait().unwrap();
    assert!(status.success(), "the demonstration does not agree with what was published: {status}");
    verify(&log, &data, server, None);
}
