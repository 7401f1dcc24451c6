//! Single rules, each on a log of a few records.

use crate::driver::{Driver, Letter};
use assay_aggregates::{Counters, Halt, Input, Reason, SEMANTICS, Tallies};
use assay_experiment::control::Genesis;
use assay_experiment::{Settings, Span, Timestamp, assignment, control, format_time};
use serde_json::{Value as Json, json};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-05-01.
const START: Timestamp = Timestamp(1_777_593_600 * 1_000_000);

const SHOP: &str = "
{ kind: metric, id: revenue, type: sum, event: buy }
---
kind: experiment
id: shop
salt: s1
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
metrics: [{ metric: revenue, role: primary }]
analysis: { planned_units: 100 }
";

fn at(micros: i64) -> Timestamp {
    START + Span(micros)
}

fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn event(number: u64, time: Timestamp, more: Json) -> Vec<u8> {
    let mut event = json!({"event_id": id(number), "event_time": format_time(time), "unit_id": "u1"});
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string().into_bytes()
}

fn exposure(number: u64, time: Timestamp, more: Json) -> Vec<u8> {
    let mut all = json!({"event_type": "exposure", "experiment_id": "shop", "variant": "control"});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    event(number, time, all)
}

fn buy(number: u64, time: Timestamp, value: i64) -> Vec<u8> {
    event(number, time, json!({"event_type": "conversion", "event_name": "buy", "event_value": value}))
}

fn correct(number: u64, time: Timestamp, target: u64, target_time: Timestamp, value: i64) -> Vec<u8> {
    let more = json!({
        "event_type": "retraction", "kind": "correct", "target_event_id": id(target),
        "target_event_time": format_time(target_time), "event_name": "buy", "event_value": value,
    });
    event(number, time, more)
}

fn taken_out(number: u64, time: Timestamp, kind: &str) -> Vec<u8> {
    event(number, time, json!({"event_type": "retraction", "kind": kind}))
}

/// A shop's log, with its experiment live from the start.
fn shop() -> Driver {
    let mut driver = Driver::usual(START);
    driver.publish(START, 1, SHOP);
    driver
}

fn reason(letter: Option<Letter>) -> Option<Reason> {
    letter.map(|letter| letter.reason)
}

/// What the newest look that says something of the experiment says of its phase.
fn tallies(driver: &Driver, salt: &str) -> Tallies {
    let all = driver.told.looks.iter().rev().flat_map(|look| &look.experiments);
    all.filter(|changes| changes.salt == salt).map(|changes| changes.tallies.clone()).next().unwrap()
}

/// Sum of the revenue over all hours and variants, as the looks tell it.
fn revenue(driver: &Driver) -> i128 {
    let mut blocks = std::collections::BTreeMap::new();
    for changes in driver.told.looks.iter().flat_map(|look| &look.experiments) {
        for block in &changes.blocks {
            blocks.insert((changes.salt.clone(), block.variant, block.hour), block.cells[0].y);
        }
    }
    blocks.values().sum::<i128>() / 1_000_000
}

fn counters(driver: &Driver) -> &Counters {
    driver.state().counters()
}

/// Invariant 6, where a generation began just before a period of the memory ended and the event was ahead of log time.
#[test]
fn a_repeat_counts_once_wherever_its_minute_lies() {
    // A third of L + F is no whole number of minutes, so two of three periods of that length end in the middle of one.
    let (late, future) = (DAY, 5 * MINUTE);
    let third = (late + future) / 3;
    for shift in (0..180).map(|shift| third * (shift % 3) + shift / 3 * 1_000_000) {
        let mut driver = shop();
        let accepted = Timestamp((START.0 / third + 1) * third + shift);
        let time = accepted + Span(future - 1_000_000);
        driver.event(accepted, &exposure(1, accepted, json!({})));
        assert_eq!(driver.event(accepted, &buy(2, time, 3)), None);
        for back in [1_000_000, 21_000_000, 41_000_000, MINUTE] {
            let again = driver.event(accepted + Span(late + future - back), &buy(2, time, 3));
            assert!(again.is_none_or(|letter| letter.reason == Reason::Late));
        }
        assert_eq!(counters(&driver).accepted[1], 1, "accepted {shift} µs after the first period's end");
    }
}

#[test]
fn a_metric_with_a_covariate_may_be_added_while_units_are_in() {
    let mut driver = shop();
    driver.event(at(MINUTE), &exposure(1, at(MINUTE), json!({"attributes": {"age": 30}})));
    let more = "
{ kind: metric, id: aged, type: sum, event: buy, covariate: { attribute: age } }
---
";
    let wider =
        format!("{more}{}", SHOP.replace("role: primary }]", "role: primary }, { metric: aged, role: secondary }]"));
    driver.publish(at(2 * MINUTE), 2, &wider);
    // The first exposure moves to an earlier time, in an enrolment that has no room for the metric.
    assert_eq!(driver.event(at(3 * MINUTE), &exposure(2, at(0), json!({"attributes": {"age": 31}}))), None);
    driver.tick(at(4 * MINUTE));
    assert_eq!(tallies(&driver, "s1").entered, [1, 0]);
}

#[test]
fn a_unit_that_is_full_can_still_be_made_lighter() {
    let mut driver = shop();
    driver.event(at(0), &exposure(1, at(0), json!({})));
    for number in 0..4_096 {
        assert_eq!(driver.event(at(0), &buy(10 + number, at(0), 1)), None);
    }
    assert_eq!(reason(driver.event(at(0), &buy(9_999, at(0), 1))), Some(Reason::Rate), "it is full");
    assert_eq!(driver.event(at(0), &correct(20_000, at(0), 10, at(0), 1)), None, "one may be taken back");
    assert_eq!(driver.event(at(0), &buy(9_999, at(0), 1)), None, "which makes room");
    driver.tick(at(MINUTE));
    assert_eq!(revenue(&driver), 4_096);
    for number in 11..4_106 {
        assert_eq!(driver.event(at(MINUTE), &correct(20_000 + number, at(0), number, at(0), 1)), None);
    }
    assert_eq!(driver.event(at(MINUTE), &taken_out(30_000, at(0), "bot")), None);
    assert_eq!(driver.event(at(MINUTE), &taken_out(30_001, at(0), "erase")), None);
    driver.tick(at(2 * MINUTE));
    assert_eq!(revenue(&driver), 0);
}

#[test]
fn a_correction_waits_no_longer_than_its_target_may_come() {
    let mut driver = shop();
    let far = Timestamp(253_402_300_799_000_000);
    let letter = driver.event(at(0), &correct(1, at(0), 99, far, 1)).unwrap();
    assert_eq!(letter.reason, Reason::Future);
    assert!(letter.detail.contains("target_event_time"), "{}", letter.detail);
    let late = driver.event(at(2 * DAY), &correct(2, at(2 * DAY), 99, at(0), 1));
    assert_eq!(reason(late), Some(Reason::Late));
    // As many as may wait, then none, until their targets could only be late.
    let ahead = at(2 * DAY + 4 * MINUTE);
    for number in 0..4_096 {
        assert_eq!(driver.event(at(2 * DAY), &correct(10 + number, at(2 * DAY), 1 << 20 | number, ahead, 1)), None);
    }
    let more = |driver: &mut Driver, number, now| reason(driver.event(now, &correct(number, now, 5, now, 1)));
    assert_eq!(more(&mut driver, 5_000, at(2 * DAY + MINUTE)), Some(Reason::Rate));
    assert_eq!(more(&mut driver, 5_001, at(3 * DAY + 5 * MINUTE)), None);
    assert_eq!(counters(&driver).unmet_retractions, 4_097);
}

#[test]
fn retractions_of_something_unknown_are_counted_until_it_comes() {
    let mut driver = shop();
    driver.event(at(0), &exposure(1, at(0), json!({})));
    driver.event(at(0), &correct(2, at(0), 50, at(0), 7));
    driver.event(at(0), &correct(3, at(0), 50, at(0), 8));
    driver.event(at(0), &correct(4, at(0), 51, at(0), 9));
    driver.event(at(0), &correct(5, at(0), 51, at(0), 9));
    assert_eq!(counters(&driver).unmet_retractions, 3, "each that says something new");
    driver.event(at(1), &buy(50, at(0), 7));
    let found = counters(&driver);
    assert_eq!((found.unmet_retractions, found.void_retractions, found.retracted), (1, 1, 1));
    driver.restart();
    driver.event(at(2), &buy(51, at(0), 10));
    let found = counters(&driver);
    assert_eq!((found.unmet_retractions, found.void_retractions, found.retracted), (0, 2, 1));
}

/// A retraction that expired is not there, whether or not its memory was freed by a restart.
#[test]
fn what_expired_is_not_met() {
    let run = |restart: bool| {
        let mut driver = shop();
        driver.event(at(0), &correct(1, at(0), 50, at(0), 7));
        let later = at(DAY + HOUR);
        driver.event(later, &buy(2, later, 1));
        if restart {
            driver.restart();
        }
        driver.event(later, &buy(50, later, 7));
        counters(&driver).clone()
    };
    assert_eq!(run(false), run(true));
    assert_eq!(run(false).unmet_retractions, 1);
}

#[test]
fn an_experiment_without_salt_goes_on_in_the_next_version() {
    let text = SHOP.replace("salt: s1\n", "");
    let mut driver = Driver::usual(START);
    driver.publish(START, 1, &text);
    driver.event(at(0), &exposure(1, at(0), json!({})));
    driver.publish(at(HOUR), 2, &text.replace("planned_units: 100", "planned_units: 200"));
    assert_eq!(driver.event(at(2 * HOUR), &exposure(2, at(2 * HOUR), json!({"unit_id": "u2"}))), None);
    driver.tick(at(3 * HOUR));
    let found = tallies(&driver, "shop");
    assert_eq!((found.entered, found.outside), (vec![2, 0], 0));
}

/// Rejections that name an experiment are told with the place of the last one; others are in the counters alone.
#[test]
fn rejected_exposures_are_counted_for_their_experiment() {
    let mut driver = shop();
    driver.event(at(0), &exposure(1, at(0), json!({})));
    let late = || exposure(2, at(0) - Span(3 * DAY), json!({"unit_id": "u2"}));
    assert_eq!(reason(driver.event(at(HOUR), &late())), Some(Reason::Late));
    assert_eq!(reason(driver.event(at(2 * HOUR), &late())), Some(Reason::Late));
    let wrong = exposure(3, at(2 * HOUR), json!({"variant": "none"}));
    assert_eq!(reason(driver.event(at(2 * HOUR), &wrong)), Some(Reason::UnknownVariant));
    let other = exposure(4, at(2 * HOUR), json!({"experiment_id": "none"}));
    assert_eq!(reason(driver.event(at(2 * HOUR), &other)), Some(Reason::UnknownExperiment));
    assert_eq!(reason(driver.event(at(2 * HOUR), b"noise")), Some(Reason::Malformed));
    driver.restart();
    driver.tick(at(3 * HOUR));
    let found = tallies(&driver, "s1").rejected;
    let counts: Vec<_> = found.iter().map(|(reason, it)| (*reason, it.exposures, it.time, it.partition)).collect();
    let expected = [(Reason::UnknownVariant, 1, at(2 * HOUR), 0), (Reason::Late, 2, at(2 * HOUR), 0)];
    assert_eq!(counts, expected);
    // The last of the late ones is the record before the unknown variant.
    assert_eq!(found[&Reason::Late].offset + 1, found[&Reason::UnknownVariant].offset);
    // Partitions together: the place is that of the latest log time.
    let mut merged = tallies(&driver, "s1");
    let mut elsewhere = merged.clone();
    let last = elsewhere.rejected.get_mut(&Reason::Late).unwrap();
    (last.time, last.partition, last.offset) = (at(HOUR), 1, 9_999);
    merged.merge(&elsewhere);
    let late = merged.rejected[&Reason::Late];
    assert_eq!((late.exposures, late.partition, late.offset), (4, 0, found[&Reason::Late].offset));
}

/// Nothing before T0 counts, whatever came into a partition before.
#[test]
fn an_experiment_is_live_from_its_closing_record_on() {
    for noise in [false, true] {
        let mut driver = Driver::usual(START);
        if noise {
            driver.event(START, b"noise");
        }
        driver.publish(at(HOUR), 1, SHOP);
        driver.event(at(HOUR), &exposure(1, at(HOUR) - Span(1), json!({})));
        driver.event(at(HOUR), &exposure(2, at(HOUR), json!({"unit_id": "u2"})));
        // It would count from M − A, which is T0.
        driver.event(at(2 * HOUR), &exposure(3, at(0), json!({"unit_id": "u3"})));
        driver.tick(at(3 * HOUR));
        let found = tallies(&driver, "s1");
        assert_eq!((found.entered, found.outside), (vec![2, 0], 1), "noise {noise}");
    }
}

#[test]
fn time_goes_on_until_the_last_window_closed_and_matured() {
    let text = SHOP.replace("event: buy }", "event: buy, window: 14d }");
    let mut driver = Driver::usual(START);
    driver.publish(START, 1, &text);
    driver.event(at(0), &exposure(1, at(0), json!({})));
    driver.publish(at(HOUR), 2, &text.replace("running", "stopped"));
    // The hour of the last exposure, 14 days, L, and what is ahead; chunks end in the meantime.
    let mut needed = Vec::new();
    for half_days in 1..40 {
        driver.tick(at(half_days * DAY / 2));
        needed.push(driver.state().needs_ticks());
    }
    let last = needed.iter().rposition(|needed| *needed).unwrap();
    assert!(needed[..=last].iter().all(|needed| *needed));
    assert_eq!(last as i64 + 1, 30, "15 days and some hours after the start");
}

#[test]
fn what_an_erased_unit_sends_leaves_no_trace_of_it() {
    let mut genesis = Genesis::new("test".to_owned(), 1, 77);
    genesis.late_ms = 3_600_000;
    let mut driver = Driver::new(&genesis, 0, START);
    driver.publish(START, 1, SHOP);
    driver.event(at(0), &exposure(1, at(0), json!({"unit_id": "secret"})));
    driver.event(at(0), &event(2, at(0), json!({"event_type": "retraction", "kind": "erase", "unit_id": "secret"})));
    for (number, time, more) in [
        (3, at(0), json!({})),
        (4, at(HOUR), json!({})),
        (5, at(0) - Span(DAY), json!({})),
        (6, at(0), json!({"config_version": 9})),
        (7, at(0), json!({"experiment_id": "secret"})),
    ] {
        let mut body = exposure(number, time, more.clone());
        body = String::from_utf8(body).unwrap().replace("\"u1\"", "\"secret\"").into_bytes();
        let before = driver.told.letters.len();
        driver.append(at(1), Some(b"secret"), &[("trace", b"secret")], &body);
        let letter = &driver.told.letters[before];
        assert_eq!(letter.reason, Reason::Erased, "{more}");
        let all = format!("{:?} {}", (&letter.key, &letter.headers, &letter.payload), letter.detail);
        assert_eq!((letter.key.as_ref(), letter.headers.len(), letter.payload.len()), (None, 0, 0), "{all}");
        assert!(!letter.detail.contains("secret"), "{}", letter.detail);
    }
}

#[test]
fn exposures_outside_of_an_experiments_slots_are_named() {
    let layered = |slots: &str| {
        format!(
            "{{ kind: layer, id: front, salt: l1 }}\n---{}",
            SHOP.replace("assignment: external", &format!("assignment: xp1\nlayer: front\nslots: {slots}"))
        )
    };
    let unit = |wanted: bool| {
        let inside = |name: &String| assignment::in_slots("l1", &[(0, 100_000)], "user", name);
        let first = |name: &String| assignment::bucket(assignment::Tag::Variant, "s1", "user", name) < 500_000;
        (0..).map(|number| format!("u{number}")).find(|name| first(name) && inside(name) == wanted).unwrap()
    };
    let mut driver = Driver::usual(START);
    driver.publish(START, 1, &layered("[[0, 100000]]"));
    driver.event(at(0), &exposure(1, at(0), json!({"unit_id": unit(true), "sdk": "good/1"})));
    driver.event(at(0), &exposure(2, at(0), json!({"unit_id": unit(false), "sdk": "bad/1"})));
    driver.event(at(0), &exposure(3, at(0), json!({"unit_id": unit(true), "variant": "treatment", "sdk": "bad/2"})));
    // The ramp grows: what was outside is inside now, but not by the version before.
    driver.publish(at(MINUTE), 2, &layered("[[0, 1000000]]"));
    driver.event(at(MINUTE), &exposure(4, at(MINUTE), json!({"unit_id": unit(false), "sdk": "good/1"})));
    driver.event(
        at(MINUTE),
        &exposure(5, at(MINUTE), json!({"unit_id": unit(false), "sdk": "bad/1", "config_version": 1})),
    );
    driver.tick(at(2 * MINUTE));
    let found = tallies(&driver, "s1");
    let named = [((0, "bad/1".to_owned()), 2), ((1, "bad/2".to_owned()), 1)];
    assert_eq!(found.misbucketed, named.into_iter().collect());
    assert_eq!((found.entered, found.exposures), (vec![2, 0], 5), "they count all the same");
}

#[test]
fn totals_beyond_the_limit_are_clamped_counted_and_exact_again() {
    let mut driver = shop();
    driver.event(at(0), &exposure(1, at(0), json!({})));
    let clamped = |driver: &mut Driver, seconds: i64| {
        driver.tick(at(seconds * 1_000_000));
        (tallies(driver, "s1").clamped, revenue(driver))
    };
    driver.event(at(0), &buy(2, at(0), 1_000_000_000));
    assert_eq!(clamped(&mut driver, 2), (0, 1_000_000_000));
    driver.event(at(2_000_000), &buy(3, at(0), 5));
    assert_eq!(clamped(&mut driver, 4), (1, 1_000_000_000));
    driver.event(at(4_000_000), &buy(4, at(0), -7));
    assert_eq!(clamped(&mut driver, 6), (0, 999_999_998));
    driver.event(at(6_000_000), &buy(5, at(0), 100));
    assert_eq!(clamped(&mut driver, 8), (1, 1_000_000_000));
    driver.restart();
    driver.event(at(8_000_000), &taken_out(6, at(0), "bot"));
    assert_eq!(clamped(&mut driver, 10), (0, 0));
}

/// What an edge could not write counts for its experiment, exactly once, and makes no unit.
#[test]
fn reports_of_lost_exposures_count_for_their_experiment_alone() {
    let mut driver = shop();
    let report = |number: u64, change: serde_json::Value| {
        let mut more = json!({
            "event_type": "conversion", "unit_type": "edge", "unit_id": "edge-1", "event_name": "assay.exposures_lost",
            "event_value": 17, "attributes": {"experiment": "shop", "cause": "log_failed"},
        });
        change.as_object().unwrap().iter().for_each(|(name, value)| more[name] = value.clone());
        event(number, at(0), more)
    };
    assert_eq!(driver.event(at(0), &report(1, json!({}))), None);
    assert_eq!(driver.event(at(0), &report(1, json!({}))), None);
    assert_eq!(driver.event(at(0), &report(2, json!({"event_value": 3}))), None);
    for (change, reason) in [
        (json!({"attributes": {"experiment": "none"}}), Reason::UnknownExperiment),
        (json!({"attributes": {}}), Reason::Malformed),
        (json!({"event_value": 1.5}), Reason::Malformed),
        (json!({"event_value": -1}), Reason::Malformed),
        (json!({"event_value": null}), Reason::Malformed),
        (json!({"config_version": 9}), Reason::UnknownVersion),
    ] {
        let letter = driver.event(at(0), &report(3, change.clone())).unwrap();
        assert_eq!(letter.reason, reason, "{change}: {}", letter.detail);
    }
    let back = json!({
        "event_type": "retraction", "kind": "correct", "target_event_id": "00000000-0000-4000-8000-000000000001",
        "target_event_time": format_time(at(0)), "event_value": 17,
    });
    assert!(driver.event(at(0), &report(4, back)).unwrap().detail.contains("cannot be taken back"));
    driver.restart();
    driver.tick(at(MINUTE));
    assert_eq!(tallies(&driver, "s1").lost, 20);
    assert_eq!((counters(&driver).duplicates, counters(&driver).unattributed()), (1, 0));
    assert_eq!(driver.state().size().units, 0);
}

/// A meaning that this build lacks stops the partition at its hour, however the hour is reached, and until then nothing differs.
#[test]
fn a_build_without_the_semantics_halts_at_the_hour_before_any_output() {
    let change = Settings { from_ms: (START + Span(2 * HOUR)).millis(), look_ms: 1_000, chunk_ms: 5_000, semantics: 9 };
    for restart in [false, true] {
        let mut driver = shop();
        driver.event(at(0), &exposure(1, at(0), json!({})));
        driver.change(at(HOUR), &change);
        assert_eq!(driver.told.letters, []);
        driver.event(at(2 * HOUR - 1), &buy(2, at(HOUR), 5));
        if restart {
            driver.restart();
        }
        let told = driver.told.looks.len();
        let tick = control::tick();
        let headers: Vec<(&str, &[u8])> = tick.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        for late in [0, DAY] {
            let input =
                Input { offset: 99, timestamp: at(2 * HOUR + late), key: None, headers: &headers, payload: b"" };
            let halt = driver.try_apply(&input).unwrap_err();
            assert!(matches!(halt, Halt::Switch { partition: 0, wanted: 9, .. }), "{halt:?}");
            let why = halt.to_string();
            for part in
                ["semantics 9", "2026-05-01T02:00:00Z", &format!("1 to {SEMANTICS}"), "start a build that has it"]
            {
                assert!(why.contains(part), "{why}");
            }
        }
        assert_eq!(driver.told.looks.len(), told, "nothing was told");
    }
}

#[test]
fn a_change_of_settings_that_cannot_be_everywhere_in_time_is_a_dead_letter() {
    let mut driver = shop();
    let change = |hours: i64, look_ms: u64| Settings {
        from_ms: (START + Span(hours * HOUR)).millis(),
        look_ms,
        chunk_ms: 10_000,
        semantics: SEMANTICS,
    };
    driver.tick(at(2 * HOUR));
    driver.change(at(2 * HOUR), &change(2, 2_000));
    driver.change(at(2 * HOUR), &change(3, 2_000));
    driver.change(at(2 * HOUR), &change(3, 5_000));
    driver.change(at(3 * HOUR), &change(3, 2_000));
    let told: Vec<_> = driver.told.letters.iter().map(|letter| (letter.reason, letter.detail.as_str())).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].0 == Reason::Control && told[0].1.contains("has passed"), "{told:?}");
    assert!(told[1].0 == Reason::Control && told[1].1.contains("choose another hour"), "{told:?}");
    driver.tick(at(3 * HOUR) + Span(2_000_000));
    assert_eq!(driver.told.looks.last().unwrap().length, Span(2_000_000));
}
