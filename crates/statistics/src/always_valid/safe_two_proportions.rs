//! The safe test of two proportions (§1.10b; Turner, Ly and Grünwald, 2106.02693): exact for any rate, in blocks of one unit per arm.
//!
//! Before block j each arm's rate is estimated as `θ_k = (S_k + β)/(j + 2β)` from the blocks so far, β = 0.18 by default, and the null takes
//! their average. `E` is the product of the likelihood ratios of the blocks. The first block never counts, because both estimates are ½.
//!
//! The state depends on the order of arrival: it cannot be merged, so that whoever numbers the units must keep it. Units that find no partner in
//! the other arm wait. Where that is too much, [`super::label_test`] needs two integers.

use libm::{log, log1p};

/// β of the paper: the prior that is sharpest in the worst case.
pub const BETA: f64 = 0.18;

/// A fold over blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SafeTwoProportions {
    /// β.
    prior: f64,
    blocks: f64,
    control: f64,
    treatment: f64,
    ln_e: f64,
}

impl SafeTwoProportions {
    /// Before the first block. `prior` is β, above 0.
    pub fn new(prior: f64) -> SafeTwoProportions {
        assert!(prior > 0.0, "a prior is validated where it is read");
        SafeTwoProportions { prior, blocks: 0.0, control: 0.0, treatment: 0.0, ln_e: 0.0 }
    }

    /// One more block: whether each arm's unit converted.
    pub fn observe(&mut self, control: bool, treatment: bool) {
        let failures = (self.blocks - self.control, self.blocks - self.treatment);
        let own = |converted: bool, successes: (f64, f64), failures: (f64, f64)| {
            if converted { self.ln_ratio(successes.0, successes.1) } else { self.ln_ratio(failures.0, failures.1) }
        };
        let gain = own(control, (self.control, self.treatment), failures)
            + own(treatment, (self.treatment, self.control), (failures.1, failures.0));
        self.ln_e += gain;
        self.blocks += 1.0;
        self.control += f64::from(u8::from(control));
        self.treatment += f64::from(u8::from(treatment));
    }

    /// ln E of equal rates.
    pub fn ln_e(&self) -> f64 {
        self.ln_e
    }

    /// ln of an arm's estimate over the average of both: 2 (own + β)/(own + other + 2β).
    fn ln_ratio(&self, own: f64, other: f64) -> f64 {
        let all = own + other + 2.0 * self.prior;
        let excess = (own - other) / all;
        if excess > -0.5 { log1p(excess) } else { log(2.0 * (own + self.prior)) - log(all) }
    }
}
