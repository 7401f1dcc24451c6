//! Who may ask: tokens by their SHA-256, and short-lived ones for streams, whose clients cannot send headers.
//!
//! Only digests are kept, and they are compared in constant time. A token of a stream is `EXPIRY.MAC` with a key that every replica has,
//! so one edge lets in whom another sent.

use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How long a stream may be opened with the address that an answer gave, at most; half of it at least.
const STREAM_SECONDS: u64 = 12 * 3_600;
/// How long answers give the same address: clients that are given another one open their stream anew.
const ADDRESS_SECONDS: u64 = STREAM_SECONDS / 2;
/// Shorter ones can be guessed.
const LENGTH_MIN: usize = 16;

/// The tokens of an edge; with none everybody may ask.
#[derive(Clone, Default)]
pub struct Tokens(Vec<[u8; 32]>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

impl Tokens {
    /// Reads tokens parted by commas; each is plain or `sha256:` and the digest in hexadecimal.
    pub fn parse(list: &str) -> Result<Tokens, String> {
        let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(digest).collect::<Result<_, _>>().map(Tokens)
    }

    /// Whether everybody may ask.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the headers carry one of them, as `Authorization: Bearer` or `X-API-Key`.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        if self.is_open() {
            return true;
        }
        let bearer = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
        });
        let given = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes()));
        given.is_some_and(|token| self.knows(token.trim_ascii()))
    }

    fn knows(&self, token: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        // All are compared, so that the time does not tell which one was nearly right.
        self.0.iter().fold(subtle::Choice::from(0), |found, known| found | known.ct_eq(&digest)).into()
    }

    /// A token with which a stream can be opened for some hours, the same for all who ask within some hours.
    pub fn for_stream(&self, now_s: u64) -> Option<String> {
        let expires = (now_s / ADDRESS_SECONDS + 2) * ADDRESS_SECONDS;
        self.0.first().map(|key| format!("{expires}.{}", hex(&mac(key, expires))))
    }

    /// Whether a stream may be opened with a token.
    pub fn admit_stream(&self, token: &str, now_s: u64) -> bool {
        let Some((expires, given)) = token.split_once('.') else { return false };
        let Ok(expires) = expires.parse::<u64>() else { return false };
        let known = |key: &[u8; 32]| hex(&mac(key, expires)).as_bytes().ct_eq(given.as_bytes());
        let found = self.0.iter().fold(subtle::Choice::from(0), |found, key| found | known(key));
        bool::from(found) && now_s <= expires
    }
}

fn digest(token: &str) -> Result<[u8; 32], String> {
    if let Some(text) = token.strip_prefix("sha256:") {
        let byte = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(byte).collect();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        return bytes.ok_or_else(|| "a token's sha256: is not 64 hexadecimal digits".to_owned());
    }
    if token.len() < LENGTH_MIN {
        return Err(format!("a token has {} bytes; give at least {LENGTH_MIN}, such as 32 random ones", token.len()));
    }
    Ok(Sha256::digest(token).into())
}

fn mac(key: &[u8; 32], expires: u64) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length is allowed");
    mac.update(format!("assay stream {expires}").as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(hyper::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn tokens_admit_whom_they_name() {
        let hashed = format!("sha256:{}", hex(&Sha256::digest("another-token-of-sixteen")));
        let tokens = Tokens::parse(&format!("a-token-of-sixteen-bytes, {hashed}")).unwrap();
        for (name, value, admitted) in [
            ("authorization", "Bearer a-token-of-sixteen-bytes", true),
            ("authorization", "bearer another-token-of-sixteen", true),
            ("authorization", "Basic a-token-of-sixteen-bytes", false),
            ("authorization", "Bearer", false),
            ("x-api-key", "a-token-of-sixteen-bytes", true),
            ("x-api-key", "a-token-of-sixteen-byte", false),
            ("cookie", "a-token-of-sixteen-bytes", false),
        ] {
            assert_eq!(tokens.admit(&headers(name, value)), admitted, "{name}: {value}");
        }
        assert!(Tokens::parse("").unwrap().admit(&HeaderMap::new()));
        assert!(Tokens::parse("short").unwrap_err().contains("at least 16"));
        assert!(Tokens::parse("sha256:ab").is_err());
        assert_eq!(format!("{tokens:?}"), "2 tokens");
    }

    #[test]
    fn a_token_of_a_stream_ends() {
        let tokens = Tokens::parse("a-token-of-sixteen-bytes").unwrap();
        let token = tokens.for_stream(1_000).unwrap();
        assert!(tokens.admit_stream(&token, STREAM_SECONDS));
        assert!(!tokens.admit_stream(&token, STREAM_SECONDS + 1));
        assert!(!tokens.admit_stream(&token.replace("43200", "99999"), 1_000));
        assert_eq!(tokens.for_stream(ADDRESS_SECONDS - 1).unwrap(), token);
        let next = tokens.for_stream(ADDRESS_SECONDS).unwrap();
        assert!(next != token && tokens.admit_stream(&next, ADDRESS_SECONDS + STREAM_SECONDS));
        assert!(!tokens.admit_stream("1.", 0) && !tokens.admit_stream("", 0));
        // Replicas that know the same token let each other's clients in.
        let replica = Tokens::parse("some-other-token-bytes,a-token-of-sixteen-bytes").unwrap();
        assert!(replica.admit_stream(&token, 1_000));
    }
}
