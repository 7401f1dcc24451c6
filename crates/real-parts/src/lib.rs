//! Starts the real parts that tests run against: Apache Kafka on a free port of this machine, stopped when the test ends.
//!
//! For tests and benches only. The jars come from `make deps`.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A broker with its own data, gone when this is dropped.
pub struct Kafka {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    directory: TempDir,
}

/// A broker usually listens after three seconds.
const PATIENCE: Duration = Duration::from_secs(90);
/// Any cluster id will do: 16 bytes in base64.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

impl Kafka {
    /// Starts a broker and waits until it listens. Panics with what to do when there are no jars or no Java.
    pub fn start() -> Kafka {
        let target = target();
        let libs = target.join("kafka/libs");
        assert!(libs.is_dir(), "Kafka's jars are not in {}: run `make deps`", libs.display());
        let directory = tempfile::Builder::new().prefix("kafka-").tempdir_in(&target).expect("target can be written");
        let (broker, controller) = (free_port(), free_port());
        let properties = directory.path().join("server.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{broker}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\nnum.network.threads=2\nnum.io.threads=4\n",
            directory.path().join("data").display()
        );
        std::fs::write(&properties, text).expect("target can be written");
        let class_path = format!("{}/*", libs.display());
        let format = Command::new("java")
            .args(["-cp", &class_path, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"])
            .arg(&properties)
            .output()
            .expect("java runs: `make deps` installs it");
        assert!(format.status.success(), "formatting failed: {}", String::from_utf8_lossy(&format.stderr));
        let log = std::fs::File::create(directory.path().join("broker.log")).expect("target can be written");
        let child = Command::new("java")
            .args(["-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", &class_path, "kafka.Kafka"])
            .arg(&properties)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("java runs: `make deps` installs it");
        let mut kafka = Kafka { child, address: format!("127.0.0.1:{broker}"), directory };
        kafka.wait();
        kafka
    }

    fn wait(&mut self) {
        let started = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            let log = self.directory.path().join("broker.log");
            let ended = self.child.try_wait().expect("its state can be asked").is_some();
            let text = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(!ended, "the broker ended: {}", text());
            assert!(started.elapsed() < PATIENCE, "the broker does not listen: {}", text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The build directory of this workspace.
pub fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates are two levels deep");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from)
}

/// A port that nobody uses now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("this machine has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Waits until a condition holds; panics with `what` otherwise.
pub fn wait_until(what: &str, patience: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < patience, "waited {patience:?} for: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
