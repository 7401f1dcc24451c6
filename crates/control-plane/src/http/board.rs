//! The newest look, those before it as far as memory allows, and the alarms that looks raised.

use crate::http::alarms::{Alarms, Raised};
use crate::http::posted::Posted;
use assay_experiment::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// One thread posts looks; any number of requests reads them. A reader holds a look for as long as it answers, so nothing waits for it.
pub struct Board {
    inner: Mutex<Inner>,
    bytes_max: usize,
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    newest: Option<Arc<Posted>>,
    /// In the order of their looks; each look once, as it was published last.
    ring: VecDeque<Arc<Posted>>,
    bytes: usize,
    alarms: Alarms,
}

impl Board {
    /// Keeps recent looks within so many bytes; the newest is kept whatever its size.
    pub fn new(bytes_max: usize) -> Board {
        Board { inner: Mutex::default(), bytes_max, news: watch::Sender::new(0) }
    }

    fn held(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code panics while it holds this lock")
    }

    /// A new look, or the newest one with other provisional numbers.
    pub fn post(&self, posted: Posted) {
        let mut inner = self.held();
        let posted = Arc::new(posted);
        inner.alarms.look(&posted);
        if inner.ring.back().is_some_and(|last| last.aligned.look >= posted.aligned.look)
            && let Some(last) = inner.ring.pop_back()
        {
            inner.bytes -= last.aligned.bytes();
        }
        inner.bytes += posted.aligned.bytes();
        inner.ring.push_back(posted.clone());
        while inner.bytes > self.bytes_max && inner.ring.len() > 1 {
            let oldest = inner.ring.pop_front().expect("there is more than one");
            inner.bytes -= oldest.aligned.bytes();
        }
        inner.newest = Some(posted);
        drop(inner);
        self.news.send_modify(|count| *count += 1);
    }

    /// What was posted last.
    pub fn newest(&self) -> Option<Arc<Posted>> {
        self.held().newest.clone()
    }

    /// The newest look at or before an instant, if the board goes back that far.
    pub fn at(&self, at: Timestamp) -> Option<Arc<Posted>> {
        let inner = self.held();
        let after = inner.ring.partition_point(|it| it.aligned.look <= at);
        inner.ring.get(after.checked_sub(1)?).cloned()
    }

    /// The oldest look on the board.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.held().ring.front().map(|it| it.aligned.look)
    }

    /// Changes with every look.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Alarms from this number on, and the number of the next one.
    pub(crate) fn raised(&self, from: u64) -> (Vec<Arc<Raised>>, u64) {
        self.held().alarms.from(from)
    }

    /// The same as texts, for [`Board::restore`].
    pub fn alarms(&self, from: u64) -> Vec<(u64, String)> {
        self.raised(from).0.iter().map(|it| (it.number, it.to_json())).collect()
    }

    /// Takes over the alarms of an earlier process, oldest first, before the first look is posted. Returns how many cannot be read.
    pub fn restore(&self, alarms: &[(u64, String)]) -> usize {
        self.held().alarms.restore(alarms)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::http::posted::{Alarm, Cut, PostedExperiment};

    /// A look with one experiment of about so many bytes.
    pub(crate) fn posted(look: i64, bytes: usize, alarms: &[&str]) -> Posted {
        let alarm = |code: &&str| Alarm { code: (*code).to_owned(), arguments: "{}".to_owned() };
        let experiment = PostedExperiment {
            id: "shop".to_owned(),
            in_force: true,
            body: format!("{{\"experiment\":\"shop\",\"fill\":\"{}\"}}", "x".repeat(bytes)),
            summary: "{}".to_owned(),
            said: String::new(),
            group: "undecided",
            alarms: alarms.iter().map(alarm).collect(),
        };
        let look = Timestamp(look * 1_000_000);
        let cut = Cut { look, frame: "{}".to_owned(), experiments: vec![experiment] };
        Posted { aligned: Arc::new(cut), provisional: None, published_ms: 0, config_version: 1, log_times: Vec::new() }
    }

    fn at(board: &Board, second: i64) -> Option<i64> {
        board.at(Timestamp(second * 1_000_000)).map(|it| it.aligned.look.0 / 1_000_000)
    }

    fn held(board: &Board) -> usize {
        board.held().ring.len()
    }

    #[test]
    fn looks_are_found_by_time_and_the_oldest_leave_first() {
        let board = Board::new(3_500);
        (1..=5).for_each(|look| board.post(posted(10 * look, 1_000, &[])));
        assert_eq!(
            [9, 29, 30, 39, 40, 99].map(|it| at(&board, it)),
            [None, None, Some(30), Some(30), Some(40), Some(50)]
        );
        // The same look again replaces it.
        board.post(posted(50, 1_200, &[]));
        assert_eq!((held(&board), at(&board, 50)), (3, Some(50)));
        // One that is larger than the board stays alone.
        board.post(posted(60, 9_000, &[]));
        assert_eq!((held(&board), at(&board, 60)), (1, Some(60)));
    }
}
