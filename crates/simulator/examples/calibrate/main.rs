//! `make calibrate`: simulates every scenario on all cores and writes `docs/calibration.md` and its plots.
//!
//! The same seed writes the same bytes, whatever the number of cores. Ends with 1 if anything lies outside the range allowed for it.

#![allow(clippy::print_stderr, reason = "a program for a terminal")]

mod plot;
mod report;

use assay_simulator::calibration::{Counts, Scenario, run, scenarios};
use assay_simulator::peeking::{Settings, demonstrate};
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Names the random numbers of the report. Another may be given as the only argument.
const SEED: u64 = 20_260_101;
/// Runs that a thread takes at a time: enough to pay for building tables, few enough that no core is idle for long at the end.
const RUNS_PER_TASK: u64 = 250;
const BAR: usize = 40;

/// Some runs of one scenario.
struct Task {
    scenario: usize,
    runs: Range<u64>,
}

/// What the threads share: the next task is taken by whoever is free; `done` is read by the progress bar until all are done.
struct Progress {
    next: AtomicUsize,
    done: AtomicUsize,
}

fn main() -> ExitCode {
    let seed = match std::env::args().nth(1).map(|seed| seed.parse()) {
        None => SEED,
        Some(Ok(seed)) => seed,
        Some(Err(_)) => {
            eprintln!("the only argument is a seed, a whole number such as {SEED}");
            return ExitCode::from(2);
        }
    };
    let scenarios = scenarios();
    let counts = simulate(&scenarios, seed);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let peeking = demonstrate(&Settings { seed, ..Settings::default() }).expect("the default settings show something");
    let pages = report::write(&scenarios, &counts, &peeking, seed);
    for (name, text) in pages {
        let path = docs.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = made.and_then(|()| std::fs::write(&path, text)) {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    let outside = report::outside(&scenarios, &counts);
    for line in &outside {
        eprintln!("outside its range: {line}");
    }
    if outside.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tasks(scenarios: &[Scenario]) -> Vec<Task> {
    let of = |(scenario, what): (usize, &Scenario)| {
        let runs = what.runs;
        (0..runs)
            .step_by(RUNS_PER_TASK as usize)
            .map(move |start| Task { scenario, runs: start..runs.min(start + RUNS_PER_TASK) })
    };
    scenarios.iter().enumerate().flat_map(of).collect()
}

fn simulate(scenarios: &[Scenario], seed: u64) -> Vec<Counts> {
    let tasks = tasks(scenarios);
    let progress = Progress { next: AtomicUsize::new(0), done: AtomicUsize::new(0) };
    let none = || scenarios.iter().map(|scenario| Counts::none(&scenario.measures)).collect::<Vec<_>>();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = none();
    std::thread::scope(|scope| {
        let work = || {
            let mut mine = none();
            while let Some(task) = tasks.get(progress.next.fetch_add(1, Ordering::Relaxed)) {
                let counts = run(&scenarios[task.scenario], seed, task.runs.clone());
                mine[task.scenario].merge(&counts);
                progress.done.fetch_add(1, Ordering::Relaxed);
            }
            mine
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        watch(&progress, tasks.len(), || workers.iter().all(|worker| worker.is_finished()));
        for worker in workers {
            let counts = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.iter_mut().zip(&counts).for_each(|(all, counts)| all.merge(counts));
        }
    });
    all
}

/// Draws the bar until the workers are through; without a terminal, a line per tenth.
fn watch(progress: &Progress, tasks: usize, finished: impl Fn() -> bool) {
    let started = Instant::now();
    let mut stderr = std::io::stderr();
    let terminal = stderr.is_terminal();
    let mut tenth = 0;
    loop {
        let over = finished();
        let done = progress.done.load(Ordering::Relaxed);
        let bar: String = (0..BAR).map(|at| if at * tasks < done * BAR { '#' } else { '.' }).collect();
        let line = format!("[{bar}] {:3} %  {:.0} s", 100 * done / tasks, started.elapsed().as_secs_f64());
        // A terminal that is gone is no reason to stop counting.
        if terminal {
            let _ = write!(stderr, "\r{line}");
        } else if 10 * done / tasks > tenth {
            tenth = 10 * done / tasks;
            let _ = writeln!(stderr, "{line}");
        }
        if over {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    if terminal {
        let _ = writeln!(stderr);
    }
}
