//! The body of a request: bounded in bytes and time, whole and without a copy where it came whole.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use hyper::{HeaderMap, StatusCode};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::limits::BODY_TIMEOUT;

/// Why a body was not taken: the status, and what to do.
pub type Refused = (StatusCode, String);

/// Reads a body.
pub async fn read(mut body: Incoming, max: usize) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > max as u64 {
        drain(&mut body).await;
        return Err(too_large(max));
    }
    // Mostly it came with the head, and needs no clock.
    let outcome = {
        let mut collecting = pin!(collect(&mut body, max));
        match poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => tokio::time::timeout(BODY_TIMEOUT, collecting).await,
        }
    };
    match outcome {
        Ok(outcome) => {
            if outcome.is_err() {
                drain(&mut body).await;
            }
            outcome
        }
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {BODY_TIMEOUT:?}"))),
    }
}

/// Most bytes that are read and thrown away after a refusal.
const DRAIN_MAX: usize = 8 << 20;
/// For so long at most.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Lets a client finish sending what is refused, within bounds: a connection that is closed while it still sends loses the answer on its way.
async fn drain(body: &mut Incoming) {
    let rest = async {
        let mut bytes = 0;
        while let Ok(Some(more)) = next(body).await {
            bytes += more.len();
            if bytes > DRAIN_MAX {
                return;
            }
        }
    };
    // Whoever sends slower, or more, is cut off.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, rest).await;
}

async fn collect(body: &mut Incoming, max: usize) -> Result<Bytes, Refused> {
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() && first.len() <= max {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(more) = next(body).await? {
        if whole.len() + more.len() > max {
            return Err(too_large(max));
        }
        whole.extend_from_slice(&more);
    }
    if whole.len() > max { Err(too_large(max)) } else { Ok(whole.freeze()) }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refused> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // What is no data is a trailer, which nothing here needs.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(problem)) => {
                return Err((StatusCode::BAD_REQUEST, format!("the body broke off: {problem}")));
            }
        }
    }
}

fn too_large(max: usize) -> Refused {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {max} bytes; send less, or in parts"))
}

/// Kinds of JSON that a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One text.
    Json,
    /// One in each line.
    Lines,
}

/// What the headers say about the body; without a word it is JSON, but not from a page: a browser asks first whether another origin's page may
/// send JSON, and sends a form or a body without a type unasked.
pub fn media(headers: &HeaderMap, lines: bool) -> Result<Media, Refused> {
    let unsupported = |problem: String| Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, problem));
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        return unsupported(format!("content-encoding {encoding:?} is not taken; send the body as it is"));
    }
    let page = headers.contains_key(ORIGIN);
    let given = match headers.get(CONTENT_TYPE) {
        Some(given) => given,
        None if page => return unsupported("content-type is missing; send application/json".to_owned()),
        None => return Ok(Media::Json),
    };
    let text = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    // `curl -d` calls everything a form, and no form is JSON.
    let form = !page && is(&["application/x-www-form-urlencoded"]);
    if form || is(&["application/json"]) || text.to_ascii_lowercase().ends_with("+json") {
        return Ok(Media::Json);
    }
    if lines && is(&["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"]) {
        return Ok(Media::Lines);
    }
    let more = if lines { " or application/x-ndjson" } else { "" };
    unsupported(format!("content-type {given:?} is not taken; send application/json{more}"))
}
