//! Gauss-Legendre quadrature, once over and by halving panels until they agree.
//!
//! The integrals of this crate are of smooth, positive functions whose scale is known, so that a rule of high order on a few panels gives
//! nearly all the digits of a double; Monte Carlo, which the field often uses for them, gives three.

use libm::{cos, exp, fabs, log};

/// Halvings after which a panel is taken as it is: its width is then below the spacing of doubles.
const HALVINGS_MAX: u32 = 48;

/// Panels that one integral may use. A function that needs more is not smooth, and more would not help.
const PANELS_MAX: usize = 2_000;

/// Points per panel of a hill.
const HILL_ORDER: usize = 20;

/// How far (in ln) a hill is followed down.
const HILL_DROP: f64 = 46.0;

/// Steps up or down a hill: each doubles or halves, so that these cross the whole range of doubles.
const CLIMB_MAX: u32 = 2_200;

/// Nodes and weights on [-1, 1].
#[derive(Debug, Clone)]
pub(crate) struct GaussLegendre {
    points: Vec<(f64, f64)>,
}

impl GaussLegendre {
    /// The rule with `order` points, exact for polynomials of degree `2 order - 1`.
    ///
    /// The nodes are the roots of the Legendre polynomial, by Newton from Tricomi's approximation.
    pub(crate) fn new(order: usize) -> GaussLegendre {
        let n = order as f64;
        let root = |i: usize| {
            let mut x = cos(std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5));
            let mut slope = 1.0;
            for _ in 0..8 {
                let (value, previous) = legendre(order, x);
                slope = n * (x * value - previous) / (x * x - 1.0);
                x -= value / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        };
        // From left to right, so that nodes of successive panels are sorted.
        GaussLegendre { points: (0..order).rev().map(root).collect() }
    }

    /// Nodes and weights on [`low`, `high`], sorted.
    pub(crate) fn on(&self, low: f64, high: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        self.points.iter().map(move |(x, weight)| (middle + half * x, half * weight))
    }

    /// The integral of `f` over [`low`, `high`] by the rule as it is.
    pub(crate) fn integrate(&self, low: f64, high: f64, f: &mut impl FnMut(f64) -> f64) -> f64 {
        self.on(low, high).map(|(x, weight)| weight * f(x)).sum()
    }

    /// The integral of `f` over the panels between `breaks` (sorted), each halved until its halves agree with it.
    ///
    /// `tolerance` is relative to the whole. Breaks belong where the function changes its character, because a rule can step over a
    /// narrow hill without seeing it.
    pub(crate) fn adaptive(&self, breaks: &[f64], tolerance: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
        let mut open: Vec<(f64, f64, f64, u32)> = breaks
            .windows(2)
            .filter(|ends| ends[1] > ends[0])
            .map(|ends| (ends[0], ends[1], self.integrate(ends[0], ends[1], &mut f), 0))
            .collect();
        let mut rough: f64 = open.iter().map(|panel| fabs(panel.2)).sum();
        let (mut sum, mut panels) = (0.0, open.len());
        while let Some((low, high, whole, depth)) = open.pop() {
            let middle = 0.5 * (low + high);
            let (left, right) = (self.integrate(low, middle, &mut f), self.integrate(middle, high, &mut f));
            let difference = fabs(left + right - whole);
            rough = rough.max(fabs(left + right));
            if difference <= tolerance * rough || depth == HALVINGS_MAX || panels >= PANELS_MAX {
                sum += left + right;
            } else {
                panels += 1;
                open.push((low, middle, left, depth + 1));
                open.push((middle, high, right, depth + 1));
            }
        }
        sum
    }
}

/// ln of the integral of e^f over the real line, where `f` is concave and falls without bound on both sides.
///
/// `tolerance` is relative; below the rounding of `f` it would only cost. Starts at `start` with steps of the size of `scale`, climbs to the top, and integrates down both sides until e^f is below 1e-20 of the
/// top. -inf when the top itself is no double.
pub(crate) fn ln_integral_of_hill(start: f64, scale: f64, tolerance: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (top, reach) = climb(start, scale, &f);
    let height = f(top);
    if height == f64::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    let mut breaks = descend(top, -reach, height, &f);
    breaks.reverse();
    breaks.push(top);
    breaks.extend(descend(top, reach, height, &f));
    let rule = GaussLegendre::new(HILL_ORDER);
    // A logarithm of this size carries so much rounding itself.
    let tolerance = tolerance.max(4.0 * f64::EPSILON * fabs(height));
    height + log(rule.adaptive(&breaks, tolerance, |x| exp(f(x) - height)))
}

/// A place near the top of a hill, and a distance over which it falls by about 1.
fn climb(start: f64, scale: f64, f: &impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut middle, mut step) = (start, scale);
    let mut height = f(middle);
    for _ in 0..CLIMB_MAX {
        let (left, right) = (f(middle - step), f(middle + step));
        if right > height || left > height {
            // Uphill, in growing steps.
            (middle, height) = if right > left { (middle + step, right) } else { (middle - step, left) };
            step *= 2.0;
        } else if height - left.min(right) > 2.0 {
            step *= 0.5;
        } else if height - left.max(right) < 0.1 && height - left.min(right) < 0.5 {
            step *= 2.0;
        } else {
            break;
        }
        if step == 0.0 || !step.is_finite() {
            break;
        }
    }
    (middle, step)
}

/// Places down one side, at doubling distances, until the hill has fallen by [`HILL_DROP`].
fn descend(top: f64, reach: f64, height: f64, f: &impl Fn(f64) -> f64) -> Vec<f64> {
    let mut places = Vec::new();
    let mut distance = reach;
    for _ in 0..CLIMB_MAX {
        places.push(top + distance);
        if height - f(top + distance) > HILL_DROP {
            break;
        }
        distance *= 2.0;
    }
    places
}

/// P_n(x) and P_{n-1}(x) by their recurrence.
fn legendre(order: usize, x: f64) -> (f64, f64) {
    let (mut value, mut previous) = (1.0, 0.0);
    for k in 0..order {
        let k = k as f64;
        (value, previous) = (((2.0 * k + 1.0) * x * value - k * previous) / (k + 1.0), value);
    }
    (value, previous)
}

#[cfg(test)]
mod tests {
    use super::*;
    use libm::sqrt;

    #[test]
    fn polynomials_are_exact() {
        let rule = GaussLegendre::new(8);
        let got = rule.integrate(0.0, 2.0, &mut |x: f64| 16.0 * libm::pow(x, 15.0));
        assert!(fabs(got / 65_536.0 - 1.0) < 1e-14, "{got}");
    }

    #[test]
    fn a_hill_and_a_singular_end_are_resolved() {
        let rule = GaussLegendre::new(20);
        let hill = rule.adaptive(&[-1.0, -1e-4, 1e-4, 1.0], 1e-14, |x| exp(-0.5 * x * x * 1e10));
        assert!(fabs(hill / (sqrt(2.0 * std::f64::consts::PI) * 1e-5) - 1.0) < 1e-12, "{hill}");
        let root = rule.adaptive(&[0.0, 1.0], 1e-14, sqrt);
        assert!(fabs(root * 1.5 - 1.0) < 1e-12, "{root}");
    }
}
