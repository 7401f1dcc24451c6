//! Reports of lost exposures that wait for the log. What an edge cannot tell before it stops it tells after its next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::limits::REPORTS_KEPT_MAX;

/// Events, each with its unit, and the file that has them while the log does not.
pub struct Reports {
    waiting: Vec<(String, String)>,
    /// `None` where nothing is kept.
    file: Option<PathBuf>,
    /// Whether the file has all that waits.
    kept: bool,
}

impl Reports {
    /// What an earlier run left in a file. Events keep their ids, so one that was appended already is a duplicate to readers.
    pub fn load(file: Option<PathBuf>) -> Reports {
        let waiting = file.as_deref().map(read).unwrap_or_default();
        Reports { kept: !waiting.is_empty(), waiting, file }
    }

    /// What waits.
    pub fn waiting(&self) -> &[(String, String)] {
        &self.waiting
    }

    /// Adds what was lost since.
    pub fn add(&mut self, told: Vec<(String, String)>) {
        self.kept &= told.is_empty();
        self.waiting.extend(told);
    }

    /// The log has them.
    pub fn done(&mut self) {
        self.waiting.clear();
        if let Some(file) = self.file.as_ref().filter(|_| self.kept)
            && let Err(problem) = fs::remove_file(file)
            && problem.kind() != io::ErrorKind::NotFound
        {
            // They are told once more after the next start; readers know them by their ids.
            tracing::warn!(%problem, file = %file.display(), "reports that the log has cannot be removed");
        }
        self.kept = false;
    }

    /// Writes what waits into the file.
    pub fn keep(&mut self) {
        if self.kept || self.waiting.is_empty() {
            return;
        }
        let over = self.waiting.len().saturating_sub(REPORTS_KEPT_MAX);
        let outcome = match &self.file {
            Some(file) => write(file, &self.waiting[over..]).map_err(|problem| problem.to_string()),
            None => Err("no directory was given to keep them in".to_owned()),
        };
        let untold = if outcome.is_ok() { over } else { self.waiting.len() };
        if untold > 0 {
            let problem = outcome.as_ref().err().map_or("there are too many", String::as_str);
            tracing::error!(untold, problem, "reports of lost exposures cannot be kept; results will not show them");
        }
        self.kept = outcome.is_ok();
    }
}

fn read(file: &Path) -> Vec<(String, String)> {
    let found = match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|problem| problem.to_string()),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(problem) => Err(problem.to_string()),
    };
    found.unwrap_or_else(|problem| {
        tracing::error!(problem, file = %file.display(), "reports of lost exposures cannot be read; they are passed over");
        Vec::new()
    })
}

fn write(file: &Path, reports: &[(String, String)]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let fresh = file.with_extension("new");
    let mut new = File::create(&fresh)?;
    new.write_all(&serde_json::to_vec(reports)?)?;
    new.sync_all()?;
    fs::rename(&fresh, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_until_the_log_has_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("edge/lost.json");
        let report = |number: usize| ("edge-1".to_owned(), format!("{{\"n\":{number}}}"));
        let mut reports = Reports::load(Some(file.clone()));
        reports.keep();
        assert!(!file.exists(), "nothing waits");
        reports.add(vec![report(1)]);
        reports.keep();
        reports.add(vec![report(2)]);
        reports.keep();
        let mut next = Reports::load(Some(file.clone()));
        assert_eq!(next.waiting(), [report(1), report(2)]);
        next.done();
        assert!(next.waiting().is_empty() && !file.exists());
        next.add((0..REPORTS_KEPT_MAX + 3).map(report).collect());
        next.keep();
        let last = Reports::load(Some(file.clone()));
        assert_eq!((last.waiting().len(), &last.waiting()[0]), (REPORTS_KEPT_MAX, &report(3)));
        fs::write(&file, "damaged").unwrap();
        assert!(Reports::load(Some(file)).waiting().is_empty());
    }
}
