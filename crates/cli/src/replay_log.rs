//! The records of a log, from its start to a look, through the very fold and analysis that run live.
//!
//! Unlike files of events a log has everything: its genesis, its definitions, its changes of settings, its ticks and the times of its records. So
//! the results at a look are those that were published, to the last digit.

use crate::refold::Refold;
use anyhow::{Context, Result, bail};
use assay_analysis::Results;
use assay_broker::{Batch, Log, Offset, Partition, Reader};
use assay_experiment::control::{self, Control, Genesis};
use assay_experiment::{Span, Timestamp, format_time};
use assay_pipeline::input_of;
use std::time::Duration;

/// How far a replay is.
pub struct Progress<'a> {
    /// Offset after the last record read, of each partition.
    pub next: &'a [u64],
    /// Records read.
    pub records: u64,
    /// Bytes of what grows with the log.
    pub bytes: usize,
}

/// Bytes read from one partition at a time: so far partitions may be ahead of each other, and so much lies between two questions whether to go on.
const BATCH_BYTES: usize = 1 << 20;
/// How long records that the log has may take to come.
const POLL: Duration = Duration::from_millis(200);
/// Readings in a row without a record before the log counts as read: brokers answer the first ones late.
const EMPTY_MAX: usize = 25;

/// Replays up to the look that ends at `look`. `go_on` is asked after every batch; what it refuses with ends the replay.
pub fn replay(
    log: &dyn Log,
    topic: &str,
    look: Timestamp,
    mut go_on: impl FnMut(&Progress<'_>) -> Result<()>,
) -> Result<(Results, Refold)> {
    let mut inputs = (0..log.topic(topic)?.partitions)
        .map(|partition| OneInput::open(log, topic, partition))
        .collect::<Result<Vec<_>>>()?;
    let late = genesis(log, topic)?.late_ms;
    let mut fold = Refold::new(inputs.len() as u32, Span(late as i64 * 1_000));
    let (mut batch, mut records) = (Batch::default(), 0);
    // The one that is furthest behind comes next, so that looks of the others do not pile up.
    while let Some(partition) = behind(&inputs, look) {
        let input = &mut inputs[partition];
        input.reader.poll(&mut batch, BATCH_BYTES, POLL)?;
        input.empty = if batch.is_empty() { input.empty + 1 } else { 0 };
        if input.empty > EMPTY_MAX {
            bail!("partition {partition} ends before the look of {} closed", format_time(look));
        }
        records += input.apply(partition as u32, &batch, look, &mut fold)?;
        fold.analysis.advance_to(look);
        let next: Vec<u64> = inputs.iter().map(|input| input.next).collect();
        go_on(&Progress { next: &next, records, bytes: fold.bytes() })?;
    }
    let results = fold.analysis.results().filter(|results| results.look == look && fold.is_end_of_look(look));
    let none = || format!("no look ended at {}; results say at which one they are", format_time(look));
    Ok((results.with_context(none)?, fold))
}

/// The first record of a log.
fn genesis(log: &dyn Log, topic: &str) -> Result<Genesis> {
    let mut reader = log.open(topic, Partition(0), Offset(0))?;
    let mut batch = Batch::default();
    for _ in 0..EMPTY_MAX {
        reader.poll(&mut batch, 1, POLL)?;
        let Some(first) = batch.iter().next() else { continue };
        let headers: Vec<(&str, &[u8])> = first.headers().collect();
        if let Ok(Some(Control::Genesis(genesis))) = control::decode(&headers, first.payload) {
            return Ok(genesis);
        }
        break;
    }
    bail!("the first record of {topic} is not that of a log of Assay's; is the topic the right one?")
}

/// The partition that closed the earliest look, of those that have not closed `look`.
fn behind(inputs: &[OneInput], look: Timestamp) -> Option<usize> {
    let open = (0..inputs.len()).filter(|&at| inputs[at].closed.is_none_or(|closed| closed < look));
    open.min_by_key(|&at| inputs[at].closed)
}

/// One partition on its way to a look.
struct OneInput {
    reader: Box<dyn Reader>,
    next: u64,
    /// End of the last look that it closed.
    closed: Option<Timestamp>,
    /// Readings without a record.
    empty: usize,
}

impl OneInput {
    fn open(log: &dyn Log, topic: &str, partition: u32) -> Result<OneInput> {
        let low = log.bounds(topic, Partition(partition))?.low;
        if low.0 > 0 {
            bail!(
                "the log no longer has its start (partition {partition} begins at offset {}), so nothing can be replayed from it",
                low.0
            );
        }
        Ok(OneInput { reader: log.open(topic, Partition(partition), low)?, next: 0, closed: None, empty: 0 })
    }

    /// Applies a batch up to the record that closes the look, and gives how many records that were.
    fn apply(&mut self, partition: u32, batch: &Batch, look: Timestamp, fold: &mut Refold) -> Result<u64> {
        let mut applied = 0;
        let mut headers: Vec<(&str, &[u8])> = Vec::new();
        for record in batch.iter() {
            if self.closed.is_some_and(|closed| look <= closed) {
                break;
            }
            headers.clear();
            headers.extend(record.headers());
            let input = input_of(&record, &headers);
            self.closed = fold.apply(partition, &input)?.or(self.closed);
            self.next = record.offset.0 + 1;
            applied += 1;
        }
        Ok(applied)
    }
}
