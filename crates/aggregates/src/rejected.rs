//! What was rejected of an experiment: only exposures name one, so that records that cannot be read and conversions are in the log's counters alone.

use crate::bytes::{Bytes, Reader, Torn};
use crate::effects::Reason;
use assay_experiment::Timestamp;
use std::collections::BTreeMap;

/// Exposures of an experiment that were rejected for one reason, and where the last of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub exposures: u64,
    /// Log time of the last one.
    pub time: Timestamp,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
}

/// By reason; those that name a known experiment are bounded by the number of reasons.
pub type ByReason = BTreeMap<Reason, Rejected>;

/// Counts exposures of one place after those that are counted already; the last is that of the latest log time.
pub(crate) fn add(all: &mut ByReason, reason: Reason, other: Rejected) {
    let place = |it: &Rejected| (it.time, it.partition, it.offset);
    all.entry(reason)
        .and_modify(|known| {
            let last = if place(&other) >= place(known) { other } else { *known };
            *known = Rejected { exposures: known.exposures + other.exposures, ..last };
        })
        .or_insert(other);
}

pub(crate) fn write(all: &ByReason, out: &mut Bytes) {
    out.uint(all.len() as u64);
    for (reason, it) in all {
        out.byte(*reason as u8);
        out.uint(it.exposures);
        out.int(it.time.0);
        out.uint(u64::from(it.partition));
        out.uint(it.offset);
    }
}

pub(crate) fn read(from: &mut Reader<'_>) -> Result<ByReason, Torn> {
    let one = |from: &mut Reader<'_>| {
        let position = from.position();
        let reason = Reason::ALL.get(usize::from(from.byte()?)).ok_or(Torn(position))?;
        let (exposures, time) = (from.uint()?, Timestamp(from.int()?));
        Ok((*reason, Rejected { exposures, time, partition: from.uint()? as u32, offset: from.uint()? }))
    };
    (0..from.count()?).map(|_| one(from)).collect()
}
