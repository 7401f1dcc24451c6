//! The root of a monotone function within a bracket.
//!
//! Chandrupatla (1997): inverse quadratic interpolation where the three last points allow it, halving otherwise. It needs no
//! derivative, never leaves the bracket, and takes about ten evaluations where plain halving takes fifty.

use libm::fabs;

/// Evaluations after which the bracket is as narrow as doubles allow, even if every step halved it.
const STEPS_MAX: u32 = 200;

/// Where `f` changes its sign between `low` and `high`, to `tolerance` (absolute) or to the spacing of doubles.
///
/// `None` when it has the same sign at both ends, or is not a number there.
pub(crate) fn root(low: f64, high: f64, tolerance: f64, mut f: impl FnMut(f64) -> f64) -> Option<f64> {
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (f(a), f(b));
    if fa == 0.0 {
        return Some(a);
    }
    if fb == 0.0 {
        return Some(b);
    }
    if fa.is_nan() || fb.is_nan() || (fa > 0.0) == (fb > 0.0) {
        return None;
    }
    let mut share = 0.5;
    for _ in 0..STEPS_MAX {
        let x = a + share * (b - a);
        let fx = f(x);
        // `c` is the point that was left behind; `a` becomes the newest and `b` stays on the other side of the root.
        let (c, fc);
        if (fx > 0.0) == (fa > 0.0) {
            (c, fc) = (a, fa);
        } else {
            (c, fc) = (b, fb);
            (b, fb) = (a, fa);
        }
        (a, fa) = (x, fx);
        let (best, smallest) = if fabs(fa) < fabs(fb) { (a, fa) } else { (b, fb) };
        let width = fabs(b - a);
        let least = (2.0 * f64::EPSILON * fabs(best) + tolerance) / width;
        if smallest == 0.0 || least > 0.5 {
            return Some(best);
        }
        let (xi, phi) = ((a - b) / (c - b), (fa - fb) / (fc - fb));
        let quadratic = phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi;
        share = if quadratic {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        };
        share = if share.is_nan() { 0.5 } else { share.clamp(least, 1.0 - least) };
    }
    Some(0.5 * (a + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use libm::{exp, log};

    #[test]
    fn steep_and_flat_functions() {
        let near = |got: Option<f64>, expected: f64| assert!(fabs(got.unwrap() - expected) < 1e-12, "{got:?}");
        near(root(0.0, 10.0, 1e-14, |x| exp(x) - 2.0), log(2.0));
        near(root(-100.0, 50.0, 1e-14, |x| x * x * x), 0.0);
        near(root(0.0, 1.0, 1e-14, |x| if x < 0.3 { -1.0 } else { 1.0 }), 0.3);
        assert_eq!(root(0.0, 1.0, 1e-14, |_| 1.0), None);
        assert_eq!(root(0.0, 1.0, 1e-14, |_| f64::NAN), None);
    }
}
