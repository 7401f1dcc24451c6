//! What lets pages of other origins ask: the headers of cross-origin resource sharing, on every answer, 304 and errors too.

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};

/// Without it a page never sees the tag and asks for everything again, for ever.
const EXPOSED: HeaderValue = HeaderValue::from_static("ETag, Retry-After, X-Config-Version");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Type, Authorization, X-API-Key, If-None-Match, X-Min-Config-Version, Last-Event-ID, Cache-Control, \
     traceparent, tracestate, baggage",
);
/// Seconds; browsers cut it to two hours at most, and a change of the origins should be seen sooner.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Pages of which origins may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// Of all. Answers depend on tokens, never on cookies, so that a foreign page gains nothing from its visitor.
    Any,
    /// Of these, such as `https://shop.example`.
    Listed(Vec<String>),
}

impl Origins {
    /// Reads `*` or origins parted by commas.
    pub fn parse(list: &str) -> Result<Origins, String> {
        let parts: Vec<&str> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts == ["*"] {
            return Ok(Origins::Any);
        }
        let good = |part: &&str| {
            let host = part.strip_prefix("https://").or_else(|| part.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        match parts.iter().find(|part| !good(part)) {
            Some(wrong) => Err(format!("'{wrong}' is no origin; write https://HOST[:PORT] without a path, or *")),
            None => Ok(Origins::Listed(parts.into_iter().map(|part| part.trim_end_matches('/').to_owned()).collect())),
        }
    }

    /// Adds to an answer what the request's origin needs; nothing for requests that come from no page.
    pub fn allow(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        let Some(origin) = request.get(ORIGIN) else { return };
        match self {
            Origins::Any => {
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Origins::Listed(origins) => {
                answer.append(VARY, HeaderValue::from_static("Origin"));
                if !origins.iter().any(|known| known.as_bytes() == origin.as_bytes()) {
                    return;
                }
                answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
        }
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// Adds what the question before a request wants to know.
    pub fn allow_asking(&self, answer: &mut HeaderMap) {
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_matched_whole() {
        let allowed = |origins: &str, origin: &'static str| {
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            let mut answer = HeaderMap::new();
            Origins::parse(origins).unwrap().allow(&request, &mut answer);
            answer.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap().to_owned())
        };
        let listed = "https://shop.example, http://localhost:3000";
        assert_eq!(allowed("*", "https://x.example").as_deref(), Some("*"));
        assert_eq!(allowed(listed, "https://shop.example").as_deref(), Some("https://shop.example"));
        assert_eq!(allowed(listed, "http://localhost:3000").as_deref(), Some("http://localhost:3000"));
        assert_eq!(allowed(listed, "https://shop.example.evil.example"), None);
        assert_eq!(allowed(listed, "null"), None);
        assert!(Origins::parse("shop.example").unwrap_err().contains("https://HOST"));
        assert!(Origins::parse("https://shop.example/page").is_err());
    }
}
