//! What every version carries of those before it, because the fold never forgets it: phases that ended, filters that were wanted.

use crate::change::Refusal;
use assay_experiment::{Definitions, Status, wanted_filters};

/// Writes into the next version what it makes a thing of the past; refuses a phase that was one already.
pub(crate) fn carry(next: &mut Definitions, before: &Definitions) -> Vec<Refusal> {
    for (id, salts) in &before.retired {
        next.retired.entry(id.clone()).or_default().extend(salts.iter().cloned());
    }
    // A draft let nobody in, so nothing is left of it.
    for (id, old) in before.experiments.iter().filter(|(_, old)| old.status != Status::Draft) {
        if let Some(salt) = &old.salt
            && next.experiments.get(id).is_none_or(|new| new.salt.as_ref() != Some(salt))
        {
            next.retired.entry(id.clone()).or_default().insert(salt.clone());
        }
    }
    let wanted = wanted_filters(next);
    next.filters.extend(before.filters.iter().cloned().chain(wanted_filters(before)));
    next.filters.retain(|filter| !wanted.contains(filter));
    let used = next.experiments.iter().filter_map(|(id, experiment)| {
        let salt = experiment.salt.as_ref()?;
        next.retired.get(id).filter(|salts| salts.contains(salt)).map(|_| Refusal {
            subject: format!("experiment {id}"),
            reason: format!(
                "its salt '{salt}' belongs to a phase that ended, whose units would be mixed with the new ones; \
                 leave 'salt' out or write another one, or give the experiment a new id"
            ),
        })
    });
    used.collect()
}
