//! Heterogeneity of effects over segments, as over the studies of a meta-analysis (§8.5).
//!
//! For effects e_s with variances v_s and `w_s = 1/v_s`:
//!
//! ```text
//! fixed effect  ē = Σ w e / Σ w            Cochran (1954)   Q = Σ w (e - ē)², chi-square with S-1 degrees of freedom
//! I² = max(0, 1 - (S-1)/Q)                 DerSimonian and Laird (1986)   τ² = max(0, (Q - (S-1)) / (Σw - Σw²/Σw))
//! ```
//!
//! e is in units of the metric, v and τ² in its square, I² is a share. τ² is the variance of the true effects between segments, I² the share
//! of the observed spread that it explains. Exploratory and for one look; with few segments Q finds only gross differences, and τ² = 0 does
//! not promise equal effects.

use super::ChiSquareTest;

/// How effects differ over segments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heterogeneity {
    /// ē, if all segments had one effect.
    pub fixed_effect: f64,
    /// Variance of it.
    pub variance_fixed: f64,
    /// Cochran's Q.
    pub q: ChiSquareTest,
    /// I².
    pub i_squared: f64,
    /// τ² of DerSimonian and Laird.
    pub tau_squared: f64,
    /// Mean of the effects' distribution, with weights 1/(v + τ²).
    pub random_effect: f64,
    /// Variance of it.
    pub variance_random: f64,
}

/// From pairs of an effect and its variance. `None` without segments, or when a variance is not above 0: a certain segment would outweigh all.
pub fn heterogeneity(effects: &[(f64, f64)]) -> Option<Heterogeneity> {
    if effects.is_empty() || effects.iter().any(|&(e, v)| !(v > 0.0 && (1.0 / v).is_finite() && e.is_finite())) {
        return None;
    }
    let (fixed_effect, variance_fixed) = weighted_mean(effects, 0.0);
    let q: f64 = effects.iter().map(|&(e, v)| (e - fixed_effect) * ((e - fixed_effect) / v)).sum();
    let df = effects.len() - 1;
    let excess = q - df as f64;
    // Σw - Σw²/Σw as the sum over pairs, 2 Σ w_i w_j / Σw, which one large weight cannot cancel.
    let (mut before, mut pairs) = (0.0, 0.0);
    for (_, v) in effects {
        let weight = variance_fixed / v;
        pairs += 2.0 * weight * before;
        before += weight;
    }
    let tau_squared = if excess > 0.0 && pairs > 0.0 { excess * variance_fixed / pairs } else { 0.0 };
    let (random_effect, variance_random) = weighted_mean(effects, tau_squared);
    let heterogeneity = Heterogeneity {
        fixed_effect,
        variance_fixed,
        q: ChiSquareTest::new(q, df)?,
        i_squared: if excess > 0.0 { excess / q } else { 0.0 },
        tau_squared,
        random_effect,
        variance_random,
    };
    (fixed_effect.is_finite() && random_effect.is_finite() && q.is_finite()).then_some(heterogeneity)
}

/// Mean with weights 1/(v + extra), and its variance. Counted from the first effect, so that equal effects are at no distance from their mean.
fn weighted_mean(effects: &[(f64, f64)], extra: f64) -> (f64, f64) {
    let variance = 1.0 / effects.iter().map(|(_, v)| 1.0 / (v + extra)).sum::<f64>();
    let origin = effects[0].0;
    (origin + effects.iter().map(|(e, v)| (e - origin) * (variance / (v + extra))).sum::<f64>(), variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_variances_by_hand() {
        let result = heterogeneity(&[(1.0, 0.5), (3.0, 0.5)]).unwrap();
        assert_eq!((result.fixed_effect, result.variance_fixed), (2.0, 0.25));
        assert_eq!((result.q.statistic, result.i_squared), (4.0, 0.75));
        // The variance of the effects, 2, less what sampling explains.
        assert_eq!((result.tau_squared, result.random_effect, result.variance_random), (1.5, 2.0, 1.0));
    }

    #[test]
    fn one_segment_cannot_differ() {
        let result = heterogeneity(&[(1.0, 0.5)]).unwrap();
        assert_eq!((result.q.p_value, result.i_squared, result.tau_squared), (1.0, 0.0, 0.0));
        assert_eq!(heterogeneity(&[(1.0, 0.5), (2.0, 0.0)]), None);
        assert_eq!(heterogeneity(&[]), None);
    }
}
