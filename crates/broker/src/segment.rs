//! A file of records: each framed by its length and a CRC32C, so that a torn end is recognised.

use crate::log::{Batch, Error, NewRecord, Offset, RECORD_BYTES_MAX, encode_headers};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Length and checksum.
const FRAME: usize = 8;
/// Offset, time, and the lengths of key, headers and payload.
const HEAD: usize = 28;
/// Marks a record without key.
const NO_KEY: u32 = u32::MAX;
/// Longest body of a frame; anything longer in a file is damage.
const BODY_MAX: usize = HEAD + RECORD_BYTES_MAX;

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
    if !(HEAD..=BODY_MAX).contains(&length) {
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

/// A whole record in a file.
pub(crate) struct Whole<'a> {
    /// Its frame, as it is in the file.
    pub frame: &'a [u8],
    pub offset: u64,
    pub key: Option<&'a [u8]>,
}

/// How far a segment is whole.
pub(crate) struct End {
    pub length: u64,
    /// One beyond the last whole record.
    pub next: Option<u64>,
    /// Latest time of a record.
    pub last_ms: i64,
}

/// Calls `each` with every record of a segment, up to where it is no longer whole.
pub(crate) fn walk(path: &Path, mut each: impl FnMut(Whole<'_>) -> std::io::Result<()>) -> Result<End, Error> {
    let io = |what: &str| {
        let what = format!("{what} {}", path.display());
        move |source| Error::Io { what, source }
    };
    let mut file = File::open(path).map_err(io("opening"))?;
    let mut end = End { length: 0, next: None, last_ms: i64::MIN };
    let (mut buffer, mut start) = (Vec::new(), 0);
    loop {
        match decode(&buffer[start..]) {
            Found::Record { frame, offset, timestamp_ms, key, .. } => {
                each(Whole { frame: &buffer[start..][..frame], offset, key }).map_err(io("copying"))?;
                start += frame;
                end.length += frame as u64;
                end.next = Some(offset + 1);
                end.last_ms = end.last_ms.max(timestamp_ms);
            }
            Found::Damaged => return Ok(end),
            Found::Short(needed) => {
                buffer.drain(..start);
                start = 0;
                let have = buffer.len();
                let mut part = (&mut file).take((needed.max(1 << 20) - have) as u64);
                if part.read_to_end(&mut buffer).map_err(io("reading"))? == 0 {
                    return Ok(end);
                }
            }
        }
    }
}

/// Whether any whole record with at least this offset begins after the first of these bytes.
///
/// A write that a crash cut short ends the file. Where whole records follow, they were acked, and what is before them was damaged later.
pub(crate) fn records_follow(bytes: &[u8], offset: u64) -> bool {
    (1..=bytes.len().saturating_sub(FRAME + HEAD)).any(|at| {
        let rest = &bytes[at..];
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("four bytes")) as usize;
        // The lengths first, because a checksum of everything that might be a length would take for ever.
        let key = if word(FRAME + 16) as u32 == NO_KEY { 0 } else { word(FRAME + 16) };
        let sum = HEAD.checked_add(key).and_then(|sum| sum.checked_add(word(FRAME + 20) + word(FRAME + 24)));
        sum == Some(word(0)) && matches!(decode(rest), Found::Record { offset: found, .. } if found >= offset)
    })
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
