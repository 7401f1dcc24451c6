//! How fast things went lately: results after their events, and counters per second. Bounded memories that forget the oldest.

use assay_control_plane::status::{Latency, Outcome};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Looks whose latency is remembered: ten minutes of the usual ones.
const LOOKS: usize = 600;
/// Places within a look at which an event is taken to be.
const PLACES: usize = 20;
/// Below this many looks a percentile of a hundred says nothing.
const LOOKS_MIN: usize = 10;

/// How long results took.
#[derive(Default)]
pub struct Pace(VecDeque<f64>);

impl Pace {
    /// Results came so long after the end of their look.
    pub fn look(&mut self, latency_ms: f64) {
        self.0.push_back(latency_ms);
        if self.0.len() > LOOKS {
            self.0.pop_front();
        }
    }

    /// From an event: it waits for the end of its look first, and events are evenly spread over looks.
    pub fn latency(&self, look_ms: f64) -> Option<Latency> {
        if self.0.len() < LOOKS_MIN {
            return None;
        }
        let wait = |place: usize| look_ms * (place as f64 + 0.5) / PLACES as f64;
        let mut all: Vec<f64> =
            self.0.iter().flat_map(|latency| (0..PLACES).map(move |place| latency + wait(place))).collect();
        all.sort_by(f64::total_cmp);
        let quantile = |share: f64| all[((all.len() - 1) as f64 * share).round() as usize];
        Some(Latency { median_ms: quantile(0.5), p99_ms: quantile(0.99), looks: self.0.len() })
    }
}

/// Readings of counters that are kept; with [`READ_EVERY`] that is the last minute.
const READINGS: usize = 13;
/// Between readings of counters.
pub const READ_EVERY: Duration = Duration::from_secs(5);

/// Counters by name, over the last minute.
#[derive(Default)]
pub struct Counted(VecDeque<(Instant, Vec<(String, u64)>)>);

impl Counted {
    /// What the counters say now.
    pub fn read(&mut self, now: Instant, counters: Vec<(String, u64)>) {
        self.0.push_back((now, counters));
        if self.0.len() > READINGS {
            self.0.pop_front();
        }
    }

    /// Over how many seconds the rates are.
    pub fn seconds(&self) -> f64 {
        match (self.0.front(), self.0.back()) {
            (Some((first, _)), Some((last, _))) => (*last - *first).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// Totals and rates, the most frequent first.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let (Some((_, before)), Some((_, after))) = (self.0.front(), self.0.back()) else { return Vec::new() };
        let seconds = self.seconds();
        let rate = |name: &str, total: u64| {
            let earlier = before.iter().find(|(it, _)| it == name).map_or(0, |(_, total)| *total);
            if seconds > 0.0 { total.saturating_sub(earlier) as f64 / seconds } else { 0.0 }
        };
        let of = |(name, total): &(String, u64)| Outcome {
            name: name.clone(),
            total: *total,
            per_second: rate(name, *total),
        };
        let mut outcomes: Vec<Outcome> = after.iter().map(of).collect();
        outcomes.sort_by(|one, other| other.total.cmp(&one.total).then_with(|| one.name.cmp(&other.name)));
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_waits_for_its_look_and_then_for_the_results() {
        let mut pace = Pace::default();
        (0..9).for_each(|_| pace.look(100.0));
        assert_eq!(pace.latency(1_000.0), None);
        (0..991).for_each(|_| pace.look(100.0));
        let latency = pace.latency(1_000.0).unwrap();
        assert_eq!(latency.looks, LOOKS);
        assert!((latency.median_ms - 600.0).abs() < 51.0 && (latency.p99_ms - 1_075.0).abs() < 1.0, "{latency:?}");
    }

    #[test]
    fn counters_become_rates_over_the_last_minute() {
        let (mut counted, start) = (Counted::default(), Instant::now());
        assert_eq!((counted.seconds(), counted.outcomes().len()), (0.0, 0));
        for reading in 0..20u64 {
            let counters = vec![("late".to_owned(), reading / 19), ("accepted".to_owned(), 500 * reading)];
            counted.read(start + READ_EVERY * reading as u32, counters);
        }
        let outcomes = counted.outcomes();
        assert_eq!((counted.seconds(), outcomes[0].name.as_str(), outcomes[0].total), (60.0, "accepted", 9_500));
        assert_eq!((outcomes[0].per_second, outcomes[1].per_second), (100.0, 1.0 / 60.0));
    }
}
