//! The analysis against a log: reads the aggregates of all partitions, publishes results, keeps its own snapshot.
//!
//! [`Service::step`] can be driven by one thread. Snapshots go through a function of the caller, who owns the store.

use crate::fold::Analysis;
use crate::part::Freeze;
use crate::records::{RECORD_BYTES_MAX, records};
use crate::results::{Freshness, Results};
use assay_aggregates::{Assembler, LookError};
use assay_broker::{Batch, Error as LogError, Log, NewRecord, Offset, Partition, Reader};
use assay_experiment::{Span, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Results as people see them.
#[derive(Debug, Clone)]
pub struct View {
    /// At the last look that every partition has closed.
    pub aligned: Arc<Results>,
    /// Newer, where the aligned look is late; nothing acts on it.
    pub provisional: Option<Arc<Results>>,
    /// How far the aligned look is behind.
    pub freshness: Freshness,
}

/// What stops the analysis.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A look record of another build, or a damaged one.
    #[error("aggregates of partition {partition} at offset {offset}: {problem}")]
    Look {
        /// The partition.
        partition: u32,
        /// Where.
        offset: u64,
        /// What.
        problem: LookError,
    },
}

/// The analysis of one log.
pub struct Service {
    log: Arc<dyn Log>,
    results_topic: String,
    build: String,
    analysis: Analysis,
    inputs: Vec<Input>,
    batch: Batch,
    told: Vec<u32>,
    /// Of the look that was evaluated last.
    aligned: Option<Arc<Results>>,
    /// Of the look that they are of, while the aligned one is late.
    provisional: Option<(Timestamp, Arc<Results>)>,
}

/// One partition's aggregates.
struct Input {
    reader: Box<dyn Reader>,
    assembler: Assembler,
    /// Offset after the last record read.
    next: u64,
    /// One beyond what there was at the start.
    backlog: u64,
    /// Where the first piece of an incomplete look is.
    open_since: Option<u64>,
}

/// Bytes read from one partition in one step.
const BATCH_BYTES: usize = 4 << 20;

impl Service {
    /// Starts from a snapshot, or at the start of the aggregates.
    pub fn open(
        log: Arc<dyn Log>,
        aggregates_topic: &str,
        results_topic: &str,
        build: &str,
        late: Span,
        snapshot: Option<(Analysis, Vec<u64>)>,
    ) -> Result<Service, ServiceError> {
        let partitions = log.topic(aggregates_topic)?.partitions;
        let restored = snapshot.filter(|(_, resume)| {
            // A snapshot that points to what is gone or never was is of no use.
            resume.iter().enumerate().all(|(at, &offset)| {
                log.bounds(aggregates_topic, Partition(at as u32))
                    .is_ok_and(|bounds| bounds.low.0 <= offset && offset <= bounds.next.0)
            })
        });
        let (analysis, resume) = match restored {
            Some((analysis, resume)) => (analysis, resume),
            None => {
                let low = (0..partitions).map(|at| Ok(log.bounds(aggregates_topic, Partition(at))?.low.0));
                (Analysis::new(partitions, late), low.collect::<Result<Vec<u64>, LogError>>()?)
            }
        };
        let input = |(at, &offset): (usize, &u64)| {
            Ok(Input {
                reader: log.open(aggregates_topic, Partition(at as u32), Offset(offset))?,
                assembler: Assembler::default(),
                next: offset,
                backlog: log.bounds(aggregates_topic, Partition(at as u32))?.next.0,
                open_since: None,
            })
        };
        let inputs = resume.iter().enumerate().map(input).collect::<Result<Vec<_>, ServiceError>>()?;
        let aligned = analysis.results().map(Arc::new);
        Ok(Service {
            log,
            results_topic: results_topic.to_owned(),
            build: build.to_owned(),
            analysis,
            inputs,
            batch: Batch::default(),
            told: Vec::new(),
            aligned,
            provisional: None,
        })
    }

    /// Reads what there is, waiting up to `timeout` for the first, and evaluates every look that all partitions have closed.
    /// Returns whether the aligned results moved on.
    pub fn step(&mut self, timeout: Duration) -> Result<bool, ServiceError> {
        let share = timeout / self.inputs.len().max(1) as u32;
        let wanted: Vec<u32> = (0..self.inputs.len() as u32).filter(|&it| self.analysis.wants(it)).collect();
        if wanted.is_empty() {
            // Every partition is frozen: only a person can help, so callers that step in a loop must not spin.
            std::thread::sleep(timeout);
        }
        for partition in wanted {
            self.read(partition, share)?;
        }
        let moved = self.analysis.advance();
        if moved {
            self.aligned = self.analysis.results().map(Arc::new);
        }
        self.look_ahead();
        Ok(moved)
    }

    /// Provisional results while the aligned look is late, once per newest look: they cost a copy of all sums. Not while reading what was
    /// missed, when partitions are ahead of each other by the size of a batch.
    fn look_ahead(&mut self) {
        let late = self.caught_up() && self.analysis.freshness().is_some_and(|freshness| freshness.is_late());
        let Some(newest) = self.analysis.newest().filter(|_| late) else {
            self.provisional = None;
            return;
        };
        if self.provisional.as_ref().is_none_or(|(look, _)| *look != newest) {
            self.provisional = self.analysis.provisional().map(|results| (newest, Arc::new(results)));
        }
    }

    fn read(&mut self, partition: u32, timeout: Duration) -> Result<(), ServiceError> {
        let input = &mut self.inputs[partition as usize];
        input.reader.poll(&mut self.batch, BATCH_BYTES, timeout)?;
        for record in self.batch.iter() {
            let offset = record.offset.0;
            let start = *input.open_since.get_or_insert(offset);
            let look = input.assembler.push(record.payload).map_err(|problem| ServiceError::Look {
                partition,
                offset,
                problem,
            })?;
            if input.assembler.is_idle() {
                input.open_since = None;
            }
            if let Some(look) = look
                && let Err(freeze) = self.analysis.take_from(look, start)
            {
                if !self.told.contains(&partition) {
                    tracing::error!(partition, %freeze, "results of a partition are frozen");
                    self.told.push(partition);
                }
                // Nothing of it is read any more, and whoever starts again must find the contradiction again.
                input.next = start;
                return Ok(());
            }
            input.next = offset + 1;
        }
        if self.batch.is_empty() {
            // Offsets may end in a gap.
            input.backlog = 0;
        }
        Ok(())
    }

    /// The newest results; `None` before the first look.
    pub fn view(&self) -> Option<View> {
        let freshness = self.analysis.freshness()?;
        let provisional = self.provisional.as_ref().map(|(_, results)| results.clone());
        Some(View { aligned: self.aligned.clone()?, provisional, freshness })
    }

    /// Whether everything was read that was there at the start; of a frozen partition nothing more is.
    pub fn caught_up(&self) -> bool {
        let frozen = |at: usize| self.analysis.frozen().any(|(partition, _)| partition as usize == at);
        self.inputs.iter().enumerate().all(|(at, input)| input.next >= input.backlog || frozen(at))
    }

    /// Appends results, aligned or provisional, to their topic: one record for each experiment, more where it is large.
    pub fn publish(&self, results: &Results) -> Result<(), ServiceError> {
        let records = records(results, &self.build, RECORD_BYTES_MAX);
        let new: Vec<NewRecord<'_>> = records
            .iter()
            .map(|(id, body)| NewRecord {
                key: Some(id.as_bytes()),
                headers: &[],
                payload: body,
                timestamp_ms: Some(results.look.millis()),
            })
            .collect();
        if !new.is_empty() {
            self.log.append(&self.results_topic, Partition(0), &new)?;
        }
        Ok(())
    }

    /// The state, to start from later. Callers keep none while a partition is frozen ([`Service::frozen`]): after a start from it the
    /// contradiction might look like a repeat.
    pub fn snapshot(&self) -> Vec<u8> {
        let resume = |(partition, input): (usize, &Input)| {
            self.analysis.resume(partition as u32).or(input.open_since).unwrap_or(input.next)
        };
        let resume: Vec<u64> = self.inputs.iter().enumerate().map(resume).collect();
        self.analysis.snapshot(&resume)
    }

    /// The fold.
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// Sums that changed since this was last called, as rows of `variant_aggregates`.
    pub fn changed_aggregates(&mut self) -> Vec<u8> {
        crate::table::aggregate_rows(&mut self.analysis)
    }

    /// Partitions whose results are frozen, and why.
    pub fn frozen(&self) -> Vec<(u32, Freeze)> {
        self.analysis.frozen().map(|(partition, freeze)| (partition, freeze.clone())).collect()
    }
}
