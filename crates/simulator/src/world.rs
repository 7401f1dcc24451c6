//! A seeded world: visitors who are exposed and buy, and the truth about them.

use assay_experiment::{Source, Timestamp, canonical, format_time, parse};
use serde_json::json;
use std::collections::BTreeMap;

/// What happens in a world.
#[derive(Debug, Clone)]
pub struct WorldSettings {
    /// Names everything random in it.
    pub seed: u64,
    /// How many visitors come.
    pub visitors: u32,
    /// Over how many seconds they come.
    pub seconds: u32,
    /// Of a thousand messages, so many are sent again.
    pub repeated_permille: u64,
    /// Messages arrive up to so many seconds after their event; below A, so that their order does not matter.
    pub delay_s_max: u64,
    /// Of a thousand messages, so many are broken.
    pub broken_permille: u64,
}

/// A message on its way to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it is sent, milliseconds since the epoch.
    pub at_ms: i64,
    /// The unit, which is its key.
    pub unit: String,
    /// The body.
    pub payload: Vec<u8>,
}

/// What must come out at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truth {
    /// Units of each variant.
    pub units: [i64; 2],
    /// Buyers of each variant.
    pub buyers: [i64; 2],
    /// Revenue of each variant, in micro-units.
    pub revenue: [i128; 2],
    /// Distinct valid exposures and conversions.
    pub distinct: [u64; 2],
    /// Messages that repeat another.
    pub repeats: u64,
    /// Messages that cannot be accepted.
    pub broken: u64,
}

/// A world, told in advance.
pub struct World {
    /// In the order of sending.
    pub messages: Vec<Message>,
    /// What must come out.
    pub truth: Truth,
}

/// Random numbers by seed: SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound, which is above 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// Whether something of so many in a thousand happens.
    pub fn permille(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }
}

const DEFINITIONS: &str = "
kind: experiment
id: world
salt: world
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
metrics: [{ metric: bought, role: primary }, { metric: revenue, role: secondary }]
analysis: { planned_units: 1000 }
---
{ kind: metric, id: bought, type: conversion, event: buy }
---
{ kind: metric, id: revenue, type: sum, event: buy }
";

/// Canonical definitions of the world's experiment.
pub fn definitions() -> Vec<String> {
    let source = Source { name: "world", text: DEFINITIONS };
    canonical::parts(&parse(&[source]).expect("these definitions are valid"))
}

impl World {
    /// Everything that will happen from `start_ms` on.
    pub fn new(settings: &WorldSettings, start_ms: i64) -> World {
        let mut random = Random(settings.seed);
        let mut world = World { messages: Vec::new(), truth: Truth::default() };
        let span_ms = u64::from(settings.seconds) * 1_000;
        for visitor in 0..settings.visitors {
            let unit = format!("visitor-{visitor}");
            let variant = random.below(2) as usize;
            let seen_ms = start_ms + random.below(span_ms) as i64;
            world.truth.units[variant] += 1;
            // Some see it again later: nothing changes by that.
            for again in 0..1 + random.below(2) {
                let at_ms = seen_ms + (again * random.below(5_000)) as i64;
                let name = ["control", "treatment"][variant];
                world.truth.distinct[0] += 1;
                let more = json!({"event_type": "exposure", "experiment_id": "world", "variant": name});
                world.send(settings, &mut random, &unit, at_ms, more);
            }
            let buys = random.below(4).saturating_sub(1);
            world.truth.buyers[variant] += i64::from(buys > 0);
            for _ in 0..buys {
                let at_ms = seen_ms + random.below(30_000) as i64;
                let cents = random.below(10_000);
                world.truth.distinct[1] += 1;
                world.truth.revenue[variant] += i128::from(cents) * 10_000;
                let value: serde_json::Number =
                    serde_json::from_str(&format!("{}.{:02}", cents / 100, cents % 100)).expect("digits are a number");
                let more = json!({"event_type": "conversion", "event_name": "buy", "event_value": value});
                world.send(settings, &mut random, &unit, at_ms, more);
            }
        }
        world.messages.sort_by_key(|message| message.at_ms);
        world
    }

    fn send(
        &mut self,
        settings: &WorldSettings,
        random: &mut Random,
        unit: &str,
        happened_ms: i64,
        more: serde_json::Value,
    ) {
        let (high, low) = (random.bits(), random.bits());
        let mut event = json!({
            "event_id": format!("{:08x}-{:04x}-4000-8000-{:012x}", high >> 32, high & 0xffff, low & 0xffff_ffff_ffff),
            "event_time": format_time(Timestamp::from_millis(happened_ms)), "unit_id": unit,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        let payload = event.to_string().into_bytes();
        if random.permille(settings.broken_permille) {
            let cut = payload[..random.below(payload.len() as u64) as usize].to_vec();
            self.truth.broken += 1;
            self.messages.push(Message { at_ms: happened_ms, unit: unit.to_owned(), payload: cut });
        }
        for copy in 0..=u64::from(random.permille(settings.repeated_permille)) {
            let delay_ms = random.below(1 + settings.delay_s_max * 1_000) as i64;
            self.truth.repeats += copy;
            self.messages.push(Message {
                at_ms: happened_ms + delay_ms,
                unit: unit.to_owned(),
                payload: payload.clone(),
            });
        }
    }
}

/// The first difference between what must come out and what did, in words.
pub fn compare(truth: &Truth, found: &BTreeMap<&str, i128>) -> Result<(), String> {
    let expected: [(&str, i128); 9] = [
        ("units of control", truth.units[0].into()),
        ("units of treatment", truth.units[1].into()),
        ("buyers of control", truth.buyers[0].into()),
        ("buyers of treatment", truth.buyers[1].into()),
        ("revenue of control", truth.revenue[0]),
        ("revenue of treatment", truth.revenue[1]),
        ("exposures", truth.distinct[0].into()),
        ("conversions", truth.distinct[1].into()),
        ("broken", truth.broken.into()),
    ];
    for (name, expected) in expected {
        let found = found.get(name).copied().unwrap_or(i128::MIN);
        if found != expected {
            return Err(format!("{name}: {found}, but the truth is {expected}"));
        }
    }
    Ok(())
}
