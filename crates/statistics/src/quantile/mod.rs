//! Quantile metrics (§6.5): a quantile of an arm's units, what is known about it at any look, and its variance when a unit has many values.
//!
//! [`type7`] is the estimate. [`RankSequence`] bounds the quantile of one value per unit, exactly and at every look, whatever the
//! distribution. [`Bracket`] gives a variance for the comparison of arms, also where values come in clusters (requests of a user); it is
//! approximate.

mod bracket;
mod rank_sequence;
mod type_seven;

pub use bracket::{Bracket, ClusterSums};
pub use rank_sequence::{CONCENTRATION, OrderStatistics, RankSequence, difference};
pub use type_seven::type7;
