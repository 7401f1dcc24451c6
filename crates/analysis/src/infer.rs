//! From sums to results: one look at one experiment.

use crate::findable::findable;
use crate::projected::Projected;
use crate::results::{Arm, Cohort, CohortArm, Comparison, ExperimentResult, MetricResult, SegmentResult, Srm};
use crate::sums::Sums;
use crate::{guardrails, plan, projected, strata, weeks};
use assay_aggregates::{Cell, ring_start};
use assay_experiment::{Direction, MetricKind, MetricUse, Role, Span, Timestamp};
use assay_statistics::alpha::Alpha;
use assay_statistics::always_valid::{self, Design, Running, Status};
use assay_statistics::moments::{self, Sums as Exact};
use assay_statistics::{bayesian, fixed_horizon, guardrail, lift, multiplicity, srm};

/// Values are in micro-units.
const SCALE: f64 = 1e6;
/// Prior of the lift, as the calibrated default (statistics, §4).
const LIFT_PRIOR_SD: f64 = 0.05;

/// What is remembered from look to look: the least p-values, and where they crossed.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// By metric, then variant, then row: metrics are only ever added at the end.
    pub comparisons: Vec<Remembered>,
    /// By metric, then variant, over all units.
    pub guardrails: Vec<guardrail::Running>,
    /// Least p of the split within each segment value, by row.
    pub segments: Vec<f64>,
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
    /// When the running p first fell below alpha.
    pub crossed: Option<Crossing>,
}

/// The look at which a comparison was decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// As of when.
    pub look: Timestamp,
    /// Units of the pair then.
    pub units: u64,
    /// The lift then; `None` where the control's mean was zero.
    pub lift: Option<f64>,
}

impl Default for Memory {
    /// Before the first look: no p-value is below 1.
    fn default() -> Self {
        Memory { comparisons: Vec::new(), guardrails: Vec::new(), segments: Vec::new(), srm: 1.0, looks: 0 }
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

pub(crate) fn control(sums: &Sums) -> usize {
    sums.experiment.variants.iter().position(|variant| variant.control).unwrap_or(0)
}

/// Counts a look: the running values of the split and of every comparison. Nothing else, because this happens at every look.
pub(crate) fn observe(sums: &Sums, at: Timestamp, memory: &mut Memory) {
    let design = design(sums);
    memory.looks += 1;
    memory.srm = memory.srm.min(srm::p_value(split_ln_e(sums)));
    guardrails::observe(sums, memory);
    strata::observe(sums, memory);
    let arms = sums.experiment.variants.len();
    memory.comparisons.resize(sums.metrics.len() * arms * sums.rows.len(), Remembered::default());
    let control = control(sums);
    for (metric, definition) in sums.metrics.iter().enumerate().filter(|(_, it)| is_supported(&it.kind)) {
        for row in 0..sums.rows.len() {
            let base = sums.cell(control, row, metric);
            let base_arm = arm(base, &definition.kind);
            for variant in (0..arms).filter(|&variant| variant != control) {
                let cell = sums.cell(variant, row, metric);
                let own = arm(cell, &definition.kind);
                let look = look(base, &base_arm, cell, &own, &definition.kind, &design);
                let remembered = &mut memory.comparisons[index(sums, metric, variant, row)];
                remembered.running.look(&look);
                if remembered.running.p_value < design.alpha().value() && remembered.crossed.is_none() {
                    let lift = base_arm.zip(own).and_then(|(c, t)| lift::delta(&c, &t)).map(|(lift, _)| lift);
                    remembered.crossed = Some(Crossing { look: at, units: look.units as u64, lift });
                }
            }
        }
    }
}

/// Results of an experiment, with the running values of `memory`; without, they are provisional.
pub(crate) fn infer(
    sums: &Sums,
    at: Timestamp,
    late: Span,
    in_force: bool,
    memory: Option<&Memory>,
) -> ExperimentResult {
    let experiment = &sums.experiment;
    let look = LookAt { sums, at, late, design: design(sums), srm: split(sums, memory), memory };
    let balance = strata::balances(sums, &look.srm.segments);
    let metrics_of =
        |row: usize| -> Vec<MetricResult> { (0..sums.metrics.len()).map(|it| look.metric(it, row)).collect() };
    let mut metrics: Vec<MetricResult> = metrics_of(0);
    for (metric, weeks) in metrics.iter_mut().zip(weeks::weeks(sums, look.design.alpha())) {
        metric.weeks = weeks;
    }
    let arms = experiment.variants.len();
    let units: Vec<i64> = (0..arms).map(|variant| sums.units(variant, 0)).collect();
    let segment = |(row, what): (usize, &crate::sums::Row)| {
        let (attribute, value) = what.segment.clone().unwrap_or_default();
        let units = (0..arms).map(|variant| sums.units(variant, row)).collect();
        SegmentResult { attribute, value, units, metrics: metrics_of(row) }
    };
    let started = sums.first_hour().map(|hour| Timestamp(hour * Span::HOUR.0));
    ExperimentResult {
        id: experiment.id.clone(),
        title: experiment.title.clone(),
        hypothesis: experiment.hypothesis.clone(),
        owner: experiment.owner.clone(),
        plan_hash: plan::hash(sums),
        aligned: memory.is_some(),
        rejected_share: None,
        late_share: None,
        unit: experiment.unit.clone(),
        unit_name: experiment.unit_name().to_owned(),
        titles: experiment.variants.iter().map(|variant| variant.title().to_owned()).collect(),
        status: experiment.status,
        salt: experiment.salt.clone().unwrap_or_else(|| experiment.id.clone()),
        in_force,
        variants: experiment
            .variants
            .iter()
            .map(|variant| (variant.name.clone(), variant.control, variant.weight as f64 / 1e6))
            .collect(),
        started,
        days_running: started.map(|started| (at.0 - started.0).max(0) as f64 / Span::DAY.0 as f64),
        units_per_day: started.and_then(|started| rate(units.iter().sum(), at.0 - started.0)),
        units,
        crossed: sums.tallies.crossed,
        exposures: sums.tallies.exposures,
        outside: sums.tallies.outside,
        lost: sums.tallies.lost,
        misbucketed: sums.tallies.misbucketed.clone(),
        rejected: sums.tallies.rejected.clone(),
        planned_units: experiment.analysis.planned_units,
        alpha: look.design.alpha().value(),
        method: experiment.analysis.method,
        looks: memory.map_or(0, |memory| memory.looks),
        balance,
        metrics,
        segments: sums.rows.iter().enumerate().skip(1).map(segment).collect(),
        heterogeneity: strata::heterogeneity(sums),
        stratified: strata::stratified(sums),
        srm: look.srm,
    }
}

/// Units a day over a time of at least an hour.
fn rate(units: i64, micros: i64) -> Option<f64> {
    (micros >= Span::HOUR.0).then(|| units as f64 * Span::DAY.0 as f64 / micros as f64)
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
        threshold: srm::ALARM,
        alarm: p_value_running <= srm::ALARM,
        counts: sums.tallies.entered.clone(),
        segments: strata::splits(sums, memory),
    }
}

/// What all numbers of one look at one phase depend on.
struct LookAt<'a> {
    sums: &'a Sums,
    at: Timestamp,
    late: Span,
    design: Design,
    srm: Srm,
    memory: Option<&'a Memory>,
}

impl LookAt<'_> {
    fn metric(&self, metric: usize, row: usize) -> MetricResult {
        let (sums, definition) = (self.sums, &self.sums.metrics[metric]);
        let used = self.used(metric);
        let role = used.map_or(Role::Secondary, |used| used.role);
        let mut arms: Vec<Arm> =
            (0..sums.experiment.variants.len()).map(|variant| self.arm(metric, variant, row)).collect();
        // One family of decisions: the treatments of the primary metric over all units. Everything else explains.
        if row == 0 && role == Role::Primary && self.memory.is_some() {
            adjust(&mut arms);
        }
        MetricResult {
            id: definition.id.clone(),
            name: definition.name.clone(),
            kind: definition.kind.clone(),
            unit: definition.unit.clone(),
            role,
            direction: definition.direction,
            maturity: definition.maturity,
            window: definition.window,
            cap: definition.cap,
            minimum_effect: used.and_then(|used| used.minimum_effect),
            margin: used.and_then(|used| used.margin),
            inside: sums.inside(metric, self.at, self.late).filter(|_| row == 0),
            cohorts: if row == 0 { cohorts(sums, metric, self.at) } else { Vec::new() },
            weeks: Vec::new(),
            arms,
        }
    }

    /// How the experiment uses a metric.
    fn used(&self, metric: usize) -> Option<&MetricUse> {
        let id = &self.sums.metrics[metric].id;
        self.sums.experiment.metrics.iter().find(|used| used.metric == *id)
    }

    fn is_primary(&self, metric: usize) -> bool {
        self.used(metric).is_some_and(|used| used.role == Role::Primary)
    }

    fn findable(&self, metric: usize, variant: usize) -> Option<crate::findable::Findable> {
        let analysis = &self.sums.experiment.analysis;
        let treatments = self.sums.experiment.variants.len() as u32 - 1;
        let pair = pair(self.sums, metric, variant, 0)?;
        findable(&pair, analysis.method, analysis.planned_units, self.design.alpha(), treatments)
    }

    fn projected(&self, metric: usize, variant: usize, status: Status) -> Projected {
        let Some(pair) = pair(self.sums, metric, variant, 0) else { return Projected::Unsupported };
        if status != Status::Ok {
            return Projected::TooFew;
        }
        let minimum = self.used(metric).and_then(|used| used.minimum_effect).unwrap_or(0) as f64 / SCALE;
        let planned = self.sums.experiment.analysis.planned_units as f64;
        projected::projected(&pair, minimum, planned, &self.design)
    }

    fn arm(&self, metric: usize, index: usize, row: usize) -> Arm {
        let (sums, definition) = (self.sums, &self.sums.metrics[metric]);
        let (control, variant) = (control(sums), &sums.experiment.variants[index]);
        let (base, cell) = (sums.cell(control, row, metric), sums.cell(index, row, metric));
        let own = arm(cell, &definition.kind);
        let comparison = (index != control).then(|| {
            let base_arm = arm(base, &definition.kind);
            let mut comparison =
                compare(base, &base_arm, cell, &own, definition.direction, &definition.kind, &self.design);
            comparison.remembered = self.memory.and_then(|memory| memory.recall(sums, metric, index, row));
            comparison.srm_blocked = self.srm.alarm && comparison.always_valid.status == Status::Ok;
            if row == 0 {
                comparison.guardrail = guardrails::result(sums, metric, index, self.memory);
                comparison.findable = self.is_primary(metric).then(|| self.findable(metric, index));
                let status = comparison.always_valid.status;
                comparison.projected = self.is_primary(metric).then(|| self.projected(metric, index, status));
            }
            comparison
        });
        Arm {
            variant: variant.name.clone(),
            control: variant.control,
            units: cell.units,
            sum: cell.y as f64 / SCALE,
            denominator: matches!(definition.kind, MetricKind::Ratio { .. }).then_some(cell.x as f64 / SCALE),
            mean: own.map(|arm| arm.mean),
            variance: own.filter(|arm| arm.n >= 2.0).map(|arm| arm.variance()),
            comparison,
        }
    }
}

/// Units by minute or hour of first exposure, because that is what the sums hold; each cohort says what it covers.
///
/// All end with the look, so that their first minute or hour is whole and the last one may be under way.
fn cohorts(sums: &Sums, metric: usize, at: Timestamp) -> Vec<Cohort> {
    // A look at an exact hour has nothing of the hour that begins there.
    let (minutes, running) = (ring_start(at), Timestamp(at.0 - 1).hour() + 1);
    let hours = |name, count: i64| {
        let cell = |variant| sums.cohort(variant, metric, running - count, running);
        cohort(sums, metric, name, (running - count, running, Span::HOUR), at, cell)
    };
    let cell = |variant| sums.last_hour(variant, metric, minutes, minutes + 60);
    let last_hour = cohort(sums, metric, "1h", (minutes, minutes + 60, Span::MINUTE), at, cell);
    vec![last_hour, hours("24h", 24), hours("7d", 168)]
}

/// A cohort of `[from, to)` minutes or hours.
fn cohort(
    sums: &Sums,
    metric: usize,
    name: &'static str,
    (from, to, step): (i64, i64, Span),
    at: Timestamp,
    cell: impl Fn(usize) -> Cell,
) -> Cohort {
    let one = |variant| {
        let cell = cell(variant);
        let mean = arm(&cell, &sums.metrics[metric].kind).map(|arm| arm.mean);
        CohortArm { units: cell.units, sum: cell.y as f64 / SCALE, mean }
    };
    Cohort {
        name,
        from: Timestamp(from * step.0),
        to: Timestamp(to * step.0).min(at),
        arms: (0..sums.experiment.variants.len()).map(one).collect(),
    }
}

/// Holm over the treatments, on what decides.
fn adjust(arms: &mut [Arm]) {
    let running = |arm: &Arm| {
        arm.comparison.as_ref().map(|it| it.remembered.map_or(it.always_valid.p_value, |it| it.running.p_value))
    };
    let p_values: Vec<f64> = arms.iter().filter_map(running).collect();
    let adjusted = multiplicity::holm(&p_values);
    for (comparison, adjusted) in arms.iter_mut().filter_map(|arm| arm.comparison.as_mut()).zip(adjusted) {
        comparison.p_value_adjusted = Some(adjusted);
    }
}

fn exact(cell: &Cell) -> Exact {
    Exact { n: cell.units, nonzero: cell.nonzero, y: cell.y, yy: cell.yy, x: cell.x, xx: cell.xx, xy: cell.xy }
}

/// Whether anything can be inferred from moments. A quantile cannot: its sums would give the mean under another name.
pub(crate) fn is_supported(kind: &MetricKind) -> bool {
    !matches!(kind, MetricKind::Quantile { .. })
}

pub(crate) fn arm(cell: &Cell, kind: &MetricKind) -> Option<moments::Arm> {
    match kind {
        MetricKind::Quantile { .. } => None,
        MetricKind::Ratio { .. } => exact(cell).ratio_arm(SCALE),
        _ => (cell.units > 0).then(|| exact(cell).arm(SCALE)),
    }
}

/// A treatment and the control, as estimates.
pub(crate) struct Pair {
    pub control: moments::Arm,
    pub treatment: moments::Arm,
    /// As in [`share`].
    pub share: Option<f64>,
}

/// The pair of a treatment in a row; `None` where nothing can be inferred for the metric.
pub(crate) fn pair(sums: &Sums, metric: usize, variant: usize, row: usize) -> Option<Pair> {
    let kind = &sums.metrics[metric].kind;
    if !is_supported(kind) {
        return None;
    }
    let (base, cell) = (sums.cell(control(sums), row, metric), sums.cell(variant, row, metric));
    let of = |cell: &Cell| arm(cell, kind).unwrap_or(NOTHING);
    Some(Pair { control: of(base), treatment: of(cell), share: share(base, cell, kind) })
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

/// The pooled share q of units with an event, for metrics whose asymptotics wait for events (statistics, §1.3).
///
/// The rule asks for min(n) min(q, 1 - q) >= 10 of conversions and zero-inflated values. For conversions the rarer of yes and no counts.
/// Sums and counts are zero-inflated only while zeros prevail: where most units have a value it is the values that spread, not the few
/// zeros, and where all have one (q = 1) the rule taken literally would wait for ever. So their q counts up to one half, and above that
/// only the number of units decides. Ratios have no such share.
fn share(control: &Cell, treatment: &Cell, kind: &MetricKind) -> Option<f64> {
    let units = (control.units + treatment.units) as f64;
    let share = (control.nonzero + treatment.nonzero) as f64 / units.max(1.0);
    match kind {
        MetricKind::Conversion(_) | MetricKind::Retention { .. } => Some(share),
        MetricKind::Ratio { .. } => None,
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
        p_value_adjusted: None,
        srm_blocked: false,
        guardrail: None,
        findable: None,
        projected: None,
        unsupported: !is_supported(kind),
    }
}
