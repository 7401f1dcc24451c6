//! Look records that are larger than a record of the log may be travel in pieces.

use crate::look::{Look, LookError};
use std::collections::VecDeque;
use xxhash_rust::xxh3::xxh3_128;

/// First byte of a piece; a whole look starts with another.
const PIECE: u8 = 2;
/// Marker, hash of the whole, index, count.
const HEAD: usize = 1 + 16 + 4 + 4;
/// Sets of pieces that may be incomplete at once: writers append a set in one go, so more than two mean that one was abandoned.
const SETS_MAX: usize = 4;

/// Parts the encoding of a look into records of at most `bytes_max`.
pub fn pieces(encoded: Vec<u8>, bytes_max: usize) -> Vec<Vec<u8>> {
    assert!(bytes_max > 2 * HEAD, "a piece has room for data");
    if encoded.len() <= bytes_max {
        return vec![encoded];
    }
    let hash = xxh3_128(&encoded);
    let chunks = encoded.chunks(bytes_max - HEAD);
    let count = chunks.len() as u32;
    let piece = |(index, data): (usize, &[u8])| {
        let mut out = Vec::with_capacity(HEAD + data.len());
        out.push(PIECE);
        out.extend_from_slice(&hash.to_le_bytes());
        out.extend_from_slice(&(index as u32).to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(data);
        out
    };
    chunks.enumerate().map(piece).collect()
}

/// Puts the pieces of one partition's looks together again.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Hash of the whole, its next piece, and what came so far.
    open: VecDeque<(u128, u32, Vec<u8>)>,
}

impl Assembler {
    /// Takes a record; gives the look that it completes. A set whose start was missed, or that was abandoned, is skipped.
    pub fn push(&mut self, record: &[u8]) -> Result<Option<Look>, LookError> {
        if record.first() != Some(&PIECE) || record.len() < HEAD {
            return Look::decode(record).map(Some);
        }
        let word = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().expect("four bytes"));
        let hash = u128::from_le_bytes(record[1..17].try_into().expect("sixteen bytes"));
        let (index, count, data) = (word(17), word(21), &record[HEAD..]);
        if index == 0 {
            // A repeat of the same look starts over.
            self.open.retain(|(known, ..)| *known != hash);
            self.open.push_back((hash, 0, Vec::new()));
            if self.open.len() > SETS_MAX {
                self.open.pop_front();
            }
        }
        let Some(at) = self.open.iter().position(|(known, next, _)| *known == hash && *next == index) else {
            return Ok(None);
        };
        let (_, next, bytes) = &mut self.open[at];
        bytes.extend_from_slice(data);
        *next += 1;
        if *next < count {
            return Ok(None);
        }
        let (_, _, bytes) = self.open.remove(at).expect("it was found there");
        Look::decode(&bytes).map(Some)
    }

    /// Whether no set is incomplete: a good place to go on reading from later.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Counters;
    use assay_experiment::{Span, Timestamp};

    fn look(log: &str) -> Look {
        Look {
            log: log.to_owned(),
            partition: 1,
            semantics: 1,
            length: Span::SECOND,
            first: 10,
            last: 12,
            previous: Some(Timestamp(10_000_000)),
            start_offset: 0,
            next_offset: 7,
            log_time: Timestamp(13_000_000),
            config: 1,
            definitions: Some(vec!["x".repeat(1_000)]),
            keyframe: true,
            counters: Counters::default(),
            experiments: Vec::new(),
            hash: 5,
        }
    }

    #[test]
    fn looks_in_pieces_come_together_again_whatever_lies_between() {
        let (one, other) = (look("one"), look("other"));
        let (first, second) = (pieces(one.encode(), 300), pieces(other.encode(), 300));
        assert!(first.len() > 2);
        let mut assembler = Assembler::default();
        // A writer that died after its first pieces, then two writers at once.
        assert_eq!(assembler.push(&first[1]), Ok(None));
        assert_eq!(assembler.push(&first[0]), Ok(None));
        let mut complete = Vec::new();
        for (a, b) in first.iter().zip(&second) {
            complete.extend(assembler.push(a).unwrap());
            complete.extend(assembler.push(b).unwrap());
        }
        assert_eq!(complete, [one.clone(), other]);
        assert!(assembler.is_idle());
        assert_eq!(pieces(one.encode(), 1 << 20).len(), 1);
        assert_eq!(assembler.push(&one.encode()), Ok(Some(one)));
    }
}
