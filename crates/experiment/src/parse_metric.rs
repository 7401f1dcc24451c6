//! Metrics from YAML.

use crate::fields::limit;
use crate::read::{Check, Map};
use crate::yaml::{Content, Node};
use crate::{Covariate, Direction, EventMatch, Maturity, Metric, MetricKind, RatioPart};

pub(crate) const METRIC_KEYS: [&str; 19] = [
    "kind",
    "id",
    "name",
    "unit",
    "type",
    "event",
    "where",
    "window",
    "cap",
    "floor",
    "covariate",
    "direction",
    "maturity",
    "from",
    "to",
    "numerator",
    "denominator",
    "quantile",
    "description",
];

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Conversion,
    Count,
    Sum,
    Ratio,
    Retention,
    Quantile,
}

/// One metric, with these keys allowed.
pub(crate) fn metric(check: &mut Check<'_>, node: &Node, known: &[&str]) -> Option<Metric> {
    let map = check.map(node, "a metric", known)?;
    let id = check.id(map, "a metric");
    check.description(map);
    let types = [
        ("conversion", Type::Conversion),
        ("count", Type::Count),
        ("sum", Type::Sum),
        ("ratio", Type::Ratio),
        ("retention", Type::Retention),
        ("quantile", Type::Quantile),
    ];
    check.required(map, "type", "a metric")?;
    let kind = check.choice(map, "type", &types)?;
    only_for(check, map, kind);
    let event = if kind == Type::Ratio { None } else { event(check, map, "a metric") };
    let window = check.span(map, "window");
    if window.is_some_and(|window| window.0 == 0) {
        check.complain(map.place_of("window"), "a window must be longer than 0");
    }
    let content = match kind {
        Type::Conversion => MetricKind::Conversion(event?),
        Type::Count => MetricKind::Count(event?),
        Type::Sum => MetricKind::Sum(event?),
        Type::Ratio => MetricKind::Ratio {
            numerator: part(check, map, "numerator")?,
            denominator: part(check, map, "denominator")?,
        },
        Type::Retention => {
            check.required(map, "from", "a retention metric");
            check.required(map, "to", "a retention metric");
            let (from, to) = (check.span(map, "from")?, check.span(map, "to")?);
            if from >= to {
                check.complain(map.place_of("to"), "'to' must be later than 'from'");
            }
            MetricKind::Retention { event: event?, from, to }
        }
        Type::Quantile => {
            let quantile = check
                .required(map, "quantile", "a quantile metric")
                .and_then(|node| check.millionths(node, "quantile", true))?;
            if !(1..1_000_000).contains(&quantile) {
                check.complain(map.place_of("quantile"), "quantile must lie between 0 and 1, such as 0.95");
            }
            MetricKind::Quantile { event: event?, quantile: quantile.clamp(1, 999_999) as u32 }
        }
    };
    let id = id?;
    let (cap, floor) = (check.value(map, "cap"), check.value(map, "floor"));
    if let (Some(cap), Some(floor)) = (cap, floor)
        && floor > cap
    {
        check.complain(map.place_of("floor"), "floor must not be above cap");
    }
    // Values that keep growing after the exposure eat into the guarantee, those of conversions least.
    let usual = match kind {
        Type::Retention => Maturity::Matured,
        Type::Conversion => Maturity::Open,
        _ if window.is_some() => Maturity::Matured,
        _ => Maturity::Open,
    };
    let maturity =
        check.choice(map, "maturity", &[("open", Maturity::Open), ("matured", Maturity::Matured)]).unwrap_or(usual);
    if maturity == Maturity::Matured && window.is_none() && kind != Type::Retention {
        check.complain(map.place_of("maturity"), "maturity: matured needs a 'window', whose end makes a unit mature");
    }
    let directions = [("increase", Direction::Increase), ("decrease", Direction::Decrease)];
    Some(Metric {
        unit: unit(check, map),
        name: check.text(map, "name", 200).unwrap_or_else(|| id.clone()),
        id,
        kind: content,
        window,
        cap,
        floor,
        covariate: covariate(check, map),
        direction: check.choice(map, "direction", &directions).unwrap_or(Direction::Increase),
        maturity,
    })
}

/// Complains about keys that mean nothing for this type.
fn only_for(check: &mut Check<'_>, map: Map<'_>, kind: Type) {
    let rules: [(&str, &[Type]); 9] = [
        ("from", &[Type::Retention]),
        ("to", &[Type::Retention]),
        ("numerator", &[Type::Ratio]),
        ("denominator", &[Type::Ratio]),
        ("quantile", &[Type::Quantile]),
        ("cap", &[Type::Count, Type::Sum, Type::Ratio, Type::Quantile]),
        ("floor", &[Type::Count, Type::Sum, Type::Ratio, Type::Quantile]),
        ("unit", &[Type::Sum, Type::Ratio, Type::Quantile]),
        ("covariate", &[Type::Conversion, Type::Count, Type::Sum, Type::Retention]),
    ];
    for (key, types) in rules {
        if map.get(key).is_some() && !types.contains(&kind) {
            check.complain(map.place_of(key), format!("'{key}' means nothing for a metric of this type"));
        }
    }
    let unfit = match kind {
        Type::Ratio => ["event", "where"].as_slice(),
        Type::Retention => &["window"],
        _ => &[],
    };
    for key in unfit.iter().filter(|key| map.get(key).is_some()) {
        check.complain(map.place_of(key), format!("'{key}' means nothing for a metric of this type"));
    }
}

/// What values are counted in, for people.
fn unit(check: &mut Check<'_>, map: Map<'_>) -> String {
    let unit = check.text(map, "unit", 16).unwrap_or_default();
    let currency = unit.len() == 3 && unit.bytes().all(|byte| byte.is_ascii_uppercase());
    if !(unit.is_empty() || currency || unit == "seconds") {
        let problem = format!("unit '{unit}' is neither the code of a currency, such as EUR, nor 'seconds'");
        check.complain(map.place_of("unit"), problem);
    }
    unit
}

fn event(check: &mut Check<'_>, map: Map<'_>, what: &str) -> Option<EventMatch> {
    let name = check.required_text(map, "event", 64, what)?;
    Some(EventMatch { name, filter: filter(check, map) })
}

/// `where: { attribute: value, … }`: all must hold.
fn filter(check: &mut Check<'_>, map: Map<'_>) -> Vec<(String, String)> {
    map.get("where").and_then(|node| conditions(check, node)).unwrap_or_default()
}

/// Attributes and the texts that they must equal, sorted.
pub(crate) fn conditions(check: &mut Check<'_>, node: &Node) -> Option<Vec<(String, String)>> {
    let map = check.map(node, "where", &[])?;
    let mut filter = Vec::new();
    for (key, node) in map.entries() {
        if key.name.is_empty() || key.name.len() > limit::ATTRIBUTE_NAME {
            check.complain(key.place, format!("an attribute's name has 1 to {} bytes", limit::ATTRIBUTE_NAME));
        }
        filter.extend(check.attribute_value(node, "a value").map(|text| (key.name.clone(), text)));
    }
    if filter.len() > limit::ATTRIBUTES {
        check.complain(
            node.place,
            format!("{} conditions; an event has at most {} attributes", filter.len(), limit::ATTRIBUTES),
        );
    }
    filter.sort();
    Some(filter)
}

fn part(check: &mut Check<'_>, map: Map<'_>, key: &str) -> Option<RatioPart> {
    let node = check.required(map, key, "a ratio metric")?;
    let one = check.map(node, key, &["event", "where", "value"])?;
    let sum = check.choice(one, "value", &[("count", false), ("sum", true)]).unwrap_or(false);
    Some(RatioPart { event: event(check, one, key)?, sum })
}

fn covariate(check: &mut Check<'_>, map: Map<'_>) -> Option<Covariate> {
    let node = map.get("covariate")?;
    let one = check.map(node, "covariate", &["attribute", "event", "where", "before"])?;
    if let (Content::Map(_), Some(_)) = (&node.content, one.get("attribute")) {
        if one.get("event").is_some() || one.get("before").is_some() {
            check.complain(one.place, "a covariate is either an attribute, or an event and 'before'");
        }
        return check.text(one, "attribute", 64).map(Covariate::Attribute);
    }
    let event = event(check, one, "a covariate")?;
    check.required(one, "before", "a covariate of an event")?;
    Some(Covariate::Event { event, before: check.span(one, "before")? })
}
