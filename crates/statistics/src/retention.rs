//! Retention: who came back between two ages of their exposure (§6.4).
//!
//! A unit is **matured** when its whole window has passed, `exposed_at + end <= now`; only matured units count, because a unit that still has
//! time left would look lost. A matured unit is **retained** when an event lies in `[exposed_at + start, exposed_at + end)`. Times are
//! integers of any one unit, usually seconds; a day is 24 hours from the exposure, not a calendar day.
//!
//! The result is a rate of matured units, which every method for conversions takes. It says nothing about units that are still young.

use crate::moments::Arm;

/// Seconds of a day.
pub const DAY_SECONDS: i64 = 86_400;

/// Ages at which coming back counts, from `start` up to but not at `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: i64,
    end: i64,
}

/// A window that holds no age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a retention window starts at 0 or later and ends after its start, and [{start}, {end}) does not")]
pub struct EmptyWindow {
    /// Where it starts.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
}

/// Matured units of an arm, and how many of them came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Units whose window has passed.
    pub matured: u64,
    /// Those of them with an event in their window.
    pub retained: u64,
}

impl Window {
    /// Refuses a window that is empty or begins before the exposure.
    pub fn new(start: i64, end: i64) -> Result<Window, EmptyWindow> {
        if start >= 0 && end > start { Ok(Window { start, end }) } else { Err(EmptyWindow { start, end }) }
    }

    /// Whether the window of a unit has passed.
    pub fn matured(&self, exposed_at: i64, now: i64) -> bool {
        exposed_at.saturating_add(self.end) <= now
    }

    /// Whether an event at `at` lies in the window of a unit.
    pub fn holds(&self, exposed_at: i64, at: i64) -> bool {
        (exposed_at.saturating_add(self.start)..exposed_at.saturating_add(self.end)).contains(&at)
    }
}

impl Retention {
    /// Adds a unit and its events, in any order.
    pub fn add(&mut self, window: Window, exposed_at: i64, events: &[i64], now: i64) {
        if window.matured(exposed_at, now) {
            self.matured += 1;
            self.retained += u64::from(events.iter().any(|&at| window.holds(exposed_at, at)));
        }
    }

    /// `None` while no unit is matured.
    pub fn rate(&self) -> Option<f64> {
        (self.matured > 0).then(|| self.retained as f64 / self.matured as f64)
    }

    /// For the tests of means and proportions.
    pub fn arm(&self) -> Arm {
        Arm::of_conversions(self.matured as f64, self.retained as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_includes_its_start_and_excludes_its_end() {
        let window = Window::new(10, 20).unwrap();
        let retained = |at| {
            let mut retention = Retention::default();
            retention.add(window, 100, &[at], 120);
            retention
        };
        assert_eq!([109, 110, 119, 120].map(|at| retained(at).retained), [0, 1, 1, 0]);
    }

    #[test]
    fn a_young_unit_does_not_count() {
        let mut retention = Retention::default();
        retention.add(Window::new(10, 20).unwrap(), 100, &[111], 119);
        assert_eq!((retention, retention.rate()), (Retention::default(), None));
        assert!(Window::new(5, 5).is_err());
    }
}
