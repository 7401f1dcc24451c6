//! The balance table (§8.4): is a category (country, device, cohort) spread over the arms as chance would spread it?
//!
//! Pearson's chi-square `Σ (O - E)²/E` of the arms x categories table of counts, without continuity correction; Cramér's
//! `V = √(χ² / (N min(r-1, c-1)))` as its size from 0 to 1; and per category the standardised difference of an arm k to the first,
//!
//! ```text
//! (p_k - p_0) / √((p_0(1-p_0) + p_k(1-p_k))/2)
//! ```
//!
//! Rows and columns without units are dropped. The chi-square is for one look; [`sequential_ln_e`] is its counterpart for every look. A table
//! in balance says nothing about what is not in the table.

use super::ChiSquareTest;
use crate::srm;

/// The p-value below which a table is called unbalanced: strict, because there are many tables.
pub const ALARM: f64 = 0.001;

/// A balance table's test.
#[derive(Debug, Clone, PartialEq)]
pub struct Balance {
    /// Pearson's.
    pub test: ChiSquareTest,
    /// From 0, balanced, to 1.
    pub cramers_v: f64,
    /// Positions of the categories with units: what the differences are listed by.
    pub categories: Vec<usize>,
    /// Positions of the arms with units; the first is what the others are compared with.
    pub arms: Vec<usize>,
    /// One list per arm after the first, one difference per category. Infinite when a category makes up all of one arm and nothing of the other.
    pub standardised_differences: Vec<Vec<f64>>,
}

/// `counts[arm][category]`, all rows of one length, never negative.
pub fn categorical(counts: &[Vec<f64>]) -> Balance {
    let width = counts.iter().map(Vec::len).min().unwrap_or(0);
    let arms: Vec<usize> = (0..counts.len()).filter(|&arm| counts[arm].iter().sum::<f64>() > 0.0).collect();
    let column = |category: usize| arms.iter().map(|&arm| counts[arm][category]).sum::<f64>();
    let categories: Vec<usize> = (0..width).filter(|&category| column(category) > 0.0).collect();
    let row = |arm: usize| categories.iter().map(|&category| counts[arm][category]).sum::<f64>();
    let total: f64 = arms.iter().map(|&arm| row(arm)).sum();
    let mut statistic = 0.0;
    for &arm in &arms {
        for &category in &categories {
            let expected = row(arm) / total * column(category);
            let off = counts[arm][category] - expected;
            statistic += off * (off / expected);
        }
    }
    let (rows, columns) = (arms.len().saturating_sub(1), categories.len().saturating_sub(1));
    let statistic = if rows * columns == 0 { 0.0 } else { statistic };
    let share = |arm: usize, category: usize| counts[arm][category] / row(arm);
    let differences = |&arm: &usize| {
        categories.iter().map(|&category| standardised(share(arms[0], category), share(arm, category))).collect()
    };
    let least = rows.min(columns) as f64;
    Balance {
        test: ChiSquareTest::new(statistic, rows * columns).unwrap_or(UNKNOWN),
        cramers_v: if least > 0.0 { (statistic / total / least).sqrt().min(1.0) } else { 0.0 },
        standardised_differences: arms.iter().skip(1).map(differences).collect(),
        categories,
        arms,
    }
}

/// Counts so large that their statistic overflows say nothing.
const UNKNOWN: ChiSquareTest = ChiSquareTest { statistic: 0.0, df: 0, p_value: 1.0, ln_p_value: 0.0 };

fn standardised(first: f64, other: f64) -> f64 {
    let difference = other - first;
    if difference == 0.0 {
        return 0.0;
    }
    difference / (0.5 * (first * (1.0 - first) + other * (1.0 - other))).sqrt()
}

/// Evidence against balance inside each category, valid at every look: ln E of the sequential sample ratio test of the category's counts
/// against the arms' weights. The p-values `min(1, 1/E)` take a Holm correction over the categories. `counts[arm][category]` as above.
pub fn sequential_ln_e(counts: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let width = counts.iter().map(Vec::len).min().unwrap_or(0);
    let column = |category: usize| counts.iter().map(|row| row[category]).collect::<Vec<f64>>();
    (0..width).map(|category| srm::sequential_ln_e(&column(category), weights, srm::CONCENTRATION)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_against_nothing() {
        let balance = categorical(&[vec![50.0, 0.0, 0.0], vec![0.0, 0.0, 70.0]]);
        assert!((balance.cramers_v - 1.0).abs() < 1e-15);
        assert_eq!(balance.categories, [0, 2]);
        assert_eq!(balance.standardised_differences, [[f64::NEG_INFINITY, f64::INFINITY]]);
    }

    #[test]
    fn nothing_to_compare() {
        for counts in [vec![], vec![vec![0.0, 0.0], vec![5.0, 6.0]], vec![vec![3.0], vec![4.0]]] {
            let balance = categorical(&counts);
            assert_eq!((balance.test.df, balance.test.p_value, balance.cramers_v), (0, 1.0, 0.0));
        }
    }

    #[test]
    fn evidence_is_per_category() {
        let ln_e = sequential_ln_e(&[vec![1_000.0, 1_000.0], vec![1_010.0, 2_000.0]], &[0.5, 0.5]);
        assert!(ln_e[0] < 0.0 && ln_e[1] > 10.0);
    }
}
