//! The analysis as a fold over look records: partitions in lockstep, one inference per look that every partition has closed.

use crate::infer::{Memory, infer, observe};
use crate::part::{Freeze, Head, Part, PartExperiment, Phase, WAITING_MAX};
use crate::results::Results;
use crate::sums::Sums;
use assay_aggregates::{Counters, Look, Tallies};
use assay_experiment::{Definitions, Span, Timestamp, canonical};
use std::collections::BTreeMap;

/// The state of the analysis.
#[derive(Debug, Clone)]
pub struct Analysis {
    pub(crate) parts: Vec<Part>,
    pub(crate) late: Span,
    pub(crate) length: Span,
    /// Last look that was evaluated.
    pub(crate) evaluated: Option<i64>,
    /// Goes up when running values had to start anew.
    pub(crate) epoch: u64,
    pub(crate) config: u64,
    pub(crate) bodies: Vec<String>,
    definitions: Definitions,
    pub(crate) sums: BTreeMap<Phase, Sums>,
    pub(crate) memory: BTreeMap<Phase, Memory>,
}

impl Analysis {
    /// For a log of so many partitions; `late` is L, how long events may come after their time.
    pub fn new(partitions: u32, late: Span) -> Self {
        Analysis {
            parts: (0..partitions).map(|_| Part::default()).collect(),
            late,
            length: Span::SECOND,
            evaluated: None,
            epoch: 1,
            config: 0,
            bodies: Vec::new(),
            definitions: Definitions::default(),
            sums: BTreeMap::new(),
            memory: BTreeMap::new(),
        }
    }

    /// Takes a record of the aggregates topic. Repeats change nothing; contradictions freeze the partition.
    pub fn take(&mut self, look: Look) -> Result<(), Freeze> {
        let partition = look.partition as usize;
        match self.parts.get_mut(partition) {
            Some(part) => part.take(look),
            None => Err(Freeze::OtherLog { partition: look.partition }),
        }
    }

    /// Whether more records of a partition should be read now: one that is far ahead waits for the others.
    pub fn wants(&self, partition: u32) -> bool {
        let part = &self.parts[partition as usize];
        part.waiting.len() < WAITING_MAX
            || self.closed().is_some_and(|closed| part.read.is_none_or(|read| read <= closed))
    }

    /// The last look that every partition has closed.
    pub fn closed(&self) -> Option<i64> {
        self.parts.iter().map(|part| part.read).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Evaluates the next aligned look at which something changed, in order, none skipped. `None` when all are evaluated.
    ///
    /// Looks in between at which nothing changed would give the same numbers and so the same running values.
    pub fn step(&mut self) -> Option<i64> {
        let closed = self.closed()?;
        let changed = self.parts.iter().filter_map(|part| part.waiting.front()).map(|look| look.first).min();
        let matures = self.sums.values().filter_map(|sums| sums.next_maturity(self.late)).min();
        // A look is as of its end: the first whose end reaches the instant.
        let matures = matures.map(|at| at.0.div_euclid(self.length.0) - i64::from(at.0.rem_euclid(self.length.0) == 0));
        let next = changed.into_iter().chain(matures).min().filter(|&next| next <= closed);
        let look = match next {
            Some(next) => next,
            None if self.evaluated.is_none_or(|evaluated| evaluated < closed) => {
                self.evaluated = Some(closed);
                return None;
            }
            None => return None,
        };
        self.apply(look);
        let at = self.end_of(look);
        for (phase, sums) in &mut self.sums {
            sums.mature(at, self.late);
            let memory = self.memory.entry(phase.clone()).or_default();
            observe(sums, at, memory);
        }
        self.evaluated = Some(look);
        Some(look)
    }

    /// Evaluates everything that can be. Returns whether there was anything.
    pub fn advance(&mut self) -> bool {
        let before = self.evaluated;
        while self.step().is_some() {}
        self.evaluated != before
    }

    pub(crate) fn end_of(&self, look: i64) -> Timestamp {
        Timestamp((look + 1) * self.length.0)
    }

    /// Applies what waits up to a look.
    fn apply(&mut self, upto: i64) {
        for partition in 0..self.parts.len() {
            while self.parts[partition].waiting.front().is_some_and(|look| look.first <= upto) {
                let look = self.parts[partition].waiting.pop_front().expect("front exists");
                self.absorb(partition, look);
            }
        }
    }

    pub(crate) fn absorb(&mut self, partition: usize, look: Look) {
        self.length = look.length;
        if let Some(bodies) = &look.definitions
            && look.config > self.config
        {
            // The fold published them, so they were valid there; a build that differs must not guess.
            match canonical::definitions(bodies.iter().map(String::as_str)) {
                Ok(definitions) => self.adopt(look.config, bodies.clone(), definitions),
                Err(problem) => {
                    tracing::error!(version = look.config, problem, "definitions in a look record are not valid")
                }
            }
        }
        let part = &mut self.parts[partition];
        part.applied = Some(look.last);
        part.head = Some(Head {
            log: look.log,
            semantics: look.semantics,
            start_offset: look.start_offset,
            next_offset: look.next_offset,
            log_time: look.log_time,
            config: look.config,
            counters: look.counters,
            hash: look.hash,
        });
        for changes in look.experiments {
            let phase: Phase = (changes.id.clone(), changes.salt.clone());
            let sums = match self.sums.get_mut(&phase) {
                // The order of the record is the order of its cells.
                Some(sums) if sums.has_prefix(&changes.metrics) => sums,
                _ => {
                    let Some(fresh) = fresh(&self.definitions, &phase, &changes.metrics) else { continue };
                    self.sums.insert(phase.clone(), fresh);
                    let sums = self.sums.get_mut(&phase).expect("just inserted");
                    // What the partitions said before still holds under the longer list of metrics.
                    for part in &mut self.parts {
                        if let Some(known) = part.experiments.get_mut(&phase) {
                            let blocks = std::mem::take(&mut known.blocks).into_values().collect();
                            let again = assay_aggregates::ExperimentChanges {
                                id: phase.0.clone(),
                                salt: phase.1.clone(),
                                metrics: known.metrics.clone(),
                                tallies: known.tallies.clone(),
                                blocks,
                            };
                            sums.apply(known, again);
                        }
                    }
                    sums
                }
            };
            let known: &mut PartExperiment = self.parts[partition].experiments.entry(phase.clone()).or_default();
            sums.apply(known, changes);
            let mut tallies = Tallies { entered: vec![0; sums.experiment.variants.len()], ..Tallies::default() };
            for part in &self.parts {
                if let Some(experiment) = part.experiments.get(&phase) {
                    tallies.merge(&experiment.tallies);
                }
            }
            sums.tallies = tallies;
        }
    }

    pub(crate) fn adopt(&mut self, version: u64, bodies: Vec<String>, definitions: Definitions) {
        for ((id, salt), sums) in &mut self.sums {
            if let Some(experiment) = definitions.experiments.get(id).filter(|it| salt_of(it) == salt) {
                sums.experiment.status = experiment.status;
                sums.experiment.title.clone_from(&experiment.title);
                sums.experiment.metrics.clone_from(&experiment.metrics);
            } else {
                sums.experiment.status = assay_experiment::Status::Stopped;
            }
        }
        (self.config, self.bodies, self.definitions) = (version, bodies, definitions);
        for (id, experiment) in &self.definitions.experiments {
            let phase = (id.clone(), salt_of(experiment).to_owned());
            if experiment.status != assay_experiment::Status::Draft && !self.sums.contains_key(&phase) {
                let ids: Vec<String> = experiment.metrics.iter().map(|used| used.metric.clone()).collect();
                if let Some(sums) = fresh(&self.definitions, &phase, &ids) {
                    self.sums.insert(phase, sums);
                }
            }
        }
    }

    /// Results of the last aligned look. `None` before the first.
    pub fn results(&self) -> Option<Results> {
        let look = self.evaluated?;
        Some(self.at(self.end_of(look), true))
    }

    /// Results from the newest sums of each partition, aligned or not; they leave no trace.
    pub fn provisional(&self) -> Option<Results> {
        let mut copy = self.clone();
        let newest = copy.parts.iter().filter_map(|part| part.read).max()?;
        copy.apply(newest);
        let at = copy.end_of(newest);
        Some(copy.at(at, false))
    }

    fn at(&self, look: Timestamp, aligned: bool) -> Results {
        let mut counters = Counters::default();
        let mut offsets = BTreeMap::new();
        let (mut log, mut semantics) = (String::new(), 0);
        for (partition, part) in self.parts.iter().enumerate() {
            let Some(head) = &part.head else { continue };
            counters.merge(&head.counters);
            offsets.insert(partition as u32, (head.start_offset, head.next_offset, head.log_time));
            (log, semantics) = (head.log.clone(), head.semantics);
        }
        let experiments = self
            .sums
            .iter()
            .map(|(phase, sums)| {
                // Only aligned looks have running values.
                infer(sums, look, self.memory.get(phase).filter(|_| aligned))
            })
            .collect();
        Results {
            look,
            aligned,
            config_version: self.config,
            experiments,
            counters,
            offsets,
            log,
            semantics,
            epoch: self.epoch,
        }
    }

    /// How many looks of a partition were read and wait for other partitions.
    pub fn waiting(&self, partition: u32) -> usize {
        self.parts[partition as usize].waiting.len()
    }

    /// The running values start anew, under the next epoch: their past is lost.
    pub fn begin_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// Partitions whose results are frozen, and why.
    pub fn frozen(&self) -> impl Iterator<Item = (u32, &Freeze)> {
        self.parts.iter().enumerate().filter_map(|(at, part)| Some((at as u32, part.frozen.as_ref()?)))
    }
}

fn salt_of(experiment: &assay_experiment::Experiment) -> &str {
    experiment.salt.as_deref().unwrap_or(&experiment.id)
}

fn fresh(definitions: &Definitions, phase: &Phase, metrics: &[String]) -> Option<Sums> {
    let experiment = definitions.experiments.get(&phase.0)?;
    let metrics = metrics.iter().map(|id| definitions.metrics.get(id).cloned()).collect::<Option<Vec<_>>>()?;
    Some(Sums::new(experiment, metrics))
}
