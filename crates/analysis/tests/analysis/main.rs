//! The analysis, fed with look records that the fold makes of hand-written events.

#![allow(clippy::unwrap_used)]

mod aligned;
mod harness;
mod numbers;
mod published;
mod restart;
mod verdicts;
mod weeks;
