//! Rows that wait for ClickHouse, in the store, in the order in which they came.

use crate::clock::Clock;
use crate::flush::{FlushError, deliver};
use crate::metrics::Metrics;
use crate::sink::{Insert, Sink};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use xxhash_rust::xxh3::xxh3_64;

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spilled {
    /// Blocks of rows.
    Rows(Vec<Insert>),
    /// A unit to be forgotten.
    Erase { unit_type: String, unit_id: String },
}

/// The spill of all partitions of a log that this process owns.
pub struct Spill {
    store: Arc<dyn Store>,
    prefix: String,
    bytes_max: u64,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Keys and sizes by partition, oldest first.
    keys: BTreeMap<u32, VecDeque<(String, u64)>>,
    bytes: u64,
    /// Goes up, so that keys sort in the order of their making.
    next: u64,
    /// Why the last delivery failed.
    why: String,
}

impl Spill {
    /// Finds what an earlier run left. At most `bytes_max` wait; then partitions pause.
    pub fn open(store: Arc<dyn Store>, log_id: &str, bytes_max: u64) -> Result<Self, StoreError> {
        let prefix = format!("spill/{log_id}/");
        let mut waiting = Waiting::default();
        for (key, size) in store.list(&prefix)? {
            let name = key.strip_prefix(&prefix).expect("keys below the prefix start with it");
            let mut numbers = name.split('-').map(|part| part.parse::<u64>());
            if let (Some(Ok(order)), Some(Ok(partition))) = (numbers.next(), numbers.next()) {
                waiting.keys.entry(partition as u32).or_default().push_back((key.clone(), size));
                waiting.bytes += size;
                waiting.next = waiting.next.max(order + 1);
            }
        }
        Ok(Spill { store, prefix, bytes_max, waiting: Mutex::new(waiting) })
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no code panics while it holds this lock")
    }

    /// Whether nothing of a partition waits.
    pub fn is_empty(&self, partition: u32) -> bool {
        self.held().keys.get(&partition).is_none_or(VecDeque::is_empty)
    }

    /// How many chunks and bytes wait, and why.
    pub fn waiting(&self) -> (usize, u64, String) {
        let waiting = self.held();
        (waiting.keys.values().map(VecDeque::len).sum(), waiting.bytes, waiting.why.clone())
    }

    pub(crate) fn note(&self, why: &str) {
        self.held().why = why.to_owned();
    }

    pub(crate) fn push(&self, partition: u32, first: u64, what: &Spilled) -> Result<(), FlushError> {
        let bytes = what.encode();
        let mut waiting = self.held();
        let size = bytes.len() as u64;
        let ending = format!("-{partition:05}-{first}");
        // After a restart the same chunk comes again, with the same rows.
        if first != u64::MAX
            && waiting.keys.get(&partition).is_some_and(|keys| keys.iter().any(|(key, _)| key.ends_with(&ending)))
        {
            return Ok(());
        }
        if waiting.bytes + size > self.bytes_max {
            return Err(FlushError::SpillFull { why: waiting.why.clone(), spilled: waiting.bytes });
        }
        let key = format!("{}{:020}{ending}", self.prefix, waiting.next);
        self.store.put(&key, &bytes)?;
        waiting.next += 1;
        waiting.bytes += size;
        waiting.keys.entry(partition).or_default().push_back((key, size));
        Ok(())
    }

    /// Tries to deliver the oldest of each partition. Returns whether something got through and more may.
    pub fn drain(&self, sink: &dyn Sink, metrics: &Metrics, clock: &dyn Clock) -> Result<bool, StoreError> {
        let oldest: Vec<(u32, String)> = {
            let waiting = self.held();
            waiting.keys.iter().filter_map(|(&partition, keys)| Some((partition, keys.front()?.0.clone()))).collect()
        };
        let mut progress = false;
        for (partition, key) in oldest {
            let bytes = self.store.get(&key)?;
            let Some(what) = bytes.as_deref().and_then(Spilled::decode) else {
                // Its rows are in no snapshot's future: they must not be skipped in silence.
                return Err(StoreError {
                    what: format!("reading {key}"),
                    why: "the spilled chunk is damaged or gone; restore the file, or remove the snapshots after it so that the log is read again".to_owned(),
                });
            };
            match deliver(sink, &what, metrics, clock) {
                Err(problem) => {
                    self.note(&problem.0);
                    return Ok(false);
                }
                Ok(()) => {
                    self.store.remove(&key)?;
                    let mut waiting = self.held();
                    let keys = waiting.keys.get_mut(&partition).expect("it had a key");
                    let (_, size) = keys.pop_front().expect("it had this key");
                    waiting.bytes -= size;
                    progress = true;
                }
            }
        }
        Ok(progress)
    }
}

impl Spilled {
    /// Length-framed fields behind a kind, in front of a checksum.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 8];
        let mut field = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self {
            Spilled::Rows(inserts) => {
                field(b"rows");
                for insert in inserts {
                    field(insert.table.as_bytes());
                    field(insert.columns.as_bytes());
                    field(insert.token.as_bytes());
                    field(&insert.rows);
                }
            }
            Spilled::Erase { unit_type, unit_id } => {
                field(b"erase");
                field(unit_type.as_bytes());
                field(unit_id.as_bytes());
            }
        }
        let checksum = xxh3_64(&out[8..]);
        out[..8].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Spilled> {
        let (checksum, mut rest) = bytes.split_at_checked(8)?;
        if checksum != xxh3_64(rest).to_le_bytes() {
            return None;
        }
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_at_checked(8)?;
            let length = u64::from_le_bytes(length.try_into().expect("eight bytes")) as usize;
            let (field, after) = after.split_at_checked(length)?;
            fields.push(field);
            rest = after;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        match fields.split_first()? {
            (&b"erase", [unit_type, unit_id]) => {
                Some(Spilled::Erase { unit_type: text(unit_type)?, unit_id: text(unit_id)? })
            }
            (&b"rows", fields) if fields.len() % 4 == 0 => {
                let insert = |part: &[&[u8]]| {
                    Some(Insert {
                        table: text(part[0])?,
                        columns: text(part[1])?,
                        token: text(part[2])?,
                        rows: part[3].to_vec(),
                    })
                };
                fields.chunks(4).map(insert).collect::<Option<_>>().map(Spilled::Rows)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_reads_back_and_damage_is_seen() {
        let insert = |table: &str| Insert {
            table: table.to_owned(),
            columns: "a, b".to_owned(),
            token: "t/1".to_owned(),
            rows: vec![0, 1, 255],
        };
        for what in [
            Spilled::Rows(vec![insert("one"), insert("two")]),
            Spilled::Erase { unit_type: "user".to_owned(), unit_id: "u1".to_owned() },
        ] {
            let mut bytes = what.encode();
            assert_eq!(Spilled::decode(&bytes), Some(what));
            *bytes.last_mut().unwrap() ^= 1;
            assert_eq!(Spilled::decode(&bytes), None);
        }
    }
}
