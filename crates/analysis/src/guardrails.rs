//! Guardrails of a look: one-sided evidence that a treatment is worse by less than its margin, and that it is worse.

use crate::infer::{Memory, Pair, control, pair};
use crate::sums::Sums;
use assay_experiment::{Direction, Role};
use assay_statistics::alpha::Alpha;
use assay_statistics::guardrail::{Better, Guardrail, Look, Margin, Running};

/// What a guardrail says of one treatment.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardrailResult {
    /// Relative to the control's mean; without one nothing is found safe.
    pub margin: Option<f64>,
    /// Of this look; `None` where nothing can be inferred for the metric.
    pub look: Option<Look>,
    /// The least p-values so far; those of this look in provisional results.
    pub running: Running,
    /// What they have decided.
    pub decision: Decision,
}

/// A claim, once made, stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Worse by less than the margin at most.
    Safe,
    /// Worse.
    Harm,
    /// Both: worse, but by less than the margin.
    WorseWithinMargin,
    /// Neither.
    NotKnown,
    /// There is no margin, and no harm that shows.
    NoMargin,
}

impl Decision {
    /// As in results.
    pub fn name(self) -> &'static str {
        match self {
            Decision::Safe => "safe",
            Decision::Harm => "harm",
            Decision::WorseWithinMargin => "worse_within_margin",
            Decision::NotKnown => "not_known",
            Decision::NoMargin => "no_margin",
        }
    }
}

impl GuardrailResult {
    /// Whether the numbers say anything.
    pub fn status(&self) -> &'static str {
        self.look.map_or("unsupported", |look| look.status.name())
    }
}

/// Evidence of harm does not depend on the margin, so any will do where none is given.
const ANY: Margin = Margin::Relative(0.5);

/// The guardrail that a metric is, if it is one that can be tested: with its margin, or with any.
pub(crate) fn plan(sums: &Sums, metric: usize) -> Option<(Guardrail, Option<f64>)> {
    let definition = &sums.metrics[metric];
    let used =
        sums.experiment.metrics.iter().find(|used| used.metric == definition.id && used.role == Role::Guardrail)?;
    let analysis = &sums.experiment.analysis;
    let alpha = Alpha::new(f64::from(analysis.alpha) / 1e6).ok()?;
    // A margin of the whole mean or more rules nothing out.
    let margin = used.margin.map(|margin| margin as f64 / 1e6).filter(|margin| *margin < 1.0);
    let better = if definition.direction == Direction::Increase { Better::More } else { Better::Less };
    let planned = analysis.planned_units as f64;
    Guardrail::new(margin.map_or(ANY, Margin::Relative), better, alpha, planned).ok().map(|it| (it, margin))
}

/// Counts a look at every guardrail over all units.
pub(crate) fn observe(sums: &Sums, memory: &mut Memory) {
    let arms = sums.experiment.variants.len();
    memory.guardrails.resize(sums.metrics.len() * arms, Running::default());
    let control = control(sums);
    for metric in 0..sums.metrics.len() {
        let Some((guardrail, _)) = plan(sums, metric) else { continue };
        for variant in (0..arms).filter(|&variant| variant != control) {
            if let Some(look) = look(sums, &guardrail, metric, variant) {
                memory.guardrails[metric * arms + variant].look(&look);
            }
        }
    }
}

/// What a guardrail says of a treatment; `None` where the metric is no guardrail.
pub(crate) fn result(sums: &Sums, metric: usize, variant: usize, memory: Option<&Memory>) -> Option<GuardrailResult> {
    let (guardrail, margin) = plan(sums, metric)?;
    let look = look(sums, &guardrail, metric, variant);
    let known = memory.and_then(|it| it.guardrails.get(metric * sums.experiment.variants.len() + variant)).copied();
    let running = known.unwrap_or_else(|| {
        let mut running = Running::default();
        look.iter().for_each(|look| running.look(look));
        running
    });
    let (safe, harm) = (margin.is_some() && running.is_safe(guardrail.alpha()), running.is_harmful(guardrail.alpha()));
    let decision = match (safe, harm) {
        (true, true) => Decision::WorseWithinMargin,
        (_, true) => Decision::Harm,
        (true, _) => Decision::Safe,
        _ if margin.is_none() => Decision::NoMargin,
        _ => Decision::NotKnown,
    };
    Some(GuardrailResult { margin, look, running, decision })
}

fn look(sums: &Sums, guardrail: &Guardrail, metric: usize, variant: usize) -> Option<Look> {
    let Pair { control, treatment, share } = pair(sums, metric, variant, 0)?;
    Some(guardrail.look(&control, &treatment, share))
}
