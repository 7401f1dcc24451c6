//! Flags, layers and holdouts from YAML.

use crate::parse::Uses;
use crate::parse_serving::{environments, overrides};
use crate::read::{Check, Map};
use crate::yaml::Node;
use crate::{Flag, FlagKind, FlagOutcome, FlagRule, Holdout, Layer, Prerequisite, validate};
use std::collections::BTreeMap;

pub(crate) fn layer(check: &mut Check<'_>, node: &Node) -> Option<Layer> {
    let map = check.map(node, "a layer", &["kind", "id", "unit", "salt", "title", "owner", "description"])?;
    check.for_people(map);
    let id = check.id(map, "a layer")?;
    Some(Layer {
        id,
        unit: check.text(map, "unit", 32).unwrap_or_else(|| "user".to_owned()),
        salt: check.text(map, "salt", 64),
    })
}

pub(crate) fn holdout(check: &mut Check<'_>, node: &Node) -> Option<Holdout> {
    let map =
        check.map(node, "a holdout", &["kind", "id", "unit", "share", "salt", "title", "owner", "description"])?;
    check.for_people(map);
    let id = check.id(map, "a holdout")?;
    let share = check.required(map, "share", "a holdout").and_then(|node| check.millionths(node, "share", true))?;
    if !(1..1_000_000).contains(&share) {
        check.complain(map.place_of("share"), "share must lie between 0 and 100%");
    }
    let unit = check.text(map, "unit", 32).unwrap_or_else(|| "user".to_owned());
    Some(Holdout { id, unit, share: share.clamp(0, 1_000_000) as u32, salt: check.text(map, "salt", 64) })
}

/// Variants of a flag.
const VARIANTS_MAX: usize = 64;
/// Rules of a flag; they are tried one after the other.
const RULES_MAX: usize = 256;

/// Prerequisites of a flag; each is an evaluation of its own.
const PREREQUISITES_MAX: usize = 16;
/// What a flag may tell whoever reads an answer; it goes over the wire with each.
const METADATA_MAX: usize = 32;

const FLAG_KEYS: [&str; 17] = [
    "kind",
    "id",
    "type",
    "enabled",
    "variants",
    "default",
    "rules",
    "salt",
    "unit",
    "title",
    "owner",
    "description",
    "environments",
    "overrides",
    "prerequisites",
    "targeting",
    "metadata",
];

pub(crate) fn flag(check: &mut Check<'_>, node: &Node) -> Option<(Flag, Uses)> {
    let map = check.map(node, "a flag", &FLAG_KEYS)?;
    let id = check.id(map, "a flag");
    check.for_people(map);
    let kinds = [
        ("boolean", FlagKind::Boolean),
        ("string", FlagKind::String),
        ("number", FlagKind::Number),
        ("object", FlagKind::Object),
    ];
    check.required(map, "type", "a flag");
    let kind = check.choice(map, "type", &kinds);
    let variants = variants(check, map, kind);
    let default = check.text(map, "default", 32);
    if let Some(default) = default.as_deref().filter(|default| !variants.iter().any(|(name, _)| name == default)) {
        check.complain(map.place_of("default"), format!("default '{default}' is no variant of this flag"));
    }
    let mut uses = Uses::new();
    let rules = map.get("rules").map(|node| {
        let rules = check.list(node, "rules");
        if rules.len() > RULES_MAX {
            check.complain(node.place, format!("{} rules; at most {RULES_MAX} are allowed", rules.len()));
        }
        let rules = rules.iter().take(RULES_MAX);
        rules.filter_map(|rule| flag_rule(check, rule, &variants, &mut uses)).collect()
    });
    let targeting = map.get("targeting").map(|node| {
        validate::logic(check, node);
        node.to_json()
    });
    if targeting.is_some() && rules.is_some() {
        check.complain(map.place_of("targeting"), "write either 'rules' or 'targeting', not both");
    }
    let names: Vec<&str> = variants.iter().map(|(name, _)| name.as_str()).collect();
    let flag = Flag {
        id: id?,
        kind: kind?,
        enabled: check.boolean(map, "enabled").unwrap_or(true),
        environments: environments(check, map),
        overrides: overrides(check, map, &names),
        prerequisites: prerequisites(check, map, &mut uses),
        targeting,
        metadata: metadata(check, map),
        variants,
        default,
        rules: rules.unwrap_or_default(),
        salt: check.text(map, "salt", 64),
        unit: check.text(map, "unit", 32).unwrap_or_else(|| "user".to_owned()),
    };
    Some((flag, uses))
}

fn prerequisites(check: &mut Check<'_>, map: Map<'_>, uses: &mut Uses) -> Vec<Prerequisite> {
    let Some(node) = map.get("prerequisites") else { return Vec::new() };
    let mut all: Vec<Prerequisite> = Vec::new();
    for item in check.list(node, "prerequisites") {
        let Some(one) = check.map(item, "a prerequisite", &["flag", "variant"]) else { continue };
        let flag = check.required_text(one, "flag", 64, "a prerequisite");
        let variant = check.required_text(one, "variant", 32, "a prerequisite");
        let Some((flag, variant)) = flag.zip(variant) else { continue };
        if all.iter().any(|known| known.flag == flag) {
            check.complain(item.place, format!("flag '{flag}' stands twice in the prerequisites"));
        }
        uses.push(("flag", flag.clone(), one.place_of("flag")));
        all.push(Prerequisite { flag, variant });
    }
    if all.len() > PREREQUISITES_MAX {
        check.complain(node.place, format!("{} prerequisites; at most {PREREQUISITES_MAX} are allowed", all.len()));
    }
    all
}

fn metadata(check: &mut Check<'_>, map: Map<'_>) -> BTreeMap<String, serde_json::Value> {
    let mut all = BTreeMap::new();
    let Some(node) = map.get("metadata") else { return all };
    let Some(entries) = check.map(node, "metadata", &[]) else { return all };
    for (key, node) in entries.entries() {
        if key.name.is_empty() || key.name.len() > 64 {
            check.complain(key.place, "a name in the metadata has 1 to 64 bytes");
        }
        let value = node.to_json();
        match &value {
            serde_json::Value::String(text) if text.len() > 256 => {
                check.complain(node.place, format!("'{}' has {} bytes; at most 256 are allowed", key.name, text.len()));
            }
            serde_json::Value::String(_) | serde_json::Value::Number(_) | serde_json::Value::Bool(_) => {}
            _ => check.complain(node.place, format!("'{}' must be a text, a number, true or false", key.name)),
        }
        all.insert(key.name.clone(), value);
    }
    if all.len() > METADATA_MAX {
        check.complain(node.place, format!("{} values of metadata; at most {METADATA_MAX} are allowed", all.len()));
    }
    all
}

fn variants(check: &mut Check<'_>, map: Map<'_>, kind: Option<FlagKind>) -> Vec<(String, serde_json::Value)> {
    let Some(node) = check.required(map, "variants", "a flag") else { return Vec::new() };
    let Some(entries) = check.map(node, "variants", &[]) else { return Vec::new() };
    let mut variants = Vec::new();
    for (key, node) in entries.entries() {
        let value = node.to_json();
        let fits = match kind {
            Some(FlagKind::Boolean) => value.is_boolean(),
            Some(FlagKind::String) => value.is_string(),
            Some(FlagKind::Number) => value.is_number(),
            Some(FlagKind::Object) => value.is_object(),
            None => true,
        };
        if !fits {
            check.complain(node.place, format!("variant '{}' has a value of another type than the flag", key.name));
        }
        if key.name.is_empty() || key.name.len() > 32 {
            check.complain(key.place, "the name of a variant has 1 to 32 bytes");
        }
        variants.push((key.name.clone(), value));
    }
    if !(1..=VARIANTS_MAX).contains(&variants.len()) {
        check.complain(node.place, format!("{} variants; 1 to {VARIANTS_MAX} are allowed", variants.len()));
    }
    variants.sort_by(|one, other| one.0.cmp(&other.0));
    variants
}

fn flag_rule(
    check: &mut Check<'_>,
    node: &Node,
    variants: &[(String, serde_json::Value)],
    uses: &mut Uses,
) -> Option<FlagRule> {
    let map = check.map(node, "a rule", &["name", "if", "serve", "rollout", "experiment"])?;
    let exists = |name: &str| variants.iter().any(|(known, _)| known == name);
    let outcome = match (map.get("serve"), map.get("rollout"), map.get("experiment")) {
        (Some(serve), None, None) => {
            let name = check.scalar(serve, "serve")?;
            if !exists(name) {
                check.complain(serve.place, format!("'{name}' is no variant of this flag"));
            }
            FlagOutcome::Serve(name.to_owned())
        }
        (None, Some(rollout), None) => {
            let entries = check.map(rollout, "rollout", &[])?;
            let mut shares = Vec::new();
            for (key, node) in entries.entries() {
                if !exists(&key.name) {
                    check.complain(key.place, format!("'{}' is no variant of this flag", key.name));
                }
                let share = check.millionths(node, "a share", true)?;
                if !(0..=1_000_000).contains(&share) {
                    check.complain(node.place, "a share lies between 0 and 100%");
                }
                shares.push((key.name.clone(), share.clamp(0, 1_000_000) as u32));
            }
            let sum: u64 = shares.iter().map(|(_, share)| u64::from(*share)).sum();
            if sum != 1_000_000 {
                check.complain(rollout.place, format!("the shares add up to {}%, not 100%", sum as f64 / 10_000.0));
            }
            shares.sort();
            FlagOutcome::Rollout(shares)
        }
        (None, None, Some(_)) => {
            let id = check.text(map, "experiment", 64)?;
            uses.push(("experiment", id.clone(), map.place_of("experiment")));
            FlagOutcome::Experiment(id)
        }
        _ => {
            check.complain(map.place, "a rule needs one of 'serve', 'rollout' and 'experiment'");
            return None;
        }
    };
    let condition = map.get("if").map(|node| {
        validate::logic(check, node);
        node.to_json()
    });
    Some(FlagRule { name: check.text(map, "name", 64).unwrap_or_default(), condition, outcome })
}
