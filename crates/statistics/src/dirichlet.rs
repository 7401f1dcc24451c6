//! Evidence of a Dirichlet-multinomial mixture: what the sample ratio test (§5) and the conversion label test (§1.10a) share.
//!
//! For counts `S_i` (total N), a Dirichlet prior `Kπ_i` and the null that the shares are `θ_i`:
//! `ln E(θ) = lnB(Kπ + S) - lnB(Kπ) - Σ S_i ln θ_i`. Plain lgamma differences are off by about 2e-15 N ln N, so the large terms of Stirling's
//! formula are cancelled on paper. With `P_i = (Kπ_i + S_i)/(K + N)`, the posterior shares, `D(p‖q)` the Kullback-Leibler divergence and `r(x)` what
//! Stirling's formula leaves of ln Γ(x):
//!
//! `ln E(θ) = N D(S/N‖θ) - N D(S/N‖P) - K D(π‖P) + Σ [r(Kπ_i + S_i) - r(Kπ_i) - ½ ln(1 + S_i/(Kπ_i))] - r(K + N) + r(K) + ½ ln(1 + N/K)`,
//!
//! in which the first three are `(K + N) D(P‖π)` at θ = π. A divergence is quadratic in the distance of the shares, so that a rounded share costs
//! nothing: for a thousand million units the last digits hold.

use crate::special::{log1p_gap, stirling_rest};
use libm::{fabs, log, log1p};

/// One arm's part of D(p‖q), `p ln(p/q) - (p - q)`, never negative; `gap` is p - q, computed by the caller without cancellation. The parts that
/// are subtracted sum to 0 over the arms.
pub(crate) fn divergence(p: f64, q: f64, gap: f64) -> f64 {
    let relative = gap / q;
    if fabs(relative) < 0.5 {
        q * (relative * log1p(relative) - log1p_gap(relative))
    } else if p > 0.0 {
        p * (log(p) - log(q)) - gap
    } else {
        q
    }
}

/// One arm's part of the sum: its count and Kπ_i.
pub(crate) fn rest(count: f64, prior: f64) -> f64 {
    // A share so small that its prior underflows still has one.
    let prior = prior.max(f64::MIN_POSITIVE);
    stirling_rest(prior + count) - stirling_rest(prior) - 0.5 * ln_growth(count, prior)
}

/// What the totals add: N and K.
pub(crate) fn totals(total: f64, concentration: f64) -> f64 {
    -rest(total, concentration)
}

/// ln(1 + count/prior), where a tiny prior overflows the quotient.
fn ln_growth(count: f64, prior: f64) -> f64 {
    let ratio = count / prior;
    if ratio < f64::MAX { log1p(ratio) } else { log(count) - log(prior) }
}
