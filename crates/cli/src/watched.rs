//! Files of definitions, looked at now and then.
//!
//! Their stamps say whether reading is worth it, their content whether anything is new. Rejected: the kernel's notices of changes, which get lost
//! on network file systems and where Kubernetes exchanges a whole directory.

use crate::definitions::{self, Text};
use anyhow::{Result, anyhow};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory of definitions, or a single file.
pub struct Watched {
    directory: PathBuf,
    /// The stamps when it was looked at last, and when it was read last.
    seen: Vec<Stamp>,
    read: Vec<Stamp>,
    /// Of the content that was read last.
    content: Option<u64>,
    /// Whether what was read last is to be given again.
    again: bool,
}

/// What changes when a file does: its name, place on the disk, length, and times of change in nanoseconds.
type Stamp = (PathBuf, u64, u64, (i64, i64), (i64, i64));

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file);
    let about = about.map(|it| (it.ino(), it.len(), (it.mtime(), it.mtime_nsec()), (it.ctime(), it.ctime_nsec())));
    // What cannot be looked at cannot be read either, and reading says why.
    let (place, length, modified, changed) = about.unwrap_or_default();
    (file.to_owned(), place, length, modified, changed)
}

impl Watched {
    /// Nothing is read yet.
    pub fn new(directory: &Path) -> Watched {
        Watched { directory: directory.to_owned(), seen: Vec::new(), read: Vec::new(), content: None, again: false }
    }

    /// The texts, if they say something else than those given last. Files that change right now are left until the next time, unless `now`:
    /// several are rarely exchanged at once. `Err` has what is wrong, once for each state of the files.
    pub fn look(&mut self, now: bool) -> Result<Option<Vec<Text>>> {
        let files = definitions::files(&self.directory);
        let stamps: Vec<Stamp> = files.as_deref().unwrap_or_default().iter().map(|file| stamp(file)).collect();
        let settled = stamps == self.seen;
        self.seen.clone_from(&stamps);
        if !now && !self.again && (!settled || stamps == self.read && self.content.is_some()) {
            return Ok(None);
        }
        self.read = stamps;
        let texts = files.and_then(|files| {
            definitions::texts(&files).map_err(|problems| {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                anyhow!(told.join("\n"))
            })
        });
        let mut hasher = DefaultHasher::new();
        match &texts {
            Ok(texts) => texts.hash(&mut hasher),
            Err(problem) => format!("{problem:#}").hash(&mut hasher),
        }
        let content = Some(hasher.finish());
        let new = self.content != content || std::mem::take(&mut self.again);
        self.content = content;
        if new { texts.map(Some) } else { Ok(None) }
    }

    /// What was given last is given again the next time: it was not the files that were wrong.
    pub fn again(&mut self) {
        self.again = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_given_and_only_when_it_stands_still() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.yaml");
        let mut watched = Watched::new(directory.path());
        let mut look = |now: bool| match watched.look(now) {
            Ok(texts) => texts.map(|texts| texts.into_iter().map(|it| it.1).collect::<String>()),
            Err(problem) => Some(format!("{problem:#}")),
        };
        std::fs::write(&file, "one").unwrap();
        assert_eq!((look(true).as_deref(), look(false), look(true)), (Some("one"), None, None));
        std::fs::write(&file, "two").unwrap();
        assert_eq!((look(false), look(false).as_deref(), look(false)), (None, Some("two"), None), "the same length");
        // The same content written again is nothing new.
        std::fs::write(&file, "two").unwrap();
        assert_eq!((look(false), look(false), look(true)), (None, None, None));
        std::fs::write(directory.path().join("b.yaml"), "+").unwrap();
        assert_eq!((look(false), look(false).as_deref()), (None, Some("two+")));
        std::fs::remove_file(directory.path().join("b.yaml")).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(look(false), None);
        assert!(look(false).unwrap().contains("has no .yaml"));
        assert_eq!(look(false), None, "told once");
        std::fs::write(&file, "two").unwrap();
        assert_eq!((look(false), look(false).as_deref()), (None, Some("two")));
        watched.again();
        assert!(watched.look(false).unwrap().is_some());
        assert!(watched.look(false).unwrap().is_none());
    }
}
