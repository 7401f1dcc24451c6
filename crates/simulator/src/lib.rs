//! A seeded world with known truth, and the fold that everything is compared with.
//!
//! [`World`] tells in advance what visitors do and what must come out; [`Folding`] folds a log without a break. What drives the pipeline
//! through crashes is in `tests/`, because this crate is pure.
//!
//! [`calibration`] simulates experiments without events, only their numbers, to measure the error rates that the statistics promise;
//! [`peeking`] shows what looking too often does, and [`watching`] the same experiment by experiment.

pub mod calibration;
pub mod peeking;
mod reference;
pub mod watching;
mod world;

pub use reference::{Folding, Reference};
pub use world::{Message, Random, Truth, World, WorldSettings, compare, definitions};
