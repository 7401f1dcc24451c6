//! The analysis as a fold over look records: partitions in lockstep, one inference per look that every partition has closed.
//!
//! Looks are named by their ends, because their length may change. A look counts when every partition has closed it and has the same log,
//! semantics, length of looks and version of the definitions there. Looks in the
//! middle of a publication, where some partitions have the new version and others do not, wait on a stage and are passed over: for results
//! and for running values alike, and by every reader of the same records. So the sums always are those of the last look that counted.

use crate::infer::{Memory, infer, observe};
use crate::part::{Freeze, Head, Part, Phase, WAITING_MAX};
use crate::results::{Freshness, Results};
use crate::sums::Sums;
use assay_aggregates::{Counters, Look, Reason, Tallies, ring_start};
use assay_experiment::{Definitions, Experiment, Span, Status, Timestamp, canonical};
use std::collections::{BTreeMap, BTreeSet};

/// The state of the analysis.
#[derive(Debug, Clone)]
pub struct Analysis {
    pub(crate) parts: Vec<Part>,
    pub(crate) late: Span,
    /// End of the last look that was evaluated.
    pub(crate) evaluated: Option<Timestamp>,
    /// Goes up when running values had to start anew.
    pub(crate) epoch: u64,
    pub(crate) config: u64,
    pub(crate) bodies: Vec<String>,
    definitions: Definitions,
    /// Versions that were read and are not in force yet.
    versions: BTreeMap<u64, (Vec<String>, Definitions)>,
    pub(crate) sums: BTreeMap<Phase, Sums>,
    pub(crate) memory: BTreeMap<Phase, Memory>,
}

impl Analysis {
    /// For a log of so many partitions; `late` is L, how long events may come after their time.
    pub fn new(partitions: u32, late: Span) -> Self {
        Analysis {
            parts: (0..partitions).map(|_| Part::default()).collect(),
            late,
            evaluated: None,
            epoch: 1,
            config: 0,
            bodies: Vec::new(),
            definitions: Definitions::default(),
            versions: BTreeMap::new(),
            sums: BTreeMap::new(),
            memory: BTreeMap::new(),
        }
    }

    /// Takes a record of the aggregates topic. Repeats change nothing; contradictions freeze the partition. Where the start of the
    /// aggregates is gone, records before a partition's first full look are passed over.
    pub fn take(&mut self, look: Look) -> Result<(), Freeze> {
        self.take_from(look, 0)
    }

    /// The same, with the offset from which reading would have to go on to get the record again.
    pub fn take_from(&mut self, mut look: Look, from: u64) -> Result<(), Freeze> {
        let at = look.partition as usize;
        let Some(part) = self.parts.get_mut(at) else { return Err(Freeze::OtherLog { partition: look.partition }) };
        if !part.admits(&look)? {
            return Ok(());
        }
        let learned = look.definitions.take().map_or(Ok(()), |bodies| self.learn(look.config, bodies));
        let part = &mut self.parts[at];
        match learned {
            Ok(()) => {
                part.push(look, from);
                Ok(())
            }
            Err(problem) => {
                let freeze = Freeze::Definitions { partition: look.partition, version: look.config, problem };
                part.frozen = Some(freeze.clone());
                Err(freeze)
            }
        }
    }

    /// Reads definitions that a record brought. The fold published them, so they were valid there; a build that differs must not guess.
    fn learn(&mut self, version: u64, bodies: Vec<String>) -> Result<(), String> {
        if version < self.config {
            return Ok(());
        }
        let known = self.versions.get(&version).map(|(bodies, _)| bodies);
        match known.or((version == self.config).then_some(&self.bodies)) {
            Some(known) if *known != bodies => Err("another partition has other definitions for it".to_owned()),
            Some(_) => Ok(()),
            None => {
                let definitions = canonical::definitions(bodies.iter().map(String::as_str))?;
                self.versions.insert(version, (bodies, definitions));
                Ok(())
            }
        }
    }

    /// Whether more records of a partition should be read now: one that is far ahead waits for the others, one that is frozen stays.
    pub fn wants(&self, partition: u32) -> bool {
        let part = &self.parts[partition as usize];
        part.frozen.is_none()
            && (part.waiting.len() < WAITING_MAX
                || self.closed().is_some_and(|closed| part.read.is_none_or(|read| read <= closed)))
    }

    /// End of the last look that every partition has closed.
    pub fn closed(&self) -> Option<Timestamp> {
        self.parts.iter().map(|part| part.read).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Evaluates the next aligned look at which something changed, in order, none skipped, and gives its end. `None` when all are evaluated.
    ///
    /// Looks in between at which nothing changed would give the same numbers and so the same running values.
    pub fn step(&mut self) -> Option<Timestamp> {
        self.step_to(self.closed()?)
    }

    /// The same, as if partitions had closed no look after `closed`.
    fn step_to(&mut self, closed: Timestamp) -> Option<Timestamp> {
        loop {
            let even = self.is_even();
            let changed = self.parts.iter().filter_map(|part| Some(part.waiting.front()?.look.changed_at())).min();
            let matures = if even { self.next_maturity() } else { None };
            let Some(look) = changed.into_iter().chain(matures).min().filter(|&next| next <= closed) else {
                if even {
                    // Nothing changed since, so the numbers are those of the last closed look too.
                    self.evaluated = self.evaluated.map(|evaluated| evaluated.max(closed));
                }
                return None;
            };
            let begins = self.begin_of(look);
            self.parts.iter_mut().for_each(|part| part.stage(look));
            if !self.agrees() {
                if even {
                    self.evaluated = self.evaluated.map(|evaluated| evaluated.max(begins.unwrap_or(evaluated)));
                }
                continue;
            }
            if self.evaluated.is_none() {
                self.begin(look);
            }
            self.apply();
            self.turn(ring_start(look));
            for (phase, sums) in &mut self.sums {
                sums.mature(look, self.late);
                let memory = self.memory.entry(phase.clone()).or_default();
                observe(sums, look, memory);
            }
            self.evaluated = Some(look);
            return Some(look);
        }
    }

    /// Evaluates everything that can be. Returns whether there was anything.
    pub fn advance(&mut self) -> bool {
        let before = self.evaluated;
        while self.step().is_some() {}
        self.evaluated != before
    }

    /// Evaluates everything up to a look and nothing beyond it: what [`Analysis::results`] gives then is what whoever stood at that look saw.
    pub fn advance_to(&mut self, look: Timestamp) {
        let Some(closed) = self.closed() else { return };
        while self.step_to(closed.min(look)).is_some() {}
    }

    /// The first look that counts is the greatest of the partitions' first ones: before it some of them are missing. Where the aggregates
    /// no longer have their start, running values before this look are lost, and the epoch is named by it.
    fn begin(&mut self, look: Timestamp) {
        let complete = self.parts.iter().all(|part| part.from_start);
        // Its second, which is never 1: no log is that old.
        self.epoch = if complete { 1 } else { (look.millis() / 1_000).max(2) as u64 };
    }

    /// Whether every partition has sums, and all were made by the same.
    fn agrees(&self) -> bool {
        let first = self.parts.first().and_then(Part::version);
        first.is_some() && self.parts.iter().all(|part| part.version() == first)
    }

    /// Where the look begins that ends then and has changes: the looks before it are as they were.
    fn begin_of(&self, look: Timestamp) -> Option<Timestamp> {
        let waiting = self.parts.iter().filter_map(|part| part.waiting.front()).map(|pending| &pending.look);
        waiting.filter(|it| it.changed_at() == look).map(|it| look - it.length).min()
    }

    /// Whether nothing is on the stage.
    fn is_even(&self) -> bool {
        self.parts.iter().all(|part| part.staged.is_none())
    }

    /// End of the first look, as far as looks were read, as of which a further hour is mature.
    fn next_maturity(&self) -> Option<Timestamp> {
        let at = self.sums.values().filter_map(|sums| sums.next_maturity(self.late)).min()?;
        // Nothing is on the stage, so all partitions have looks of the same length.
        self.parts.first()?.look_end(at)
    }

    /// Forgets minutes that left the last hour: partitions do not publish them again.
    fn turn(&mut self, from: i64) {
        self.sums.values_mut().for_each(|sums| sums.turn(from));
        let experiments = self.parts.iter_mut().flat_map(|part| part.experiments.values_mut());
        experiments.for_each(|it| it.minutes.retain(|&(_, minute), _| minute >= from));
    }

    /// Takes everything from the stage into the sums.
    fn apply(&mut self) {
        let staged: Vec<(usize, Look)> = self
            .parts
            .iter_mut()
            .enumerate()
            .filter_map(|(partition, part)| Some((partition, part.staged.take()?.look)))
            .collect();
        let version = staged.iter().map(|(_, look)| look.config).max().unwrap_or(0);
        if version > self.config
            && let Some((bodies, definitions)) = self.versions.remove(&version)
        {
            self.adopt(version, bodies, definitions);
        }
        self.absorb(staged);
    }

    /// Puts looks into the sums.
    pub(crate) fn absorb(&mut self, looks: Vec<(usize, Look)>) {
        let mut touched: BTreeSet<Phase> = BTreeSet::new();
        for (partition, look) in looks {
            let part = &mut self.parts[partition];
            part.applied = Some(look.as_of());
            part.head = Some(Head {
                log: look.log,
                semantics: look.semantics,
                length: look.length,
                start_offset: look.start_offset,
                next_offset: look.next_offset,
                log_time: look.log_time,
                config: look.config,
                counters: look.counters,
                hash: look.hash,
            });
            for changes in look.experiments {
                let phase: Phase = (changes.id.clone(), changes.salt.clone());
                if !self.make_room(&phase, &changes.metrics) {
                    continue;
                }
                let sums = self.sums.get_mut(&phase).expect("there is room for it");
                if !sums.fits(&changes) {
                    tracing::warn!(
                        partition,
                        experiment = phase.0,
                        salt = phase.1,
                        "sums of another definition are left out"
                    );
                    continue;
                }
                sums.apply(self.parts[partition].experiments.entry(phase.clone()).or_default(), changes);
                touched.insert(phase);
            }
        }
        for phase in touched {
            let Some(sums) = self.sums.get_mut(&phase) else { continue };
            let mut tallies = Tallies { entered: vec![0; sums.experiment.variants.len()], ..Tallies::default() };
            self.parts.iter().filter_map(|part| part.experiments.get(&phase)).for_each(|it| tallies.merge(&it.tallies));
            sums.tallies = tallies;
        }
    }

    /// Makes sums for a phase and its metrics, if their definitions are known: those of an earlier phase are not, once the aggregates
    /// begin after it.
    fn make_room(&mut self, phase: &Phase, metrics: &[String]) -> bool {
        let Some(sums) = self.sums.get(phase) else {
            let Some(fresh) = fresh(&self.definitions, phase, metrics) else { return false };
            self.sums.insert(phase.clone(), fresh);
            return true;
        };
        let unknown = sums.unknown(metrics);
        if unknown.is_empty() {
            return true;
        }
        let added = unknown.iter().map(|id| self.definitions.metrics.get(*id).cloned()).collect::<Option<Vec<_>>>();
        let Some(added) = added else { return false };
        let mut wide = sums.widened(added);
        // What the partitions said before still holds under the longer list of metrics.
        self.parts.iter().filter_map(|part| part.experiments.get(phase)).for_each(|known| wide.add_part(known));
        wide.tallies = sums.tallies.clone();
        self.sums.insert(phase.clone(), wide);
        true
    }

    pub(crate) fn adopt(&mut self, version: u64, bodies: Vec<String>, definitions: Definitions) {
        for (phase, sums) in &mut self.sums {
            match in_force(&definitions, phase) {
                Some(experiment) => revise(sums, experiment, &definitions),
                None => sums.experiment.status = Status::Stopped,
            }
        }
        (self.config, self.bodies, self.definitions) = (version, bodies, definitions);
        self.versions = self.versions.split_off(&(version + 1));
        for (id, experiment) in &self.definitions.experiments {
            let phase = (id.clone(), salt_of(experiment).to_owned());
            if experiment.status != Status::Draft && !self.sums.contains_key(&phase) {
                let ids: Vec<String> = experiment.metrics.iter().map(|used| used.metric.clone()).collect();
                if let Some(sums) = fresh(&self.definitions, &phase, &ids) {
                    self.sums.insert(phase, sums);
                }
            }
        }
    }

    /// Results of the last aligned look. `None` before the first.
    pub fn results(&self) -> Option<Results> {
        Some(self.at(self.evaluated?, true))
    }

    /// Results from the newest sums of each partition, aligned or not; they leave no trace.
    pub fn provisional(&self) -> Option<Results> {
        let newest = self.parts.iter().filter_map(|part| part.read).max()?;
        let mut copy = Analysis {
            parts: self.parts.iter().map(Part::glance).collect(),
            bodies: Vec::new(),
            definitions: self.definitions.clone(),
            versions: self.versions.clone(),
            sums: self.sums.clone(),
            // Only aligned looks have running values.
            memory: BTreeMap::new(),
            ..*self
        };
        copy.parts.iter_mut().for_each(|part| part.stage(newest));
        copy.apply();
        copy.sums.values_mut().for_each(|sums| sums.mature(newest, self.late));
        Some(copy.at(newest, false))
    }

    /// How far the aligned look is behind the newest look of any partition, and what holds it. `None` before the first aligned look.
    pub fn freshness(&self) -> Option<Freshness> {
        let evaluated = self.evaluated?;
        let newest = self.newest()?;
        let configs = || self.parts.iter().map(Part::newest_config);
        let versions_differ = !self.is_even();
        let held_by = if versions_differ && configs().min() != configs().max() {
            (0..self.parts.len()).min_by_key(|&at| self.parts[at].newest_config())
        } else {
            (0..self.parts.len()).min_by_key(|&at| self.parts[at].read)
        };
        let age = Span((newest.0 - evaluated.0).max(0));
        let held_by = held_by.filter(|_| age.0 > 0).map(|at| at as u32);
        Some(Freshness { age, held_by, versions_differ })
    }

    /// End of the newest look of any partition that was read.
    pub fn newest(&self) -> Option<Timestamp> {
        self.parts.iter().filter_map(|part| part.read).max()
    }

    fn at(&self, look: Timestamp, aligned: bool) -> Results {
        let mut counters = Counters::default();
        let mut offsets = BTreeMap::new();
        let (mut log, mut semantics, mut closed) = (String::new(), 0, 0);
        for (partition, part) in self.parts.iter().enumerate() {
            closed += u32::from(aligned || part.read.is_some_and(|read| read >= look));
            let Some(head) = &part.head else { continue };
            counters.merge(&head.counters);
            offsets.insert(partition as u32, (head.start_offset, head.next_offset, head.log_time));
            (log, semantics) = (head.log.clone(), head.semantics);
        }
        let result = |(phase, sums): (&Phase, &Sums)| {
            let memory = self.memory.get(phase).filter(|_| aligned);
            infer(sums, look, self.late, in_force(&self.definitions, phase).is_some(), memory)
        };
        let mut experiments: Vec<_> = self.sums.iter().map(result).collect();
        let share = |count: u64| (counters.records > 0).then(|| count as f64 / counters.records as f64);
        let rejected = Reason::ALL.iter().map(|&reason| counters.rejected(reason)).sum();
        for experiment in &mut experiments {
            experiment.rejected_share = share(rejected);
            experiment.late_share = share(counters.rejected(Reason::Late));
        }
        // The phase in force comes first, because readers look an experiment up by its id.
        experiments.sort_by(|one, other| (&one.id, !one.in_force).cmp(&(&other.id, !other.in_force)));
        Results {
            look,
            aligned,
            config_version: self.config,
            experiments,
            counters,
            offsets,
            partitions: self.parts.len() as u32,
            closed,
            log,
            semantics,
            epoch: self.epoch,
        }
    }

    /// How many looks of a partition were read and are not in the sums.
    pub fn waiting(&self, partition: u32) -> usize {
        let part = &self.parts[partition as usize];
        part.waiting.len() + usize::from(part.staged.is_some())
    }

    /// Where reading a partition would have to go on to get everything that is not in the sums; `None` where everything is.
    pub fn resume(&self, partition: u32) -> Option<u64> {
        self.parts[partition as usize].from()
    }

    /// Partitions whose results are frozen, and why.
    pub fn frozen(&self) -> impl Iterator<Item = (u32, &Freeze)> {
        self.parts.iter().enumerate().filter_map(|(at, part)| Some((at as u32, part.frozen.as_ref()?)))
    }
}

/// The salt of an experiment; publishing mints one where the author wrote none.
fn salt_of(experiment: &Experiment) -> &str {
    experiment.salt.as_deref().unwrap_or(&experiment.id)
}

/// The definition of a phase, unless another phase of the experiment is in force.
fn in_force<'a>(definitions: &'a Definitions, phase: &Phase) -> Option<&'a Experiment> {
    definitions.experiments.get(&phase.0).filter(|experiment| salt_of(experiment) == phase.1)
}

fn fresh(definitions: &Definitions, phase: &Phase, metrics: &[String]) -> Option<Sums> {
    let experiment = in_force(definitions, phase)?;
    let metrics = metrics.iter().map(|id| definitions.metrics.get(id).cloned()).collect::<Option<Vec<_>>>()?;
    Some(Sums::new(experiment, metrics))
}

/// Takes over what may change while a phase lives.
fn revise(sums: &mut Sums, experiment: &Experiment, definitions: &Definitions) {
    let mine = &mut sums.experiment;
    mine.status = experiment.status;
    mine.take_words(experiment);
    mine.metrics.clone_from(&experiment.metrics);
    for metric in &mut sums.metrics {
        if let Some(definition) = definitions.metrics.get(&metric.id) {
            metric.take_words(definition);
        }
    }
}
