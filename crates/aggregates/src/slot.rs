//! One phase of one experiment in one partition: its definition made ready for the fold, and its sums.

use crate::cell::Contribution;
use crate::minutes::Minutes;
use crate::rejected::ByReason;
use crate::totals::{Place, SEGMENTS_MAX, SegmentValues, Totals};
use crate::units::{Conversion, Enrolment};
use assay_experiment::{
    Attribute, Covariate, Crossing, Definitions, Event, EventMatch, Experiment, Metric, MetricKind, Span, Status,
    Timestamp, Value,
};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Index of an experiment's phase in a partition.
pub(crate) type SlotIndex = u16;

/// One phase: the same id with another salt is another slot.
#[derive(Debug)]
pub(crate) struct Slot {
    pub experiment: Experiment,
    pub salt: String,
    pub metrics: Vec<SlotMetric>,
    wants: Vec<Want>,
    width: u8,
    /// Nothing before it counts.
    pub live_from: Timestamp,
    /// Nothing from it on counts.
    pub ended: Option<Timestamp>,
    pub totals: Totals,
    /// The last hour by minutes.
    pub minutes: Minutes,
    pub tallies: Tallies,
}

/// A metric and the running totals that it needs of a unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlotMetric {
    pub metric: Metric,
    /// Only units first exposed from then on count.
    pub live_from: Timestamp,
    pub(crate) column: u8,
}

/// Which conversions change which total.
#[derive(Debug, Clone, Copy)]
struct Want {
    name: u16,
    filter: Option<u8>,
    metric: u8,
    column: u8,
    /// Whether the value is added; otherwise one event counts as 1.
    value: bool,
}

/// Counts beside the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Units by the variant of their first exposure, crossed ones too: what the split is judged by.
    pub entered: Vec<i64>,
    /// Units seen in more than one variant.
    pub crossed: i64,
    /// Exposures accepted.
    pub exposures: u64,
    /// Exposures from before the experiment was live, or after it ended.
    pub outside: u64,
    /// Exposures that an edge showed and could not write, as it reported them.
    pub lost: u64,
    /// Units, one for each metric, whose total is beyond what a unit may contribute and is clamped to it.
    pub clamped: i64,
    /// Exposures that the hash would not give, by the variant shown and the library that chose it: another variant, or a unit outside of
    /// the experiment's slots.
    pub misbucketed: BTreeMap<(u8, String), u64>,
    /// Exposures that named the experiment and were rejected; they count for its newest phase.
    pub rejected: ByReason,
}

/// Names and filters that metrics want, numbered in the order in which the log defined them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    pub names: Vec<String>,
    pub filters: Vec<Vec<(String, String)>>,
}

/// The highest filter bit says that some metric wanted the event when it came.
pub(crate) const WANTED: u32 = 1 << 31;
/// Filters are bits of a `u32` beside [`WANTED`]; definitions with more are refused.
pub(crate) const FILTERS_MAX: usize = 31;
/// Names are numbered in 16 bits, of which the last number stands for all that nobody wants.
const NAMES_MAX: usize = u16::MAX as usize;
/// Rolling results go back seven days; those hours, and the one that is cut in two, stay hours.
const COHORT_MAX: Span = Span(8 * Span::DAY.0);
/// Libraries that are named in an audit; further ones are counted as `other`.
const SDKS_MAX: usize = 64;

impl Catalogue {
    /// What the metrics of these definitions want beyond what is known. `Err` when there is no room: nothing is ever forgotten here, because
    /// conversions remember by these numbers what they were wanted for.
    pub fn with(&self, definitions: &Definitions) -> Result<Catalogue, String> {
        let mut all = self.clone();
        for metric in definitions.metrics.values() {
            for (event, _) in parts(&metric.kind) {
                if !all.names.contains(&event.name) {
                    all.names.push(event.name.clone());
                }
                if !event.filter.is_empty() && !all.filters.contains(&event.filter) {
                    all.filters.push(event.filter.clone());
                }
            }
        }
        let (filters, names) = (all.filters.len(), all.names.len());
        if filters > FILTERS_MAX {
            return Err(format!(
                "with it the log would have wanted {filters} different 'where' filters; at most {FILTERS_MAX} are possible in the life of a log, \
                 so give the events that are told apart names of their own"
            ));
        }
        if names > NAMES_MAX {
            return Err(format!(
                "with it the log would have wanted {names} different event names; at most {NAMES_MAX} are possible in the life of a log"
            ));
        }
        Ok(all)
    }

    /// Index of a name that some metric wants.
    pub fn name(&self, name: &str) -> Option<u16> {
        self.names.iter().position(|known| known == name).map(|at| at as u16)
    }

    /// Which filters an event passes.
    pub fn filters(&self, event: &Event<'_>) -> u32 {
        let passes = |filter: &Vec<(String, String)>| {
            filter.iter().all(|(name, text)| attribute(event, name).is_some_and(|found| attribute_text(found) == *text))
        };
        self.filters.iter().enumerate().filter(|(_, filter)| passes(filter)).fold(0, |mask, (at, _)| mask | 1 << at)
    }
}

impl Slot {
    pub fn new(
        experiment: &Experiment,
        salt: &str,
        definitions: &Definitions,
        catalogue: &Catalogue,
        live_from: Timestamp,
    ) -> Self {
        let listed: Vec<usize> = experiment
            .segments
            .iter()
            .take(SEGMENTS_MAX)
            .map(|segment| segment.values.as_ref().map_or(0, Vec::len))
            .collect();
        let mut slot = Slot {
            experiment: experiment.clone(),
            salt: salt.to_owned(),
            metrics: Vec::new(),
            wants: Vec::new(),
            width: 0,
            live_from,
            ended: None,
            totals: Totals::new(&listed, 0),
            minutes: Minutes::new(),
            tallies: Tallies { entered: vec![0; experiment.variants.len()], ..Tallies::default() },
        };
        slot.add_metrics(experiment, definitions, catalogue, live_from);
        slot
    }

    /// Takes over what may change: the status, and metrics that were added.
    pub fn revise(
        &mut self,
        experiment: &Experiment,
        definitions: &Definitions,
        catalogue: &Catalogue,
        now: Timestamp,
        ends: Timestamp,
    ) {
        self.add_metrics(experiment, definitions, catalogue, now);
        self.set_status(experiment.status, ends);
        self.experiment.analysis = experiment.analysis.clone();
        self.experiment.take_words(experiment);
        self.experiment.layer.clone_from(&experiment.layer);
    }

    pub fn set_status(&mut self, status: Status, ends: Timestamp) {
        self.experiment.status = status;
        if status == Status::Stopped && self.ended.is_none() {
            self.ended = Some(ends);
        }
    }

    fn add_metrics(
        &mut self,
        experiment: &Experiment,
        definitions: &Definitions,
        catalogue: &Catalogue,
        live_from: Timestamp,
    ) {
        for used in &experiment.metrics {
            let known = self.metrics.iter().any(|metric| metric.metric.id == used.metric);
            let Some(metric) = definitions.metrics.get(&used.metric).filter(|_| !known) else { continue };
            self.add_metric(metric.clone(), live_from, catalogue);
            self.experiment.metrics.retain(|mine| mine.metric != used.metric);
            self.experiment.metrics.push(used.clone());
        }
    }

    /// Adds a metric at the end; also used when a snapshot is restored.
    pub fn add_metric(&mut self, metric: Metric, live_from: Timestamp, catalogue: &Catalogue) {
        let (index, column) = (self.metrics.len() as u8, self.width);
        let wanted = parts(&metric.kind);
        for (part, &(event, value)) in wanted.iter().enumerate() {
            self.wants.push(Want {
                name: catalogue.name(&event.name).expect("the catalogue learned these definitions"),
                filter: catalogue.filters.iter().position(|filter| *filter == event.filter).map(|at| at as u8),
                metric: index,
                column: column + part as u8,
                value,
            });
        }
        self.width += wanted.len() as u8 + u8::from(metric.covariate.is_some());
        self.metrics.push(SlotMetric { metric, live_from, column });
        self.totals.widen(self.metrics.len());
        self.minutes.widen(self.metrics.len());
    }

    /// How many running totals a new enrolment needs.
    pub fn width(&self) -> u8 {
        self.width
    }

    pub fn variant(&self, name: &str) -> Option<u8> {
        self.experiment.variants.iter().position(|variant| variant.name == name).map(|at| at as u8)
    }

    /// Whether the time of an exposure counts.
    pub fn covers(&self, time: Timestamp) -> bool {
        self.live_from <= time && self.ended.is_none_or(|ended| time < ended)
    }

    /// Whether a unit in these variants is in the results.
    pub fn counts(&self, seen: u32) -> bool {
        seen.count_ones() < 2 || self.experiment.crossing != Crossing::Exclude
    }

    pub fn place(&self, enrolment: &Enrolment) -> Place {
        Place { variant: enrolment.variant, hour: enrolment.first.hour(), segments: enrolment.segments }
    }

    pub fn segments(&self, event: &Event<'_>) -> SegmentValues {
        let mut values = SegmentValues::default();
        for (at, segment) in self.experiment.segments.iter().take(SEGMENTS_MAX).enumerate() {
            let listed = segment.values.as_deref().unwrap_or_default();
            let found = attribute(event, &segment.attribute).map(attribute_text);
            let index = found.and_then(|text| listed.iter().position(|value| *value == text));
            values[at] = index.unwrap_or(listed.len()) as u8;
        }
        values
    }

    /// Writes the covariates of a first exposure into the running totals.
    pub fn set_covariates(&self, event: &Event<'_>, cells: &mut [i64]) {
        for metric in &self.metrics {
            if let Some(Covariate::Attribute(name)) = &metric.metric.covariate {
                let column = usize::from(metric.column) + parts(&metric.metric.kind).len();
                // Units that entered before the metric was added have no room for it.
                let Some(cell) = cells.get_mut(column) else { continue };
                *cell = match attribute(event, name) {
                    Some(Attribute::Number(number)) => micro(*number),
                    Some(Attribute::Bool(true)) => Value::ONE.0,
                    _ => 0,
                };
            }
        }
    }

    /// How many conversions the metrics want, for [`Slot::change`].
    pub fn wants(&self) -> usize {
        self.wants.len()
    }

    /// What the n-th want makes of a conversion of a unit first exposed at `first`: metric, column and what is added.
    pub fn change(&self, want: usize, first: Timestamp, conversion: Conversion) -> Option<(usize, usize, i64)> {
        let want = &self.wants[want];
        let passes = want.filter.is_none_or(|filter| conversion.filters & 1 << filter != 0);
        let metric = &self.metrics[usize::from(want.metric)].metric;
        let counts = want.name == conversion.name && passes && self.in_window(metric, first, conversion.time);
        let amount = if want.value { conversion.value } else { Value::ONE.0 };
        counts.then_some((usize::from(want.metric), usize::from(want.column), amount))
    }

    /// All totals that a conversion changes.
    pub fn changes(&self, first: Timestamp, conversion: Conversion) -> impl Iterator<Item = (usize, usize, i64)> + '_ {
        (0..self.wants.len()).filter_map(move |want| self.change(want, first, conversion))
    }

    fn in_window(&self, metric: &Metric, first: Timestamp, time: Timestamp) -> bool {
        let (from, to) = match (&metric.kind, metric.window) {
            (MetricKind::Retention { from, to, .. }, _) => (first + *from, Some(first + *to)),
            (_, Some(window)) => (first, Some(first + window)),
            (_, None) => (first, self.ended),
        };
        from <= time && to.is_none_or(|to| time < to)
    }

    /// What a unit contributes to a metric, if it is in that metric's n.
    pub fn contribution(&self, metric: usize, first: Timestamp, cells: &[i64]) -> Option<Contribution> {
        let SlotMetric { metric, live_from, column } = &self.metrics[metric];
        let column = usize::from(*column);
        if first < *live_from || column >= cells.len() {
            return None;
        }
        let bounded = |total: i64| {
            let low = metric.floor.map_or(-Value::MAX.0, |floor| floor.0);
            let high = metric.cap.map_or(Value::MAX.0, |cap| cap.0);
            total.max(low.min(high)).min(high)
        };
        let y = match metric.kind {
            MetricKind::Conversion(_) | MetricKind::Retention { .. } => Value::ONE.0 * i64::from(cells[column] > 0),
            _ => bounded(cells[column]),
        };
        let beside = matches!(metric.kind, MetricKind::Ratio { .. }) || metric.covariate.is_some();
        let x = if beside { cells[column + 1].clamp(-Value::MAX.0, Value::MAX.0) } else { 0 };
        Some(Contribution { y, x })
    }

    /// Whether a unit's contribution to a metric is less than its total because of [`Value::MAX`], not of the metric's own bounds.
    pub fn is_clamped(&self, metric: usize, cells: &[i64]) -> bool {
        let SlotMetric { metric, column, .. } = &self.metrics[metric];
        let Some(&total) = cells.get(usize::from(*column)) else { return false };
        let high = total > Value::MAX.0 && metric.cap.is_none();
        let low = total < -Value::MAX.0 && metric.floor.is_none();
        let below = matches!(metric.kind, MetricKind::Ratio { .. })
            && cells.get(usize::from(*column) + 1).is_some_and(|total| total.abs() > Value::MAX.0);
        high || low || below
    }

    /// How long the values of its units can change after it ended: until then windows close and hours mature.
    pub fn runs_out(&self) -> Span {
        self.metrics.iter().filter_map(|metric| horizon(&metric.metric)).max().unwrap_or_default()
    }

    /// Joins hours into days once nothing asks for them any more: they have been mature for 48 h, and lie behind the longest cohort.
    pub fn make_days(&mut self, now: Timestamp, late: Span) {
        let needed = Span(self.runs_out().0.saturating_add(late.0).saturating_add(2 * Span::DAY.0));
        let oldest = (now - needed.max(COHORT_MAX)).hour();
        self.totals.make_days(oldest.div_euclid(24) * 24);
    }

    /// Counts an exposure that the hash would not give.
    pub fn misbucketed(&mut self, variant: u8, sdk: &str) {
        let audit = &mut self.tallies.misbucketed;
        let known = audit.contains_key(&(variant, sdk.to_owned())) || audit.len() < SDKS_MAX;
        *audit.entry((variant, if known { sdk.to_owned() } else { "other".to_owned() })).or_default() += 1;
    }
}

/// How long after its first exposure a unit's value of the metric can change, if it has an end.
pub fn horizon(metric: &Metric) -> Option<Span> {
    match &metric.kind {
        MetricKind::Retention { to, .. } => Some(*to),
        _ => metric.window,
    }
}

/// The events a metric wants, and whether their values are added.
fn parts(kind: &MetricKind) -> Vec<(&EventMatch, bool)> {
    match kind {
        MetricKind::Conversion(event) | MetricKind::Count(event) | MetricKind::Retention { event, .. } => {
            vec![(event, false)]
        }
        MetricKind::Sum(event) | MetricKind::Quantile { event, .. } => vec![(event, true)],
        MetricKind::Ratio { numerator, denominator } => {
            vec![(&numerator.event, numerator.sum), (&denominator.event, denominator.sum)]
        }
    }
}

fn attribute<'a>(event: &'a Event<'_>, name: &str) -> Option<&'a Attribute<'a>> {
    event.attributes.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok().map(|at| &event.attributes[at].1)
}

/// An attribute as text, by which segments and filters compare: 1 and 1.0 are the same number.
fn attribute_text<'a>(attribute: &'a Attribute<'_>) -> Cow<'a, str> {
    match attribute {
        Attribute::Text(text) => Cow::Borrowed(text),
        Attribute::Number(number) => Cow::Owned(number.to_string()),
        Attribute::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
    }
}

/// A number in micro-units, rounded and clamped. Multiplication and rounding are exact IEEE operations: the same on every machine.
fn micro(number: f64) -> i64 {
    (number * Value::ONE.0 as f64).round_ties_even().clamp(-Value::MAX.0 as f64, Value::MAX.0 as f64) as i64
}
