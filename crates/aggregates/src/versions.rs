//! Which versions of the definitions the partition has seen, and which is in force.
//!
//! A version is its parts and a closing record, and acts where the closing record is. The highest wins; a lower one that comes late is known,
//! so that events may name it, but never in force.

use crate::bytes::{Bytes, Reader};
use crate::snapshot::RestoreError;
use assay_experiment::{Definitions, canonical, control, wire};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The definitions that the log has published so far.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pending: BTreeMap<u64, BTreeMap<u32, String>>,
    known: BTreeSet<u64>,
    recent: VecDeque<(u64, Arc<Definitions>)>,
    in_force: Option<InForce>,
}

/// The definitions that count now.
#[derive(Debug, Clone)]
pub(crate) struct InForce {
    pub version: u64,
    pub definitions: Arc<Definitions>,
    pub bodies: Vec<String>,
}

/// What a closing record did.
#[derive(Debug)]
pub(crate) enum Closed {
    /// The version is in force from here on.
    InForce(InForce),
    /// It was known already, or a higher one is in force.
    Known,
}

/// Versions under way at a time; more can only be mistakes.
const PENDING_MAX: usize = 16;
/// Versions whose definitions are kept for events that name them.
const RECENT_MAX: usize = 16;
/// Parts of a version.
const PARTS_MAX: u32 = 10_000;

impl Versions {
    /// One definition of a version. `Err` says why it is refused.
    pub fn part(&mut self, version: u64, index: u32, count: u32, body: &str) -> Result<(), String> {
        if self.known.contains(&version) {
            return Ok(());
        }
        if index >= count || count > PARTS_MAX {
            return Err(format!("part {index} of {count} of version {version} cannot be"));
        }
        if !self.pending.contains_key(&version) && self.pending.len() >= PENDING_MAX {
            // The oldest one under way is given up: publishing it again brings it back whole.
            self.pending.pop_first();
        }
        let parts = self.pending.entry(version).or_default();
        match parts.get(&index) {
            Some(known) if known != body => {
                Err(format!("part {index} of version {version} came before with another body"))
            }
            _ => {
                parts.insert(index, body.to_owned());
                Ok(())
            }
        }
    }

    /// The closing record of a version. `Err` says why it is refused; `fits` may refuse definitions that would come into force.
    pub fn close(
        &mut self,
        version: u64,
        count: u32,
        hash: u128,
        fits: impl FnOnce(&Definitions) -> Result<(), String>,
    ) -> Result<Closed, String> {
        if self.known.contains(&version) {
            return Ok(Closed::Known);
        }
        let parts = self.pending.get(&version).filter(|parts| parts.len() == count as usize);
        let Some(parts) = parts else {
            let here = self.pending.get(&version).map_or(0, BTreeMap::len);
            return Err(format!("version {version} closes with {count} parts, but {here} are here"));
        };
        let bodies: Vec<String> = parts.values().cloned().collect();
        if control::parts_hash(bodies.iter().map(String::as_str)) != hash {
            return Err(format!("version {version} closes with another hash than its parts have"));
        }
        let definitions = Arc::new(parse(&bodies)?);
        let is_late = self.in_force.as_ref().is_some_and(|current| current.version > version);
        if !is_late {
            fits(&definitions)?;
        }
        self.pending.remove(&version);
        self.known.insert(version);
        self.recent.push_back((version, definitions.clone()));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        if is_late {
            return Ok(Closed::Known);
        }
        let in_force = InForce { version, definitions, bodies };
        self.in_force = Some(in_force.clone());
        Ok(Closed::InForce(in_force))
    }

    /// The writers' schemas that count now: the built-in ones, and those of the definitions in force.
    pub fn schemas(&self) -> wire::Schemas {
        let mut schemas = wire::Schemas::built_in();
        let published = self.in_force.iter().flat_map(|current| current.definitions.schemas.values());
        for schema in published {
            schemas
                .register(schema.id, schema.guid, &schema.avro)
                .expect("reading the definitions registered every schema once, to see whether it can be used");
        }
        schemas
    }

    pub fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// Version number in force, 0 for none.
    pub fn number(&self) -> u64 {
        self.in_force.as_ref().map_or(0, |current| current.version)
    }

    /// The definitions by which an event is judged; `Err` when it names a version that was never seen here.
    pub fn judging(&self, named: Option<u64>) -> Result<Option<&Definitions>, u64> {
        let current = self.in_force.as_ref().map(|current| current.definitions.as_ref());
        match named {
            Some(named) if !self.known.contains(&named) => Err(named),
            Some(named) => {
                let recent = self.recent.iter().find(|(version, _)| *version == named);
                Ok(recent.map(|(_, definitions)| definitions.as_ref()).or(current))
            }
            None => Ok(current),
        }
    }

    pub fn write(&self, out: &mut Bytes) {
        out.uint(self.pending.len() as u64);
        for (version, parts) in &self.pending {
            out.uint(*version);
            out.uint(parts.len() as u64);
            for (index, body) in parts {
                out.uint(u64::from(*index));
                out.text(body);
            }
        }
        out.uint(self.known.len() as u64);
        self.known.iter().for_each(|&version| out.uint(version));
        out.uint(self.recent.len() as u64);
        for (version, definitions) in &self.recent {
            out.uint(*version);
            write_bodies(out, &canonical::parts(definitions));
        }
        out.byte(u8::from(self.in_force.is_some()));
        if let Some(current) = &self.in_force {
            out.uint(current.version);
            write_bodies(out, &current.bodies);
        }
    }

    pub fn read(from: &mut Reader<'_>) -> Result<Self, RestoreError> {
        let mut versions = Versions::default();
        for _ in 0..from.count()? {
            let version = from.uint()?;
            let mut parts = BTreeMap::new();
            for _ in 0..from.count()? {
                parts.insert(from.uint()? as u32, from.text()?.to_owned());
            }
            versions.pending.insert(version, parts);
        }
        for _ in 0..from.count()? {
            versions.known.insert(from.uint()?);
        }
        for _ in 0..from.count()? {
            let version = from.uint()?;
            let definitions = parse(&read_bodies(from)?).map_err(RestoreError::Definitions)?;
            versions.recent.push_back((version, Arc::new(definitions)));
        }
        if from.byte()? != 0 {
            let version = from.uint()?;
            let bodies = read_bodies(from)?;
            let definitions = Arc::new(parse(&bodies).map_err(RestoreError::Definitions)?);
            versions.in_force = Some(InForce { version, definitions, bodies });
        }
        Ok(versions)
    }
}

/// Definitions from their canonical bodies.
pub(crate) fn parse(bodies: &[String]) -> Result<Definitions, String> {
    canonical::definitions(bodies.iter().map(String::as_str))
}

fn write_bodies(out: &mut Bytes, bodies: &[String]) {
    out.uint(bodies.len() as u64);
    bodies.iter().for_each(|body| out.text(body));
}

fn read_bodies(from: &mut Reader<'_>) -> Result<Vec<String>, RestoreError> {
    Ok((0..from.count()?).map(|_| from.text().map(str::to_owned)).collect::<Result<_, _>>()?)
}
