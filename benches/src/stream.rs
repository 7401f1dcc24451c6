//! Events as a producer would send them: Avro in Confluent framing.

use assay_experiment::control::{self, Genesis};
use assay_experiment::{Attribute, Body, Event, EventId, Source, Timestamp, Value, canonical, parse, wire};
use std::borrow::Cow;

/// One experiment with three metrics and a segment; another randomiser decides, so that any unit may be in any arm.
pub const DEFINITIONS: &str = "
kind: experiment
id: checkout
salt: checkout
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
segments: [{ attribute: country, values: [DE, FR, US] }]
metrics: [{ metric: bought, role: primary }, { metric: revenue, role: secondary }, { metric: views, role: secondary }]
analysis: { planned_units: 1000000 }
---
{ kind: metric, id: bought, type: conversion, event: purchase }
---
{ kind: metric, id: revenue, type: sum, event: purchase, window: 7d }
---
{ kind: metric, id: views, type: count, event: view }
";

/// The records that start a partition: genesis and the definitions.
pub fn genesis_records(genesis: &Genesis) -> Vec<control::Encoded> {
    let definitions = parse(&[Source { name: "bench", text: DEFINITIONS }]).expect("these definitions are valid");
    let mut records = vec![control::genesis(genesis)];
    records.extend(control::version(1, &canonical::parts(&definitions)));
    records
}

fn event(number: u64, unit: u64, at: Timestamp, body: Body<'static>) -> Event<'static> {
    let country = ["DE", "FR", "US", "BR"][(unit % 4) as usize];
    Event {
        // Spread over all bits, as random ids are.
        id: EventId(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        time: at,
        unit_type: Cow::Borrowed("user"),
        unit_id: Cow::Owned(format!("user-{unit}")),
        body,
        attributes: vec![(Cow::Borrowed("country"), Attribute::Text(Cow::Borrowed(country)))],
        config_version: None,
        sdk: None,
        copy: 0,
    }
}

/// A unit is exposed.
pub fn exposure(number: u64, unit: u64, at: Timestamp) -> Vec<u8> {
    let variant = if unit.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0 { "control" } else { "treatment" };
    let body = Body::Exposure { experiment: Cow::Borrowed("checkout"), variant: Cow::Borrowed(variant) };
    wire::encode(&event(number, unit, at, body))
}

/// A unit views something, or buys for some money at every fourth event.
pub fn conversion(number: u64, unit: u64, at: Timestamp) -> Vec<u8> {
    let buys = number.is_multiple_of(4);
    let body = Body::Conversion {
        name: Cow::Borrowed(if buys { "purchase" } else { "view" }),
        value: buys.then(|| Value((number % 10_000) as i64 * 10_000)),
        experiment: None,
    };
    wire::encode(&event(number, unit, at, body))
}

/// Numbers of units in an order that visits memory as real traffic does: without order.
pub struct Stream {
    units: u64,
    next: u64,
}

impl Stream {
    /// Over so many units.
    pub fn new(units: u64) -> Self {
        Stream { units, next: 0 }
    }

    /// The unit of the next event.
    pub fn unit(&mut self) -> u64 {
        self.next = self.next.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.next;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % self.units
    }
}
