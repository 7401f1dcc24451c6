//! The engine's core: bytes of events in, state updated, on one thread, with a million and with ten million units in the state.
//!
//! `cargo bench --package assay-benches --bench core`; as a test it runs small. ASSAY_BENCH_UNITS=1000000,10000000 says how many units.
//!
//! Two builds are compared by the processor time of a fixed number of conversions, which is measured first: then both do the same. Usually
//! that is a minute of log time, with one generation of ids sealed; ASSAY_BENCH_CONVERSIONS says how many else. A filter that matches
//! nothing (`-- none`) leaves out the rest.

#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a benchmark talks to people")]

use assay_aggregates::{
    Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Look, MemoryRuns, Partition, TOUCHED_MAX,
};
use assay_benches::{Stream, conversion, cpu_seconds, exposure, genesis_records, resident_bytes};
use assay_experiment::Timestamp;
use assay_experiment::control::Genesis;
use criterion::{Criterion, Throughput};
use std::time::{Duration, Instant};

/// Counts what the fold tells, so that nothing is optimised away and nothing else is measured.
#[derive(Default)]
struct Counted {
    facts: u64,
    rejected: u64,
}

impl Effects for Counted {
    fn fact(&mut self, _: &Fact<'_>) {
        self.facts += 1;
    }
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, _: &DeadLetter<'_>) {
        self.rejected += 1;
    }
    fn look(&mut self, _: Look) {}
    fn chunk(&mut self, _: Chunk) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

const START_S: i64 = 1_777_593_600;
/// Events of a second of log time: looks close as often as in a partition that is busy.
const PER_SECOND: u64 = 100_000;
/// Events that are encoded before the clock runs.
const BATCH: u64 = 100_000;

struct Event {
    key: String,
    payload: Vec<u8>,
}

struct Core {
    state: Partition,
    told: Counted,
    offset: u64,
    events: u64,
    stream: Stream,
    /// Processor seconds of applying conversions.
    cpu: f64,
}

impl Core {
    /// A partition in which every unit is exposed.
    fn new(units: u64) -> Core {
        let genesis = Genesis::new("bench".to_owned(), 1, 1);
        let mut told = Counted::default();
        let mut state = None;
        let mut offset = 0;
        for record in genesis_records(&genesis) {
            let headers: Vec<(&str, &[u8])> =
                record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let input = Input {
                offset,
                timestamp: Timestamp(START_S * 1_000_000),
                key: None,
                headers: &headers,
                payload: &record.body,
            };
            let state =
                state.get_or_insert_with(|| Partition::start(0, &input, Box::new(MemoryRuns::default())).unwrap());
            state.apply(&input, &mut told).unwrap();
            offset += 1;
        }
        let mut core = Core { state: state.unwrap(), told, offset, events: 0, stream: Stream::new(units), cpu: 0.0 };
        let before = resident_bytes();
        let mut unit = 0;
        while unit < units {
            let batch: Vec<Event> = (unit..units.min(unit + BATCH))
                .map(|unit| Event {
                    key: format!("user-{unit}"),
                    payload: exposure(core.events + unit, unit, core.now()),
                })
                .collect();
            unit += batch.len() as u64;
            core.apply(&batch);
        }
        assert_eq!(core.told.rejected, 0, "every event of a benchmark is accepted");
        let (size, grown) = (core.state.size(), resident_bytes().saturating_sub(before));
        eprintln!(
            "{units} units: {:.0} bytes of state a (unit, experiment), {:.0} bytes with the memory of ids, resident {:.0}",
            size.unit_bytes as f64 / units as f64,
            (size.unit_bytes + size.dedupe_bytes) as f64 / units as f64,
            grown as f64 / units as f64
        );
        core
    }

    fn now(&self) -> Timestamp {
        Timestamp((START_S + (self.events / PER_SECOND) as i64) * 1_000_000)
    }

    /// As the owner of a partition does it.
    fn apply(&mut self, batch: &[Event]) {
        let timestamp = self.now();
        for group in batch.chunks(TOUCHED_MAX) {
            self.state.touch(group.iter().map(|event| (event.key.as_bytes(), event.payload.as_slice())));
            for Event { key, payload } in group {
                let input = Input { offset: self.offset, timestamp, key: Some(key.as_bytes()), headers: &[], payload };
                self.state.apply(&input, &mut self.told).unwrap();
                self.offset += 1;
            }
        }
        self.events += batch.len() as u64;
    }

    /// Time to apply so many conversions; encoding them is not counted.
    fn conversions(&mut self, count: u64) -> Duration {
        let (mut left, mut taken) = (count, Duration::ZERO);
        while left > 0 {
            let size = left.min(BATCH);
            let at = self.now();
            let batch: Vec<Event> = (0..size)
                .map(|n| {
                    let unit = self.stream.unit();
                    Event { key: format!("user-{unit}"), payload: conversion(1 << 40 | (self.events + n), unit, at) }
                })
                .collect();
            let (started, cpu) = (Instant::now(), cpu_seconds());
            self.apply(&batch);
            taken += started.elapsed();
            self.cpu += cpu_seconds() - cpu;
            left -= size;
        }
        assert_eq!(self.told.rejected, 0, "every event of a benchmark is accepted");
        taken
    }
}

fn main() {
    // `cargo bench` says so; under `cargo test` it only has to run.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let numbers = |name: &str, usual: &str| -> Vec<u64> {
        let wanted = std::env::var(name).unwrap_or_else(|_| usual.to_owned());
        wanted
            .split(',')
            .map(|number| number.parse().expect("ASSAY_BENCH_ variables are numbers with commas"))
            .collect()
    };
    let units = if measures { numbers("ASSAY_BENCH_UNITS", "1000000,10000000") } else { vec![1_000] };
    let count = numbers("ASSAY_BENCH_CONVERSIONS", "6000000")[0];
    let mut criterion = Criterion::default()
        .sample_size(10)
        .measurement_time(Duration::from_secs(10))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    for units in units {
        let mut core = Core::new(units);
        if measures {
            let clock = core.conversions(count).as_secs_f64();
            let [cpu, clock] = [core.cpu, clock].map(|seconds| seconds * 1e6 / count as f64);
            eprintln!("{units} units, {count} conversions: {cpu:.3} µs of processor each, {clock:.3} µs by the clock");
        }
        let mut group = criterion.benchmark_group("core");
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("conversions into {units} units"), |bencher| {
            bencher.iter_custom(|count| core.conversions(count));
        });
        group.finish();
    }
    criterion.final_summary();
}
