//! Definitions from files: a directory of YAML, one file of it, or a snapshot.

use assay_experiment::snapshot::{BYTES_MAX, Snapshot};
use assay_experiment::{Source, canonical, parse};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Deepest directory that is read; a link to a directory above would lead down without end.
const DEPTH_MAX: usize = 16;
/// Most files of one set.
const FILES_MAX: usize = 10_000;

/// Names, sizes and times of files: what has to change before they are read again.
pub type Fingerprint = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// What was in files.
pub enum Found {
    /// A version with its number.
    Snapshot(Snapshot),
    /// Definitions without one.
    Bodies(Vec<String>),
}

/// Whether a path is that of a snapshot: a file that is not YAML.
pub fn is_snapshot(path: &Path) -> bool {
    !path.is_dir() && path.extension().is_some_and(|extension| extension == "json")
}

/// Reads what is new since a fingerprint; `None` if nothing is.
pub fn look(path: &Path, seen: Option<&Fingerprint>) -> Result<Option<(Fingerprint, Found)>, String> {
    let mut files = Vec::new();
    collect(path, 0, &mut files)?;
    files.sort();
    if seen == Some(&files) {
        return Ok(None);
    }
    let found = if is_snapshot(path) { snapshot(path).map(Found::Snapshot)? } else { definitions(path, &files)? };
    Ok(Some((files, found)))
}

/// Reads a snapshot.
pub fn snapshot(path: &Path) -> Result<Snapshot, String> {
    let bytes = std::fs::read(path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    Snapshot::decode(&bytes).map_err(|problem| format!("{}: {problem}", path.display()))
}

fn definitions(path: &Path, files: &Fingerprint) -> Result<Found, String> {
    if files.is_empty() {
        return Err(format!("{} has no .yaml or .yml files", path.display()));
    }
    if files.iter().map(|file| file.1).sum::<u64>() > BYTES_MAX as u64 {
        return Err(format!("{} has more than {BYTES_MAX} bytes of definitions", path.display()));
    }
    let read = |(file, ..): &(PathBuf, u64, Option<SystemTime>)| {
        let text = std::fs::read_to_string(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
        Ok((file.display().to_string(), text))
    };
    let texts = files.iter().map(read).collect::<Result<Vec<_>, String>>()?;
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let definitions = parse(&sources).map_err(|problems| {
        let more = problems.len() - 1;
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        if more == 0 { first } else { format!("{first} (and {more} more; `assay check` lists all)") }
    })?;
    Ok(Found::Bodies(canonical::parts(&definitions)))
}

/// Names that start with a dot are left out: where Kubernetes mounts a ConfigMap, each file is a link into such a directory.
fn collect(path: &Path, depth: usize, files: &mut Fingerprint) -> Result<(), String> {
    let wrong = |problem: std::io::Error| format!("{}: {problem}", path.display());
    if depth > DEPTH_MAX || files.len() > FILES_MAX {
        return Err(format!(
            "{} is too deep or has too many files; is there a link to a directory above?",
            path.display()
        ));
    }
    let about = std::fs::metadata(path).map_err(wrong)?;
    if !about.is_dir() {
        files.push((path.to_owned(), about.len(), about.modified().ok()));
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if !hidden && (yaml || path.is_dir()) {
            collect(&path, depth + 1, files)?;
        }
    }
    Ok(())
}
