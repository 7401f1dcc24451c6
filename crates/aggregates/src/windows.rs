//! The windows of log time: looks and chunks, aligned to the epoch, closed by records alone. Where their length changes, both lengths end.

use assay_experiment::{Span, Timestamp};

/// Numbers the windows of one length: window k covers `[k, k + 1)` lengths since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    pub length: Span,
    /// The open window, once there was a record.
    pub open: Option<i64>,
}

impl Windows {
    pub fn new(length: Span) -> Self {
        assert!(length.0 > 0, "a window has a length");
        Windows { length, open: None }
    }

    /// Log time is `now`: the windows that closed, first and last, if any did.
    pub fn advance(&mut self, now: Timestamp) -> Option<(i64, i64)> {
        let current = now.0.div_euclid(self.length.0);
        let closed = self.open.filter(|&open| open < current).map(|open| (open, current - 1));
        self.open = Some(current);
        closed
    }

    /// From `now`, at which a window of the old length ended, they have another length.
    pub fn change(&mut self, length: Span, now: Timestamp) {
        *self = Windows { open: Some(now.0.div_euclid(length.0)), ..Windows::new(length) };
    }

    /// Where a window ends.
    pub fn end_of(&self, window: i64) -> Timestamp {
        Timestamp((window + 1).saturating_mul(self.length.0))
    }

    /// Start of the open window.
    pub fn start(&self) -> Timestamp {
        Timestamp(self.open.unwrap_or(0).saturating_mul(self.length.0))
    }
}
