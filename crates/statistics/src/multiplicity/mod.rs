//! Many hypotheses at once (§7.1, §7.2).
//!
//! | question | call |
//! | --- | --- |
//! | several treatments, one primary metric | [`holm`] on the running p-values of the metric |
//! | sample ratio of several segments | [`holm`] on their running p-values |
//! | secondary metrics, whatever their dependence | [`e_bh`] on the E of the current look |
//! | a fixed-horizon reading of many metrics or segments | [`adjust`] with [`Procedure::BenjaminiHochberg`] (or -Yekutieli) |
//! | a programme of experiments, one after another | [`Online`]: e-LOND on the final E; LORD++, SAFFRON, ADDIS for independent p-values |
//!
//! Guardrails need no adjustment: an alarm of harm is worth its false alarms, and for shipping all of them must be safe (§7.3).

mod e_values;
mod family;
mod online;

pub use e_values::{EBh, e_bh};
pub use family::{Adjusted, Procedure, adjust, holm};
pub use online::{NotAStream, Online, Step, Stream};
