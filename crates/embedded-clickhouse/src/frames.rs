//! ClickHouse's own compressed frames (`compress=1`, `decompress=1`), and the encodings of HTTP.
//!
//! A frame is a checksum (CityHash128 of ClickHouse's vintage 1.0.2, 16 bytes, low half first), then a method byte, the size of method,
//! sizes and data together, the size of the data when decompressed (both u32, little-endian), and the data.

use crate::Error;
use cityhash_rs::cityhash_102_128;
use flate2::read::GzDecoder;
use std::io::{Read, Write};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const METHOD_LZ4: u8 = 0x82;
const METHOD_NONE: u8 = 0x02;
/// Data per frame that we write, which is the engine's own choice too.
const FRAME_BYTES: usize = 1 << 20;

/// Opens a body of frames. `limit` bounds the whole result.
pub(crate) fn open_frames(mut body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut opened = Vec::new();
    while !body.is_empty() {
        let (frame, rest) = split_frame(body)?;
        let size = word(frame, 5);
        if opened.len() + size > limit {
            return Err(too_large(limit));
        }
        let start = opened.len();
        opened.resize(start + size, 0);
        let target = &mut opened[start..];
        let written = match frame[0] {
            METHOD_LZ4 => lz4_flex::block::decompress_into(&frame[HEADER..], target)
                .map_err(|error| broken(&error.to_string()))?,
            METHOD_NONE if frame.len() - HEADER == size => {
                target.copy_from_slice(&frame[HEADER..]);
                size
            }
            METHOD_NONE => return Err(broken("the sizes of an uncompressed frame differ")),
            0x90 => return Err(unknown("ZSTD frames are not read here; send LZ4")),
            method => return Err(unknown(&format!("unknown method {method:#04x}"))),
        };
        if written != size {
            return Err(broken("a frame holds less than it says"));
        }
        body = rest;
    }
    Ok(opened)
}

/// Packs a result into frames.
pub(crate) fn pack_frames(body: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(body.len() / 2 + 64);
    for part in body.chunks(FRAME_BYTES) {
        let data = lz4_flex::block::compress(part);
        let mut frame = Vec::with_capacity(HEADER + data.len());
        frame.push(METHOD_LZ4);
        frame.extend_from_slice(&length(HEADER + data.len()));
        frame.extend_from_slice(&length(part.len()));
        frame.extend_from_slice(&data);
        packed.extend_from_slice(&checksum(&frame));
        packed.extend_from_slice(&frame);
    }
    packed
}

/// Opens a body that HTTP says is compressed. `limit` bounds the result.
pub(crate) fn open_encoded(encoding: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, Error> {
    let source: Box<dyn Read + '_> = match encoding {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => Box::new(GzDecoder::new(&body[..])),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(&body[..])),
        "lz4" => Box::new(lz4_flex::frame::FrameDecoder::new(&body[..])),
        other => {
            return Err(Error::exception(
                89,
                "UNKNOWN_COMPRESSION_METHOD",
                &format!("Content-Encoding {other} is not known; use gzip, deflate or lz4"),
            ));
        }
    };
    let mut opened = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut opened).map_err(|error| broken(&error.to_string()))?;
    if opened.len() > limit {
        return Err(too_large(limit));
    }
    Ok(opened)
}

/// Compresses a result in an encoding that the client accepts. `None`: leave it as it is.
pub(crate) fn encode(accepted: &str, body: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let accepts = |wanted: &str| {
        let names = accepted.split(',').map(str::trim);
        names
            .filter(|name| !name.ends_with("q=0"))
            .any(|name| name.split(';').next().is_some_and(|name| name.trim() == wanted))
    };
    // Writing to memory does not fail.
    if accepts("lz4") {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(body).ok()?;
        return Some(("lz4", encoder.finish().ok()?));
    }
    if accepts("gzip") {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).ok()?;
        return Some(("gzip", encoder.finish().ok()?));
    }
    None
}

/// A checked frame (header and data) and what follows it.
fn split_frame(body: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    if body.len() < CHECKSUM + HEADER {
        return Err(broken("the body ends inside a frame"));
    }
    let (sum, rest) = body.split_at(CHECKSUM);
    let size = word(rest, 1);
    if size < HEADER || size > rest.len() {
        return Err(broken("the body ends inside a frame"));
    }
    let (frame, rest) = rest.split_at(size);
    if checksum(frame) != *sum {
        return Err(Error::exception(40, "CHECKSUM_DOESNT_MATCH", "Checksum doesn't match: corrupted data"));
    }
    Ok((frame, rest))
}

/// The engine stores the hash as two words, the first of which is the high half of this library's number.
fn checksum(frame: &[u8]) -> [u8; CHECKSUM] {
    cityhash_102_128(frame).rotate_right(64).to_le_bytes()
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).expect("a frame is about a mebibyte").to_le_bytes()
}

fn broken(reason: &str) -> Error {
    Error::exception(271, "CANNOT_DECOMPRESS", &format!("Cannot decompress: {reason}"))
}

fn unknown(reason: &str) -> Error {
    Error::exception(89, "UNKNOWN_COMPRESSION_METHOD", reason)
}

pub(crate) fn too_large(limit: usize) -> Error {
    Error::exception(307, "TOO_MANY_BYTES", &format!("the body is larger than {limit} bytes; send it in parts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<u8> {
        (0..3_000_000u32).map(|number| (number / 7 % 251) as u8).collect()
    }

    #[test]
    fn frames_open_to_what_was_packed() {
        let packed = pack_frames(&data());
        assert!(packed.len() < data().len());
        assert_eq!(open_frames(&packed, 3_000_000).unwrap(), data());
        assert_eq!(open_frames(&packed, 2_999_999).unwrap_err().code(), 307);
        assert_eq!(pack_frames(b""), b"");
    }

    #[test]
    fn a_damaged_frame_is_refused_whatever_byte_is_hit() {
        let packed = pack_frames(b"one two three one two three");
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x40;
            assert!(open_frames(&damaged, 1 << 20).is_err(), "byte {at}");
            assert!(at == 0 || open_frames(&packed[..at], 1 << 20).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn encodings_of_http_round_trip_and_are_bounded() {
        for accepted in ["lz4", "gzip, deflate", "br, gzip;q=0.5"] {
            let (name, packed) = encode(accepted, &data()).unwrap();
            assert_eq!(open_encoded(name, packed.clone(), 3_000_000).unwrap(), data());
            assert_eq!(open_encoded(name, packed, 1000).unwrap_err().code(), 307);
        }
        assert!(encode("br", b"x").is_none() && encode("gzip;q=0", b"x").is_none());
        assert_eq!(open_encoded("br", Vec::new(), 1).unwrap_err().code(), 89);
    }
}
