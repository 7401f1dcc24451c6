//! A Bloom filter whose probes all lie in one line of the cache, for keys that are hashes already.
//!
//! Putze, Sanders and Singler (2007), "Cache-, Hash- and Space-Efficient Bloom Filters": the high half of a key chooses a block, the low half
//! its bits. A lookup waits for memory once, where a plain filter does up to eight times; and keys that come sorted, as those of a run do,
//! fill it from front to back. The keys must be hashes that nobody outside can choose.

/// Knows for sure which keys were never added.
pub(crate) struct Filter {
    blocks: Vec<Block>,
}

#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Block([u64; 8]);

/// Bits for a key: with these, full filters say "perhaps" to about five in a thousand new keys.
const BITS_PER_KEY: usize = 12;
/// One in each word of a block.
const PROBE_BITS: u32 = 6;

impl Filter {
    /// For so many keys.
    pub fn new(capacity: usize) -> Self {
        Filter { blocks: vec![Block::default(); (capacity * BITS_PER_KEY).div_ceil(512).max(1)] }
    }

    pub fn add(&mut self, key: u128) {
        let place = self.place(key);
        for (word, bit) in self.blocks[place].0.iter_mut().zip(bits(key)) {
            *word |= bit;
        }
    }

    /// `false` if the key was never added.
    pub fn may_have(&self, key: u128) -> bool {
        self.blocks[self.place(key)].0.iter().zip(bits(key)).all(|(word, bit)| word & bit != 0)
    }

    /// Reads what [`Filter::may_have`] will read. The value means nothing.
    pub fn touch(&self, key: u128) -> u64 {
        self.blocks[self.place(key)].0[0] & 1
    }

    /// Bytes in memory.
    pub fn memory(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }

    /// In the order of the keys.
    fn place(&self, key: u128) -> usize {
        (((key >> 64) * self.blocks.len() as u128) >> 64) as usize
    }
}

/// Six bits of the low half for each of the eight words.
fn bits(key: u128) -> impl Iterator<Item = u64> {
    (0..8).map(move |word| 1 << (key as u64 >> (word * PROBE_BITS) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    #[test]
    fn it_knows_what_was_added_and_little_else() {
        let key = |number: u32| xxh3_128(&number.to_le_bytes());
        for count in [1, 1_000, 1 << 14, 300_000] {
            let mut filter = Filter::new(count as usize);
            (0..count).for_each(|number| filter.add(key(number)));
            assert!((0..count).all(|number| filter.may_have(key(number))));
            let wrong = (count..count + 200_000).filter(|&number| filter.may_have(key(number))).count();
            assert!(wrong < 200_000 / 100, "{wrong} of 200,000 new keys pass a filter for {count}");
        }
    }
}
