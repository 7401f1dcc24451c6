//! Interactions of two experiments on the same units (§8.1): is the effect of A the same whatever B shows?
//!
//! From the joint table of cells (arm of A, arm of B) with their moments. For two arms each,
//!
//! ```text
//! I = m_11 - m_10 - m_01 + m_00,   V = Σ s²/n over the cells
//! ```
//!
//! which is the interaction of the saturated regression with HC2 errors; [`TwoByTwo`] holds (I, V, N) for the always-valid test as well. For more arms [`wald`]
//! tests all (r-1)(c-1) double differences at once: `W = δ' Σ⁻¹ δ` is chi-square with as many degrees of freedom. Means and I are in units
//! of the metric.
//!
//! A pair of experiments is looked at only when every cell has [`CELL_UNITS_MIN`] units, and flagged below [`ALARM`], with
//! Benjamini-Hochberg over the pairs. Whether the two assignments are independent at all is [`super::balance::categorical`] of the cells'
//! sizes: a dependence there is a fault of the assignment. No flag does not promise that there is no interaction; power for one is low.

use super::{ChiSquareTest, NormalTest};
use crate::double_double::DoubleDouble;
use crate::moments::Arm;

/// Units that every cell needs, so that its mean is nearly normal.
pub const CELL_UNITS_MIN: f64 = 100.0;
/// The p-value below which a pair is flagged: strict, because a platform has thousands of pairs and few interactions.
pub const ALARM: f64 = 0.001;

/// The interaction of two experiments of two arms each. An effect is `None` where a cell is empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoByTwo {
    /// I.
    pub interaction: Option<f64>,
    /// V; `None` below two units in a cell.
    pub variance: Option<f64>,
    /// N, units of all cells.
    pub units: f64,
    /// `None` (degenerate) without variance.
    pub test: Option<NormalTest>,
    /// Effect of A while B is its first and its second arm.
    pub effect_a: [Option<f64>; 2],
    /// Effect of B while A is its first and its second arm.
    pub effect_b: [Option<f64>; 2],
    /// Effect of A over all units, whatever B.
    pub marginal_a: Option<f64>,
    /// Effect of B over all units, whatever A.
    pub marginal_b: Option<f64>,
}

/// `cells[a][b]` is the arm of units with arm `a` of A and arm `b` of B.
pub fn two_by_two(cells: &[[Arm; 2]; 2]) -> TwoByTwo {
    let minus = |one: Option<f64>, other: Option<f64>| Some(one? - other?).filter(|effect| effect.is_finite());
    let mean = |a: usize, b: usize| pooled_mean(&[cells[a][b]]);
    let effect_a = [0, 1].map(|b| minus(mean(1, b), mean(0, b)));
    let effect_b = [0, 1].map(|a| minus(mean(a, 1), mean(a, 0)));
    let interaction = minus(effect_a[1], effect_a[0]);
    let all = cells.iter().flatten();
    let variance = all.clone().map(variance_of_mean).sum::<Option<f64>>();
    TwoByTwo {
        interaction,
        variance,
        units: all.map(|cell| cell.n).sum(),
        test: interaction.zip(variance).and_then(|(interaction, variance)| NormalTest::new(interaction, variance)),
        effect_a,
        effect_b,
        marginal_a: minus(pooled_mean(&cells[1]), pooled_mean(&cells[0])),
        marginal_b: minus(pooled_mean(&[cells[0][1], cells[1][1]]), pooled_mean(&[cells[0][0], cells[1][0]])),
    }
}

fn pooled_mean(cells: &[Arm]) -> Option<f64> {
    let n: f64 = cells.iter().map(|cell| cell.n).sum();
    (n > 0.0).then(|| cells.iter().filter(|cell| cell.n > 0.0).map(|cell| cell.n / n * cell.mean).sum())
}

fn variance_of_mean(cell: &Arm) -> Option<f64> {
    (cell.n >= 2.0).then(|| cell.variance() / cell.n)
}

/// All double differences of an r x c table of cells at once. `None` when the table is not rectangular, a cell has fewer than two units, or
/// the cells vary too little for the differences to have a covariance.
pub fn wald(cells: &[Vec<Arm>]) -> Option<ChiSquareTest> {
    let (rows, columns) = (cells.len(), cells.first()?.len());
    if columns == 0 || cells.iter().any(|row| row.len() != columns) {
        return None;
    }
    let mut variances = Vec::with_capacity(rows);
    for row in cells {
        variances.push(row.iter().map(variance_of_mean).collect::<Option<Vec<f64>>>()?);
    }
    let (r0, c0) = reference(&variances);
    let others: Vec<(usize, usize)> =
        (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).filter(|&(r, c)| r != r0 && c != c0).collect();
    let mean = |r: usize, c: usize| DoubleDouble::from(cells[r][c].mean);
    let differences = others.iter().map(|&(r, c)| (mean(r, c) - mean(r0, c)) - (mean(r, c0) - mean(r0, c0))).collect();
    // Two double differences share the reference cell, and the cells of a row or column that they have in common.
    let covariance = |(r, c): (usize, usize), (row, column): (usize, usize)| {
        let cells = [(true, (r0, c0)), (r == row, (r, c0)), (c == column, (r0, c)), (r == row && c == column, (r, c))];
        let shared = cells.iter().filter(|(shared, _)| *shared);
        shared.map(|&(_, (r, c))| DoubleDouble::from(variances[r][c])).sum::<DoubleDouble>()
    };
    let matrix = others.iter().map(|&one| others.iter().map(|&other| covariance(one, other)).collect()).collect();
    let statistic = quadratic_form(matrix, differences)?;
    ChiSquareTest::new(statistic, others.len())
}

/// The cell with the least variance: it is part of every difference, and a large one would hide the others' digits. Any cell gives the same W.
fn reference(variances: &[Vec<f64>]) -> (usize, usize) {
    let cells = variances.iter().enumerate().flat_map(|(r, row)| row.iter().enumerate().map(move |(c, v)| (v, (r, c))));
    cells.min_by(|one, other| one.0.total_cmp(other.0)).map_or((0, 0), |(_, cell)| cell)
}

/// `δ' Σ⁻¹ δ` by elimination; `None` unless Σ is positive definite.
///
/// In double-double, because variances of cells differ by many orders of magnitude when their sizes do, and all entries hold the reference's.
fn quadratic_form(mut matrix: Vec<Vec<DoubleDouble>>, mut vector: Vec<DoubleDouble>) -> Option<f64> {
    let diagonal: Vec<f64> = (0..vector.len()).map(|k| matrix[k][k].value()).collect();
    let mut sum = DoubleDouble::from(0.0);
    for k in 0..vector.len() {
        let pivot = matrix[k][k];
        // What is left of the pivot after cancellation has to be more than its rounding.
        if pivot.value().is_nan() || pivot.value() <= 1e-26 * diagonal[k] {
            return None;
        }
        sum = sum + vector[k] * vector[k] / pivot;
        let (done, rest) = matrix.split_at_mut(k + 1);
        for (row, i) in rest.iter_mut().zip(k + 1..) {
            let factor = row[k] / pivot;
            vector[i] = vector[i] - factor * vector[k];
            for j in k + 1..row.len() {
                row[j] = row[j] - factor * done[k][j];
            }
        }
    }
    sum.value().is_finite().then(|| sum.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(n: f64, mean: f64, variance: f64) -> Arm {
        Arm { n, mean, m2: variance * (n - 1.0) }
    }

    #[test]
    fn the_wald_test_of_two_by_two_is_the_squared_z() {
        let cells = [[cell(10.0, 1.0, 2.0), cell(20.0, 1.5, 1.0)], [cell(30.0, 2.0, 3.0), cell(40.0, 4.0, 1.0)]];
        let z = two_by_two(&cells).test.unwrap().z;
        let w = wald(&[cells[0].to_vec(), cells[1].to_vec()]).unwrap();
        assert!((w.statistic - z * z).abs() < 1e-12 * w.statistic);
        assert_eq!(w.df, 1);
    }

    #[test]
    fn one_row_has_nothing_to_interact_with() {
        let w = wald(&[vec![cell(10.0, 1.0, 2.0), cell(20.0, 1.5, 1.0)]]).unwrap();
        assert_eq!((w.statistic, w.df, w.p_value), (0.0, 0, 1.0));
    }

    #[test]
    fn without_variance_there_is_no_test() {
        let still = [[cell(5.0, 1.0, 0.0); 2]; 2];
        assert_eq!(two_by_two(&still).test, None);
        assert_eq!(wald(&[still[0].to_vec(), still[1].to_vec()]), None);
        let empty = Arm { n: 0.0, mean: 0.0, m2: 0.0 };
        let with_empty = two_by_two(&[[empty, still[0][0]], still[1]]);
        assert_eq!((with_empty.interaction, with_empty.effect_a[1]), (None, Some(0.0)));
    }
}
