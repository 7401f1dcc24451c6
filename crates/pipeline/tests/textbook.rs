//! The textbook's SQL beside the views: what is wrong with joining exposures and conversions by user and counting.
//!
//! The same rows, written by the pipeline, asked three ways: as a textbook asks, as the views ask, and as the fold counted.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod world;

use assay_aggregates::{Assembler, Look};
use assay_broker::{Batch, Log, Offset, Partition};
use assay_pipeline::Topics;
use std::collections::BTreeMap;
use std::time::Duration;
use world::{PARTITIONS, World, id, ms, time};

const PHASE: &str = "
kind: experiment
id: checkout
salt: SALT
status: running
assignment: external
variants: [{ name: control, control: true }, { name: treatment }]
metrics: [{ metric: bought, role: primary }, { metric: revenue, role: secondary }]
crossing: POLICY
analysis: { planned_units: 1000 }
---
{ kind: metric, id: bought, type: conversion, event: purchase }
---
{ kind: metric, id: revenue, type: sum, event: purchase }
";

/// Exposures joined with conversions by user, distinct users counted: what one finds in books and dashboards.
const TEXTBOOK: &str = "
SELECT e.variant, uniqExact(e.user_id) AS units, uniqExactIf(c.user_id, c.event_type = 'conversion') AS converted,
    round(converted / units, 3), toFloat64(sum(c.event_value))
FROM experiment_events AS e
LEFT JOIN (SELECT * FROM experiment_events WHERE event_type = 'conversion' AND event_name = 'purchase') AS c ON c.user_id = e.user_id
WHERE e.event_type = 'exposure' AND e.experiment_id = 'checkout' AND e.created_at >= '2026-05-01' AND e.created_at < '2026-05-02'
GROUP BY e.variant ORDER BY e.variant";

/// Without the join: whoever bought, over whoever was exposed.
const WHOLE: &str = "
SELECT 'all', uniqExactIf(user_id, event_type = 'exposure') AS units, uniqExactIf(user_id, event_name = 'purchase' AND event_type = 'conversion') AS converted,
    round(converted / units, 3), toFloat64(sumIf(event_value, event_name = 'purchase' AND event_type = 'conversion'))
FROM experiment_events";

const VIEW: &str = "
SELECT variant, units, converted, round(rate, 3), toFloat64(revenue)
FROM variant_totals(experiment = 'checkout', event = 'purchase', start = '2026-05-01', stop = '2026-05-02')";

/// Writes events by hand, a second apart.
struct Shop {
    world: World,
    number: u32,
    clock_ms: i64,
}

impl Shop {
    fn new(database: &str) -> Shop {
        Shop { world: World::new(database), number: 0, clock_ms: ms("08:00:00") }
    }

    fn publish(&mut self, salt: &str, policy: &str, status: &str) {
        let text = PHASE.replace("SALT", salt).replace("POLICY", policy);
        self.world.at(self.clock_ms);
        self.world.publish(&text.replace("status: running", &format!("status: {status}")));
    }

    fn send(&mut self, unit: &str, more: &str) -> u32 {
        self.number += 1;
        self.clock_ms += 1_000;
        self.world.at(self.clock_ms);
        let seconds = self.clock_ms / 1_000;
        let at = time(&format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60));
        let event = format!(r#"{{"event_id":"{}","event_time":"{at}","unit_id":"{unit}",{more}}}"#, id(self.number));
        self.world.send(unit, event.as_bytes());
        // Clients send again what they had no answer for.
        self.world.send(unit, event.as_bytes());
        self.number
    }

    fn see(&mut self, unit: &str, variant: &str) {
        self.send(unit, &format!(r#""event_type":"exposure","experiment_id":"checkout","variant":"{variant}""#));
    }

    fn buy(&mut self, unit: &str, value: &str) -> u32 {
        self.send(unit, &format!(r#""event_type":"conversion","event_name":"purchase","event_value":{value}"#))
    }

    fn take_back(&mut self, unit: &str, purchase: u32, value: &str) {
        // The purchase's second of the day is where the clock was then: this test takes back the last one only.
        assert_eq!(purchase, self.number);
        let seconds = self.clock_ms / 1_000;
        let at = time(&format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60));
        let target = id(purchase);
        self.send(unit, &format!(r#""event_type":"retraction","kind":"correct","target_event_id":"{target}","target_event_time":"{at}","event_name":"purchase","event_value":{value}"#));
    }

    /// Ten units in each variant, four and five of which buy; then everything that goes wrong in real data.
    fn play(&mut self) {
        for at in 0..10 {
            self.see(&format!("c{at}"), "control");
            self.see(&format!("t{at}"), "treatment");
        }
        let buyers = (0..4).map(|at| format!("c{at}")).chain((0..5).map(|at| format!("t{at}")));
        // The last five bought without ever having been exposed.
        for unit in buyers.chain((0..5).map(|at| format!("never{at}"))) {
            self.buy(&unit, "10.5");
        }
        // Exposed again and again: a join repeats their purchases.
        (0..2).for_each(|_| self.see("c1", "control"));
        (0..2).for_each(|_| self.see("t1", "treatment"));
        // Bought before, not after.
        for (unit, variant) in [("early-c", "control"), ("early-t", "treatment")] {
            self.buy(unit, "10.5");
            self.see(unit, variant);
        }
        // Seen in both variants.
        for unit in ["both0", "both1"] {
            self.see(unit, "control");
            self.see(unit, "treatment");
            self.buy(unit, "10.5");
        }
        // A purchase that was taken back, and a machine that bought.
        let order = self.buy("t0", "100");
        self.take_back("t0", order, "100");
        self.see("robot", "treatment");
        for _ in 0..20 {
            self.buy("robot", "50");
        }
        self.send("robot", r#""event_type":"retraction","kind":"bot""#);
    }

    fn table(&self, how: &str, sql: &str) -> Vec<String> {
        self.world.query(sql).iter().map(|line| format!("{how:<9} {}", line.replace('\t', " "))).collect()
    }

    /// What the fold counted in the newest phase, from the looks that it published.
    fn fold(&self, salt: &str) -> Vec<String> {
        let mut blocks = BTreeMap::new();
        for partition in 0..PARTITIONS {
            each_look(&self.world, partition, |look| {
                for experiment in look.experiments.into_iter().filter(|experiment| experiment.salt == salt) {
                    for block in experiment.blocks {
                        blocks.insert((partition, block.variant, block.hour), block);
                    }
                }
            });
        }
        (0..2u8)
            .map(|variant| {
                let cells = || blocks.values().filter(move |block| block.variant == variant).map(|block| &block.cells);
                let (units, converted): (i64, i64) =
                    cells().fold((0, 0), |sum, cells| (sum.0 + cells[0].units, sum.1 + cells[0].nonzero));
                let revenue = cells().map(|cells| cells[1].y).sum::<i128>() as f64 / 1e6;
                let rate = (converted as f64 / units as f64 * 1e3).round() / 1e3;
                format!("fold      {} {units} {converted} {rate} {revenue}", ["control", "treatment"][variant as usize])
            })
            .collect()
    }
}

fn each_look(world: &World, partition: u32, mut each: impl FnMut(Look)) {
    let mut reader = world.log.open(&Topics::default().aggregates, Partition(partition), Offset(0)).unwrap();
    let (mut batch, mut assembler) = (Batch::default(), Assembler::default());
    loop {
        reader.poll(&mut batch, 1 << 20, Duration::ZERO).unwrap();
        if batch.is_empty() {
            return;
        }
        batch.iter().filter_map(|record| assembler.push(record.payload).unwrap()).for_each(&mut each);
    }
}

#[test]
fn the_textbook_counts_what_never_happened() {
    let mut shop = Shop::new("textbook");
    shop.publish("one", "exclude", "running");
    shop.play();
    shop.world.settle();
    let mut lines = shop.table("textbook", WHOLE);
    lines.extend(shop.table("textbook", TEXTBOOK));
    lines.extend(shop.table("view", VIEW));
    lines.extend(shop.fold("one"));
    let shown = lines.join("\n");
    println!("          variant units converted rate revenue\n{shown}");
    // The textbook has 19 buyers, of whom five were never exposed; in the arms those who bought before they saw anything, those of both
    // arms twice, the robot with its 1,000, the 100 that were paid back, and a purchase for each time that its buyer looked again.
    assert_eq!(
        shown,
        "textbook  all 25 19 0.76 1289\n\
         textbook  control 13 7 0.538 94.5\n\
         textbook  treatment 14 9 0.643 1205\n\
         view      control 11 4 0.364 42\n\
         view      treatment 11 5 0.455 52.5\n\
         fold      control 11 4 0.364 42\n\
         fold      treatment 11 5 0.455 52.5"
    );
    assert_eq!(shop.world.query("SELECT variant, units, crossed FROM balance"), ["control\t11\t2", "treatment\t11\t0"]);
    let hours =
        shop.world.query("SELECT event_type, sum(events), sum(value) FROM events_by_hour GROUP BY ALL ORDER BY 1");
    let all = "SELECT event_type, count(), sum(ifNull(event_value, toDecimal64(0, 6))) FROM events \
               WHERE event_type IN ('exposure', 'conversion') GROUP BY ALL ORDER BY 1";
    assert_eq!(hours, shop.world.query(all));
    assert_eq!(hours.len(), 2);
}

#[test]
fn a_new_phase_starts_anew() {
    let mut shop = Shop::new("new_phase");
    shop.publish("one", "exclude", "running");
    for at in 0..6 {
        shop.see(&format!("u{at}"), "control");
        shop.buy(&format!("u{at}"), "1");
    }
    shop.publish("two", "exclude", "running");
    // The same units, at random again: nobody has crossed.
    for at in 0..6 {
        shop.see(&format!("u{at}"), ["control", "treatment"][at % 2]);
    }
    shop.buy("u1", "2");
    shop.buy("u2", "3");
    shop.world.settle();
    let mut lines = shop.table("textbook", TEXTBOOK);
    lines.extend(shop.table("view", VIEW));
    lines.extend(shop.fold("two"));
    assert_eq!(
        lines.join("\n"),
        "textbook  control 6 6 1 17\n\
         textbook  treatment 3 3 1 5\n\
         view      control 3 1 0.333 3\n\
         view      treatment 3 1 0.333 2\n\
         fold      control 3 1 0.333 3\n\
         fold      treatment 3 1 0.333 2"
    );
    let phases = "SELECT salt, uniqExact(partition), min(live_from) = '1900-01-01', max(ended) < '2030-01-01' FROM experiment_phases GROUP BY salt ORDER BY salt";
    assert_eq!(shop.world.query(phases), ["one\t2\t1\t1", "two\t2\t0\t0"]);
}

#[test]
fn the_end_of_an_experiment_and_its_crossing_policy_count() {
    let mut shop = Shop::new("policies");
    shop.publish("one", "first", "running");
    shop.see("a", "control");
    shop.see("b", "treatment");
    // Crossed, and counted where it was first.
    shop.see("a", "treatment");
    shop.buy("a", "1");
    shop.publish("one", "first", "stopped");
    // Events may be ahead of log time, so the end leaves five minutes.
    shop.clock_ms += 6 * 60 * 1_000;
    shop.see("late", "treatment");
    shop.buy("b", "5");
    shop.world.settle();
    let mut lines = shop.table("textbook", TEXTBOOK);
    lines.extend(shop.table("view", VIEW));
    lines.extend(shop.fold("one"));
    assert_eq!(
        lines.join("\n"),
        "textbook  control 1 1 1 1\n\
         textbook  treatment 3 2 0.667 6\n\
         view      control 1 1 1 1\n\
         view      treatment 1 0 0 0\n\
         fold      control 1 1 1 1\n\
         fold      treatment 1 0 0 0"
    );
}
