//! The analysis against a log: reads the aggregates of all partitions, publishes results, keeps its own snapshot.
//!
//! [`Service::step`] can be driven by one thread. Snapshots go through a function of the caller, who owns the store.

use crate::fold::Analysis;
use crate::part::Freeze;
use crate::results::Results;
use assay_aggregates::{Assembler, LookError};
use assay_broker::{Batch, Error as LogError, Log, NewRecord, Offset, Partition, Reader};
use assay_experiment::Span;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Results as people see them.
#[derive(Debug, Clone)]
pub struct View {
    /// At the last look that every partition has closed.
    pub aligned: Arc<Results>,
    /// Newer, where a partition lags; nothing acts on it.
    pub provisional: Option<Arc<Results>>,
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
}

/// One partition's aggregates.
struct Input {
    reader: Box<dyn Reader>,
    assembler: Assembler,
    /// Offset after the last record read.
    next: u64,
    /// For looks that wait: where reading would have to go on to get them again.
    starts: VecDeque<u64>,
    /// Where the first piece of an incomplete look is.
    open_since: Option<u64>,
}

/// Bytes read from one partition in one step.
const BATCH_BYTES: usize = 4 << 20;
/// Results older than this by log time, while a partition is ahead, get a provisional companion.
const STALE: Span = Span(5 * Span::SECOND.0);

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
        let (mut analysis, resume) = match restored {
            Some((analysis, resume)) => (analysis, resume),
            None => {
                let low = (0..partitions).map(|at| Ok(log.bounds(aggregates_topic, Partition(at))?.low.0));
                (Analysis::new(partitions, late), low.collect::<Result<Vec<u64>, LogError>>()?)
            }
        };
        if analysis.results().is_none() && resume.iter().any(|&offset| offset > 0) {
            // Named by what is kept, so that two readers of the same log agree.
            analysis.begin_epoch(1 + resume.iter().sum::<u64>());
        }
        let input = |(at, &offset): (usize, &u64)| {
            Ok(Input {
                reader: log.open(aggregates_topic, Partition(at as u32), Offset(offset))?,
                assembler: Assembler::default(),
                next: offset,
                starts: VecDeque::new(),
                open_since: None,
            })
        };
        let inputs = resume.iter().enumerate().map(input).collect::<Result<Vec<_>, ServiceError>>()?;
        Ok(Service {
            log,
            results_topic: results_topic.to_owned(),
            build: build.to_owned(),
            analysis,
            inputs,
            batch: Batch::default(),
            told: Vec::new(),
        })
    }

    /// Reads what there is, waiting up to `timeout` for the first, and evaluates every look that all partitions have closed.
    /// Returns whether the aligned results moved on.
    pub fn step(&mut self, timeout: Duration) -> Result<bool, ServiceError> {
        let share = timeout / self.inputs.len().max(1) as u32;
        for partition in 0..self.inputs.len() as u32 {
            if self.analysis.wants(partition) {
                self.read(partition, share)?;
            }
        }
        let moved = self.analysis.advance();
        for partition in 0..self.inputs.len() as u32 {
            let starts = &mut self.inputs[partition as usize].starts;
            let applied = starts.len() - self.analysis.waiting(partition);
            starts.drain(..applied);
        }
        Ok(moved)
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
            input.next = offset + 1;
            let Some(look) = look else { continue };
            let before = self.analysis.waiting(partition);
            if let Err(freeze) = self.analysis.take(look)
                && !self.told.contains(&partition)
            {
                tracing::error!(partition, %freeze, "results of a partition are frozen");
                self.told.push(partition);
            }
            if self.analysis.waiting(partition) > before {
                input.starts.push_back(start);
            }
        }
        Ok(())
    }

    /// The newest results; `None` before the first look.
    pub fn view(&self) -> Option<View> {
        let aligned = self.analysis.results()?;
        let provisional = self.analysis.provisional().filter(|newer| newer.look - STALE > aligned.look);
        Some(View { aligned: Arc::new(aligned), provisional: provisional.map(Arc::new) })
    }

    /// Appends the results to their topic, one record for each experiment.
    pub fn publish(&self, results: &Results) -> Result<(), ServiceError> {
        let json = results.to_json(&self.build);
        let mut records = Vec::new();
        for experiment in json["experiments"].as_array().into_iter().flatten() {
            let id = experiment["experiment"].as_str().unwrap_or_default().to_owned();
            let mut one = json.clone();
            one["experiments"] = serde_json::Value::Array(vec![experiment.clone()]);
            records.push((id, one.to_string().into_bytes()));
        }
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

    /// The state, to start from later.
    pub fn snapshot(&self) -> Vec<u8> {
        let resume: Vec<u64> = self
            .inputs
            .iter()
            .map(|input| input.starts.front().copied().or(input.open_since).unwrap_or(input.next))
            .collect();
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
