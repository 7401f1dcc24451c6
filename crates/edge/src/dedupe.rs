//! Exposures that were sent lately, so that a unit that asks a hundred times is told to the log once.
//!
//! Only a saving: what is sent twice is recognised by the log's readers. Rejected: to remember before the queue has the exposure, because
//! one that found no room would then be missing although the unit comes back.

use dashmap::DashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use xxhash_rust::xxh3::xxh3_128;

use crate::limits::{DEDUPE_MAX, DEDUPE_SECONDS};

/// Remembers for [`DEDUPE_SECONDS`], at most [`DEDUPE_MAX`].
#[derive(Default)]
pub struct Dedupe {
    /// Until which second, by the identity of the exposure.
    until: DashMap<u128, u64, BuildHasherDefault<Spread>>,
    count: AtomicUsize,
}

/// Identities are hashes already.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }
    fn write_u128(&mut self, identity: u128) {
        self.0 = identity as u64;
    }
}

/// What makes two exposures the same: every part counts, and lengths keep the parts apart.
pub fn identity(parts: &[&[u8]]) -> u128 {
    let mut framed = [0; 512];
    let mut length = 0;
    for part in parts {
        let end = length + 4 + part.len();
        // Longer than any that the format allows: the limits of ids add up to less.
        if end > framed.len() {
            let all: Vec<u8> =
                parts.iter().flat_map(|part| [&(part.len() as u32).to_le_bytes(), *part].concat()).collect();
            return xxh3_128(&all);
        }
        framed[length..length + 4].copy_from_slice(&(part.len() as u32).to_le_bytes());
        framed[length + 4..end].copy_from_slice(part);
        length = end;
    }
    xxh3_128(&framed[..length])
}

impl Dedupe {
    /// Whether it was sent lately.
    pub fn knows(&self, identity: u128, now_s: u64) -> bool {
        self.until.get(&identity).is_some_and(|until| now_s < *until)
    }

    /// It is on its way. At the bound it is not remembered, so that it may be sent again.
    pub fn remember(&self, identity: u128, now_s: u64) {
        if self.count.load(Ordering::Relaxed) >= DEDUPE_MAX {
            return;
        }
        if self.until.insert(identity, now_s + DEDUPE_SECONDS).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forgets what is over; to be called now and then, beside the answering threads.
    pub fn sweep(&self, now_s: u64) {
        self.until.retain(|_, until| {
            let keep = now_s < *until;
            if !keep {
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            keep
        });
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_known_for_a_while() {
        let (dedupe, one) = (Dedupe::default(), identity(&[b"a", b"bc"]));
        assert_ne!(one, identity(&[b"ab", b"c"]), "lengths keep parts apart");
        assert!(!dedupe.knows(one, 100));
        dedupe.remember(one, 100);
        dedupe.remember(one, 101);
        assert!(dedupe.knows(one, 700) && !dedupe.knows(one, 701));
        assert_eq!(dedupe.len(), 1);
        dedupe.sweep(701);
        assert_eq!((dedupe.len(), dedupe.until.len()), (0, 0));
        let long = [b'x'; 300];
        assert_ne!(identity(&[&long, &long]), identity(&[&long, &long[1..]]));
    }

    #[test]
    fn there_is_a_bound() {
        let dedupe = Dedupe::default();
        dedupe.count.store(DEDUPE_MAX, Ordering::Relaxed);
        dedupe.remember(1, 100);
        assert!(!dedupe.knows(1, 100));
    }
}
