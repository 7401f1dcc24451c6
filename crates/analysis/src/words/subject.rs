//! What the words are about: names, plans and findings of one experiment at one look.

use crate::json::unit_of;
use crate::results::{Arm, ExperimentResult, MetricResult};
use crate::verdict::{Finding, Verdict, arm};
use assay_experiment::{Direction, Maturity, Method, Role, Status, Timestamp};

/// An experiment to speak of.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub status: Status,
    /// What a unit is called.
    pub unit: &'a str,
    /// The definition's order.
    pub variants: Vec<Variant<'a>>,
    pub method: Method,
    pub planned_units: u64,
    pub max_units: Option<u64>,
    pub started: Option<Timestamp>,
    pub days_running: Option<f64>,
    pub metrics: Vec<Metric<'a>>,
    pub verdict: &'a Verdict,
    /// Of the guardrails: metric, treatment, and what is found.
    pub guardrails: Vec<(&'a str, &'a str, Finding)>,
    /// The lift that the units of now would find.
    pub findable_lift: Option<f64>,
    /// Of the treatments on the primary metric.
    pub projections: Vec<Projection<'a>>,
}

/// When a treatment's interval would be clear of the minimum, if the present estimate were true.
#[derive(Debug, Clone, Copy)]
pub(super) struct Projection<'a> {
    pub variant: &'a str,
    /// As in results.
    pub status: &'a str,
    /// Of the pair.
    pub units: Option<u64>,
    pub days: Option<f64>,
}

#[derive(Debug, Clone)]
pub(super) struct Variant<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub control: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Metric<'a> {
    pub id: &'a str,
    pub name: &'a str,
    /// What a mean of it is.
    pub unit: &'a str,
    pub role: Role,
    pub direction: Direction,
    pub minimum_effect: Option<f64>,
    pub margin: Option<f64>,
    /// Of the units, those whose windows are open and count already.
    pub inside: Option<f64>,
    pub cap: Option<f64>,
}

/// A treatment against the control on the primary metric.
#[derive(Debug, Clone)]
pub(super) struct Compared<'a> {
    pub metric: &'a Metric<'a>,
    pub name: &'a str,
    pub finding: &'a Finding,
}

impl<'a> Subject<'a> {
    pub fn of(experiment: &'a ExperimentResult, verdict: &'a Verdict) -> Subject<'a> {
        let variant =
            |(it, title): (&'a (String, bool, f64), &'a String)| Variant { id: &it.0, name: title, control: it.1 };
        let primary = experiment.metrics.iter().find(|it| it.role == Role::Primary);
        let findable =
            primary.and_then(|it| it.arms.iter().find_map(|arm| arm.comparison.as_ref()?.findable)).flatten();
        Subject {
            status: experiment.status,
            unit: &experiment.unit_name,
            variants: experiment.variants.iter().zip(&experiment.titles).map(variant).collect(),
            method: experiment.method,
            planned_units: experiment.planned_units,
            max_units: experiment.max_units(),
            started: experiment.started,
            days_running: experiment.days_running,
            metrics: experiment.metrics.iter().map(Metric::of).collect(),
            verdict,
            guardrails: guardrails(experiment),
            projections: primary.map_or_else(Vec::new, |it| projections(experiment, it)),
            findable_lift: findable.filter(|it| it.control_mean != 0.0).map(|it| it.now / it.control_mean.abs()),
        }
    }

    /// What people call an arm.
    pub fn name<'b>(&'b self, variant: &'b str) -> &'b str {
        self.variants.iter().find(|it| it.id == variant).map_or(variant, |it| it.name)
    }

    pub fn control(&self) -> Option<&Variant<'a>> {
        self.variants.iter().find(|it| it.control)
    }

    pub fn treatments(&self) -> impl Iterator<Item = &Variant<'a>> {
        self.variants.iter().filter(|it| !it.control)
    }

    pub fn has_several(&self) -> bool {
        self.treatments().count() > 1
    }

    pub fn metric(&self, id: &str) -> Option<&Metric<'a>> {
        self.metrics.iter().find(|it| it.id == id)
    }

    /// The treatments on the primary metric, that first which is spoken of first: what is certain before what is not, then the larger lift.
    pub fn compared(&self) -> Vec<Compared<'_>> {
        let known = self.verdict.arms.iter().filter_map(|(variant, metric, finding)| {
            Some(Compared { metric: self.metric(metric)?, name: self.name(variant), finding })
        });
        let mut all: Vec<Compared<'_>> = known.collect();
        let place = |it: &Compared<'_>| ORDER.iter().position(|code| *code == it.code()).unwrap_or(ORDER.len());
        let value = |it: &Compared<'_>| {
            let lift = it.finding.number("lift").unwrap_or(f64::NEG_INFINITY);
            if it.metric.direction == Direction::Increase { lift } else { -lift }
        };
        all.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| value(b).total_cmp(&value(a))));
        all
    }
}

/// Codes in the order in which arms are spoken of; others come after.
const ORDER: [&str; 6] = ["better", "better_may_be_small", "drift", "not_shown", "no_difference", "worse"];

impl Compared<'_> {
    pub fn code(&self) -> &'static str {
        self.finding.code
    }

    /// Decided in the intended direction or against it.
    pub fn direction(&self) -> Option<&'static str> {
        direction_of(self.code())
    }

    /// What was decided, while today's interval covers zero again.
    pub fn crossed_back(&self) -> bool {
        self.finding.flag("covers_zero") && self.direction().is_some()
    }

    pub fn minimum(&self) -> Option<f64> {
        self.finding.number("minimum_effect").or(self.metric.minimum_effect)
    }
}

pub(super) fn direction_of(code: &str) -> Option<&'static str> {
    match code {
        "better" | "better_may_be_small" => Some("better"),
        "worse" => Some("worse"),
        _ => None,
    }
}

impl Finding {
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.arguments.get(name)?.as_f64()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.arguments.get(name)?.as_str()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.arguments.get(name).is_some_and(|it| it.as_bool() == Some(true))
    }
}

impl<'a> Metric<'a> {
    fn of(metric: &'a MetricResult) -> Metric<'a> {
        let millionths = |value: Option<i64>| value.map(|it| it as f64 / 1e6);
        let inside = metric.inside.filter(|_| metric.maturity == Maturity::Open);
        Metric {
            id: &metric.id,
            name: &metric.name,
            unit: unit_of(metric),
            role: metric.role,
            direction: metric.direction,
            minimum_effect: millionths(metric.minimum_effect),
            margin: millionths(metric.margin),
            inside: inside.filter(|(_, all)| *all > 0).map(|(inside, all)| inside as f64 / all as f64),
            cap: metric.cap.map(|cap| cap.0 as f64 / 1e6),
        }
    }
}

fn projections<'a>(experiment: &ExperimentResult, metric: &'a MetricResult) -> Vec<Projection<'a>> {
    let known = |arm: &'a Arm| {
        let compared = arm.comparison.as_ref()?;
        let projected = compared.projected?;
        let days = projected.days_left(experiment, compared.always_valid.units as u64);
        Some(Projection { variant: &arm.variant, status: projected.status(), units: projected.units(), days })
    };
    metric.arms.iter().filter_map(known).collect()
}

fn guardrails(experiment: &ExperimentResult) -> Vec<(&str, &str, Finding)> {
    let metrics = experiment.metrics.iter().filter(|it| it.role == Role::Guardrail);
    let pairs = metrics.flat_map(|metric| metric.arms.iter().map(move |it| (metric, it)));
    pairs.filter_map(|(metric, it)| Some((&*metric.id, &*it.variant, arm(experiment, metric, it)?))).collect()
}
