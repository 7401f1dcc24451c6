//! What a partition publishes when looks close: the sums that changed, absolute, with where they came from.

use crate::bytes::{Bytes, Reader, Torn};
use crate::effects::Reason;
use crate::rejected;
use crate::slot::Tallies;
use crate::totals::Block;
use assay_experiment::{Span, Timestamp};

/// A look record. Its changes belong to look `first`; looks up to `last` closed with it and are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Identity of the log, as in its genesis record.
    pub log: String,
    /// The partition.
    pub partition: u32,
    /// Meaning of the fold.
    pub semantics: u32,
    /// Length of these looks; look k covers `[k, k + 1)` lengths since the epoch.
    pub length: Span,
    /// Number of the look that the changes belong to.
    pub first: i64,
    /// Last look that closed at the same record.
    pub last: i64,
    /// As of when the record before was, if there was one: its looks may have had another length.
    pub previous: Option<Timestamp>,
    /// Offset of the first record of the partition that the sums cover.
    pub start_offset: u64,
    /// One beyond the last record that the sums cover.
    pub next_offset: u64,
    /// Log time of the last record covered.
    pub log_time: Timestamp,
    /// Version of the definitions in force, 0 for none.
    pub config: u64,
    /// Canonical definitions of `config`, where it changed since the record before, and in keyframes.
    pub definitions: Option<Vec<String>>,
    /// Whether all sums are here, not only those that changed.
    pub keyframe: bool,
    /// Counts of records.
    pub counters: Counters,
    /// Experiments with changes.
    pub experiments: Vec<ExperimentChanges>,
    /// Of everything that the partition has summed up, here or in records before.
    pub hash: u128,
}

/// What changed in one experiment's phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentChanges {
    /// Its id.
    pub id: String,
    /// Its salt, which tells phases apart.
    pub salt: String,
    /// Ids of its metrics, in the order of the cells.
    pub metrics: Vec<String>,
    /// Counts beside the metrics.
    pub tallies: Tallies,
    /// Sums that changed.
    pub blocks: Vec<Block>,
    /// The same by minute of first exposure, over all units and from [`ring_start`] on; their hours are minutes.
    ///
    /// [`ring_start`]: crate::ring_start
    pub minutes: Vec<Block>,
}

/// Counts of records since the start of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// All.
    pub records: u64,
    /// Ticks, genesis and config records that were valid.
    pub control: u64,
    /// Repeats of accepted events.
    pub duplicates: u64,
    /// Accepted exposures, conversions and retractions; every copy of an event for several units counts.
    pub accepted: [u64; 3],
    /// The same without copies.
    pub originals: [u64; 3],
    /// Conversions that count in some metric.
    pub attributed: u64,
    /// Conversions that were taken back.
    pub retracted: u64,
    /// Retractions that did not say what their target said.
    pub void_retractions: u64,
    /// Retractions whose target has not come: it may still, or it never was.
    pub unmet_retractions: u64,
    /// Conversions of units that were out (bots).
    pub of_excluded: u64,
    /// Conversions that are reports of lost exposures, and so nobody's.
    pub lost_reports: u64,
    /// Conversions that named an experiment that their unit was not exposed to, though it was to another.
    pub contradictions: u64,
    /// By [`Reason`].
    pub rejected: [u64; Reason::ALL.len()],
}

/// First byte of a record's encoding; 2 is that of a piece.
const FORMAT: u8 = 4;

/// Bytes that are no look record of a known format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookError {
    /// Written by a newer build, or no look record.
    #[error("the look record has format {0}, this build reads format {FORMAT}; use the build that wrote it")]
    Format(u8),
    /// Damaged.
    #[error("the look record is damaged: {0}")]
    Torn(#[from] Torn),
    /// Damaged.
    #[error("the look record's checksum differs: it was damaged")]
    Checksum,
}

impl Counters {
    /// Conversions that were accepted and count nowhere.
    pub fn unattributed(&self) -> u64 {
        self.accepted[1].saturating_sub(self.attributed + self.retracted + self.of_excluded + self.lost_reports)
    }

    /// How many were rejected for a reason.
    pub fn rejected(&self, reason: Reason) -> u64 {
        self.rejected[reason as usize]
    }

    /// Adds another partition's.
    pub fn merge(&mut self, other: &Counters) {
        for (mine, theirs) in self.all_mut().into_iter().zip(other.clone().all_mut()) {
            *mine += *theirs;
        }
    }

    fn all_mut(&mut self) -> Vec<&mut u64> {
        let mut all = vec![
            &mut self.records,
            &mut self.control,
            &mut self.duplicates,
            &mut self.attributed,
            &mut self.retracted,
            &mut self.void_retractions,
            &mut self.unmet_retractions,
            &mut self.of_excluded,
            &mut self.lost_reports,
            &mut self.contradictions,
        ];
        all.extend(&mut self.accepted);
        all.extend(&mut self.originals);
        all.extend(&mut self.rejected);
        all
    }

    pub(crate) fn write(&self, out: &mut Bytes) {
        self.clone().all_mut().into_iter().for_each(|count| out.uint(*count));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let mut counters = Counters::default();
        for count in counters.all_mut() {
            *count = from.uint()?;
        }
        Ok(counters)
    }
}

impl Tallies {
    pub(crate) fn write(&self, out: &mut Bytes) {
        out.uint(self.entered.len() as u64);
        self.entered.iter().for_each(|&units| out.int(units));
        out.int(self.crossed);
        out.uint(self.exposures);
        out.uint(self.outside);
        out.uint(self.lost);
        out.int(self.clamped);
        out.uint(self.misbucketed.len() as u64);
        for ((variant, sdk), &count) in &self.misbucketed {
            out.byte(*variant);
            out.text(sdk);
            out.uint(count);
        }
        rejected::write(&self.rejected, out);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let entered = (0..from.count()?).map(|_| from.int()).collect::<Result<_, _>>()?;
        let (crossed, exposures, outside) = (from.int()?, from.uint()?, from.uint()?);
        let (lost, clamped) = (from.uint()?, from.int()?);
        let misbucketed = (0..from.count()?)
            .map(|_| Ok(((from.byte()?, from.text()?.to_owned()), from.uint()?)))
            .collect::<Result<_, Torn>>()?;
        let rejected = rejected::read(from)?;
        Ok(Tallies { entered, crossed, exposures, outside, lost, clamped, misbucketed, rejected })
    }

    /// Adds another partition's.
    pub fn merge(&mut self, other: &Tallies) {
        self.entered.resize(self.entered.len().max(other.entered.len()), 0);
        self.entered.iter_mut().zip(&other.entered).for_each(|(mine, theirs)| *mine += theirs);
        self.crossed += other.crossed;
        self.exposures += other.exposures;
        self.outside += other.outside;
        self.lost += other.lost;
        self.clamped += other.clamped;
        for (key, count) in &other.misbucketed {
            *self.misbucketed.entry(key.clone()).or_default() += count;
        }
        other.rejected.iter().for_each(|(reason, it)| rejected::add(&mut self.rejected, *reason, *it));
    }
}

impl Look {
    /// End of the look that the changes belong to.
    pub fn changed_at(&self) -> Timestamp {
        Timestamp((self.first + 1) * self.length.0)
    }

    /// End of the last look that closed: the instant that the sums are as of.
    pub fn as_of(&self) -> Timestamp {
        Timestamp((self.last + 1) * self.length.0)
    }

    /// For the aggregates topic.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Bytes::default();
        out.byte(FORMAT);
        out.text(&self.log);
        out.uint(u64::from(self.partition));
        out.uint(u64::from(self.semantics));
        out.int(self.length.0);
        out.int(self.first);
        out.int(self.last);
        out.byte(u8::from(self.previous.is_some()));
        out.int(self.previous.unwrap_or_default().0);
        out.uint(self.start_offset);
        out.uint(self.next_offset);
        out.int(self.log_time.0);
        out.uint(self.config);
        out.byte(u8::from(self.definitions.is_some()));
        let definitions = self.definitions.as_deref().unwrap_or_default();
        out.uint(definitions.len() as u64);
        definitions.iter().for_each(|definition| out.text(definition));
        out.byte(u8::from(self.keyframe));
        self.counters.write(&mut out);
        out.uint(self.experiments.len() as u64);
        for experiment in &self.experiments {
            out.text(&experiment.id);
            out.text(&experiment.salt);
            out.uint(experiment.metrics.len() as u64);
            experiment.metrics.iter().for_each(|metric| out.text(metric));
            experiment.tallies.write(&mut out);
            out.uint(experiment.blocks.len() as u64);
            experiment.blocks.iter().for_each(|block| block.write(&mut out));
            out.uint(experiment.minutes.len() as u64);
            experiment.minutes.iter().for_each(|block| block.write(&mut out));
        }
        out.fixed128(self.hash);
        let checksum = crc32c::crc32c(&out.data);
        out.fixed32(checksum);
        out.data
    }

    /// Reads what [`Look::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Look, LookError> {
        let format = *bytes.first().ok_or(Torn(0))?;
        if format != FORMAT {
            return Err(LookError::Format(format));
        }
        let (body, checksum) = bytes.split_at_checked(bytes.len().saturating_sub(4)).ok_or(Torn(0))?;
        if checksum != crc32c::crc32c(body).to_le_bytes() {
            return Err(LookError::Checksum);
        }
        let mut from = Reader::new(&body[1..]);
        let look = Look::read(&mut from)?;
        if from.is_done() { Ok(look) } else { Err(Torn(from.position()).into()) }
    }

    fn read(from: &mut Reader<'_>) -> Result<Look, Torn> {
        let log = from.text()?.to_owned();
        let (partition, semantics) = (from.uint()? as u32, from.uint()? as u32);
        let (length, first, last) = (Span(from.int()?), from.int()?, from.int()?);
        let (has_previous, previous) = (from.byte()? != 0, from.int()?);
        let (start_offset, next_offset, log_time, config) =
            (from.uint()?, from.uint()?, Timestamp(from.int()?), from.uint()?);
        let has_definitions = from.byte()? != 0;
        let definitions = (0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Result<Vec<_>, _>>()?;
        let keyframe = from.byte()? != 0;
        let counters = Counters::read(from)?;
        let experiments = (0..from.count()?).map(|_| ExperimentChanges::read(from)).collect::<Result<_, _>>()?;
        Ok(Look {
            log,
            partition,
            semantics,
            length,
            first,
            last,
            previous: has_previous.then_some(Timestamp(previous)),
            start_offset,
            next_offset,
            log_time,
            config,
            definitions: has_definitions.then_some(definitions),
            keyframe,
            counters,
            experiments,
            hash: from.fixed128()?,
        })
    }
}

impl ExperimentChanges {
    fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let (id, salt) = (from.text()?.to_owned(), from.text()?.to_owned());
        let metrics = (0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        let tallies = Tallies::read(from)?;
        let blocks = (0..from.count()?).map(|_| Block::read(from)).collect::<Result<_, _>>()?;
        let minutes = (0..from.count()?).map(|_| Block::read(from)).collect::<Result<_, _>>()?;
        Ok(ExperimentChanges { id, salt, metrics, tallies, blocks, minutes })
    }
}
