//! Whether a test looks for an effect in one direction or in both: a type, because a call with 0 or 3 sides means nothing.

use crate::alpha::Alpha;
use crate::special::normal_upper_quantile;

/// The directions in which a test can reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Only upwards; a lower boundary does not exist.
    One,
    /// Upwards and downwards, half of alpha each.
    Two,
}

impl Sides {
    /// 1 or 2, as in formulas.
    pub fn count(self) -> u32 {
        match self {
            Sides::One => 1,
            Sides::Two => 2,
        }
    }

    /// What each side may spend of `alpha`.
    pub fn share(self, alpha: Alpha) -> Alpha {
        alpha.divided(self.count())
    }

    /// The critical value of a single look, z of alpha per side.
    pub fn critical(self, alpha: Alpha) -> f64 {
        normal_upper_quantile(self.share(alpha).value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_critical_values() {
        let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-14, "{got} is not {expected}");
        near(Sides::Two.critical(Alpha::FIVE_PERCENT), 1.959_963_984_540_054);
        near(Sides::One.critical(Alpha::FIVE_PERCENT), 1.644_853_626_951_472_7);
    }
}
