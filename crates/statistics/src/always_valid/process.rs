//! The normal mixture for any process: a sum `S` with an intrinsic time `V` (Howard, Ramdas, McAuliffe and Sekhon, 1810.08240).
//!
//! Two-sided (their Proposition 5): `ln E = ½ ln(ρ/(V+ρ)) + S²/(2(V+ρ))`. One-sided: `½ ln(4ρ/(V+ρ)) + S²/(2(V+ρ)) + ln Φ(S/√(V+ρ))`. `S` is a
//! martingale under the null and `V` bounds its variance so far; `ρ = V*/x*` makes the bound sharpest, relative to √V, at `V*`. Where `S` is a
//! sum of N standardised values this is the default of [`super::compare`] written for sums.

use super::half_normal::{ln_scaled_cdf, ln_scaled_cdf_inverse, tuned_one_sided};
use super::{Rule, tuned};
use crate::alpha::{Alpha, NotAlpha};
use libm::{log1p, sqrt};
use std::f64::consts::LN_2;

/// What counts as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// A sum far above 0.
    One,
    /// A sum far from 0.
    Two,
}

/// A mixture, tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// One or two sides.
    pub sides: Sides,
    /// ρ, in units of the intrinsic time.
    pub rho: f64,
}

impl Mixture {
    /// Sharpest at the intrinsic time `best`. A one-sided one is tuned at twice alpha and fails for an alpha from one half.
    pub fn tuned(sides: Sides, best: f64, alpha: Alpha, rule: Rule) -> Result<Mixture, NotAlpha> {
        let x = match sides {
            Sides::One => tuned_one_sided(alpha, rule)?,
            Sides::Two => tuned(alpha, rule),
        };
        Ok(Mixture { sides, rho: (best / x).clamp(f64::MIN_POSITIVE, f64::MAX) })
    }

    /// ln E of a sum at an intrinsic time from 0.
    pub fn ln_e(&self, sum: f64, time: f64) -> f64 {
        let spread = -0.5 * self.growth(time);
        let s = sum / self.scale(time);
        match self.sides {
            Sides::One => LN_2 + spread + ln_scaled_cdf(s),
            Sides::Two => spread + 0.5 * (s * s),
        }
    }

    /// The sum at which evidence reaches 1/alpha.
    pub fn bound(&self, time: f64, alpha: Alpha) -> f64 {
        let target = 0.5 * self.growth(time) - alpha.ln();
        match self.sides {
            Sides::One => self.scale(time) * ln_scaled_cdf_inverse(target - LN_2),
            Sides::Two => self.scale(time) * sqrt(2.0 * target),
        }
    }

    /// ln(1 + V/ρ).
    fn growth(&self, time: f64) -> f64 {
        log1p((time / self.rho).min(f64::MAX))
    }

    fn scale(&self, time: f64) -> f64 {
        sqrt((time + self.rho).min(f64::MAX))
    }
}
