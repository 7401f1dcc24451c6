//! One odds ratio or risk ratio over strata of conversions, by Mantel and Haenszel (§8.5).
//!
//! In a stratum of N units: a of n_1 treated units convert and b of n_0 control units; c = n_1 - a and d = n_0 - b do not.
//!
//! ```text
//! OR = Σ(ad/N) / Σ(bc/N)            RR = Σ(a n_0/N) / Σ(b n_1/N)
//! CMH = (|Σ(a - E a)| - k)² / Σ V,  E a = n_1 m/N,  V = n_1 n_0 m (N-m) / (N²(N-1)),  m = a + b
//! ```
//!
//! Mantel and Haenszel (1959), Cochran (1954); k is 0, or 1/2 with continuity correction (never more than the sum itself). The standard error
//! of ln OR is that of Robins, Breslow and Greenland (1986), good for few large strata and for many small ones.
//!
//! A common ratio is assumed; [`super::breslow_day`] tests that. Strata in which nobody, or everybody, converts say nothing and count for nothing.

use super::ChiSquareTest;

/// Conversions of a stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// n_0.
    pub control_n: f64,
    /// b.
    pub control_conversions: f64,
    /// n_1.
    pub treatment_n: f64,
    /// a.
    pub treatment_conversions: f64,
}

impl Table {
    /// N.
    pub(super) fn total(&self) -> f64 {
        self.control_n + self.treatment_n
    }

    /// m.
    pub(super) fn conversions(&self) -> f64 {
        self.control_conversions + self.treatment_conversions
    }

    /// Whether both arms have units and some but not all of them converted.
    pub(super) fn informative(&self) -> bool {
        let converted = self.conversions();
        self.control_n > 0.0 && self.treatment_n > 0.0 && converted > 0.0 && converted < self.total()
    }

    /// ad/N and bc/N.
    fn products(&self) -> (f64, f64) {
        let (c, d) = (self.treatment_n - self.treatment_conversions, self.control_n - self.control_conversions);
        (self.treatment_conversions * (d / self.total()), self.control_conversions * (c / self.total()))
    }
}

/// The common ratios. A ratio is infinite when only treated units convert, and `None` when its strata say nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MantelHaenszel {
    /// Common odds ratio, treatment over control.
    pub odds_ratio: Option<f64>,
    /// Standard error of its logarithm; `None` where the ratio is 0 or infinite.
    pub ln_odds_ratio_se: Option<f64>,
    /// Common risk ratio.
    pub risk_ratio: Option<f64>,
    /// Cochran-Mantel-Haenszel; `None` without informative strata.
    pub cmh: Option<ChiSquareTest>,
    /// With continuity correction.
    pub cmh_corrected: Option<ChiSquareTest>,
}

/// Over strata.
pub fn mantel_haenszel(strata: &[Table]) -> MantelHaenszel {
    let filled = || strata.iter().filter(|table| table.total() > 0.0);
    let (up, down) = filled().map(Table::products).fold((0.0, 0.0), |sum, (r, s)| (sum.0 + r, sum.1 + s));
    let risk = |part: fn(&Table) -> (f64, f64)| filled().map(part).map(|(converted, other)| converted * other).sum();
    let (risk_up, risk_down): (f64, f64) = (
        risk(|table| (table.treatment_conversions, table.control_n / table.total())),
        risk(|table| (table.control_conversions, table.treatment_n / table.total())),
    );
    let (off, variance) = strata
        .iter()
        .filter(|table| table.informative())
        .fold((0.0, 0.0), |sum, table| (sum.0 + excess(table), sum.1 + hypergeometric_variance(table)));
    let cmh = |correction: f64| {
        let off = (f64::abs(off) - correction).max(0.0);
        if variance > 0.0 { ChiSquareTest::new(off * (off / variance), 1) } else { None }
    };
    MantelHaenszel {
        odds_ratio: ratio(up, down),
        ln_odds_ratio_se: robins_breslow_greenland(filled(), up, down),
        risk_ratio: ratio(risk_up, risk_down),
        cmh: cmh(0.0),
        cmh_corrected: cmh(0.5),
    }
}

fn ratio(up: f64, down: f64) -> Option<f64> {
    let ratio = up / down;
    (!ratio.is_nan()).then_some(ratio)
}

/// a - E a, as (a n_0 - b n_1)/N.
fn excess(table: &Table) -> f64 {
    let total = table.total();
    table.treatment_conversions * (table.control_n / total) - table.control_conversions * (table.treatment_n / total)
}

/// V of a stratum.
fn hypergeometric_variance(table: &Table) -> f64 {
    let (total, converted) = (table.total(), table.conversions());
    if total <= 1.0 {
        return 0.0;
    }
    table.treatment_n * (table.control_n / total) * (converted / total) * ((total - converted) / (total - 1.0))
}

/// √(ΣPR/(2R²) + Σ(PS+QR)/(2RS) + ΣQS/(2S²)) with P = (a+d)/N, Q = (b+c)/N.
fn robins_breslow_greenland<'a>(strata: impl Iterator<Item = &'a Table>, up: f64, down: f64) -> Option<f64> {
    if up <= 0.0 || down <= 0.0 {
        return None;
    }
    let variance: f64 = strata
        .map(|table| {
            let (c, d) = (table.treatment_n - table.treatment_conversions, table.control_n - table.control_conversions);
            let (p, q) =
                ((table.treatment_conversions + d) / table.total(), (table.control_conversions + c) / table.total());
            let (r, s) = table.products();
            let (r, s) = (r / up, s / down);
            0.5 * (p * r / up + (p * s / up + q * r / down) + q * s / down)
        })
        .sum();
    variance.is_finite().then(|| variance.sqrt())
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
    fn one_stratum_is_its_own_ratio() {
        let result = mantel_haenszel(&[table((100.0, 10.0), (100.0, 20.0))]);
        assert!((result.odds_ratio.unwrap() - 2.25).abs() < 1e-14);
        assert!((result.risk_ratio.unwrap() - 2.0).abs() < 1e-14);
        // Woolf's standard error.
        let woolf = (1.0 / 10.0 + 1.0 / 90.0 + 1.0 / 20.0 + 1.0 / 80.0f64).sqrt();
        assert!((result.ln_odds_ratio_se.unwrap() - woolf).abs() < 1e-14);
    }

    #[test]
    fn nobody_converts() {
        let result = mantel_haenszel(&[table((100.0, 0.0), (100.0, 0.0)), table((0.0, 0.0), (5.0, 1.0))]);
        assert_eq!((result.odds_ratio, result.risk_ratio, result.cmh), (None, None, None));
        let result = mantel_haenszel(&[table((100.0, 0.0), (100.0, 3.0))]);
        assert_eq!((result.odds_ratio, result.ln_odds_ratio_se), (Some(f64::INFINITY), None));
    }

    #[test]
    fn the_correction_never_turns_the_difference_around() {
        let result = mantel_haenszel(&[table((100.0, 10.0), (100.0, 10.0))]);
        assert_eq!(result.cmh_corrected.unwrap().p_value, 1.0);
    }
}
