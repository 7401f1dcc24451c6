//! Evaluation over HTTP against a bare hyper server that sends the same bytes: requests a second, processor time for a request, latency.
//!
//! `cargo bench --package assay-benches --bench edge`; as a test it runs small. Each server has one thread in a process of its own, one client
//! keeps it busy over connections that stay open. Servers take turns, and what counts is the median of the ratios of neighbours, because the
//! machine is shared.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark talks to people")]

use assay_broker::{Log, MemoryLog, Stamping, TopicSpec};
use assay_edge::{Destination, Edge, EdgeSettings, Offer, Origins, Source, Tokens};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{ConfigVersion, Source as Text, canonical, parse};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a child serves.
const SERVE: &str = "ASSAY_BENCH_SERVE";
/// Connections of the client; each has one request under way.
const CONNECTIONS: usize = 32;
const FLAGS: usize = 1_000;
const TOPIC: &str = "assay.events";

struct Sizes {
    rounds: usize,
    round: Duration,
}

fn main() {
    if let Ok(what) = std::env::var(SERVE) {
        return match what.strip_prefix("echo ") {
            Some(bytes) => serve_echo(bytes.parse().unwrap()),
            None => serve_edge(what == "edge with log"),
        };
    }
    let sizes = match std::env::args().any(|argument| argument == "--bench") {
        true => Sizes { rounds: 15, round: Duration::from_millis(1_500) },
        false => Sizes { rounds: 1, round: Duration::from_millis(100) },
    };
    let context = "{\"context\":{\"targetingKey\":\"user-1234567\",\"country\":\"DE\",\"plan\":\"pro\",\"age\":33}}";
    let single = |flag: &str, context: &str| request(&format!("/ofrep/v1/evaluate/flags/{flag}"), context);
    compare("single, flag with a rule", "edge", &sizes, |_| single("flag-500", context));
    compare("single, experiment, another unit each time", "edge with log", &sizes, |number| {
        single("exp", &context.replace("1234567", &number.to_string()))
    });
    compare("bulk of 1,000 flags", "edge", &sizes, |_| request("/ofrep/v1/evaluate/flags", context));
    latency(&sizes, &single("flag-500", context));
}

/// 1,000 flags, half of them with a rule and a rollout, and one experiment.
fn definitions() -> Snapshot {
    let mut text = String::new();
    for flag in 0..FLAGS {
        let rules = match flag % 2 {
            0 => {
                "rules: [{ if: { and: [{ \"==\": [{ var: plan }, free] }, { \">=\": [{ var: age }, 18] }] }, serve: \"on\" }, \
                  { rollout: { \"on\": 20%, \"off\": 80% } }]"
            }
            _ => "rules: [{ if: { in: [{ var: country }, [US, CA]] }, serve: \"on\" }]",
        };
        text.push_str(&format!(
            "{{ kind: flag, id: flag-{flag}, type: boolean, variants: {{ \"on\": true, \"off\": false }}, default: \"off\", {rules} }}\n---\n"
        ));
    }
    text.push_str(
        "{ kind: experiment, id: exp, salt: s, status: running, variants: [{ name: a, control: true }, { name: b }],\n\
         metrics: [{ metric: bought, role: primary }], segments: [{ attribute: country, values: [DE] }],\n\
         analysis: { planned_units: 10 } }\n---\n{ kind: metric, id: bought, type: conversion, event: buy }\n",
    );
    let definitions = parse(&[Text { name: "bench", text: &text }]).expect("these definitions are valid");
    Snapshot::new(ConfigVersion(1), canonical::parts(&definitions))
}

fn serve_edge(log: bool) {
    let (offers, offered) = tokio::sync::watch::channel(None);
    offers.send_replace(Some(Offer { snapshot: Arc::new(definitions()), halted: BTreeSet::new() }));
    let memory = MemoryLog::new(Arc::new(|| 0));
    let spec = TopicSpec {
        name: TOPIC.to_owned(),
        partitions: 4,
        stamping: Stamping::Append,
        retention: None,
        compacted: false,
    };
    memory.create_topic(&spec).unwrap();
    let open = move || Ok(Arc::new(memory.clone()) as Arc<dyn Log>);
    let settings = EdgeSettings {
        host: "test".to_owned(),
        environment: "production".to_owned(),
        source: Source::Channel(offered),
        bootstrap: None,
        directory: None,
        destination: log.then(|| Destination { open: Box::new(open), topic: TOPIC.to_owned() }),
        tokens: Tokens::default(),
        origins: Origins::Any,
        workers: 1,
        limits: assay_edge::Limits::USUAL,
        registry: prometheus::Registry::new(),
    };
    let edge = Edge::start(settings, TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    while edge.version().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{}", edge.address());
    loop {
        std::thread::park();
    }
}

/// Takes the body, sends as many bytes as it was told.
fn serve_echo(bytes: usize) {
    let body = Bytes::from(vec![b'x'; bytes]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("{}", listener.local_addr().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let body = body.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let body = body.clone();
                    async move {
                        let _ = request.into_body().collect().await.unwrap().to_bytes();
                        let mut answer = Response::new(Full::new(body));
                        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                        Ok::<_, Infallible>(answer)
                    }
                });
                let mut server = hyper::server::conn::http1::Builder::new();
                let _ = server.pipeline_flush(true).serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
}

fn request(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A server in a process of its own, and connections to it.
struct Server {
    child: Child,
    connections: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Server {
    fn start(what: &str) -> Server {
        let mut child =
            Command::new(std::env::current_exe().unwrap()).env(SERVE, what).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address: SocketAddr = address.trim().parse().unwrap();
        let connect = |_| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        };
        Server { child, connections: (0..CONNECTIONS).map(connect).collect(), buffer: vec![0; 1 << 20] }
    }

    /// One request on each connection, and all answers: bytes of the last body.
    fn batch(&mut self, mut request: impl FnMut() -> Vec<u8>, mut answered: impl FnMut()) -> usize {
        for connection in &mut self.connections {
            connection.write_all(&request()).unwrap();
        }
        let mut length = 0;
        for connection in &mut self.connections {
            length = read_answer(connection, &mut self.buffer);
            answered();
        }
        length
    }

    /// Processor time of the server so far, user and system.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads one answer, and says how long its body is.
fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let (mut filled, mut end) = (0, None);
    loop {
        let count = connection.read(&mut buffer[filled..]).unwrap();
        assert!(count > 0, "the server closed the connection");
        filled += count;
        if end.is_none()
            && let Some(head) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n")
        {
            let text = std::str::from_utf8(&buffer[..head]).unwrap();
            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            end = Some((head + 4, length.parse::<usize>().unwrap()));
        }
        if let Some((head, length)) = end
            && filled >= head + length
        {
            return length;
        }
    }
}

/// Requests a second, and processor seconds for one.
fn measure(server: &mut Server, round: Duration, request: &mut impl FnMut() -> Vec<u8>) -> (f64, f64) {
    let (started, cpu, mut count) = (Instant::now(), server.cpu(), 0u64);
    while started.elapsed() < round {
        server.batch(&mut *request, || count += 1);
    }
    (count as f64 / started.elapsed().as_secs_f64(), (server.cpu() - cpu) / count as f64)
}

/// The rate and the processor seconds of a request: those of the echo, then those of the edge.
type Pair = [(f64, f64); 2];

fn compare(name: &str, what: &str, sizes: &Sizes, request: impl Fn(u64) -> Vec<u8>) {
    let mut number = 0;
    let mut next = || {
        number += 1;
        request(number)
    };
    let mut edge = Server::start(what);
    let bytes = edge.batch(&mut next, || {});
    let mut echo = Server::start(&format!("echo {bytes}"));
    // Both are warm before the first round counts.
    measure(&mut echo, sizes.round / 4, &mut next);
    measure(&mut edge, sizes.round / 4, &mut next);
    let rounds: Vec<Pair> = (0..sizes.rounds)
        .map(|_| [measure(&mut echo, sizes.round, &mut next), measure(&mut edge, sizes.round, &mut next)])
        .collect();
    let over = |value: &dyn Fn(&Pair) -> f64| median(rounds.iter().map(value).collect());
    println!(
        "{name} ({bytes} bytes): {:.0} requests/s, {:.2} of a bare hyper echo ({:.0}/s); {:.1} us of processor, the echo {:.1} us, ratio {:.2}",
        over(&|round| round[1].0),
        over(&|round| round[1].0 / round[0].0),
        over(&|round| round[0].0),
        over(&|round| round[1].1) * 1e6,
        over(&|round| round[0].1) * 1e6,
        over(&|round| round[0].1 / round[1].1),
    );
}

/// How long answers take at half of what the edge can do: requests leave on time, whether or not answers have come.
fn latency(sizes: &Sizes, request: &[u8]) {
    let mut edge = Server::start("edge");
    let (rate, _) = measure(&mut edge, sizes.round, &mut || request.to_vec());
    let gap = Duration::from_secs_f64(CONNECTIONS as f64 / (rate / 2.0));
    let (started, mut batch, mut taken) = (Instant::now(), 0u32, Vec::new());
    while started.elapsed() < sizes.round * sizes.rounds as u32 {
        let due = started + gap * batch;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        edge.batch(|| request.to_vec(), || taken.push(due.elapsed().as_secs_f64()));
        batch += 1;
    }
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize] * 1e3;
    println!(
        "latency at {:.0} requests/s, half of the most: median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        rate / 2.0,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
