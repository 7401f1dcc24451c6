//! Scheme xp1: which unit gets which variant, by hash alone, the same in Rust, in SQL and in the shared vectors.
//!
//! `bucket = (XXH3_64("xp1:" tag ":" len(salt) ":" salt ":" len(type) ":" type ":" len(unit) ":" unit) · 1,000,000) >> 64`.
//! Lengths are framed, so that no two different inputs are the same bytes. Ranges are half-open integers; there are no floats.

use crate::Experiment;
use xxhash_rust::xxh3::xxh3_64;

/// What a hash is for: different tags make independent draws from the same salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Holdout.
    Holdout,
    /// Slot of a layer.
    Layer,
    /// Variant of an experiment.
    Variant,
    /// Rollout of a flag.
    Rollout,
    /// Switchback slot.
    Switchback,
}

/// How many buckets there are.
pub const BUCKETS: u32 = 1_000_000;

impl Tag {
    /// The letter that stands for it.
    pub fn letter(self) -> &'static str {
        match self {
            Tag::Holdout => "H",
            Tag::Layer => "L",
            Tag::Variant => "V",
            Tag::Rollout => "R",
            Tag::Switchback => "S",
        }
    }

    /// The tag that a letter stands for.
    pub fn from_letter(letter: &str) -> Option<Tag> {
        let all = [Tag::Holdout, Tag::Layer, Tag::Variant, Tag::Rollout, Tag::Switchback];
        all.into_iter().find(|tag| tag.letter() == letter)
    }
}

/// The 64-bit hash of a unit for a purpose.
pub fn hash(tag: Tag, salt: &str, unit_type: &str, unit: &str) -> u64 {
    let mut framed = Frame::start(tag, salt, unit_type);
    framed.push_part(unit);
    xxh3_64(framed.as_slice())
}

/// A draw that unit after unit makes: everything that is hashed but the unit, put together once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw(Box<[u8]>);

impl Draw {
    /// For a purpose, from a salt, among the units of a type.
    pub fn new(tag: Tag, salt: &str, unit_type: &str) -> Draw {
        Draw(Frame::start(tag, salt, unit_type).as_slice().into())
    }

    /// The bucket that a unit draws, as [`bucket`] has it.
    pub fn bucket(&self, unit: &str) -> u32 {
        let mut framed = Frame::empty();
        framed.push(&self.0);
        framed.push_part(unit);
        bucket_of(xxh3_64(framed.as_slice()))
    }
}

/// The bucket of a unit, from 0 to 999,999.
pub fn bucket(tag: Tag, salt: &str, unit_type: &str, unit: &str) -> u32 {
    bucket_of(hash(tag, salt, unit_type, unit))
}

/// The bucket of a hash.
pub fn bucket_of(hash: u64) -> u32 {
    ((u128::from(hash) * u128::from(BUCKETS)) >> 64) as u32
}

/// Index of the variant that the hash gives a unit, whether or not the layer lets it in. `None` without a salt.
pub fn variant_by_hash(experiment: &Experiment, unit_type: &str, unit: &str) -> Option<usize> {
    let bucket = bucket(Tag::Variant, experiment.salt.as_deref()?, unit_type, unit);
    variant_ranges(experiment).position(|(start, end)| (start..end).contains(&bucket))
}

/// The half-open bucket range of each variant, in the order of the definition: cumulative weights, rounded down.
pub fn variant_ranges(experiment: &Experiment) -> impl Iterator<Item = (u32, u32)> + '_ {
    let total: u128 = experiment.variants.iter().map(|variant| u128::from(variant.weight)).sum();
    let mut sum = 0u128;
    experiment.variants.iter().map(move |variant| {
        let bound = |sum: u128| (sum * u128::from(BUCKETS)).checked_div(total).unwrap_or(0) as u32;
        let start = bound(sum);
        sum += u128::from(variant.weight);
        (start, bound(sum))
    })
}

/// Whether a unit's slot of a layer lies in one of the ranges.
pub fn in_slots(layer_salt: &str, slots: &[(u32, u32)], unit_type: &str, unit: &str) -> bool {
    let slot = bucket(Tag::Layer, layer_salt, unit_type, unit);
    slots.iter().any(|&(start, end)| (start..end).contains(&slot))
}

/// Salts and units are short, and what is on the stack has to be cleared each time.
const FRAME_BYTES: usize = 192;

/// Bytes on the stack in the usual case.
struct Frame {
    bytes: [u8; FRAME_BYTES],
    length: usize,
    spilled: Vec<u8>,
}

impl Frame {
    fn empty() -> Frame {
        Frame { bytes: [0; FRAME_BYTES], length: 0, spilled: Vec::new() }
    }

    fn start(tag: Tag, salt: &str, unit_type: &str) -> Frame {
        let mut framed = Frame::empty();
        framed.push(b"xp1:");
        framed.push(tag.letter().as_bytes());
        framed.push_part(salt);
        framed.push_part(unit_type);
        framed
    }

    fn push_part(&mut self, part: &str) {
        self.push(b":");
        self.push_number(part.len());
        self.push(b":");
        self.push(part.as_bytes());
    }

    fn push(&mut self, part: &[u8]) {
        if self.spilled.is_empty() && self.length + part.len() <= self.bytes.len() {
            self.bytes[self.length..][..part.len()].copy_from_slice(part);
            self.length += part.len();
            return;
        }
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(&self.bytes[..self.length]);
        }
        self.spilled.extend_from_slice(part);
    }

    fn push_number(&mut self, number: usize) {
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }

    fn as_slice(&self) -> &[u8] {
        if self.spilled.is_empty() { &self.bytes[..self.length] } else { &self.spilled }
    }
}
