//! The fold over one partition of the log: a record in, effects out, state updated.
//!
//! A pure function of (log identity, base, semantics version, records): no clock, no randomness, no order but the log's.

use crate::attribution::{Attribution, Converted, Fate, Need, RetractionOutcome, Seen, Target};
use crate::control::salt;
use crate::dedupe::{Dedupe, Entry, Remembered, Runs};
use crate::effects::{Chunk, ControlFact, DeadLetter, Effects, Fact, Input, Reason};
use crate::look::{Counters, ExperimentChanges, Look};
use crate::lost;
use crate::rejected::{self, Rejected};
use crate::settings::{Halt, LOST_COUNTS, NEVER, SEMANTICS_KNOWN};
use crate::slot::{Catalogue, Slot, SlotIndex, Tallies, WANTED};
use crate::units::{BOT, Conversion, ERASED, Retracted, TOUCHED_MAX, Units};
use crate::versions::Versions;
use crate::windows::Windows;
use assay_experiment::{
    Assignment, Body, Definitions, Digest, Event, Retraction, Schedule, Span, Status, Timestamp, assignment, control,
    digest, partitioner, wire,
};
use std::collections::HashMap;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// Most rows of a chunk.
const CHUNK_ROWS_MAX: u32 = 250_000;
/// Most bytes of a chunk: of its records, and a row's fixed columns for each.
const CHUNK_BYTES_MAX: u64 = 32 << 20;
/// Longest id of a unit in the format.
const UNIT_ID_BYTES_MAX: usize = 128;
/// What a row weighs beside its record.
const ROW_BYTES: u64 = 96;

/// The state of one partition.
pub struct Partition {
    pub(crate) id: u32,
    pub(crate) genesis: control::Genesis,
    pub(crate) start_offset: u64,
    pub(crate) next_offset: u64,
    pub(crate) log_time: Timestamp,
    pub(crate) looks: Windows,
    pub(crate) chunks: Windows,
    pub(crate) chunk: OpenChunk,
    /// As of when the last look record is.
    pub(crate) previous_look: Option<Timestamp>,
    pub(crate) schedule: Schedule,
    /// Meaning of the fold now.
    pub(crate) semantics: u32,
    /// When the settings change next; compared at every record.
    pub(crate) changes_at: Timestamp,
    pub(crate) keyframe_hour: i64,
    pub(crate) published_config: u64,
    pub(crate) published_tallies: HashMap<SlotIndex, Tallies>,
    pub(crate) versions: Versions,
    pub(crate) catalogue: Catalogue,
    pub(crate) attribution: Attribution,
    pub(crate) dedupe: Dedupe,
    pub(crate) counters: Counters,
    pub(crate) schemas: wire::Schemas,
}

/// What the open chunk holds so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OpenChunk {
    pub first: Option<u64>,
    pub rows: u32,
    pub dead: u32,
    pub bytes: u64,
}

/// What became of a record.
pub(crate) enum Outcome {
    Accepted,
    Duplicate,
    Control { row: bool },
    Rejected(Reason, String),
}

impl Partition {
    /// Starts at the genesis record, which must be the partition's first; give it to [`Partition::apply`] as well.
    pub fn start(id: u32, first: &Input<'_>, runs: Box<dyn Runs>) -> Result<Self, Halt> {
        let genesis = match control::decode(first.headers, first.payload) {
            Ok(Some(control::Control::Genesis(genesis))) => genesis,
            _ => return Err(Halt::NoGenesis(id)),
        };
        check_genesis(id, &genesis)?;
        Ok(Partition {
            id,
            start_offset: first.offset,
            next_offset: first.offset,
            log_time: first.timestamp,
            looks: Windows::new(Span(genesis.look_ms as i64 * 1_000)),
            chunks: Windows::new(Span(genesis.chunk_ms as i64 * 1_000)),
            chunk: OpenChunk::default(),
            previous_look: None,
            schedule: Schedule::new(&genesis),
            semantics: genesis.semantics,
            changes_at: NEVER,
            keyframe_hour: i64::MIN,
            published_config: 0,
            published_tallies: HashMap::new(),
            versions: Versions::default(),
            catalogue: Catalogue::default(),
            attribution: Attribution {
                units: Units::new(),
                slots: Vec::new(),
                slack: Span(genesis.first_exposure_slack_ms as i64 * 1_000),
            },
            dedupe: Dedupe::new(runs, horizon(&genesis)),
            counters: Counters::default(),
            schemas: wire::Schemas::built_in(),
            genesis,
        })
    }

    /// Which partition.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the log said about itself at its start.
    pub fn genesis(&self) -> &control::Genesis {
        &self.genesis
    }

    /// Where the next record is expected.
    pub fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// M: the running maximum of the records' times.
    pub fn log_time(&self) -> Timestamp {
        self.log_time
    }

    /// When the open look ends: a record at or after this closes it.
    pub fn look_ends(&self) -> Timestamp {
        self.looks.start() + self.looks.length
    }

    /// Counts of records so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Number of the definitions in force, 0 for none.
    pub fn config_version(&self) -> u64 {
        self.versions.number()
    }

    /// The definitions in force.
    pub fn definitions(&self) -> Option<&Definitions> {
        self.versions.in_force().map(|current| current.definitions.as_ref())
    }

    /// Meaning of the fold now.
    pub fn semantics(&self) -> u32 {
        self.semantics
    }

    /// Settings of the log by hour, as far as they were read.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Whether a record of this time comes under other settings than the ones before it.
    pub fn changes_settings(&self, timestamp: Timestamp) -> bool {
        timestamp >= self.changes_at
    }

    /// The memory of accepted ids.
    pub fn dedupe(&self) -> &Dedupe {
        &self.dedupe
    }

    /// Units, enrolments, and bytes in memory, about.
    pub fn size(&self) -> Size {
        let (units, enrolments) = self.attribution.units.sizes();
        Size { units, enrolments, unit_bytes: self.attribution.units.memory(), dedupe_bytes: self.dedupe.memory() }
    }

    /// Whether a record of this time would end the open chunk before it is applied.
    pub fn ends_chunk(&self, timestamp: Timestamp) -> bool {
        let now = self.log_time.max(timestamp);
        self.chunks.open.is_some_and(|open| now.0.div_euclid(self.chunks.length.0) > open)
    }

    /// Accepted events, control records and dead letters that the open chunk holds.
    pub fn open_rows(&self) -> u32 {
        self.chunk.rows + self.chunk.dead
    }

    /// Whether log time has to go on although no events come: an experiment's results may still change, or rows wait for their chunk to
    /// end. Results change until the hour in which the last unit entered is mature for every metric and a look has closed after that.
    pub fn needs_ticks(&self) -> bool {
        let beyond = Span::HOUR.0 + late(&self.genesis).0 + self.looks.length.0;
        let changes = |slot: &Slot| {
            slot.ended.is_none_or(|ended| self.log_time <= ended + Span(beyond.saturating_add(slot.runs_out().0)))
        };
        self.open_rows() > 0 || self.attribution.slots.iter().any(changes)
    }

    /// Closes the windows that the next record closes, before it is applied: the moment for a snapshot. Applying the record does it too.
    pub fn advance(&mut self, input: &Input<'_>, effects: &mut dyn Effects) -> Result<(), Halt> {
        if input.offset < self.next_offset {
            return Err(Halt::Repeated { partition: self.id, next: self.next_offset, found: input.offset });
        }
        let now = self.log_time.max(input.timestamp);
        if now >= self.changes_at {
            self.change_settings(now, effects)?;
        }
        self.dedupe.advance(now)?;
        self.close_windows(now, effects);
        self.log_time = now;
        Ok(())
    }

    pub(crate) fn close_windows(&mut self, now: Timestamp, effects: &mut dyn Effects) {
        if let Some((first, last)) = self.looks.advance(now) {
            self.close_looks(first, last, effects);
        }
        let window = self.chunks.start();
        if self.chunks.advance(now).is_some() {
            self.close_chunk(window, effects);
        }
    }

    /// Reads what records with these keys will probably need, so that the waits for memory overlap; at most [`TOUCHED_MAX`] of
    /// them. Changes nothing.
    ///
    /// A guess: that the key is the unit's id, the unit a user, and the payload of a built-in schema. Where it is wrong, only some reads were
    /// for nothing.
    pub fn touch<'a>(&self, records: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        let (mut units, mut ids, mut count) = ([0; TOUCHED_MAX], [0; TOUCHED_MAX], 0);
        let fitting = records.filter(|(key, _)| key.len() <= UNIT_ID_BYTES_MAX);
        for ((unit, id), (key, payload)) in units.iter_mut().zip(&mut ids).zip(fitting) {
            *unit = hash_of(b"user", key, self.genesis.hash_seed);
            *id = wire::id_ahead(payload).map_or(0, |id| id_key(id.0, *unit));
            count += 1;
        }
        let units = self.attribution.units.touch(&units[..count]);
        let ids: u64 = ids[..count].iter().map(|&id| self.dedupe.touch(id)).sum();
        // Otherwise the compiler would see that nobody needs the values.
        std::hint::black_box((units, ids));
    }

    /// Applies the next record. After an error the partition must start again from its snapshot.
    pub fn apply(&mut self, input: &Input<'_>, effects: &mut dyn Effects) -> Result<(), Halt> {
        self.advance(input, effects)?;
        let outcome = match control::decode(input.headers, input.payload) {
            Ok(Some(control)) => self.control(control),
            Ok(None) => self.event(input, effects)?,
            Err(problem) => Outcome::Rejected(Reason::Control, problem.to_string()),
        };
        self.next_offset = input.offset + 1;
        self.account(input, outcome, effects);
        Ok(())
    }

    fn account(&mut self, input: &Input<'_>, outcome: Outcome, effects: &mut dyn Effects) {
        self.counters.records += 1;
        let (mut rows, mut dead) = (0, 0);
        match outcome {
            Outcome::Accepted => rows = 1,
            Outcome::Duplicate => self.counters.duplicates += 1,
            Outcome::Control { row } => {
                self.counters.control += 1;
                rows = u32::from(row);
                if row {
                    let (kind, version) = describe(input);
                    effects.control(&ControlFact {
                        offset: input.offset,
                        log_time: self.log_time,
                        kind,
                        version,
                        input: *input,
                    });
                }
            }
            Outcome::Rejected(reason, detail) => {
                self.counters.rejected[reason as usize] += 1;
                dead = 1;
                // What an erased unit sends must not bring its id back, wherever in the record it is.
                let erased = Input { key: None, headers: &[], payload: &[], ..*input };
                let input = if reason == Reason::Erased { erased } else { *input };
                effects.dead_letter(&DeadLetter { log_time: self.log_time, reason, detail, input });
            }
        }
        if rows + dead > 0 {
            self.chunk.first.get_or_insert(input.offset);
            self.chunk.rows += rows;
            self.chunk.dead += dead;
            self.chunk.bytes += input.payload.len() as u64 + ROW_BYTES;
            if self.chunk.rows + self.chunk.dead >= CHUNK_ROWS_MAX || self.chunk.bytes >= CHUNK_BYTES_MAX {
                self.close_chunk(self.chunks.start(), effects);
            }
        }
    }

    fn close_chunk(&mut self, window: Timestamp, effects: &mut dyn Effects) {
        let OpenChunk { first, rows, dead, .. } = std::mem::take(&mut self.chunk);
        effects.chunk(Chunk {
            window,
            first: first.unwrap_or(self.next_offset),
            next: self.next_offset,
            rows,
            dead,
            semantics: self.semantics,
        });
    }

    fn close_looks(&mut self, first: i64, last: i64, effects: &mut dyn Effects) {
        let slack = self.attribution.slack;
        self.attribution.units.compact(last as u64, self.log_time, slack);
        let (first_end, end) = (self.looks.end_of(first), self.looks.end_of(last));
        let hour = end.hour();
        let keyframe = hour > self.keyframe_hour;
        self.keyframe_hour = hour;
        if keyframe {
            let (now, late) = (self.log_time, late(&self.genesis));
            self.attribution.slots.iter_mut().for_each(|slot| slot.make_days(now, late));
        }
        let config = self.versions.number();
        let changed = config != self.published_config;
        self.published_config = config;
        let definitions =
            self.versions.in_force().filter(|_| changed || keyframe).map(|current| current.bodies.clone());
        let mut experiments = Vec::new();
        let mut hash = crate::bytes::Bytes::default();
        for (index, slot) in self.attribution.slots.iter_mut().enumerate() {
            // The changes belong to the first look: the ring is that of its end.
            slot.minutes.turn(first_end);
            let (mut blocks, mut minutes) = (slot.totals.take_changes(), slot.minutes.take_changes());
            if keyframe {
                blocks = slot.totals.blocks().into_iter().cloned().collect();
                minutes = slot.minutes.blocks().into_iter().cloned().collect();
                slot.totals.drop_empty();
                slot.minutes.drop_empty();
            }
            hash.text(&slot.experiment.id);
            hash.text(&slot.salt);
            slot.tallies.write(&mut hash);
            hash.fixed128(slot.totals.hash());
            hash.fixed128(slot.minutes.hash());
            slot.minutes.turn(end);
            let published = self.published_tallies.get(&(index as SlotIndex));
            let same = blocks.is_empty() && minutes.is_empty() && published == Some(&slot.tallies);
            if same && !keyframe && !changed {
                continue;
            }
            self.published_tallies.insert(index as SlotIndex, slot.tallies.clone());
            experiments.push(ExperimentChanges {
                id: slot.experiment.id.clone(),
                salt: slot.salt.clone(),
                metrics: slot.metrics.iter().map(|metric| metric.metric.id.clone()).collect(),
                tallies: slot.tallies.clone(),
                blocks,
                minutes,
            });
        }
        self.counters.write(&mut hash);
        hash.uint(config);
        hash.uint(self.next_offset);
        hash.int(self.log_time.0);
        effects.look(Look {
            log: self.genesis.log.clone(),
            partition: self.id,
            semantics: self.semantics,
            length: self.looks.length,
            first,
            last,
            previous: self.previous_look.replace(end),
            start_offset: self.start_offset,
            next_offset: self.next_offset,
            log_time: self.log_time,
            config,
            definitions,
            keyframe,
            counters: self.counters.clone(),
            experiments,
            hash: xxh3_128(&hash.data),
        });
    }

    pub(crate) fn slot(&self, id: &str, salt: &str) -> Option<SlotIndex> {
        let found = self.attribution.slots.iter().rposition(|slot| slot.experiment.id == id && slot.salt == salt);
        found.map(|at| at as SlotIndex)
    }

    fn event(&mut self, input: &Input<'_>, effects: &mut dyn Effects) -> Result<Outcome, Halt> {
        let guid = input.headers.iter().find(|(name, _)| *name == wire::GUID_HEADER).map(|(_, value)| *value);
        let event = match wire::decode(input.payload, guid, &self.schemas) {
            Ok(event) => event,
            Err(problem) => {
                let reason = if problem.is_unknown_schema() { Reason::UnknownSchema } else { Reason::Malformed };
                return Ok(Outcome::Rejected(reason, problem.to_string()));
            }
        };
        let outcome = self.judge(input, &event, effects)?;
        if let (Outcome::Rejected(reason, _), Body::Exposure { experiment, .. }) = (&outcome, &event.body)
            && let Some(slot) = self.attribution.slots.iter_mut().rfind(|slot| slot.experiment.id == *experiment)
        {
            let last = Rejected { exposures: 1, time: self.log_time, partition: self.id, offset: input.offset };
            rejected::add(&mut slot.tallies.rejected, *reason, last);
        }
        Ok(outcome)
    }

    fn judge(&mut self, input: &Input<'_>, event: &Event<'_>, effects: &mut dyn Effects) -> Result<Outcome, Halt> {
        let unit = unit_hash(event, self.genesis.hash_seed);
        if let Err((reason, detail)) = self.admit(event, unit) {
            return Ok(Outcome::Rejected(reason, detail));
        }
        let seen = match self.resolve(event) {
            Ok(seen) => seen,
            Err((reason, detail)) => return Ok(Outcome::Rejected(reason, detail)),
        };
        let lost = match self.lost(event) {
            Ok(lost) => lost,
            Err((reason, detail)) => return Ok(Outcome::Rejected(reason, detail)),
        };
        let key = id_key(event.id.0, unit);
        let digest = digest::digest(event);
        if let Some(known) = self.dedupe.find(key)? {
            if known.digest == digest {
                return Ok(Outcome::Duplicate);
            }
            let detail = format!("event_id {} was accepted before with another body; the first one counts", event.id);
            return Ok(Outcome::Rejected(Reason::Conflict, detail));
        }
        let conversion = self.conversion(event);
        // Looked up before anything changes, because a failing disk must leave the state as it was.
        let correction = match &event.body {
            Body::Retraction(Retraction::Correct { target, target_time, name, value }) => {
                let key = id_key(target.0, unit);
                let core = Digest::of_correction(*target_time, name, *value);
                let retracted = Retracted { key, core, until: *target_time + late(&self.genesis), met: false };
                Some(Correction { target: self.dedupe.find(key)?, retracted })
            }
            _ => None,
        };
        let need = match (&event.body, &correction) {
            _ if lost.is_some() => Need::Nothing,
            (Body::Exposure { .. }, _) => Need::Exposure,
            (Body::Conversion { .. }, _) => Need::Conversion(conversion.expect("made from this event")),
            (_, Some(correction)) => correction.need(),
            _ => Need::Nothing,
        };
        if self.attribution.has_room(unit, need, self.log_time).is_err() {
            let detail = format!("{} {} has more events than one unit may have", event.unit_type, event.unit_id);
            return Ok(Outcome::Rejected(Reason::Rate, detail));
        }
        let filters = conversion.map_or(0, |conversion| conversion.filters);
        self.dedupe.insert(Entry { key, value: Remembered { digest, filters } });
        effects.fact(&Fact { offset: input.offset, log_time: self.log_time, event });
        self.count(event, unit, key, digest, seen, conversion, lost, correction, effects);
        Ok(Outcome::Accepted)
    }

    /// The rules that need no definitions: place and time.
    fn admit(&mut self, event: &Event<'_>, unit: u128) -> Result<(), (Reason, String)> {
        let now = self.log_time;
        if self.attribution.is_erased(unit) {
            return Err((Reason::Erased, "the unit was erased".to_owned()));
        }
        let owner = partitioner::partition_of(event.unit_id.as_bytes(), self.genesis.partitions);
        if owner != self.id {
            let detail = format!(
                "unit_id '{}' belongs to partition {owner} of {}, not {}; use the murmur2 partitioner with the unit id as key",
                event.unit_id, self.genesis.partitions, self.id
            );
            return Err((Reason::Misrouted, detail));
        }
        let (future, late) = (Span(self.genesis.future_ms as i64 * 1_000), late(&self.genesis));
        // A correction waits for its target until that could only be late, so one for the far future would wait for ever.
        let target = match &event.body {
            Body::Retraction(Retraction::Correct { target_time, .. }) => *target_time,
            _ => event.time,
        };
        for (field, time) in [("event_time", event.time), ("target_event_time", target)] {
            if time > now + future {
                let seconds = future.0 / 1_000_000;
                let detail = format!("{field} is more than {seconds} s ahead of log time; check the sender's clock");
                return Err((Reason::Future, detail));
            }
            if now > time + late {
                let detail = format!("{field} is more than {} s behind log time", late.0 / 1_000_000);
                return Err((Reason::Late, detail));
            }
        }
        Ok(())
    }

    /// The rules of the definitions. Resolves the names of an exposure.
    fn resolve<'e>(&mut self, event: &'e Event<'e>) -> Result<Option<Seen<'e>>, (Reason, String)> {
        let judging = self.versions.judging(event.config_version).map_err(|version| {
            let detail =
                format!("config_version {version} has not been published here yet; send the event again later");
            (Reason::UnknownVersion, detail)
        })?;
        let Body::Exposure { experiment, variant } = &event.body else { return Ok(None) };
        let unknown = || (Reason::UnknownExperiment, format!("there is no experiment '{experiment}'"));
        let definition = judging.and_then(|all| all.experiments.get(experiment.as_ref())).ok_or_else(unknown)?;
        if definition.status == Status::Draft {
            return Err((
                Reason::NotRunning,
                format!("experiment '{experiment}' is a draft; publish it as running first"),
            ));
        }
        if definition.unit != event.unit_type {
            let detail =
                format!("experiment '{experiment}' randomises '{}', not '{}'", definition.unit, event.unit_type);
            return Err((Reason::WrongUnitType, detail));
        }
        let slot = self.slot(experiment, salt(definition)).ok_or_else(unknown)?;
        let state = &self.attribution.slots[usize::from(slot)];
        let Some(index) = state.variant(variant) else {
            return Err((Reason::UnknownVariant, format!("experiment '{experiment}' has no variant '{variant}'")));
        };
        let audited = state.experiment.assignment == Assignment::Xp1;
        let by_hash = if audited {
            assignment::variant_by_hash(&state.experiment, &event.unit_type, &event.unit_id)
        } else {
            None
        };
        let assigned = by_hash.map(|at| at as u8);
        // Judged by the slots of the version that the event names: a ramp that grew since lets in more.
        let share = definition.layer.as_ref().and_then(|share| Some((&share.layer, share.slots.as_deref()?)));
        let astray = audited
            && share.is_some_and(|(id, slots)| {
                let salt = judging.and_then(|all| all.layers.get(id)?.salt.as_deref()).unwrap_or(id);
                !assignment::in_slots(salt, slots, &event.unit_type, &event.unit_id)
            });
        let misbucketed = astray || assigned.is_some_and(|assigned| assigned != index);
        Ok(Some(Seen { slot, variant: index, assigned, misbucketed, event }))
    }

    /// How many exposures were lost, and of which phase, if the event reports that.
    fn lost(&self, event: &Event<'_>) -> Result<Option<(SlotIndex, u64)>, (Reason, String)> {
        if self.semantics < LOST_COUNTS {
            return Ok(None);
        }
        let Some(report) = lost::report(event).map_err(|detail| (Reason::Malformed, detail))? else { return Ok(None) };
        // A version that is not known was refused before.
        let judging = self.versions.judging(event.config_version).ok().flatten();
        let found = judging.and_then(|all| all.experiments.get(report.experiment));
        let slot = found.and_then(|experiment| self.slot(report.experiment, salt(experiment)));
        let unknown = || (Reason::UnknownExperiment, format!("there is no experiment '{}'", report.experiment));
        slot.map(|slot| Some((slot, report.exposures))).ok_or_else(unknown)
    }

    fn conversion(&self, event: &Event<'_>) -> Option<Conversion> {
        let Body::Conversion { name, value, .. } = &event.body else { return None };
        let known = self.catalogue.name(name);
        let filters = if known.is_some() { self.catalogue.filters(event) | WANTED } else { 0 };
        Some(Conversion {
            time: event.time,
            value: value.map_or(0, |value| value.0),
            name: known.unwrap_or(u16::MAX),
            filters,
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn count(
        &mut self,
        event: &Event<'_>,
        unit: u128,
        key: u128,
        digest: Digest,
        seen: Option<Seen<'_>>,
        conversion: Option<Conversion>,
        lost: Option<(SlotIndex, u64)>,
        correction: Option<Correction>,
        effects: &mut dyn Effects,
    ) {
        let kind = match &event.body {
            Body::Exposure { .. } => 0,
            Body::Conversion { .. } => 1,
            Body::Retraction(_) => 2,
        };
        self.counters.accepted[kind] += 1;
        self.counters.originals[kind] += u64::from(event.copy == 0);
        match &event.body {
            Body::Exposure { .. } => {
                let seen = seen.expect("the names of every exposure were resolved");
                if seen.misbucketed {
                    let sdk = event.sdk.as_deref().unwrap_or("unknown");
                    self.attribution.slots[usize::from(seen.slot)].misbucketed(seen.variant, sdk);
                }
                let changed = self.attribution.expose(unit, seen, self.log_time);
                self.counters.attributed = self.counters.attributed.saturating_add_signed(changed);
            }
            Body::Conversion { .. } if lost.is_some() => {
                let (slot, exposures) = lost.expect("just asked");
                self.counters.lost_reports += 1;
                let tallies = &mut self.attribution.slots[usize::from(slot)].tallies;
                tallies.lost = tallies.lost.saturating_add(exposures);
            }
            Body::Conversion { experiment, .. } => {
                let conversion = conversion.expect("made from this event");
                let wanted = conversion.filters & WANTED != 0;
                if let Some(named) = experiment {
                    self.counters.contradictions += u64::from(self.attribution.contradicts(unit, named));
                }
                let Converted { fate, met } =
                    self.attribution.convert(unit, key, digest.core, conversion, wanted, self.log_time);
                self.counters.void_retractions += met.void;
                self.counters.unmet_retractions -= met.void + u64::from(met.retracted);
                match fate {
                    Fate::Attributed => self.counters.attributed += 1,
                    Fate::Unattributed => {}
                    Fate::Retracted => self.counters.retracted += 1,
                    Fate::Excluded => self.counters.of_excluded += 1,
                }
            }
            Body::Retraction(Retraction::Correct { name, value, target_time, .. }) => {
                let correction = correction.expect("looked up for every correction");
                if correction.is_void() {
                    self.counters.void_retractions += 1;
                    return;
                }
                let known = self.catalogue.name(name);
                let target = match correction.target {
                    None => Target::Unknown,
                    Some(found) if found.filters & WANTED == 0 => Target::Counted(None),
                    Some(found) => Target::Counted(known.map(|name| Conversion {
                        time: *target_time,
                        value: value.map_or(0, |value| value.0),
                        name,
                        filters: found.filters,
                    })),
                };
                match self.attribution.retract(unit, correction.retracted, target, self.log_time) {
                    RetractionOutcome::Removed { attributed } => {
                        self.counters.retracted += 1;
                        self.counters.attributed -= u64::from(attributed);
                    }
                    RetractionOutcome::Waits => self.counters.unmet_retractions += 1,
                    RetractionOutcome::Nothing => {}
                }
            }
            Body::Retraction(Retraction::Bot) => self.attribution.exclude(unit, BOT),
            Body::Retraction(Retraction::Erase) => {
                self.attribution.exclude(unit, ERASED);
                effects.erase(&event.unit_type, &event.unit_id);
            }
        }
    }
}

/// A correction, and what is remembered of its target.
struct Correction {
    target: Option<Remembered>,
    retracted: Retracted,
}

impl Correction {
    /// Whether the target came and said something else.
    fn is_void(&self) -> bool {
        self.target.is_some_and(|target| target.digest.core != self.retracted.core)
    }

    fn need(&self) -> Need {
        match self.target {
            _ if self.is_void() => Need::Nothing,
            None => Need::Waiting,
            Some(_) => Need::Removing,
        }
    }
}

/// How large the state is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Units known.
    pub units: usize,
    /// Units in experiments, one for each.
    pub enrolments: usize,
    /// Bytes of unit state in memory.
    pub unit_bytes: usize,
    /// Bytes of remembered ids in memory.
    pub dedupe_bytes: usize,
}

/// L + F: how long an id is remembered.
pub(crate) fn horizon(genesis: &control::Genesis) -> Span {
    Span((genesis.late_ms + genesis.future_ms) as i64 * 1_000)
}

fn late(genesis: &control::Genesis) -> Span {
    Span(genesis.late_ms as i64 * 1_000)
}

pub(crate) fn check_genesis(partition: u32, genesis: &control::Genesis) -> Result<(), Halt> {
    if !SEMANTICS_KNOWN.contains(&genesis.semantics) {
        return Err(Halt::Semantics { wanted: genesis.semantics });
    }
    if partition >= genesis.partitions {
        let why = format!("its genesis record says that there are {} partitions", genesis.partitions);
        return Err(Halt::OtherLog { partition, why });
    }
    Ok(())
}

/// `kind` and version of a control record, for its row.
fn describe(input: &Input<'_>) -> (&'static str, Option<u64>) {
    match control::decode(input.headers, input.payload) {
        Ok(Some(control::Control::Part { version, .. } | control::Control::Close { version, .. })) => {
            ("config", Some(version))
        }
        Ok(Some(control::Control::Tick)) => ("tick", None),
        Ok(Some(control::Control::Settings(_))) => ("settings", None),
        _ => ("genesis", None),
    }
}

/// Which unit, on 128 bits, seeded by the log so that nobody can choose collisions.
fn unit_hash(event: &Event<'_>, seed: u64) -> u128 {
    hash_of(event.unit_type.as_bytes(), event.unit_id.as_bytes(), seed)
}

/// Type and id of a unit are within the limits of the format.
fn hash_of(kind: &[u8], id: &[u8], seed: u64) -> u128 {
    let mut framed = [0u8; 256];
    framed[0] = kind.len() as u8;
    framed[1..=kind.len()].copy_from_slice(kind);
    framed[1 + kind.len()..][..id.len()].copy_from_slice(id);
    xxh3_128_with_seed(&framed[..1 + kind.len() + id.len()], seed)
}

/// The key of the duplicate memory: event id and unit.
fn id_key(id: u128, unit: u128) -> u128 {
    let mut framed = [0u8; 32];
    framed[..16].copy_from_slice(&id.to_le_bytes());
    framed[16..].copy_from_slice(&unit.to_le_bytes());
    xxh3_128(&framed)
}
