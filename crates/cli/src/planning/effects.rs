//! The smallest effects that a sample finds.

use super::{Inputs, Metric, Scheme};
use assay_statistics::power::{PlanError, means, proportions};

/// As differences; `None` where even the largest possible one would not be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effects {
    pub up: Option<f64>,
    pub down: Option<f64>,
}

/// What is found with so many units of the control, read in this way.
///
/// A sequential plan with this maximum finds what a fixed sample finds that is smaller by its factor.
pub fn effects(inputs: &Inputs, control: f64, scheme: &Scheme) -> Result<Effects, PlanError> {
    let n = control / scheme.maximum;
    match inputs.metric {
        Metric::Rate(rate) => {
            let mde = proportions::mde(rate, n, &inputs.promise, inputs.ratio)?;
            Ok(Effects { up: mde.up, down: mde.down })
        }
        Metric::Mean { sd, .. } => {
            let mde = means::mde(sd, sd, n, &inputs.promise, inputs.ratio)?;
            Ok(Effects { up: Some(mde), down: Some(-mde) })
        }
    }
}
