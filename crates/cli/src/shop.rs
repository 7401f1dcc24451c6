//! A simulated shop: visitors ask the edge for variants through OFREP, see them, and order or not. It is a client like any other; what it
//! knows of the truth, the engine has to find out.

use crate::http_client::Client;
use crate::random::Random;
use anyhow::{Result, bail};
use assay_experiment::{Timestamp, format_time};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The definitions of its experiments.
pub const DEFINITIONS: &str = include_str!("../data/shop.yaml");

/// Orders of visitors who see what they always saw.
const ORDERS: u32 = 100_000;
/// More orders with the checkout on one page: the effect that is to be found.
const ORDERS_MORE: u32 = 20_000;
/// Visitors who see an error, whatever they see.
const ERRORS: u32 = 30_000;
/// Exposures of the new ranking that its client loses.
const LOST: u32 = 30_000;
/// Visitors who come a second time some moments later.
const RETURNING: u32 = 100_000;
/// Visitors under way; beyond it the shop is full, and who comes then is turned away and counted.
const VISITORS_MAX: usize = 1_024;
/// Visitors come in steps of this.
const STEP: Duration = Duration::from_millis(50);
/// After this many failed visits in a row the shop says that it gets no answers.
const FAILED_MAX: u64 = 2_000;

/// What happened so far.
#[derive(Default)]
pub struct Tally {
    /// Visits that ended.
    pub visits: AtomicU64,
    /// Orders.
    pub orders: AtomicU64,
    /// Exposures that a client lost.
    pub lost: AtomicU64,
    /// Visits that an answer was missing for.
    pub failed: AtomicU64,
    /// Visitors who found the shop full.
    pub turned_away: AtomicU64,
    failed_in_a_row: AtomicU64,
}

/// Runs until it is told to stop, with so many new visitors a second.
pub async fn run(edge: &str, per_second: u32, seed: u64, tally: Arc<Tally>, stopped: Arc<AtomicBool>) -> Result<()> {
    let client = Client::new(edge, None)?;
    let room = Arc::new(Semaphore::new(VISITORS_MAX));
    let mut clock = tokio::time::interval(STEP);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut owed = 0.0;
    let mut visitor = 0;
    while !stopped.load(Ordering::SeqCst) {
        clock.tick().await;
        if tally.failed_in_a_row.load(Ordering::Relaxed) > FAILED_MAX {
            bail!("the edge at {edge} answered none of the last {FAILED_MAX} visits");
        }
        owed += f64::from(per_second) * STEP.as_secs_f64();
        while owed >= 1.0 {
            owed -= 1.0;
            visitor += 1;
            let Ok(place) = room.clone().try_acquire_owned() else {
                tally.turned_away.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let (client, tally) = (client.clone(), tally.clone());
            tokio::spawn(async move {
                let _place = place;
                let outcome = Visitor::new(seed, visitor).visit(&client, &tally).await;
                match outcome {
                    Ok(()) => tally.failed_in_a_row.store(0, Ordering::Relaxed),
                    Err(problem) => {
                        tracing::debug!(%problem, "a visit failed");
                        tally.failed.fetch_add(1, Ordering::Relaxed);
                        tally.failed_in_a_row.fetch_add(1, Ordering::Relaxed);
                    }
                }
                tally.visits.fetch_add(1, Ordering::Relaxed);
            });
        }
    }
    Ok(())
}

/// Somebody who comes to the shop; everything about them is a function of the seed and their number.
struct Visitor {
    id: String,
    country: &'static str,
    device: &'static str,
    random: Random,
}

impl Visitor {
    fn new(seed: u64, number: u64) -> Self {
        let mut random = Random(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let country = ["DE", "DE", "FR", "US", "US", "PL"][random.below(6) as usize];
        let device = if random.happens(600_000) { "mobile" } else { "desktop" };
        Visitor { id: format!("shopper-{:x}-{number}", seed & 0xffff_ffff), country, device, random }
    }

    async fn visit(mut self, client: &Client, tally: &Tally) -> Result<()> {
        let visits = if self.random.happens(RETURNING) { 2 } else { 1 };
        for _ in 0..visits {
            self.look_around(client, tally).await?;
        }
        Ok(())
    }

    async fn look_around(&mut self, client: &Client, tally: &Tally) -> Result<()> {
        let context = json!({"targetingKey": self.id, "country": self.country, "device": self.device});
        // A service asks for one flag when it needs it: the edge logs the exposure.
        let checkout = single(client, "checkout-one-page", &context).await?;
        single(client, "banner-a-a", &context).await?;
        // A page asks for all flags at once and says itself what it showed.
        let ranking = bulk(client, "search-ranking", &context).await?;
        if ranking == "new-ranking" && self.random.happens(LOST) {
            tally.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            self.expose(client, &ranking).await?;
        }
        self.pause().await;
        if self.random.happens(ERRORS) {
            self.track(client, "page_error", None).await?;
        }
        let chance = if checkout == "one-page" { ORDERS + ORDERS_MORE } else { ORDERS };
        if self.random.happens(chance) {
            self.pause().await;
            // From 5 to 105 in cents, small orders more often.
            let (one, other) = (self.random.below(10_000), self.random.below(10_000));
            let cents = 500 + one.min(other);
            self.track(client, "order", Some(f64::from(cents) / 100.0)).await?;
            tally.orders.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn expose(&self, client: &Client, variant: &str) -> Result<()> {
        let body = json!([{
            "event_time": now(), "experiment_id": "search-ranking", "variant": variant, "unit_id": self.id,
            "attributes": {"country": self.country, "device": self.device}, "sdk": "demo-shop/1.0",
        }]);
        accepted(client, "/v1/exposures", &body).await
    }

    async fn track(&self, client: &Client, name: &str, value: Option<f64>) -> Result<()> {
        let details = value.map_or_else(|| json!({}), |value| json!({"value": value}));
        let body = json!({"name": name, "context": {"targetingKey": self.id}, "details": details, "event_time": now()});
        accepted(client, "/v1/track", &body).await
    }

    /// People read before they click.
    async fn pause(&mut self) {
        tokio::time::sleep(Duration::from_millis(u64::from(100 + self.random.below(900)))).await;
    }
}

async fn single(client: &Client, key: &str, context: &Json) -> Result<String> {
    let answer = client.post(&format!("/ofrep/v1/evaluate/flags/{key}"), &json!({"context": context})).await?;
    variant(&answer.json, key)
}

async fn bulk(client: &Client, key: &str, context: &Json) -> Result<String> {
    let answer = client.post("/ofrep/v1/evaluate/flags", &json!({"context": context})).await?;
    let flags = answer.json["flags"].as_array().map(Vec::as_slice).unwrap_or_default();
    match flags.iter().find(|flag| flag["key"] == key) {
        Some(flag) => variant(flag, key),
        None => bail!("the edge does not know {key}: {}", answer.json),
    }
}

fn variant(answer: &Json, key: &str) -> Result<String> {
    match answer["variant"].as_str() {
        Some(variant) => Ok(variant.to_owned()),
        None => bail!("no variant of {key}: {answer}"),
    }
}

async fn accepted(client: &Client, path: &str, body: &Json) -> Result<()> {
    let answer = client.post(path, body).await?;
    match answer.status.as_u16() {
        202 => Ok(()),
        status => bail!("{path} answered {status}: {}", answer.json),
    }
}

fn now() -> String {
    format_time(Timestamp::from_millis(crate::health::now_ms()))
}
