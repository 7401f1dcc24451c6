//! One row of results: a metric as it is, under a cap, or adjusted for a covariate, compared between all arms.

use super::compare::{Estimated, Finding, Fixed, Method, Plan, arms, finding, waited};
use super::spec::Kind;
use super::units::{ABSENT, Labels, Units};
use anyhow::{Result, bail};
use assay_statistics::always_valid::{Comparison, Estimate, Status, Variance};
use assay_statistics::cuped::{self, CovariateArm, Slope};
use assay_statistics::dependent::cluster_robust::{CLUSTERS_MIN_ALWAYS_VALID, Cluster, cluster_robust};
use assay_statistics::fixed_horizon;
use assay_statistics::moments::{Arm, Sums, Unit};
use assay_statistics::quantile::{Bracket, CONCENTRATION, RankSequence, difference, type7};
use assay_statistics::winsorize::Caps;
use assay_statistics::zero_inflated::{Decomposition, ZeroInflatedArm, decompose};
use assay_statistics::{bayesian, multiplicity};

/// Values are in micro-units.
pub const SCALE: f64 = 1e6;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Measure {
    /// Name of the metric.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What was done to it, in words: a cap, a covariate.
    pub about: Option<String>,
    /// Column of the values among those read.
    pub y: usize,
    /// Column of the denominator or the covariate.
    pub x: Option<usize>,
    /// Unit totals above it count as it, in micro-units.
    pub cap: Option<i64>,
    /// Whether x is a covariate.
    pub adjusted: bool,
}

/// An arm of a result, in the order of [`Units::variants`].
#[derive(Debug, Clone)]
pub struct ArmResult {
    /// Units.
    pub units: u64,
    /// Sum over the units; `None` where a sum says nothing (quantiles, adjusted means).
    pub sum: Option<f64>,
    /// Sum of the denominator.
    pub denominator: Option<f64>,
    /// Mean per unit, ratio, or quantile.
    pub mean: Option<f64>,
    /// Sample variance of a unit's value.
    pub variance: Option<f64>,
    /// Units whose value is not zero.
    pub nonzero: Option<u64>,
    /// Units whose value was cut.
    pub capped: Option<u64>,
    /// Clusters with units, where arms are compared by clusters.
    pub clusters: Option<usize>,
    /// Where the lift comes from, of metrics that are 0 for most.
    pub parts: Option<Decomposition>,
    /// Against the control; `None` for the control.
    pub finding: Option<Finding>,
}

/// A row of results with an arm for each variant.
#[derive(Debug, Clone)]
pub struct MeasureResult {
    /// What was compared.
    pub measure: Measure,
    /// Its arms.
    pub arms: Vec<ArmResult>,
    /// What is worth knowing, in words.
    pub notes: Vec<String>,
}

impl Measure {
    /// The value of a unit, in micro-units.
    fn value(&self, units: &Units, unit: usize) -> i64 {
        let value = units.values[self.y][unit];
        self.cap.map_or(value, |cap| value.min(cap))
    }

    /// Exact sums by group and variant.
    pub fn sums(&self, units: &Units, groups: Option<&Labels>) -> Result<Vec<Vec<Sums>>> {
        let count = groups.map_or(1, |groups| groups.names.len());
        let mut sums = vec![vec![Sums::default(); units.variants.len()]; count];
        for (unit, variant) in units.assigned() {
            let x = self.x.map_or(0, |x| units.values[x][unit]);
            let x = if x == ABSENT { 0 } else { x };
            let group = groups.map_or(0, |groups| groups.of[unit] as usize);
            sums[group][variant].add(Unit { y: self.value(units, unit), x })?;
        }
        Ok(sums)
    }

    /// Of sums of this measure: the arm whose mean is compared.
    pub fn arm(&self, sums: &Sums) -> Option<Arm> {
        match self.kind {
            Kind::Ratio { .. } => sums.ratio_arm(SCALE),
            _ => (sums.n > 0).then(|| sums.arm(SCALE)),
        }
    }

    /// The pooled share of units with an event, for metrics whose asymptotics wait for events.
    pub fn share(&self, control: &Sums, treatment: &Sums) -> Option<f64> {
        let units = (control.n + treatment.n) as f64;
        let share = (control.nonzero + treatment.nonzero) as f64 / units.max(1.0);
        match self.kind {
            Kind::Conversion => Some(share),
            Kind::Ratio { .. } | Kind::Quantile(_) => None,
            // Only rare events make the asymptotics slow, not their being common.
            Kind::Sum | Kind::Count => Some(share.min(0.5)),
        }
    }

    /// Compares all arms with the control.
    pub fn compare(&self, units: &Units, control: usize, plan: &Plan) -> Result<MeasureResult> {
        let mut result = match self.kind {
            Kind::Quantile(q) => self.quantiles(units, control, q, plan),
            _ => self.means(units, control, plan)?,
        };
        holm(&mut result.arms, plan.method);
        Ok(result)
    }

    fn means(&self, units: &Units, control: usize, plan: &Plan) -> Result<MeasureResult> {
        let sums = self.sums(units, None)?.swap_remove(0);
        let mut arms: Vec<ArmResult> = sums.iter().map(|sums| self.plain(sums)).collect();
        if let Some(cap) = self.cap {
            arms.iter_mut().for_each(|arm| arm.capped = Some(0));
            for (unit, variant) in units.assigned().filter(|&(unit, _)| units.values[self.y][unit] > cap) {
                debug_assert!(self.value(units, unit) == cap);
                arms[variant].capped = arms[variant].capped.map(|capped| capped + 1);
            }
        }
        let mut notes = Vec::new();
        if self.adjusted {
            self.adjust(&sums, control, plan, &mut arms);
        } else if let Some(clusters) = &units.cluster {
            self.by_clusters(units, clusters, control, plan, &mut arms)?;
        } else {
            self.pairs(&sums, control, plan, &mut arms);
            notes.extend(self.whale(units, &sums));
        }
        Ok(MeasureResult { measure: self.clone(), arms, notes })
    }

    fn plain(&self, sums: &Sums) -> ArmResult {
        let arm = self.arm(sums);
        ArmResult {
            units: sums.n as u64,
            sum: Some(sums.y as f64 / SCALE),
            denominator: matches!(self.kind, Kind::Ratio { .. }).then_some(sums.x as f64 / SCALE),
            mean: arm.map(|arm| arm.mean),
            variance: arm.filter(|arm| arm.n >= 2.0).map(|arm| arm.variance()),
            nonzero: Some(sums.nonzero as u64),
            capped: None,
            clusters: None,
            parts: None,
            finding: None,
        }
    }

    fn pairs(&self, sums: &[Sums], control: usize, plan: &Plan, results: &mut [ArmResult]) {
        let base = &sums[control];
        for (variant, own) in sums.iter().enumerate().filter(|(variant, _)| *variant != control) {
            let share = self.share(base, own);
            results[variant].finding = Some(arms(self.arm(base), self.arm(own), share, plan));
            if matches!(self.kind, Kind::Sum | Kind::Count) && (base.nonzero < base.n || own.nonzero < own.n) {
                results[variant].parts = Some(decompose(&inflated(base), &inflated(own)));
            }
        }
    }

    /// Lin's regression on the covariate, of all arms at once.
    fn adjust(&self, sums: &[Sums], control: usize, plan: &Plan, results: &mut [ArmResult]) {
        let raw: Vec<CovariateArm> = sums.iter().map(covariate_arm).collect();
        let adjusted = cuped::adjust(&raw, Slope::Lin);
        for (variant, own) in adjusted.iter().enumerate() {
            let result = &mut results[variant];
            (result.sum, result.mean, result.variance) = (None, (own.n > 0.0).then_some(own.mean), own.variance);
            if variant == control {
                continue;
            }
            let base = &adjusted[control];
            let pair = cuped::compare(base, own, cuped::raw_variance(&raw[control], &raw[variant]));
            let variances = base.variance.zip(own.variance).map(|(c, t)| (c / base.n, t / own.n));
            let variance =
                pair.map(|it| Variance { welch: it.variance, pooled: it.variance_floored, floor: it.variance_floored });
            let fixed = pair.and_then(|pair| pair.fixed_horizon(plan.alpha)).map(|test| Fixed {
                statistic: test.z,
                df: f64::INFINITY,
                p_value: test.p_value,
                ln_p_value: test.ln_p_value,
                low: test.low,
                high: test.high,
            });
            let estimated = Estimated {
                means: (base.n > 0.0 && own.n > 0.0).then_some((base.mean, own.mean)),
                variances,
                estimate: Estimate { difference: own.mean - base.mean, variance, units: base.n + own.n },
                waited: waited(base.n.min(own.n), self.share(&sums[control], &sums[variant]), &plan.design),
                fixed,
                variance_reduction: pair.and_then(|pair| pair.variance_reduction),
            };
            result.finding = Some(finding(&estimated, plan));
        }
    }

    /// Arms of whole clusters: CR2 with Bell and McCaffrey's degrees of freedom; N is the number of clusters.
    fn by_clusters(
        &self,
        units: &Units,
        clusters: &Labels,
        control: usize,
        plan: &Plan,
        results: &mut [ArmResult],
    ) -> Result<()> {
        let mut totals: Vec<Option<(usize, u64, i128)>> = vec![None; clusters.names.len()];
        for (unit, variant) in units.assigned() {
            let number = clusters.of[unit] as usize;
            let total = totals[number].get_or_insert((variant, 0, 0));
            if total.0 != variant {
                bail!(
                    "the cluster '{}' has units in '{}' and in '{}': clusters are whole in one arm; leave out --cluster if units were randomised",
                    clusters.names[number],
                    units.variants[total.0],
                    units.variants[variant]
                );
            }
            (total.1, total.2) = (total.1 + 1, total.2 + i128::from(self.value(units, unit)));
        }
        let of = |wanted: usize| -> Vec<Cluster> {
            let own = totals.iter().flatten().filter(|(variant, ..)| *variant == wanted);
            own.map(|&(_, n, sum)| Cluster { n: n as f64, sum: sum as f64 / SCALE }).collect()
        };
        let base = of(control);
        results[control].clusters = Some(base.len());
        for variant in (0..units.variants.len()).filter(|&variant| variant != control) {
            let own = of(variant);
            results[variant].clusters = Some(own.len());
            let robust = cluster_robust(&base, &own);
            let means = results[control].mean.zip(results[variant].mean);
            let difference = means.map_or(0.0, |(control, treatment)| treatment - control);
            let count = (base.len() + own.len()) as f64;
            let estimate = match &robust {
                Ok(robust) => Estimate::of_variance(robust.difference, robust.cr2, count),
                Err(_) => Estimate { difference, variance: None, units: count },
            };
            let estimated = Estimated {
                means,
                variances: None,
                estimate,
                waited: base.len().min(own.len()) >= CLUSTERS_MIN_ALWAYS_VALID,
                fixed: robust.ok().and_then(|robust| robust.test(plan.alpha)).map(Fixed::from),
                variance_reduction: None,
            };
            results[variant].finding = Some(finding(&estimated, plan));
        }
        Ok(())
    }

    /// A quantile over units: by ranks for every look, by the bracket of order statistics for one.
    fn quantiles(&self, units: &Units, control: usize, q: f64, plan: &Plan) -> MeasureResult {
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); units.variants.len()];
        for (unit, variant) in units.assigned().filter(|&(unit, _)| units.values[self.y][unit] != ABSENT) {
            values[variant].push(self.value(units, unit) as f64 / SCALE);
        }
        values.iter_mut().for_each(|values| values.sort_by(f64::total_cmp));
        let arms = values
            .iter()
            .enumerate()
            .map(|(variant, own)| ArmResult {
                units: own.len() as u64,
                sum: None,
                denominator: None,
                mean: type7(own, q),
                variance: None,
                nonzero: None,
                capped: None,
                clusters: None,
                parts: None,
                finding: (variant != control).then(|| quantile_finding(&values[control], own, q, plan)),
            })
            .collect();
        MeasureResult { measure: self.clone(), arms, notes: Vec::new() }
    }

    /// One unit that makes up a tenth of an arm's squared deviations.
    fn whale(&self, units: &Units, sums: &[Sums]) -> Option<String> {
        if !matches!(self.kind, Kind::Sum | Kind::Count) {
            return None;
        }
        let (unit, variant) = units.assigned().max_by_key(|&(unit, _)| self.value(units, unit).unsigned_abs())?;
        let arm = sums[variant].arm(SCALE);
        let value = self.value(units, unit) as f64 / SCALE;
        let share = (value - arm.mean) * (value - arm.mean) / arm.m2;
        (share >= WHALE_SHARE && arm.n >= 20.0).then(|| {
            format!(
                "one unit of {} has {}: {} of that arm's squared deviations come from it{}",
                units.variants[variant],
                crate::table::number(value),
                crate::grid::percent(share),
                if self.cap.is_none() {
                    format!("; see what a cap does with --cap {}=p99.9", self.name)
                } else {
                    String::new()
                }
            )
        })
    }
}

/// From which share of the squared deviations on a single unit is told.
const WHALE_SHARE: f64 = 0.1;

/// The cap at a quantile of the units that have a value, all arms together, in micro-units; `None` when nobody has one.
pub fn percentile_cap(units: &Units, column: usize, q: f64) -> Option<i64> {
    let values: Vec<f64> = units.assigned().map(|(unit, _)| units.values[column][unit] as f64).collect();
    Caps::percentile(&[&values], q, true).upper.map(|cap| cap.round() as i64)
}

fn inflated(sums: &Sums) -> ZeroInflatedArm {
    ZeroInflatedArm {
        n: sums.n as f64,
        payers: sums.nonzero as f64,
        sum: sums.y as f64 / SCALE,
        sum_sq: sums.yy as f64 / SCALE / SCALE,
    }
}

fn covariate_arm(sums: &Sums) -> CovariateArm {
    let arm = sums.arm(SCALE);
    let (mean_x, m2_x, c_xy) = sums.covariate(SCALE);
    CovariateArm { n: arm.n, mean_y: arm.mean, mean_x, m2_y: arm.m2, m2_x, c_xy }
}

/// Holm over the treatments, on the p of the method that decides.
fn holm(arms: &mut [ArmResult], method: Method) {
    if method == Method::Bayesian {
        return;
    }
    let mut findings: Vec<&mut Finding> = arms.iter_mut().filter_map(|arm| arm.finding.as_mut()).collect();
    let p_values: Vec<f64> = findings.iter().map(|finding| finding.said(method).value.unwrap_or(1.0)).collect();
    for (finding, adjusted) in findings.iter_mut().zip(multiplicity::holm(&p_values)) {
        finding.p_adjusted = Some(adjusted);
    }
}

fn quantile_finding(control: &[f64], treatment: &[f64], q: f64, plan: &Plan) -> Finding {
    let sequence = RankSequence { q, concentration: CONCENTRATION };
    let interval = |ln_alpha: f64| {
        let alpha = assay_statistics::alpha::Alpha::new(ln_alpha.exp()).unwrap_or(plan.alpha).divided(2);
        difference(sequence.bounds(control, alpha), sequence.bounds(treatment, alpha))
    };
    let (low, high) = interval(plan.alpha.ln());
    let excludes = |ln_alpha: f64| {
        let (low, high) = interval(ln_alpha);
        low > 0.0 || high < 0.0
    };
    // The least alpha whose interval excludes 0: intervals shrink as alpha grows.
    let ln_p = if excludes(LN_ALPHA_MAX) { bisect(excludes) } else { 0.0 };
    let (c, t) = (type7(control, q), type7(treatment, q));
    let variance = |values: &[f64]| {
        let n = values.len() as f64;
        let (below, above) = Bracket::shares(q, n.max(1.0));
        let bracket = Bracket { n, n_star: n, q, lower: type7(values, below)?, upper: type7(values, above)? };
        bracket.reliable().then(|| bracket.variance_of_quantile())
    };
    let estimate = c.zip(t).map_or(0.0, |(c, t)| t - c);
    let fixed = variance(control)
        .zip(variance(treatment))
        .and_then(|(vc, vt)| fixed_horizon::z(estimate, vc + vt, plan.alpha))
        .map(Fixed::from);
    let units = (control.len() + treatment.len()) as f64;
    let status = if c.is_some() && t.is_some() { Status::Ok } else { Status::BurnIn };
    let always_valid = Comparison {
        status,
        units,
        difference: estimate,
        variance: None,
        ln_e: -ln_p,
        p_value: ln_p.exp().min(1.0),
        multiplier: f64::INFINITY,
        low,
        high,
    };
    let means = c.zip(t);
    Finding {
        difference: means.map(|_| estimate),
        lift: means.and_then(|(c, t)| assay_statistics::lift::estimate(c, t)),
        lift_set: None,
        always_valid,
        fixed,
        posterior: None::<bayesian::NormalPosterior>,
        interim: None,
        variance_reduction: None,
        p_adjusted: None,
    }
}

/// Where the p-value of a quantile is looked for, as logarithms of alpha.
const LN_ALPHA_MIN: f64 = -690.0;
/// Its upper end, just below 1.
const LN_ALPHA_MAX: f64 = -1e-9;

fn bisect(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (LN_ALPHA_MIN, LN_ALPHA_MAX);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}
