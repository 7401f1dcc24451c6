//! What may be said at every look, whether the test stops there or not (Jennison and Turnbull, 1989).
//!
//! The repeated interval `d -/+ c_k sqrt(V)` covers the effect at all looks together with probability 1 - alpha. The repeated p-value is
//! the smallest alpha whose boundary of the same family is crossed at this look. Neither depends on a stopping rule, and both are wider
//! than what [`super::stagewise`] says at the end of a test that did follow its rule.

use super::bounds::{Limits, alpha_of_ln, nominal_p};
use super::{Design, DesignError};
use crate::root::root;
use libm::{exp, fabs, log};

/// Where the repeated p-value is looked for: doubles go no lower, and an alpha of 1 has no boundary.
const ALPHA_RANGE: (f64, f64) = (1e-299, 1.0 - 1e-9);

/// Relative precision of a repeated p-value.
const LN_TOLERANCE: f64 = 1e-10;

/// The interval `estimate -/+ z sqrt(variance)`, with `z` the bound of this look.
pub fn repeated_interval(estimate: f64, variance: f64, z: f64) -> (f64, f64) {
    let half = z * libm::sqrt(variance);
    (estimate - half, estimate + half)
}

/// The repeated p-value of `z` at the last of the looks with this `information`, for the family of `design` (its alpha plays no part).
///
/// With `last` the look is the final one, which spends all that is left. For one side only a large `z` counts, for two also a small one.
pub fn repeated_p(design: &Design, information: &[f64], z: f64, last: bool) -> Result<f64, DesignError> {
    if z.is_nan() {
        return Err(DesignError::Parameter("z is a number"));
    }
    let observed = if design.sides == crate::sides::Sides::Two { fabs(z) } else { z };
    // Errors of the design show before the search, which then cannot meet them.
    design.bounds(information)?;
    let excess = |ln_alpha: f64| {
        let Some(alpha) = alpha_of_ln(ln_alpha) else { return f64::NAN };
        let looks = Design { alpha, ..*design }.search(information, last, Limits::widest());
        looks.ok().and_then(|looks| looks.last().map(|look| look.z - observed)).unwrap_or(f64::NAN)
    };
    // Looking repeatedly never makes a p-value smaller than that of a single look, and underflows only where that does.
    let single = nominal_p(design.sides, observed);
    if single <= ALPHA_RANGE.0 {
        return Ok(0.0);
    }
    let (low, high) = (log(single) - LN_TOLERANCE, log(ALPHA_RANGE.1));
    if low >= high || excess(high) >= 0.0 {
        return Ok(1.0);
    }
    if excess(low) <= 0.0 {
        return Ok(single);
    }
    Ok(root(low, high, LN_TOLERANCE, excess).map_or(1.0, exp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alpha::Alpha;
    use crate::group_sequential::{Spending, Z_CAP};
    use crate::sides::Sides;
    use crate::special::normal_two_sided;

    const DESIGN: Design =
        Design { alpha: Alpha::FIVE_PERCENT, sides: Sides::Two, spending: Spending::ObrienFleming, z_cap: Z_CAP };

    #[test]
    fn at_the_bound_it_is_alpha() {
        let information = [0.2, 0.4, 0.6, 0.8, 1.0];
        let looks = DESIGN.bounds(&information).unwrap();
        for k in 1..5 {
            let p = repeated_p(&DESIGN, &information[..=k], looks[k].z, false).unwrap();
            assert!(fabs(p - 0.05) < 1e-8, "{p}");
        }
    }

    #[test]
    fn a_single_look_is_the_fixed_test_and_extremes_are_numbers() {
        let p = repeated_p(&DESIGN, &[1.0], 30.0, true).unwrap();
        assert!(fabs(p / normal_two_sided(30.0).0 - 1.0) < 1e-8, "{p}");
        assert_eq!(repeated_p(&DESIGN, &[0.5, 1.0], 0.0, false).unwrap(), 1.0);
        assert_eq!(repeated_p(&DESIGN, &[0.5, 1.0], 1e9, false).unwrap(), 0.0);
    }
}
