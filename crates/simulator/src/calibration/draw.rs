//! Random numbers of one run: uniform, normal, exponential, and binomials by table.
//!
//! Every transcendental function comes from `libm`, so that a seed gives the same experiment on every machine. A batch of users is one
//! draw from a table instead of one draw per user: a hundred million users cost a million draws.

use crate::world::Random;
use libm::{exp, lgamma, log, log1p, sqrt};

/// The random numbers of one run.
pub(crate) struct Draw {
    random: Random,
    /// The polar method makes normals in pairs; the second waits here.
    spare: Option<f64>,
}

impl Draw {
    /// Those of run `run` of the scenario `id`: a run does not depend on which runs were simulated before it, nor on other scenarios.
    pub(crate) fn of(seed: u64, id: &str, run: u64) -> Draw {
        // FNV-1a names the scenario by a number.
        let name = id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let scenario = Random(seed ^ name).bits();
        Draw { random: Random(Random(scenario.wrapping_add(run)).bits()), spare: None }
    }

    /// Between 0 and 1, neither of them.
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.random.bits() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }

    /// Standard normal, by Marsaglia's polar method.
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = u * u + v * v;
            if square < 1.0 {
                let factor = sqrt(-2.0 * log(square) / square);
                self.spare = Some(v * factor);
                return u * factor;
            }
        }
    }

    /// exp of a normal with mean `mean` and standard deviation `sd`.
    pub(crate) fn lognormal(&mut self, mean: f64, sd: f64) -> f64 {
        exp(mean + sd * self.normal())
    }

    /// Exponential waiting time.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * log(self.uniform())
    }

    /// How many of `n` fair coins show heads: a word holds 64 of them.
    pub(crate) fn heads(&mut self, n: u32) -> u32 {
        let mut heads = (0..n / 64).map(|_| self.random.bits().count_ones()).sum();
        if !n.is_multiple_of(64) {
            heads += (self.random.bits() >> (64 - n % 64)).count_ones();
        }
        heads
    }

    /// How many trials fail before the next success; `ln_failure` is ln(1 - p).
    pub(crate) fn failures(&mut self, ln_failure: f64) -> u32 {
        (log(self.uniform()) / ln_failure).min(f64::from(u32::MAX)) as u32
    }
}

/// A binomial distribution, drawn by inversion.
pub(crate) struct Binomial {
    /// P(X <= k) as a share of 2^64, from `first` on.
    cumulative: Vec<u64>,
    first: u32,
    /// Where to start looking, by the top bits of the draw.
    guide: [u16; GUIDES],
}

/// Enough for two or three steps per draw, few enough for a family of a hundred tables to stay in the cache.
const GUIDES: usize = 64;
/// Outcomes rarer than this do not happen in any number of runs that anybody waits for.
const NEVER: f64 = 1e-20;

impl Binomial {
    /// Of `n` trials with success probability `p`.
    pub(crate) fn new(n: u32, p: f64) -> Binomial {
        let mass: Vec<f64> = (0..=n).map(|k| binomial_mass(n, p, k)).collect();
        let first = mass.iter().position(|&mass| mass > NEVER).unwrap_or(0);
        let last = mass.iter().rposition(|&mass| mass > NEVER).unwrap_or(0);
        let mut sum = 0.0;
        let mut cumulative: Vec<u64> = mass[first..=last]
            .iter()
            .map(|mass| {
                sum += mass;
                (sum * 18_446_744_073_709_551_616.0) as u64
            })
            .collect();
        *cumulative.last_mut().expect("a distribution has an outcome") = u64::MAX;
        let guide = std::array::from_fn(|at| {
            let least = (at as u64) << (64 - GUIDES.trailing_zeros());
            cumulative.partition_point(|&bound| bound < least) as u16
        });
        Binomial { cumulative, first: first as u32, guide }
    }

    /// Those of 0 to `n` trials.
    pub(crate) fn family(n: u32, p: f64) -> Vec<Binomial> {
        (0..=n).map(|n| Binomial::new(n, p)).collect()
    }

    /// A number of successes.
    pub(crate) fn draw(&self, draw: &mut Draw) -> u32 {
        let value = draw.random.bits();
        let mut at = usize::from(self.guide[(value >> (64 - GUIDES.trailing_zeros())) as usize]);
        while self.cumulative[at] < value {
            at += 1;
        }
        self.first + at as u32
    }
}

/// P(X = k) of a binomial.
pub(crate) fn binomial_mass(n: u32, p: f64, k: u32) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return f64::from(u8::from(k == if p <= 0.0 { 0 } else { n }));
    }
    let (n, k) = (f64::from(n), f64::from(k));
    exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(p) + (n - k) * log1p(-p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_moments() {
        let mut draw = Draw::of(1, "moments", 0);
        let check = |name: &str, mean: f64, variance: f64, next: &mut dyn FnMut(&mut Draw) -> f64, draw: &mut Draw| {
            let n = 100_000;
            let values: Vec<f64> = (0..n).map(|_| next(draw)).collect();
            let got = values.iter().sum::<f64>() / f64::from(n);
            let spread = values.iter().map(|value| (value - got) * (value - got)).sum::<f64>() / f64::from(n);
            assert!((got - mean).abs() < 5.0 * (variance / f64::from(n)).sqrt(), "{name}: mean {got}, not {mean}");
            assert!((spread / variance - 1.0).abs() < 0.05, "{name}: variance {spread}, not {variance}");
        };
        for (n, p) in [(100, 0.05), (100, 0.98), (500, 0.05), (1, 0.2), (7, 0.5)] {
            let table = Binomial::new(n, p);
            let (mean, variance) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            check("binomial", mean, variance, &mut |draw| f64::from(table.draw(draw)), &mut draw);
        }
        check("heads", 50.0, 25.0, &mut |draw| f64::from(draw.heads(100)), &mut draw);
        check("normal", 0.0, 1.0, &mut Draw::normal, &mut draw);
        check("exponential", 3.0, 9.0, &mut |draw| draw.exponential(3.0), &mut draw);
        let ln = log1p(-0.05);
        check("failures", 19.0, 380.0, &mut |draw| f64::from(draw.failures(ln)), &mut draw);
    }

    #[test]
    fn certain_outcomes_are_certain() {
        let mut draw = Draw::of(1, "certain", 0);
        for (n, p, expected) in [(0, 0.5, 0), (10, 0.0, 0), (10, 1.0, 10)] {
            assert_eq!(Binomial::new(n, p).draw(&mut draw), expected);
        }
    }
}
