//! Where the engine's library is found.

use crate::Error;
use std::path::{Path, PathBuf};

/// The library's name, the same on every platform it is built for.
const FILE: &str = "libchdb.so";

/// Finds the engine's library: `named` if given (a file, or a directory that holds it), else the first of `directories` that
/// has it. A name that was given and is wrong is an error, never a reason to look elsewhere.
pub fn find_library(named: Option<&Path>, directories: &[PathBuf]) -> Result<PathBuf, Error> {
    let looked: Vec<PathBuf> = match named {
        Some(path) if path.is_dir() => vec![path.join(FILE)],
        Some(path) => vec![path.to_owned()],
        None => directories.iter().map(|directory| directory.join(FILE)).collect(),
    };
    looked.iter().find(|path| path.is_file()).cloned().ok_or(Error::NotInstalled { looked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_is_taken_or_refused_and_directories_are_tried_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let (empty, full) = (directory.path().join("empty"), directory.path().join("full"));
        std::fs::create_dir(&empty).unwrap();
        std::fs::create_dir(&full).unwrap();
        std::fs::write(full.join(FILE), "").unwrap();
        let directories = [empty.clone(), full.clone()];
        assert_eq!(find_library(None, &directories).unwrap(), full.join(FILE));
        assert_eq!(find_library(Some(&full), &[]).unwrap(), full.join(FILE));
        assert_eq!(find_library(Some(&full.join(FILE)), &[]).unwrap(), full.join(FILE));
        let message = find_library(Some(&empty), &directories).unwrap_err().to_string();
        assert!(message.contains("make deps") && message.contains("empty"), "{message}");
    }
}
