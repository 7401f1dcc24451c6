//! The conversions of a sub-table's units that may still be attributed differently.
//!
//! Chained through one vector instead of a list of its own for each unit, because most units have one or two, and allocating these one by
//! one costs more than everything else that is done for a conversion. A new one goes to the end, where the memory is warm. What was taken
//! out stays as a hole until [`KeptPool::pack`], which runs in turn for every sub-table: holes are never more than what was accepted since.

use crate::units::Conversion;
use assay_experiment::Timestamp;

/// A conversion that may still be attributed differently. Flat, so that a link takes 48 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    key: [u64; 2],
    time: Timestamp,
    value: i64,
    filters: u32,
    name: u16,
    /// Whether some metric counts it now.
    pub attributed: bool,
}

impl Kept {
    pub fn new(key: u128, conversion: Conversion, attributed: bool) -> Self {
        let Conversion { time, value, name, filters } = conversion;
        Kept { key: [(key >> 64) as u64, key as u64], time, value, filters, name, attributed }
    }

    /// Key of the duplicate memory.
    pub fn key(&self) -> u128 {
        u128::from(self.key[0]) << 64 | u128::from(self.key[1])
    }

    pub fn conversion(&self) -> Conversion {
        Conversion { time: self.time, value: self.value, name: self.name, filters: self.filters }
    }
}

/// The conversions of one unit, in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The newest, or [`END`].
    head: u32,
    /// How many.
    pub count: u32,
}

/// All chains of a sub-table.
#[derive(Debug, Default)]
pub(crate) struct KeptPool {
    links: Vec<Link>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    kept: Kept,
    /// The next older one, or [`END`].
    next: u32,
}

const END: u32 = u32::MAX;

impl Chain {
    pub const EMPTY: Chain = Chain { head: END, count: 0 };
}

impl KeptPool {
    pub fn push(&mut self, chain: &mut Chain, kept: Kept) {
        let at = u32::try_from(self.links.len()).ok().filter(|&at| at != END);
        let at = at.expect("a sub-table has fewer than 2^32 conversions that wait");
        self.links.push(Link { kept, next: chain.head });
        *chain = Chain { head: at, count: chain.count + 1 };
    }

    pub fn iter(&self, chain: Chain) -> impl Iterator<Item = &Kept> {
        let link = |at: u32| (at != END).then(|| &self.links[at as usize]);
        std::iter::successors(link(chain.head), move |found| link(found.next)).map(|link| &link.kept)
    }

    pub fn each(&mut self, chain: Chain, mut act: impl FnMut(&mut Kept)) {
        let mut next = chain.head;
        while next != END {
            let link = &mut self.links[next as usize];
            act(&mut link.kept);
            next = link.next;
        }
    }

    /// Takes out of a chain what is not wanted any more.
    pub fn retain(&mut self, chain: &mut Chain, mut wanted: impl FnMut(&Kept) -> bool) {
        let (mut next, mut last) = (chain.head, END);
        *chain = Chain::EMPTY;
        while next != END {
            let (at, link) = (next, self.links[next as usize]);
            next = link.next;
            if !wanted(&link.kept) {
                continue;
            }
            match last {
                END => chain.head = at,
                last => self.links[last as usize].next = at,
            }
            (last, chain.count) = (at, chain.count + 1);
        }
        if last != END {
            self.links[last as usize].next = END;
        }
    }

    /// Copies what is wanted of these chains, which are all there are, one unit after the other and without holes.
    pub fn pack<'a>(&mut self, chains: impl Iterator<Item = &'a mut Chain>, wanted: impl Fn(&Kept) -> bool) {
        let mut packed = Vec::with_capacity(self.links.len());
        for chain in chains.filter(|chain| chain.count > 0) {
            let mut next = chain.head;
            *chain = Chain::EMPTY;
            while next != END {
                let link = self.links[next as usize];
                next = link.next;
                if wanted(&link.kept) {
                    let at = packed.len() as u32;
                    // The next one of this unit comes right behind it.
                    packed.push(Link { next: at + 1, ..link });
                    chain.head = chain.head.min(at);
                    chain.count += 1;
                }
            }
            if chain.count > 0
                && let Some(last) = packed.last_mut()
            {
                last.next = END;
            }
        }
        if packed.capacity() > packed.len() * 2 {
            packed.shrink_to(packed.len() + packed.len() / 4);
        }
        self.links = packed;
    }

    /// Bytes in memory.
    pub fn memory(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(key: u128) -> Kept {
        let conversion = Conversion { time: Timestamp(key as i64), value: 1, name: 2, filters: 3 };
        Kept::new(key << 100 | key, conversion, false)
    }

    fn found(pool: &KeptPool, chain: Chain) -> Vec<Kept> {
        let all: Vec<Kept> = pool.iter(chain).copied().collect();
        assert_eq!(all.len(), chain.count as usize);
        all
    }

    #[test]
    fn a_link_is_three_quarters_of_a_cache_line() {
        assert_eq!(size_of::<Link>(), 48);
        assert_eq!(kept(7).key(), 7 << 100 | 7);
    }

    proptest! {
        /// Against a list for each unit.
        #[test]
        fn chains_are_lists(steps in prop::collection::vec((0usize..5, 0u8..8), 0..200)) {
            let mut pool = KeptPool::default();
            let (mut chains, mut lists) = ([Chain::EMPTY; 5], vec![Vec::<Kept>::new(); 5]);
            for (number, (unit, act)) in steps.into_iter().enumerate() {
                let odd = |kept: &Kept| kept.conversion().time.0 % 2 == 1;
                match act {
                    0 => {
                        pool.retain(&mut chains[unit], odd);
                        lists[unit].retain(odd);
                    }
                    1 => {
                        pool.pack(chains.iter_mut(), odd);
                        lists.iter_mut().for_each(|list| list.retain(odd));
                    }
                    2 => {
                        pool.each(chains[unit], |kept| kept.attributed = true);
                        lists[unit].iter_mut().for_each(|kept| kept.attributed = true);
                    }
                    _ => {
                        pool.push(&mut chains[unit], kept(number as u128));
                        lists[unit].insert(0, kept(number as u128));
                    }
                }
                for (&chain, list) in chains.iter().zip(&lists) {
                    prop_assert_eq!(&found(&pool, chain), list);
                }
            }
        }
    }
}
