//! Exposure conditions (§9.3): what a unit and its neighbours were given, and how probable that was.
//!
//! Aronow and Samii (1305.6156). A unit is **treated and exposed** when it is treated and at least a share q of its neighbours is;
//! **control and unexposed** when neither it nor a share above 1 - q of its neighbours is; anything else is neither and not compared. For a
//! unit of degree k under independent treatment with probability p, both probabilities are binomial tails,
//!
//! ```text
//! π(treated, exposed) = p P(Bin(k, p) >= ⌈qk⌉),    π(control, unexposed) = (1-p) P(Bin(k, 1-p) >= ⌈qk⌉)
//! ```
//!
//! and under cluster randomisation the neighbours come in groups that share a coin, which [`ExposureDesign::clustered`] enumerates exactly.
//! The probabilities are those of the design; they are right only if assignment followed it and the graph was fixed before it.

use crate::special::ln_beta_inc;
use libm::exp;

/// What a unit was exposed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Treated among the treated.
    TreatedExposed,
    /// Untreated among the untreated.
    ControlUnexposed,
    /// In between.
    Other,
}

/// The probabilities of the two conditions that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExposureProbabilities {
    /// π of [`Condition::TreatedExposed`].
    pub treated_exposed: f64,
    /// π of [`Condition::ControlUnexposed`].
    pub control_unexposed: f64,
}

/// How units were assigned, and what counts as exposed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExposureDesign {
    treated: f64,
    neighbours: f64,
}

/// Numbers that are no shares.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "the probability of treatment lies between 0 and 1 and the share of neighbours from 0 to 1, and {treated} with {neighbours} do not"
)]
pub struct NoExposureDesign {
    /// p.
    pub treated: f64,
    /// q.
    pub neighbours: f64,
}

impl ExposureDesign {
    /// `treated` is p, `neighbours` is q.
    pub fn new(treated: f64, neighbours: f64) -> Result<ExposureDesign, NoExposureDesign> {
        if treated > 0.0 && treated < 1.0 && (0.0..=1.0).contains(&neighbours) {
            Ok(ExposureDesign { treated, neighbours })
        } else {
            Err(NoExposureDesign { treated, neighbours })
        }
    }

    /// ⌈qk⌉: neighbours that have to share the unit's arm. A product that rounding put just above a whole number does not ask for one more.
    fn needed(&self, degree: u32) -> u32 {
        (self.neighbours * f64::from(degree) - 1e-9).ceil().max(0.0) as u32
    }

    /// Of a unit with `treated_neighbours` of `degree`.
    pub fn condition(&self, treated: bool, treated_neighbours: u32, degree: u32) -> Condition {
        let needed = self.needed(degree);
        if treated && treated_neighbours >= needed {
            Condition::TreatedExposed
        } else if !treated && degree.saturating_sub(treated_neighbours) >= needed {
            Condition::ControlUnexposed
        } else {
            Condition::Other
        }
    }

    /// When every unit has its own coin.
    pub fn independent(&self, degree: u32) -> ExposureProbabilities {
        let needed = self.needed(degree);
        let (p, q) = (self.treated, 1.0 - self.treated);
        ExposureProbabilities {
            treated_exposed: p * binomial_tail(degree, p, q, needed),
            control_unexposed: q * binomial_tail(degree, q, p, needed),
        }
    }

    /// When clusters have coins: `own` neighbours are in the unit's cluster, `others` counts the neighbours in each other cluster.
    pub fn clustered(&self, own: u32, others: &[u32]) -> ExposureProbabilities {
        let degree = others.iter().fold(own, |sum, &more| sum.saturating_add(more));
        let missing = self.needed(degree).saturating_sub(own);
        let (p, q) = (self.treated, 1.0 - self.treated);
        ExposureProbabilities {
            treated_exposed: p * group_tail(others, p, missing),
            control_unexposed: q * group_tail(others, q, missing),
        }
    }
}

/// P(Bin(n, p) >= least) by the incomplete beta function, with q = 1 - p given apart.
fn binomial_tail(n: u32, p: f64, q: f64, least: u32) -> f64 {
    if least == 0 {
        return 1.0;
    }
    exp(ln_beta_inc(f64::from(least), f64::from(n - least) + 1.0, p, q))
}

/// P(the groups that draw p hold at least `least` members): sums of members from 0 to `least`, group by group.
fn group_tail(groups: &[u32], p: f64, least: u32) -> f64 {
    let top = least as usize;
    let mut chance = vec![0.0; top + 1];
    chance[0] = 1.0;
    for &group in groups {
        // From the top down, so that a group is counted once; everything at or above `least` is one state.
        for members in (0..=top).rev() {
            let moved = chance[members] * p;
            let reached = members.saturating_add(group as usize).min(top);
            if reached != members {
                chance[members] -= moved;
                chance[reached] += moved;
            }
        }
    }
    chance[top].clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_by_hand() {
        let design = ExposureDesign::new(0.3, 0.5).unwrap();
        let got = design.independent(2);
        // One of two neighbours at least.
        assert!((got.treated_exposed - 0.3 * (1.0 - 0.49)).abs() < 1e-15);
        assert!((got.control_unexposed - 0.7 * (1.0 - 0.09)).abs() < 1e-15);
        assert_eq!(design.condition(true, 1, 2), Condition::TreatedExposed);
        assert_eq!(design.condition(false, 2, 2), Condition::Other);
        assert_eq!(design.condition(false, 0, 0), Condition::ControlUnexposed);
    }

    #[test]
    fn clusters_of_one_are_independent() {
        let design = ExposureDesign::new(0.4, 0.75).unwrap();
        let (one, other) = (design.independent(9), design.clustered(0, &[1; 9]));
        assert!((one.treated_exposed - other.treated_exposed).abs() < 1e-14);
        assert!((one.control_unexposed - other.control_unexposed).abs() < 1e-14);
        // All neighbours in the unit's own cluster share its coin.
        assert_eq!(design.clustered(9, &[]).treated_exposed, 0.4);
    }

    #[test]
    fn two_groups_by_hand() {
        let design = ExposureDesign::new(0.5, 0.6).unwrap();
        // Three of five are needed: the group of three has to be treated, alone or with the other.
        assert_eq!(design.clustered(0, &[3, 2]).treated_exposed, 0.25);
        assert_eq!(design.clustered(1, &[2, 2]).treated_exposed, 0.5 * 0.75);
    }
}
