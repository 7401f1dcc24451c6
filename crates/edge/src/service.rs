//! One request: who asks, for what, and the answer with its headers.

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use prometheus::Registry;
use std::sync::Arc;
use std::time::Instant;

use crate::body::{media, read};
use crate::bulk::{self, Length};
use crate::cors::Origins;
use crate::etag;
use crate::events::{self, Door};
use crate::exposures::{Exposures, now};
use crate::ladder::Ladder;
use crate::limits::{EVALUATE_BYTES_MAX, EVENTS_BYTES_MAX, VERSION_WAIT};
use crate::metrics::Metrics;
use crate::ofrep;
use crate::path::{Route, parameter};
use crate::probes;
use crate::queue::Queue;
use crate::respond::{Answer, Code, empty, failure, wrong_method};
use crate::server::Places;
use crate::shipper::Shipping;
use crate::stream::Streams;
use crate::tokens::Tokens;

/// The version that an answer is from, or that the edge itself answers from when it asks.
pub const VERSION: HeaderName = HeaderName::from_static("x-config-version");
/// A version that the client has heard of.
const VERSION_MIN: HeaderName = HeaderName::from_static("x-min-config-version");

/// Everything that requests need; shared by all threads.
pub struct Service {
    /// Whose flags.
    pub environment: String,
    /// Who may ask.
    pub tokens: Tokens,
    /// From which pages.
    pub origins: Origins,
    /// What is in force.
    pub ladder: Arc<Ladder>,
    /// Where single evaluations are told.
    pub exposures: Exposures,
    /// Where events wait; without a log nobody takes them.
    pub queue: Arc<Queue>,
    /// How appending goes; `None` without a log.
    pub shipping: Option<Arc<Shipping>>,
    /// Who listens.
    pub streams: Streams,
    /// How long bulk answers are.
    pub bulk_length: Length,
    /// Places of connections.
    pub places: Places,
    /// What operators see.
    pub metrics: Metrics,
    /// And more of it.
    pub registry: Registry,
}

impl Service {
    /// Answers a request; never fails.
    pub async fn answer(&self, request: Request<Incoming>) -> Answer {
        let started = Instant::now();
        let (head, body) = request.into_parts();
        let route = Route::of(head.uri.path());
        let number = route.index();
        let mut answer = match head.method {
            Method::OPTIONS => {
                let mut answer = empty(StatusCode::NO_CONTENT);
                self.origins.allow_asking(answer.headers_mut());
                answer
            }
            _ => self.route(route, &head, body).await,
        };
        if let Some(current) = &*self.ladder.current()
            && !answer.headers().contains_key(VERSION)
        {
            answer.headers_mut().insert(VERSION, current.version_header.clone());
        }
        self.origins.allow(&head.headers, answer.headers_mut());
        self.metrics.answered(number, answer.status(), started.elapsed());
        answer
    }

    async fn route(&self, route: Route, head: &Parts, body: Incoming) -> Answer {
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        match &route {
            Route::Live | Route::Ready | Route::Metrics | Route::Stream if !reads => {
                return wrong_method("GET, OPTIONS");
            }
            Route::Live => return probes::live(),
            Route::Ready => return probes::ready(&self.ladder, &self.environment, self.shipping.as_deref()),
            Route::Metrics => return probes::metrics(&self.registry),
            Route::Unknown => {
                let details = format!("there is nothing at {}", shown(head.uri.path()));
                return failure(StatusCode::NOT_FOUND, None, Code::General.name(), &details);
            }
            Route::Stream => return self.stream(head),
            _ if head.method != Method::POST => return wrong_method("POST, OPTIONS"),
            _ => {}
        }
        let key = match &route {
            Route::Evaluate(Ok(key)) => Some(key.as_str()),
            _ => None,
        };
        if !self.tokens.admit(&head.headers) {
            return unauthorized(key);
        }
        match route {
            Route::Evaluate(Ok(ref key)) => self.single(key, head, body).await,
            Route::Evaluate(Err(problem)) => {
                let details = format!("the key in the address cannot be read: {problem}");
                failure(StatusCode::BAD_REQUEST, Some(""), Code::ParseError.name(), &details)
            }
            Route::Bulk => self.bulk(head, body).await,
            Route::Events => self.events(Door::Events, head, body).await,
            Route::Exposures => self.events(Door::Exposures, head, body).await,
            _ => self.events(Door::Track, head, body).await,
        }
    }

    async fn single(&self, key: &str, head: &Parts, body: Incoming) -> Answer {
        let refused = |(status, details): (StatusCode, String)| failure(status, Some(key), code(status), &details);
        if let Err(problem) = media(&head.headers, false) {
            return refused(problem);
        }
        let body = match read(body, EVALUATE_BYTES_MAX).await {
            Ok(body) => body,
            Err(problem) => return refused(problem),
        };
        self.wait_for_version(head).await;
        let current = self.ladder.current();
        let mut answer = ofrep::evaluate(current.as_deref(), &self.exposures, key, &body);
        if let Some(current) = &*current {
            answer.headers_mut().insert(VERSION, current.version_header.clone());
        }
        answer
    }

    async fn bulk(&self, head: &Parts, body: Incoming) -> Answer {
        let refused = |(status, details): (StatusCode, String)| failure(status, None, code(status), &details);
        if let Err(problem) = media(&head.headers, false) {
            return refused(problem);
        }
        let body = match read(body, EVALUATE_BYTES_MAX).await {
            Ok(body) => body,
            Err(problem) => return refused(problem),
        };
        self.wait_for_version(head).await;
        let current = self.ladder.current();
        let stream = self.streams.has_room().then(|| self.stream_address());
        let mut answer = bulk::evaluate(current.as_deref(), &self.bulk_length, &head.headers, &body, stream);
        if let Some(current) = &*current {
            answer.headers_mut().insert(VERSION, current.version_header.clone());
        }
        answer
    }

    /// A client that has heard of a version that is on its way here gets it, if it comes soon.
    async fn wait_for_version(&self, head: &Parts) {
        let header = head.headers.get(VERSION_MIN).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let announced = head.uri.query().and_then(|query| parameter(Some(query), "flagConfigEtag"));
        let announced = announced.and_then(|tag| etag::version(&tag, &self.environment));
        if let Some(version) = header.max(announced) {
            self.ladder.wait_for(version, VERSION_WAIT).await;
        }
    }

    fn stream_address(&self) -> String {
        match self.tokens.for_stream(now_s()) {
            Some(token) => format!("/ofrep/v1/stream?token={token}"),
            None => "/ofrep/v1/stream".to_owned(),
        }
    }

    fn stream(&self, head: &Parts) -> Answer {
        let token = parameter(head.uri.query(), "token");
        let by_address = token.is_some_and(|token| self.tokens.admit_stream(&token, now_s()));
        if !by_address && !self.tokens.admit(&head.headers) {
            return unauthorized(None);
        }
        self.streams.answer(&head.headers, self.ladder.news())
    }

    async fn events(&self, door: Door, head: &Parts, body: Incoming) -> Answer {
        let refused = |(status, details): (StatusCode, String)| failure(status, None, code(status), &details);
        let media = match media(&head.headers, true) {
            Ok(media) => media,
            Err(problem) => return refused(problem),
        };
        let body = match read(body, EVENTS_BYTES_MAX).await {
            Ok(body) => body,
            Err(problem) => return refused(problem),
        };
        if self.shipping.is_none() {
            let details = "this edge has no log to write events to; start it with --log";
            return failure(StatusCode::SERVICE_UNAVAILABLE, None, Code::General.name(), details);
        }
        // Not held over the wait for the log.
        let current = self.ladder.current().clone();
        events::take(door, media, &body, current.as_deref(), &self.queue, &self.metrics).await
    }
}

fn now_s() -> u64 {
    now().0.div_euclid(1_000_000) as u64
}

/// The code of the protocol for what is wrong with a request as such.
fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Code::ParseError.name(),
        _ => Code::General.name(),
    }
}

fn unauthorized(key: Option<&str>) -> Answer {
    let details = "send one of this edge's tokens as Authorization: Bearer TOKEN, or as X-API-Key";
    let mut answer = failure(StatusCode::UNAUTHORIZED, key, Code::General.name(), details);
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// Addresses may be long; their start tells which one it was.
fn shown(path: &str) -> &str {
    &path[..path.floor_char_boundary(crate::limits::KEY_BYTES_MAX)]
}
