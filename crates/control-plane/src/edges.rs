//! Which edges there are. Each says its name and the version that it answers from whenever it asks for the definitions, at least every 25 s.
//!
//! Only what was heard is known: an edge that never asked here is not listed, and after a restart of this process the list fills again.

use crate::status::{Edge, EdgeState};
use assay_experiment::{Timestamp, format_time};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// Edges that are remembered, more than one control plane answers. Beyond it the one that was silent for longest is forgotten.
const EDGES_MAX: usize = 1_000;
/// Longest name that is taken; edges name themselves with at most 73 bytes.
const NAME_BYTES_MAX: usize = 128;
/// An edge that was silent for so long is forgotten: it is gone, or came back under another name.
const FORGOTTEN_AFTER_MS: i64 = 10 * 60_000;
/// An edge that was silent for so long is not there at present: it has missed two long polls.
const SILENT_AFTER_MS: i64 = 60_000;
/// How long an edge may take to have a new version: one that lost the control plane asks again within ten seconds.
const BEHIND_AFTER_MS: i64 = 15_000;

/// Edges that were heard of.
#[derive(Debug, Default)]
pub struct Edges {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By name: the version that it answers from, and when it was heard.
    edges: BTreeMap<String, (u64, i64)>,
    /// The newest version, and since when it is known to be.
    newest: (u64, i64),
}

impl Edges {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no code panics while it holds this lock")
    }

    /// An edge says what it answers from; a name that none gives itself is ignored.
    pub fn heard(&self, name: &str, version: u64, now_ms: i64) {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(legal) {
            return;
        }
        let mut known = self.known();
        if !known.edges.contains_key(name) && known.edges.len() >= EDGES_MAX {
            let silent = known.edges.iter().min_by_key(|(_, (_, seen))| *seen).map(|(name, _)| name.clone());
            silent.map(|name| known.edges.remove(&name));
        }
        known.edges.insert(name.to_owned(), (version, now_ms));
    }

    /// A version is the newest.
    pub fn published(&self, version: u64, now_ms: i64) {
        let mut known = self.known();
        if version > known.newest.0 {
            known.newest = (version, now_ms);
        }
    }

    /// All of them, those that need attention first.
    pub fn list(&self, now_ms: i64) -> Vec<Edge> {
        let mut known = self.known();
        known.edges.retain(|_, (_, seen)| now_ms - *seen < FORGOTTEN_AFTER_MS);
        let (newest, since) = known.newest;
        let state = |version: u64, seen: i64| match () {
            () if now_ms - seen > SILENT_AFTER_MS => EdgeState::Silent,
            () if version < newest && now_ms - since > BEHIND_AFTER_MS => EdgeState::Behind,
            () => EdgeState::Current,
        };
        let edge = |(id, &(version, seen)): (&String, &(u64, i64))| Edge {
            id: id.clone(),
            version,
            seen: format_time(Timestamp::from_millis(seen)),
            state: state(version, seen),
        };
        let mut edges: Vec<Edge> = known.edges.iter().map(edge).collect();
        edges.sort_by_key(|it| it.state);
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(edges: &Edges, now_ms: i64) -> Vec<(String, u64, EdgeState)> {
        edges.list(now_ms).into_iter().map(|it| (it.id, it.version, it.state)).collect()
    }

    #[test]
    fn who_is_behind_silent_or_gone_is_told_apart() {
        let edges = Edges::default();
        let of = |name: &str, version, state| (name.to_owned(), version, state);
        edges.published(1, 0);
        edges.heard("a", 1, 0);
        edges.heard("b", 1, 0);
        assert_eq!(listed(&edges, 1_000), [of("a", 1, EdgeState::Current), of("b", 1, EdgeState::Current)]);
        edges.published(2, 20_000);
        edges.heard("a", 2, 20_100);
        edges.heard("b", 1, 20_100);
        let all = [of("a", 2, EdgeState::Current), of("b", 1, EdgeState::Current)];
        assert_eq!(listed(&edges, 35_000), all, "a version is on its way");
        edges.published(2, 35_001);
        let all = [of("b", 1, EdgeState::Behind), of("a", 2, EdgeState::Current)];
        assert_eq!(listed(&edges, 35_001), all);
        edges.heard("b", 2, 40_000);
        let all = [of("a", 2, EdgeState::Silent), of("b", 2, EdgeState::Current)];
        assert_eq!(listed(&edges, 90_000), all);
        assert_eq!(listed(&edges, 20_100 + FORGOTTEN_AFTER_MS), [of("b", 2, EdgeState::Silent)]);
    }

    #[test]
    fn strangers_cannot_fill_the_list() {
        let edges = Edges::default();
        for wrong in ["", "a b", "ä", "<script>", &"x".repeat(NAME_BYTES_MAX + 1)] {
            edges.heard(wrong, 1, 0);
        }
        assert!(edges.list(0).is_empty());
        for number in 0..EDGES_MAX as i64 + 2 {
            edges.heard(&format!("edge-{number}"), 1, number);
        }
        let names: Vec<String> = edges.list(EDGES_MAX as i64).into_iter().map(|it| it.id).collect();
        assert_eq!(names.len(), EDGES_MAX);
        assert!(!names.contains(&"edge-1".to_owned()) && names.contains(&"edge-2".to_owned()));
    }
}
