//! Inference on plain numbers: no events, no clock, no I/O.
//!
//! One file per method, named as the field names it. [`always_valid`] decides; [`fixed_horizon`], [`group_sequential`], [`ratio`], [`lift`]
//! and [`bayesian`] are shown beside it; [`power`] plans; [`guardrail`] says what is safe to ship, [`srm`] whether the split can be
//! believed, [`multiplicity`] what remains when there are many of them. [`cuped`], [`winsorize`], [`zero_inflated`], [`retention`] and
//! [`quantile`] are about special metrics, [`heterogeneity`] about segments and interactions, [`dependent`] about units that are not
//! independent. [`moments`] turns exact sums into what they all need. [`door`] evaluates cases given as JSON, for `assay stats` and for
//! the reference cases in `tests/golden`.

pub mod alpha;
pub mod always_valid;
pub mod bayesian;
pub mod cuped;
pub mod dependent;
mod dirichlet;
pub mod door;
mod double_double;
pub mod fixed_horizon;
pub mod group_sequential;
pub mod guardrail;
pub mod heterogeneity;
pub mod lift;
pub mod moments;
pub mod multiplicity;
pub mod power;
mod quadrature;
pub mod quantile;
pub mod ratio;
pub mod retention;
mod root;
pub mod sides;
pub mod special;
pub mod srm;
pub mod winsorize;
pub mod zero_inflated;
