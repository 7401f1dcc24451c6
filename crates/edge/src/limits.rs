//! Bounds of everything that an outsider can make large, each with its reason.

use std::time::Duration;

/// How much an edge holds at once. What is beyond waits, is refused, or is counted as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections; more wait, unanswered, until one ends. Each takes about 20 KiB.
    pub connections: usize,
    /// Streams; who gets none is told so with 503, and polls.
    pub streams: usize,
    /// Events that wait for the log. At the bound the newest is refused, or counted as lost.
    pub queue_events: usize,
    /// Their bytes.
    pub queue_bytes: usize,
}

impl Limits {
    /// What a machine of two cores carries: the queue is about a minute of events at 3,000 a second.
    pub const USUAL: Limits =
        Limits { connections: 10_000, streams: 4_000, queue_events: 200_000, queue_bytes: 64 << 20 };
}

/// Bytes of a request for evaluation: twice the largest context.
pub const EVALUATE_BYTES_MAX: usize = 128 * 1024;
/// Bytes of a request that brings events: sixteen of the largest, or thousands of usual ones.
pub const EVENTS_BYTES_MAX: usize = 1 << 20;
/// Events of one request: what is answered about each stays below the size of the request.
pub const EVENTS_MAX: usize = 10_000;
/// Bytes of a request's line and headers; browsers with many cookies send eight.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request, the same as usual servers take.
pub const HEADERS_MAX: usize = 100;
/// Bytes of a flag's key that are looked at and told back; keys of definitions have at most 64.
pub const KEY_BYTES_MAX: usize = 128;
/// How long a request's head may take: a slow one would hold a connection for ever.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request's body may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may rest between requests, longer than the minute that load balancers keep theirs.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How long a client may take nothing of an answer that waits for it.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may wait for a version of the definitions that the client has heard of.
pub const VERSION_WAIT: Duration = Duration::from_millis(200);
/// How long an answer about events may wait for the log.
pub const LOG_WAIT: Duration = Duration::from_secs(10);
/// How long requests may go on, and then events be flushed, after the edge was told to stop.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Reports of lost exposures that are kept on disk for the next start: as many starts without a log as anybody will try.
pub const REPORTS_KEPT_MAX: usize = 10_000;
/// Exposures that are remembered so that they are sent once, in some 50 MiB. Beyond it repeats go to the log, which recognises them.
pub const DEDUPE_MAX: usize = 1_000_000;
/// How long an exposure is remembered: short enough that an experiment that starts later sees the users who come back.
pub const DEDUPE_SECONDS: u64 = 600;
/// Bytes of a flag's value up to which its answers are made beforehand; larger ones are rare and would be kept once for each reason.
pub const PREBUILT_VALUE_MAX: usize = 4 * 1024;
