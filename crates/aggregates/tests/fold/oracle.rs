//! Brute force over the set of (record, log time), compared with the fold at every look.
//!
//! The oracle keeps lists and looks at all of them again for every look; it shares nothing with the fold but the shape of the definitions,
//! and the hash of the assignment, which has vectors of its own.

use crate::history::{
    self, Age, EXPERIMENTS, History, LIMITS, Limits, Record, Step, UNITS, What, fold, history, history_from, merged,
    metrics, ring, ring_end, salt, unit,
};
use assay_aggregates::{Look, Reason};
use assay_experiment::assignment::{Tag, bucket};
use assay_experiment::{Settings, Timestamp, partitioner};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// An experiment and its salt.
type Phase = (usize, &'static str);
/// (phase, variant, hour, row, metric) → units, nonzero, y, yy, x, xx, xy.
type Sums = BTreeMap<(Phase, usize, i64, usize, &'static str), [i128; 7]>;

/// Everything that brute force says about a prefix.
#[derive(Debug, Default, PartialEq)]
struct Truth {
    sums: Sums,
    units: BTreeMap<(Phase, usize, i64, usize), i64>,
    /// By phase, variant and minute of the last hour: units; and what metrics sum up over all of them.
    ring_units: BTreeMap<(Phase, usize, i64), i64>,
    ring: BTreeMap<(Phase, usize, i64, &'static str), [i128; 7]>,
    /// By phase: crossed, entered by variant.
    tallies: BTreeMap<Phase, (i64, [i64; 2])>,
    /// By phase: exposures, those outside of the phase's time, and those that the hash would not give, by variant.
    exposures: BTreeMap<Phase, (u64, u64, [u64; 2])>,
    /// By phase: exposures that edges could not write, and how many such reports there were.
    lost: BTreeMap<Phase, u64>,
    lost_reports: u64,
    accepted: [u64; 3],
    duplicates: u64,
    rejected: BTreeMap<Reason, u64>,
    retracted: u64,
    void: u64,
    unmet: u64,
}

const US: i64 = 1_000_000;
const ONE: i64 = 1_000_000;
const H: i64 = 3_600 * US;

/// A phase as the log has defined it so far.
#[derive(Debug, Clone)]
struct Live {
    from: i64,
    ended: Option<i64>,
    /// Its metrics, with their T0 and how many records were accepted before.
    metrics: Vec<(&'static str, i64, usize)>,
}

/// The definitions as the log has published them so far.
#[derive(Debug, Default)]
struct Published {
    known: BTreeSet<u64>,
    version: u64,
    phases: BTreeMap<Phase, Live>,
}

impl Published {
    fn publish(&mut self, version: u64, now: i64, limits: Limits, accepted: usize) {
        self.known.insert(version);
        self.version = version;
        let ends = now + limits.future_s * US + 1;
        for ((experiment, of), live) in &mut self.phases {
            if salt(*experiment, version) != *of || (*experiment == 1 && version >= 3) {
                live.ended.get_or_insert(ends);
            }
        }
        for experiment in 0..EXPERIMENTS.len() {
            let stopped = (experiment == 1 && version >= 3).then_some(ends);
            let live = self.phases.entry((experiment, salt(experiment, version))).or_insert(Live {
                from: now,
                ended: stopped,
                metrics: Vec::new(),
            });
            for metric in metrics(experiment, version) {
                if live.metrics.iter().all(|(known, ..)| *known != metric) {
                    live.metrics.push((metric, now, accepted));
                }
            }
        }
    }
}

/// What the hash gives a unit in the phase, and whether its slot of the layer lets it in.
fn by_hash(salt: &str, name: &str) -> (usize, bool) {
    (
        usize::from(bucket(Tag::Variant, salt, "user", name) >= 500_000),
        bucket(Tag::Layer, "layer", "user", name) < 600_000,
    )
}

/// The first minute of the last hour before the end of a look.
fn ring_from(look: &Look) -> i64 {
    let end = (look.first + 1) * look.length.0;
    (end - 1).div_euclid(60 * US) - 59
}

fn oracle(history: &History, partition: u32, partitions: u32, records: &[&Record], ring_from: i64) -> Truth {
    let limits = history.limits;
    let (future, late, slack) = (limits.future_s * US, limits.late_s * US, limits.slack_s * US);
    let mut truth = Truth::default();
    let mut published = Published::default();
    let mut changes: Vec<Settings> = Vec::new();
    let mut now = history.published_s * US;
    published.publish(1, now, limits, 0);
    let mut bodies: BTreeMap<(u128, usize), &Record> = BTreeMap::new();
    let mut accepted: Vec<Accepted<'_>> = Vec::new();
    let mut erased = BTreeSet::new();
    let mut minutes: Vec<i64> = Vec::new();
    for record in records {
        now = now.max(record.at_s * US);
        if minutes.last().is_none_or(|last| last.div_euclid(MINUTE) < now.div_euclid(MINUTE)) {
            minutes.push(now);
        }
        if let What::Publish(version) = record.what {
            published.publish(version, now, limits, accepted.len());
            continue;
        }
        if let What::Change(settings) = record.what {
            if !changes_fit(&mut changes, settings, now, history.semantics) {
                *truth.rejected.entry(Reason::Control).or_default() += 1;
            }
            continue;
        }
        let counts_lost = in_force(&changes, now, history.semantics).semantics >= 2;
        let e = record.time_s * US;
        let target = match &record.what {
            What::Correct { target_time_s, .. } => *target_time_s * US,
            _ => e,
        };
        let owner = partitioner::partition_of(unit(record.unit).as_bytes(), partitions);
        let named = match record.what {
            What::Expose { version, .. } => version,
            _ => None,
        };
        let reason = if erased.contains(&record.unit) {
            Some(Reason::Erased)
        } else if owner != partition {
            Some(Reason::Misrouted)
        } else if e > now + future {
            Some(Reason::Future)
        } else if now > e + late {
            Some(Reason::Late)
        } else if target > now + future {
            Some(Reason::Future)
        } else if now > target + late {
            Some(Reason::Late)
        } else if named.is_some_and(|named| !published.known.contains(&named)) {
            Some(Reason::UnknownVersion)
        } else if counts_lost && matches!(record.what, What::Lose { experiment, .. } if experiment >= EXPERIMENTS.len())
        {
            Some(Reason::UnknownExperiment)
        } else {
            None
        };
        if let Some(reason) = reason {
            *truth.rejected.entry(reason).or_default() += 1;
            continue;
        }
        match bodies.get(&(record.id, record.unit)) {
            Some(first) if (&first.what, first.time_s) == (&record.what, record.time_s) => {
                truth.duplicates += 1;
                continue;
            }
            Some(_) => {
                *truth.rejected.entry(Reason::Conflict).or_default() += 1;
                continue;
            }
            None => {}
        }
        bodies.insert((record.id, record.unit), record);
        let phase = match record.what {
            What::Expose { experiment, version, .. } => {
                Some((experiment, salt(experiment, version.unwrap_or(published.version))))
            }
            _ => None,
        };
        let time = e.max(now - slack);
        let counts = phase.is_some_and(|phase| {
            let live = &published.phases[&phase];
            live.from <= time && live.ended.is_none_or(|ended| time < ended)
        });
        accepted.push(Accepted { record, now, phase, counts });
        truth.accepted[match record.what {
            What::Expose { .. } => 0,
            What::Convert { .. } | What::Lose { .. } => 1,
            _ => 2,
        }] += 1;
        if let (Some(phase), What::Expose { variant, .. }) = (phase, &record.what) {
            let (hash, lets_in) = by_hash(phase.1, &unit(record.unit));
            let tally = truth.exposures.entry(phase).or_default();
            tally.0 += 1;
            tally.1 += u64::from(!counts);
            tally.2[*variant] += u64::from(phase.0 == 2 && (!lets_in || hash != *variant));
        }
        if let What::Lose { experiment, exposures } = record.what
            && counts_lost
        {
            *truth.lost.entry((experiment, salt(experiment, published.version))).or_default() += exposures as u64;
            truth.lost_reports += 1;
        }
        if record.what == What::Erase {
            erased.insert(record.unit);
        }
    }
    for unit in 0..UNITS {
        let own: Vec<(usize, &Accepted<'_>)> =
            accepted.iter().enumerate().filter(|(_, it)| it.record.unit == unit).collect();
        corrections(&own, limits, &minutes, &mut truth);
        if own.iter().any(|(_, it)| matches!(it.record.what, What::Bot | What::Erase)) {
            continue;
        }
        for (&phase, live) in &published.phases {
            one_unit(&own, phase, live, limits, ring_from, &mut truth);
        }
    }
    truth.sums.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.ring.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.units.retain(|_, units| *units != 0);
    truth.tallies.retain(|_, tally| *tally != Default::default());
    truth
}

/// The settings in force at an instant.
fn in_force(changes: &[Settings], now: i64, semantics: u32) -> Settings {
    let start = Settings { from_ms: i64::MIN, look_ms: 1_000, chunk_ms: 5_000, semantics };
    let past = changes.iter().filter(|it| it.from_ms * 1_000 <= now);
    past.max_by_key(|it| it.from_ms).copied().unwrap_or(start)
}

/// Whether a change is accepted: known already, or later than now and fitting those before and after it. The lengths of these histories
/// all end at whole hours but those that do not divide one.
fn changes_fit(changes: &mut Vec<Settings>, settings: Settings, now: i64, semantics: u32) -> bool {
    if let Some(known) = changes.iter().find(|it| it.from_ms == settings.from_ms) {
        return *known == settings;
    }
    let ends = |chunk_ms: u64, at_ms: i64| at_ms % chunk_ms as i64 == 0;
    let before = in_force(changes, settings.from_ms * 1_000, semantics);
    let later = changes.iter().filter(|it| it.from_ms > settings.from_ms).min_by_key(|it| it.from_ms);
    let fits = settings.from_ms * 1_000 > now
        && settings.chunk_ms.is_multiple_of(settings.look_ms)
        && 86_400_000 % settings.chunk_ms == 0
        && ends(settings.chunk_ms, settings.from_ms)
        && ends(before.chunk_ms, settings.from_ms)
        && before.semantics <= settings.semantics
        && later.is_none_or(|it| ends(settings.chunk_ms, it.from_ms) && settings.semantics <= it.semantics);
    if fits {
        changes.push(settings);
    }
    fits
}

#[derive(Debug)]
struct Accepted<'a> {
    record: &'a Record,
    now: i64,
    /// Of an exposure.
    phase: Option<Phase>,
    /// Whether the exposure lies in the phase's time.
    counts: bool,
}

/// Ids are remembered by the minute.
const MINUTE: i64 = 60 * US;

/// Whether an id that was accepted at one instant is forgotten at another. Ids leave by whole periods, when the first record of a minute
/// comes; `minutes` has the times of these records. Only a correction that is wrong about the time of its target can come so late.
fn is_forgotten(accepted: i64, now: i64, limits: Limits, minutes: &[i64]) -> bool {
    let horizon = (limits.late_s + limits.future_s) * US;
    let period = (horizon / 3 / MINUTE + 1) * MINUTE;
    let end = (accepted.div_euclid(MINUTE) * MINUTE).div_euclid(period) * period + period;
    minutes.iter().any(|&at| at <= now && end < at - horizon)
}

/// What became of each distinct correction of a unit, one by one.
fn corrections(own: &[(usize, &Accepted<'_>)], limits: Limits, minutes: &[i64], truth: &mut Truth) {
    let out_at = own.iter().position(|(_, it)| matches!(it.record.what, What::Bot | What::Erase)).unwrap_or(own.len());
    let mut seen = BTreeSet::new();
    for (at, (_, it)) in own.iter().enumerate() {
        let What::Correct { target, target_time_s, name, value } = it.record.what else { continue };
        let says = (target_time_s, name, value);
        let found = own.iter().position(|(_, other)| other.record.id == target);
        let agrees = |at: usize| match own[at].1.record {
            Record { time_s, what: What::Convert { name, value, .. }, .. } => (*time_s, *name, *value) == says,
            _ => false,
        };
        match found {
            // A contradiction is told however often it is said, as long as the target is remembered.
            Some(before)
                if before < at && !agrees(before) && !is_forgotten(own[before].1.now, it.now, limits, minutes) =>
            {
                truth.void += 1;
            }
            _ if at > out_at || !seen.insert((target, says)) => {}
            Some(before) if before < at && agrees(before) => truth.retracted += 1,
            Some(after) if after > at && after < out_at && own[after].1.now <= (target_time_s + limits.late_s) * US => {
                if !matches!(own[after].1.record.what, What::Convert { .. }) {
                    // Only a conversion meets what waits for its id.
                    truth.unmet += 1;
                } else if agrees(after) {
                    truth.retracted += 1;
                } else {
                    truth.void += 1;
                }
            }
            _ => truth.unmet += 1,
        }
    }
}

/// An exposure: what it is ranked by (time, event time, variant, id), country, age, and its number among what was accepted.
type Shown = ((i64, i64, usize, u128), usize, i64, usize);

/// One unit in one phase. Experiment 0 excludes crossed units, 1 keeps them where they were first, 2 where the hash puts them.
fn one_unit(
    own: &[(usize, &Accepted<'_>)],
    phase: Phase,
    live: &Live,
    limits: Limits,
    ring_from: i64,
    truth: &mut Truth,
) {
    let slack = limits.slack_s * US;
    let exposures: Vec<Shown> = own
        .iter()
        .filter(|(_, it)| it.phase == Some(phase) && it.counts)
        .filter_map(|(at, it)| match it.record.what {
            What::Expose { variant, country, age, .. } => {
                let e = it.record.time_s * US;
                Some(((e.max(it.now - slack), e, variant, it.record.id), country, age, *at))
            }
            _ => None,
        })
        .collect();
    let Some(&((first, _, shown, _), country, age, _)) = exposures.iter().min() else { return };
    let entered_at = exposures[0].3;
    let crossed = exposures.iter().map(|exposure| exposure.0.2).collect::<BTreeSet<_>>().len() > 1;
    let variant = if crossed && phase.0 == 2 { by_hash(phase.1, &unit(own[0].1.record.unit)).0 } else { shown };
    let tally = truth.tallies.entry(phase).or_default();
    tally.0 += i64::from(crossed);
    tally.1[variant] += 1;
    if crossed && phase.0 == 0 {
        return;
    }
    let taken_back = |it: &Record, name: usize, value: i64| {
        own.iter().any(|(_, other)| {
            matches!(&other.record.what, What::Correct { target, target_time_s, name: said, value: worth }
                if *target == it.id && *target_time_s == it.time_s && *said == name && *worth == value)
        })
    };
    let conversions: Vec<(i64, usize, i64, bool)> = own
        .iter()
        .filter_map(|(_, it)| match it.record.what {
            What::Convert { name, value, gift } if !taken_back(it.record, name, value) => {
                Some((it.record.time_s * US, name, value, gift))
            }
            _ => None,
        })
        .collect();
    let within = |from: i64, to: i64, name: usize| {
        let counts = move |it: &&(i64, usize, i64, bool)| it.1 == name && first + from <= it.0 && it.0 < first + to;
        conversions.iter().filter(counts).copied().collect::<Vec<_>>()
    };
    // Without a window: until the experiment ends.
    let ever = live.ended.map_or(i64::MAX - first, |ended| ended - first);
    let worth = |of: Vec<(i64, usize, i64, bool)>| of.iter().map(|it| it.2).sum::<i64>();
    let count = |of: Vec<(i64, usize, i64, bool)>| ONE * of.len() as i64;
    let minute = first.div_euclid(60 * US);
    if minute >= ring_from {
        *truth.ring_units.entry((phase, variant, minute)).or_default() += 1;
    }
    // Row 0 is everybody; then come DE, FR, other.
    for row in [0, 1 + country.min(2)] {
        let hour = first.div_euclid(H);
        *truth.units.entry((phase, variant, hour, row)).or_default() += 1;
        for &(metric, live_from, before) in &live.metrics {
            // A metric that was added counts units that entered after it.
            if first < live_from || entered_at < before {
                continue;
            }
            let (y, x) = match metric {
                "bought" => (count(within(0, 2 * H, 0)).min(ONE), 0),
                "views" => (count(within(0, ever, 1)), 0),
                "revenue" => (worth(within(0, 3 * H, 0)).clamp(-3 * ONE, 5 * ONE), 0),
                "per-view" => (worth(within(0, ever, 0)), count(within(0, ever, 1))),
                "back" => (count(within(H, 2 * H, 1)).min(ONE), 0),
                "gifts" => (count(within(0, ever, 0).into_iter().filter(|it| it.3).collect()), 0),
                "aged" => (worth(within(0, 3 * H, 0)), age * ONE / 2),
                "added" => (count(within(0, ever, 1)), age * ONE / 2),
                other => unreachable!("{other} is no metric"),
            };
            let sums = truth.sums.entry((phase, variant, hour, row, metric)).or_default();
            let (y, x) = (i128::from(y), i128::from(x));
            let add = [1, i128::from(y != 0), y, y * y, x, x * x, x * y];
            sums.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
            if row == 0 && minute >= ring_from {
                let sums = truth.ring.entry((phase, variant, minute, metric)).or_default();
                sums.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
            }
        }
    }
}

/// What the looks of a partition say up to one of them.
fn said(looks: &[Look]) -> Truth {
    let mut truth = Truth::default();
    let (mut blocks, mut minutes) = (BTreeMap::new(), BTreeMap::new());
    for look in looks {
        for changes in &look.experiments {
            let experiment = EXPERIMENTS.iter().position(|id| *id == changes.id).unwrap();
            let salt = ["s1", "s2", "s3", "s4"].into_iter().find(|salt| *salt == changes.salt).unwrap();
            let phase = (experiment, salt);
            let tallies = &changes.tallies;
            truth.tallies.insert(phase, (tallies.crossed, [tallies.entered[0], tallies.entered[1]]));
            truth.lost.insert(phase, tallies.lost);
            let astray = |shown: u8| {
                let of = tallies.misbucketed.iter().filter(move |((variant, _), _)| *variant == shown);
                of.map(|(_, count)| count).sum::<u64>()
            };
            truth.exposures.insert(phase, (tallies.exposures, tallies.outside, [astray(0), astray(1)]));
            for block in &changes.blocks {
                blocks.insert((phase, block.variant, block.hour), (block.clone(), changes.metrics.clone()));
            }
            for block in &changes.minutes {
                assert!(block.hour >= ring_from(look), "what left is not published");
                minutes.insert((phase, block.variant, block.hour), (block.clone(), changes.metrics.clone()));
            }
        }
    }
    for ((phase, variant, hour), (block, ids)) in blocks {
        for row in 0..block.units.len() {
            truth.units.insert((phase, usize::from(variant), hour, row), block.units[row]);
            for (at, id) in ids.iter().enumerate() {
                let cell = block.cells[row * ids.len() + at];
                let sums = [cell.units.into(), cell.nonzero.into(), cell.y, cell.yy, cell.x, cell.xx, cell.xy];
                let metric = metrics(0, 3).into_iter().find(|metric| metric == id).unwrap();
                truth.sums.insert((phase, usize::from(variant), hour, row, metric), sums);
            }
        }
    }
    let from = looks.last().map_or(i64::MAX, ring_from);
    for ((phase, variant, minute), (block, ids)) in minutes.into_iter().filter(|((.., minute), _)| *minute >= from) {
        assert_eq!((block.units.len(), block.cells.len()), (1, ids.len()), "over all units only");
        truth.ring_units.insert((phase, usize::from(variant), minute), block.units[0]);
        for (cell, id) in block.cells.iter().zip(&ids) {
            let sums = [cell.units.into(), cell.nonzero.into(), cell.y, cell.yy, cell.x, cell.xx, cell.xy];
            let metric = metrics(0, 3).into_iter().find(|metric| metric == id).unwrap();
            truth.ring.insert((phase, usize::from(variant), minute, metric), sums);
        }
    }
    truth.ring.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.ring_units.retain(|_, units| *units != 0);
    truth.sums.retain(|_, sums| sums.iter().any(|&sum| sum != 0));
    truth.units.retain(|_, units| *units != 0);
    truth.tallies.retain(|_, tally| *tally != Default::default());
    truth.exposures.retain(|_, tally| *tally != Default::default());
    truth.lost.retain(|_, lost| *lost != 0);
    if let Some(look) = looks.last() {
        let counters = &look.counters;
        truth.accepted = counters.accepted;
        truth.duplicates = counters.duplicates;
        truth.lost_reports = counters.lost_reports;
        let rejected = Reason::ALL.into_iter().map(|reason| (reason, counters.rejected(reason)));
        truth.rejected = rejected.filter(|(_, count)| *count > 0).collect();
        truth.retracted = counters.retracted;
        truth.void = counters.void_retractions;
        truth.unmet = counters.unmet_retractions;
    }
    truth
}

fn check(history: &History, partitions: u32) {
    for partition in fold(history, partitions) {
        for (at, look) in partition.looks.iter().enumerate() {
            let prefix: Vec<&Record> = partition
                .records
                .iter()
                .filter(|(next, _)| *next <= look.next_offset)
                .map(|(_, record)| record)
                .collect();
            let expected = oracle(history, partition.partition, partition.partitions, &prefix, ring_from(look));
            let found = said(&partition.looks[..=at]);
            assert_eq!(
                found,
                expected,
                "look {} of {}: {:?}, published at {}, records {prefix:#?}",
                look.last,
                partition.looks.len(),
                history.limits,
                history.published_s
            );
            let mut changes = Vec::new();
            let mut now = history.published_s * US;
            for record in &prefix {
                now = now.max(record.at_s * US);
                if let What::Change(settings) = record.what {
                    changes_fit(&mut changes, settings, now, history.semantics);
                }
            }
            let begin = look.first * look.length.0;
            let settings = in_force(&changes, begin, history.semantics);
            assert_eq!((look.length.0, look.semantics), (settings.look_ms as i64 * 1_000, settings.semantics));
            let before = at.checked_sub(1).map(|at| partition.looks[at].as_of());
            assert_eq!(look.previous, before);
            assert!(before.is_none_or(|before| before.0 == begin), "looks follow each other");
            let counters = &look.counters;
            let known = counters.accepted.iter().sum::<u64>()
                + counters.duplicates
                + counters.rejected.iter().sum::<u64>()
                + counters.control;
            assert_eq!(counters.records, known, "every record is accounted for");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 4 to 7: at every look the state is brute force over the records before it.
    #[test]
    fn the_fold_is_brute_force(history in history(60), partitions in 1u32..4) {
        check(&history, partitions);
    }

    /// Invariants 4 and 24: with delays of at most A, neither the order of arrival nor the number of partitions matters, and repeats do not.
    #[test]
    fn the_order_of_arrival_is_irrelevant(
        steps in history(40),
        delays in proptest::collection::vec((0i64..1_000, 0i64..1_000, any::<bool>()), 40),
        partitions in 2u32..5,
    ) {
        let slack_s = steps.limits.slack_s;
        let one = history_from(&steps, |at| vec![delays[at % delays.len()].0 * slack_s / 1_000]);
        let other = history_from(&steps, |at| {
            let (_, share, twice) = delays[at % delays.len()];
            let delay = share * slack_s / 1_000;
            if twice { vec![delay, slack_s] } else { vec![delay] }
        });
        let (one, other) = (fold(&one, 1), fold(&other, partitions));
        prop_assert_eq!(merged(&one), merged(&other));
        // The last hour as of the later of the two ends.
        let from = ring_end(&one).max(ring_end(&other));
        prop_assert_eq!(ring(&one, from), ring(&other, from));
    }

    /// Invariant 8: when every unit is taken out, nothing is left, exactly.
    #[test]
    fn retracting_everybody_leaves_zero(history in history(50), partitions in 1u32..3) {
        let mut all = history.clone();
        let last = history.records.last().map_or(0, |record| record.at_s);
        for unit in 0..UNITS {
            let (id, what) = (1_000_000 + unit as u128, What::Bot);
            all.records.push(Record { id, at_s: last, time_s: last, unit, what, astray: false });
        }
        let all = fold(&all, partitions);
        prop_assert_eq!(merged(&all), []);
        prop_assert_eq!(ring(&all, ring_end(&all)), []);
    }

    /// Invariant 16: a restart at any record changes nothing that follows.
    #[test]
    fn restarts_leave_no_trace(history in history(50), cuts in proptest::collection::vec(0usize..60, 0..6)) {
        let whole = fold(&history, 2);
        let restarted = history::fold_with_restarts(&history, 2, &cuts);
        for (one, other) in whole.iter().zip(&restarted) {
            prop_assert_eq!(&one.looks, &other.looks);
            prop_assert_eq!(one.state_hash, other.state_hash);
        }
    }

    /// Invariant 3: a broker's clock that runs backwards never opens a closed look again.
    #[test]
    fn looks_close_once(history in history(50), back in proptest::collection::vec(-4_000i64..1, 50)) {
        let mut history = history;
        for (record, back) in history.records.iter_mut().zip(&back) {
            record.at_s += back;
        }
        for partition in fold(&history, 2) {
            let mut closed = Timestamp::MIN;
            let mut previous = None;
            for look in &partition.looks {
                prop_assert!(closed < look.changed_at() && look.first <= look.last);
                prop_assert_eq!(look.previous, previous);
                (closed, previous) = (look.as_of(), Some(look.as_of()));
            }
        }
        check(&history, 2);
    }
}

/// A correction whose target has another body is void for as long as the target is remembered. One that claims a later time than the
/// target's may come after that, and then nobody knows of the target: it waits, and changes nothing either.
#[test]
fn a_wrong_correction_after_its_targets_memory_waits() {
    let limits = Limits { future_s: 60, late_s: 1_200, slack_s: 600 };
    let start = 1_777_593_300;
    let shown = What::Expose { experiment: 0, variant: 0, country: 0, age: 0, version: None };
    for (asked_s, void) in [(1_200, 1), (1_781, 0)] {
        let claimed = What::Correct { target: 12, target_time_s: start + 581, name: 0, value: 1_500_000 };
        let records = [(12, 299, 60, shown.clone()), (10, asked_s, 581, claimed)].map(|(id, at, time, what)| Record {
            id,
            at_s: start + at,
            time_s: start + time,
            unit: 3,
            what,
            astray: false,
        });
        let history = History { limits, published_s: start, records: records.to_vec(), semantics: 2 };
        check(&history, 1);
        let counters = fold(&history, 1)[0].looks.last().unwrap().counters.clone();
        assert_eq!((counters.void_retractions, counters.unmet_retractions), (void, 1 - void), "asked at {asked_s}");
    }
}

/// Invariant 6: an id that was forgotten can only be late, so it never counts again.
#[test]
fn an_id_never_counts_twice_even_after_its_memory_ends() {
    for limits in LIMITS {
        let view = What::Convert { name: 1, value: 0, gift: false };
        let shown = What::Expose { experiment: 0, variant: 0, country: 0, age: 0, version: None };
        let step = Step { gap: (10, 0), unit: 0, what: shown, age: Age::Fresh(0), repeats: None, astray: false };
        let ahead = Step { what: view.clone(), age: Age::Ahead(990), ..step.clone() };
        // The conversion again and again, over three times its memory.
        let again = Step { gap: (limits.late_s / 20, 0), what: view, repeats: Some((1, false)), ..step.clone() };
        let history = history::build(limits, &[vec![step, ahead], vec![again; 60]].concat());
        check(&history, 1);
        let counters = fold(&history, 1)[0].looks.last().unwrap().counters.clone();
        assert_eq!(counters.accepted[1], 1);
        assert!(counters.duplicates > 15 && counters.rejected(Reason::Late) > 30, "{counters:?}");
    }
}
