//! What clustering costs (§9.1): the intraclass correlation and the design effect, for planning.
//!
//! One-way analysis of variance (Donner, 1986) over k clusters of n_g units, N in all:
//!
//! ```text
//! F = MSB/MSW,  n0 = (N - Σn_g²/N)/(k-1),  ICC = (MSB - MSW)/(MSB + (n0 - 1) MSW)
//! design effect = 1 + ((cv² + 1) m̄ - 1) ICC       m̄ the mean size, cv its coefficient of variation (population)
//! ```
//!
//! A plan for independent units times the design effect is a plan for clusters. ICC is a share and may come out negative, in which case the
//! design effect is 1: clusters of units that differ more than strangers are not planned with. An ICC from few clusters is rough; take one
//! from the past, of the same metric.

use crate::double_double::{DoubleDouble, squared_deviations};

/// Sums over the units of a cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterSquares {
    /// n_g.
    pub n: f64,
    /// Σy.
    pub sum: f64,
    /// Σy².
    pub sum_sq: f64,
}

/// How alike the units of a cluster are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intraclass {
    /// Intraclass correlation, at most 1.
    pub icc: f64,
    /// The size that stands for unequal ones.
    pub n0: f64,
    /// F of the analysis of variance; infinite without variance inside clusters.
    pub f: f64,
    /// By how much clustering multiplies the variance of a mean, at least 1.
    pub design_effect: f64,
}

/// From the clusters. `None` below two clusters with units, without a cluster of more than one unit, or without any variance.
pub fn intraclass(clusters: &[ClusterSquares]) -> Option<Intraclass> {
    let filled: Vec<&ClusterSquares> = clusters.iter().filter(|cluster| cluster.n > 0.0).collect();
    let k = filled.len() as f64;
    let wide = DoubleDouble::from;
    let total = |part: fn(&ClusterSquares) -> f64| filled.iter().map(|c| wide(part(c))).sum::<DoubleDouble>();
    let units = total(|cluster| cluster.n).value();
    if k < 2.0 || units <= k {
        return None;
    }
    let mean = total(|cluster| cluster.sum) / wide(units);
    let within: f64 = filled.iter().map(|c| squared_deviations(c.n, c.sum, c.sum_sq)).sum();
    let between: f64 = filled
        .iter()
        .map(|c| {
            // n (ȳ_g - ȳ)² = (S_g - ȳ n_g)²/n_g
            let off = (wide(c.sum) - mean * wide(c.n)).value();
            off * (off / c.n)
        })
        .sum();
    let (msb, msw) = (between / (k - 1.0), within / (units - k));
    let n0 = (units - filled.iter().map(|c| c.n * (c.n / units)).sum::<f64>()) / (k - 1.0);
    let icc = (msb - msw) / (msb + (n0 - 1.0) * msw);
    let (mean_size, sizes) = (units / k, filled.iter().map(|cluster| cluster.n));
    let cv_sq = sizes.map(|n| (n / mean_size - 1.0) * (n / mean_size - 1.0)).sum::<f64>() / k;
    let f = msb / msw;
    (icc.is_finite() && !f.is_nan()).then(|| Intraclass {
        icc,
        n0,
        f,
        design_effect: design_effect(mean_size, cv_sq.sqrt(), icc),
    })
}

/// For clusters of a mean size with a coefficient of variation `cv`; at least 1.
pub fn design_effect(mean_size: f64, cv: f64, icc: f64) -> f64 {
    (1.0 + ((cv * cv + 1.0) * mean_size - 1.0) * icc.max(0.0)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_of_equals_count_once_each() {
        let clusters: Vec<ClusterSquares> =
            [1.0, 2.0, 5.0].iter().map(|y| ClusterSquares { n: 4.0, sum: 4.0 * y, sum_sq: 4.0 * y * y }).collect();
        let result = intraclass(&clusters).unwrap();
        assert_eq!((result.icc, result.f, result.design_effect), (1.0, f64::INFINITY, 4.0));
    }

    #[test]
    fn nothing_to_correlate() {
        let same = ClusterSquares { n: 3.0, sum: 3.0, sum_sq: 3.0 };
        assert_eq!(intraclass(&[same, same]), None);
        assert_eq!(intraclass(&[ClusterSquares { n: 1.0, sum: 3.0, sum_sq: 9.0 }; 5]), None);
        assert_eq!(intraclass(&[same]), None);
    }
}
