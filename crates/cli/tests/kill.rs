//! The process is killed again and again; what it leaves is what one uninterrupted fold of the log says, to the last bit.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot read its input has failed, and tells what it saw"
)]

mod world;

use assay_real_parts::Kafka;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use world::{Files, Server, verify};

struct Demo {
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Demo {
    fn new(seconds: u32, more: &[&str]) -> Demo {
        let directory = tempfile::Builder::new().prefix("kill-").tempdir_in(assay_real_parts::target()).unwrap();
        // Snapshots as often as they can be, so that lives begin with one and some end in the middle of one.
        let mut arguments: Vec<String> =
            ["demo", "--exit", "--snapshot-seconds", "1", "--seconds"].map(str::to_owned).to_vec();
        arguments.extend([seconds.to_string(), "--dir".to_owned(), directory.path().display().to_string()]);
        // Several are started again and again at the same time, and must not take each other's ports.
        arguments.extend(["--listen", "127.0.0.1:0", "--edge-listen", "127.0.0.1:0"].map(str::to_owned));
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        Demo { directory, arguments }
    }

    fn start(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(&self.arguments)
            .stdin(Stdio::null())
            .env("ASSAY_TRACE", "warn,assay_pipeline=info")
            .stdout(Stdio::null())
            .stderr(std::fs::File::options().create(true).append(true).open(self.messages()).unwrap())
            .spawn()
            .unwrap()
    }

    /// What all lives wrote to standard error.
    fn messages(&self) -> PathBuf {
        self.directory.path().join("messages")
    }

    /// Kills it so many times at random moments, then lets it end. It ends well only if everything agrees with what was published. Returns
    /// what there was to see.
    fn survive(&self, cycles: u32, seed: u64, longest_ms: u64) -> String {
        let mut random = seed;
        for cycle in 0..cycles {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let life = Duration::from_millis(100 + (random >> 33) % longest_ms);
            let mut child = self.start();
            let born = Instant::now();
            while born.elapsed() < life {
                assert!(child.try_wait().unwrap().is_none(), "it ended by itself in cycle {cycle}, seed {seed}");
                std::thread::sleep(Duration::from_millis(5));
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let status = self.start().wait().unwrap();
        let messages = std::fs::read_to_string(self.messages()).unwrap();
        let last: Vec<&str> = messages.lines().rev().take(40).collect();
        assert!(
            status.success(),
            "after {cycles} kills (seed {seed}) it does not agree: {status}\n{}",
            last.join("\n")
        );
        let starts = |from: &str| messages.lines().filter(|line| line.contains(from)).count();
        let (restored, all) = (starts("from=\"snapshot\""), starts(": starting partition="));
        assert!(restored > cycles as usize, "of {all} starts only {restored} were from a snapshot");
        let torn = torn(&self.data());
        format!("{cycles} kills: {restored} of {all} starts of a partition from a snapshot; {torn} files half written")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("hillstrom")
    }
}

/// Files that a kill left half written.
fn torn(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => torn(&path),
            false => usize::from(path.extension().is_some_and(|ending| ending == "unfinished")),
        })
        .sum()
}

/// A hundred kills; ClickHouse is a server beside, so that lives are short and kills come at every stage.
#[test]
fn a_hundred_kills_on_the_local_log_change_nothing() {
    let server = Server::shared();
    let demo = Demo::new(90, &["--clickhouse", &server.url]);
    println!("{}", demo.survive(100, 20_081, 1_500));
    verify(&format!("local:{}", demo.data().join("log").display()), &demo.data(), server, None);
}

#[test]
fn twenty_kills_on_kafka_change_nothing() {
    let server = Server::shared();
    let kafka = Kafka::start();
    let log = format!("kafka://{}", kafka.address);
    let demo = Demo::new(50, &["--clickhouse", &server.url, "--log", &log]);
    println!("{}", demo.survive(20, 4_711, 3_000));
    verify(&log, &demo.data(), server, None);
}

/// The embedded engine dies with the process; its files must not.
#[test]
fn kills_with_the_embedded_engine_change_nothing() {
    let demo = Demo::new(40, &[]);
    println!("{}", demo.survive(8, 77, 6_000));
    let log = format!("local:{}", demo.data().join("log").display());
    verify(&log, &demo.data(), &Files(demo.data()), Some("assay"));
}
