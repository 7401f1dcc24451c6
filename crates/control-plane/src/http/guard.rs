//! What every request passes and every answer has: an id, the token, limits, a time limit, headers, errors in one shape.

use crate::http::problem::Problem;
use crate::http::{Doors, Shared};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use xxhash_rust::xxh3::xxh3_128;

/// Requests at one time, streams not among them: each may hold a look of some hundred kilobytes.
const REQUESTS_MAX: usize = 256;
/// Largest body of a request: plans are small.
const BODY_BYTES_MAX: usize = 64 << 10;
/// A request that takes longer is given up; people would have gone away.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Requests that wait on purpose, by the end of their path: they bound themselves.
const WAITING: [&str; 2] = ["/stream", "/internal/definitions"];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id of a request that is taken over from the caller.
const REQUEST_ID_MAX: usize = 64;

/// Asks for the token at doors that tell something. The page and its files are not among them: whoever opens it is asked for the token by it.
pub(crate) fn closed(router: Router, doors: Shared) -> Router {
    router.route_layer(middleware::from_fn_with_state(doors, show_token))
}

async fn show_token(State(doors): State<Shared>, request: Request, next: Next) -> Response {
    if doors.may_read(request.headers()) {
        return next.run(request).await;
    }
    let detail = "this needs the read token: send 'Authorization: Bearer TOKEN'";
    Problem::new(StatusCode::UNAUTHORIZED, "token-needed", detail).into_response()
}

impl Doors {
    /// Whether a request shows the token, where one is needed.
    pub(crate) fn may_read(&self, headers: &HeaderMap) -> bool {
        self.read_token.as_ref().is_none_or(|token| bears(headers, token))
    }
}

/// Puts the guard around all doors.
pub(crate) fn around(router: Router) -> Router {
    let gate = Arc::new(Gate { requests: Semaphore::new(REQUESTS_MAX) });
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(middleware::from_fn_with_state(gate, pass))
}

struct Gate {
    requests: Semaphore,
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let path = request.uri().path().to_owned();
    let mut response = match gate.admit(request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if let Some(problem) = told(&response, &path) {
        let allow = response.headers().get(header::ALLOW).cloned();
        if problem.status.is_server_error() {
            tracing::warn!(request = id, path, problem = problem.detail, "a request failed");
        }
        response = problem.answer(&id);
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    dress(response.headers_mut(), &id);
    response
}

impl Gate {
    async fn admit(&self, request: Request, next: Next) -> Result<Response, Problem> {
        if WAITING.iter().any(|end| request.uri().path().ends_with(end)) {
            return Ok(next.run(request).await);
        }
        let busy = || Problem::later("busy", format!("{REQUESTS_MAX} requests are being answered; try again"), 1);
        let _place = self.requests.try_acquire().map_err(|_| busy())?;
        tokio::time::timeout(TIME_MAX, next.run(request)).await.map_err(|_| {
            Problem::later("too-slow", format!("no answer within {} s; ask for less", TIME_MAX.as_secs()), 5)
        })
    }
}

/// Compares in a time that does not depend on where the texts differ.
pub(crate) fn bears(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    given.is_some_and(|(_, given)| given.trim().as_bytes().ct_eq(token.as_bytes()).into())
}

/// The problem that an answer is, if it is one: those of the doors carry it, those of the framework have a text.
fn told(response: &Response, path: &str) -> Option<Problem> {
    if let Some(problem) = response.extensions().get::<Problem>() {
        return Some(problem.clone());
    }
    let status = response.status();
    let (kind, detail) = match status {
        StatusCode::NOT_FOUND => {
            ("no-such-place", format!("there is nothing at {path}; /openapi.json lists what there is"))
        }
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method", format!("{path} has no such method; /openapi.json lists those it has"))
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", format!("a body has at most {BODY_BYTES_MAX} bytes")),
        _ if status.is_client_error() => {
            ("request", "the request cannot be read; /openapi.json says what is expected".to_owned())
        }
        _ if status.is_server_error() => {
            ("failed", "this failed here; the server's messages say more under the request's id".to_owned())
        }
        _ => return None,
    };
    Some(Problem::new(status, kind, detail))
}

/// The caller's id where it is a plain one, so that it can be followed through several services.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        !id.is_empty()
            && id.len() <= REQUEST_ID_MAX
            && id.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(plain);
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

fn dress(headers: &mut HeaderMap, id: &str) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    // What is not a page runs nothing and shows nothing.
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// An answer that the caller may keep as long as it asks whether it still holds; 304 where it has it already. `identity` is what makes two
/// answers equal.
pub(crate) fn tagged(asked: &HeaderMap, body: Body, identity: &[u8]) -> Response {
    let tag = format!("W/\"{:032x}\"", xxh3_128(identity));
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(','));
    let same = known.any(|it| it.trim() == "*" || plain(it) == plain(&tag));
    let mut response = if same { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(body) };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_ids_are_read_as_they_are() {
        let with = |name: HeaderName, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        for (value, ok) in
            [("Bearer s3cret", true), ("bearer  s3cret ", true), ("Bearer s3cre", false), ("Basic s3cret", false)]
        {
            assert_eq!(bears(&with(header::AUTHORIZATION, value), "s3cret"), ok, "{value}");
        }
        assert!(!bears(&HeaderMap::new(), "s3cret"));
        assert_eq!(request_id(&with(REQUEST_ID, "abc-1.2_X")), "abc-1.2_X");
        assert_eq!(request_id(&with(REQUEST_ID, "a b")).len(), 36);
    }

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        let first = tagged(&HeaderMap::new(), Body::from("x"), b"x");
        let tag = first.headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::IF_NONE_MATCH,
            HeaderValue::from_str(&format!("\"other\", {}", tag.to_str().unwrap())).unwrap(),
        );
        assert_eq!(tagged(&headers, Body::from("x"), b"x").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(tagged(&headers, Body::from("y"), b"y").status(), StatusCode::OK);
    }
}
