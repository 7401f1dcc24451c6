//! What is known of each unit: where it is enrolled, its running totals, and the conversions that may still move.
//!
//! 1,024 sub-tables, each growing on its own, because one table of ten million units would stall for most of a second when it doubles.

use crate::bytes::{Bytes, Reader, Torn};
use crate::kept::{Chain, Kept, KeptPool};
use crate::totals::SegmentValues;
use assay_experiment::{EventId, Span, Timestamp};
use hashbrown::{HashMap, HashTable};

/// A unit's membership in one phase of one experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enrolment {
    /// Time of the first exposure.
    pub first: Timestamp,
    /// Attributes of the first exposure.
    pub segments: SegmentValues,
    /// Start of its running totals in [`SubTable::cells`].
    cells: u32,
    /// How many of them.
    width: u8,
    /// Variant it counts for.
    pub variant: u8,
    /// Which experiment.
    pub slot: u16,
    /// One bit per variant it was seen in.
    pub seen: u32,
    /// Next enrolment of the unit, or [`NONE`].
    next: u32,
}

/// What attribution needs of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conversion {
    pub time: Timestamp,
    /// Micro-units; 0 where the event had none.
    pub value: i64,
    /// Index of the name among those that metrics want.
    pub name: u16,
    /// Which filters it passed.
    pub filters: u32,
}

/// A conversion that was taken back, or will be when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retracted {
    pub key: u128,
    pub core: u32,
    /// From then on the target could only be late.
    pub until: Timestamp,
    /// Whether something with the target's id was accepted.
    pub met: bool,
}

/// Breaks ties between first exposures while they may still move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tie {
    /// Event time of the first exposure.
    pub time: Timestamp,
    /// The variant it named.
    pub variant: u8,
    pub id: EventId,
}

/// Aligned, so that it never lies in two lines of the cache.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Unit {
    hash: [u64; 2],
    /// First enrolment, or [`NONE`].
    head: u32,
    /// Events counted, and in the two highest bits why the unit is out.
    events: u32,
    /// The conversions that wait.
    kept: Chain,
}

/// The unit left all results for good.
pub(crate) const BOT: u32 = 1 << 31;
/// The unit was erased.
pub(crate) const ERASED: u32 = 1 << 30;
const NONE: u32 = u32::MAX;
const TABLES: usize = 1_024;
/// Units that are read together before their records are applied one by one: enough to overlap the waits for memory, few enough to stay in
/// the cache.
pub const TOUCHED_MAX: usize = 32;

/// All units of a partition.
pub(crate) struct Units {
    tables: Vec<SubTable>,
}

/// The units whose hash starts with the same ten bits.
#[derive(Default)]
pub(crate) struct SubTable {
    index: HashTable<u32>,
    units: Vec<Unit>,
    /// The unit that was found last.
    last: u32,
    enrolments: Vec<Enrolment>,
    cells: Vec<i64>,
    kept: KeptPool,
    /// By unit, sorted by key and core, each pair once.
    retracted: HashMap<u32, Vec<Retracted>>,
    /// By enrolment, in order: an enrolment gets its tie when it is made.
    ties: Vec<(u32, Tie)>,
}

/// A unit in its sub-table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnitAt(u32);

impl Units {
    pub fn new() -> Self {
        Units { tables: (0..TABLES).map(|_| SubTable::default()).collect() }
    }

    pub fn table(&mut self, hash: u128) -> &mut SubTable {
        &mut self.tables[(hash >> 118) as usize]
    }

    /// Reads what events of these units will need. The value means nothing.
    ///
    /// In steps over all of them, because one unit's reads depend on each other and wait for memory one after the other, while those of
    /// different units can wait together.
    pub fn touch(&self, hashes: &[u128]) -> u64 {
        let table = |hash: u128| &self.tables[(hash >> 118) as usize];
        let mut found = [None; TOUCHED_MAX];
        for (place, &hash) in found.iter_mut().zip(hashes) {
            *place = table(hash).look_up(words(hash));
        }
        let mut heads = [NONE; TOUCHED_MAX];
        for (at, &hash) in hashes.iter().enumerate().take(TOUCHED_MAX) {
            heads[at] = found[at].map_or(NONE, |UnitAt(unit)| table(hash).units[unit as usize].head);
        }
        let mut cells = [NONE; TOUCHED_MAX];
        for (at, &hash) in hashes.iter().enumerate().take(TOUCHED_MAX) {
            cells[at] = table(hash).enrolments.get(heads[at] as usize).map_or(NONE, |enrolment| enrolment.cells);
        }
        hashes
            .iter()
            .zip(cells)
            .map(|(&hash, cells)| table(hash).cells.get(cells as usize).map_or(0, |&cell| cell as u64 & 1))
            .sum()
    }

    /// Units and enrolments.
    pub fn sizes(&self) -> (usize, usize) {
        let units = self.tables.iter().map(|table| table.units.len()).sum();
        (units, self.tables.iter().map(|table| table.enrolments.len()).sum())
    }

    /// Bytes in memory, about.
    pub fn memory(&self) -> usize {
        self.tables.iter().map(SubTable::memory).sum()
    }

    /// Drops what expired in one sub-table; nothing that is read afterwards can differ, only memory is freed.
    pub fn compact(&mut self, turn: u64, now: Timestamp, slack: Span) {
        self.tables[turn as usize % TABLES].compact(now, slack);
    }

    /// Writes every unit, sorted by hash and without what expired.
    pub fn write(&self, out: &mut Bytes, now: Timestamp, slack: Span) {
        for table in &self.tables {
            table.write(out, now, slack);
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let tables = (0..TABLES).map(|_| SubTable::read(from)).collect::<Result<_, _>>()?;
        Ok(Units { tables })
    }
}

impl SubTable {
    pub fn find(&mut self, hash: u128) -> Option<UnitAt> {
        let words = words(hash);
        // One event asks several times.
        if self.units.get(self.last as usize).is_some_and(|unit| unit.hash == words) {
            return Some(UnitAt(self.last));
        }
        let found = self.look_up(words)?;
        self.last = found.0;
        Some(found)
    }

    fn look_up(&self, words: [u64; 2]) -> Option<UnitAt> {
        self.index.find(words[1], |&at| self.units[at as usize].hash == words).map(|&at| UnitAt(at))
    }

    pub fn find_or_add(&mut self, hash: u128) -> UnitAt {
        self.find(hash).unwrap_or_else(|| {
            let at = self.units.len() as u32;
            self.units.push(Unit { hash: words(hash), head: NONE, events: 0, kept: Chain::EMPTY });
            let units = &self.units;
            // The other half of the hash: its highest bits tell slots apart, and those of this half are the same in a whole sub-table.
            self.index.insert_unique(words(hash)[1], at, |&other| units[other as usize].hash[1]);
            UnitAt(at)
        })
    }

    /// Why the unit is out: [`BOT`], [`ERASED`], both or 0.
    pub fn out(&self, unit: UnitAt) -> u32 {
        self.units[unit.0 as usize].events & (BOT | ERASED)
    }

    pub fn set_out(&mut self, unit: UnitAt, why: u32) {
        self.units[unit.0 as usize].events |= why;
    }

    /// Events counted so far.
    pub fn events(&self, unit: UnitAt) -> u32 {
        self.units[unit.0 as usize].events & !(BOT | ERASED)
    }

    pub fn count_event(&mut self, unit: UnitAt) {
        self.units[unit.0 as usize].events += 1;
    }

    pub fn first_enrolment(&self, unit: UnitAt) -> Option<usize> {
        let head = self.units[unit.0 as usize].head;
        (head != NONE).then_some(head as usize)
    }

    pub fn next_enrolment(&self, at: usize) -> Option<usize> {
        let next = self.enrolments[at].next;
        (next != NONE).then_some(next as usize)
    }

    /// Indexes of the unit's enrolments.
    pub fn enrolments(&self, unit: UnitAt) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.first_enrolment(unit), |&at| self.next_enrolment(at))
    }

    pub fn enrolment(&self, at: usize) -> &Enrolment {
        &self.enrolments[at]
    }

    pub fn enrolment_mut(&mut self, at: usize) -> &mut Enrolment {
        &mut self.enrolments[at]
    }

    /// The running totals of an enrolment.
    pub fn cells(&self, at: usize) -> &[i64] {
        let enrolment = &self.enrolments[at];
        &self.cells[enrolment.cells as usize..][..usize::from(enrolment.width)]
    }

    pub fn cells_mut(&mut self, at: usize) -> &mut [i64] {
        let enrolment = &self.enrolments[at];
        &mut self.cells[enrolment.cells as usize..][..usize::from(enrolment.width)]
    }

    /// Adds an enrolment with totals of zero.
    pub fn enrol(&mut self, unit: UnitAt, slot: u16, variant: u8, first: Timestamp, width: u8) -> usize {
        let at = self.enrolments.len();
        let next = std::mem::replace(&mut self.units[unit.0 as usize].head, at as u32);
        let cells = u32::try_from(self.cells.len()).expect("a sub-table holds fewer than 2^32 totals");
        self.cells.resize(self.cells.len() + usize::from(width), 0);
        let (segments, seen) = (SegmentValues::default(), 1 << variant);
        self.enrolments.push(Enrolment { first, segments, cells, width, variant, slot, seen, next });
        at
    }

    /// The conversions that wait, newest first.
    pub fn kept(&self, unit: UnitAt) -> impl Iterator<Item = &Kept> {
        self.kept.iter(self.units[unit.0 as usize].kept)
    }

    /// How many conversions wait, or waited until they expired.
    pub fn kept_count(&self, unit: UnitAt) -> usize {
        self.units[unit.0 as usize].kept.count as usize
    }

    pub fn keep(&mut self, unit: UnitAt, kept: Kept) {
        self.kept.push(&mut self.units[unit.0 as usize].kept, kept);
    }

    /// Changes the conversions that wait.
    pub fn each_kept(&mut self, unit: UnitAt, act: impl FnMut(&mut Kept)) {
        self.kept.each(self.units[unit.0 as usize].kept, act);
    }

    /// A conversion that waited was taken back.
    pub fn drop_kept(&mut self, unit: UnitAt, key: u128) {
        self.kept.retain(&mut self.units[unit.0 as usize].kept, |kept| kept.key() != key);
    }

    /// How many retractions are remembered.
    pub fn retracted_count(&self, unit: UnitAt) -> usize {
        self.retracted.get(&unit.0).map_or(0, Vec::len)
    }

    /// Remembers a retraction. `false` if it was known.
    pub fn retract(&mut self, unit: UnitAt, retracted: Retracted) -> bool {
        let all = self.retracted.entry(unit.0).or_default();
        let place = all.binary_search_by_key(&(retracted.key, retracted.core), |known| (known.key, known.core));
        if let Err(at) = place {
            all.insert(at, retracted);
        }
        place.is_err()
    }

    /// A conversion came: which retractions waited for it. Those that expired are not there, whether or not they were dropped.
    pub fn meet(&mut self, unit: UnitAt, key: u128, core: u32, now: Timestamp) -> Met {
        let mut met = Met::default();
        let Some(all) = self.retracted.get_mut(&unit.0) else { return met };
        let start = all.partition_point(|known| known.key < key);
        for known in all[start..].iter_mut().take_while(|known| known.key == key) {
            if known.met || now > known.until {
                continue;
            }
            known.met = true;
            met.retracted |= known.core == core;
            met.void += u64::from(known.core != core);
        }
        met
    }

    pub fn tie(&self, enrolment: usize) -> Option<Tie> {
        let found = self.ties.binary_search_by_key(&(enrolment as u32), |&(of, _)| of);
        found.ok().map(|at| self.ties[at].1)
    }

    pub fn set_tie(&mut self, enrolment: usize, tie: Tie) {
        let place = match self.ties.last() {
            Some(&(last, _)) if last >= enrolment as u32 => {
                self.ties.binary_search_by_key(&(enrolment as u32), |&(of, _)| of)
            }
            _ => Err(self.ties.len()),
        };
        match place {
            Ok(at) => self.ties[at].1 = tie,
            Err(at) => self.ties.insert(at, (enrolment as u32, tie)),
        }
    }

    /// Forgets what only waits.
    pub fn close(&mut self, unit: UnitAt) {
        self.units[unit.0 as usize].kept = Chain::EMPTY;
        self.retracted.remove(&unit.0);
        let enrolments: Vec<usize> = self.enrolments(unit).collect();
        self.ties.retain(|&(of, _)| !enrolments.contains(&(of as usize)));
    }

    /// Drops what expired of one unit.
    pub fn prune(&mut self, unit: UnitAt, now: Timestamp, slack: Span) {
        self.kept.retain(&mut self.units[unit.0 as usize].kept, |kept| is_kept(kept.conversion().time, now, slack));
        if let Some(all) = self.retracted.get_mut(&unit.0) {
            all.retain(|retracted| now <= retracted.until);
            if all.is_empty() {
                self.retracted.remove(&unit.0);
            }
        }
    }

    fn compact(&mut self, now: Timestamp, slack: Span) {
        let chains = self.units.iter_mut().map(|unit| &mut unit.kept);
        self.kept.pack(chains, |kept| is_kept(kept.conversion().time, now, slack));
        self.retracted.retain(|_, all| {
            all.retain(|retracted| now <= retracted.until);
            !all.is_empty()
        });
        if self.retracted.len() * 4 < self.retracted.capacity() {
            self.retracted.shrink_to_fit();
        }
        self.ties.retain(|&(of, _)| now <= self.enrolments[of as usize].first + slack);
        if self.ties.len() * 4 < self.ties.capacity() {
            self.ties.shrink_to(self.ties.len() * 2);
        }
        // Visitors that converted without ever being exposed would otherwise stay for good.
        let empty = (0..self.units.len() as u32).filter(|&at| self.is_empty(at)).count();
        if empty > 64 && empty * 2 > self.units.len() {
            let mut out = Bytes::default();
            self.write(&mut out, now, slack);
            *self = SubTable::read(&mut Reader::new(&out.data)).expect("what was just written can be read");
        }
    }

    /// Whether nothing is known of a unit: forgetting it changes nothing.
    fn is_empty(&self, at: u32) -> bool {
        let unit = &self.units[at as usize];
        unit.head == NONE && unit.events == 0 && unit.kept.count == 0 && !self.retracted.contains_key(&at)
    }

    fn memory(&self) -> usize {
        let retracted: usize = self.retracted.values().map(|all| all.capacity() * size_of::<Retracted>()).sum();
        self.index.allocation_size()
            + self.units.capacity() * size_of::<Unit>()
            + self.enrolments.capacity() * size_of::<Enrolment>()
            + self.cells.capacity() * size_of::<i64>()
            + self.kept.memory()
            + self.ties.capacity() * size_of::<(u32, Tie)>()
            + self.retracted.allocation_size()
            + retracted
    }

    fn write(&self, out: &mut Bytes, now: Timestamp, slack: Span) {
        let is_kept = |kept: &&Kept| is_kept(kept.conversion().time, now, slack);
        let is_waiting = |retracted: &&Retracted| now <= retracted.until;
        let none = Vec::new();
        let retracted = |at: u32| self.retracted.get(&at).unwrap_or(&none).iter().filter(is_waiting);
        let live = |at: &u32| {
            let unit = &self.units[*at as usize];
            unit.head != NONE
                || unit.events != 0
                || self.kept.iter(unit.kept).any(|kept| is_kept(&kept))
                || retracted(*at).next().is_some()
        };
        let mut order: Vec<u32> = (0..self.units.len() as u32).filter(live).collect();
        order.sort_unstable_by_key(|&at| self.units[at as usize].hash);
        out.uint(order.len() as u64);
        for at in order {
            let unit = &self.units[at as usize];
            out.fixed64(unit.hash[0] as i64);
            out.fixed64(unit.hash[1] as i64);
            out.fixed32(unit.events);
            let mut enrolments: Vec<usize> = self.enrolments(UnitAt(at)).collect();
            enrolments.sort_unstable_by_key(|&at| self.enrolments[at].slot);
            out.uint(enrolments.len() as u64);
            for &enrolment in &enrolments {
                let it = &self.enrolments[enrolment];
                out.uint(u64::from(it.slot));
                out.fixed64(it.first.0);
                out.data.extend_from_slice(&it.segments);
                out.byte(it.variant);
                out.fixed32(it.seen);
                out.byte(it.width);
                self.cells(enrolment).iter().for_each(|&cell| out.int(cell));
            }
            let mut kept: Vec<&Kept> = self.kept.iter(unit.kept).filter(is_kept).collect();
            kept.sort_unstable_by_key(|kept| kept.key());
            out.uint(kept.len() as u64);
            for kept in kept {
                let conversion = kept.conversion();
                out.fixed128(kept.key());
                out.int(conversion.time.0);
                out.int(conversion.value);
                out.uint(u64::from(conversion.name));
                out.fixed32(conversion.filters);
                out.byte(u8::from(kept.attributed));
            }
            out.uint(retracted(at).count() as u64);
            for retracted in retracted(at) {
                out.fixed128(retracted.key);
                out.fixed32(retracted.core);
                out.int(retracted.until.0);
                out.byte(u8::from(retracted.met));
            }
            let may_move = |at: &usize| now <= self.enrolments[*at].first + slack;
            let ties = enrolments.iter().filter(|at| may_move(at)).filter_map(|&at| Some((at, self.tie(at)?)));
            let ties: Vec<(usize, Tie)> = ties.collect();
            out.uint(ties.len() as u64);
            for (enrolment, tie) in ties {
                out.uint(u64::from(self.enrolments[enrolment].slot));
                out.int(tie.time.0);
                out.byte(tie.variant);
                out.fixed128(tie.id.0);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Torn> {
        let mut table = SubTable::default();
        for _ in 0..from.count()? {
            let hash = [from.fixed64()? as u64, from.fixed64()? as u64];
            let unit = table.find_or_add(u128::from(hash[0]) << 64 | u128::from(hash[1]));
            table.units[unit.0 as usize].events = from.fixed32()?;
            for _ in 0..from.count()? {
                let start = from.position();
                let slot = u16::try_from(from.uint()?).map_err(|_| Torn(start))?;
                let first = Timestamp(from.fixed64()?);
                let mut segments = SegmentValues::default();
                for value in &mut segments {
                    *value = from.byte()?;
                }
                let (variant, seen, width) = (from.byte()?, from.fixed32()?, from.byte()?);
                if variant >= 32 {
                    return Err(Torn(start));
                }
                let at = table.enrol(unit, slot, variant, first, width);
                (table.enrolments[at].segments, table.enrolments[at].seen) = (segments, seen);
                for cell in table.cells_mut(at) {
                    *cell = from.int()?;
                }
            }
            table.read_waiting(unit, from)?;
        }
        Ok(table)
    }

    /// What is remembered of a unit only for a while.
    fn read_waiting(&mut self, unit: UnitAt, from: &mut Reader<'_>) -> Result<(), Torn> {
        for _ in 0..from.count()? {
            let key = from.fixed128()?;
            let (time, value, start) = (Timestamp(from.int()?), from.int()?, from.position());
            let name = u16::try_from(from.uint()?).map_err(|_| Torn(start))?;
            let conversion = Conversion { time, value, name, filters: from.fixed32()? };
            self.keep(unit, Kept::new(key, conversion, from.byte()? != 0));
        }
        for _ in 0..from.count()? {
            let (key, core) = (from.fixed128()?, from.fixed32()?);
            self.retract(unit, Retracted { key, core, until: Timestamp(from.int()?), met: from.byte()? != 0 });
        }
        for _ in 0..from.count()? {
            let start = from.position();
            let slot = u16::try_from(from.uint()?).map_err(|_| Torn(start))?;
            let (time, variant, id) = (Timestamp(from.int()?), from.byte()?, EventId(from.fixed128()?));
            let enrolment = self.enrolments(unit).find(|&at| self.enrolments[at].slot == slot).ok_or(Torn(start))?;
            self.set_tie(enrolment, Tie { time, variant, id });
        }
        Ok(())
    }
}

/// Whether a conversion may still be attributed differently. A new first exposure is at M - slack or later: it cannot come before a
/// conversion that is older than that, and one that is counted lies behind its unit's first exposure, which then cannot move either.
pub(crate) fn is_kept(time: Timestamp, now: Timestamp, slack: Span) -> bool {
    now <= time + slack
}

fn words(hash: u128) -> [u64; 2] {
    [(hash >> 64) as u64, hash as u64]
}

/// What a conversion finds among the retractions that came before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// One says what the conversion says.
    pub retracted: bool,
    /// So many say something else.
    pub void: u64,
}
