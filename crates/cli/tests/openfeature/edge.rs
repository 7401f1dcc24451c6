//! The edge of the real binary on a free port, with definitions of its own.

use crate::{PATIENCE, TOKEN, sources};
use assay_real_parts::{free_port, target, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A running edge with its own copy of definitions.
pub struct Edge {
    child: Child,
    address: String,
    directory: TempDir,
}

impl Edge {
    /// An edge alone, on the definitions of the cases.
    pub fn start() -> Edge {
        let files = std::fs::read_dir(sources().join("definitions")).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        });
        Edge::alone(place(files))
    }

    pub fn alone(directory: TempDir) -> Edge {
        let source = directory.path().join("definitions").display().to_string();
        Edge::serve(directory, &["--only", "edge", "--edge-source", &source])
    }

    pub fn serve(directory: TempDir, arguments: &[&str]) -> Edge {
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(env!("CARGO_BIN_EXE_assay"))
            .args(["serve", "--edge-listen", &address, "--data"])
            .arg(directory.path().join("data"))
            .args(arguments)
            .env("ASSAY_EDGE_TOKENS", TOKEN)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(directory.path().join("log.txt")).unwrap())
            .spawn()
            .unwrap();
        let mut edge = Edge { child, address, directory };
        wait_until("an edge that answers", PATIENCE, || {
            let ended = edge.child.try_wait().unwrap();
            assert!(ended.is_none(), "{}", std::fs::read_to_string(edge.path("log.txt")).unwrap());
            edge.get("/readyz").is_some_and(|(code, _)| code == 200)
        });
        edge
    }

    /// Stops it and gives its directory back.
    pub fn stop(mut self) -> TempDir {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let other = tempfile::tempdir_in(target()).unwrap();
        std::mem::replace(&mut self.directory, other)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let code = text.split(' ').nth(1)?.parse().ok()?;
        Some((code, text.split_once("\r\n\r\n")?.1.to_owned()))
    }
}

/// A directory with definitions.
pub fn place(files: impl IntoIterator<Item = (String, String)>) -> TempDir {
    let directory = tempfile::Builder::new().prefix("openfeature-").tempdir_in(target()).unwrap();
    std::fs::create_dir(directory.path().join("definitions")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join("definitions").join(name), text).unwrap();
    }
    directory
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
