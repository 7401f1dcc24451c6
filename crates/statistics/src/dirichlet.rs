//! Evidence of a Dirichlet-multinomial mixture: what the sample ratio test (§5) and the conversion label test (§1.10a) share.
//!
//! For counts `S_i` (total N), a Dirichlet prior `K π_i` and the null that the shares are `θ_i`:
//! `ln E(θ) = lnB(Kπ + S) - lnB(Kπ) - Σ S_i ln θ_i`. Plain lgamma differences are off by about 2e-15 N ln N, so the large terms of Stirling's
//! formula are cancelled on paper. With `P_i = (Kπ_i + S_i)/(K + N)`, the posterior share, and `r` what Stirling's formula leaves of ln Γ:
//! `Σ [S_i ln(P_i/θ_i) + Kπ_i ln(P_i/π_i) - ½ ln(1 + S_i/(Kπ_i)) + r(Kπ_i + S_i) - r(Kπ_i)] + ½ ln(1 + N/K) - r(K + N) + r(K)`, and every logarithm of a
//! ratio is taken of its distance from 1. What remains is exact to the last digits for a thousand million units.

use crate::special::stirling_rest;
use libm::{log, log1p};

/// The mixture and the totals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dirichlet {
    /// K.
    pub(crate) concentration: f64,
    /// N.
    pub(crate) total: f64,
}

/// One arm's share and how far the counts are from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Distance {
    /// θ_i, or π_i.
    pub(crate) share: f64,
    /// (K + N)(P_i - share), computed by the caller without cancellation.
    pub(crate) gap: f64,
}

impl Dirichlet {
    /// What an arm adds: its count, and its distance from the centre of the prior and from the null.
    pub(crate) fn term(&self, count: f64, prior: Distance, null: Distance) -> f64 {
        // A share so small that its prior underflows still has one.
        let weight = (self.concentration * prior.share).max(f64::MIN_POSITIVE);
        let ln_ratio = |from: Distance| {
            let all = self.concentration + self.total;
            ln_ratio(from.gap / (from.share * all), weight + count, all, from.share)
        };
        let surprise = if count > 0.0 { count * ln_ratio(null) } else { 0.0 };
        surprise + weight * ln_ratio(prior) - 0.5 * ln_growth(count, weight) + stirling_rest(weight + count)
            - stirling_rest(weight)
    }

    /// What the totals add.
    pub(crate) fn totals(&self) -> f64 {
        let Dirichlet { concentration, total } = *self;
        0.5 * ln_growth(total, concentration) - stirling_rest(concentration + total) + stirling_rest(concentration)
    }
}

/// ln((α + S)/((K + N) θ)), by its distance from 1 while it is close to it.
fn ln_ratio(excess: f64, posterior: f64, all: f64, null: f64) -> f64 {
    if excess > -0.5 && excess < f64::MAX { log1p(excess) } else { log(posterior) - log(all) - log(null) }
}

/// ln(1 + count/prior), where a tiny prior overflows the quotient.
fn ln_growth(count: f64, prior: f64) -> f64 {
    let ratio = count / prior;
    if ratio < f64::MAX { log1p(ratio) } else { log(count) - log(prior) }
}
