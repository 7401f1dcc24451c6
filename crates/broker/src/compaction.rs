//! Keeps the newest record of every key in the closed segments of a partition.
//!
//! They are rewritten into one, under the name of the first: written beside it, made durable, renamed over it, and then the others are removed.
//! A crash in between leaves a segment that reaches into the next ones, which opening recognises and finishes. Offsets stay what they
//! were; gaps between them are legal.

use crate::log::Error;
use crate::segment::walk;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What replaces the segments, not in its place yet.
pub(crate) struct Draft {
    pub path: PathBuf,
    pub length: u64,
}

/// Name of a segment that is being written.
pub(crate) const DRAFT_SUFFIX: &str = ".draft";

/// Writes what is kept of these segments, in the order of their offsets, into a file beside the first.
pub(crate) fn draft(segments: &[PathBuf]) -> Result<Draft, Error> {
    let mut newest: HashMap<Vec<u8>, u64> = HashMap::new();
    for path in segments {
        walk(path, |record| {
            if let Some(key) = record.key {
                newest.insert(key.to_vec(), record.offset);
            }
            Ok(())
        })?;
    }
    let path = with_suffix(&segments[0]);
    let io = |source| Error::Io { what: format!("writing {}", path.display()), source };
    let mut out = BufWriter::new(File::create(&path).map_err(io)?);
    let mut length = 0;
    for segment in segments {
        walk(segment, |record| {
            // A record without a key is no older version of any other.
            if record.key.is_some_and(|key| newest[key] != record.offset) {
                return Ok(());
            }
            length += record.frame.len() as u64;
            out.write_all(record.frame)
        })?;
    }
    out.into_inner().map_err(|problem| io(problem.into_error()))?.sync_all().map_err(io)?;
    Ok(Draft { path, length })
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(DRAFT_SUFFIX);
    name.into()
}

/// Removes a segment that another one contains, or that nobody finished.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { what: format!("removing {}", path.display()), source })
        }
        _ => Ok(()),
    }
}
