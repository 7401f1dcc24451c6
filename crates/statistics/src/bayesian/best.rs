//! The chance of each of several conversion rates to be the highest (§4).
//!
//! `P(arm i is best) = int f_i(p) prod_{j != i} F_j(p) dp`; over the logit of p a log-concave hill. The chances of the arms add up to 1, which is
//! not enforced and so shows the precision.

use super::{BetaPrior, Binomial, PosteriorError};
use crate::quadrature::ln_integral_of_hill;
use crate::special::beta_distribution::BetaDistribution;
use libm::exp;

/// Arms that can be compared; the work grows with the square of their number.
pub const ARMS_MAX: usize = 100;

/// One chance per arm, in their order.
pub fn chances_to_be_best(arms: &[Binomial], prior: BetaPrior) -> Result<Vec<f64>, PosteriorError> {
    if arms.is_empty() || arms.len() > ARMS_MAX {
        return Err(PosteriorError::Arms(arms.len()));
    }
    let rates = arms.iter().map(|arm| prior.posterior(arm)).collect::<Result<Vec<_>, _>>()?;
    Ok((0..rates.len()).map(|arm| chance(&rates, arm)).collect())
}

fn chance(rates: &[BetaDistribution], arm: usize) -> f64 {
    let (start, scale) = rates[arm].hill();
    let others =
        |w: f64| rates.iter().enumerate().filter(|(other, _)| *other != arm).map(move |(_, rate)| rate.ln_cdf(w));
    let rounding = rates.iter().map(BetaDistribution::rounding).fold(0.0, f64::max);
    exp(ln_integral_of_hill(start, scale, rounding, |w| rates[arm].ln_density(w) + others(w).sum::<f64>())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_arms_share() {
        let chances = chances_to_be_best(&[Binomial { n: 50.0, conversions: 5.0 }; 4], BetaPrior::UNIFORM).unwrap();
        assert!(chances.iter().all(|chance| (chance - 0.25).abs() < 1e-12), "{chances:?}");
    }
}
