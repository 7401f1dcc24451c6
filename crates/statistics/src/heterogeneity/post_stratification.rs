//! Post-stratification (§8.2): the effect as an average over segments, whose shares the arms cannot shift.
//!
//! ```text
//! d = Σ W_s (ȳ_ts - ȳ_cs),   V = Σ W_s² (s²_ts/n_ts + s²_cs/n_cs),   W_s = N_s/N or a known share
//! ```
//!
//! Means and d are in units of the metric. A stratum in which an arm has fewer than two units has no variance; such strata are merged into
//! one, "other", which is listed. Dropping them instead would change whom the effect is about.
//!
//! Inside a stratum the arms are compared as they are. When a stratum's split was broken because of something that also moves the metric, d
//! is still wrong; that is what the sample ratio and balance tests look for.

use super::NormalTest;
use crate::alpha::Alpha;
use crate::moments::Arm;
use crate::special::normal_upper_quantile;

/// A segment with its two arms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stratum {
    /// Units without the treatment.
    pub control: Arm,
    /// Units with it.
    pub treatment: Arm,
}

impl Stratum {
    /// N_s.
    pub fn units(&self) -> f64 {
        self.control.n + self.treatment.n
    }

    /// Treatment minus control.
    pub fn effect(&self) -> f64 {
        self.treatment.mean - self.control.mean
    }

    /// Variance of [`Stratum::effect`], by Welch; 0 below two units in an arm.
    pub fn variance(&self) -> f64 {
        let of_mean = |arm: &Arm| if arm.n < 2.0 { 0.0 } else { arm.variance() / arm.n };
        of_mean(&self.control) + of_mean(&self.treatment)
    }

    /// Whether an arm is too small to have a variance.
    pub fn thin(&self) -> bool {
        self.control.n < 2.0 || self.treatment.n < 2.0
    }

    /// Both strata as one.
    pub fn merged(&self, other: &Stratum) -> Stratum {
        Stratum { control: merge(&self.control, &other.control), treatment: merge(&self.treatment, &other.treatment) }
    }
}

/// Chan's merge of two arms.
fn merge(one: &Arm, other: &Arm) -> Arm {
    if one.n <= 0.0 || other.n <= 0.0 {
        return if one.n > 0.0 { *one } else { *other };
    }
    let n = one.n + other.n;
    let delta = other.mean - one.mean;
    let m2 = one.m2 + other.m2 + delta * delta * (one.n * (other.n / n));
    Arm { n, mean: one.mean + delta * (other.n / n), m2 }
}

/// All strata as one, which is the comparison without strata.
pub fn unstratified(strata: &[Stratum]) -> Option<Stratum> {
    strata.iter().copied().reduce(|one, other| one.merged(&other))
}

/// The effect over strata.
#[derive(Debug, Clone, PartialEq)]
pub struct PostStratified {
    /// The strata that were compared, those that were merged last.
    pub strata: Vec<Stratum>,
    /// W_s of each.
    pub weights: Vec<f64>,
    /// Positions of the given strata that became the last one, "other"; empty when none was thin.
    pub merged: Vec<usize>,
    /// d.
    pub effect: f64,
    /// V.
    pub variance: f64,
}

/// Averages over strata with weights N_s/N, or with known `shares` of the population (which need not add up to 1). `None` when even all
/// strata together have an arm below two units.
pub fn post_stratify(strata: &[Stratum], shares: Option<&[f64]>) -> Option<PostStratified> {
    let own: Vec<f64> = strata.iter().map(Stratum::units).collect();
    let shares = shares.filter(|shares| shares.len() == strata.len()).unwrap_or(&own);
    let merged = thin(strata);
    let mut kept: Vec<(Stratum, f64)> = (0..strata.len())
        .filter(|position| !merged.contains(position))
        .map(|position| (strata[position], shares[position]))
        .collect();
    let other = merged.iter().map(|&position| (strata[position], shares[position]));
    kept.extend(other.reduce(|one, two| (one.0.merged(&two.0), one.1 + two.1)));
    let total: f64 = kept.iter().map(|(_, share)| share).sum();
    if kept.iter().any(|(stratum, _)| stratum.thin()) || kept.is_empty() || total <= 0.0 {
        return None;
    }
    let (strata, weights): (Vec<Stratum>, Vec<f64>) =
        kept.into_iter().map(|(stratum, share)| (stratum, share / total)).unzip();
    let weighted = |value: &dyn Fn(&Stratum, f64) -> f64| strata.iter().zip(&weights).map(|(s, &w)| value(s, w)).sum();
    let (effect, variance): (f64, f64) =
        (weighted(&|stratum, weight| weight * stratum.effect()), weighted(&|s, w| w * w * s.variance()));
    (effect.is_finite() && variance.is_finite()).then_some(PostStratified { strata, weights, merged, effect, variance })
}

/// Positions of the strata to merge: the thin ones, and the smallest others as long as what is merged is still thin itself.
fn thin(strata: &[Stratum]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..strata.len()).collect();
    order.sort_by(|&one, &two| {
        strata[two].thin().cmp(&strata[one].thin()).then(strata[one].units().total_cmp(&strata[two].units()))
    });
    let mut merged: Vec<usize> = Vec::new();
    let mut other: Option<Stratum> = None;
    for position in order {
        if !strata[position].thin() && !other.is_some_and(|other| other.thin()) {
            break;
        }
        other = Some(other.map_or(strata[position], |other| other.merged(&strata[position])));
        merged.push(position);
    }
    merged.sort_unstable();
    merged
}

impl PostStratified {
    /// For one look at the planned end. `None` (degenerate) without variance.
    pub fn test(&self) -> Option<NormalTest> {
        NormalTest::new(self.effect, self.variance)
    }

    /// The interval of the effect. `None` (degenerate) without variance.
    pub fn interval(&self, alpha: Alpha) -> Option<(f64, f64)> {
        let half = normal_upper_quantile(alpha.divided(2).value()) * self.variance.sqrt();
        self.test().map(|_| (self.effect - half, self.effect + half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(control: (f64, f64), treatment: (f64, f64)) -> Stratum {
        let arm = |(n, mean): (f64, f64)| Arm { n, mean, m2: n };
        Stratum { control: arm(control), treatment: arm(treatment) }
    }

    #[test]
    fn thin_strata_become_one() {
        let strata = [
            stratum((1.0, 1.0), (5.0, 2.0)),
            stratum((100.0, 1.0), (100.0, 2.0)),
            stratum((5.0, 4.0), (0.0, 0.0)),
            stratum((90.0, 1.0), (90.0, 2.0)),
        ];
        let result = post_stratify(&strata, None).unwrap();
        assert_eq!((result.merged, result.strata.len()), (vec![0, 2], 3));
        assert_eq!(result.strata[2].units(), 11.0);
        // With one thin stratum alone, the smallest other one joins it.
        let result = post_stratify(&strata[..2], None).unwrap();
        assert_eq!((result.merged, result.strata.len()), (vec![0, 1], 1));
        assert_eq!(post_stratify(&strata[..1], None), None);
        assert_eq!(post_stratify(&[], None), None);
    }

    #[test]
    fn known_shares_replace_the_sizes() {
        let strata = [stratum((10.0, 0.0), (10.0, 1.0)), stratum((10.0, 0.0), (10.0, 3.0))];
        assert_eq!(post_stratify(&strata, Some(&[3.0, 1.0])).unwrap().effect, 1.5);
    }
}
