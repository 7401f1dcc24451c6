//! What waits for the log: bounded in events and bytes, in lanes by unit, so that the events of one unit stay in order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::Limits;

/// Lanes, each with a thread that appends: a log that answers after milliseconds is asked for several partitions at once.
pub const LANES: usize = 4;

/// One record on its way.
pub struct Item {
    /// Id of the unit: the key.
    pub unit: String,
    /// The event as JSON.
    pub payload: String,
    /// The experiment of an automatic exposure, which nobody waits for.
    pub experiment: Option<Arc<str>>,
    /// Who waits for it.
    pub ticket: Option<Arc<Ticket>>,
}

impl Item {
    fn bytes(&self) -> usize {
        self.unit.len() + self.payload.len()
    }
}

/// Someone waits for several records.
#[derive(Default)]
pub struct Ticket {
    remaining: AtomicUsize,
    failed: Mutex<Option<String>>,
    abandoned: AtomicBool,
    done: Notify,
}

impl Ticket {
    /// For so many records.
    pub fn new(records: usize) -> Arc<Ticket> {
        Arc::new(Ticket { remaining: AtomicUsize::new(records), ..Ticket::default() })
    }

    fn finish(&self, problem: Option<&str>) {
        if let Some(problem) = problem {
            *self.failed.lock().expect("no code panics while it holds this lock") = Some(problem.to_owned());
        }
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits until the log has all of them; `Err` says why it will not.
    pub async fn wait(&self, patience: Duration) -> Result<(), String> {
        let all = async {
            while self.remaining.load(Ordering::Acquire) > 0 {
                self.done.notified().await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            // They need not be tried for ever: whoever sent them sends them again.
            self.abandoned.store(true, Ordering::Relaxed);
            return Err(format!("the log did not take them within {patience:?}"));
        }
        self.failed.lock().expect("no code panics while it holds this lock").take().map_or(Ok(()), Err)
    }

    /// Whether nobody waits any more.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

/// The bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Lanes of records.
pub struct Queue {
    events_max: usize,
    bytes_max: usize,
    lanes: [Lane; LANES],
    events: AtomicUsize,
    bytes: AtomicUsize,
    closed: AtomicBool,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Vec<Item>>,
    wake: Condvar,
}

impl Lane {
    fn held(&self) -> MutexGuard<'_, Vec<Item>> {
        self.waiting.lock().expect("no code panics while it holds this lock")
    }
}

impl Queue {
    /// Empty, with the bounds of an edge.
    pub fn new(limits: &Limits) -> Queue {
        Queue {
            events_max: limits.queue_events,
            bytes_max: limits.queue_bytes,
            lanes: std::array::from_fn(|_| Lane::default()),
            events: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Takes all records or none. Which experiment or variant they are of makes no difference, so that what is lost is lost evenly.
    pub fn offer(&self, items: Vec<Item>) -> Result<(), Full> {
        let (count, bytes) = (items.len(), items.iter().map(Item::bytes).sum::<usize>());
        let events_before = self.events.fetch_add(count, Ordering::Relaxed);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let full = events_before + count > self.events_max || bytes_before + bytes > self.bytes_max;
        if full || self.closed.load(Ordering::Relaxed) {
            self.release(count, bytes);
            return Err(Full);
        }
        for item in items {
            let lane = &self.lanes[xxh3_64(item.unit.as_bytes()) as usize % LANES];
            let mut waiting = lane.held();
            waiting.push(item);
            if waiting.len() == 1 {
                lane.wake.notify_one();
            }
        }
        Ok(())
    }

    fn release(&self, count: usize, bytes: usize) {
        self.events.fetch_sub(count, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What waits in a lane; waits for some, but not for ever. It counts as waiting until [`Queue::settle`].
    pub fn take(&self, lane: usize, patience: Duration) -> Vec<Item> {
        let lane = &self.lanes[lane];
        let waiting = lane.held();
        let idle = |waiting: &mut Vec<Item>| waiting.is_empty() && !self.is_closed();
        let (mut waiting, _) =
            lane.wake.wait_timeout_while(waiting, patience, idle).expect("no code panics while it holds this lock");
        std::mem::take(&mut *waiting)
    }

    /// The log has a record, or never gets it.
    pub fn settle(&self, item: &Item, problem: Option<&str>) {
        self.release(1, item.bytes());
        if let Some(ticket) = &item.ticket {
            ticket.finish(problem);
        }
    }

    /// Takes nothing more; what waits is appended.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for lane in &self.lanes {
            // Under the lock, or a thread that is about to sleep would miss it.
            let _waiting = lane.held();
            lane.wake.notify_all();
        }
    }

    /// Whether it takes nothing more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Records and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.events.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(unit: &str, bytes: usize) -> Item {
        Item { unit: unit.to_owned(), payload: "x".repeat(bytes), experiment: None, ticket: None }
    }

    #[test]
    fn the_queue_is_bounded_until_the_log_has_what_waits() {
        let queue = Queue::new(&Limits::USUAL);
        queue.offer(vec![item("u", Limits::USUAL.queue_bytes - 1)]).unwrap();
        assert_eq!(queue.offer(vec![item("v", 1)]), Err(Full));
        let taken: Vec<Item> = (0..LANES).flat_map(|lane| queue.take(lane, Duration::ZERO)).collect();
        assert_eq!(taken.len(), 1);
        assert_eq!(queue.offer(vec![item("v", 1)]), Err(Full), "taken is not yet appended");
        queue.settle(&taken[0], None);
        assert_eq!(queue.waiting(), (0, 0));
        let many = (0..Limits::USUAL.queue_events + 1).map(|_| item("u", 0)).collect();
        assert_eq!(queue.offer(many), Err(Full), "all or none");
        assert_eq!(queue.waiting(), (0, 0));
        queue.close();
        assert_eq!(queue.offer(vec![item("v", 1)]), Err(Full));
    }

    #[test]
    fn events_of_a_unit_stay_in_order() {
        let queue = Queue::new(&Limits::USUAL);
        for bytes in 0..100 {
            queue.offer(vec![item("u", bytes)]).unwrap();
        }
        let taken: Vec<usize> =
            (0..LANES).flat_map(|lane| queue.take(lane, Duration::ZERO)).map(|item| item.payload.len()).collect();
        assert_eq!(taken, (0..100).collect::<Vec<_>>());
    }
}
