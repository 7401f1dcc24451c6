//! A split that changed (§1.9): estimates inside each epoch, combined by weights, never pooled.
//!
//! `d = Σ w_e d_e`, `V = Σ w_e² V_e` with `w_e = N_e/N`, the variance floor inside each epoch, and the same clock N. Pooling the raw arms of epochs
//! with different splits would compare the days of one arm with other days of the other (Simpson). A unit stays in the epoch of its first
//! exposure. A fixed unequal split is one epoch.
//!
//! An epoch counts as soon as its variance can be estimated, that is from two units in both arms. Leaving it out until then depends on counts
//! alone, which know nothing of the outcomes, so the guarantee is not touched.

use super::comparison::{Comparison, Estimate, Variance, compare_estimate, waited};
use super::{Design, variance};
use crate::moments::Arm;

/// The arms of one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// What the treatment is compared with.
    pub control: Arm,
    /// What is compared.
    pub treatment: Arm,
}

impl Pair {
    fn units(&self) -> f64 {
        self.control.n + self.treatment.n
    }
}

/// Epochs, combined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combined {
    /// (d, V, N) over the epochs that count; without one, no variance.
    pub estimate: Estimate,
    /// Units of the smaller arm, over the epochs that count: what the waiting period counts.
    pub fewest: f64,
    /// Units of the epochs that do not count yet, to be shown beside the result.
    pub left_out: f64,
}

/// Combines the epochs of a pair.
pub fn combine(epochs: &[Pair]) -> Combined {
    let (mut units, mut left_out, mut control, mut treatment) = (0.0, 0.0, 0.0, 0.0);
    for epoch in epochs {
        if variance(&epoch.control, &epoch.treatment).is_some() {
            units += epoch.units();
            control += epoch.control.n;
            treatment += epoch.treatment.n;
        } else {
            left_out += epoch.units();
        }
    }
    let (mut difference, mut sum) = (0.0, Variance { welch: 0.0, pooled: 0.0, floor: 0.0 });
    for epoch in epochs {
        let Some(own) = variance(&epoch.control, &epoch.treatment) else { continue };
        let weight = epoch.units() / units;
        difference += weight * (epoch.treatment.mean - epoch.control.mean);
        sum.welch += weight * weight * own.welch;
        sum.pooled += weight * weight * own.pooled;
        sum.floor += weight * weight * own.floor;
    }
    let estimate = Estimate { difference, variance: (units > 0.0).then_some(sum), units };
    Combined { estimate, fewest: control.min(treatment), left_out }
}

/// Looks at a pair over its epochs; `share` as in [`super::compare`], over the epochs that count.
pub fn compare(epochs: &[Pair], share: Option<f64>, design: &Design) -> Comparison {
    let combined = combine(epochs);
    compare_estimate(&combined.estimate, waited(combined.fewest, share, design), design)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(control: (f64, f64), treatment: (f64, f64)) -> Pair {
        Pair {
            control: Arm::of_conversions(control.0, control.1),
            treatment: Arm::of_conversions(treatment.0, treatment.1),
        }
    }

    #[test]
    fn one_epoch_is_the_default() {
        let design = Design::new(crate::alpha::Alpha::FIVE_PERCENT, 5_000.0);
        let pair = rates((900.0, 100.0), (300.0, 50.0));
        assert_eq!(
            compare(&[pair], None, &design),
            super::super::compare(&pair.control, &pair.treatment, None, &design)
        );
    }

    /// A rollout from 10 % to 50 % while the base rate falls: no effect in either epoch, and a pooled comparison would find one.
    #[test]
    fn a_rollout_is_no_effect() {
        let epochs = [rates((9_000.0, 900.0), (1_000.0, 100.0)), rates((5_000.0, 250.0), (5_000.0, 250.0))];
        assert_eq!(combine(&epochs).estimate.difference, 0.0);
    }

    #[test]
    fn an_epoch_with_one_unit_waits() {
        let combined = combine(&[rates((100.0, 10.0), (100.0, 12.0)), rates((5.0, 1.0), (1.0, 1.0))]);
        assert_eq!((combined.left_out, combined.fewest), (6.0, 100.0));
        assert_eq!(combine(&[]).estimate.variance, None);
    }
}
