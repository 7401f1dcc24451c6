//! The sums of one phase over all partitions, kept up to date block by block; integers, so the order does not matter.

use crate::part::PartExperiment;
use assay_aggregates::{Block, Cell, ExperimentChanges, SEGMENTS_MAX, Tallies, horizon};
use assay_experiment::{Experiment, Maturity, Metric, Span, Timestamp};
use std::collections::BTreeMap;

/// One phase of an experiment over all partitions.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    pub experiment: Experiment,
    pub metrics: Vec<Metric>,
    /// Row 0 is over all units; then come the values of each segment attribute, `other` last.
    pub rows: Vec<Row>,
    pub tallies: Tallies,
    blocks: BTreeMap<(i64, u8), Block>,
    /// Units of the last hour: by minute of first exposure and variant, a cell for each metric.
    minutes: BTreeMap<(i64, u8), Vec<Cell>>,
    /// Per variant: units per row, and cells per row and metric, of all hours.
    open: Vec<Totals>,
    /// The same of mature hours, per metric.
    matured: Vec<Totals>,
    /// Per metric: hours below this are mature.
    mature_below: Vec<i64>,
}

/// What a row of sums is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Attribute and value, or nothing for all units.
    pub segment: Option<(String, String)>,
}

#[derive(Debug, Clone, Default)]
struct Totals {
    units: Vec<i64>,
    cells: Vec<Cell>,
}

impl Sums {
    pub fn new(experiment: &Experiment, metrics: Vec<Metric>) -> Self {
        let mut rows = vec![Row { segment: None }];
        for segment in experiment.segments.iter().take(SEGMENTS_MAX) {
            let listed = segment.values.iter().flatten().map(String::as_str).chain(["other"]);
            rows.extend(listed.map(|value| Row { segment: Some((segment.attribute.clone(), value.to_owned())) }));
        }
        let totals = || Totals { units: vec![0; rows.len()], cells: vec![Cell::default(); rows.len() * metrics.len()] };
        let arms = experiment.variants.len();
        Sums {
            experiment: experiment.clone(),
            open: (0..arms).map(|_| totals()).collect(),
            matured: (0..arms).map(|_| totals()).collect(),
            mature_below: vec![i64::MIN; metrics.len()],
            metrics,
            tallies: Tallies { entered: vec![0; arms], ..Tallies::default() },
            blocks: BTreeMap::new(),
            minutes: BTreeMap::new(),
            rows,
        }
    }

    /// Those of these ids that no metric has.
    pub fn unknown<'a>(&self, ids: &'a [String]) -> Vec<&'a String> {
        ids.iter().filter(|id| self.column(id).is_none()).collect()
    }

    /// Empty sums with further metrics at the end, so that the places of the others stay.
    pub fn widened(&self, added: Vec<Metric>) -> Self {
        let metrics = self.metrics.iter().cloned().chain(added).collect();
        Sums::new(&self.experiment, metrics)
    }

    /// Whether changes have the variants and rows of this definition. Others are of another definition under the same name.
    pub fn fits(&self, changes: &ExperimentChanges) -> bool {
        let arms = self.experiment.variants.len();
        let fits = |block: &Block| usize::from(block.variant) < arms && block.units.len() == self.rows.len();
        let of_all = |block: &Block| usize::from(block.variant) < arms && block.units.len() == 1;
        changes.tallies.entered.len() == arms && changes.blocks.iter().all(fits) && changes.minutes.iter().all(of_all)
    }

    /// Replaces what a partition contributed by what it contributes now.
    pub fn apply(&mut self, part: &mut PartExperiment, changes: ExperimentChanges) {
        part.metrics = changes.metrics;
        part.tallies = changes.tallies;
        // A partition only ever adds metrics at the end, so the columns serve its older blocks too.
        let columns = self.columns(&part.metrics);
        for block in changes.blocks {
            let key = (block.variant, block.hour);
            part.changed.insert(key);
            let old = part.blocks.insert(key, block.clone());
            if let Some(old) = old {
                self.add(&old, &columns, false);
            }
            self.add(&block, &columns, true);
        }
        for block in changes.minutes {
            let old = part.minutes.insert((block.variant, block.hour), block.clone());
            if let Some(old) = old {
                self.add_minute(&old, &columns, Cell::unmerge);
            }
            self.add_minute(&block, &columns, Cell::merge);
        }
    }

    /// Adds all that a partition contributed.
    pub fn add_part(&mut self, part: &PartExperiment) {
        let columns = self.columns(&part.metrics);
        part.blocks.values().for_each(|block| self.add(block, &columns, true));
        part.minutes.values().for_each(|block| self.add_minute(block, &columns, Cell::merge));
    }

    fn column(&self, id: &str) -> Option<usize> {
        self.metrics.iter().position(|metric| metric.id == id)
    }

    /// Where the metrics of a partition, in its order, are in these sums.
    fn columns(&self, ids: &[String]) -> Vec<usize> {
        ids.iter().map(|id| self.column(id).expect("sums are widened before a partition's blocks are added")).collect()
    }

    fn add(&mut self, block: &Block, columns: &[usize], entering: bool) {
        let (rows, metrics) = (self.rows.len(), self.metrics.len());
        let change = |into: &mut Cell, cell: &Cell| if entering { into.merge(cell) } else { into.unmerge(cell) };
        let merged = self.blocks.entry((block.hour, block.variant)).or_insert_with(|| Block {
            variant: block.variant,
            hour: block.hour,
            units: vec![0; rows],
            cells: vec![Cell::default(); rows * metrics],
        });
        let sign = if entering { 1 } else { -1 };
        let open = &mut self.open[usize::from(block.variant)];
        let matured = &mut self.matured[usize::from(block.variant)];
        let width = block.cells.len().checked_div(block.units.len()).unwrap_or(0);
        for (row, &units) in block.units.iter().enumerate().take(rows) {
            merged.units[row] += sign * units;
            open.units[row] += sign * units;
            // A record from before a metric was added has fewer cells per row.
            for (at, &metric) in columns.iter().enumerate().take(width) {
                let cell = &block.cells[row * width + at];
                change(&mut merged.cells[row * metrics + metric], cell);
                change(&mut open.cells[row * metrics + metric], cell);
                if block.hour < self.mature_below[metric] {
                    change(&mut matured.cells[row * metrics + metric], cell);
                }
            }
        }
    }

    fn add_minute(&mut self, block: &Block, columns: &[usize], change: fn(&mut Cell, &Cell)) {
        let metrics = self.metrics.len();
        let merged = self.minutes.entry((block.hour, block.variant)).or_insert_with(|| vec![Cell::default(); metrics]);
        // A record from before a metric was added has fewer cells.
        for (cell, &metric) in block.cells.iter().zip(columns) {
            change(&mut merged[metric], cell);
        }
    }

    /// Forgets minutes that are not in the last hour any more.
    pub fn turn(&mut self, from: i64) {
        self.minutes = self.minutes.split_off(&(from, 0));
    }

    /// Log time reached `now`: hours whose last unit's window has passed, and for which nothing can come any more, become mature.
    pub fn mature(&mut self, now: Timestamp, late: Span) {
        let metrics = self.metrics.len();
        for metric in 0..metrics {
            let Some(below) = self.mature_hour(metric, now, late) else { continue };
            let from = self.mature_below[metric];
            if below <= from {
                continue;
            }
            for ((_, variant), block) in self.blocks.range((from, 0)..(below, 0)) {
                let matured = &mut self.matured[usize::from(*variant)];
                for row in 0..self.rows.len() {
                    matured.cells[row * metrics + metric].merge(&block.cells[row * metrics + metric]);
                }
            }
            self.mature_below[metric] = below;
        }
    }

    /// Hours below this are mature for the metric: end of the hour + window + L has passed.
    fn mature_hour(&self, metric: usize, now: Timestamp, late: Span) -> Option<i64> {
        let metric = &self.metrics[metric];
        (metric.maturity == Maturity::Matured).then(|| (now - horizon(metric).unwrap_or_default() - late).hour())
    }

    /// Units whose value of a metric with a window may still change, and all units; `None` without a window.
    pub fn inside(&self, metric: usize, now: Timestamp, late: Span) -> Option<(i64, i64)> {
        let from = (now - horizon(&self.metrics[metric])? - late).hour();
        let inside = self.blocks.range((from, 0)..).map(|(_, block)| block.units[0]).sum();
        Some((inside, self.open.iter().map(|totals| totals.units[0]).sum()))
    }

    /// The first hour in which units that count were first exposed.
    pub fn first_hour(&self) -> Option<i64> {
        self.blocks.iter().find(|(_, block)| block.units[0] > 0).map(|((hour, _), _)| *hour)
    }

    /// The earliest instant after `now` at which an hour with units becomes mature.
    pub fn next_maturity(&self, late: Span) -> Option<Timestamp> {
        let next = |metric: usize| {
            if self.metrics[metric].maturity != Maturity::Matured {
                return None;
            }
            let ((hour, _), _) = self.blocks.range((self.mature_below[metric], 0)..).next()?;
            Some(Timestamp((hour + 1) * Span::HOUR.0) + horizon(&self.metrics[metric]).unwrap_or_default() + late)
        };
        (0..self.metrics.len()).filter_map(next).min()
    }

    /// Units of a variant in a row.
    pub fn units(&self, variant: usize, row: usize) -> i64 {
        self.open[variant].units[row]
    }

    /// The cell that a metric's results are made of.
    pub fn cell(&self, variant: usize, row: usize, metric: usize) -> &Cell {
        let totals = match self.metrics[metric].maturity {
            Maturity::Open => &self.open[variant],
            Maturity::Matured => &self.matured[variant],
        };
        &totals.cells[row * self.metrics.len() + metric]
    }

    /// Units first exposed in `[from, to)` minutes of the last hour, with their values so far.
    pub fn last_hour(&self, variant: usize, metric: usize, from: i64, to: i64) -> Cell {
        let mut sum = Cell::default();
        for ((_, of), cells) in self.minutes.range((from, 0)..(to, 0)) {
            if usize::from(*of) == variant {
                sum.merge(&cells[metric]);
            }
        }
        sum
    }

    /// What results are made of, over all units, by periods of so many hours from `start` on: for each period from the first to the last with
    /// units its number, and the cells of each variant and metric.
    pub fn by_period(&self, start: i64, hours: i64) -> Vec<(i64, Vec<Cell>)> {
        let metrics = self.metrics.len();
        let mut out: Vec<(i64, Vec<Cell>)> = Vec::new();
        for ((hour, variant), block) in self.blocks.range((start, 0)..) {
            let number = (hour - start).div_euclid(hours);
            while block.units[0] > 0 && out.last().is_none_or(|(last, _)| *last < number) {
                let next = out.last().map_or(0, |(last, _)| last + 1);
                out.push((next, vec![Cell::default(); self.experiment.variants.len() * metrics]));
            }
            let Some((_, cells)) = out.last_mut().filter(|(last, _)| *last == number) else { continue };
            for metric in (0..metrics).filter(|&metric| self.counts(metric, *hour)) {
                cells[usize::from(*variant) * metrics + metric].merge(&block.cells[metric]);
            }
        }
        out
    }

    /// Whether units of an hour are in a metric's results.
    fn counts(&self, metric: usize, hour: i64) -> bool {
        self.metrics[metric].maturity == Maturity::Open || hour < self.mature_below[metric]
    }

    /// Units exposed in `[from, to)` hours, with their values so far.
    pub fn cohort(&self, variant: usize, metric: usize, from: i64, to: i64) -> Cell {
        let mut sum = Cell::default();
        for ((_, of), block) in self.blocks.range((from, 0)..(to, 0)) {
            if usize::from(*of) == variant {
                sum.merge(&block.cells[metric]);
            }
        }
        sum
    }
}
