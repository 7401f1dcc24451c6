//! Breslow and Day's test that strata share one odds ratio, with Tarone's correction (§8.5).
//!
//! Breslow and Day (1980); Tarone (1985). With ψ the Mantel-Haenszel odds ratio, A is the number of treated conversions that the margins and
//! ψ lead to, the root of `A (n_0 - m + A) = ψ (n_1 - A)(m - A)`, and
//!
//! ```text
//! V = 1 / (1/A + 1/(n_1-A) + 1/(m-A) + 1/(n_0-m+A))
//! BD = Σ (a - A)²/V,   Tarone: BD - (Σ(a - A))² / ΣV
//! ```
//!
//! Chi-square with one degree of freedom less than there are informative strata. The test needs large strata: with expected cells below 5 its
//! p-value is a guess. ψ is not the maximum likelihood estimate, for which Tarone's term makes up.

use super::ChiSquareTest;
use super::mantel_haenszel::{Table, mantel_haenszel};

/// Both forms of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreslowDay {
    /// As first published.
    pub plain: ChiSquareTest,
    /// With Tarone's correction, to be preferred.
    pub tarone: ChiSquareTest,
}

/// `None` without informative strata, or when the common odds ratio is 0, infinite or unknown.
pub fn breslow_day(strata: &[Table]) -> Option<BreslowDay> {
    let odds_ratio = mantel_haenszel(strata).odds_ratio.filter(|&ratio| ratio > 0.0 && ratio.is_finite())?;
    let informative: Vec<&Table> = strata.iter().filter(|table| table.informative()).collect();
    let df = informative.len().checked_sub(1)?;
    let (mut sum, mut off_sum, mut variance_sum) = (0.0, 0.0, 0.0);
    for table in informative {
        let (off, variance) = deviation(table, odds_ratio);
        sum += off * (off / variance);
        off_sum += off;
        variance_sum += variance;
    }
    let plain = ChiSquareTest::new(sum, df)?;
    Some(BreslowDay { plain, tarone: ChiSquareTest::new(sum - off_sum * (off_sum / variance_sum), df)? })
}

/// a - A and V. Counted by those who do not convert where they are fewer, so that the small cells keep their digits.
fn deviation(table: &Table, odds_ratio: f64) -> (f64, f64) {
    let (n1, n0) = (table.treatment_n, table.control_n);
    let rare = table.conversions() <= 0.5 * table.total();
    let (observed, margin, odds_ratio) = if rare {
        (table.treatment_conversions, table.conversions(), odds_ratio)
    } else {
        (n1 - table.treatment_conversions, table.total() - table.conversions(), 1.0 / odds_ratio)
    };
    // (1-ψ) A² + B A - ψ n_1 m = 0, by the form of the root in which nothing cancels.
    let b = n0 - margin + odds_ratio * (n1 + margin);
    let product = odds_ratio * n1 * margin;
    let root = (b * b + 4.0 * (1.0 - odds_ratio) * product).max(0.0).sqrt();
    let expected = if b >= 0.0 { 2.0 * product / (b + root) } else { (root - b) / (2.0 * (1.0 - odds_ratio)) };
    // Rounding must not push a cell below nothing.
    let cell = |value: f64| value.max(f64::MIN_POSITIVE);
    let cells = [expected, n1 - expected, margin - expected, n0 - margin + expected].map(cell);
    let off = if rare { observed - expected } else { expected - observed };
    (off, 1.0 / cells.iter().map(|cell| 1.0 / cell).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(control: (f64, f64), treatment: (f64, f64)) -> Table {
        Table {
            control_n: control.0,
            control_conversions: control.1,
            treatment_n: treatment.0,
            treatment_conversions: treatment.1,
        }
    }

    #[test]
    fn one_odds_ratio_fits_perfectly() {
        let strata = [table((100.0, 50.0), (100.0, 75.0)), table((150.0, 50.0), (150.0, 90.0))];
        let test = breslow_day(&strata).unwrap();
        assert!(test.plain.statistic < 1e-20 && test.tarone.p_value > 0.999_999);
        assert_eq!(test.plain.df, 1);
    }

    #[test]
    fn the_complement_gives_the_same() {
        let strata = [table((100.0, 95.0), (120.0, 117.0)), table((1e9, 1e9 - 8.0), (1e9, 1e9 - 20.0))];
        let flip = |t: &Table| {
            table(
                (t.control_n, t.control_n - t.control_conversions),
                (t.treatment_n, t.treatment_n - t.treatment_conversions),
            )
        };
        let (one, other) = (breslow_day(&strata).unwrap(), breslow_day(&strata.map(|t| flip(&t))).unwrap());
        assert!((one.plain.statistic - other.plain.statistic).abs() < 1e-6 * one.plain.statistic);
    }

    #[test]
    fn nothing_to_share() {
        assert_eq!(breslow_day(&[]), None);
        assert_eq!(breslow_day(&[table((10.0, 0.0), (10.0, 3.0))]), None);
    }
}
