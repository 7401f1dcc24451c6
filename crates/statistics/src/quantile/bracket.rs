//! The variance of a sample quantile from a bracket of order statistics, also for clustered values.
//!
//! Deng, Knoblich and Lu (1803.06336): the quantile is normal with variance `Var(F̂(Q)) / f(Q)²`, and the density `f` is not estimated
//! but read off a 95 % bracket `[L, U]` of order statistics at `q ∓ z √(q(1-q)/n*)`, z = 1.96:
//!
//! ```text
//! Var(Q̂) = (U - L)²/(2z)² · n*/n · (n-1)/n                            values independent
//!        × Var_cluster(F̂(Q)) / (q(1-q)/n)                              several values per unit
//! ```
//!
//! `n*` is the number of values that the bracket was made for; it differs from `n` where brackets exist for a few sizes only. `F̂(Q)` is the
//! ratio of hits (values at or below Q) to values, and `Var_cluster` its variance by the delta method over the units. Q, L and U are in
//! units of the metric, variances in its square.
//!
//! The result is asymptotic and takes L and U at their word: for extreme quantiles of few values [`Bracket::reliable`] says no. Ties that
//! make the bracket empty make the variance 0, which is degenerate, not certain.

use crate::double_double::{centred, squared_deviations};
use crate::special::normal_upper_quantile;

/// A quantile's estimate is not needed, only what surrounds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bracket {
    /// Number of values.
    pub n: f64,
    /// n*, the number of values for which the bracket's ranks were computed.
    pub n_star: f64,
    /// Which quantile, strictly between 0 and 1.
    pub q: f64,
    /// L.
    pub lower: f64,
    /// U.
    pub upper: f64,
}

/// Sums over units (clusters): hits are a unit's values at or below the quantile, its size all its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterSums {
    /// Number of units.
    pub clusters: f64,
    /// Σ hits.
    pub hits: f64,
    /// Σ hits².
    pub hits_sq: f64,
    /// Σ size.
    pub size: f64,
    /// Σ size².
    pub size_sq: f64,
    /// Σ hits · size.
    pub hits_size: f64,
}

/// Of a 95 % bracket.
fn z() -> f64 {
    normal_upper_quantile(0.025)
}

impl Bracket {
    /// Shares of the values at which the order statistics of a bracket lie, cut to 0 and 1.
    pub fn shares(q: f64, n: f64) -> (f64, f64) {
        let half = z() * (q * (1.0 - q) / n).sqrt();
        ((q - half).max(0.0), (q + half).min(1.0))
    }

    /// Whether the bracket's ranks lie inside the sample, so that L and U mean what they say.
    pub fn reliable(&self) -> bool {
        let least = z() * z();
        self.n > least * self.q / (1.0 - self.q) && self.n > least * (1.0 - self.q) / self.q
    }

    /// Variance of the quantile of independent values; 0 below two values.
    pub fn variance_of_quantile(&self) -> f64 {
        if self.n <= 1.0 {
            return 0.0;
        }
        let standard_error = (self.upper - self.lower) / (2.0 * z());
        standard_error * standard_error * (self.n_star / self.n) * ((self.n - 1.0) / self.n)
    }

    /// Variance of the quantile of clustered values; 0 below two values or two units.
    pub fn variance_of_quantile_clustered(&self, sums: &ClusterSums) -> f64 {
        if sums.clusters <= 1.0 || sums.size <= 0.0 {
            return 0.0;
        }
        self.variance_of_quantile() * sums.variance_of_share() / (self.q * (1.0 - self.q) / self.n)
    }
}

impl ClusterSums {
    /// Of the share of hits, by the delta method: (S_hh - 2 μ S_hs + μ² S_ss) / ((G-1) G m̄²) with μ the share, m̄ the mean size.
    fn variance_of_share(&self) -> f64 {
        let (share, mean_size) = (self.hits / self.size, self.size / self.clusters);
        let of_hits = squared_deviations(self.clusters, self.hits, self.hits_sq);
        let of_size = squared_deviations(self.clusters, self.size, self.size_sq);
        let of_both = centred(self.clusters, self.hits, self.size, self.hits_size);
        let sum = (of_hits - 2.0 * share * of_both + share * share * of_size).max(0.0);
        sum / (self.clusters - 1.0) / self.clusters / (mean_size * mean_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_one_value_are_no_clusters() {
        let bracket = Bracket { n: 1_000.0, n_star: 1_000.0, q: 0.9, lower: 9.0, upper: 11.0 };
        let sums = ClusterSums {
            clusters: 1_000.0,
            hits: 900.0,
            hits_sq: 900.0,
            size: 1_000.0,
            size_sq: 1_000.0,
            hits_size: 900.0,
        };
        let (plain, clustered) = (bracket.variance_of_quantile(), bracket.variance_of_quantile_clustered(&sums));
        // The clustered variance has G - 1 where the plain one has n.
        assert!((clustered / plain - 1_000.0 / 999.0).abs() < 1e-12);
        assert!(bracket.reliable() && !Bracket { n: 30.0, ..bracket }.reliable());
    }

    #[test]
    fn an_arm_that_is_one_unit_has_no_variance() {
        let bracket = Bracket { n: 1.0, n_star: 1.0, q: 0.5, lower: 1.0, upper: 1.0 };
        assert_eq!(bracket.variance_of_quantile(), 0.0);
    }
}
