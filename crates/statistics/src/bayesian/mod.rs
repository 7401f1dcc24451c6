//! Posteriors of rates and effects (§4): chance to win, expected loss, credible intervals.
//!
//! [`beta_binomial`] and [`chances_to_be_best`] are for conversion rates, [`conjugate`] and [`normal`] for an effect whose estimate is
//! approximately normal (means, ratios, lifts), [`effect`] goes there from the sums of two arms. Everything is computed by quadrature or in
//! closed form; Monte Carlo, usual for these quantities, has an error of 0.001 and other digits each time.
//!
//! What a posterior does not promise: an error rate when one stops as soon as it looks good. With a flat prior and no effect,
//! "stop when P(better) > 95 %" declares a winner in 21 % of tests looked at 20 times, and in 32 % of those looked at 100 times; a
//! threshold on the expected loss fires in half of them. Claims are calibrated only where the true effects come from the prior that is
//! used. So these results describe; what decides is the always-valid or a group sequential test, or an experiment that declared this
//! method with a proper prior beforehand. The default prior on a lift is N(0, 0.05²), [`Prior::LIFT`].

mod best;
mod binomial;
mod effect;
mod normal;

pub use best::{ARMS_MAX, chances_to_be_best};
pub use binomial::{BetaPrior, Binomial, Comparison, beta_binomial};
pub use effect::{EffectArm, EffectScale, effect};
pub use normal::{NormalPosterior, Posterior, Prior, conjugate, normal};

/// An input without a posterior, and what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PosteriorError {
    /// More conversions than units, or a number that is none.
    #[error("conversions lie between 0 and n, and n is finite")]
    Counts,
    /// Parameters of a beta prior.
    #[error(
        "the parameters of a beta prior are above 0 and finite, as in 1 and 1; a flat prior on the rate is Beta(1, 1)"
    )]
    BetaPrior,
    /// Counts that a double cannot count, or parameters of a prior whose posterior has no digits.
    #[error("counts are at most 1e15, parameters of a beta prior between 1e-100 and 1e15")]
    Size,
    /// Parameters of a normal prior.
    #[error("the standard deviation of a prior is above 0; a flat prior is asked for as such, not by 0")]
    NormalPrior,
    /// The level of an interval.
    #[error("the level of an interval lies between 0 and 1, as in 0.95 for 95 %")]
    Level,
    /// Too few or too many arms.
    #[error("the best is chosen among 1 to {ARMS_MAX} arms, and there are {0}")]
    Arms(usize),
}

/// What lies outside an interval on each side.
fn outside(level: f64) -> Result<f64, PosteriorError> {
    if level > 0.0 && level < 1.0 { Ok(0.5 * (1.0 - level)) } else { Err(PosteriorError::Level) }
}
