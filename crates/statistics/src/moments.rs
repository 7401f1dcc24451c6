//! From exact integer sums to mean and M2 (sum of squared deviations), §10: no cancellation, whatever the offset.

/// Sums over the units of an arm. Values are integers, `1 / scale` units each (micro-units have a scale of 10^6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums {
    /// Number of units.
    pub n: i64,
    /// Number of units whose y is not zero.
    pub nonzero: i64,
    /// Σy.
    pub y: i128,
    /// Σy².
    pub yy: i128,
    /// Σx, of the denominator or covariate.
    pub x: i128,
    /// Σx².
    pub xx: i128,
    /// Σxy.
    pub xy: i128,
}

/// An arm of a comparison: what the tests need of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// Number of units.
    pub n: f64,
    /// Mean per unit.
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub m2: f64,
}

impl Arm {
    /// Sample variance, 0 below two units.
    pub fn variance(&self) -> f64 {
        if self.n < 2.0 { 0.0 } else { self.m2 / (self.n - 1.0) }
    }

    /// An arm of units with value 0 or 1.
    pub fn of_conversions(n: f64, conversions: f64) -> Arm {
        if n <= 0.0 {
            return Arm { n: 0.0, mean: 0.0, m2: 0.0 };
        }
        Arm { n, mean: conversions / n, m2: conversions * (n - conversions) / n }
    }
}

/// Σ(a - ā)(b - b̄) from integer sums: with a = qa + ra/n, the large parts cancel as integers.
fn centred(n: i64, a: i128, b: i128, ab: i128) -> f64 {
    let n = i128::from(n);
    let (qa, ra) = (a.div_euclid(n), a.rem_euclid(n));
    let (qb, rb) = (b.div_euclid(n), b.rem_euclid(n));
    let whole = ab - n * qa * qb - qa * rb - qb * ra;
    whole as f64 - (ra as f64) * (rb as f64) / n as f64
}

impl Sums {
    /// The arm of y, in units.
    pub fn arm(&self, scale: f64) -> Arm {
        if self.n <= 0 {
            return Arm { n: 0.0, mean: 0.0, m2: 0.0 };
        }
        let m2 = centred(self.n, self.y, self.y, self.yy).max(0.0);
        Arm { n: self.n as f64, mean: mean(self.y, self.n, scale), m2: m2 / scale / scale }
    }

    /// The ratio Σy/Σx as the mean of the linearised unit value (y - R x)/x̄ (§3.3), so that every method for means serves ratios.
    /// `None` when Σx is 0.
    pub fn ratio_arm(&self, scale: f64) -> Option<Arm> {
        if self.n <= 0 || self.x == 0 {
            return None;
        }
        let ratio = self.y as f64 / self.x as f64;
        let mean_x = mean(self.x, self.n, scale);
        let (yy, xx, xy) = (
            centred(self.n, self.y, self.y, self.yy),
            centred(self.n, self.x, self.x, self.xx),
            centred(self.n, self.x, self.y, self.xy),
        );
        let m2 = (yy - 2.0 * ratio * xy + ratio * ratio * xx).max(0.0) / scale / scale / (mean_x * mean_x);
        Some(Arm { n: self.n as f64, mean: ratio, m2 })
    }

    /// Mean of x, M2 of x, and the centred cross product of x and y.
    pub fn covariate(&self, scale: f64) -> (f64, f64, f64) {
        if self.n <= 0 {
            return (0.0, 0.0, 0.0);
        }
        let m2 = centred(self.n, self.x, self.x, self.xx).max(0.0) / scale / scale;
        (mean(self.x, self.n, scale), m2, centred(self.n, self.x, self.y, self.xy) / scale / scale)
    }
}

fn mean(sum: i128, n: i64, scale: f64) -> f64 {
    sum as f64 / (n as f64 * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_offset_loses_nothing() {
        let values = [1_000_000_000_000_001i128, 1_000_000_000_000_002, 1_000_000_000_000_003];
        let sums = Sums { n: 3, y: values.iter().sum(), yy: values.iter().map(|y| y * y).sum(), ..Sums::default() };
        assert_eq!(sums.arm(1.0).m2, 2.0);
    }
}
