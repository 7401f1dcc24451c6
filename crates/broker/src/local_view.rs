//! A local log that another process may own, to read what is there.
//!
//! Changes nothing, not even a torn end: it may be a record that is being written. What is appended after a reader was opened is not seen.

use crate::local::{describe, io, segment_path};
use crate::log::{Appended, Batch, Bounds, Error, Log, NewRecord, Offset, Partition, Reader, Topic, TopicSpec};
use crate::segment::{Cursor, walk};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Reads the files of a log.
pub(crate) struct LocalView {
    directory: PathBuf,
}

/// Reads what was there when it was opened.
struct ViewReader {
    /// Base and whole length of the segments that are left.
    segments: VecDeque<(u64, u64)>,
    directory: PathBuf,
    cursor: Option<Cursor>,
    next: u64,
    end: u64,
}

impl LocalView {
    pub fn new(directory: &Path) -> Self {
        LocalView { directory: directory.to_owned() }
    }

    fn owned(&self) -> Error {
        Error::Refused(format!("the log in {} was opened only to be read", self.directory.display()))
    }

    fn partition(&self, topic: &str, partition: Partition) -> Result<PathBuf, Error> {
        if partition.0 >= self.topic(topic)?.partitions {
            return Err(Error::Refused(format!("topic {topic} has no partition {}", partition.0)));
        }
        Ok(self.directory.join(topic).join(partition.0.to_string()))
    }
}

/// First offsets of the segments of a partition; there is at least one.
fn bases(directory: &Path) -> Result<Vec<u64>, Error> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(directory).map_err(io(format!("reading {}", directory.display())))? {
        let name = entry.map_err(io(format!("reading {}", directory.display())))?.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        bases.extend(base);
    }
    bases.sort_unstable();
    match bases.is_empty() {
        true => Err(Error::Corrupt(format!("{} has no segments", directory.display()))),
        false => Ok(bases),
    }
}

impl Log for LocalView {
    fn create_topic(&self, _: &TopicSpec) -> Result<Topic, Error> {
        Err(self.owned())
    }

    fn topic(&self, name: &str) -> Result<Topic, Error> {
        let directory = self.directory.join(name);
        if name.contains('/') || !directory.join("topic").is_file() {
            return Err(Error::UnknownTopic(name.to_owned()));
        }
        describe(&directory).map(|(topic, ..)| topic)
    }

    fn append(&self, _: &str, _: Partition, _: &[NewRecord<'_>]) -> Result<Vec<Appended>, Error> {
        Err(self.owned())
    }

    fn bounds(&self, topic: &str, partition: Partition) -> Result<Bounds, Error> {
        let directory = self.partition(topic, partition)?;
        let bases = bases(&directory)?;
        let newest = bases[bases.len() - 1];
        let end = walk(&segment_path(&directory, newest), |_| Ok(()))?;
        Ok(Bounds { low: Offset(bases[0]), next: Offset(end.next.unwrap_or(newest)) })
    }

    fn open(&self, topic: &str, partition: Partition, from: Offset) -> Result<Box<dyn Reader>, Error> {
        let directory = self.partition(topic, partition)?;
        let Bounds { low, next } = self.bounds(topic, partition)?;
        if from < low || from > next {
            let (topic, partition) = (topic.to_owned(), partition.0);
            return Err(Error::OffsetGone { topic, partition, wanted: from.0, low: low.0, next: next.0 });
        }
        let bases = bases(&directory)?;
        let first = bases.iter().rposition(|base| *base <= from.0).unwrap_or(0);
        let mut segments = VecDeque::new();
        for &base in &bases[first..] {
            segments.push_back((base, walk(&segment_path(&directory, base), |_| Ok(()))?.length));
        }
        Ok(Box::new(ViewReader { segments, directory, cursor: None, next: from.0, end: next.0 }))
    }
}

impl Reader for ViewReader {
    fn poll(&mut self, batch: &mut Batch, max_bytes: usize, _: Duration) -> Result<(), Error> {
        batch.clear();
        while let Some(&(base, length)) = self.segments.front() {
            if self.cursor.is_none() {
                self.cursor = Some(Cursor::open(&segment_path(&self.directory, base))?);
            }
            let cursor = self.cursor.as_mut().expect("just set");
            self.next = cursor.fill(batch, self.next, length, max_bytes.max(1))?;
            if !batch.is_empty() {
                return Ok(());
            }
            self.cursor = None;
            self.segments.pop_front();
        }
        Ok(())
    }

    fn next_in_log(&mut self) -> Result<Offset, Error> {
        Ok(Offset(self.end.max(self.next)))
    }
}
