//! The results of a file of units: what was read, whether the split holds, every metric, every segment.

use super::compare::Plan;
use super::measure::{Measure, MeasureResult};
use super::segments::{SegmentResult, segment};
use super::units::Units;
use anyhow::Result;
use assay_statistics::srm::{self, ChiSquare};

/// Everything that is told about a file.
pub struct Report {
    /// The file, as named.
    pub file: String,
    /// Names of the variants; arms of results are in their order.
    pub variants: Vec<String>,
    /// Order in which they are shown: the control, then by name.
    pub order: Vec<usize>,
    /// Position of the control.
    pub control: usize,
    /// Units of each variant.
    pub counts: Vec<u64>,
    /// What the split was meant to be.
    pub weights: Vec<f64>,
    /// Rows read.
    pub rows: u64,
    /// Units seen in two variants, in no arm.
    pub crossed: u64,
    /// Units without a variant, in no arm.
    pub unassigned: u64,
    /// Whether the split is what it was meant to be.
    pub split: Split,
    /// What is fixed beforehand.
    pub plan: Plan,
    /// By metric.
    pub measures: Vec<MeasureResult>,
    /// By column.
    pub segments: Vec<SegmentResult>,
    /// What a reader has to know, in words.
    pub notes: Vec<String>,
}

/// Counts against weights.
pub struct Split {
    /// Evidence that holds at every look.
    pub ln_e: f64,
    /// min(1, 1/E).
    pub p_value: f64,
    /// For one look.
    pub chi_square: ChiSquare,
    /// Whether decisions are to be refused.
    pub alarm: bool,
}

impl Split {
    /// Of counts and weights in the same order.
    pub fn new(counts: &[u64], weights: &[f64]) -> Split {
        let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        let ln_e = srm::sequential_ln_e(&counts, weights, srm::CONCENTRATION);
        let p_value = srm::p_value(ln_e);
        Split { ln_e, p_value, chi_square: srm::chi_square(&counts, weights), alarm: p_value <= srm::ALARM }
    }
}

/// What a report is made from.
pub struct Asked<'a> {
    /// The file, as named.
    pub file: &'a str,
    /// Its units.
    pub units: &'a Units,
    /// Position of the control.
    pub control: usize,
    /// What the split was meant to be.
    pub weights: Vec<f64>,
    /// Rows of results.
    pub measures: &'a [Measure],
    /// Names of the columns of segments.
    pub segments: &'a [String],
    /// What is fixed beforehand.
    pub plan: Plan,
    /// What was already found out.
    pub notes: Vec<String>,
}

impl Report {
    /// Compares everything that was asked for.
    pub fn new(asked: Asked<'_>) -> Result<Report> {
        let Asked { file, units, control, weights, measures, segments, plan, mut notes } = asked;
        let counts = units.counts();
        let mut order: Vec<usize> = (0..units.variants.len()).collect();
        order.sort_by_key(|&variant| (variant != control, &units.variants[variant]));
        let split = Split::new(&counts, &weights);
        let measures_done =
            measures.iter().map(|measure| measure.compare(units, control, &plan)).collect::<Result<Vec<_>>>()?;
        let segments = segments
            .iter()
            .zip(&units.segments)
            .map(|(column, labels)| segment(column, labels, units, measures, control, &plan))
            .collect::<Result<Vec<_>>>()?;
        notes.extend(read_notes(units));
        notes.extend(
            measures_done.iter().flat_map(|it| it.notes.iter().map(move |note| format!("{}: {note}", it.measure.name))),
        );
        Ok(Report {
            file: file.to_owned(),
            variants: units.variants.clone(),
            order,
            control,
            counts,
            weights,
            rows: units.rows,
            crossed: units.crossed,
            unassigned: units.unassigned,
            split,
            plan,
            measures: measures_done,
            segments,
            notes,
        })
    }

    /// Alarms that forbid a decision, in words.
    pub fn alarms(&self) -> Vec<String> {
        let mut alarms = Vec::new();
        if self.split.alarm {
            alarms.push(
                "the split is not what the weights promise, so no difference below can be trusted; if an even split was never meant, give --weight"
                    .to_owned(),
            );
        }
        for segment in &self.segments {
            for measure in &segment.measures {
                for (variant, together) in measure.together.iter().enumerate() {
                    let alarm = together.as_ref().and_then(|it| it.simpson).filter(|simpson| simpson.alarm());
                    if alarm.is_some() {
                        alarms.push(format!(
                            "Simpson's paradox: within {} the effect of {} on {} differs from the whole: the arms hold different mixtures of units",
                            segment.column, self.variants[variant], measure.name
                        ));
                    }
                }
            }
        }
        alarms
    }
}

fn read_notes(units: &Units) -> Vec<String> {
    let mut notes = Vec::new();
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            notes.push(format!("{count} {what}"));
        }
    };
    say(units.crossed, "units were seen in two variants and are in no arm");
    say(units.unassigned, "units have no variant in any row and are in no arm");
    say(
        units.contradictions,
        "rows contradict an earlier row of their unit in a segment, covariate or cluster; the earlier one counts",
    );
    say(units.clamped, "unit totals beyond 1,000,000,000 in magnitude count as that");
    notes
}
