//! Switchbacks (§9.2): a market is given one arm for a block of time, then perhaps the other, and blocks are compared.
//!
//! Block b covers `[b L, (b+1) L)` of time, and an event belongs to the block of **its own** timestamp, not of its arrival. What the
//! previous arm left behind is cut off: an event is kept when its offset in the block is at least the burn-in. With
//! [`BurnIn::OnSwitch`] only blocks whose arm differs from the previous block's have a burn-in, and the first block has none.
//! For carry-over of order m only blocks preceded by m blocks of the same arm are used (Bojinov, Simchi-Levi and Zhao, 2009.00148).
//!
//! The blocks are then the clusters of [`super::cluster_robust`], with the ratio `Σ sum / Σ count` per arm as the estimate. Beside it stand
//! Welch's t of the blocks' means, and a check on serial correlation: the standard error of the difference of block means by Newey and West
//! (1987) with Bartlett weights at lag 1, `√(Σu² + Σ u_b u_(b-1))` with `u = ±(mean_b - mean of arm)/(number of the arm's blocks)`. When it
//! is much above Welch's, blocks are too short. Times are in any one unit, usually seconds.
//!
//! It does not promise that carry-over is gone: the burn-in must outlast it.

use super::cluster_robust::{Cluster, ClusterRobust, NotEstimable, cluster_robust, unweighted};
use crate::alpha::Alpha;
use crate::fixed_horizon::Test;

/// What a block was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockArm {
    /// The old.
    Control,
    /// The new.
    Treatment,
}

/// How long a block's events do not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BurnIn {
    /// At the start of every block.
    Always(f64),
    /// At the start of a block whose arm differs from the previous one's.
    OnSwitch(f64),
}

/// The plan of blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    length: f64,
    burn_in: BurnIn,
    carry_over: usize,
    arms: Vec<BlockArm>,
}

/// A plan that keeps no event.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "blocks have a length above 0 and a burn-in from 0 to below the length, and {length} with {burn_in} is not that"
)]
pub struct NoSchedule {
    /// L.
    pub length: f64,
    /// The burn-in.
    pub burn_in: f64,
}

/// Where an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To the block with this position.
    Block(usize),
    /// To none: it may still be the previous arm's.
    BurnIn,
    /// To none: before the first block or after the last.
    Outside,
}

impl Schedule {
    /// Blocks one after the other from time 0. `carry_over` is m, usually 0.
    pub fn new(length: f64, burn_in: BurnIn, carry_over: usize, arms: Vec<BlockArm>) -> Result<Schedule, NoSchedule> {
        let (BurnIn::Always(wait) | BurnIn::OnSwitch(wait)) = burn_in;
        if length > 0.0 && length.is_finite() && wait >= 0.0 && wait < length {
            Ok(Schedule { length, burn_in, carry_over, arms })
        } else {
            Err(NoSchedule { length, burn_in: wait })
        }
    }

    /// Where an event at this time belongs.
    pub fn place(&self, at: f64) -> Place {
        let mut block = (at / self.length).floor();
        // The quotient may round up to the next block.
        if block * self.length > at {
            block -= 1.0;
        }
        if !(block >= 0.0 && block < self.arms.len() as f64) {
            return Place::Outside;
        }
        let (position, offset) = (block as usize, at - block * self.length);
        if offset >= self.wait(position) { Place::Block(position) } else { Place::BurnIn }
    }

    /// The burn-in of a block.
    fn wait(&self, block: usize) -> f64 {
        match self.burn_in {
            BurnIn::Always(wait) => wait,
            BurnIn::OnSwitch(wait) if block > 0 && self.arms[block] != self.arms[block - 1] => wait,
            BurnIn::OnSwitch(_) => 0.0,
        }
    }

    /// Whether m blocks of the same arm come before it.
    fn settled(&self, block: usize) -> bool {
        block >= self.carry_over && (block - self.carry_over..block).all(|before| self.arms[before] == self.arms[block])
    }

    /// The blocks of an arm that are used, with what was kept in them.
    fn of_arm(&self, kept: &[Cluster], arm: BlockArm) -> Vec<Cluster> {
        (0..kept.len())
            .filter(|&block| self.arms[block] == arm && self.settled(block))
            .map(|block| kept[block])
            .collect()
    }
}

/// Sums of the events that were kept, block by block. Adding is commutative, so events may arrive in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct Switchback {
    schedule: Schedule,
    /// Number and sum of the kept events of each block.
    pub kept: Vec<Cluster>,
    /// Events in a burn-in.
    pub dropped: u64,
    /// Events outside all blocks.
    pub outside: u64,
}

impl Switchback {
    /// Without events.
    pub fn new(schedule: Schedule) -> Switchback {
        let kept = vec![Cluster { n: 0.0, sum: 0.0 }; schedule.arms.len()];
        Switchback { schedule, kept, dropped: 0, outside: 0 }
    }

    /// One more event.
    pub fn add(&mut self, at: f64, value: f64) {
        match self.schedule.place(at) {
            Place::Block(block) => {
                self.kept[block].n += 1.0;
                self.kept[block].sum += value;
            }
            Place::BurnIn => self.dropped += 1,
            Place::Outside => self.outside += 1,
        }
    }

    /// The default: ratio of sums per arm, with blocks as clusters.
    pub fn ratio(&self) -> Result<ClusterRobust, NotEstimable> {
        cluster_robust(&self.of(BlockArm::Control), &self.of(BlockArm::Treatment))
    }

    /// Welch's t of the blocks' means. `None` (degenerate) without variance or below two blocks in an arm.
    pub fn block_means(&self, alpha: Alpha) -> Option<Test> {
        unweighted(&self.of(BlockArm::Control), &self.of(BlockArm::Treatment), alpha)
    }

    /// Mean of the treated blocks' means less that of the others; `None` when an arm has no block with events.
    pub fn block_mean_difference(&self) -> Option<f64> {
        Some(self.mean_of_means(BlockArm::Treatment)?.0 - self.mean_of_means(BlockArm::Control)?.0)
    }

    /// Newey and West's variance of the difference of block means at lag 1. `None` when an arm has no block with events. Blocks without
    /// events are gaps: their neighbours are no neighbours of each other.
    pub fn hac_variance(&self) -> Option<f64> {
        let (control, treatment) = (self.mean_of_means(BlockArm::Control)?, self.mean_of_means(BlockArm::Treatment)?);
        let (mut variance, mut previous) = (0.0, 0.0);
        for (block, cluster) in self.kept.iter().enumerate() {
            let score = match self.schedule.arms[block] {
                _ if cluster.n <= 0.0 || !self.schedule.settled(block) => 0.0,
                BlockArm::Control => -(cluster.sum / cluster.n - control.0) / control.1,
                BlockArm::Treatment => (cluster.sum / cluster.n - treatment.0) / treatment.1,
            };
            // Bartlett's weight at lag 1 is a half, and the pair counts twice.
            variance += score * score + score * previous;
            previous = score;
        }
        variance.is_finite().then(|| variance.max(0.0))
    }

    fn of(&self, arm: BlockArm) -> Vec<Cluster> {
        self.schedule.of_arm(&self.kept, arm)
    }

    /// The mean of an arm's block means, and the number of blocks with events.
    fn mean_of_means(&self, arm: BlockArm) -> Option<(f64, f64)> {
        let means: Vec<f64> =
            self.of(arm).iter().filter(|block| block.n > 0.0).map(|block| block.sum / block.n).collect();
        let n = means.len() as f64;
        (n > 0.0).then(|| (means.iter().map(|mean| mean / n).sum(), n))
    }
}

#[cfg(test)]
mod tests {
    use super::BlockArm::{Control, Treatment};
    use super::*;

    fn schedule(burn_in: BurnIn, carry_over: usize) -> Schedule {
        Schedule::new(10.0, burn_in, carry_over, vec![Control, Control, Treatment, Treatment]).unwrap()
    }

    #[test]
    fn burn_in_includes_its_end() {
        let always = schedule(BurnIn::Always(3.0), 0);
        assert_eq!(
            [-1.0, 0.0, 2.9, 3.0, 9.9, 10.0, 39.9, 40.0].map(|at| always.place(at)),
            [
                Place::Outside,
                Place::BurnIn,
                Place::BurnIn,
                Place::Block(0),
                Place::Block(0),
                Place::BurnIn,
                Place::Block(3),
                Place::Outside
            ]
        );
        let switch = schedule(BurnIn::OnSwitch(3.0), 0);
        assert_eq!(
            [0.0, 10.0, 20.0, 30.0].map(|at| switch.place(at)),
            [Place::Block(0), Place::Block(1), Place::BurnIn, Place::Block(3)]
        );
        assert!(Schedule::new(10.0, BurnIn::Always(10.0), 0, vec![]).is_err());
    }

    #[test]
    fn a_boundary_that_no_double_hits_belongs_to_the_later_block() {
        let schedule = Schedule::new(0.1, BurnIn::Always(0.0), 0, vec![Control; 20]).unwrap();
        for block in 0..20 {
            assert_eq!(schedule.place(f64::from(block) * 0.1), Place::Block(block as usize));
        }
    }

    #[test]
    fn carry_over_leaves_the_second_of_a_run() {
        let mut switchback = Switchback::new(schedule(BurnIn::Always(0.0), 1));
        [5.0, 15.0, 25.0, 35.0].iter().for_each(|&at| switchback.add(at, at));
        assert_eq!(switchback.block_mean_difference(), Some(20.0));
        assert_eq!(switchback.ratio(), Err(NotEstimable::TooFewClusters));
    }
}
