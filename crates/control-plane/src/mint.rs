//! Completes definitions before they are published: salts, and slots for `traffic`.

use crate::change::Refusal;
use assay_experiment::{Definitions, Status};

/// Slots of a layer.
const SLOTS: u32 = 1_000_000;

type Ranges = Vec<(u32, u32)>;

/// Gives every experiment its salt and its slots: those of the version before where there are some, else new ones.
pub(crate) fn complete(next: &mut Definitions, before: &Definitions) -> Vec<Refusal> {
    for (id, experiment) in &mut next.experiments {
        if experiment.salt.is_none() {
            let known = before.experiments.get(id).and_then(|old| old.salt.clone());
            experiment.salt = Some(known.unwrap_or_else(mint));
        }
    }
    let ids: Vec<String> = next.experiments.keys().cloned().collect();
    ids.iter().filter_map(|id| allot(id, next, before).err()).collect()
}

fn mint() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

fn allot(id: &str, next: &mut Definitions, before: &Definitions) -> Result<(), Refusal> {
    let experiment = &next.experiments[id];
    let Some(share) = &experiment.layer else { return Ok(()) };
    let (Some(traffic), None) = (share.traffic, &share.slots) else { return Ok(()) };
    let same_phase = before.experiments.get(id).filter(|old| old.salt == experiment.salt);
    let had: Ranges = same_phase.and_then(|old| old.layer.as_ref()?.slots.clone()).unwrap_or_default();
    let refuse = |reason: String| Refusal { subject: format!("experiment {id}"), reason };
    let size: u32 = had.iter().map(|(from, to)| to - from).sum();
    if traffic < size {
        return Err(refuse(format!("traffic may only grow; it has {} % of its layer", f64::from(size) / 1e4)));
    }
    let taken = |all: &Definitions| -> Ranges {
        all.experiments
            .iter()
            .filter(|(other, it)| *other != id && it.status != Status::Stopped)
            .filter_map(|(_, it)| it.layer.as_ref().filter(|other| other.layer == share.layer)?.slots.clone())
            .flatten()
            .collect()
    };
    let mut used = had.clone();
    used.extend(taken(next));
    // Not yet allotted ones keep what they had.
    used.extend(taken(before));
    let slots = grow(had, &mut used, traffic - size).ok_or_else(|| {
        refuse(format!(
            "layer {} has no free slots for {} %; stop another experiment in it",
            share.layer,
            f64::from(traffic) / 1e4
        ))
    })?;
    next.experiments.get_mut(id).expect("it was just read").layer.as_mut().expect("it has one").slots = Some(slots);
    Ok(())
}

/// Adds free slots, lowest first.
fn grow(mut had: Ranges, used: &mut Ranges, mut more: u32) -> Option<Ranges> {
    used.sort_unstable();
    let mut free_from = 0;
    for &(from, to) in used.iter().chain([&(SLOTS, SLOTS)]) {
        if more > 0 && free_from < from {
            let take = more.min(from - free_from);
            had.push((free_from, free_from + take));
            more -= take;
        }
        free_from = free_from.max(to);
    }
    if more > 0 {
        return None;
    }
    had.sort_unstable();
    let mut merged: Ranges = Vec::new();
    for (from, to) in had {
        match merged.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => merged.push((from, to)),
        }
    }
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_grow_into_what_is_free() {
        assert_eq!(grow(vec![], &mut vec![], 10), Some(vec![(0, 10)]));
        assert_eq!(grow(vec![(0, 10)], &mut vec![(0, 10), (15, 20)], 10), Some(vec![(0, 15), (20, 25)]));
        assert_eq!(grow(vec![], &mut vec![(0, 999_999)], 2), None);
    }
}
