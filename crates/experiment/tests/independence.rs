//! Whether units fall evenly, and into each experiment independently of every other, even when salts and ids look alike.
//!
//! The textbook hash (multiply by 31, add a byte) fails what ours must pass, so the tests can tell.

use assay_experiment::assignment::{Tag, bucket};

const UNITS: usize = 10_000;
const SALTS: usize = 100;
const BINS: usize = 10;

/// Families of ids as services have them: counted, padded, random.
fn units(family: usize) -> Vec<String> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..UNITS)
        .map(|at| match family {
            0 => at.to_string(),
            1 => format!("user-{at:06}"),
            _ => format!("{:016x}{:016x}", random(), random()),
        })
        .collect()
}

/// The bin of each unit for each salt; salts differ in their last characters only.
fn bins(units: &[String], bucket: impl Fn(&str, &str) -> u32) -> Vec<Vec<u8>> {
    let bin = |salt: &str, unit: &String| (bucket(salt, unit) as usize * BINS / 1_000_000) as u8;
    (0..SALTS)
        .map(|salt| {
            let salt = format!("exp-{salt}");
            units.iter().map(|unit| bin(&salt, unit)).collect()
        })
        .collect()
}

/// Chi-square as a standard normal deviate (Wilson and Hilferty), near enough for thresholds.
fn deviate(counts: &[u32], degrees: f64) -> f64 {
    let expected = UNITS as f64 / counts.len() as f64;
    let sum: f64 = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let spread = 2.0 / (9.0 * degrees);
    ((sum / degrees).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// Deviates beyond these have a chance of one in a thousand and of one in a million.
const RARE: f64 = 3.09;
const NEVER: f64 = 4.75;

/// Of the salts: how many are not uniform by chance of one in a thousand, and the greatest deviate.
fn uneven(bins: &[Vec<u8>]) -> (usize, f64) {
    let deviates: Vec<f64> = bins
        .iter()
        .map(|bins| {
            let mut counts = [0u32; BINS];
            bins.iter().for_each(|bin| counts[*bin as usize] += 1);
            deviate(&counts, (BINS - 1) as f64)
        })
        .collect();
    (deviates.iter().filter(|it| **it > RARE).count(), deviates.into_iter().fold(f64::MIN, f64::max))
}

/// Of all pairs of salts: how many depend on each other by chance of one in a thousand, and the greatest deviate.
fn dependent(bins: &[Vec<u8>]) -> (usize, f64) {
    let (mut count, mut worst) = (0, f64::MIN);
    for (at, one) in bins.iter().enumerate() {
        for other in &bins[..at] {
            let mut counts = [0u32; BINS * BINS];
            one.iter().zip(other).for_each(|(one, other)| counts[*one as usize * BINS + *other as usize] += 1);
            let deviate = deviate(&counts, (BINS * BINS - 1) as f64);
            count += usize::from(deviate > RARE);
            worst = worst.max(deviate);
        }
    }
    (count, worst)
}

/// Five times what chance gives, of all pairs.
const DEPENDENT_MAX: usize = SALTS * (SALTS - 1) / 2 / 200;

#[test]
fn a_hundred_alike_salts_are_uniform_and_independent() {
    for family in 0..3 {
        let units = units(family);
        for tag in [Tag::Variant, Tag::Layer] {
            let bins = bins(&units, |salt, unit| bucket(tag, salt, "user", unit));
            let (count, worst) = uneven(&bins);
            assert!(count <= 3 && worst < NEVER, "family {family}: {count} salts are uneven, the worst by {worst}");
            let (count, worst) = dependent(&bins);
            assert!(
                count <= DEPENDENT_MAX,
                "family {family}: {count} pairs depend on each other, the worst by {worst}"
            );
            assert!(worst < 6.0, "family {family}: a pair depends on each other by {worst}");
        }
    }
}

#[test]
fn one_salt_is_independent_for_each_purpose() {
    let units = units(1);
    let tags = [Tag::Holdout, Tag::Layer, Tag::Variant, Tag::Rollout, Tag::Switchback];
    let bins: Vec<Vec<u8>> = tags
        .iter()
        .map(|tag| units.iter().map(|unit| (bucket(*tag, "exp-1", "user", unit) / 100_000) as u8).collect())
        .collect();
    let (count, worst) = dependent(&bins);
    assert!(count == 0 && worst < NEVER, "{count} pairs of tags depend on each other, the worst by {worst}");
}

#[test]
fn the_textbook_hash_fails_the_same_test() {
    let textbook = |salt: &str, unit: &str| {
        let mix = |hash: u32, byte: u8| hash.wrapping_mul(31).wrapping_add(u32::from(byte));
        salt.bytes().chain(unit.bytes()).fold(0u32, mix) % 1_000_000
    };
    let bins = bins(&units(1), textbook);
    let (count, worst) = dependent(&bins);
    assert!(
        count > 10 * DEPENDENT_MAX && worst > 100.0,
        "only {count} pairs depend on each other, the worst by {worst}"
    );
}

/// One flipped bit of a unit flips every bit of the bucket's hash half the time.
#[test]
fn a_bit_of_the_unit_changes_half_of_the_hash() {
    use assay_experiment::assignment::hash;
    const ROUNDS: usize = 4_000;
    let mut flips = [0usize; 64];
    for at in 0..ROUNDS {
        let unit = format!("user-{at:06}");
        let mut other = unit.clone().into_bytes();
        let byte = at % other.len();
        other[byte] ^= 1 << (at % 3);
        let other = String::from_utf8(other).expect("ASCII stays ASCII");
        let changed = hash(Tag::Variant, "s", "user", &unit) ^ hash(Tag::Variant, "s", "user", &other);
        (0..64).for_each(|bit| flips[bit] += (changed >> bit & 1) as usize);
    }
    for (bit, count) in flips.iter().enumerate() {
        let share = *count as f64 / ROUNDS as f64;
        assert!((share - 0.5).abs() < 0.05, "bit {bit} flips in {share} of the cases");
    }
}
