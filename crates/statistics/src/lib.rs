//! Inference on plain numbers: no events, no clock, no I/O.
//!
//! One file per method, named as the field names it. [`always_valid`] decides; [`fixed_horizon`] and [`bayesian`] are shown beside it;
//! [`srm`] says whether the split can be believed; [`moments`] turns exact sums into what they all need. [`door`] evaluates cases given as
//! JSON, for `assay stats` and for the reference cases in `tests/golden`.

pub mod alpha;
pub mod always_valid;
pub mod bayesian;
pub mod door;
pub mod fixed_horizon;
pub mod group_sequential;
pub mod lift;
pub mod moments;
pub mod multiplicity;
pub mod power;
mod quadrature;
mod root;
pub mod sides;
pub mod special;
pub mod srm;
