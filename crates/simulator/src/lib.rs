//! A seeded world with known truth, and the fold that everything is compared with.
//!
//! [`World`] tells in advance what visitors do and what must come out; [`Folding`] folds a log without a break. What drives the pipeline
//! through crashes is in `tests/`, because this crate is pure.

pub mod calibration;
mod reference;
mod world;

pub use reference::{Folding, Reference};
pub use world::{Message, Random, Truth, World, WorldSettings, compare, definitions};
