//! How many units until an interval is narrow enough, if estimate, spread and split stay as they are.
//!
//! At `n` units of the pair the variance of the estimate is `V N/n`, so that the interval's half width is `√(V N/n) √((1 + 1/x)(ln(1+x) - 2 ln α))`
//! with `x = n ρ²` (§1.1). It falls in `n`: the logarithm of its square has the derivative `-(2+x)/(x(1+x)) + 1/((1+x)(ln(1+x) - 2 ln α))`,
//! which is negative because `(2+x) ln(1+x) >= 2x`. So there is one size at which it equals a distance.
//!
//! A plan and no promise: it takes the present estimate for the truth, and an estimate that is off by one standard error moves it far.

use super::Design;
use super::normal_mixture::multiplier;
use crate::root::root;
use libm::{exp, log, sqrt};

/// Units at which the half width is down to `distance`, given that the estimate has `variance` at `units`; at least 1.
///
/// `None` where that takes more than `units_max`, and where there is no estimate to go by.
pub fn units_until(distance: f64, variance: f64, units: f64, units_max: f64, design: &Design) -> Option<f64> {
    let known = distance.is_finite() && variance >= 0.0 && variance.is_finite() && units > 0.0 && units.is_finite();
    if !(known && distance > 0.0 && units_max >= 1.0) {
        return None;
    }
    let error = sqrt(variance) * sqrt(units);
    let excess = |ln_n: f64| {
        let n = exp(ln_n);
        error / sqrt(n) * multiplier(n, design.rho2(), design.alpha()) - distance
    };
    if excess(0.0) <= 0.0 {
        return Some(1.0);
    }
    root(0.0, log(units_max), 0.0, excess).map(exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alpha::Alpha;

    /// At N* the squared multiplier is x* + 1 = 9.2119681, because x* = ln(1+x*) - 2 ln 0.05: with a variance of 1 at 5,000 units the half width
    /// at 10,000 is √(9.2119681/2).
    #[test]
    fn the_size_of_the_plan_by_hand() {
        let design = Design::new(Alpha::FIVE_PERCENT, 10_000.0);
        let at = |distance| units_until(distance, 1.0, 5_000.0, 1e9, &design);
        let got = at(sqrt(9.211_968_1 / 2.0)).expect("it is in reach");
        assert!((got / 10_000.0 - 1.0).abs() < 1e-7, "{got}");
        assert_eq!(at(0.0), None);
        assert_eq!(at(f64::INFINITY), None);
        assert_eq!(at(1e-6), None, "beyond the most that was asked for");
    }
}
