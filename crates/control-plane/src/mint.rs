//! Completes definitions before they are published: salts, and slots for `traffic`.

use crate::change::Refusal;
use assay_experiment::{Definitions, Experiment, Status};
use std::collections::BTreeMap;

/// Slots of a layer.
const SLOTS: u32 = 1_000_000;

type Ranges = Vec<(u32, u32)>;

/// Gives every experiment its salt and its slots: those of the version before where there are some, else new ones.
pub fn complete(next: &mut Definitions, before: &Definitions) -> Vec<Refusal> {
    for (id, experiment) in &mut next.experiments {
        if experiment.salt.is_none() {
            let known = before.experiments.get(id).and_then(|old| old.salt.clone());
            experiment.salt = Some(known.unwrap_or_else(mint));
        }
    }
    let mut refusals = Vec::new();
    let mut wanting: BTreeMap<String, (Ranges, u32)> = BTreeMap::new();
    for (id, experiment) in &next.experiments {
        let Some(traffic) = experiment.layer.as_ref().and_then(|share| share.traffic) else { continue };
        match keep(id, traffic, experiment, before) {
            Ok(kept) => wanting.extend([(id.clone(), (kept, traffic))]),
            Err(refusal) => refusals.push(refusal),
        }
    }
    // What members of a layer have or keep is taken; what others give up with this version is free for those who want more.
    let mut used: BTreeMap<String, Ranges> = BTreeMap::new();
    for (id, experiment) in next.experiments.iter().filter(|(_, it)| it.status != Status::Stopped) {
        let Some(share) = &experiment.layer else { continue };
        let kept = wanting.get(id).map(|(kept, _)| kept).or(share.slots.as_ref());
        used.entry(share.layer.clone()).or_default().extend(kept.into_iter().flatten());
    }
    for (id, (kept, traffic)) in wanting {
        let experiment = next.experiments.get_mut(&id).expect("it was found there");
        let (status, Some(share)) = (experiment.status, &mut experiment.layer) else { continue };
        let used = used.entry(share.layer.clone()).or_default();
        // Nobody enters a stopped experiment any more, so it needs no more than it had.
        let more = if status == Status::Stopped { 0 } else { traffic - size(&kept) };
        match grow(kept, used, more) {
            Some(slots) => {
                if status != Status::Stopped {
                    used.extend(slots.iter().copied());
                }
                (share.slots, share.traffic) = (Some(slots), None);
            }
            None => refusals.push(Refusal {
                subject: format!("experiment {id}"),
                reason: format!(
                    "layer {} has no free slots for {} %; stop another experiment in it",
                    share.layer,
                    f64::from(traffic) / 1e4
                ),
            }),
        }
    }
    refusals
}

fn mint() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

fn size(ranges: &Ranges) -> u32 {
    ranges.iter().map(|(from, to)| to - from).sum()
}

/// The slots that an experiment has already in this phase.
fn keep(id: &str, traffic: u32, experiment: &Experiment, before: &Definitions) -> Result<Ranges, Refusal> {
    let layer = |it: &Experiment| it.layer.as_ref().map(|share| share.layer.clone());
    let old = before.experiments.get(id).filter(|old| old.salt == experiment.salt && layer(old) == layer(experiment));
    let Some(old) = old else { return Ok(Ranges::new()) };
    let had = old.layer.as_ref().and_then(|share| share.slots.clone()).unwrap_or_default();
    match size(&had) {
        size if size <= traffic || experiment.status == Status::Stopped => Ok(had),
        // Nobody was in a draft.
        _ if old.status == Status::Draft => Ok(Ranges::new()),
        size => Err(Refusal {
            subject: format!("experiment {id}"),
            reason: format!("traffic may only grow; it has {} % of its layer", f64::from(size) / 1e4),
        }),
    }
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
