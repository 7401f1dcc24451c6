//! Definitions from a directory of YAML files.

use anyhow::{Context, Result, bail};
use assay_experiment::{Definitions, Problem, Source, parse};
use std::path::{Path, PathBuf};

/// What a directory holds: definitions, or the problems with them.
pub fn read(directory: &Path) -> Result<Result<Definitions, Vec<Problem>>> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    files.sort();
    if files.is_empty() {
        bail!(
            "{} has no .yaml or .yml files; put definitions there, or give another directory with --config",
            directory.display()
        );
    }
    let mut texts = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        texts.push((file.display().to_string(), text));
    }
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    Ok(parse(&sources))
}

/// The definitions of a directory; problems are told on standard error.
pub fn load(directory: &Path) -> Result<Definitions> {
    match read(directory)? {
        Ok(definitions) => Ok(definitions),
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            bail!("{} problem(s) in the definitions of {}", problems.len(), directory.display());
        }
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("reading the definitions in {}", path.display()))? {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() {
            collect(&path, files)?;
        } else if yaml {
            files.push(path);
        }
    }
    Ok(())
}
