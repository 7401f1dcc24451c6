//! A file of records: each framed by its length and a CRC32C, so that a torn end is recognised.

use crate::log::{Batch, Error, NewRecord, Offset, encode_headers};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Length and checksum.
const FRAME: usize = 8;
/// Offset, time, and the lengths of key, headers and payload.
const HEAD: usize = 28;
/// Marks a record without key.
const NO_KEY: u32 = u32::MAX;
/// Largest record; anything larger in a file is damage.
pub(crate) const RECORD_MAX: usize = 64 << 20;

/// Appends the frame of a record.
pub(crate) fn encode(offset: u64, timestamp_ms: i64, record: &NewRecord<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME]);
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&timestamp_ms.to_le_bytes());
    out.extend_from_slice(&record.key.map_or(NO_KEY, |key| key.len() as u32).to_le_bytes());
    let headers_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(record.payload.len() as u32).to_le_bytes());
    out.extend_from_slice(record.key.unwrap_or_default());
    let before = out.len();
    encode_headers(record.headers, out);
    let headers = (out.len() - before) as u32;
    out[headers_at..headers_at + 4].copy_from_slice(&headers.to_le_bytes());
    out.extend_from_slice(record.payload);
    let body = (out.len() - start - FRAME) as u32;
    let checksum = crc32c::crc32c(&out[start + FRAME..]);
    out[start..start + 4].copy_from_slice(&body.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
}

/// What stands at a position of a file.
pub(crate) enum Found<'a> {
    /// A whole record, and the length of its frame.
    Record { frame: usize, offset: u64, timestamp_ms: i64, key: Option<&'a [u8]>, headers: &'a [u8], payload: &'a [u8] },
    /// Fewer bytes than its frame says; this many are needed.
    Short(usize),
    /// No record can look like this.
    Damaged,
}

/// Reads the frame at the start of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Found<'_> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    if bytes.len() < FRAME {
        return Found::Short(FRAME);
    }
    let length = word(0);
    if !(HEAD..=RECORD_MAX).contains(&length) {
        return Found::Damaged;
    }
    if bytes.len() < FRAME + length {
        return Found::Short(FRAME + length);
    }
    let body = &bytes[FRAME..FRAME + length];
    if crc32c::crc32c(body) as usize != word(4) {
        return Found::Damaged;
    }
    let long = |at: usize| u64::from_le_bytes(body[at..at + 8].try_into().expect("eight bytes"));
    let (key, headers, payload) = (word(FRAME + 16) as u32, word(FRAME + 20), word(FRAME + 24));
    let key_length = if key == NO_KEY { 0 } else { key as usize };
    if HEAD + key_length + headers + payload != length {
        return Found::Damaged;
    }
    let parts = &body[HEAD..];
    Found::Record {
        frame: FRAME + length,
        offset: long(0),
        timestamp_ms: long(8) as i64,
        key: (key != NO_KEY).then(|| &parts[..key_length]),
        headers: &parts[key_length..key_length + headers],
        payload: &parts[key_length + headers..],
    }
}

/// Reads records of a file one after the other, from a position on, never beyond an end that is known to be whole.
pub(crate) struct Cursor {
    pub path: PathBuf,
    file: File,
    pub position: u64,
    buffer: Vec<u8>,
    start: usize,
}

/// Bytes read at a time.
const READ: usize = 256 << 10;

impl Cursor {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file =
            File::open(path).map_err(|source| Error::Io { what: format!("opening {}", path.display()), source })?;
        Ok(Cursor { path: path.to_owned(), file, position: 0, buffer: Vec::new(), start: 0 })
    }

    /// Moves records from `from` on into the batch until it has `max_bytes`, or the file's whole part ends at `end`.
    pub fn fill(&mut self, batch: &mut Batch, from: u64, end: u64, max_bytes: usize) -> Result<u64, Error> {
        let mut next = from;
        while self.position < end && batch.size() < max_bytes {
            let needed = match decode(&self.buffer[self.start..]) {
                Found::Record { frame, offset, timestamp_ms, key, headers, payload } => {
                    if offset >= from {
                        batch.push(Offset(offset), timestamp_ms, key, headers, payload);
                        next = offset + 1;
                    }
                    self.start += frame;
                    self.position += frame as u64;
                    continue;
                }
                Found::Short(needed) => needed,
                Found::Damaged => return Err(self.damaged()),
            };
            self.read(needed, end)?;
        }
        Ok(next)
    }

    fn read(&mut self, needed: usize, end: u64) -> Result<(), Error> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let have = self.buffer.len();
        let left = (end - self.position) as usize;
        if needed > left {
            return Err(self.damaged());
        }
        let want = needed.max(READ).min(left);
        self.buffer.resize(want.max(have), 0);
        let at = self.position + have as u64;
        self.file
            .read_exact_at(&mut self.buffer[have..], at)
            .map_err(|source| Error::Io { what: format!("reading {} at {at}", self.path.display()), source })
    }

    fn damaged(&self) -> Error {
        Error::Corrupt(format!(
            "{} at byte {}: the record's checksum or length is wrong; restore the file from a copy, or move the log away and start anew from a snapshot",
            self.path.display(),
            self.position
        ))
    }
}
