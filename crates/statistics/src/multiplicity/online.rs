//! A stream of hypotheses, decided one after another (§7.2): the level of each is known before its p-value is.
//!
//! `γ` is a sequence that sums to 1; `R` the rejections so far, at times `τ_1 < τ_2 < …`; t counts from 1.
//!
//! * LOND: `α_t = α γ_t (R+1)`. Javanmard and Montanari (2015); for independent p-values.
//! * e-LOND: the same level, rejecting when `E ≥ 1/α_t`. Xu and Ramdas (2024); any dependence, so it is the default, with each experiment's final E.
//! * LORD++: `α_t = γ_t w_0 + (α-w_0) γ_{t-τ_1} + α Σ_{j≥2} γ_{t-τ_j}`. Ramdas, Yang, Wainwright and Jordan (1710.00499).
//! * SAFFRON: `(1-λ)` times the same, with clocks that stand still at candidates, `p ≤ λ`, at most λ. Ramdas, Zrnic, Wainwright and Jordan (1802.09098).
//! * ADDIS: `(τ-λ)` times the same, with clocks that also stand still at discarded p-values, `p > τ`, at most λ. Tian and Ramdas (1905.11465).
//!
//! `γ_j = 0.07720838 ln(max(j,2))/(j e^{√ln j})` for LOND and LORD, `0.4374901658 j^{-1.6}` for the adaptive two. All control the false discovery
//! rate at alpha under what their papers assume. Hypotheses come in the order of their decisions; a decision is never taken back.

use crate::alpha::Alpha;
use libm::{exp, log, pow, sqrt};

/// How the levels follow from what was decided before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Online {
    /// By the number of rejections; p-values.
    Lond,
    /// By the number of rejections; E-values.
    ELond,
    /// By the times of the rejections.
    LordPlusPlus {
        /// What is spent before the first rejection, at most alpha; alpha/2 is usual.
        w0: f64,
    },
    /// LORD++ that saves at candidates.
    Saffron {
        /// As for LORD++.
        w0: f64,
        /// What is a candidate; 0.5 is usual.
        lambda: f64,
    },
    /// SAFFRON that ignores what is conservative.
    Addis {
        /// As for LORD++.
        w0: f64,
        /// What is a candidate, below `tau`; 0.25 is usual.
        lambda: f64,
        /// What is discarded; 0.5 is usual.
        tau: f64,
    },
}

/// Why there is no such stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAStream {
    /// More than alpha would be spent.
    #[error("w0 lies between 0 and alpha")]
    Wealth,
    /// The clocks would stand still for ever.
    #[error("lambda lies between 0 and 1, and for ADDIS below tau, which is at most 1")]
    Candidates,
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The level the hypothesis was tested at.
    pub level: f64,
    /// Whether it was rejected.
    pub rejected: bool,
}

/// A stream so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    online: Online,
    alpha: Alpha,
    /// Ticks since the start and since each rejection, both counted from 1: the indices of γ.
    clocks: Vec<u64>,
}

impl Stream {
    /// Before the first hypothesis.
    pub fn new(online: Online, alpha: Alpha) -> Result<Stream, NotAStream> {
        let wealth = |w0: f64| if w0 > 0.0 && w0 <= alpha.value() { Ok(()) } else { Err(NotAStream::Wealth) };
        let below = |low: f64, high: f64| {
            if low > 0.0 && low < high && high <= 1.0 { Ok(()) } else { Err(NotAStream::Candidates) }
        };
        match online {
            Online::Lond | Online::ELond => {}
            Online::LordPlusPlus { w0 } => wealth(w0)?,
            Online::Saffron { w0, lambda } => wealth(w0).and(below(lambda, 1.0))?,
            Online::Addis { w0, lambda, tau } => wealth(w0).and(below(lambda, tau))?,
        }
        Ok(Stream { online, alpha, clocks: vec![1] })
    }

    /// The level of the next hypothesis.
    pub fn level(&self) -> f64 {
        let alpha = self.alpha.value();
        match self.online {
            Online::Lond | Online::ELond => alpha * slow(self.clocks[0]) * self.clocks.len() as f64,
            Online::LordPlusPlus { w0 } => self.wealth(w0, slow),
            Online::Saffron { w0, lambda } => ((1.0 - lambda) * self.wealth(w0, fast)).min(lambda),
            Online::Addis { w0, lambda, tau } => ((tau - lambda) * self.wealth(w0, fast)).min(lambda),
        }
    }

    /// Decides about the next hypothesis: by its p-value, or by its E-value for e-LOND.
    pub fn observe(&mut self, value: f64) -> Step {
        let level = self.level();
        let rejected = match self.online {
            Online::ELond => value >= 1.0 / level,
            _ => value <= level,
        };
        let ticks = match self.online {
            Online::Saffron { lambda, .. } => value > lambda,
            Online::Addis { lambda, tau, .. } => value > lambda && value <= tau,
            _ => true,
        };
        if ticks {
            self.clocks.iter_mut().for_each(|clock| *clock += 1);
        }
        if rejected {
            self.clocks.push(1);
        }
        Step { level, rejected }
    }

    /// γ of each clock, weighted: w_0 for the start, the rest of alpha for the first rejection, alpha for all others.
    fn wealth(&self, w0: f64, gamma: fn(u64) -> f64) -> f64 {
        let alpha = self.alpha.value();
        let weight = |index: usize| match index {
            0 => w0,
            1 => alpha - w0,
            _ => alpha,
        };
        self.clocks.iter().enumerate().map(|(index, &clock)| weight(index) * gamma(clock)).sum()
    }
}

/// γ of LOND and LORD.
fn slow(j: u64) -> f64 {
    let j = j as f64;
    0.07720838 * log(j.max(2.0)) / (j * exp(sqrt(log(j))))
}

/// γ of SAFFRON and ADDIS.
fn fast(j: u64) -> f64 {
    0.4374901658 * pow(j as f64, -1.6)
}
