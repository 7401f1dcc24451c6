//! The alarm for Simpson's paradox (§8.3): the segments say one thing, their sum another.
//!
//! It fires when every stratum with enough units has an effect of the sign opposite to the unstratified d, or when stratifying moves d by
//! more than chance allows while the segments are unbalanced between the arms:
//!
//! ```text
//! |d - d_ps| > 3 √(|V - V_ps| + 1e-12 V)   and   p of the balance table < .001
//! ```
//!
//! Either means that the arms hold different mixtures of units, usually because exposure is lost on one platform. The answer is to block the
//! decision, mend the assignment and restart; neither of the two effects can be trusted. Silence does not promise that segments outside the
//! table are balanced.

use super::balance::ALARM as BALANCE_ALARM;
use super::post_stratification::{Stratum, post_stratify, unstratified};

/// Units per arm below which a stratum's sign is noise.
pub const STRATUM_UNITS_MIN: f64 = 50.0;
/// Standard errors that stratifying may move the effect by: 3, which chance alone exceeds in 1 of 370.
const SHIFT_MAX: f64 = 3.0;

/// What the strata say against their sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simpson {
    /// d of all units, whatever their stratum.
    pub unstratified_effect: f64,
    /// V of it.
    pub unstratified_variance: f64,
    /// Every stratum that is large enough has the opposite sign; at least two are.
    pub reversal: bool,
    /// The strata are unbalanced, and stratifying moves the effect.
    pub shifted: bool,
}

impl Simpson {
    /// Whether decisions are to be blocked.
    pub fn alarm(&self) -> bool {
        self.reversal || self.shifted
    }
}

/// Compares the strata with their sum. `balance_p_value` is of the table of strata by arm, [`super::balance::categorical`]. `None` without strata.
pub fn simpson(strata: &[Stratum], balance_p_value: f64) -> Option<Simpson> {
    let whole = unstratified(strata)?;
    let (effect, variance) = (whole.effect(), whole.variance());
    let large = |stratum: &&Stratum| stratum.control.n.min(stratum.treatment.n) >= STRATUM_UNITS_MIN;
    let opposite =
        |stratum: &Stratum| (effect > 0.0 && stratum.effect() < 0.0) || (effect < 0.0 && stratum.effect() > 0.0);
    let reversal = strata.iter().filter(large).count() >= 2 && strata.iter().filter(large).all(opposite);
    let shifted = post_stratify(strata, None).is_some_and(|post| {
        let noise = ((variance - post.variance).abs() + 1e-12 * variance).sqrt();
        (effect - post.effect).abs() > SHIFT_MAX * noise
    });
    Some(Simpson {
        unstratified_effect: effect,
        unstratified_variance: variance,
        reversal,
        shifted: shifted && balance_p_value < BALANCE_ALARM,
    })
}

#[cfg(test)]
mod tests {
    use super::super::balance;
    use super::*;
    use crate::moments::Arm;

    #[test]
    fn plus_five_overall_and_minus_two_in_both() {
        let conversions = Arm::of_conversions;
        let strata = [
            Stratum { control: conversions(50_000.0, 1_500.0), treatment: conversions(43_370.0, 1_275.0) },
            Stratum { control: conversions(50_000.0, 5_000.0), treatment: conversions(56_630.0, 5_550.0) },
        ];
        let sizes = [vec![50_000.0, 50_000.0], vec![43_370.0, 56_630.0]];
        let simpson = simpson(&strata, balance::categorical(&sizes).test.p_value).unwrap();
        assert!(simpson.reversal && simpson.shifted && simpson.alarm());
    }

    #[test]
    fn a_difference_in_one_small_stratum_is_no_alarm() {
        let arm = |mean| Arm { n: 40.0, mean, m2: 40.0 };
        let strata =
            [Stratum { control: arm(0.0), treatment: arm(-1.0) }, Stratum { control: arm(0.0), treatment: arm(2.0) }];
        assert!(!simpson(&strata, 1.0).unwrap().alarm());
        assert_eq!(simpson(&[], 1.0), None);
    }
}
