//! Inference on plain numbers: no events, no clock, no I/O.
//!
//! One file per method, named as the field names it. [`always_valid`] decides; [`fixed_horizon`] and [`bayesian`] are shown beside it;
//! [`srm`] says whether the split can be believed; [`moments`] turns exact sums into what they all need. [`door`] evaluates cases given as
//! JSON, for `assay stats` and for the reference cases in `tests/golden`.

pub mod alpha;
pub mod always_valid;
pub mod bayesian;
pub mod cuped;
pub mod dependent;
pub mod door;
mod double_double;
pub mod fixed_horizon;
pub mod heterogeneity;
pub mod lift;
pub mod moments;
pub mod multiplicity;
pub mod quantile;
pub mod retention;
pub mod special;
pub mod srm;
pub mod winsorize;
pub mod zero_inflated;
