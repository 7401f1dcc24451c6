//! Zero-inflated metrics: most units are 0, and a mean per unit is a rate times a mean per payer (§6.3).
//!
//! ```text
//! ȳ_unit = rate · ȳ_payer,    1 + lift_unit = (1 + lift_rate)(1 + lift_payer)
//! ```
//!
//! The test is the one of the mean per unit, zeros included; [`ZeroInflatedArm::arm`] is what it takes. The two factors say where a lift comes
//! from and are **descriptive only**: who pays is itself changed by the treatment, so the mean per payer compares different people, and no
//! test of it is offered. Amounts are in units of the metric, rates and lifts are shares.

use crate::double_double::squared_deviations;
use crate::moments::Arm;

/// Sums over the units of an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZeroInflatedArm {
    /// Number of units.
    pub n: f64,
    /// Units whose value is not zero.
    pub payers: f64,
    /// Sum of the values.
    pub sum: f64,
    /// Sum of their squares.
    pub sum_sq: f64,
}

impl ZeroInflatedArm {
    /// Share of units that pay; `None` without units.
    pub fn rate(&self) -> Option<f64> {
        ratio(self.payers, self.n)
    }

    /// `None` without payers.
    pub fn mean_per_payer(&self) -> Option<f64> {
        ratio(self.sum, self.payers)
    }

    /// `None` without units.
    pub fn mean_per_unit(&self) -> Option<f64> {
        ratio(self.sum, self.n)
    }

    /// Sample variance over all units; `None` below two.
    pub fn variance_per_unit(&self) -> Option<f64> {
        (self.n >= 2.0).then(|| self.arm().m2 / (self.n - 1.0))
    }

    /// For the tests of means.
    pub fn arm(&self) -> Arm {
        if self.n <= 0.0 {
            return Arm { n: 0.0, mean: 0.0, m2: 0.0 };
        }
        Arm { n: self.n, mean: self.sum / self.n, m2: squared_deviations(self.n, self.sum, self.sum_sq) }
    }
}

/// Where the lift of the mean per unit comes from; a part is `None` when its control is zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decomposition {
    /// Lift of the share that pays.
    pub lift_rate: Option<f64>,
    /// Lift of the mean per payer.
    pub lift_per_payer: Option<f64>,
    /// Lift of the mean per unit.
    pub lift_per_unit: Option<f64>,
}

/// Splits the lift into its two factors.
pub fn decompose(control: &ZeroInflatedArm, treatment: &ZeroInflatedArm) -> Decomposition {
    let lift = |part: fn(&ZeroInflatedArm) -> Option<f64>| {
        let (control, treatment) = (part(control)?, part(treatment)?);
        ratio(treatment - control, control)
    };
    Decomposition {
        lift_rate: lift(ZeroInflatedArm::rate),
        lift_per_payer: lift(ZeroInflatedArm::mean_per_payer),
        lift_per_unit: lift(ZeroInflatedArm::mean_per_unit),
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    let ratio = part / whole;
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factors_multiply() {
        let control = ZeroInflatedArm { n: 100.0, payers: 10.0, sum: 200.0, sum_sq: 5000.0 };
        let treatment = ZeroInflatedArm { n: 200.0, payers: 30.0, sum: 450.0, sum_sq: 9000.0 };
        let lifts = decompose(&control, &treatment);
        let product = (1.0 + lifts.lift_rate.unwrap()) * (1.0 + lifts.lift_per_payer.unwrap()) - 1.0;
        assert!((product - lifts.lift_per_unit.unwrap()).abs() < 1e-15);
    }

    #[test]
    fn nobody_pays_in_the_control() {
        let control = ZeroInflatedArm { n: 100.0, payers: 0.0, sum: 0.0, sum_sq: 0.0 };
        let treatment = ZeroInflatedArm { n: 100.0, payers: 1.0, sum: 5.0, sum_sq: 25.0 };
        assert_eq!(
            decompose(&control, &treatment),
            Decomposition { lift_rate: None, lift_per_payer: None, lift_per_unit: None }
        );
    }
}
