//! From sums to results: one look at one experiment.

use crate::results::{Arm, Cohort, Comparison, ExperimentResult, MetricResult, SegmentResult, Srm};
use crate::sums::Sums;
use assay_aggregates::Cell;
use assay_experiment::{Direction, MetricKind, Role, Timestamp};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Design, Running, Status};
use assay_statistics::moments::{self, Sums as Exact};
use assay_statistics::{bayesian, fixed_horizon, lift, multiplicity, srm};

/// Values are in micro-units.
const SCALE: f64 = 1e6;
/// Prior of the lift, as the calibrated default (statistics, §4).
const LIFT_PRIOR_SD: f64 = 0.05;

/// What is remembered from look to look: the least p-values, and where they crossed.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// By metric, then variant, then row: metrics are only ever added at the end.
    pub comparisons: Vec<Remembered>,
    /// Least p of the split.
    pub srm: f64,
    /// How many looks were evaluated.
    pub looks: u64,
}

/// What is remembered of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Remembered {
    /// Least p and intersected interval so far.
    pub running: Running,
    /// When the running p first fell below alpha, and the units of the pair then.
    pub crossed: Option<(Timestamp, u64)>,
}

impl Default for Memory {
    /// Before the first look: no p-value is below 1.
    fn default() -> Self {
        Memory { comparisons: Vec::new(), srm: 1.0, looks: 0 }
    }
}

impl Memory {
    /// What is remembered of a comparison.
    pub(crate) fn recall(&self, sums: &Sums, metric: usize, variant: usize, row: usize) -> Option<Remembered> {
        self.comparisons.get(index(sums, metric, variant, row)).copied()
    }
}

fn index(sums: &Sums, metric: usize, variant: usize, row: usize) -> usize {
    (metric * sums.experiment.variants.len() + variant) * sums.rows.len() + row
}

fn design(sums: &Sums) -> Design {
    let analysis = &sums.experiment.analysis;
    let alpha = Alpha::new(f64::from(analysis.alpha) / 1e6).expect("definitions with another alpha are refused");
    Design::new(alpha, analysis.planned_units as f64)
}

fn control(sums: &Sums) -> usize {
    sums.experiment.variants.iter().position(|variant| variant.control).unwrap_or(0)
}

/// Counts a look: the running values of the split and of every comparison. Nothing else, because this happens at every look.
pub(crate) fn observe(sums: &Sums, at: Timestamp, memory: &mut Memory) {
    let design = design(sums);
    memory.looks += 1;
    memory.srm = memory.srm.min(srm::p_value(split_ln_e(sums)));
    let arms = sums.experiment.variants.len();
    memory.comparisons.resize(sums.metrics.len() * arms * sums.rows.len(), Remembered::default());
    let control = control(sums);
    for (metric, definition) in sums.metrics.iter().enumerate() {
        for row in 0..sums.rows.len() {
            let base = sums.cell(control, row, metric);
            let base_arm = arm(base, &definition.kind);
            for variant in (0..arms).filter(|&variant| variant != control) {
                let cell = sums.cell(variant, row, metric);
                let look = look(base, &base_arm, cell, &arm(cell, &definition.kind), &definition.kind, &design);
                let remembered = &mut memory.comparisons[index(sums, metric, variant, row)];
                remembered.running.look(&look);
                if remembered.running.p_value < design.alpha().value() && remembered.crossed.is_none() {
                    remembered.crossed = Some((at, look.units as u64));
                }
            }
        }
    }
}

/// Results of an experiment, with the running values of `memory`; without, they are provisional.
pub(crate) fn infer(sums: &Sums, at: Timestamp, memory: Option<&Memory>) -> ExperimentResult {
    let experiment = &sums.experiment;
    let design = design(sums);
    let srm = split(sums, memory);
    let mut metrics = Vec::new();
    let mut segments: Vec<SegmentResult> = sums
        .rows
        .iter()
        .enumerate()
        .skip(1)
        .map(|(row, what)| {
            let (attribute, value) = what.segment.clone().unwrap_or_default();
            let units = (0..experiment.variants.len()).map(|variant| sums.units(variant, row)).collect();
            SegmentResult { attribute, value, units, metrics: Vec::new() }
        })
        .collect();
    for row in 0..sums.rows.len() {
        for metric in 0..sums.metrics.len() {
            let result = result(sums, metric, row, &design, srm.alarm, at, memory);
            if row == 0 { metrics.push(result) } else { segments[row - 1].metrics.push(result) }
        }
    }
    ExperimentResult {
        id: experiment.id.clone(),
        title: experiment.title.clone(),
        owner: experiment.owner.clone(),
        unit: experiment.unit.clone(),
        status: experiment.status,
        salt: experiment.salt.clone().unwrap_or_default(),
        variants: experiment
            .variants
            .iter()
            .map(|variant| (variant.name.clone(), variant.control, variant.weight as f64 / 1e6))
            .collect(),
        units: (0..experiment.variants.len()).map(|variant| sums.units(variant, 0)).collect(),
        crossed: sums.tallies.crossed,
        exposures: sums.tallies.exposures,
        misbucketed: sums.tallies.misbucketed.clone(),
        planned_units: experiment.analysis.planned_units,
        alpha: design.alpha().value(),
        method: experiment.analysis.method,
        looks: memory.map_or(0, |memory| memory.looks),
        srm,
        metrics,
        segments,
    }
}

fn split_counts(sums: &Sums) -> (Vec<f64>, Vec<f64>) {
    let counts = sums.tallies.entered.iter().map(|&units| units as f64).collect();
    (counts, sums.experiment.variants.iter().map(|variant| variant.weight as f64).collect())
}

fn split_ln_e(sums: &Sums) -> f64 {
    let (counts, weights) = split_counts(sums);
    srm::sequential_ln_e(&counts, &weights, srm::CONCENTRATION)
}

fn split(sums: &Sums, memory: Option<&Memory>) -> Srm {
    let ln_e = split_ln_e(sums);
    let p_value = srm::p_value(ln_e);
    let p_value_running = memory.map_or(p_value, |memory| memory.srm);
    let (counts, weights) = split_counts(sums);
    let p_value_fixed = srm::chi_square(&counts, &weights).p_value;
    Srm {
        ln_e,
        p_value,
        p_value_running,
        p_value_fixed,
        alarm: p_value_running <= srm::ALARM,
        counts: sums.tallies.entered.clone(),
    }
}

fn result(
    sums: &Sums,
    metric: usize,
    row: usize,
    design: &Design,
    srm_alarm: bool,
    at: Timestamp,
    memory: Option<&Memory>,
) -> MetricResult {
    let (experiment, definition) = (&sums.experiment, &sums.metrics[metric]);
    let used = experiment.metrics.iter().find(|used| used.metric == definition.id);
    let control = control(sums);
    let base = sums.cell(control, row, metric);
    let base_arm = arm(base, &definition.kind);
    let mut arms = Vec::new();
    for (index, variant) in experiment.variants.iter().enumerate() {
        let cell = sums.cell(index, row, metric);
        let own = arm(cell, &definition.kind);
        let comparison = (index != control).then(|| {
            let mut comparison = compare(base, &base_arm, cell, &own, definition.direction, &definition.kind, design);
            comparison.remembered = memory.and_then(|memory| memory.recall(sums, metric, index, row));
            comparison.srm_blocked = srm_alarm && comparison.always_valid.status == Status::Ok;
            comparison
        });
        arms.push(Arm {
            variant: variant.name.clone(),
            control: variant.control,
            units: cell.units,
            sum: cell.y as f64 / SCALE,
            denominator: matches!(definition.kind, MetricKind::Ratio { .. }).then_some(cell.x as f64 / SCALE),
            mean: own.map(|arm| arm.mean),
            variance: own.filter(|arm| arm.n >= 2.0).map(|arm| arm.variance()),
            comparison,
        });
    }
    adjust(&mut arms);
    MetricResult {
        id: definition.id.clone(),
        name: definition.name.clone(),
        kind: definition.kind.clone(),
        role: used.map_or(Role::Secondary, |used| used.role),
        direction: definition.direction,
        maturity: definition.maturity,
        window: definition.window,
        cap: definition.cap,
        minimum_effect: used.and_then(|used| used.minimum_effect),
        margin: used.and_then(|used| used.margin),
        cohorts: if row == 0 { cohorts(sums, metric, at) } else { Vec::new() },
        arms,
    }
}

/// Units first exposed in the last 24 hours and 7 days, whole UTC hours.
fn cohorts(sums: &Sums, metric: usize, at: Timestamp) -> Vec<Cohort> {
    let hour = at.hour();
    [("24h", 24), ("7d", 168)]
        .into_iter()
        .map(|(name, hours)| Cohort {
            name,
            arms: (0..sums.experiment.variants.len())
                .map(|variant| {
                    let cell = sums.cohort(variant, metric, hour - hours + 1, hour + 1);
                    (cell.units, cell.y as f64 / SCALE)
                })
                .collect(),
        })
        .collect()
}

/// Holm over the treatments, on what decides.
fn adjust(arms: &mut [Arm]) {
    let running = |arm: &Arm| {
        arm.comparison.as_ref().map(|it| it.remembered.map_or(it.always_valid.p_value, |it| it.running.p_value))
    };
    let p_values: Vec<f64> = arms.iter().filter_map(running).collect();
    let adjusted = multiplicity::holm(&p_values);
    for (comparison, adjusted) in arms.iter_mut().filter_map(|arm| arm.comparison.as_mut()).zip(adjusted) {
        comparison.p_value_adjusted = adjusted;
    }
}

fn exact(cell: &Cell) -> Exact {
    Exact { n: cell.units, nonzero: cell.nonzero, y: cell.y, yy: cell.yy, x: cell.x, xx: cell.xx, xy: cell.xy }
}

fn arm(cell: &Cell, kind: &MetricKind) -> Option<moments::Arm> {
    match kind {
        MetricKind::Ratio { .. } => exact(cell).ratio_arm(SCALE),
        _ => (cell.units > 0).then(|| exact(cell).arm(SCALE)),
    }
}

/// The always-valid comparison of a look.
fn look(
    control_cell: &Cell,
    control: &Option<moments::Arm>,
    treatment_cell: &Cell,
    treatment: &Option<moments::Arm>,
    kind: &MetricKind,
    design: &Design,
) -> always_valid::Comparison {
    let (c, t) = (control.unwrap_or(NOTHING), treatment.unwrap_or(NOTHING));
    always_valid::compare(&c, &t, share(control_cell, treatment_cell, kind), design)
}

const NOTHING: moments::Arm = moments::Arm { n: 0.0, mean: 0.0, m2: 0.0 };

/// The pooled share of units with an event, for metrics whose asymptotics wait for events.
fn share(control: &Cell, treatment: &Cell, kind: &MetricKind) -> Option<f64> {
    let units = (control.units + treatment.units) as f64;
    let share = (control.nonzero + treatment.nonzero) as f64 / units.max(1.0);
    match kind {
        MetricKind::Conversion(_) | MetricKind::Retention { .. } => Some(share),
        MetricKind::Ratio { .. } => None,
        // Only rare events make the asymptotics slow, not their being common.
        _ => Some(share.min(0.5)),
    }
}

fn compare(
    control_cell: &Cell,
    control: &Option<moments::Arm>,
    treatment_cell: &Cell,
    treatment: &Option<moments::Arm>,
    direction: Direction,
    kind: &MetricKind,
    design: &Design,
) -> Comparison {
    let (c, t) = (control.unwrap_or(NOTHING), treatment.unwrap_or(NOTHING));
    let share = share(control_cell, treatment_cell, kind);
    let look = look(control_cell, control, treatment_cell, treatment, kind, design);
    let factor = look.variance.filter(|variance| variance.welch > 0.0).map(|variance| variance.floor / variance.welch);
    let ok = look.status == Status::Ok;
    let both = control.is_some() && treatment.is_some();
    let relative = both.then(|| lift::delta(&c, &t)).flatten();
    let sign = if direction == Direction::Increase { 1.0 } else { -1.0 };
    let posterior =
        relative.filter(|_| ok).and_then(|(lift, variance)| bayesian::normal(sign * lift, variance, LIFT_PRIOR_SD));
    Comparison {
        difference: both.then_some(look.difference),
        lift: relative.map(|(lift, _)| lift),
        lift_set: factor.filter(|_| ok).map(|factor| lift::sequential(&c, &t, factor, look.multiplier)),
        fixed_horizon: fixed_horizon::welch(&c, &t, design.alpha()),
        posterior,
        burn_in_needs: (
            design.units_min,
            design.events_min,
            c.n.min(t.n),
            share.map(|share| c.n.min(t.n) * share.min(1.0 - share)),
        ),
        always_valid: look,
        remembered: None,
        p_value_adjusted: 1.0,
        srm_blocked: false,
    }
}
