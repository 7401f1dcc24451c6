//! Spending functions: how much of alpha may be gone when a fraction `t` of the information is there (Lan and DeMets, 1983).
//!
//! With `a` the alpha of one side: O'Brien-Fleming type `2 - 2 Phi(z_{a/2} / sqrt t)` (almost nothing early, the default), Pocock type
//! `a ln(1 + (e - 1) t)` (bounds nearly constant), Kim and DeMets (1987) `a t^rho`, Hwang, Shih and DeCani (1990)
//! `a (1 - e^{-gamma t}) / (1 - e^{-gamma})`. A function must be chosen before the first look; choosing it after one voids the error bound.

use super::DesignError;
use crate::special::normal_upper_quantile;
use libm::{erfc, exp, expm1, fabs, log1p, pow, sqrt};

/// Below this |gamma| the function of Hwang, Shih and DeCani is a line to more digits than a double has.
const GAMMA_OF_A_LINE: f64 = 1e-16;

/// A family of spending functions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Spending {
    /// The type of O'Brien and Fleming: `2 - 2 Phi(z_{a/2} / sqrt t)`.
    #[default]
    ObrienFleming,
    /// The type of Pocock: `a ln(1 + (e - 1) t)`.
    Pocock,
    /// Kim and DeMets: `a t^rho`.
    Power {
        /// Above 0; 1 spends evenly, 3 is near to O'Brien and Fleming.
        rho: f64,
    },
    /// Hwang, Shih and DeCani: `a (1 - e^{-gamma t}) / (1 - e^{-gamma})`.
    HwangShihDeCani {
        /// -4 is near to O'Brien and Fleming, 1 near to Pocock, 0 spends evenly.
        gamma: f64,
    },
}

impl Spending {
    /// Refuses parameters for which the function does not grow from 0 to `a`.
    pub fn checked(self) -> Result<Spending, DesignError> {
        match self {
            Spending::Power { rho } if !(rho > 0.0 && rho.is_finite()) => {
                Err(DesignError::Parameter("rho of power spending is above 0, as in 2"))
            }
            Spending::HwangShihDeCani { gamma } if !gamma.is_finite() => {
                Err(DesignError::Parameter("gamma of Hwang-Shih-DeCani spending is a finite number, as in -4"))
            }
            fine => Ok(fine),
        }
    }

    /// What one side, which has `a` in total, has spent at information fraction `t`. From 1 on everything is spent.
    pub fn spent(self, a: f64, t: f64) -> f64 {
        if t >= 1.0 {
            return a;
        }
        if t <= 0.0 {
            return 0.0;
        }
        let spent = match self {
            // 2 - 2 Phi(z) is erfc(z / sqrt 2), which keeps its digits in the tail.
            Spending::ObrienFleming => erfc(normal_upper_quantile((0.5 * a).max(f64::from_bits(1))) / sqrt(2.0 * t)),
            Spending::Pocock => a * log1p((std::f64::consts::E - 1.0) * t),
            Spending::Power { rho } => a * pow(t, rho),
            Spending::HwangShihDeCani { gamma } => a * hwang_shih_decani(gamma, t),
        };
        spent.min(a)
    }
}

/// (1 - e^{-gamma t}) / (1 - e^{-gamma}), with no term that overflows.
fn hwang_shih_decani(gamma: f64, t: f64) -> f64 {
    if fabs(gamma) < GAMMA_OF_A_LINE {
        return t;
    }
    let size = fabs(gamma);
    let share = expm1(-size * t) / expm1(-size);
    if gamma > 0.0 { share } else { exp(size * (t - 1.0)) * share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_starts_at_nothing_and_ends_at_everything() {
        let families = [
            Spending::ObrienFleming,
            Spending::Pocock,
            Spending::Power { rho: 0.3 },
            Spending::HwangShihDeCani { gamma: -4.0 },
            Spending::HwangShihDeCani { gamma: 0.0 },
            Spending::HwangShihDeCani { gamma: 1000.0 },
            Spending::HwangShihDeCani { gamma: -1000.0 },
        ];
        for family in families {
            let curve: Vec<f64> = (0..=20).map(|k| family.spent(0.025, f64::from(k) / 20.0)).collect();
            assert!(curve.windows(2).all(|pair| pair[0] <= pair[1]), "{family:?}: {curve:?}");
            assert_eq!((curve[0], curve[20]), (0.0, 0.025));
        }
    }

    #[test]
    fn continuous_in_gamma_at_zero() {
        let near = Spending::HwangShihDeCani { gamma: 1e-9 }.spent(0.05, 0.3);
        assert!(fabs(near - 0.015) < 1e-10);
    }
}
