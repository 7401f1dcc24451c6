//! What experiments and flags say about whom edges serve them: environments and overrides.

use crate::Overrides;
use crate::read::{Check, Map};
use std::collections::{BTreeMap, BTreeSet};

/// Environments of one definition; an installation has a handful.
const ENVIRONMENTS_MAX: usize = 32;
/// Units in all overrides of one definition. They are for people who try a variant; whoever needs more has a rule.
const OVERRIDDEN_MAX: usize = 1_000;
/// Bytes of a unit's id, as in events.
const UNIT_MAX: usize = 128;

/// Names of environments; none means all.
pub(crate) fn environments(check: &mut Check<'_>, map: Map<'_>) -> BTreeSet<String> {
    let Some(node) = map.get("environments") else { return BTreeSet::new() };
    let mut names = BTreeSet::new();
    let items = check.list(node, "environments");
    for item in items {
        let Some(name) = check.scalar(item, "an environment") else { continue };
        if name.is_empty() || name.len() > 64 || item.is_null() {
            check.complain(item.place, "the name of an environment has 1 to 64 bytes");
        }
        if !names.insert(name.to_owned()) {
            check.complain(item.place, format!("environment '{name}' stands twice"));
        }
    }
    if !(1..=ENVIRONMENTS_MAX).contains(&items.len()) {
        let message = format!(
            "{} environments; 1 to {ENVIRONMENTS_MAX} are allowed, and leaving 'environments' out means all",
            items.len()
        );
        check.complain(node.place, message);
    }
    names
}

/// Units by the variant that they get.
pub(crate) fn overrides(check: &mut Check<'_>, map: Map<'_>, variants: &[&str]) -> Overrides {
    let mut all: Overrides = BTreeMap::new();
    let Some(node) = map.get("overrides") else { return all };
    let Some(entries) = check.map(node, "overrides", &[]) else { return all };
    let mut count = 0;
    for (key, node) in entries.entries() {
        if !variants.contains(&key.name.as_str()) {
            check.complain(key.place, format!("'{}' is no variant of this definition", key.name));
        }
        let mut units = BTreeSet::new();
        let items = check.list(node, "the units of an override");
        if items.is_empty() {
            check.complain(node.place, "an override needs at least one unit; leave it out, or write a list of ids");
        }
        for item in items {
            let Some(unit) = check.scalar(item, "a unit") else { continue };
            if unit.is_empty() || unit.len() > UNIT_MAX || item.is_null() {
                check.complain(item.place, format!("a unit has {} bytes; 1 to {UNIT_MAX} are allowed", unit.len()));
            }
            let known = all.values().any(|units| units.contains(unit));
            if !units.insert(unit.to_owned()) || known {
                check.complain(item.place, format!("unit '{unit}' stands twice in the overrides"));
            }
        }
        count += items.len();
        all.insert(key.name.clone(), units);
    }
    if count > OVERRIDDEN_MAX {
        let message =
            format!("{count} units in overrides; at most {OVERRIDDEN_MAX} are allowed, so write a rule for them");
        check.complain(node.place, message);
    }
    all
}
