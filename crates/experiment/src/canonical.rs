//! Canonical JSON of definitions: the bodies of config records. Keys are sorted, defaults written out, numbers exact.
//!
//! Reading back goes through the same rules as what people write.

use crate::decimal::decimal_text;
use crate::parse::parse_json;
use crate::{
    Assignment, Covariate, Crossing, Definitions, Direction, EventId, EventMatch, Experiment, Flag, FlagKind,
    FlagOutcome, GuardrailAction, Maturity, Method, Metric, MetricKind, RatioPart, Role, Span, Status, Value,
    WriterSchema,
};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// One canonical text per definition; metrics first, experiments last.
pub fn parts(all: &Definitions) -> Vec<String> {
    let metrics = all.metrics.values().map(metric);
    let layers = all
        .layers
        .values()
        .map(|it| without_null(json!({"kind": "layer", "id": it.id, "unit": it.unit, "salt": it.salt})));
    let holdouts = all.holdouts.values().map(|it| {
        without_null(
            json!({"kind": "holdout", "id": it.id, "unit": it.unit, "share": micro(it.share.into()), "salt": it.salt}),
        )
    });
    let flags = all.flags.values().map(flag);
    let schemas = all.schemas.values().map(schema);
    let retired = all.retired.iter().map(|(id, salts)| json!({"kind": "retired", "id": id, "salts": salts}));
    let filters = (!all.filters.is_empty()).then(
        || json!({"kind": "filters", "where": all.filters.iter().map(|filter| object(filter)).collect::<Vec<_>>()}),
    );
    let experiments = all.experiments.values().map(experiment);
    let first = metrics.chain(layers).chain(holdouts).chain(flags).chain(schemas);
    first.chain(retired).chain(filters).chain(experiments).map(|json| json.to_string()).collect()
}

/// Definitions from canonical texts. `Err` lists the problems.
pub fn definitions<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Definitions, String> {
    parse_json(parts).map_err(|problems| problems.iter().map(|it| it.message.as_str()).collect::<Vec<_>>().join("; "))
}

/// A filter as an object.
fn object(filter: &[(String, String)]) -> Json {
    filter.iter().map(|(name, text)| (name.clone(), json!(text))).collect::<Map<_, _>>().into()
}

fn schema(it: &WriterSchema) -> Json {
    let avro: Json = serde_json::from_str(&it.avro).expect("it was JSON when it was read");
    let guid = it.guid.map(|guid| EventId(u128::from_be_bytes(guid)).to_string());
    without_null(json!({"kind": "schema", "id": it.id, "guid": guid, "avro": avro}))
}

fn experiment(it: &Experiment) -> Json {
    let variants: Vec<Json> = it
        .variants
        .iter()
        .map(|one| {
            let weight = micro(one.weight as i64);
            without_null(json!({"name": one.name, "title": some(&one.title), "control": one.control, "weight": weight}))
        })
        .collect();
    let metrics: Vec<Json> = it
        .metrics
        .iter()
        .map(|one| {
            without_null(json!({
                "metric": one.metric,
                "role": match one.role { Role::Primary => "primary", Role::Secondary => "secondary", Role::Guardrail => "guardrail" },
                "minimum_effect": one.minimum_effect.map(micro),
                "margin": one.margin.map(micro),
                "action": one.action.map(|action| match action {
                    GuardrailAction::Alert => "alert", GuardrailAction::Pause => "pause", GuardrailAction::Stop => "stop",
                }),
            }))
        })
        .collect();
    let segments: Vec<Json> = it
        .segments
        .iter()
        .map(|one| json!({"attribute": one.attribute, "values": one.values.clone().map_or(json!("auto"), Json::from)}))
        .collect();
    let share = it.layer.as_ref();
    without_null(json!({
        "kind": "experiment", "id": it.id, "title": some(&it.title), "hypothesis": some(&it.hypothesis), "owner": some(&it.owner),
        "status": match it.status {
            Status::Draft => "draft", Status::Running => "running", Status::Paused => "paused", Status::Stopped => "stopped",
        },
        "unit": it.unit, "unit_name": some(&it.unit_name),
        "assignment": match it.assignment { Assignment::Xp1 => "xp1", Assignment::External => "external" },
        "salt": it.salt, "layer": share.map(|share| &share.layer),
        "slots": share.and_then(|share| share.slots.as_ref()),
        "traffic": share.and_then(|share| share.traffic).map(|share| micro(share.into())),
        "variants": variants, "targeting": it.targeting,
        "crossing": match it.crossing { Crossing::Exclude => "exclude", Crossing::First => "first", Crossing::Assigned => "assigned" },
        "metrics": metrics, "segments": segments,
        "environments": some_set(&it.environments), "overrides": some_map(&it.overrides),
        "analysis": {
            "method": match it.analysis.method {
                Method::AlwaysValid => "always_valid", Method::FixedHorizon => "fixed_horizon",
                Method::GroupSequential => "group_sequential", Method::Bayesian => "bayesian",
            },
            "alpha": micro(it.analysis.alpha.into()), "planned_units": it.analysis.planned_units,
        },
    }))
}

fn metric(it: &Metric) -> Json {
    let mut out = json!({
        "kind": "metric", "id": it.id, "name": it.name, "unit": some(&it.unit), "window": it.window.map(span),
        "cap": it.cap.map(number), "floor": it.floor.map(number),
        "covariate": it.covariate.as_ref().map(|covariate| match covariate {
            Covariate::Attribute(name) => json!({"attribute": name}),
            Covariate::Event { event, before } => with_event(json!({"before": span(*before)}), event),
        }),
        "direction": match it.direction { Direction::Increase => "increase", Direction::Decrease => "decrease" },
        "maturity": match it.maturity { Maturity::Open => "open", Maturity::Matured => "matured" },
    });
    let (name, event) = match &it.kind {
        MetricKind::Conversion(event) => ("conversion", Some(event)),
        MetricKind::Count(event) => ("count", Some(event)),
        MetricKind::Sum(event) => ("sum", Some(event)),
        MetricKind::Ratio { numerator, denominator } => {
            out["numerator"] = part(numerator);
            out["denominator"] = part(denominator);
            ("ratio", None)
        }
        MetricKind::Retention { event, from, to } => {
            out["from"] = json!(span(*from));
            out["to"] = json!(span(*to));
            ("retention", Some(event))
        }
        MetricKind::Quantile { event, quantile } => {
            out["quantile"] = micro((*quantile).into());
            ("quantile", Some(event))
        }
    };
    out["type"] = json!(name);
    without_null(match event {
        Some(event) => with_event(out, event),
        None => out,
    })
}

fn with_event(mut out: Json, event: &EventMatch) -> Json {
    out["event"] = json!(event.name);
    if !event.filter.is_empty() {
        out["where"] = object(&event.filter);
    }
    out
}

fn part(part: &RatioPart) -> Json {
    with_event(json!({"value": if part.sum { "sum" } else { "count" }}), &part.event)
}

fn flag(it: &Flag) -> Json {
    let rules: Vec<Json> = it
        .rules
        .iter()
        .map(|rule| {
            let mut out = json!({"name": some(&rule.name), "if": rule.condition});
            match &rule.outcome {
                FlagOutcome::Serve(variant) => out["serve"] = json!(variant),
                FlagOutcome::Experiment(id) => out["experiment"] = json!(id),
                FlagOutcome::Rollout(shares) => {
                    out["rollout"] = shares
                        .iter()
                        .map(|(name, share)| (name.clone(), micro((*share).into())))
                        .collect::<Map<_, _>>()
                        .into();
                }
            }
            without_null(out)
        })
        .collect();
    let prerequisites: Vec<Json> =
        it.prerequisites.iter().map(|one| json!({"flag": one.flag, "variant": one.variant})).collect();
    without_null(json!({
        "kind": "flag", "id": it.id, "enabled": it.enabled, "default": it.default, "salt": it.salt, "unit": it.unit,
        "rules": it.targeting.is_none().then_some(rules), "targeting": it.targeting,
        "environments": some_set(&it.environments), "overrides": some_map(&it.overrides),
        "prerequisites": (!prerequisites.is_empty()).then_some(prerequisites), "metadata": some_map(&it.metadata),
        "type": match it.kind {
            FlagKind::Boolean => "boolean", FlagKind::String => "string", FlagKind::Number => "number", FlagKind::Object => "object",
        },
        "variants": it.variants.iter().cloned().collect::<Map<_, _>>(),
    }))
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// What definitions did not have at first is left out where it says nothing, so that older bodies keep their bytes.
fn some_set(set: &BTreeSet<String>) -> Option<&BTreeSet<String>> {
    (!set.is_empty()).then_some(set)
}

fn some_map<V>(map: &BTreeMap<String, V>) -> Option<&BTreeMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

/// Millionths as an exact decimal number.
fn micro(millionths: i64) -> Json {
    number(Value(millionths))
}

fn number(value: Value) -> Json {
    // Written as text by `decimal_text` and kept as such: at most 16 digits, which a double holds exactly enough to print again.
    serde_json::from_str(&decimal_text(value)).expect("a decimal is JSON")
}

fn span(span: Span) -> String {
    let units = [(Span::DAY, 'd'), (Span::HOUR, 'h'), (Span::MINUTE, 'm')];
    let fit = units.into_iter().find(|(unit, _)| span.0 % unit.0 == 0);
    let (unit, letter) = fit.unwrap_or((Span::SECOND, 's'));
    format!("{}{letter}", span.0 / unit.0)
}

fn without_null(json: Json) -> Json {
    match json {
        Json::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into(),
        other => other,
    }
}
