//! Dead letters as records of their topic: the original bytes and headers, and beside them why and where from.

use assay_broker::NewRecord;

/// A record that was not accepted, for the dead-letter topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it was.
    pub offset: u64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub payload: Vec<u8>,
    /// Why, for counting.
    pub reason: &'static str,
    /// Why, in words.
    pub detail: String,
    /// Log time when it was applied, in milliseconds since the epoch.
    pub log_time_ms: i64,
}

impl Letter {
    /// What it takes in memory, about.
    pub(crate) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
        self.payload.len() + self.key.as_ref().map_or(0, Vec::len) + headers + self.detail.len() + 128
    }
}

/// Most bytes of a body in the topic: with headers and framing it stays below a broker's default limit of a megabyte.
pub(crate) const BODY_BYTES_MAX: usize = 800_000;
/// Most bytes of original headers, of the key and of the reason in words; real ones are far shorter.
const HEADER_BYTES_MAX: usize = 32_000;
const KEY_BYTES_MAX: usize = 16_000;
const DETAIL_BYTES_MAX: usize = 4_000;

/// A dead letter's place, headers and body as they go to the topic.
pub(crate) struct Framed<'a> {
    place: String,
    headers: Vec<(&'a str, Vec<u8>)>,
    body: &'a [u8],
    log_time_ms: i64,
}

impl<'a> Framed<'a> {
    /// Original headers come first; ours are named so that they cannot be taken for them. What is too large for a topic is cut, and
    /// `assay-dead-truncated` says what it was: `body=1048577` bytes, say. The original stays where `assay-dead-offset` points.
    pub(crate) fn new(topic: &str, partition: u32, letter: &'a Letter, body_max: usize) -> Self {
        let size = letter.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let key = letter.key.as_deref().unwrap_or_default();
        let mut cut = Vec::new();
        let mut whole = |what: &str, bytes: usize, max: usize| {
            if bytes > max {
                cut.push(format!("{what}={bytes}"));
            }
            bytes.min(max)
        };
        let body = &letter.payload[..whole("body", letter.payload.len(), body_max)];
        let key = &key[..whole("key", key.len(), KEY_BYTES_MAX)];
        let detail = &letter.detail.as_bytes()[..whole("detail", letter.detail.len(), DETAIL_BYTES_MAX)];
        let all_headers = whole("headers", size, HEADER_BYTES_MAX) == size;
        let originals = letter.headers.iter().filter(|_| all_headers);
        let mut headers: Vec<(&str, Vec<u8>)> = originals.map(|(name, value)| (name.as_str(), value.clone())).collect();
        headers.extend([
            ("assay-dead-topic", topic.to_owned().into_bytes()),
            ("assay-dead-partition", partition.to_string().into_bytes()),
            ("assay-dead-offset", letter.offset.to_string().into_bytes()),
            ("assay-dead-reason", letter.reason.as_bytes().to_vec()),
            ("assay-dead-detail", detail.to_vec()),
            ("assay-dead-key", key.to_vec()),
        ]);
        if !cut.is_empty() {
            headers.push(("assay-dead-truncated", cut.join(" ").into_bytes()));
        }
        let place = format!("{topic}/{partition}/{}", letter.offset);
        Framed { place, headers, body, log_time_ms: letter.log_time_ms }
    }

    pub(crate) fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect()
    }

    /// The record; `headers` are this letter's own.
    pub(crate) fn record<'r>(&'r self, headers: &'r Vec<(&'r str, &'r [u8])>) -> NewRecord<'r> {
        NewRecord {
            key: Some(self.place.as_bytes()),
            headers,
            payload: self.body,
            timestamp_ms: Some(self.log_time_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(letter: &Letter, body_max: usize, expected: &str) {
        let framed = Framed::new("events", 3, letter, body_max);
        let shown: Vec<String> = framed
            .headers()
            .iter()
            .map(|(name, value)| match value.len() {
                0..64 => format!("{name}={}", String::from_utf8_lossy(value)),
                length => format!("{name}: {length} bytes"),
            })
            .collect();
        assert_eq!(format!("{} {} | {}", framed.place, framed.body.len(), shown.join(", ")), expected);
    }

    #[test]
    fn what_is_too_large_is_cut_and_says_so() {
        let letter = Letter {
            offset: 7,
            key: Some(b"u1".to_vec()),
            headers: vec![("trace".to_owned(), b"t1".to_vec())],
            payload: b"broken".to_vec(),
            reason: "malformed",
            detail: "no JSON".to_owned(),
            log_time_ms: 0,
        };
        let ours = "assay-dead-topic=events, assay-dead-partition=3, assay-dead-offset=7, assay-dead-reason=malformed";
        check(
            &letter,
            BODY_BYTES_MAX,
            &format!("events/3/7 6 | trace=t1, {ours}, assay-dead-detail=no JSON, assay-dead-key=u1"),
        );
        check(
            &letter,
            2,
            &format!(
                "events/3/7 2 | trace=t1, {ours}, assay-dead-detail=no JSON, assay-dead-key=u1, assay-dead-truncated=body=6"
            ),
        );
        let large = Letter {
            headers: vec![("trace".to_owned(), vec![b'x'; 40_000])],
            detail: "d".repeat(5_000),
            key: Some(vec![b'k'; 20_000]),
            ..letter
        };
        check(
            &large,
            BODY_BYTES_MAX,
            &format!(
                "events/3/7 6 | {ours}, assay-dead-detail: 4000 bytes, assay-dead-key: 16000 bytes, \
                 assay-dead-truncated=key=20000 detail=5000 headers=40005"
            ),
        );
    }
}
