//! Little-endian and variable-length integers for snapshots and look records.
//!
//! A format of our own rather than a serialisation crate's, because these bytes are hashed, kept for months and must not change with a dependency.

/// Bytes that end too early or cannot have been written by [`Bytes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are cut off or damaged at position {0}")]
pub struct Torn(pub usize);

/// Grows by appending.
#[derive(Debug, Default)]
pub struct Bytes {
    /// What was written.
    pub data: Vec<u8>,
}

impl Bytes {
    pub fn byte(&mut self, value: u8) {
        self.data.push(value);
    }

    /// LEB128.
    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.data.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.data.push(value as u8);
    }

    /// Zigzag, then LEB128.
    pub fn int(&mut self, value: i64) {
        self.uint(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Zigzag, then LEB128, for sums of squares.
    pub fn wide(&mut self, value: i128) {
        let mut value = ((value << 1) ^ (value >> 127)) as u128;
        while value >= 0x80 {
            self.data.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.data.push(value as u8);
    }

    pub fn fixed32(&mut self, value: u32) {
        self.data.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed64(&mut self, value: i64) {
        self.data.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed128(&mut self, value: u128) {
        self.data.extend_from_slice(&value.to_le_bytes());
    }

    pub fn text(&mut self, value: &str) {
        self.blob(value.as_bytes());
    }

    pub fn blob(&mut self, value: &[u8]) {
        self.uint(value.len() as u64);
        self.data.extend_from_slice(value);
    }
}

/// Reads what [`Bytes`] wrote.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Reader { data, at: 0 }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn is_done(&self) -> bool {
        self.at == self.data.len()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Torn> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.data.len()).ok_or(Torn(self.at))?;
        let taken = &self.data[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Torn> {
        Ok(self.take(N)?.try_into().expect("take returns what was asked for"))
    }

    pub fn byte(&mut self) -> Result<u8, Torn> {
        Ok(self.array::<1>()?[0])
    }

    pub fn uint(&mut self) -> Result<u64, Torn> {
        let start = self.at;
        u64::try_from(self.leb(64)?).map_err(|_| Torn(start))
    }

    pub fn int(&mut self) -> Result<i64, Torn> {
        let value = self.uint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn wide(&mut self) -> Result<i128, Torn> {
        let value = self.leb(128)?;
        Ok((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    fn leb(&mut self, bits: u32) -> Result<u128, Torn> {
        let (start, mut value, mut shift) = (self.at, 0u128, 0);
        loop {
            let byte = self.byte()?;
            let part = u128::from(byte & 0x7f);
            if shift >= bits || (part << shift) >> shift != part {
                return Err(Torn(start));
            }
            value |= part << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    pub fn fixed32(&mut self) -> Result<u32, Torn> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub fn fixed64(&mut self) -> Result<i64, Torn> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub fn fixed128(&mut self) -> Result<u128, Torn> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub fn text(&mut self) -> Result<&'a str, Torn> {
        let start = self.at;
        std::str::from_utf8(self.blob()?).map_err(|_| Torn(start))
    }

    pub fn blob(&mut self) -> Result<&'a [u8], Torn> {
        let count = self.count()?;
        self.take(count)
    }

    /// A length or count; never more than the bytes that are left, so that damaged input cannot ask for much memory.
    pub fn count(&mut self) -> Result<usize, Torn> {
        let start = self.at;
        let count = usize::try_from(self.uint()?).map_err(|_| Torn(start))?;
        if count > self.data.len() - self.at { Err(Torn(start)) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_is_read(a in any::<u64>(), b in any::<i64>(), c in any::<i128>(), d in any::<u128>(), e in ".*") {
            let mut out = Bytes::default();
            out.uint(a);
            out.int(b);
            out.wide(c);
            out.fixed128(d);
            out.text(&e);
            let mut from = Reader::new(&out.data);
            prop_assert_eq!(from.uint(), Ok(a));
            prop_assert_eq!(from.int(), Ok(b));
            prop_assert_eq!(from.wide(), Ok(c));
            prop_assert_eq!(from.fixed128(), Ok(d));
            prop_assert_eq!(from.text(), Ok(e.as_str()));
            prop_assert!(from.is_done());
        }

        #[test]
        fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut from = Reader::new(&data);
            while from.wide().is_ok() {}
            let _ = Reader::new(&data).text();
            let _ = Reader::new(&data).uint();
        }
    }
}
