//! The difference of two arms of randomised clusters (§9.1), with standard errors that hold whatever happens inside a cluster.
//!
//! Per cluster g: n_g units and S_g = Σy. Per arm `N = Σ n_g`, `μ = Σ S_g / N`, residual `r_g = S_g - μ n_g`, leverage `h_g = n_g/N`; G is
//! the number of clusters of both arms. The variance of `μ_t - μ_c`, summed over the arms:
//!
//! ```text
//! CR0  Σ r_g²/N²                        (Liang and Zeger, 1986)
//! CR1  CR0 · G/(G-1)                    CR1S  CR1 · (N-1)/(N-2), N of both arms
//! CR2  Σ r_g²/(1-h_g)/N²                (Bell and McCaffrey, 2002), the default
//! ```
//!
//! CR2 goes with Bell and McCaffrey's degrees of freedom, which the design has in closed form (Pustejovsky and Tipton, 1601.01981):
//! `a_g = n_g²/(1-h_g)`, per arm `T1 = 1/N`, `T2 = (Σ n_g² + [(Σ a_g)² - Σ a_g²]/N²)/N⁴`, `df = (ΣT1)²/ΣT2`. With equal clusters they are about
//! G - 2, with one dominant cluster they fall to 1. Means are in units of the metric.
//!
//! [`unweighted`] compares the plain means of the clusters' means by Welch's t: another estimand (clusters count alike), sturdier when clusters are few and unequal.
//!
//! Two clusters per arm are the least that can be estimated; below [`CLUSTERS_FEW`] per arm, or df below [`DF_FEW`], the p-value is fragile.
//! The always-valid method takes (difference, CR2, N = G) from [`CLUSTERS_MIN_ALWAYS_VALID`] clusters per arm on, labelled approximate.

use super::StudentTest;
use crate::alpha::Alpha;
use crate::double_double::DoubleDouble;
use crate::fixed_horizon::{self, Test};
use crate::moments::Arm;

/// Clusters per arm below which results carry a warning.
pub const CLUSTERS_FEW: usize = 5;
/// Degrees of freedom below which results carry a warning.
pub const DF_FEW: f64 = 4.0;
/// Waiting period of the always-valid method, per arm.
pub const CLUSTERS_MIN_ALWAYS_VALID: usize = 20;

/// A cluster's units and the sum of their values. One without units does not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// n_g.
    pub n: f64,
    /// S_g.
    pub sum: f64,
}

/// Why there is no estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEstimable {
    /// Nothing can be said about the variation between clusters.
    #[error("each arm needs at least two clusters with units: randomise more clusters")]
    TooFewClusters,
    /// Its leverage is 1: the arm's mean is the cluster's.
    #[error("one cluster holds all but a vanishing part of an arm's units: split it or leave it out")]
    OneClusterIsTheArm,
    /// Sums too large for doubles.
    #[error("sums of the clusters overflow: use a larger unit of the metric")]
    Overflow,
}

/// A comparison of two arms of clusters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterRobust {
    /// Per unit, not per cluster.
    pub mean_control: f64,
    /// Per unit.
    pub mean_treatment: f64,
    /// Treatment minus control.
    pub difference: f64,
    /// G.
    pub clusters: usize,
    /// Clusters of the smaller arm.
    pub clusters_least: usize,
    /// N of both arms.
    pub units: f64,
    /// Variance of the difference, CR0: too small, kept for compatibility.
    pub cr0: f64,
    /// CR1.
    pub cr1: f64,
    /// CR1S, what most packages call clustered.
    pub cr1s: f64,
    /// CR2.
    pub cr2: f64,
    /// Bell and McCaffrey's degrees of freedom, for CR2.
    pub df_cr2: f64,
}

/// What an arm contributes.
struct Part {
    clusters: usize,
    units: f64,
    mean: f64,
    cr0: f64,
    cr2: f64,
    /// T2 times N².
    spread: f64,
}

impl Part {
    fn new(clusters: &[Cluster]) -> Result<Part, NotEstimable> {
        let filled: Vec<&Cluster> = clusters.iter().filter(|cluster| cluster.n > 0.0).collect();
        if filled.len() < 2 {
            return Err(NotEstimable::TooFewClusters);
        }
        let wide = DoubleDouble::from;
        let units = filled.iter().map(|cluster| wide(cluster.n)).sum::<DoubleDouble>();
        let mean = filled.iter().map(|cluster| wide(cluster.sum)).sum::<DoubleDouble>() / units;
        let (mut cr0, mut cr2, mut squares, mut pairs, mut before) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for cluster in &filled {
            // In double-double: at a large mean, S_g and μ n_g share most of their digits.
            let residual = ((wide(cluster.sum) - mean * wide(cluster.n)) / units).value();
            let share = (wide(cluster.n) / units).value();
            let rest = ((units - wide(cluster.n)) / units).value();
            if rest <= 0.0 {
                return Err(NotEstimable::OneClusterIsTheArm);
            }
            cr0 += residual * residual;
            cr2 += residual * (residual / rest);
            squares += share * share;
            // (Σa)² - Σa² as a sum over pairs, which one dominant cluster cannot cancel.
            let weight = share * (share / rest);
            pairs += 2.0 * weight * before;
            before += weight;
        }
        let part = Part {
            clusters: filled.len(),
            units: units.value(),
            mean: mean.value(),
            cr0,
            cr2,
            spread: squares + pairs,
        };
        let finite = part.mean.is_finite() && part.cr2.is_finite() && part.spread.is_finite();
        if finite { Ok(part) } else { Err(NotEstimable::Overflow) }
    }
}

/// Compares arms by their clusters.
pub fn cluster_robust(control: &[Cluster], treatment: &[Cluster]) -> Result<ClusterRobust, NotEstimable> {
    let (control, treatment) = (Part::new(control)?, Part::new(treatment)?);
    let clusters = control.clusters + treatment.clusters;
    let units = control.units + treatment.units;
    let cr0 = control.cr0 + treatment.cr0;
    let cr1 = cr0 * (clusters as f64 / (clusters as f64 - 1.0));
    // By the arms' shares of T1, so that sizes near the ends of a double do not matter.
    let (of_control, of_treatment) = (treatment.units / units, control.units / units);
    let df_cr2 = 1.0 / (of_control * of_control * control.spread + of_treatment * of_treatment * treatment.spread);
    Ok(ClusterRobust {
        mean_control: control.mean,
        mean_treatment: treatment.mean,
        difference: treatment.mean - control.mean,
        clusters,
        clusters_least: control.clusters.min(treatment.clusters),
        units,
        cr0,
        cr1,
        cr1s: if units > 2.0 { cr1 * ((units - 1.0) / (units - 2.0)) } else { cr1 },
        cr2: control.cr2 + treatment.cr2,
        df_cr2,
    })
}

impl ClusterRobust {
    /// The default: CR2 with Bell and McCaffrey's degrees of freedom. `None` (degenerate) without variance between clusters.
    pub fn test(&self, alpha: Alpha) -> Option<StudentTest> {
        StudentTest::new(self.difference, self.cr2, self.df_cr2, alpha)
    }

    /// CR1S with G - 2 degrees of freedom, for compatibility: rejects too often when clusters are few or unequal.
    pub fn test_cr1s(&self, alpha: Alpha) -> Option<StudentTest> {
        StudentTest::new(self.difference, self.cr1s, self.clusters as f64 - 2.0, alpha)
    }

    /// Whether clusters are so few, or so unequal, that the p-value is fragile.
    pub fn fragile(&self) -> bool {
        self.clusters_least < CLUSTERS_FEW || self.df_cr2 < DF_FEW
    }
}

/// Welch's t on the clusters' means, each cluster counting alike. `None` (degenerate) without variance or below two clusters in an arm.
pub fn unweighted(control: &[Cluster], treatment: &[Cluster], alpha: Alpha) -> Option<Test> {
    fixed_horizon::welch(&of_means(control), &of_means(treatment), alpha)
}

/// Treatment minus control of [`unweighted`], also where there is no test; `None` when an arm has no cluster with units.
pub fn unweighted_difference(control: &[Cluster], treatment: &[Cluster]) -> Option<f64> {
    let (control, treatment) = (of_means(control), of_means(treatment));
    let difference = treatment.mean - control.mean;
    (control.n > 0.0 && treatment.n > 0.0 && difference.is_finite()).then_some(difference)
}

/// Mean per unit of an arm, whatever the number of its clusters; `None` without units.
pub fn mean_per_unit(clusters: &[Cluster]) -> Option<f64> {
    let wide = DoubleDouble::from;
    let total = |pick: fn(&Cluster) -> f64| clusters.iter().map(|one| wide(pick(one))).sum::<DoubleDouble>();
    let mean = (total(|cluster| cluster.sum) / total(|cluster| cluster.n)).value();
    mean.is_finite().then_some(mean)
}

/// The moments of the clusters' means.
fn of_means(clusters: &[Cluster]) -> Arm {
    let wide = DoubleDouble::from;
    let means = || clusters.iter().filter(|cluster| cluster.n > 0.0).map(|cluster| cluster.sum / cluster.n);
    let n = means().count() as f64;
    if n == 0.0 {
        return Arm { n, mean: 0.0, m2: 0.0 };
    }
    let mean = (means().map(wide).sum::<DoubleDouble>() / wide(n)).value();
    Arm { n, mean, m2: means().map(|one| (one - mean) * (one - mean)).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters(of: &[(f64, f64)]) -> Vec<Cluster> {
        of.iter().map(|&(n, sum)| Cluster { n, sum }).collect()
    }

    #[test]
    fn clusters_of_one_unit_are_units() {
        let (control, treatment) =
            (clusters(&[(1.0, 1.0), (1.0, 2.0), (1.0, 4.0)]), clusters(&[(1.0, 3.0), (1.0, 5.0), (1.0, 9.0)]));
        let robust = cluster_robust(&control, &treatment).unwrap();
        let welch = unweighted(&control, &treatment, Alpha::FIVE_PERCENT).unwrap();
        assert!((robust.cr2.sqrt() - welch.standard_error).abs() < 1e-14);
        assert!((robust.df_cr2 - 4.0).abs() < 1e-12);
        assert!(robust.fragile());
    }

    #[test]
    fn a_dominant_cluster_leaves_one_degree_of_freedom() {
        let arm = clusters(&[(1e9, 5e9), (1.0, 2.0), (1.0, 1.0)]);
        let robust = cluster_robust(&arm, &clusters(&[(1e12, 1e12), (1e12, 3e12), (0.0, 0.0)])).unwrap();
        assert!(robust.df_cr2 >= 1.0 && robust.df_cr2 < 1.01, "{}", robust.df_cr2);
        assert_eq!(robust.clusters, 5);
    }

    #[test]
    fn what_cannot_be_estimated() {
        let two = clusters(&[(5.0, 1.0), (6.0, 2.0)]);
        assert_eq!(cluster_robust(&two[..1], &two), Err(NotEstimable::TooFewClusters));
        assert_eq!(
            cluster_robust(&two, &clusters(&[(1e300, 1.0), (1e-300, 0.0)])),
            Err(NotEstimable::OneClusterIsTheArm)
        );
        let still = clusters(&[(5.0, 10.0), (10.0, 20.0)]);
        let robust = cluster_robust(&still, &still).unwrap();
        assert_eq!((robust.cr2, robust.test(Alpha::FIVE_PERCENT)), (0.0, None));
    }

    #[test]
    fn a_large_offset_costs_nothing() {
        let at = |offset: f64| {
            let arm = |of: &[(f64, f64)]| clusters(&of.iter().map(|&(n, s)| (n, s + n * offset)).collect::<Vec<_>>());
            cluster_robust(&arm(&[(3.0, 1.0), (5.0, 2.0)]), &arm(&[(4.0, 3.0), (7.0, 1.0)])).unwrap()
        };
        let (near, far) = (at(0.0), at(1e9));
        assert!((near.cr2 - far.cr2).abs() < 1e-12 * near.cr2);
    }
}
