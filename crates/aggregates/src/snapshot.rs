//! The state of a partition as bytes, taken between two records; restoring it and going on equals never having stopped.

use crate::attribution::Attribution;
use crate::bytes::{Bytes, Reader, Torn};
use crate::dedupe::{Dedupe, RunName, Runs, RunsError};
use crate::look::Counters;
use crate::partition::{OpenChunk, Partition, check_genesis, horizon};
use crate::settings::{SEMANTICS, SEMANTICS_KNOWN, next_change};
use crate::slot::{Catalogue, Slot, Tallies};
use crate::units::Units;
use crate::versions::{Versions, parse};
use crate::windows::Windows;
use assay_experiment::{Definitions, Schedule, Settings, Span, Status, Timestamp, canonical, control};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// Starts every snapshot, so that other files are recognised as such.
const MAGIC: &[u8; 8] = b"assaysn3";

/// A snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not a snapshot of a format that this build reads.
    #[error("it is no snapshot of a format that this build knows")]
    Format,
    /// Its checksum differs from its content.
    #[error("its checksum differs: it was damaged")]
    Checksum,
    /// It was taken under another meaning of the fold.
    #[error("it has semantics {0}, this build has 1 to {SEMANTICS}; use a build that has them")]
    Semantics(u32),
    /// It is of another log or partition.
    #[error("it belongs to another log: {0}")]
    OtherLog(String),
    /// Cut off.
    #[error(transparent)]
    Torn(#[from] Torn),
    /// Definitions in it that this build refuses.
    #[error("its definitions are not valid: {0}")]
    Definitions(String),
    /// Runs that it names are not there.
    #[error(transparent)]
    Runs(#[from] RunsError),
}

/// What a snapshot says of itself without being restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Identity of the log.
    pub log: String,
    /// The partition.
    pub partition: u32,
    /// Where to go on reading.
    pub next_offset: u64,
    /// Log time.
    pub log_time: Timestamp,
    /// Sealed runs of remembered ids that it needs.
    pub runs: Vec<RunName>,
}

impl Partition {
    /// The state as bytes. The same state gives the same bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Bytes::default();
        out.data.extend_from_slice(MAGIC);
        out.fixed32(self.semantics);
        out.text(&self.genesis.log);
        out.uint(u64::from(self.id));
        out.uint(self.next_offset);
        out.int(self.log_time.0);
        let runs: Vec<RunName> = self.dedupe.run_names().collect();
        out.uint(runs.len() as u64);
        for run in runs {
            out.int(run.first);
            out.int(run.last);
            out.byte(run.tier);
        }
        out.blob(&self.genesis.encode());
        out.uint(self.start_offset);
        for open in [self.looks.open, self.chunks.open, self.previous_look.map(|as_of| as_of.0)] {
            out.byte(u8::from(open.is_some()));
            out.int(open.unwrap_or(0));
        }
        write_schedule(&self.schedule, &mut out);
        out.byte(u8::from(self.chunk.first.is_some()));
        out.uint(self.chunk.first.unwrap_or(0));
        out.uint(u64::from(self.chunk.rows));
        out.uint(u64::from(self.chunk.dead));
        out.uint(self.chunk.bytes);
        out.fixed64(self.keyframe_hour);
        out.uint(self.published_config);
        self.counters.write(&mut out);
        self.versions.write(&mut out);
        self.catalogue.write(&mut out);
        out.uint(self.attribution.slots.len() as u64);
        for (index, slot) in self.attribution.slots.iter().enumerate() {
            write_slot(slot, &mut out);
            let published = self.published_tallies.get(&(index as u16));
            out.byte(u8::from(published.is_some()));
            published.cloned().unwrap_or_default().write(&mut out);
        }
        self.attribution.units.write(&mut out, self.log_time, self.attribution.slack);
        self.dedupe.write(&mut out);
        let checksum = xxh3_128(&out.data);
        out.fixed128(checksum);
        out.data
    }

    /// Of the whole state: equal for equal histories, however often they were interrupted.
    pub fn state_hash(&self) -> u128 {
        xxh3_128(&self.snapshot())
    }

    /// Goes on from a snapshot. `runs` must hold the runs that it names.
    pub fn restore(bytes: &[u8], runs: Box<dyn Runs>) -> Result<Partition, RestoreError> {
        let (info, mut from) = open(bytes)?;
        let genesis =
            control::Genesis::decode(from.blob()?).map_err(|problem| RestoreError::OtherLog(problem.to_string()))?;
        check_genesis(info.partition, &genesis).map_err(|halt| RestoreError::OtherLog(halt.to_string()))?;
        let start_offset = from.uint()?;
        let mut option = || -> Result<Option<i64>, Torn> {
            let (some, value) = (from.byte()? != 0, from.int()?);
            Ok(some.then_some(value))
        };
        let (looks_open, chunks_open, previous_look) = (option()?, option()?, option()?);
        let schedule = read_schedule(&mut from)?;
        let (has_first, first) = (from.byte()? != 0, from.uint()?);
        let chunk = OpenChunk {
            first: has_first.then_some(first),
            rows: from.uint()? as u32,
            dead: from.uint()? as u32,
            bytes: from.uint()?,
        };
        let (keyframe_hour, published_config) = (from.fixed64()?, from.uint()?);
        let counters = Counters::read(&mut from)?;
        let versions = Versions::read(&mut from)?;
        let catalogue = Catalogue::read(&mut from)?;
        let mut slots = Vec::new();
        let mut published_tallies = HashMap::new();
        for index in 0..from.count()? {
            slots.push(read_slot(&mut from, &catalogue)?);
            let published = from.byte()? != 0;
            let tallies = Tallies::read(&mut from)?;
            if published {
                published_tallies.insert(index as u16, tallies);
            }
        }
        let units = Units::read(&mut from)?;
        let dedupe = Dedupe::read(&mut from, runs, horizon(&genesis))?;
        let settings = schedule.at(info.log_time);
        let changes_at = next_change(&schedule, info.log_time);
        Ok(Partition {
            id: info.partition,
            start_offset,
            next_offset: info.next_offset,
            log_time: info.log_time,
            looks: Windows { open: looks_open, ..Windows::new(settings.look()) },
            chunks: Windows { open: chunks_open, ..Windows::new(settings.chunk()) },
            chunk,
            previous_look: previous_look.map(Timestamp),
            semantics: settings.semantics,
            schedule,
            changes_at,
            keyframe_hour,
            published_config,
            published_tallies,
            schemas: versions.schemas(),
            versions,
            catalogue,
            attribution: Attribution { units, slots, slack: Span(genesis.first_exposure_slack_ms as i64 * 1_000) },
            dedupe,
            counters,
            genesis,
        })
    }
}

impl SnapshotInfo {
    /// Reads the head of a snapshot and checks its checksum.
    pub fn read(bytes: &[u8]) -> Result<SnapshotInfo, RestoreError> {
        open(bytes).map(|(info, _)| info)
    }
}

fn open(bytes: &[u8]) -> Result<(SnapshotInfo, Reader<'_>), RestoreError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else { return Err(RestoreError::Format) };
    let (body, checksum) = rest.split_at_checked(rest.len().saturating_sub(16)).ok_or(RestoreError::Checksum)?;
    if checksum != xxh3_128(&bytes[..MAGIC.len() + body.len()]).to_le_bytes() {
        return Err(RestoreError::Checksum);
    }
    let mut from = Reader::new(body);
    let semantics = from.fixed32()?;
    if !SEMANTICS_KNOWN.contains(&semantics) {
        return Err(RestoreError::Semantics(semantics));
    }
    let log = from.text()?.to_owned();
    let (partition, next_offset, log_time) = (from.uint()? as u32, from.uint()?, Timestamp(from.int()?));
    let runs = (0..from.count()?)
        .map(|_| Ok(RunName { first: from.int()?, last: from.int()?, tier: from.byte()? }))
        .collect::<Result<_, Torn>>()?;
    Ok((SnapshotInfo { log, partition, next_offset, log_time, runs }, from))
}

impl Catalogue {
    fn write(&self, out: &mut Bytes) {
        out.uint(self.names.len() as u64);
        self.names.iter().for_each(|name| out.text(name));
        out.uint(self.filters.len() as u64);
        for filter in &self.filters {
            out.uint(filter.len() as u64);
            for (attribute, text) in filter {
                out.text(attribute);
                out.text(text);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let names = (0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        let mut filters = Vec::new();
        for _ in 0..from.count()? {
            let pairs = (0..from.count()?).map(|_| Ok((from.text()?.to_owned(), from.text()?.to_owned())));
            filters.push(pairs.collect::<Result<_, Torn>>()?);
        }
        Ok(Catalogue { names, filters })
    }
}

fn write_schedule(schedule: &Schedule, out: &mut Bytes) {
    let (start, changes) = schedule.parts();
    out.uint(changes.len() as u64);
    for settings in [&start].into_iter().chain(changes) {
        out.int(settings.from_ms);
        out.uint(settings.look_ms);
        out.uint(settings.chunk_ms);
        out.fixed32(settings.semantics);
    }
}

fn read_schedule(from: &mut Reader<'_>) -> Result<Schedule, RestoreError> {
    let count = from.count()?;
    let mut settings = || -> Result<Settings, Torn> {
        let (at, from_ms, look_ms, chunk_ms) = (from.position(), from.int()?, from.uint()?, from.uint()?);
        let settings = Settings { from_ms, look_ms, chunk_ms, semantics: from.fixed32()? };
        // Lengths that no log can have would be divided by.
        let whole = Settings { from_ms: 0, ..settings };
        if whole.check().is_err() { Err(Torn(at)) } else { Ok(settings) }
    };
    let start = settings()?;
    let changes = (0..count).map(|_| settings()).collect::<Result<Vec<_>, _>>()?;
    Ok(Schedule::from_parts(start, changes))
}

/// A slot's definition is written as canonical text: it may be older than any version that is kept.
fn write_slot(slot: &Slot, out: &mut Bytes) {
    let mut definitions = Definitions::default();
    for metric in &slot.metrics {
        definitions.metrics.insert(metric.metric.id.clone(), metric.metric.clone());
    }
    let mut experiment = slot.experiment.clone();
    // A layer's name is of no use to the fold, and its definition is not here.
    experiment.layer = None;
    definitions.experiments.insert(experiment.id.clone(), experiment);
    let bodies = canonical::parts(&definitions);
    out.uint(bodies.len() as u64);
    bodies.iter().for_each(|body| out.text(body));
    out.text(&slot.salt);
    out.int(slot.live_from.0);
    out.byte(u8::from(slot.ended.is_some()));
    out.int(slot.ended.unwrap_or_default().0);
    out.byte(slot.experiment.status as u8);
    out.uint(slot.metrics.len() as u64);
    for metric in &slot.metrics {
        out.text(&metric.metric.id);
        out.int(metric.live_from.0);
    }
    slot.tallies.write(out);
    slot.totals.write(out);
    slot.minutes.write(out);
}

fn read_slot(from: &mut Reader<'_>, catalogue: &Catalogue) -> Result<Slot, RestoreError> {
    let bodies: Vec<String> = (0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    let mut definitions = parse(&bodies).map_err(RestoreError::Definitions)?;
    let (_, mut experiment) = definitions
        .experiments
        .pop_first()
        .ok_or_else(|| RestoreError::Definitions("an experiment is missing".to_owned()))?;
    let salt = from.text()?.to_owned();
    let live_from = Timestamp(from.int()?);
    let (has_ended, ended) = (from.byte()? != 0, Timestamp(from.int()?));
    experiment.status = match from.byte()? {
        0 => Status::Draft,
        1 => Status::Running,
        2 => Status::Paused,
        _ => Status::Stopped,
    };
    let used = std::mem::take(&mut experiment.metrics);
    let mut slot = Slot::new(&experiment, &salt, &definitions, catalogue, live_from);
    slot.ended = has_ended.then_some(ended);
    for _ in 0..from.count()? {
        let (id, live_from) = (from.text()?, Timestamp(from.int()?));
        let metric =
            definitions.metrics.get(id).ok_or_else(|| RestoreError::Definitions(format!("metric {id} is missing")))?;
        slot.add_metric(metric.clone(), live_from, catalogue);
    }
    slot.experiment.metrics = used;
    slot.tallies = Tallies::read(from)?;
    slot.totals.restore(from)?;
    slot.minutes.restore(from)?;
    Ok(slot)
}
