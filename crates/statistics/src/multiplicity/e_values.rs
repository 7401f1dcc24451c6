//! e-BH: the false discovery rate of E-values under any dependence (§7.1; Wang and Ramdas, 2009.02824).
//!
//! Rejects the k largest with `E ≥ m/(alpha k)`, for the largest such k. Give it the E of the *current* look, exp(ln E), not the running maximum,
//! which is no E-value any more. An E that overflowed to infinity is above every threshold, as it should be.

use crate::alpha::Alpha;

/// Decisions in the order given.
#[derive(Debug, Clone, PartialEq)]
pub struct EBh {
    /// Which are rejected.
    pub rejected: Vec<bool>,
    /// m/(alpha k): what an E had to reach; `None` where none is rejected.
    pub threshold: Option<f64>,
}

/// Decides about a family of E-values.
pub fn e_bh(e_values: &[f64], alpha: Alpha) -> EBh {
    let m = e_values.len();
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&one, &other| e_values[other].total_cmp(&e_values[one]));
    let threshold = |k: usize| m as f64 / (alpha.value() * k as f64);
    let rejections = (1..=m).rev().find(|&k| e_values[order[k - 1]] >= threshold(k)).unwrap_or(0);
    let mut rejected = vec![false; m];
    order[..rejections].iter().for_each(|&at| rejected[at] = true);
    EBh { rejected, threshold: (rejections > 0).then(|| threshold(rejections)) }
}
