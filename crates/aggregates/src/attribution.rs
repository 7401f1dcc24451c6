//! Who counts where: first exposures, the conversions after them, crossings and retractions, each an exact change of the sums.
//!
//! The rules are functions of the set of (record, log time): a unit's first exposure is the least (time, event time, variant, id), and a
//! conversion counts when `first <= c < first + window`, whatever came first.

use crate::cell::Contribution;
use crate::kept::Kept;
use crate::slot::{Slot, SlotIndex};
use crate::units::{BOT, Conversion, Met, Retracted, SubTable, Tie, UnitAt, Units, is_kept};
use assay_experiment::{Crossing, Event, Span, Timestamp};

/// Units, experiments, and the clock they are judged by.
pub(crate) struct Attribution {
    pub units: Units,
    pub slots: Vec<Slot>,
    /// A: an exposure counts from its own time, but at most this much before log time.
    pub slack: Span,
}

/// An exposure whose names are resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub slot: SlotIndex,
    pub variant: u8,
    /// The hash's variant, where a crossed unit is to count there.
    pub assigned: Option<u8>,
    /// The hash would have shown something else, or nothing.
    pub misbucketed: bool,
    pub event: &'a Event<'a>,
}

/// What an event adds to what is remembered of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A first exposure, or one that moves or crosses.
    Exposure,
    /// A conversion, which may wait.
    Conversion(Conversion),
    /// A correction that waits for its target.
    Waiting,
    /// A correction that takes away what was counted. What makes a unit lighter must not be refused because the unit is heavy.
    Removing,
    /// It takes the whole unit out, or says what is known.
    Nothing,
}

/// A bound of one unit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// Conversions, and retractions, of one unit that may wait at a time.
const WAITING_MAX: usize = 4_096;
/// Corrections of one unit within L that take something away: sixteen times what may wait, so that all of it can be taken back again and
/// again, and 2 MB. Whoever has more to take back means the whole unit, and says `bot`.
const REMOVED_MAX: usize = 16 * WAITING_MAX;
/// Events of one unit that count.
const EVENTS_MAX: u32 = 1 << 20;
/// Running totals stay below this, so that everything that waits can still be added without overflow.
///
/// A total is read as at most 10^9 units, a four-thousandth of it; the rest is room in which taking back is exact. 128 bits would never
/// reach an end, since 2^20 events of 10^9 units are 10^21 micro-units, but would double the state of every unit for those that send
/// thousands of events of the largest value. Such a unit gets the rejection `rate`, and long before that counts in [`Tallies::clamped`].
///
/// [`Tallies::clamped`]: crate::Tallies::clamped
const TOTAL_MAX: i64 = 4_000_000_000_000_000_000;

impl Attribution {
    /// Whether one more event of this unit may be accepted. Asked before anything is changed, so that a rejection leaves no trace.
    pub fn has_room(&mut self, unit: u128, need: Need, now: Timestamp) -> Result<(), TooMany> {
        let table = self.units.table(unit);
        let Some(at) = table.find(unit) else { return Ok(()) };
        let counts = matches!(need, Need::Exposure | Need::Conversion(_));
        if counts && table.events(at) >= EVENTS_MAX {
            return Err(TooMany);
        }
        let is_full = |table: &SubTable| match need {
            Need::Conversion(_) => table.kept_count(at) >= WAITING_MAX,
            Need::Waiting => table.retracted_count(at) >= WAITING_MAX,
            Need::Removing => table.retracted_count(at) >= REMOVED_MAX,
            Need::Exposure | Need::Nothing => false,
        };
        if is_full(table) {
            table.prune(at, now, self.slack);
            if is_full(table) {
                return Err(TooMany);
            }
        }
        let Need::Conversion(conversion) = need else { return Ok(()) };
        let full = table.enrolments(at).any(|enrolment| {
            let cells = table.cells(enrolment);
            let slot = &self.slots[usize::from(table.enrolment(enrolment).slot)];
            slot.changes(table.enrolment(enrolment).first, conversion).any(|(_, column, amount)| {
                cells.get(column).is_some_and(|cell| cell.saturating_add(amount).abs() > TOTAL_MAX)
            })
        });
        if full { Err(TooMany) } else { Ok(()) }
    }

    /// A unit was exposed. Returns by how many the number of attributed conversions changed.
    pub fn expose(&mut self, unit: u128, seen: Seen<'_>, now: Timestamp) -> i64 {
        let slack = self.slack;
        let time = seen.event.time.max(now - slack);
        let slot = &mut self.slots[usize::from(seen.slot)];
        slot.tallies.exposures += 1;
        if !slot.covers(time) {
            slot.tallies.outside += 1;
            return 0;
        }
        let table = self.units.table(unit);
        let at = table.find_or_add(unit);
        if table.out(at) != 0 {
            return 0;
        }
        let existing = table.enrolments(at).find(|&enrolment| table.enrolment(enrolment).slot == seen.slot);
        let tie = Tie { time: seen.event.time, variant: seen.variant, id: seen.event.id };
        match existing {
            None => {
                table.count_event(at);
                let enrolment = table.enrol(at, seen.slot, seen.variant, time, slot.width());
                table.enrolment_mut(enrolment).segments = slot.segments(seen.event);
                slot.set_covariates(seen.event, table.cells_mut(enrolment));
                if now <= time + slack {
                    table.set_tie(enrolment, tie);
                }
                recount(slot, table, at, enrolment);
                slot.tallies.entered[usize::from(seen.variant)] += 1;
                enter(slot, table, enrolment);
            }
            Some(enrolment) => {
                let first = table.enrolment(enrolment).first;
                let name = |variant: u8| slot.experiment.variants[usize::from(variant)].name.as_str();
                let rank = |time: Timestamp, tie: &Tie| (time, tie.time, name(tie.variant).to_owned(), tie.id);
                // Without a tie the first exposure is older than any new one can be.
                let moves = time < first
                    || (time == first
                        && table.tie(enrolment).is_some_and(|known| rank(time, &tie) < rank(first, &known)));
                let crosses = table.enrolment(enrolment).seen & 1 << seen.variant == 0;
                if !moves && !crosses {
                    return 0;
                }
                table.count_event(at);
                leave(slot, table, enrolment);
                let before = table.enrolment(enrolment).seen;
                table.enrolment_mut(enrolment).seen |= 1 << seen.variant;
                let seen_now = table.enrolment(enrolment).seen;
                slot.tallies.crossed += i64::from(before.count_ones() == 1 && seen_now.count_ones() > 1);
                slot.tallies.entered[usize::from(table.enrolment(enrolment).variant)] -= 1;
                if moves {
                    let segments = slot.segments(seen.event);
                    let it = table.enrolment_mut(enrolment);
                    (it.first, it.segments, it.variant) = (time, segments, seen.variant);
                    table.set_tie(enrolment, tie);
                    table.cells_mut(enrolment).fill(0);
                    slot.set_covariates(seen.event, table.cells_mut(enrolment));
                    recount(slot, table, at, enrolment);
                }
                if seen_now.count_ones() > 1
                    && slot.experiment.crossing == Crossing::Assigned
                    && let Some(assigned) = seen.assigned
                {
                    table.enrolment_mut(enrolment).variant = assigned;
                }
                slot.tallies.entered[usize::from(table.enrolment(enrolment).variant)] += 1;
                enter(slot, table, enrolment);
            }
        }
        reattribute(&self.slots, table, at)
    }

    /// A conversion was accepted. Returns whether some metric counts it now, and whether its unit is out.
    pub fn convert(
        &mut self,
        unit: u128,
        key: u128,
        core: u32,
        conversion: Conversion,
        wanted: bool,
        now: Timestamp,
    ) -> Converted {
        let table = self.units.table(unit);
        let found = table.find(unit);
        if found.is_none() && !wanted {
            return Converted { fate: Fate::Unattributed, met: Met::default() };
        }
        let at = table.find_or_add(unit);
        if table.out(at) != 0 {
            return Converted { fate: Fate::Excluded, met: Met::default() };
        }
        let met = table.meet(at, key, core, now);
        if met.retracted {
            return Converted { fate: Fate::Retracted, met };
        }
        if !wanted {
            return Converted { fate: Fate::Unattributed, met };
        }
        let attributed = add(&mut self.slots, table, at, conversion, 1);
        if attributed {
            table.count_event(at);
        }
        if is_kept(conversion.time, now, self.slack) {
            table.keep(at, Kept::new(key, conversion, attributed));
        }
        Converted { fate: if attributed { Fate::Attributed } else { Fate::Unattributed }, met }
    }

    /// A valid retraction of a conversion. `target` says how the conversion was counted, if it came already and says the same.
    pub fn retract(&mut self, unit: u128, retracted: Retracted, target: Target, now: Timestamp) -> RetractionOutcome {
        let slack = self.slack;
        let table = self.units.table(unit);
        let at = table.find_or_add(unit);
        if table.out(at) != 0 {
            return RetractionOutcome::Nothing;
        }
        table.prune(at, now, slack);
        if !table.retract(at, Retracted { met: target != Target::Unknown, ..retracted }) {
            return RetractionOutcome::Nothing;
        }
        let Target::Counted(conversion) = target else {
            return RetractionOutcome::Waits;
        };
        table.drop_kept(at, retracted.key);
        let Some(conversion) = conversion else { return RetractionOutcome::Removed { attributed: false } };
        let attributed = add(&mut self.slots, table, at, conversion, -1);
        RetractionOutcome::Removed { attributed }
    }

    /// A unit leaves all results for good. The first call changes sums, later ones nothing.
    pub fn exclude(&mut self, unit: u128, why: u32) {
        let table = self.units.table(unit);
        let at = table.find_or_add(unit);
        if table.out(at) == 0 {
            let enrolments: Vec<usize> = table.enrolments(at).collect();
            for enrolment in enrolments {
                let slot = &mut self.slots[usize::from(table.enrolment(enrolment).slot)];
                leave(slot, table, enrolment);
                slot.tallies.entered[usize::from(table.enrolment(enrolment).variant)] -= 1;
                slot.tallies.crossed -= i64::from(table.enrolment(enrolment).seen.count_ones() > 1);
            }
            table.close(at);
        }
        table.set_out(at, why);
    }

    /// Whether the unit was exposed to experiments, but not to the one that a conversion names.
    pub fn contradicts(&mut self, unit: u128, named: &str) -> bool {
        let table = self.units.table(unit);
        let Some(at) = table.find(unit) else { return false };
        let mut ids = table
            .enrolments(at)
            .map(|enrolment| self.slots[usize::from(table.enrolment(enrolment).slot)].experiment.id.as_str())
            .peekable();
        ids.peek().is_some() && !ids.any(|id| id == named)
    }

    /// Whether the unit asked to be forgotten.
    pub fn is_erased(&mut self, unit: u128) -> bool {
        let table = self.units.table(unit);
        table.find(unit).is_some_and(|at| table.out(at) & !BOT != 0)
    }
}

/// What became of an accepted conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Converted {
    pub fate: Fate,
    /// The retractions that waited for it.
    pub met: Met,
}

/// Where an accepted conversion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Some metric counts it.
    Attributed,
    /// No metric counts it now.
    Unattributed,
    /// It was taken back before it came.
    Retracted,
    /// Its unit is out.
    Excluded,
}

/// What is known of a retraction's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// It has not come yet.
    Unknown,
    /// It was accepted; `None` where no metric wanted it.
    Counted(Option<Conversion>),
}

/// What a retraction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetractionOutcome {
    Nothing,
    Waits,
    Removed { attributed: bool },
}

/// Adds (or takes back, with `sign` -1) a conversion wherever it counts. Returns whether it counts anywhere.
fn add(slots: &mut [Slot], table: &mut SubTable, unit: UnitAt, conversion: Conversion, sign: i64) -> bool {
    let mut attributed = false;
    let mut next = table.first_enrolment(unit);
    while let Some(enrolment) = next {
        next = table.next_enrolment(enrolment);
        let it = *table.enrolment(enrolment);
        let slot = &mut slots[usize::from(it.slot)];
        let (counts, place) = (slot.counts(it.seen), slot.place(&it));
        for want in 0..slot.wants() {
            let Some((metric, column, amount)) = slot.change(want, it.first, conversion) else { continue };
            if column >= table.cells(enrolment).len() {
                continue;
            }
            attributed = true;
            let before = slot.contribution(metric, it.first, table.cells(enrolment));
            let was_clamped = slot.is_clamped(metric, table.cells(enrolment));
            table.cells_mut(enrolment)[column] += sign * amount;
            let after = slot.contribution(metric, it.first, table.cells(enrolment));
            let (Some(before), Some(after), true) = (before, after, counts) else { continue };
            slot.tallies.clamped += i64::from(slot.is_clamped(metric, table.cells(enrolment))) - i64::from(was_clamped);
            if before != after {
                slot.totals.change(&place, metric, before, after);
                slot.minutes.change(place.variant, it.first, metric, before, after);
            }
        }
    }
    attributed
}

/// Fills the running totals of an enrolment that counts nowhere yet from the conversions that are kept.
fn recount(slot: &Slot, table: &mut SubTable, unit: UnitAt, enrolment: usize) {
    let first = table.enrolment(enrolment).first;
    let waiting: Vec<Conversion> = table.kept(unit).map(Kept::conversion).collect();
    for conversion in waiting {
        for (_, column, amount) in slot.changes(first, conversion) {
            if let Some(cell) = table.cells_mut(enrolment).get_mut(column) {
                *cell += amount;
            }
        }
    }
}

/// Finds out anew which of the kept conversions count somewhere; returns by how many their number changed.
fn reattribute(slots: &[Slot], table: &mut SubTable, unit: UnitAt) -> i64 {
    if table.kept_count(unit) == 0 {
        return 0;
    }
    let enrolments: Vec<(u16, Timestamp, usize)> = table
        .enrolments(unit)
        .map(|at| (table.enrolment(at).slot, table.enrolment(at).first, table.cells(at).len()))
        .collect();
    let mut changed = 0;
    table.each_kept(unit, |kept| {
        let attributed = enrolments.iter().any(|&(slot, first, width)| {
            slots[usize::from(slot)].changes(first, kept.conversion()).any(|(_, column, _)| column < width)
        });
        changed += i64::from(attributed) - i64::from(kept.attributed);
        kept.attributed = attributed;
    });
    changed
}

/// Adds a whole unit to the sums, unless it is out.
fn enter(slot: &mut Slot, table: &SubTable, enrolment: usize) {
    each_metric(slot, table, enrolment, 1);
}

/// Takes a whole unit out of the sums, unless it is out already.
fn leave(slot: &mut Slot, table: &SubTable, enrolment: usize) {
    each_metric(slot, table, enrolment, -1);
}

fn each_metric(slot: &mut Slot, table: &SubTable, enrolment: usize, sign: i64) {
    let it = table.enrolment(enrolment);
    if !slot.counts(it.seen) {
        return;
    }
    let place = slot.place(it);
    slot.totals.count(&place, sign);
    slot.minutes.count(place.variant, it.first, sign);
    for metric in 0..slot.metrics.len() {
        let contribution: Option<Contribution> = slot.contribution(metric, it.first, table.cells(enrolment));
        let Some(contribution) = contribution else { continue };
        slot.tallies.clamped += sign * i64::from(slot.is_clamped(metric, table.cells(enrolment)));
        if sign > 0 {
            slot.totals.enter(&place, metric, contribution);
            slot.minutes.enter(place.variant, it.first, metric, contribution);
        } else {
            slot.totals.leave(&place, metric, contribution);
            slot.minutes.leave(place.variant, it.first, metric, contribution);
        }
    }
}
