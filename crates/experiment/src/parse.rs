//! Definitions from YAML: one document, one definition; every problem is reported, not only the first.

use crate::parse_flag::{flag, holdout, layer};
use crate::parse_metric::{METRIC_KEYS, metric};
use crate::parse_schema::{filters, retired, schema};
use crate::parse_serving::{environments, overrides};
use crate::parse_settings::settings;
use crate::problem::{Problem, nearest};
use crate::read::{Check, Map};
use crate::yaml::{Content, Node, Place, documents, from_json};
use crate::{
    Analysis, Assignment, Crossing, Definitions, Experiment, GuardrailAction, LayerShare, Method, Metric, MetricUse,
    Role, Segment, Status, Variant, flagd, format_time, validate,
};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// A file of definitions.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its name in messages.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// Where things were written, for problems that show only when everything was read.
#[derive(Default)]
pub(crate) struct Places {
    /// Of each definition, by kind and id.
    defined: BTreeMap<(&'static str, String), Written>,
    /// Of each mention: experiment or flag, then kind and id of what it names.
    used: BTreeMap<(String, &'static str, String), Written>,
}

/// File and place.
type Written = (String, Place);

impl Places {
    /// Where an experiment or flag names another definition, or at least where it is itself.
    pub fn of_use(&self, user: &str, kind: &'static str, id: &str) -> Written {
        let used = self.used.get(&(user.to_owned(), kind, id.to_owned()));
        let of = |kind| self.defined.get(&(kind, user.to_owned()));
        used.or_else(|| of("experiment")).or_else(|| of("flag")).cloned().unwrap_or_default()
    }
}

/// Most documents in one set.
const DOCUMENTS_MAX: usize = 10_000;
pub(crate) const VARIANTS_MAX: usize = 32;
pub(crate) const METRICS_MAX: usize = 64;
pub(crate) const SEGMENTS_MAX: usize = 8;
pub(crate) const SEGMENT_VALUES_MAX: usize = 64;
/// Ranges of slots of one experiment; publishing needs another only where a layer is in pieces.
pub(crate) const SLOT_RANGES_MAX: usize = 1_000;
/// Writers' schemas in one set.
const SCHEMAS_MAX: usize = 256;

/// How the names of flagd's files end.
const FLAGD: &str = ".json";

/// Reads and validates a set of definitions: YAML, and flags in flagd's format where a name ends in `.json`.
pub fn parse(sources: &[Source<'_>]) -> Result<Definitions, Vec<Problem>> {
    let mut set = Set::default();
    for source in sources {
        let mut check = Check { file: source.name, problems: Vec::new(), strict: true };
        if source.name.ends_with(FLAGD) {
            set.flagd(&mut check, source.text);
            set.problems.append(&mut check.problems);
            continue;
        }
        match documents(source.name, source.text) {
            Ok(nodes) => nodes.iter().for_each(|node| set.document(&mut check, node)),
            Err(problem) => {
                check.problems.push(problem);
                set.incomplete = true;
            }
        }
        set.problems.append(&mut check.problems);
    }
    set.finish()
}

/// Reads and validates a set of definitions of which each is one JSON text. There are no positions in the complaints.
pub(crate) fn parse_json<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Definitions, Vec<Problem>> {
    let mut set = Set::default();
    let mut check = Check { file: "config record", problems: Vec::new(), strict: false };
    for text in texts {
        // `serde_json` stops at a depth of 128.
        match serde_json::from_str(text) {
            Ok(json) => set.document(&mut check, &from_json(&json)),
            Err(problem) => check.complain(Place::default(), format!("this is not JSON: {problem}")),
        }
    }
    set.problems = check.problems;
    set.finish()
}

#[derive(Default)]
struct Set {
    definitions: Definitions,
    places: Places,
    problems: Vec<Problem>,
    /// Something could not be read, so that nobody knows what it would have defined.
    incomplete: bool,
}

const KINDS: [&str; 9] =
    ["experiment", "metric", "layer", "holdout", "flag", "schema", "settings", "retired", "filters"];

impl Set {
    fn finish(mut self) -> Result<Definitions, Vec<Problem>> {
        let count = self.places.defined.len();
        let mut complain = |message| self.problems.push(Problem::new("definitions", Place::default(), message));
        if count > DOCUMENTS_MAX {
            complain(format!("{count} definitions are more than the {DOCUMENTS_MAX} that one set may have"));
        }
        if self.definitions.schemas.len() > SCHEMAS_MAX {
            complain(format!("{} schemas; at most {SCHEMAS_MAX} are possible", self.definitions.schemas.len()));
        }
        validate::references(&self.definitions, &self.places, self.incomplete, &mut self.problems);
        if self.problems.is_empty() { Ok(self.definitions) } else { Err(self.problems) }
    }

    fn document(&mut self, check: &mut Check<'_>, node: &Node) {
        self.incomplete |= self.definition(check, node).is_none();
    }

    /// Flags of a file of flagd. What of them cannot be evaluated is found when they are compiled, and spoils no other.
    fn flagd(&mut self, check: &mut Check<'_>, text: &str) {
        let import = match serde_json::from_str::<IgnoredAny>(text) {
            Err(problem) => {
                Err((Place { line: problem.line(), column: problem.column() }, format!("this is not JSON: {problem}")))
            }
            Ok(_) => flagd::import(text).map_err(|problem| (Place::default(), problem)),
        };
        let import = match import {
            Ok(import) => import,
            Err((place, problem)) => {
                check.complain(place, problem);
                self.incomplete = true;
                return;
            }
        };
        let places = flagd_places(check.file, text);
        let place = |key: &str| places.get(key).copied().unwrap_or_default();
        for (key, reason) in import.refused {
            check.complain(place(&key), format!("flag '{key}': {reason}"));
            self.incomplete = true;
        }
        for (key, flag) in import.flags {
            if check.is_id(&key, place(&key)) && self.is_new(check, "flag", &key, place(&key)) {
                self.definitions.flags.insert(key, flag);
            } else {
                self.incomplete = true;
            }
        }
    }

    /// `None` when it could not be read.
    fn definition(&mut self, check: &mut Check<'_>, node: &Node) -> Option<()> {
        let map = check.map(node, "a document", &[])?;
        let kind = check.required(map, "kind", "a document").and_then(|node| check.scalar(node, "kind"))?;
        let Some(&kind) = KINDS.iter().find(|known| **known == kind) else {
            let near = nearest(kind, KINDS);
            check.complain(map.place_of("kind"), format!("kind '{kind}' is none of {}{near}", KINDS.join(", ")));
            return None;
        };
        let place = map.place_of("id");
        match kind {
            "experiment" => {
                let read = experiment(check, node)?;
                for (metric, place) in read.in_place {
                    if self.is_new(check, "metric", &metric.id, place) {
                        self.definitions.metrics.insert(metric.id.clone(), metric);
                    }
                }
                let experiment = read.experiment;
                if self.is_new(check, kind, &experiment.id, place) {
                    self.uses(check, &experiment.id, read.uses);
                    self.definitions.experiments.insert(experiment.id.clone(), experiment);
                }
            }
            "metric" => {
                let metric = metric(check, node, &METRIC_KEYS)?;
                if self.is_new(check, kind, &metric.id, place) {
                    self.definitions.metrics.insert(metric.id.clone(), metric);
                }
            }
            "layer" => {
                let layer = layer(check, node)?;
                if self.is_new(check, kind, &layer.id, place) {
                    self.definitions.layers.insert(layer.id.clone(), layer);
                }
            }
            "holdout" => {
                let holdout = holdout(check, node)?;
                if self.is_new(check, kind, &holdout.id, place) {
                    self.definitions.holdouts.insert(holdout.id.clone(), holdout);
                }
            }
            "flag" => {
                let (flag, uses) = flag(check, node)?;
                if self.is_new(check, kind, &flag.id, place) {
                    self.uses(check, &flag.id, uses);
                    self.definitions.flags.insert(flag.id.clone(), flag);
                }
            }
            "schema" => {
                let schema = schema(check, node)?;
                if self.is_new(check, kind, &schema.id.to_string(), place) {
                    self.definitions.schemas.insert(schema.id, schema);
                }
            }
            "settings" => {
                let change = settings(check, node)?;
                if self.is_new(check, kind, &format_time(change.from), map.place_of("from")) {
                    self.definitions.settings.insert(change.from, change);
                }
            }
            "retired" => {
                let (id, salts) = retired(check, node)?;
                if self.is_new(check, kind, &id, place) {
                    self.definitions.retired.insert(id, salts);
                }
            }
            _ => self.definitions.filters.extend(filters(check, node)?),
        }
        Some(())
    }

    fn uses(&mut self, check: &Check<'_>, user: &str, uses: Uses) {
        let written = |place| (check.file.to_owned(), place);
        let uses = uses.into_iter().map(|(kind, id, place)| ((user.to_owned(), kind, id), written(place)));
        self.places.used.extend(uses);
    }

    fn is_new(&mut self, check: &mut Check<'_>, kind: &'static str, id: &str, place: Place) -> bool {
        // Flags and experiments are asked for by the same key, so they share their ids.
        let rival = |kind: &'static str| self.places.defined.get(&(kind, id.to_owned())).map(|place| (kind, place));
        let known = match kind {
            "experiment" | "flag" => rival("experiment").or_else(|| rival("flag")),
            _ => rival(kind),
        };
        if let Some((other, (file, first))) = known {
            check.complain(
                place,
                format!("{kind} '{id}' is defined twice; as {other} first in {file} on line {}", first.line),
            );
            return false;
        }
        self.places.defined.insert((kind, id.to_owned()), (check.file.to_owned(), place));
        true
    }
}

/// Where the keys of flags stand. JSON is YAML too, whose reader knows places; where it refuses what JSON allows there are none.
fn flagd_places(file: &str, text: &str) -> BTreeMap<String, Place> {
    let nodes = documents(file, text).unwrap_or_default();
    let map = |node: &Node| match &node.content {
        Content::Map(entries) => {
            entries.iter().map(|(key, node)| (key.name.clone(), key.place, node.clone())).collect()
        }
        _ => Vec::new(),
    };
    let files = nodes.iter().flat_map(map).filter(|(name, ..)| name == "flags");
    files.flat_map(|(_, _, flags)| map(&flags)).map(|(key, place, _)| (key, place)).collect()
}

/// An experiment, the metrics that it defines itself, and what it names where.
struct Read {
    experiment: Experiment,
    in_place: Vec<(Metric, Place)>,
    uses: Uses,
}

/// Kind and id of each definition that one names, and where.
pub(crate) type Uses = Vec<(&'static str, String, Place)>;

const EXPERIMENT_KEYS: [&str; 22] = [
    "kind",
    "id",
    "title",
    "hypothesis",
    "owner",
    "status",
    "unit",
    "unit_name",
    "assignment",
    "salt",
    "layer",
    "slots",
    "traffic",
    "variants",
    "targeting",
    "crossing",
    "metrics",
    "segments",
    "analysis",
    "description",
    "environments",
    "overrides",
];

fn experiment(check: &mut Check<'_>, node: &Node) -> Option<Read> {
    let map = check.map(node, "an experiment", &EXPERIMENT_KEYS)?;
    let id = check.id(map, "an experiment");
    check.description(map);
    let status = [
        ("draft", Status::Draft),
        ("running", Status::Running),
        ("paused", Status::Paused),
        ("stopped", Status::Stopped),
    ];
    let assignment = [("xp1", Assignment::Xp1), ("external", Assignment::External)];
    let crossing = [("exclude", Crossing::Exclude), ("first", Crossing::First), ("assigned", Crossing::Assigned)];
    let (metrics, in_place, mut uses) = metric_uses(check, map);
    uses.extend(check.text(map, "layer", 64).map(|layer| ("layer", layer, map.place_of("layer"))));
    let variants = variants(check, map);
    let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
    let experiment = Experiment {
        environments: environments(check, map),
        overrides: overrides(check, map, &names),
        id: id.clone().unwrap_or_default(),
        title: check.text(map, "title", 200).unwrap_or_default(),
        hypothesis: check.text(map, "hypothesis", 2_000).unwrap_or_default(),
        owner: check.text(map, "owner", 200).unwrap_or_default(),
        status: check.choice(map, "status", &status).unwrap_or(Status::Draft),
        unit: check.text(map, "unit", 32).unwrap_or_else(|| "user".to_owned()),
        unit_name: check.text(map, "unit_name", 32).unwrap_or_default(),
        assignment: check.choice(map, "assignment", &assignment).unwrap_or(Assignment::Xp1),
        salt: check.text(map, "salt", 64),
        layer: layer_share(check, map, uses.last().filter(|(kind, ..)| *kind == "layer").map(|(_, id, _)| id.clone())),
        variants,
        targeting: map.get("targeting").map(|node| {
            validate::logic(check, node);
            node.to_json()
        }),
        crossing: check.choice(map, "crossing", &crossing).unwrap_or(Crossing::Exclude),
        metrics,
        segments: segments(check, map),
        analysis: analysis(check, map),
    };
    if experiment.crossing == Crossing::Assigned && experiment.assignment == Assignment::External {
        check.complain(
            map.place_of("crossing"),
            "crossing: assigned needs assignment: xp1, because nobody else's choice is known",
        );
    }
    id.map(|_| Read { experiment, in_place, uses })
}

fn variants(check: &mut Check<'_>, map: Map<'_>) -> Vec<Variant> {
    let Some(node) = check.required(map, "variants", "an experiment") else { return Vec::new() };
    let mut variants: Vec<Variant> = Vec::new();
    for item in check.list(node, "variants") {
        let Some(one) = check.map(item, "a variant", &["name", "title", "control", "weight"]) else { continue };
        let Some(name) = check.required_text(one, "name", 32, "a variant") else { continue };
        if variants.iter().any(|variant| variant.name == name) {
            check.complain(one.place_of("name"), format!("variant '{name}' stands twice"));
        }
        let weight = one
            .get("weight")
            .map_or(Some(1_000_000), |node| check.millionths(node, "weight", true))
            .unwrap_or(1_000_000);
        if weight < 0 {
            check.complain(one.place_of("weight"), "a weight is never negative");
        }
        let control = check.boolean(one, "control").unwrap_or(false);
        let title = check.text(one, "title", 200).unwrap_or_default();
        variants.push(Variant { name, title, control, weight: weight.unsigned_abs() });
    }
    if !(2..=VARIANTS_MAX).contains(&variants.len()) {
        check.complain(node.place, format!("{} variants; 2 to {VARIANTS_MAX} are allowed", variants.len()));
    }
    let controls = variants.iter().filter(|variant| variant.control).count();
    if controls != 1 {
        check.complain(node.place, format!("{controls} variants have 'control: true'; exactly one must"));
    }
    if !variants.is_empty() && variants.iter().all(|variant| variant.weight == 0) {
        check.complain(node.place, "all weights are 0; nobody would get a variant");
    }
    variants
}

fn layer_share(check: &mut Check<'_>, map: Map<'_>, layer: Option<String>) -> Option<LayerShare> {
    let slots = map.get("slots").map(|node| slots(check, node));
    let traffic = map.get("traffic").and_then(|node| check.millionths(node, "traffic", true));
    if traffic.is_some_and(|share| !(1..=1_000_000).contains(&share)) {
        check.complain(map.place_of("traffic"), "traffic must be above 0 and at most 100%");
    }
    let Some(layer) = layer else {
        for key in ["slots", "traffic"].into_iter().filter(|key| map.get(key).is_some()) {
            check.complain(map.place_of(key), format!("'{key}' needs a 'layer'"));
        }
        return None;
    };
    if map.get("slots").is_some() && map.get("traffic").is_some() {
        check.complain(map.place_of("traffic"), "write either 'slots' or 'traffic', not both");
    }
    // Who writes neither wants the whole layer.
    let traffic = slots.is_none().then(|| traffic.map_or(1_000_000, |share| share.clamp(0, 1_000_000) as u32));
    Some(LayerShare { layer, slots, traffic })
}

fn slots(check: &mut Check<'_>, node: &Node) -> Vec<(u32, u32)> {
    let mut slots: Vec<(u32, u32)> = Vec::new();
    for item in check.list(node, "slots") {
        let bounds: Vec<Option<u32>> = check
            .list(item, "a range of slots")
            .iter()
            .map(|bound| bound.number().and_then(|text| text.parse().ok()))
            .collect();
        match bounds.as_slice() {
            [Some(start), Some(end)] if start < end && *end <= 1_000_000 => slots.push((*start, *end)),
            _ => check.complain(item.place, "a range of slots is [start, end) with start < end, from 0 to 1000000"),
        }
    }
    slots.sort_unstable();
    if slots.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        check.complain(node.place, "ranges of slots overlap each other");
    }
    let slots = join(slots);
    if slots.len() > SLOT_RANGES_MAX {
        check.complain(node.place, format!("{} ranges of slots; at most {SLOT_RANGES_MAX} are allowed", slots.len()));
    }
    slots
}

/// Sorted ranges with neighbours joined, so that the same slots are always written in the same way.
pub(crate) fn join(sorted: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
    for (from, to) in sorted {
        match joined.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => joined.push((from, to)),
        }
    }
    joined
}

type MetricUses = (Vec<MetricUse>, Vec<(Metric, Place)>, Uses);

fn metric_uses(check: &mut Check<'_>, map: Map<'_>) -> MetricUses {
    let (mut uses, mut in_place, mut places): MetricUses = Default::default();
    let Some(node) = map.get("metrics") else { return (uses, in_place, places) };
    const USE: [&str; 5] = ["metric", "role", "minimum_effect", "margin", "action"];
    for item in check.list(node, "metrics") {
        let what = "a metric of an experiment";
        let Some(any) = check.map(item, what, &[]) else { continue };
        // Only what says how a number comes about is a definition; everything else was meant to name one.
        let defines = any.get("metric").is_none() && ["id", "type"].iter().any(|key| any.get(key).is_some());
        let id = if defines {
            let known: Vec<&str> = METRIC_KEYS.iter().filter(|key| **key != "kind").chain(&USE[1..]).copied().collect();
            metric(check, item, &known).map(|metric| {
                let id = metric.id.clone();
                in_place.push((metric, any.place_of("id")));
                id
            })
        } else {
            let before = check.problems.len();
            let Some(one) = check.map(item, what, &USE) else { continue };
            if one.get("metric").is_none() && check.problems.len() == before {
                let problem = "a metric of an experiment needs 'metric', the id of one of the catalogue, or 'id', 'type' and 'event' to define one here";
                check.complain(item.place, problem);
            }
            let id = check.text(one, "metric", 64);
            places.extend(id.iter().map(|id| ("metric", id.clone(), one.place_of("metric"))));
            id
        };
        let Some(metric) = id else { continue };
        if uses.iter().any(|known| known.metric == metric) {
            check.complain(item.place, format!("metric '{metric}' stands twice"));
        }
        let role = [("primary", Role::Primary), ("secondary", Role::Secondary), ("guardrail", Role::Guardrail)];
        let action =
            [("alert", GuardrailAction::Alert), ("pause", GuardrailAction::Pause), ("stop", GuardrailAction::Stop)];
        let used = MetricUse {
            metric,
            role: check.choice(any, "role", &role).unwrap_or(Role::Secondary),
            minimum_effect: any.get("minimum_effect").and_then(|node| check.millionths(node, "minimum_effect", true)),
            margin: any.get("margin").and_then(|node| check.millionths(node, "margin", true)),
            action: check.choice(any, "action", &action),
        };
        if used.role != Role::Guardrail {
            for key in ["margin", "action"].into_iter().filter(|key| any.get(key).is_some()) {
                check.complain(
                    any.place_of(key),
                    format!("'{key}' is for guardrails; write role: guardrail, or leave it out"),
                );
            }
        }
        for (key, value) in [("margin", used.margin), ("minimum_effect", used.minimum_effect)] {
            if value.is_some_and(|value| value <= 0) {
                check.complain(any.place_of(key), format!("{key} must be above 0"));
            }
        }
        uses.push(used);
    }
    if uses.len() > METRICS_MAX {
        check.complain(node.place, format!("{} metrics; at most {METRICS_MAX} are allowed", uses.len()));
    }
    (uses, in_place, places)
}

fn segments(check: &mut Check<'_>, map: Map<'_>) -> Vec<Segment> {
    let Some(node) = map.get("segments") else { return Vec::new() };
    let mut segments: Vec<Segment> = Vec::new();
    for item in check.list(node, "segments") {
        let segment = match &item.content {
            Content::Scalar { text, .. } => {
                if text.is_empty() || text.len() > 64 {
                    check.complain(item.place, format!("a segment has {} bytes; 1 to 64 are allowed", text.len()));
                }
                Segment { attribute: text.clone(), values: None }
            }
            _ => {
                let Some(one) = check.map(item, "a segment", &["attribute", "values"]) else { continue };
                let Some(attribute) = check.required_text(one, "attribute", 64, "a segment") else { continue };
                let values = match one.get("values").map(|node| (node, &node.content)) {
                    None => None,
                    Some((_, Content::Scalar { text, .. })) if text == "auto" => None,
                    Some((node, _)) => {
                        let listed = check.list(node, "values (or auto)");
                        Some(listed.iter().filter_map(|value| check.attribute_value(value, "a value")).collect())
                    }
                };
                Segment { attribute, values }
            }
        };
        let listed = segment.values.as_deref().unwrap_or_default();
        if listed.len() > SEGMENT_VALUES_MAX {
            check.complain(item.place, format!("{} values; at most {SEGMENT_VALUES_MAX} are allowed", listed.len()));
        }
        if (1..listed.len()).any(|at| listed[..at].contains(&listed[at])) || listed.iter().any(|value| value == "other")
        {
            check.complain(
                item.place,
                "values must differ from each other and from 'other', which stands for all that are not listed",
            );
        }
        if segments.iter().any(|known| known.attribute == segment.attribute) {
            check.complain(item.place, format!("segment '{}' stands twice", segment.attribute));
        }
        segments.push(segment);
    }
    if segments.len() > SEGMENTS_MAX {
        check.complain(node.place, format!("{} segments; at most {SEGMENTS_MAX} are allowed", segments.len()));
    }
    segments
}

fn analysis(check: &mut Check<'_>, map: Map<'_>) -> Analysis {
    // N* of 10,000 is the published choice for experiments without a plan.
    let usual = Analysis { method: Method::AlwaysValid, alpha: 50_000, planned_units: 10_000 };
    let Some(one) =
        map.get("analysis").and_then(|node| check.map(node, "analysis", &["method", "alpha", "planned_units"]))
    else {
        return usual;
    };
    let methods = [
        ("always_valid", Method::AlwaysValid),
        ("fixed_horizon", Method::FixedHorizon),
        ("group_sequential", Method::GroupSequential),
        ("bayesian", Method::Bayesian),
    ];
    let alpha = one.get("alpha").and_then(|node| check.millionths(node, "alpha", false)).unwrap_or(50_000);
    if !(1..=500_000).contains(&alpha) {
        check.complain(one.place_of("alpha"), "alpha must be above 0 and at most 0.5");
    }
    Analysis {
        method: check.choice(one, "method", &methods).unwrap_or(usual.method),
        alpha: alpha.clamp(1, 500_000) as u32,
        planned_units: check.whole(one, "planned_units", 1, 1_000_000_000_000).unwrap_or(usual.planned_units),
    }
}
