//! Winsorising: unit totals beyond a cap count as the cap (§6.2).
//!
//! A cap applies to a **unit's total**, never to a single event, and is one for all arms: a cap per arm would cut the better arm deeper.
//! [`Caps::fixed`] is exact under streaming, because a unit's capped value `min(max(y, lower), upper)` is replaced as y grows.
//! [`Caps::percentile`] takes the type-7 quantile of both arms together. Where results are looked at repeatedly it has to be frozen, at the
//! end of the waiting period or from data before the experiment: a cap that keeps moving breaks the martingale behind the always-valid
//! methods. Values and caps are in units of the metric.
//!
//! A test on capped values speaks of the capped mean. It does not promise anything about the mean itself.

use crate::double_double::DoubleDouble;
use crate::moments::Arm;
use crate::quantile::type7;

/// Bounds for unit totals; at least one side is usually given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Caps {
    /// Nothing counts for less, as for refunds.
    pub lower: Option<f64>,
    /// Nothing counts for more.
    pub upper: Option<f64>,
}

/// Caps of which the lower lies above the upper.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the lower cap {lower} lies above the upper cap {upper}: exchange them")]
pub struct CrossedCaps {
    /// The lower.
    pub lower: f64,
    /// The upper.
    pub upper: f64,
}

/// An arm of capped values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CappedArm {
    /// Moments of the capped values.
    pub arm: Arm,
    /// Units whose value was changed.
    pub capped: u64,
}

impl Caps {
    /// Given before the data.
    pub fn fixed(lower: Option<f64>, upper: Option<f64>) -> Result<Caps, CrossedCaps> {
        match (lower, upper) {
            (Some(lower), Some(upper)) if lower > upper => Err(CrossedCaps { lower, upper }),
            _ => Ok(Caps { lower, upper }),
        }
    }

    /// The upper cap at the `q` quantile of all arms together; `ignore_zeros` asks for the quantile of the units that have a value.
    /// Without such units there is no cap.
    pub fn percentile(arms: &[&[f64]], q: f64, ignore_zeros: bool) -> Caps {
        let mut values: Vec<f64> =
            arms.iter().flat_map(|arm| arm.iter()).copied().filter(|&value| !ignore_zeros || value != 0.0).collect();
        values.sort_by(f64::total_cmp);
        Caps { lower: None, upper: type7(&values, q) }
    }

    /// What a unit's total counts for.
    pub fn apply(&self, value: f64) -> f64 {
        let value = self.upper.map_or(value, |upper| value.min(upper));
        self.lower.map_or(value, |lower| value.max(lower))
    }

    /// The moments of an arm under the caps.
    pub fn arm(&self, values: &[f64]) -> CappedArm {
        let capped = values.iter().filter(|&&value| self.apply(value) != value).count() as u64;
        CappedArm { arm: moments(values.iter().map(|&value| self.apply(value))), capped }
    }
}

/// In two passes, so that a large offset costs no digits.
fn moments(values: impl Iterator<Item = f64> + Clone) -> Arm {
    let n = values.clone().count() as f64;
    if n == 0.0 {
        return Arm { n, mean: 0.0, m2: 0.0 };
    }
    let wide = DoubleDouble::from;
    let mean = values.clone().map(wide).sum::<DoubleDouble>() / wide(n);
    let m2 = values.map(|value| (wide(value) - mean) * (wide(value) - mean)).sum::<DoubleDouble>();
    Arm { n, mean: mean.value(), m2: m2.value().max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whale_counts_as_the_cap() {
        let caps = Caps::fixed(Some(-1.0), Some(10.0)).unwrap();
        let arm = caps.arm(&[-5.0, 0.0, 10.0, 1e9]);
        assert_eq!((arm.arm.mean, arm.capped), (19.0 / 4.0, 2));
    }

    #[test]
    fn no_payers_no_cap() {
        let caps = Caps::percentile(&[&[0.0, 0.0], &[0.0]], 0.999, true);
        assert_eq!((caps.upper, caps.arm(&[0.0]).capped), (None, 0));
    }

    #[test]
    fn crossed_caps_are_refused() {
        assert!(Caps::fixed(Some(1.0), Some(0.0)).is_err());
    }
}
