//! A connection under watch: who is slow with a request's head, rests too long or takes no answer loses it.
//!
//! The connection only counts what happens; once a second a watch compares the counts. So a request costs no timer and no look at a clock.

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

use crate::limits::{HEAD_TIMEOUT, IDLE_TIMEOUT, STALL_TIMEOUT};

/// Between two looks of the watch.
pub const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What happened on a connection. Its own task writes and reads; atomics only because tasks may move.
#[derive(Debug, Default)]
pub struct Counts {
    reads: AtomicU32,
    writes: AtomicU32,
    /// The last write found no room.
    blocked: AtomicBool,
    started: AtomicU32,
    finished: AtomicU32,
    /// Reads at the end of the last request: more means that a head is on its way.
    settled: AtomicU32,
}

/// Only one task counts, so nothing needs to be added atomically.
fn count(counter: &AtomicU32) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

impl Counts {
    /// A request's head is complete.
    pub fn start(&self) {
        count(&self.started);
    }

    /// Its answer is there.
    pub fn finish(&self) {
        count(&self.finished);
        self.settled.store(self.reads.load(Relaxed), Relaxed);
    }
}

/// A connection that counts.
pub struct Counted {
    inner: TokioIo<TcpStream>,
    counts: Arc<Counts>,
}

impl Counted {
    /// Counts what happens on a connection.
    pub fn new(stream: TcpStream, counts: Arc<Counts>) -> Self {
        Counted { inner: TokioIo::new(stream), counts }
    }

    fn wrote(&self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Ready(_) => {
                count(&self.counts.writes);
                self.counts.blocked.store(false, Relaxed);
            }
            Poll::Pending => self.counts.blocked.store(true, Relaxed),
        }
    }
}

impl Read for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if outcome.is_ready() {
            count(&self.counts.reads);
        }
        outcome
    }
}

impl Write for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(&outcome);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.wrote(&outcome);
        outcome
    }
}

/// Looks at the counts of a connection now and then.
pub struct Watch {
    counts: Arc<Counts>,
    seen: (u32, u32, u32),
    /// Looks since anything changed.
    quiet: u32,
    /// Looks since a head began that is not complete.
    head: u32,
}

impl Watch {
    /// For one connection.
    pub fn new(counts: Arc<Counts>) -> Self {
        Watch { counts, seen: (0, 0, 0), quiet: 0, head: 0 }
    }

    /// To be called every [`WATCH_EVERY`]: whether the connection has to go.
    pub fn look(&mut self) -> bool {
        let counts = &self.counts;
        let started = counts.started.load(Relaxed);
        let now = (counts.reads.load(Relaxed), counts.writes.load(Relaxed), started);
        let new_request = now.2 != self.seen.2;
        self.quiet = if now == self.seen { self.quiet + 1 } else { 0 };
        self.seen = now;
        // A request in work has bounds of its own.
        if started != counts.finished.load(Relaxed) {
            (self.quiet, self.head) = (0, 0);
            return false;
        }
        let partial = now.0 != counts.settled.load(Relaxed);
        // However many bytes of a head trickle in, it has to be complete at some time.
        self.head = if partial && !new_request { self.head + 1 } else { 0 };
        let over = |looks: u32, limit: Duration| WATCH_EVERY * looks >= limit;
        over(self.head, HEAD_TIMEOUT)
            || over(self.quiet, if counts.blocked.load(Relaxed) { STALL_TIMEOUT } else { IDLE_TIMEOUT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until a connection on which `each` happens every second has to go.
    fn seconds(each: impl Fn(&Counts)) -> u32 {
        let counts = Arc::new(Counts::default());
        let mut watch = Watch::new(counts.clone());
        (1..200)
            .find(|_| {
                each(&counts);
                watch.look()
            })
            .unwrap_or(200)
    }

    #[test]
    fn slow_clients_lose_their_connection() {
        let head = |counts: &Counts| count(&counts.reads);
        assert_eq!(seconds(|_| {}), 75, "rests");
        assert_eq!(seconds(head), 10, "trickles a head");
        assert_eq!(seconds(|counts| counts.blocked.store(true, Relaxed)), 30, "takes nothing");
        let busy = |counts: &Counts| {
            head(counts);
            counts.start();
            counts.finish();
        };
        assert_eq!(seconds(busy), 200, "asks");
        assert_eq!(seconds(|counts| count(&counts.writes)), 200, "listens to a stream");
        let waits = |counts: &Counts| {
            head(counts);
            if counts.started.load(Relaxed) == 0 {
                counts.start();
            }
        };
        assert_eq!(seconds(waits), 200, "is being answered");
    }
}
