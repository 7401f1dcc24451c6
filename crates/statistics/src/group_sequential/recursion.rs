//! The recursion of Armitage, McPherson and Rowe (1969): the density of the paths that have not stopped, look after look (§2.2).
//!
//! `B(t) = Z sqrt(t)` has independent increments N(theta dt, dt). With `f_k` the sub-density of B at look k on the paths that stayed within
//! all boundaries, `f_1(y) = phi((y - theta t_1) / sqrt t_1) / sqrt t_1` and
//! `f_k(y) = int f_{k-1}(u) phi((y - u - theta dt) / sqrt dt) / sqrt dt du`; the chance to cross `b` at look k and not before is
//! `int f_{k-1}(u) Phi-bar((b - u - theta dt) / sqrt dt) du`.
//!
//! Each `f_k` is smooth on its continuation interval on the scale of the steps before and after it, and the integrands are entire
//! functions. So Gauss-Legendre panels of a few such scales reach the precision of a double with four points per scale, where the usual
//! Simpson grid needs dozens. All terms are positive, hence small probabilities are as accurate, relative to themselves, as large ones.
//!
//! The drift enters by Girsanov's theorem: paths with drift `theta` have the density of those with `reference` times
//! `exp((theta - reference) u - (theta² - reference²) t / 2)`. One recursion therefore serves a whole search over `theta`.

use crate::quadrature::GaussLegendre;
use crate::sides::Sides;
use libm::{erfc, exp, fmax, fmin, sqrt};

/// Points per panel.
const ORDER: usize = 32;

/// Width of a panel in the smaller of the two steps' standard deviations. Doubling the panels moves no bound by more than 1e-12.
const PANEL: f64 = 6.0;

/// Standard deviations of B that are followed: further out neither a density nor its tilt to another drift is a double.
const REACH: f64 = 37.5;

/// The same downwards for a one-sided test without drift: from there paths come back with probability 1e-33.
const REACH_DOWN: f64 = 12.0;

/// Given where a path is, it came from within this many standard deviations of the bridge: what is left out is below 1e-31 of the rest.
const WINDOW: f64 = 12.0;

const SQRT_2PI: f64 = 2.506_628_274_631_000_7;

/// The paths on their way to one look: where they were at the look before, and how long the step is.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// B at the look before, sorted.
    nodes: Vec<f64>,
    /// Probability at each node, under the reference drift.
    masses: Vec<f64>,
    /// Information at the look before, 0 ahead of the first.
    before: f64,
    /// Information at this look.
    pub(super) now: f64,
    reference: f64,
}

impl Stage {
    /// Standard deviation of the step.
    fn step(&self) -> f64 {
        sqrt(self.now - self.before)
    }

    /// Σ over the nodes of their mass under `theta` times `kernel` of what is left to `y`, in standard deviations of the step.
    fn sum(&self, y: f64, theta: f64, kernel: impl Fn(f64) -> f64) -> f64 {
        let step = self.step();
        let target = y - theta * (self.now - self.before);
        let tilt = theta - self.reference;
        let fixed = 0.5 * tilt * (theta + self.reference) * self.before;
        let terms = self.nodes.iter().zip(&self.masses).map(|(u, mass)| {
            let weight = if tilt == 0.0 { 1.0 } else { exp(tilt * u - fixed) };
            // A mass of 0 with an infinite weight is still nothing.
            if *mass == 0.0 { 0.0 } else { weight * mass * kernel((target - u) / step) }
        });
        terms.sum()
    }

    /// Probability under drift `theta` to be above `y` at this look without having stopped before.
    pub(super) fn above(&self, y: f64, theta: f64) -> f64 {
        fmin(self.sum(y, theta, |z| 0.5 * erfc(z * std::f64::consts::FRAC_1_SQRT_2)), 1.0)
    }

    /// Probability under drift `theta` to be below `y` at this look without having stopped before.
    pub(super) fn below(&self, y: f64, theta: f64) -> f64 {
        fmin(self.sum(y, theta, |z| 0.5 * erfc(-z * std::f64::consts::FRAC_1_SQRT_2)), 1.0)
    }

    /// The highest place from which a path comes.
    pub(super) fn top(&self) -> f64 {
        self.nodes.last().copied().unwrap_or(0.0)
    }

    /// The sub-density at `y` under the reference drift.
    ///
    /// Only nodes near the bridge from 0 to `y` count; where that lies outside the interval, its nearest end.
    pub(super) fn density(&self, y: f64) -> f64 {
        let (Some(first), Some(last)) = (self.nodes.first(), self.nodes.last()) else { return 0.0 };
        let step = self.step();
        let bridge = y * (self.before / self.now);
        let centre = if bridge < *first { *first } else { fmin(bridge, *last) };
        let from = self.nodes.partition_point(|u| *u < centre - WINDOW * step);
        let to = self.nodes.partition_point(|u| *u <= centre + WINDOW * step);
        let target = y - self.reference * (self.now - self.before);
        let near = self.nodes[from..to].iter().zip(&self.masses[from..to]);
        let sum: f64 = near
            .map(|(u, mass)| {
                let z = (target - u) / step;
                mass * exp(-0.5 * z * z)
            })
            .sum();
        sum / (SQRT_2PI * step)
    }
}

/// The stages so far, and the interval within which the last one goes on.
#[derive(Debug, Clone)]
pub(super) struct Recursion {
    rule: GaussLegendre,
    sides: Sides,
    reference: f64,
    stages: Vec<Stage>,
    /// Lower and upper end in B, once the last look is decided.
    open: Option<(f64, f64)>,
}

impl Recursion {
    /// Before the first look. `reference` is the drift for which the masses are kept.
    pub(super) fn new(sides: Sides, reference: f64) -> Recursion {
        Recursion { rule: GaussLegendre::new(ORDER), sides, reference, stages: Vec::new(), open: None }
    }

    /// All looks of a design whose bounds (in Z) are known.
    pub(super) fn through(information: &[f64], bounds: &[f64], sides: Sides, reference: f64) -> Recursion {
        let mut recursion = Recursion::new(sides, reference);
        for (&t, &z) in information.iter().zip(bounds) {
            recursion.advance(t);
            recursion.close(z);
        }
        recursion
    }

    /// The stages, one per look.
    pub(super) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Goes on to the look at information `t`, which is above that of the last, and returns the paths on their way to it.
    pub(super) fn advance(&mut self, t: f64) -> &Stage {
        let stage = match self.stages.last() {
            // Every path starts at 0.
            None => Stage { nodes: vec![0.0], masses: vec![1.0], before: 0.0, now: t, reference: self.reference },
            Some(last) => self.next(last, t),
        };
        self.stages.push(stage);
        self.open = None;
        &self.stages[self.stages.len() - 1]
    }

    /// Decides the last look: paths at or beyond `z` (either way, if the test has two sides) have stopped.
    pub(super) fn close(&mut self, z: f64) {
        let Some(last) = self.stages.last() else { return };
        let root = sqrt(last.now);
        let middle = self.reference * last.now;
        // With a drift as reference the smaller drifts of a search live further down.
        let down = if self.sides == Sides::One && self.reference == 0.0 { REACH_DOWN } else { REACH };
        let (reach_low, reach_high) = (middle - down * root, middle + REACH * root);
        let bound = z * root;
        let low = if self.sides == Sides::One { reach_low } else { fmax(reach_low, -bound) };
        self.open = Some((low, fmin(reach_high, bound)));
    }

    fn next(&self, last: &Stage, t: f64) -> Stage {
        let (low, high) = self.open.unwrap_or((0.0, 0.0));
        let scale = fmin(last.step(), sqrt(t - last.now));
        let (mut nodes, mut masses) = (Vec::new(), Vec::new());
        if high > low {
            let panels = libm::ceil((high - low) / (PANEL * scale));
            let width = (high - low) / panels;
            for panel in 0..panels as usize {
                let start = low + panel as f64 * width;
                for (y, weight) in self.rule.on(start, start + width) {
                    nodes.push(y);
                    masses.push(weight * last.density(y));
                }
            }
        }
        Stage { nodes, masses, before: last.now, now: t, reference: self.reference }
    }
}
