//! Answers: bodies that are there already or come bit by bit, and errors in the protocol's words.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::stream::Stream;

/// What a client gets.
pub type Answer = Response<Body>;

/// The body of an answer.
pub enum Body {
    /// All of it; `None` once it was taken.
    Whole(Option<Bytes>),
    /// Events as they come.
    Stream(Box<Stream>),
}

/// The media type of everything that is not a stream or plain text.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The media type of the probes.
pub const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Stream(stream) => stream.poll_next(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Body::Stream(_) => SizeHint::default(),
        }
    }
}

/// An answer with a body.
pub fn whole(status: StatusCode, media: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Body::Whole(Some(body.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::Whole(None));
    *answer.status_mut() = status;
    answer
}

/// Codes of the protocol that are not those of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// There are no definitions.
    ProviderNotReady,
    /// What was sent, or what was defined, cannot be read.
    ParseError,
    /// The context breaks a rule.
    InvalidContext,
    /// Everything else.
    General,
}

impl Code {
    /// As the protocol writes it.
    pub fn name(self) -> &'static str {
        match self {
            Code::ProviderNotReady => "PROVIDER_NOT_READY",
            Code::ParseError => "PARSE_ERROR",
            Code::InvalidContext => "INVALID_CONTEXT",
            Code::General => "GENERAL",
        }
    }
}

/// An error of the protocol. Clients insist on details, and single evaluation on the key.
pub fn failure(status: StatusCode, key: Option<&str>, code: &str, details: &str) -> Answer {
    whole(status, JSON, failure_body(key, code, details, ""))
}

/// The body of an error; `metadata` is empty or the JSON of an object.
pub fn failure_body(key: Option<&str>, code: &str, details: &str, metadata: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + details.len());
    out.push(b'{');
    if let Some(key) = key {
        out.extend_from_slice(b"\"key\":");
        out.extend_from_slice(quoted(shortened(key)).as_bytes());
        out.push(b',');
    }
    for part in ["\"errorCode\":\"", code, "\",\"errorDetails\":", &quoted(details)] {
        out.extend_from_slice(part.as_bytes());
    }
    if !metadata.is_empty() {
        out.extend_from_slice(b",\"metadata\":");
        out.extend_from_slice(metadata.as_bytes());
    }
    out.push(b'}');
    out
}

/// Text as JSON.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A key that is none of ours may be long; its start is enough to find it.
fn shortened(key: &str) -> &str {
    &key[..key.floor_char_boundary(crate::limits::KEY_BYTES_MAX)]
}

/// A method that this address does not know.
pub fn wrong_method(allowed: &'static str) -> Answer {
    let details = format!("this address takes {allowed}");
    let mut answer = failure(StatusCode::METHOD_NOT_ALLOWED, None, Code::General.name(), &details);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// Nobody answers here yet: no definitions.
pub fn not_ready(key: Option<&str>) -> Answer {
    let details = "this edge has no definitions yet: neither its source nor its disk gave any; use the default";
    let mut answer = failure(StatusCode::SERVICE_UNAVAILABLE, key, Code::ProviderNotReady.name(), details);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}
