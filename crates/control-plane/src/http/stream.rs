//! `/v1/experiments/{id}/stream` and `/v1/stream`: server-sent events. `result` is a whole look, `alarm` and `config` are news, `beat` says every
//! few seconds that the connection lives and how old the numbers are.
//!
//! A reader gets the newest look when it comes back for more, never a queue of old ones, so a slow reader costs one look of memory. One that does
//! not come back at all is dropped, and told why if it ever reads again.

use crate::http::experiments::{listed, newest, unknown};
use crate::http::posted::{Posted, quoted, time};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Doors, Shared};
use assay_experiment::format_time;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Open streams: each holds a connection and at most three events.
pub(crate) const STREAMS_MAX: usize = 1_000;
/// Between two looks: four a second are more than people can read.
const RESULT_EVERY: Duration = Duration::from_millis(250);
/// Between beats.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// A reader that takes nothing for this long is dropped.
const TAKE_WITHIN: Duration = Duration::from_secs(20);
/// Events between the feeder and the connection: one being written, one next.
const QUEUE: usize = 2;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(experiment)).routes(routes!(all))
}

/// The results of one experiment as they come.
#[utoipa::path(
    get,
    path = "/v1/experiments/{id}/stream",
    tag = "results",
    params(
        ("id" = String, Path, description = "Id of the experiment.", example = "checkout-v3"),
        ("Last-Event-ID" = Option<String>, Header, description = "The look that the reader has: it is not sent again."),
    ),
    responses(
        (status = 200, description = "Events `result` (a document of results; its id is the look), `alarm`, `config`, `beat`, and `dropped` before the end.", body = String, content_type = "text/event-stream"),
        (status = "4XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn experiment(
    State(doors): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(posted) = doors.board.newest()
        && posted.aligned.phases(&id).is_empty()
    {
        return Err(unknown(&doors, &id));
    }
    open(doors, Some(id), &headers)
}

/// The list of experiments as it changes.
#[utoipa::path(
    get,
    path = "/v1/stream",
    tag = "results",
    params(("Last-Event-ID" = Option<String>, Header, description = "The look that the reader has: it is not sent again.")),
    responses(
        (status = 200, description = "Events `result` (the document of the list), `alarm`, `config`, `beat`, and `dropped` before the end.", body = String, content_type = "text/event-stream"),
        (status = "5XX", description = "Why not.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn all(State(doors): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    open(doors, None, &headers)
}

fn open(doors: Shared, id: Option<String>, headers: &HeaderMap) -> Result<Response, Problem> {
    let full = || {
        Problem::later(
            "streams",
            format!("{STREAMS_MAX} streams are open; close some, or ask for results now and then"),
            30,
        )
    };
    let place = doors.streams.clone().try_acquire_owned().map_err(|_| full())?;
    let known = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (events, queue) = mpsc::channel::<Bytes>(QUEUE + 1);
    // Room for the last word is kept from the start, because a reader that has to be told is one whose queue is full.
    let last = events.clone().try_reserve_owned().map_err(|_| full())?;
    let (_, alarms) = doors.board.raised(u64::MAX);
    let feeder = Feeder { doors, id, known, alarms, config: None };
    tokio::spawn(feeder.run(events, last));
    let body = ReceiverStream::new(queue).map(move |event| {
        // The place is given back when the connection is done, not when the feeder is.
        let _held = &place;
        Ok::<Bytes, Infallible>(event)
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers would hold events back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Writes one reader's events.
struct Feeder {
    doors: Arc<Doors>,
    /// Of the experiment; `None` for the list.
    id: Option<String>,
    /// The look that the reader has.
    known: Option<String>,
    /// Number of the first alarm that the reader does not have.
    alarms: u64,
    /// Version of the definitions that the reader has seen.
    config: Option<u64>,
}

/// Why a stream ends.
enum End {
    /// The reader went away, or the process stops.
    Gone,
    /// The reader does not read.
    Slow,
}

impl Feeder {
    async fn run(mut self, events: mpsc::Sender<Bytes>, last: OwnedPermit<Bytes>) {
        let why = match self.feed(&events).await {
            End::Gone => "this process stops",
            End::Slow => "nothing was read for 20 s; come back with Last-Event-ID",
        };
        // Nobody may be there to read it.
        last.send(event("dropped", None, &format!("{{\"reason\":{}}}", quoted(why))));
    }

    async fn feed(&mut self, events: &mpsc::Sender<Bytes>) -> End {
        let mut news = self.doors.board.news();
        news.mark_changed();
        let mut stopped = self.doors.stopped.clone();
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = Instant::now();
        loop {
            let wake = tokio::select! {
                // The senders live as long as the process, so an error means that it stops.
                _ = stopped.wait_for(|stop| *stop) => return End::Gone,
                () = events.closed() => return End::Gone,
                _ = beat.tick() => vec![self.beat()],
                changed = async { tokio::time::sleep_until(next).await; news.changed().await } => {
                    if changed.is_err() {
                        return End::Gone;
                    }
                    next = Instant::now() + RESULT_EVERY;
                    self.look()
                }
            };
            for event in wake {
                match events.send_timeout(event, TAKE_WITHIN).await {
                    Ok(()) => {}
                    Err(mpsc::error::SendTimeoutError::Timeout(_)) => return End::Slow,
                    Err(mpsc::error::SendTimeoutError::Closed(_)) => return End::Gone,
                }
            }
        }
    }

    /// What is new at the newest look.
    fn look(&mut self) -> Vec<Bytes> {
        let Ok(posted) = newest(&self.doors) else { return Vec::new() };
        let mut out = Vec::new();
        let config = posted.config_version;
        if self.config.replace(config).is_some_and(|before| before != config) {
            out.push(event("config", None, &format!("{{\"config_version\":{config}}}")));
        }
        let (alarms, next) = self.doors.board.raised(self.alarms);
        self.alarms = next;
        let mine = |it: &&Arc<_>| self.is_mine(it);
        out.extend(alarms.iter().filter(mine).map(|it| event("alarm", None, &it.to_json())));
        let look = format_time(posted.aligned.look);
        let late = posted.provisional.is_some();
        // Provisional numbers come and go while the look stays.
        if self.known.as_deref() != Some(&look) || late {
            let document = match &self.id {
                Some(id) => posted.experiment(id),
                None => Some(listed(&self.doors, &posted)),
            };
            let now = quoted(&time((self.doors.now_ms)()));
            out.extend(
                document.map(|it| event("result", Some(&look), &crate::http::posted::with(&it, "server_time", &now))),
            );
            self.known = (!late).then_some(look);
        }
        out
    }

    fn is_mine(&self, raised: &crate::http::alarms::Raised) -> bool {
        self.id.as_ref().is_none_or(|id| *id == raised.experiment)
    }

    fn beat(&self) -> Bytes {
        let now = quoted(&time((self.doors.now_ms)()));
        let newest = self.doors.board.newest();
        let (look, times) = newest.as_ref().map_or_else(|| ("null".to_owned(), "{}".to_owned()), |it| told(it));
        event("beat", None, &format!("{{\"server_time\":{now},\"look\":{look},\"log_times\":{times}}}"))
    }
}

/// The look and each partition's log time.
fn told(posted: &Posted) -> (String, String) {
    let times: Vec<String> = posted
        .log_times
        .iter()
        .map(|(partition, at)| format!("\"{partition}\":{}", quoted(&format_time(*at))))
        .collect();
    (quoted(&format_time(posted.aligned.look)), format!("{{{}}}", times.join(",")))
}

/// An event; its data is JSON on one line.
fn event(name: &str, id: Option<&str>, data: &str) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}
