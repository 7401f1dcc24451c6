//! Where snapshots and spilled chunks are kept: an object store behind one small trait, here a directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// A failed operation of a store.
#[derive(Debug, thiserror::Error)]
#[error("{what} in the store failed: {why}; check that its disk has space and may be written")]
pub struct StoreError {
    /// What was tried, with the key.
    pub what: String,
    /// Why it failed.
    pub why: String,
}

/// Immutable objects by key. Keys are paths of `[a-zA-Z0-9._-]` parted by `/`.
pub trait Store: Send + Sync {
    /// Keeps an object durably. One that exists already is left as it is, because a key says what is in it.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError>;
    /// Reads an object; `None` if there is none.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keys below a prefix that ends in `/`, sorted, with their sizes in bytes.
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError>;
    /// Removes an object; removing what is gone already is no error.
    fn remove(&self, key: &str) -> Result<(), StoreError>;
}

/// A store in a directory of this machine. An object appears whole or not at all.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    root: PathBuf,
}

fn failed(what: &str, key: &str) -> impl FnOnce(std::io::Error) -> StoreError {
    let what = format!("{what} {key}");
    move |problem| StoreError { what, why: problem.to_string() }
}

impl DirectoryStore {
    /// Uses a directory, made if absent.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(failed("creating", &root.display().to_string()))?;
        Ok(DirectoryStore { root: root.to_owned() })
    }

    fn path(&self, key: &str) -> PathBuf {
        assert!(!key.split('/').any(|part| part.is_empty() || part == ".."), "keys are made by this crate");
        self.root.join(key)
    }
}

impl Store for DirectoryStore {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(key);
        if path.exists() {
            return Ok(());
        }
        let directory = path.parent().expect("a key is below the root");
        fs::create_dir_all(directory).map_err(failed("creating the directory of", key))?;
        write_durably(&path, bytes).map_err(failed("writing", key))
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
            Err(problem) => Err(failed("reading", key)(problem)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let entries = match fs::read_dir(self.path(prefix.trim_end_matches('/'))) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(problem) => return Err(failed("listing", prefix)(problem)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed("listing", prefix))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let about = entry.metadata().map_err(failed("listing", prefix))?;
            // A file that a crash left half written has another ending.
            if about.is_file() && !name.ends_with(UNFINISHED) {
                keys.push((format!("{prefix}{name}"), about.len()));
            }
        }
        keys.sort();
        Ok(keys)
    }

    fn remove(&self, key: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path(key)) {
            Err(problem) if problem.kind() != ErrorKind::NotFound => Err(failed("removing", key)(problem)),
            _ => Ok(()),
        }
    }
}

/// What to do about a failed write, to be said behind it.
pub(crate) fn advice(problem: &std::io::Error) -> &'static str {
    match problem.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free space on the disk, and what waits goes on by itself"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "; make it writable, and what waits goes on by itself"
        }
        _ => "",
    }
}

const UNFINISHED: &str = ".unfinished";

/// Writes a file so that a crash leaves the whole of it or nothing under its name.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let directory = path.parent().expect("a file has a directory");
    File::open(directory)?.sync_all()
}

/// Objects in memory, for tests and simulations: gone with the process, and without a bound.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryStore {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().expect("no code panics while it holds this lock")
    }

    /// Flips a bit of the byte at a place, as a bad disk would.
    ///
    /// # Panics
    /// When there is no such object or byte.
    pub fn damage(&self, key: &str, at: usize) {
        self.held().get_mut(key).expect("an object of this key")[at] ^= 0x10;
    }
}

#[cfg(test)]
impl MemoryStore {
    pub(crate) fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.held().keys().cloned().collect()
    }
}

impl Store for MemoryStore {
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.held().entry(key.to_owned()).or_insert_with(|| bytes.to_vec());
        Ok(())
    }
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.held().get(key).cloned())
    }
    fn list(&self, prefix: &str) -> Result<Vec<(String, u64)>, StoreError> {
        let held = self.held();
        let below = held.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
        Ok(below.map(|(key, bytes)| (key.clone(), bytes.len() as u64)).collect())
    }
    fn remove(&self, key: &str) -> Result<(), StoreError> {
        self.held().remove(key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_whole_immutable_and_listed_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let store = DirectoryStore::open(directory.path()).unwrap();
        assert_eq!(store.list("a/").unwrap(), []);
        store.put("a/2", b"two").unwrap();
        store.put("a/1", b"one").unwrap();
        store.put("a/1", b"other").unwrap();
        fs::write(directory.path().join("a/3.unfinished"), b"torn").unwrap();
        assert_eq!(store.list("a/").unwrap(), [("a/1".to_owned(), 3), ("a/2".to_owned(), 3)]);
        assert_eq!(store.get("a/1").unwrap().as_deref(), Some(&b"one"[..]));
        store.remove("a/1").unwrap();
        store.remove("a/1").unwrap();
        assert_eq!(store.get("a/1").unwrap(), None);
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_told_in_words() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), b"a file where a directory should be").unwrap();
        let store = DirectoryStore::open(directory.path()).unwrap();
        let message = store.put("a/1", b"one").unwrap_err().to_string();
        assert!(message.contains("a/1") && message.contains("space"), "{message}");
    }
}
