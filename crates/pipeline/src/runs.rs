//! Sealed runs of remembered event ids as files: sorted entries, checked by a hash, found by a sparse index and one read.

use crate::store::{advice, write_durably};
use assay_aggregates::{Entry, Remembered, RunName, Runs, RunsError};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use xxhash_rust::xxh3::xxh3_128;

/// One key of the index stands for this many entries: 3.5 KiB of file, an eighth of a byte of memory for each.
const STRIDE: usize = 128;
/// The hash at the end of a file.
const FOOTER: usize = 16;

/// The runs of one partition in a directory.
///
/// Files are not removed when the fold retires them, because an older snapshot may still need them; [`FileRuns::sweep`] does it.
pub struct FileRuns {
    directory: PathBuf,
    /// Opened on first use. Behind a lock only because looking up is `&self`; one thread uses it.
    open: Mutex<HashMap<RunName, Opened>>,
}

struct Opened {
    file: File,
    entries: usize,
    /// First key of every stride.
    index: Vec<u128>,
}

fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> RunsError {
    let message = format!("{what} {}", path.display());
    move |problem| RunsError(format!("{message}: {problem}{}", advice(&problem)))
}

impl FileRuns {
    /// Uses a directory, made if absent.
    pub fn open(directory: &Path) -> Result<Self, RunsError> {
        fs::create_dir_all(directory).map_err(failed("creating", directory))?;
        Ok(FileRuns { directory: directory.to_owned(), open: Mutex::new(HashMap::new()) })
    }

    /// Removes the files of runs that are not named and were last sealed before a moment, in milliseconds since the epoch.
    ///
    /// Younger ones may belong to a state that no snapshot has seen yet. A run that is sealed again counts as young.
    pub fn sweep(directory: &Path, keep: &[RunName], before_ms: i64) -> Result<usize, RunsError> {
        let kept: Vec<String> = keep.iter().map(|&name| file_name(name)).collect();
        let mut removed = 0;
        for entry in fs::read_dir(directory).map_err(failed("listing", directory))? {
            let entry = entry.map_err(failed("listing", directory))?;
            let made = entry.metadata().and_then(|about| about.modified()).map_err(failed("reading", &entry.path()))?;
            let made = made.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            if made < before_ms && !kept.contains(&entry.file_name().to_string_lossy().into_owned()) {
                fs::remove_file(entry.path()).map_err(failed("removing", &entry.path()))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn path(&self, name: RunName) -> PathBuf {
        self.directory.join(file_name(name))
    }

    fn read(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        let path = self.path(name);
        let bytes = fs::read(&path).map_err(failed("reading", &path))?;
        let (body, footer) = bytes.split_at_checked(bytes.len().saturating_sub(FOOTER)).unwrap_or_default();
        if footer != xxh3_128(body).to_le_bytes() || body.len() % Entry::SIZE != 0 {
            return Err(RunsError(format!("{} is damaged: its checksum differs", path.display())));
        }
        let entry = |bytes: &[u8]| Entry::from_bytes(bytes.try_into().expect("chunks have the size of an entry"));
        Ok(body.chunks_exact(Entry::SIZE).map(entry).collect())
    }

    fn with<T>(&self, name: RunName, use_it: impl FnOnce(&Opened) -> Result<T, RunsError>) -> Result<T, RunsError> {
        let mut open = self.open.lock().expect("no code panics while it holds this lock");
        match open.entry(name) {
            Slot::Occupied(opened) => use_it(opened.get()),
            Slot::Vacant(slot) => {
                // Reading it whole once checks it, and what is damaged must never answer "new".
                let entries = self.read(name)?;
                let index = entries.iter().step_by(STRIDE).map(|entry| entry.key).collect();
                let path = self.path(name);
                let file = File::open(&path).map_err(failed("opening", &path))?;
                use_it(slot.insert(Opened { file, entries: entries.len(), index }))
            }
        }
    }
}

fn file_name(name: RunName) -> String {
    format!("{}-{}-{}.run", name.first, name.last, name.tier)
}

impl Opened {
    fn find(&self, key: u128) -> std::io::Result<Option<Remembered>> {
        let after = self.index.partition_point(|&first| first <= key);
        let Some(stride) = after.checked_sub(1) else { return Ok(None) };
        let from = stride * STRIDE;
        let count = STRIDE.min(self.entries - from);
        let mut bytes = vec![0; count * Entry::SIZE];
        self.file.read_exact_at(&mut bytes, (from * Entry::SIZE) as u64)?;
        let entry = |at: usize| {
            let bytes = &bytes[at * Entry::SIZE..][..Entry::SIZE];
            Entry::from_bytes(bytes.try_into().expect("the size of an entry"))
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            if entry(middle).key < key { low = middle + 1 } else { high = middle }
        }
        Ok((low < count).then(|| entry(low)).filter(|found| found.key == key).map(|found| found.value))
    }
}

impl Runs for FileRuns {
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError> {
        let path = self.path(name);
        let mut bytes = Vec::with_capacity(entries.len() * Entry::SIZE + FOOTER);
        entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.to_bytes()));
        let hash = xxh3_128(&bytes);
        bytes.extend_from_slice(&hash.to_le_bytes());
        // After a restart the same run is sealed again. The file must then be young for the sweep, and a damaged one is healed.
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            let touched = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            return touched.map_err(failed("touching", &path));
        }
        self.open.lock().expect("no code panics while it holds this lock").remove(&name);
        write_durably(&path, &bytes).map_err(failed("writing", &path))
    }

    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError> {
        self.with(name, |run| run.find(key).map_err(failed("reading", &self.path(name))))
    }

    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        self.read(name)
    }

    fn retire(&mut self, name: RunName) {
        self.open.lock().expect("no code panics while it holds this lock").remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::Digest;

    fn entry(key: u128) -> Entry {
        Entry { key, value: Remembered { digest: Digest { core: key as u32, rest: 7 }, filters: 3 } }
    }

    #[test]
    fn runs_on_disk_answer_like_runs_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let mut runs = FileRuns::open(directory.path()).unwrap();
        let name = RunName { first: 1, last: 8, tier: 1 };
        let entries: Vec<Entry> = (1..=1_000).map(|at| entry(at * 3)).collect();
        runs.store(name, &entries).unwrap();
        for key in 0..=3_003 {
            let expected = (key % 3 == 0 && (3..=3_000).contains(&key)).then(|| entry(key).value);
            assert_eq!(runs.find(name, key).unwrap(), expected, "{key}");
        }
        assert_eq!(runs.load(name).unwrap(), entries);
    }

    #[test]
    fn a_damaged_run_never_answers() {
        let directory = tempfile::tempdir().unwrap();
        let mut runs = FileRuns::open(directory.path()).unwrap();
        let name = RunName { first: 1, last: 1, tier: 0 };
        runs.store(name, &[entry(5)]).unwrap();
        let path = runs.path(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(runs.find(name, 5).unwrap_err().to_string().contains("damaged"));
        assert!(runs.find(RunName { first: 2, ..name }, 5).is_err());
        // Sealed again while the log is read again from an older snapshot.
        runs.store(name, &[entry(5)]).unwrap();
        assert_eq!(runs.find(name, 5).unwrap(), Some(entry(5).value));
    }

    #[test]
    fn a_run_that_is_sealed_again_is_young() {
        let directory = tempfile::tempdir().unwrap();
        let mut runs = FileRuns::open(directory.path()).unwrap();
        let name = RunName { first: 1, last: 1, tier: 0 };
        runs.store(name, &[entry(5)]).unwrap();
        File::open(runs.path(name)).unwrap().set_modified(UNIX_EPOCH).unwrap();
        runs.store(name, &[entry(5)]).unwrap();
        assert_eq!(FileRuns::sweep(directory.path(), &[], 1_000).unwrap(), 0);
        assert!(runs.load(name).is_ok());
    }

    #[test]
    fn a_full_disk_says_what_to_do_and_passes() {
        let directory = tempfile::tempdir().unwrap();
        let mut runs = FileRuns::open(directory.path()).unwrap();
        let name = RunName { first: 1, last: 1, tier: 0 };
        // Whatever is written there finds no space.
        let unfinished = directory.path().join("1-1-0.run.unfinished");
        std::os::unix::fs::symlink("/dev/full", &unfinished).unwrap();
        let message = runs.store(name, &[entry(5)]).unwrap_err().to_string();
        assert!(message.contains("free space on the disk"), "{message}");
        fs::remove_file(unfinished).unwrap();
        runs.store(name, &[entry(5)]).unwrap();
        assert_eq!(runs.load(name).unwrap(), [entry(5)]);
    }

    #[test]
    fn only_runs_that_nobody_names_are_swept() {
        let directory = tempfile::tempdir().unwrap();
        let mut runs = FileRuns::open(directory.path()).unwrap();
        let names: Vec<RunName> = (1..4).map(|first| RunName { first, last: first, tier: 0 }).collect();
        names.iter().for_each(|&name| runs.store(name, &[entry(1)]).unwrap());
        assert_eq!(FileRuns::sweep(directory.path(), &names[1..2], 1_000).unwrap(), 0);
        assert_eq!(FileRuns::sweep(directory.path(), &names[1..2], i64::MAX).unwrap(), 2);
        assert!(runs.load(names[1]).is_ok() && runs.load(names[0]).is_err());
    }
}
