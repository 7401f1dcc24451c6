//! From look to look (§1.7): the least p so far decides, the current interval is shown, the intersection warns.
//!
//! The minimum of an always-valid p over looks is itself a valid p at any time. Only the publisher keeps it, in its one sequence of looks;
//! shards never do. After a lost snapshot it may start again from the current p: valid, and conservative. A running p can be below alpha
//! while the current interval covers 0 again; that is no error and is said beside it.

use super::Comparison;

/// The least p so far and the intersection of the intervals so far: a fold over looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// What decides.
    pub p_value: f64,
    /// Highest lower end so far.
    pub low: f64,
    /// Lowest upper end so far.
    pub high: f64,
}

impl Default for Running {
    fn default() -> Self {
        Running { p_value: 1.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }
}

impl Running {
    /// One more look.
    pub fn look(&mut self, comparison: &Comparison) {
        self.p_value = self.p_value.min(comparison.p_value);
        self.low = self.low.max(comparison.low);
        self.high = self.high.min(comparison.high);
    }

    /// An empty intersection: the effect is not constant over time.
    pub fn drift_suspected(&self) -> bool {
        self.low > self.high
    }
}
