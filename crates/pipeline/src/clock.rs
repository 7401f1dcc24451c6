//! The clock of the shell. It decides when something is written, never what.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch.
    fn wall_ms(&self) -> i64;
    /// Since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
}

/// This machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
