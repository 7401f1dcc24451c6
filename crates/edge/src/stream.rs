//! News for clients that keep values: a stream of events that says when to ask again.
//!
//! A stream tells that there is a new version, never what is in it. Many clients told at once would ask at once, so each is told a little
//! later than the one before.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use rand::RngExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

use crate::respond::{Answer, Body, Code, failure};

/// Proxies cut what is silent for a minute or half of one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this time, so that clients spread over edges that were added.
const LIFE: Duration = Duration::from_secs(3_600);
/// The last client is told at most this much later than the first: a switch that stops something should be seen within a second.
const SPREAD_MAX_MS: u64 = 500;
/// After how many seconds without a word clients should ask by themselves.
pub const INACTIVITY_SECONDS: u64 = 120;

/// The tag of the definitions in force; `None` before there are any.
pub type News = watch::Receiver<Option<Arc<str>>>;

/// Open streams of an edge.
#[derive(Debug)]
pub struct Streams {
    open: Arc<AtomicUsize>,
    most: usize,
}

/// One stream: what its task writes.
pub struct Stream {
    lines: mpsc::Receiver<Bytes>,
    _place: Place,
}

impl Stream {
    /// What comes next.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.lines.poll_recv(cx)
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Streams {
    /// None is open yet, and at most so many will be.
    pub fn new(most: usize) -> Streams {
        Streams { open: Arc::default(), most }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether another one may be opened.
    pub fn has_room(&self) -> bool {
        self.open() < self.most
    }

    /// Opens one.
    pub fn answer(&self, headers: &HeaderMap, news: News) -> Answer {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.open.fetch_sub(1, Ordering::Relaxed);
            let details = format!("{} streams are open already; poll instead, or ask another edge", self.most);
            return failure(StatusCode::SERVICE_UNAVAILABLE, None, Code::General.name(), &details);
        }
        let place = Place(self.open.clone());
        let (sender, lines) = mpsc::channel(4);
        let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        tokio::spawn(tell(sender, news, seen, self.open.clone()));
        let mut answer = Response::new(Body::Stream(Box::new(Stream { lines, _place: place })));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // Proxies that gather answers would keep the news.
        answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        answer
    }
}

/// Writes to one stream until its client goes, its time is over or the edge stops. `seen` is what the client heard last.
async fn tell(lines: mpsc::Sender<Bytes>, mut news: News, seen: Option<String>, open: Arc<AtomicUsize>) {
    let end = tokio::time::Instant::now() + LIFE;
    // Clients come back after two to four seconds, not all at once.
    let retry = rand::rng().random_range(2_000..4_000);
    if lines.send(format!("retry: {retry}\n: assay\n\n").into()).await.is_err() {
        return;
    }
    // Who comes for the first time has asked before the stream was open, and may have missed a version in between. Asking again with
    // the tag of what it got costs next to nothing if it has not.
    let now = news.borrow_and_update().clone();
    if let Some(tag) = now.filter(|tag| seen.as_deref().is_none_or(|seen| seen != id(tag)))
        && lines.send(event(&tag)).await.is_err()
    {
        return;
    }
    loop {
        let line = tokio::select! {
            () = lines.closed() => return,
            () = tokio::time::sleep_until(end) => return,
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b": keep-alive\n\n"),
            // The sender is dropped when the edge stops.
            changed = news.changed() => {
                if changed.is_err() {
                    return;
                }
                let spread = (open.load(Ordering::Relaxed) as u64 / 2).min(SPREAD_MAX_MS);
                let later = rand::rng().random_range(0..=spread);
                tokio::time::sleep(Duration::from_millis(later)).await;
                let tag = news.borrow_and_update().clone();
                match tag {
                    Some(tag) => event(&tag),
                    None => continue,
                }
            }
        };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

fn id(tag: &str) -> &str {
    tag.trim_matches('"')
}

fn event(tag: &str) -> Bytes {
    let etag = crate::respond::quoted(tag);
    format!("id: {}\nevent: message\ndata: {{\"type\":\"refetchEvaluation\",\"etag\":{etag}}}\n\n", id(tag)).into()
}
