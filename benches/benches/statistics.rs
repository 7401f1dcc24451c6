//! What a look costs: one default comparison, a look at a thousand experiments, and the bounds of a group sequential test.
//!
//! `cargo bench --package assay-benches --bench statistics`; as a test it runs small. A comparison must not allocate: the allocator counts.

#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a benchmark talks to people")]
#![allow(unsafe_code, reason = "only an allocator can count allocations")]

use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Design, Running};
use assay_statistics::group_sequential::{self, Spending, Z_CAP};
use assay_statistics::moments::{Arm, Sums};
use assay_statistics::sides::Sides;
use assay_statistics::{lift, multiplicity, srm};
use criterion::Criterion;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The system's allocator, with a count.
struct Counting;

/// Allocations so far, of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Metrics of an experiment.
const METRICS: usize = 10;
/// Arms with the control.
const ARMS: usize = 3;
/// Looks of the group sequential test: daily for four weeks.
const LOOKS: u32 = 28;

/// An experiment as the analysis holds it: exact sums by metric and arm, and the running values.
struct Experiment {
    counts: [f64; ARMS],
    sums: Vec<[Sums; ARMS]>,
    running: Vec<Running>,
    split: f64,
}

impl Experiment {
    /// About 40,000 units an arm; every number a deterministic function of `seed`.
    fn new(seed: u64) -> Experiment {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let n = [(); ARMS].map(|()| 39_800 + draw(400) as i64);
        let metric = |draw: &mut dyn FnMut(u64) -> u64| {
            n.map(|n| {
                let nonzero = 2_000 + draw(100) as i64;
                let value = 25_000_000 + draw(500_000) as i128;
                let y = i128::from(nonzero) * value;
                Sums { n, nonzero, y, yy: 3 * y * value, ..Sums::default() }
            })
        };
        let sums = (0..METRICS).map(|_| metric(&mut draw)).collect();
        Experiment {
            counts: n.map(|n| n as f64),
            sums,
            running: vec![Running::default(); METRICS * (ARMS - 1)],
            split: 1.0,
        }
    }

    /// The split, then every comparison with its running values, lift set and Holm's correction.
    fn look(&mut self, design: &Design) -> f64 {
        self.split = self.split.min(srm::p_value(srm::sequential_ln_e(&self.counts, &[1.0; ARMS], srm::CONCENTRATION)));
        let mut told = self.split;
        for (metric, sums) in self.sums.iter().enumerate() {
            let arms = sums.map(|sums| sums.arm(1e6));
            let mut p_values = [1.0; ARMS - 1];
            for treatment in 1..ARMS {
                let share = (sums[0].nonzero + sums[treatment].nonzero) as f64 / (arms[0].n + arms[treatment].n);
                let look = always_valid::compare(&arms[0], &arms[treatment], Some(share.min(0.5)), design);
                let factor = look.variance.and_then(|variance| variance.factor()).unwrap_or(1.0);
                black_box(lift::sequential(&arms[0], &arms[treatment], factor, look.multiplier));
                let running = &mut self.running[metric * (ARMS - 1) + treatment - 1];
                running.look(&look);
                p_values[treatment - 1] = running.p_value;
            }
            told += multiplicity::holm(&p_values).iter().sum::<f64>();
        }
        told
    }
}

fn bounds() -> Vec<f64> {
    let information: Vec<f64> = (1..=LOOKS).map(|k| f64::from(k) / f64::from(LOOKS)).collect();
    let spending = Spending::ObrienFleming;
    let design = group_sequential::Design { alpha: Alpha::FIVE_PERCENT, sides: Sides::Two, spending, z_cap: Z_CAP };
    design.bounds(&information).unwrap().iter().map(|look| look.z).collect()
}

fn main() {
    // `cargo bench` says so; under `cargo test` it only has to run.
    let measures = std::env::args().any(|argument| argument == "--bench");
    let experiments = if measures { 1_000 } else { 10 };
    let design = Design::new(Alpha::FIVE_PERCENT, 80_000.0);
    let control = Arm::of_conversions(40_000.0, 2_000.0);
    let treatment = Arm::of_conversions(40_100.0, 2_140.0);

    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..1_000 {
        black_box(always_valid::compare(black_box(&control), black_box(&treatment), black_box(Some(0.05)), &design));
    }
    let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(allocated, 0, "a comparison does not allocate");

    let mut all: Vec<Experiment> = (0..experiments).map(|seed| Experiment::new(seed + 1)).collect();
    let told: f64 = all.iter_mut().map(|experiment| experiment.look(&design)).sum();
    assert!(told.is_finite() && told > 0.0);
    let last = *bounds().last().unwrap();
    assert!((2.0..2.2).contains(&last), "the last of {LOOKS} bounds is {last}");

    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(5))
        .warm_up_time(Duration::from_secs(1))
        .configure_from_args();
    criterion.bench_function("statistics/one comparison", |bencher| {
        bencher
            .iter(|| always_valid::compare(black_box(&control), black_box(&treatment), black_box(Some(0.05)), &design));
    });
    criterion.bench_function(&format!("statistics/a look at {experiments} experiments"), |bencher| {
        bencher.iter(|| all.iter_mut().map(|experiment| experiment.look(&design)).sum::<f64>());
    });
    criterion.bench_function(&format!("statistics/{LOOKS} O'Brien-Fleming bounds"), |bencher| bencher.iter(bounds));
    criterion.final_summary();
}
