//! Old hours become days: the sums stay what they were, and their number stays bounded.

use crate::driver::Driver;
use assay_aggregates::{Block, Cell, Look};
use assay_experiment::control::Genesis;
use assay_experiment::{Span, Timestamp, format_time};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const START: Timestamp = Timestamp(1_777_593_600 * 1_000_000);
const LATE_H: i64 = 2;

const DEFINITIONS: &str = "
{ kind: metric, id: revenue, type: sum, event: buy, window: 2d }
---
{ kind: metric, id: views, type: count, event: view }
---
kind: experiment
id: shop
salt: s1
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE] }]
metrics: [{ metric: revenue, role: primary }, { metric: views, role: secondary }]
analysis: { planned_units: 100 }
";

/// Hours since the step before; what happens; to which of the units so far.
type Step = (i64, u8, usize);

fn play(steps: &[Step], restart_at: Option<usize>) -> (Vec<Look>, u128) {
    let mut genesis = Genesis::new("test".to_owned(), 1, 77);
    (genesis.late_ms, genesis.first_exposure_slack_ms) = (LATE_H as u64 * 3_600_000, 3_600_000);
    let mut driver = Driver::new(&genesis, 0, START);
    driver.publish(START, 1, DEFINITIONS);
    let (mut now, mut units) = (START, 0);
    for (number, &(gap, what, pick)) in steps.iter().enumerate() {
        now = now + Span(gap * Span::HOUR.0 + Span::MINUTE.0);
        if restart_at == Some(number) {
            driver.restart();
        }
        let unit = if what < 4 || units == 0 { units } else { pick % units };
        units = units.max(unit + 1);
        let more = match what {
            0..4 => json!({
                "event_type": "exposure", "experiment_id": "shop", "variant": (["control", "treatment"][pick % 2]),
                "attributes": {"country": (["DE", "US"][pick / 2 % 2])},
            }),
            4..6 => json!({"event_type": "conversion", "event_name": "buy", "event_value": pick}),
            6..9 => json!({"event_type": "conversion", "event_name": "view"}),
            _ => json!({"event_type": "retraction", "kind": "bot"}),
        };
        let mut event = json!({
            "event_id": format!("00000000-0000-4000-8000-{number:012x}"), "event_time": format_time(now),
            "unit_id": format!("u{unit}"),
        });
        for (name, value) in more.as_object().unwrap() {
            event[name] = value.clone();
        }
        assert_eq!(driver.event(now, event.to_string().as_bytes()), None);
    }
    driver.tick(now + Span::HOUR);
    let hash = driver.state().state_hash();
    (driver.told.looks, hash)
}

/// The newest block of every variant and hour.
fn newest<'a>(looks: impl Iterator<Item = &'a Look>) -> BTreeMap<(u8, i64), Block> {
    let blocks = looks.flat_map(|look| &look.experiments).flat_map(|changes| &changes.blocks);
    blocks.map(|block| ((block.variant, block.hour), block.clone())).collect()
}

/// Variant, row and metric → units, sum of y, sum of its squares.
type Sums = BTreeMap<(u8, usize, usize), (i64, i128, i128)>;

/// Sums over the hours that `counts` lets in.
fn sums(blocks: &BTreeMap<(u8, i64), Block>, counts: impl Fn(i64) -> bool) -> Sums {
    let mut sums = Sums::new();
    for ((variant, hour), block) in blocks.iter().filter(|((_, hour), _)| counts(*hour)) {
        let _ = hour;
        for (at, cell) in block.cells.iter().enumerate() {
            let metrics = block.cells.len() / block.units.len();
            let sum = sums.entry((*variant, at / metrics, at % metrics)).or_default();
            *sum = (sum.0 + cell.units, sum.1 + cell.y, sum.2 + cell.yy);
        }
    }
    sums.retain(|_, sum| *sum != Default::default());
    sums
}

/// What the steps come to, unit by unit.
fn expected(steps: &[Step]) -> Sums {
    struct Unit {
        first: Option<(i64, usize)>,
        out: bool,
        bought: i64,
        views: i64,
    }
    let mut units: Vec<Unit> = Vec::new();
    let mut now = 0;
    for &(gap, what, pick) in steps {
        now += gap * Span::HOUR.0 + Span::MINUTE.0;
        let at = if what < 4 || units.is_empty() { units.len() } else { pick % units.len() };
        if at == units.len() {
            units.push(Unit { first: None, out: false, bought: 0, views: 0 });
        }
        let unit = &mut units[at];
        match (what, unit.first) {
            (0..4, None) => unit.first = Some((now, pick)),
            (4..6, Some((first, _))) if now < first + 2 * Span::DAY.0 => unit.bought += pick as i64 * 1_000_000,
            (6..9, Some(_)) => unit.views += 1_000_000,
            (9.., _) => unit.out = true,
            _ => {}
        }
    }
    let mut sums = Sums::new();
    for unit in units.iter().filter(|unit| !unit.out) {
        let Some((_, pick)) = unit.first else { continue };
        for row in [0, 1 + pick / 2 % 2] {
            for (metric, y) in [unit.bought, unit.views].into_iter().enumerate() {
                let sum = sums.entry(((pick % 2) as u8, row, metric)).or_default();
                let y = i128::from(y);
                *sum = (sum.0 + 1, sum.1 + y, sum.2 + y * y);
            }
        }
    }
    sums
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![3 => 0i64..2, 3 => 0i64..30, 1 => 30i64..300];
    proptest::collection::vec((gap, 0u8..10, 0usize..1_000), 2..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn days_have_the_sums_of_their_hours(steps in steps(), cut in 0usize..60) {
        let (looks, hash) = play(&steps, None);
        prop_assert_eq!(sums(&newest(looks.iter()), |_| true), expected(&steps));
        // Whoever starts at a keyframe has the same as who read everything.
        let start = looks.iter().rposition(|look| look.keyframe).unwrap();
        let from_keyframe = sums(&newest(looks[start..].iter()), |_| true);
        prop_assert_eq!(from_keyframe, expected(&steps));
        let (restarted, other_hash) = play(&steps, Some(cut));
        prop_assert_eq!(restarted, looks);
        prop_assert_eq!(other_hash, hash);
    }

    /// A reader that adds up hours below some hour, as maturity does, sees no difference when they are joined.
    #[test]
    fn what_was_mature_stays_as_it_was(steps in steps()) {
        let (looks, _) = play(&steps, None);
        for upto in 1..looks.len() {
            let (before, after) = (&looks[..upto], &looks[..=upto]);
            let (had, has) = (newest(before.iter()), newest(after.iter()));
            // Mature at the look before, with the longest window.
            let end = Timestamp((looks[upto - 1].last + 1) * looks[upto].length.0);
            let mature_below = (end - Span(2 * Span::DAY.0 + LATE_H * Span::HOUR.0)).hour();
            for (key, block) in &has {
                let gone = block.is_zero() && had.get(key).is_some_and(|block| !block.is_zero());
                let joined = key.1 % 24 == 0 && had.get(key) != Some(block);
                if gone || joined {
                    let day = key.1.div_euclid(24) * 24;
                    let all = |of| sums(of, |hour| hour.div_euclid(24) * 24 == day && hour < mature_below);
                    let whole = |of| sums(of, |hour| hour.div_euclid(24) * 24 == day);
                    prop_assert!(whole(&had) != whole(&has) || all(&had) == all(&has), "hour {} in look {upto}", key.1);
                }
            }
        }
    }
}

#[test]
fn a_year_of_hours_is_a_year_of_days() {
    let steps: Vec<Step> = (0..24 * 365).map(|hour| (1, 0, hour % 4)).collect();
    let (looks, _) = play(&steps, None);
    let keyframe = looks.iter().rfind(|look| look.keyframe).unwrap();
    let blocks = keyframe.experiments[0].blocks.len();
    assert!(blocks < 2 * (365 + 10 * 24) + 20, "{blocks} blocks");
    let cells = newest(std::iter::once(keyframe));
    let units: i64 = cells.values().map(|block| block.cells.first().map_or(0, |cell: &Cell| cell.units)).sum();
    assert_eq!(units, keyframe.experiments[0].tallies.entered.iter().sum::<i64>());
}
