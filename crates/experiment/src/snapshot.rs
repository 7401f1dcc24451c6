//! A version of the definitions as one JSON document, as it travels to edges and lies on their disks.
//!
//! `{"version": 7, "sha256": "…", "definitions": [{…}, …]}`: the definitions are the canonical texts that the log has. The digest covers the
//! version and those texts, each with a line feed behind it, so a shell can check it: `printf '7\n{…}\n' | sha256sum`. Rejected: to sign only
//! the definitions, because then a version that was damaged on a disk could shut out all that come after it.

use crate::{ConfigVersion, Definitions, Malformed, canonical};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Largest document that is read; as many definitions as a log may hold take a tenth of it.
pub const BYTES_MAX: usize = 64 << 20;

/// A version of the definitions: its number and the canonical text of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    version: ConfigVersion,
    bodies: Vec<String>,
    sha256: [u8; 32],
}

impl Snapshot {
    /// Of canonical texts, as [`canonical::parts`] writes them and the log has them.
    pub fn new(version: ConfigVersion, bodies: Vec<String>) -> Self {
        let sha256 = sha256(version, bodies.iter().map(String::as_str));
        Snapshot { version, bodies, sha256 }
    }

    /// Of definitions.
    pub fn of(version: ConfigVersion, definitions: &Definitions) -> Self {
        Snapshot::new(version, canonical::parts(definitions))
    }

    /// Its number.
    pub fn version(&self) -> ConfigVersion {
        self.version
    }

    /// The canonical text of each definition.
    pub fn bodies(&self) -> &[String] {
        &self.bodies
    }

    /// Over version and texts.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What the texts say. `Err` lists the problems: another build wrote them.
    pub fn definitions(&self) -> Result<Definitions, String> {
        canonical::definitions(self.bodies.iter().map(String::as_str))
    }

    /// The document.
    pub fn encode(&self) -> String {
        let length: usize = self.bodies.iter().map(|body| body.len() + 1).sum();
        let mut out = String::with_capacity(length + 128);
        let digest = hex(&self.sha256);
        // Writing into a text cannot fail.
        let _ = write!(out, "{{\"version\":{},\"sha256\":\"{digest}\",\"definitions\":[", self.version.0);
        for (at, body) in self.bodies.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            out.push_str(body);
        }
        out.push_str("]}");
        out
    }

    /// Reads a document and checks its digest.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        struct Document<'a> {
            version: u64,
            sha256: String,
            #[serde(borrow)]
            definitions: Vec<&'a RawValue>,
        }
        let wrong = |problem: String| Malformed::whole(format!("snapshot of the definitions: {problem}"));
        if bytes.len() > BYTES_MAX {
            return Err(wrong(format!("it has {} bytes; at most {BYTES_MAX} are allowed", bytes.len())));
        }
        let document: Document<'_> = serde_json::from_slice(bytes).map_err(|problem| wrong(problem.to_string()))?;
        if document.version == 0 {
            return Err(wrong("its version is 0, but versions are counted from 1".to_owned()));
        }
        let version = ConfigVersion(document.version);
        let found = sha256(version, document.definitions.iter().map(|body| body.get()));
        if hex(&found) != document.sha256 {
            return Err(wrong(format!(
                "its digest is {}, but it says {}: it was damaged or changed; take it again from where it came from",
                hex(&found),
                document.sha256.chars().take(64).collect::<String>()
            )));
        }
        let bodies = document.definitions.iter().map(|body| body.get().to_owned()).collect();
        Ok(Snapshot { version, bodies, sha256: found })
    }
}

fn sha256<'a>(version: ConfigVersion, bodies: impl Iterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{}\n", version.0));
    // A canonical text has no line feed, so no two lists of texts are the same bytes.
    for body in bodies {
        hash.update(body);
        hash.update("\n");
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, parse};

    fn sample() -> Snapshot {
        let text = "{ kind: flag, id: dark, type: boolean, variants: { on: true, off: false }, default: off }\n---\n\
                    { kind: layer, id: page }\n---\n{ kind: metric, id: paid, type: sum, event: purchase, cap: 0.1 }";
        let definitions = parse(&[Source { name: "a.yaml", text }]).unwrap();
        let snapshot = Snapshot::of(ConfigVersion(7), &definitions);
        assert_eq!(snapshot.definitions().unwrap(), definitions);
        snapshot
    }

    #[test]
    fn a_snapshot_reads_back() {
        let snapshot = sample();
        assert_eq!(snapshot.bodies().len(), 3);
        assert_eq!(Snapshot::decode(snapshot.encode().as_bytes()), Ok(snapshot));
        let nothing = Snapshot::new(ConfigVersion(1), Vec::new());
        // printf '1\n' | sha256sum
        let digest = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865";
        assert_eq!(nothing.encode(), format!("{{\"version\":1,\"sha256\":\"{digest}\",\"definitions\":[]}}"));
    }

    #[test]
    fn what_was_damaged_is_refused() {
        let text = sample().encode();
        let problem = |text: &str| Snapshot::decode(text.as_bytes()).unwrap_err().to_string();
        assert!(problem(&text.replace("\"version\":7", "\"version\":8")).contains("its digest is"));
        assert!(problem(&text.replace("dark", "bark")).contains("its digest is"));
        assert!(problem(&text[..text.len() / 2]).contains("snapshot of the definitions: "));
        assert!(problem("{\"version\":0,\"sha256\":\"\",\"definitions\":[]}").contains("counted from 1"));
        // One flipped bit anywhere is seen, or makes no difference to what was said.
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(read) = Snapshot::decode(&bytes) {
                assert_eq!(read, sample(), "byte {at}");
            }
        }
    }
}
