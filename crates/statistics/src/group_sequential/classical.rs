//! Bounds of a fixed shape for equally spaced looks, scaled by one constant so that the error is alpha (Jennison and Turnbull, 2000).
//!
//! With K looks and constant C, look k has: O'Brien and Fleming `C sqrt(K/k)`, Pocock `C`, Wang and Tsiatis `C (k/K)^(delta - 1/2)`, which
//! contains both. Haybittle and Peto stop at `|Z| >= 3` before the end and correct only the last look; the plain 1.96 there, which is
//! often used, slightly overspends. Looks must come as planned: a shape has no answer to a look too many, which spending functions have.

use super::bounds::nominal_p;
use super::recursion::Recursion;
use super::{DesignError, LOOKS_MAX, crossing::crossing};
use crate::alpha::Alpha;
use crate::root::root;
use crate::sides::Sides;
use libm::{fmax, log, pow, sqrt};

/// To this the constant is found; the integration itself is better.
const CONSTANT_TOLERANCE: f64 = 1e-12;

/// A bound this high is crossed with a probability of 1e-300.
const LAST_MAX: f64 = 37.0;

/// The shape of the bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// `C sqrt(K/k)`.
    ObrienFleming,
    /// `C`.
    Pocock,
    /// `C (k/K)^(delta - 1/2)`.
    WangTsiatis {
        /// 0 is O'Brien and Fleming, 0.5 is Pocock.
        delta: f64,
    },
    /// `interim_z` before the last look, `C` at the last.
    HaybittlePeto {
        /// 3 is usual, 3.29 stops at p below 0.001.
        interim_z: f64,
    },
}

/// Bounds of a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassicalBounds {
    /// In Z, one per look.
    pub z: Vec<f64>,
    /// C.
    pub constant: f64,
    /// The bounds as thresholds of the fixed-horizon p-value.
    pub nominal_p: Vec<f64>,
}

/// The bounds of `looks` equally spaced looks with total error `alpha`.
pub fn classical_bounds(
    shape: Shape,
    looks: usize,
    alpha: Alpha,
    sides: Sides,
) -> Result<ClassicalBounds, DesignError> {
    if looks == 0 || looks > LOOKS_MAX {
        return Err(DesignError::Looks(looks));
    }
    check(shape, sides)?;
    let information: Vec<f64> = (1..=looks).map(|k| k as f64 / looks as f64).collect();
    let single = sides.critical(alpha);
    let reject = |constant: f64| {
        let bounds = shape.bounds(constant, looks);
        crossing(&Recursion::through(&information, &bounds, sides, 0.0), &bounds, sides, 0.0).reject
    };
    // On the scale of logarithms, so that an alpha of 1e-9 is met as closely as one of 0.05.
    let excess = |constant: f64| log(fmax(reject(constant), f64::MIN_POSITIVE)) - alpha.ln();
    // One look with C errs by alpha already, so C is at least that of a single look; Bonferroni over the looks is enough.
    let enough = sides.critical(alpha.divided(looks as u32)) + 0.1;
    let enough = match shape {
        // The lowest bound is that of the first look, or of the last.
        Shape::WangTsiatis { delta } => enough * fmax(1.0, pow(looks as f64, delta - 0.5)),
        // The interim looks may leave next to nothing for the last.
        Shape::HaybittlePeto { .. } => LAST_MAX,
        Shape::ObrienFleming | Shape::Pocock => enough,
    };
    let constant = if looks == 1 {
        Some(single)
    } else {
        let low = if sides == Sides::Two { fmax(0.0, single - 0.1) } else { single - 0.1 };
        root(low, enough, CONSTANT_TOLERANCE, excess)
    };
    let constant = constant.ok_or(DesignError::Overspent)?;
    let z = shape.bounds(constant, looks);
    let nominal_p = z.iter().map(|z| nominal_p(sides, *z)).collect();
    Ok(ClassicalBounds { z, constant, nominal_p })
}

fn check(shape: Shape, sides: Sides) -> Result<(), DesignError> {
    match shape {
        Shape::WangTsiatis { delta } if !(delta.is_finite() && (-5.0..=5.0).contains(&delta)) => {
            Err(DesignError::Parameter("delta of Wang and Tsiatis lies between -5 and 5, usually between 0 and 0.5"))
        }
        Shape::HaybittlePeto { interim_z } if interim_z.is_nan() || (sides == Sides::Two && interim_z < 0.0) => {
            Err(DesignError::Parameter("interim_z of Haybittle and Peto is above 0, as in 3"))
        }
        _ => Ok(()),
    }
}

impl Shape {
    fn bounds(self, constant: f64, looks: usize) -> Vec<f64> {
        let all = looks as f64;
        let bound = |k: usize| {
            let share = k as f64 / all;
            match self {
                Shape::ObrienFleming => constant / sqrt(share),
                Shape::Pocock => constant,
                Shape::WangTsiatis { delta } => constant * pow(share, delta - 0.5),
                Shape::HaybittlePeto { interim_z } if k < looks => interim_z,
                Shape::HaybittlePeto { .. } => constant,
            }
        };
        (1..=looks).map(bound).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wang_and_tsiatis_contain_both() {
        let bounds = |shape| classical_bounds(shape, 4, Alpha::FIVE_PERCENT, Sides::Two).unwrap().constant;
        assert!((bounds(Shape::WangTsiatis { delta: 0.0 }) - bounds(Shape::ObrienFleming)).abs() < 1e-11);
        assert!((bounds(Shape::WangTsiatis { delta: 0.5 }) - bounds(Shape::Pocock)).abs() < 1e-11);
    }

    #[test]
    fn an_interim_bound_that_spends_everything_is_refused() {
        let got = classical_bounds(Shape::HaybittlePeto { interim_z: 1.5 }, 5, Alpha::FIVE_PERCENT, Sides::Two);
        assert_eq!(got, Err(DesignError::Overspent));
    }

    #[test]
    fn tiny_alphas_have_bounds() {
        for alpha in [1e-9, 1e-100] {
            let alpha = Alpha::new(alpha).unwrap();
            let got = classical_bounds(Shape::Pocock, 3, alpha, Sides::Two).unwrap().constant;
            assert!(got > Sides::Two.critical(alpha) && got < Sides::Two.critical(alpha.divided(3)), "{got}");
        }
    }
}
