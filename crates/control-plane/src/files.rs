//! Small files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {problem}; check that the directory may be written and has space")]
pub struct FileError {
    path: String,
    problem: std::io::Error,
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> FileError {
    let path = path.display().to_string();
    move |problem| FileError { path, problem }
}

pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(failed(path)(problem)),
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let unfinished = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let directory = path.parent().expect("a file has a directory");
        fs::create_dir_all(directory)?;
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(failed(path))
}

pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != ErrorKind::NotFound => Err(failed(path)(problem)),
        _ => Ok(()),
    }
}
