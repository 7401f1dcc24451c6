//! All flags for one context: `POST /ofrep/v1/evaluate/flags`. Never an exposure.
//!
//! The tag is known before anything is evaluated, so a client that has everything costs next to nothing.

use assay_experiment::evaluation::Context;
use bytes::Bytes;
use hyper::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::buffers::fill;
use crate::current::Current;
use crate::etag;
use crate::ofrep::context_of;
use crate::respond::{Answer, Code, JSON, empty, failure, failure_body, not_ready, quoted, whole};
use crate::stream::INACTIVITY_SECONDS;

/// Bytes of the last answer: the next one will be about as long.
#[derive(Default)]
pub struct Length(AtomicUsize);

/// Evaluates all. `stream` is where news can be had; `None` where there is no room for another listener.
pub fn evaluate(
    current: Option<&Current>,
    length: &Length,
    headers: &HeaderMap,
    body: &Bytes,
    stream: Option<String>,
) -> Answer {
    let Some(current) = current else { return not_ready(None) };
    let bad = |code: Code, details: &str| failure(StatusCode::BAD_REQUEST, None, code.name(), details);
    let text = match context_of(body) {
        Ok(text) => text,
        Err(problem) => return bad(Code::ParseError, &problem),
    };
    let context = match current.context(text) {
        Ok(context) => context,
        Err(problem) => return bad(Code::InvalidContext, &problem.to_string()),
    };
    let tag = current.tag_of(text, stream.as_deref());
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|given| etag::matches(given.as_bytes(), &tag));
    let mut answer = match known {
        true => empty(StatusCode::NOT_MODIFIED),
        false => whole(StatusCode::OK, JSON, all(current, length, &context, stream)),
    };
    // Environments and digests are of letters that a header may have.
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn all(current: &Current, length: &Length, context: &Context, stream: Option<String>) -> Bytes {
    let bytes = fill(length.0.load(Ordering::Relaxed).max(1_024), |out| write(current, context, stream, out));
    length.0.store(bytes.len(), Ordering::Relaxed);
    bytes
}

fn write(current: &Current, context: &Context, stream: Option<String>, out: &mut Vec<u8>) {
    let (ruleset, answers) = (&current.ruleset, &current.answers);
    out.extend_from_slice(b"{\"flags\":[");
    for (flag, rule) in ruleset.flags().iter().enumerate() {
        if flag > 0 {
            out.push(b',');
        }
        match ruleset.evaluate(flag, context) {
            Ok(answer) => answers.append(ruleset, &answer, out),
            Err(problem) => {
                let details = problem.to_string();
                out.extend(failure_body(Some(rule.key()), problem.code(), &details, answers.metadata()));
            }
        }
    }
    out.extend_from_slice(b"],\"metadata\":");
    out.extend_from_slice(answers.metadata().as_bytes());
    if let Some(address) = stream {
        let address = quoted(&address);
        let streams = format!(
            ",\"eventStreams\":[{{\"type\":\"sse\",\"endpoint\":{{\"requestUri\":{address}}},\"inactivityDelaySec\":{INACTIVITY_SECONDS}}}]"
        );
        out.extend_from_slice(streams.as_bytes());
    }
    out.push(b'}');
}
