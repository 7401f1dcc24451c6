//! The newest look, those before it as far as memory allows, and the alarms that looks raised.

use crate::http::posted::{Alarm, Posted, quoted};
use assay_experiment::{Timestamp, format_time};
use std::collections::{BTreeMap, VecDeque};
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
    raised: VecDeque<Arc<Raised>>,
    next: u64,
}

/// An alarm that came or went.
#[derive(Debug)]
pub(crate) struct Raised {
    /// Counts alarms.
    pub number: u64,
    /// Whose.
    pub experiment: String,
    /// As of when.
    pub look: Timestamp,
    /// Whether it came.
    pub on: bool,
    /// What it says.
    pub alarm: Alarm,
}

/// Alarms that are remembered, for readers that were away: they come and go a few times in the life of an experiment.
const RAISED_MAX: usize = 1_000;

impl Raised {
    /// The data of an event.
    pub fn to_json(&self) -> String {
        format!(
            "{{\"experiment\":{},\"code\":{},\"state\":{},\"look\":{},\"arguments\":{}}}",
            quoted(&self.experiment),
            quoted(&self.alarm.code),
            quoted(if self.on { "raised" } else { "cleared" }),
            quoted(&format_time(self.look)),
            self.alarm.arguments
        )
    }
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
        inner.raise(&posted);
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
        let inner = self.held();
        let alarms = inner.raised.iter().filter(|it| it.number >= from).cloned().collect();
        (alarms, inner.next)
    }
}

impl Inner {
    /// Compares the alarms of a look with those of the one before.
    fn raise(&mut self, posted: &Posted) {
        let known = |posted: &Posted| -> BTreeMap<(String, String), Alarm> {
            let in_force = posted.aligned.experiments.iter().filter(|it| it.in_force);
            in_force
                .flat_map(|it| it.alarms.iter().map(|alarm| ((it.id.clone(), alarm.code.clone()), alarm.clone())))
                .collect()
        };
        let before = self.newest.as_ref().map(|it| known(it)).unwrap_or_default();
        let after = known(posted);
        let came = after.iter().filter(|(key, _)| !before.contains_key(*key)).map(|it| (true, it));
        let went = before.iter().filter(|(key, _)| !after.contains_key(*key)).map(|it| (false, it));
        for (on, ((experiment, _), alarm)) in came.chain(went) {
            let number = self.next;
            self.next += 1;
            let look = posted.aligned.look;
            let raised = Raised { number, experiment: experiment.clone(), look, on, alarm: alarm.clone() };
            self.raised.push_back(Arc::new(raised));
        }
        while self.raised.len() > RAISED_MAX {
            self.raised.pop_front();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::http::posted::{Cut, PostedExperiment};

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

    #[test]
    fn alarms_are_told_when_they_come_and_when_they_go() {
        let board = Board::new(1 << 20);
        for (look, alarms) in [(1, &["srm"][..]), (2, &["srm", "drift"]), (3, &["drift"]), (4, &["drift"])] {
            board.post(posted(look, 1, alarms));
        }
        let (raised, next) = board.raised(0);
        let told: Vec<_> = raised.iter().map(|it| (it.alarm.code.as_str(), it.on, it.look.0 / 1_000_000)).collect();
        assert_eq!((told, next), (vec![("srm", true, 1), ("drift", true, 2), ("srm", false, 3)], 3));
        assert_eq!(board.raised(2).0.len(), 1);
    }
}
