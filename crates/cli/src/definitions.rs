//! Definitions from a directory of YAML files, and of flags in flagd's JSON.

use anyhow::{Context, Result, bail};
use assay_experiment::{Definitions, Problem, Source, flagd, parse};
use std::path::{Path, PathBuf};

/// Deepest directory that is read. A link to a directory above would lead down without end.
const DEPTH_MAX: usize = 16;
/// Most files of one set.
const FILES_MAX: usize = 10_000;

/// A file: its name as people see it, and its text.
pub type Text = (String, String);

/// What a directory holds: the number of its files, and definitions or the problems with them.
pub fn read(directory: &Path) -> Result<(usize, Result<Definitions, Vec<Problem>>)> {
    let files = files(directory)?;
    Ok((files.len(), texts(&files).and_then(|texts| parsed(&texts))))
}

/// The files of a directory, in order; there is at least one.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(directory, 0, &mut files)?;
    files.sort();
    if files.is_empty() {
        bail!(
            "{} has no .yaml or .yml files, and no .json file of flagd; put definitions there, or give another directory with --config",
            directory.display()
        );
    }
    Ok(files)
}

/// What the files say. What one that cannot be read would have defined is missing elsewhere, so that the others would be blamed for it.
pub fn texts(files: &[PathBuf]) -> Result<Vec<Text>, Vec<Problem>> {
    let (mut texts, mut unreadable) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => texts.push((name, text)),
            Err(problem) => {
                let message = format!("cannot be read: {problem}");
                unreadable.push(Problem { file: name, line: 0, column: 0, message });
            }
        }
    }
    if unreadable.is_empty() { Ok(texts) } else { Err(unreadable) }
}

/// The definitions in texts.
pub fn parsed(texts: &[Text]) -> Result<Definitions, Vec<Problem>> {
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    parse(&sources)
}

/// The definitions of a directory; problems are told on standard error.
pub fn load(directory: &Path) -> Result<Definitions> {
    match read(directory)?.1 {
        Ok(definitions) => Ok(definitions),
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            bail!("{} problem(s) in the definitions of {}", problems.len(), directory.display());
        }
    }
}

/// Whether a file is one of definitions: by its name, and JSON by what is in it, because other programs write JSON too.
fn has_definitions(file: &Path) -> bool {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => true,
        // What cannot be read is told when it is read.
        Some("json") => std::fs::read_to_string(file).map_or(true, |text| flagd::may_be(&text)),
        _ => false,
    }
}

/// Files and directories whose names start with a dot are left out: where Kubernetes mounts a ConfigMap, each file is a link into such a
/// directory, in which it would be found a second time.
fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    if depth > DEPTH_MAX {
        bail!("{} is more than {DEPTH_MAX} directories deep; is there a link to a directory above it?", path.display());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("reading the definitions in {}", path.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            collect(&path, depth + 1, files)?;
        } else if has_definitions(&path) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            bail!("more than {FILES_MAX} files of definitions; is there a link to a directory above them?");
        }
    }
    Ok(())
}
