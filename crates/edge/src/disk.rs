//! The last definitions that were good, on disk: the newest and the one before, each with its digest.

use assay_experiment::snapshot::Snapshot;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::current::Numbering;

/// A directory for one environment.
pub struct Disk {
    directory: PathBuf,
    environment: String,
}

impl Disk {
    /// Uses a directory; it is made when something is written.
    pub fn new(directory: &Path, environment: &str) -> Self {
        Disk { directory: directory.to_owned(), environment: environment.to_owned() }
    }

    /// Definitions that this edge counted itself lie apart, so that they never shut out what was published.
    fn paths(&self, numbering: Numbering) -> [PathBuf; 2] {
        let kind = match numbering {
            Numbering::Published => "published",
            Numbering::Local => "local",
        };
        ["json", "before.json"].map(|end| self.directory.join(format!("{}-{kind}.{end}", self.environment)))
    }

    /// What can be read, newest first. What is damaged is told and passed over.
    pub fn load(&self, numbering: Numbering) -> Vec<Snapshot> {
        let read = |path: PathBuf| match fs::read(&path) {
            Ok(bytes) => Snapshot::decode(&bytes)
                .inspect_err(|problem| tracing::error!(%problem, file = %path.display(), "what was kept is damaged"))
                .ok(),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
            Err(problem) => {
                tracing::error!(%problem, file = %path.display(), "what was kept cannot be read");
                None
            }
        };
        self.paths(numbering).into_iter().filter_map(read).collect()
    }

    /// Keeps a version; the one before stays until the next.
    pub fn save(&self, snapshot: &Snapshot, numbering: Numbering) -> io::Result<()> {
        let [newest, before] = self.paths(numbering);
        let text = snapshot.encode();
        if fs::read(&newest).is_ok_and(|kept| kept == text.as_bytes()) {
            return Ok(());
        }
        fs::create_dir_all(&self.directory)?;
        let fresh = newest.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A damaged file is not worth the place of a good one.
        if fs::read(&newest).is_ok_and(|kept| Snapshot::decode(&kept).is_ok()) {
            fs::rename(&newest, &before)?;
        }
        fs::rename(&fresh, &newest)?;
        File::open(&self.directory)?.sync_all()
    }

    /// Where reports of lost exposures wait for the log.
    pub fn reports(&self) -> PathBuf {
        self.directory.join(format!("{}-lost.json", self.environment))
    }

    /// The name of this edge in what it reports, made once and kept; another one each time where the disk does not take it.
    pub fn id(&self) -> String {
        let path = self.directory.join("id");
        if let Ok(id) = fs::read_to_string(&path)
            && (1..=128).contains(&id.trim().len())
        {
            return id.trim().to_owned();
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        if let Err(problem) = fs::create_dir_all(&self.directory).and_then(|()| fs::write(&path, &id)) {
            tracing::warn!(%problem, "the name of this edge cannot be kept; it has another one after a restart");
        }
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_experiment::ConfigVersion;

    fn versions(disk: &Disk) -> Vec<u64> {
        disk.load(Numbering::Published).iter().map(|snapshot| snapshot.version().0).collect()
    }

    #[test]
    fn two_generations_survive_damage() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(&directory.path().join("edge"), "production");
        assert!(versions(&disk).is_empty());
        let snapshot = |version| Snapshot::new(ConfigVersion(version), vec![format!("{{\"n\":{version}}}")]);
        for version in [1, 2, 3, 3] {
            disk.save(&snapshot(version), Numbering::Published).unwrap();
        }
        assert_eq!(versions(&disk), [3, 2]);
        assert!(disk.load(Numbering::Local).is_empty());
        let newest = directory.path().join("edge/production-published.json");
        let text = fs::read_to_string(&newest).unwrap();
        fs::write(&newest, text.replace("\"n\":3", "\"n\":4")).unwrap();
        assert_eq!(versions(&disk), [2], "what was changed is passed over");
        disk.save(&snapshot(4), Numbering::Published).unwrap();
        assert_eq!(versions(&disk), [4, 2], "and does not push out what is good");
        assert_eq!(disk.id(), disk.id());
    }
}
