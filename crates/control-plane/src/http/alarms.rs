//! Alarms as they came and went: told to whoever was away, and kept by the caller over restarts.

use crate::http::posted::{Alarm, Posted, quoted};
use crate::http::raw;
use assay_experiment::{Timestamp, format_time, parse_time};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Alarms that are remembered: they come and go a few times in the life of an experiment.
pub const ALARMS_MAX: usize = 1_000;

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

    /// What [`Raised::to_json`] wrote; `None` for any other text.
    fn read(number: u64, text: &str) -> Option<Raised> {
        let members = raw::members(text);
        let of = |name: &str| members.contains_key(name).then(|| raw::text(&members, name));
        Some(Raised {
            number,
            experiment: of("experiment")?,
            look: parse_time(&of("look")?).ok()?,
            on: of("state")? == "raised",
            alarm: Alarm { code: of("code")?, arguments: members.get("arguments")?.get().to_owned() },
        })
    }

    fn key(&self) -> (String, String) {
        (self.experiment.clone(), self.alarm.code.clone())
    }
}

/// The newest alarms, and which of them are on.
#[derive(Default)]
pub(crate) struct Alarms {
    raised: VecDeque<Arc<Raised>>,
    /// By experiment and code.
    standing: BTreeMap<(String, String), Alarm>,
    next: u64,
}

impl Alarms {
    /// Compares the alarms of a look with those that are on.
    pub fn look(&mut self, posted: &Posted) {
        let look = posted.aligned.look;
        // After a start from a snapshot looks come again, and what they say of alarms was said.
        if self.raised.back().is_some_and(|last| look < last.look) {
            return;
        }
        let in_force = posted.aligned.experiments.iter().filter(|it| it.in_force);
        let now: BTreeMap<(String, String), Alarm> = in_force
            .flat_map(|it| it.alarms.iter().map(|alarm| ((it.id.clone(), alarm.code.clone()), alarm.clone())))
            .collect();
        let came = now.iter().filter(|(key, _)| !self.standing.contains_key(*key)).map(|it| (true, it));
        let went = self.standing.iter().filter(|(key, _)| !now.contains_key(*key)).map(|it| (false, it));
        let told: Vec<Raised> = came
            .chain(went)
            .zip(self.next..)
            .map(|((on, ((experiment, _), alarm)), number)| Raised {
                number,
                experiment: experiment.clone(),
                look,
                on,
                alarm: alarm.clone(),
            })
            .collect();
        told.into_iter().for_each(|raised| self.push(raised));
    }

    fn push(&mut self, raised: Raised) {
        self.next = raised.number + 1;
        match raised.on {
            true => drop(self.standing.insert(raised.key(), raised.alarm.clone())),
            false => drop(self.standing.remove(&raised.key())),
        }
        self.raised.push_back(Arc::new(raised));
        while self.raised.len() > ALARMS_MAX {
            self.raised.pop_front();
        }
    }

    /// Alarms from this number on, and the number of the next one.
    pub fn from(&self, number: u64) -> (Vec<Arc<Raised>>, u64) {
        (self.raised.iter().filter(|it| it.number >= number).cloned().collect(), self.next)
    }

    /// Takes over alarms of an earlier process, oldest first. Returns how many of them cannot be read.
    pub fn restore(&mut self, kept: &[(u64, String)]) -> usize {
        let read: Vec<Raised> = kept.iter().filter_map(|(number, text)| Raised::read(*number, text)).collect();
        let unread = kept.len() - read.len();
        read.into_iter().for_each(|raised| self.push(raised));
        unread
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::board::tests::posted;

    fn told(alarms: &Alarms) -> Vec<(u64, String, bool, i64)> {
        let of = |it: &Arc<Raised>| (it.number, it.alarm.code.clone(), it.on, it.look.0 / 1_000_000);
        alarms.from(0).0.iter().map(of).collect()
    }

    #[test]
    fn alarms_are_told_when_they_come_and_when_they_go() {
        let mut alarms = Alarms::default();
        for (look, codes) in [(1, &["srm"][..]), (2, &["srm", "drift"]), (3, &["drift"]), (4, &["drift"])] {
            alarms.look(&posted(look, 1, codes));
        }
        let expected = [(0, "srm", true, 1), (1, "drift", true, 2), (2, "srm", false, 3)];
        assert_eq!(told(&alarms), expected.map(|(number, code, on, look)| (number, code.to_owned(), on, look)));
        assert_eq!(alarms.from(2).0.len(), 1);
    }

    #[test]
    fn a_restart_tells_nothing_twice_and_misses_nothing() {
        let mut before = Alarms::default();
        before.look(&posted(1, 1, &["srm"]));
        before.look(&posted(5, 1, &["srm", "drift"]));
        let kept: Vec<(u64, String)> = before.from(0).0.iter().map(|it| (it.number, it.to_json())).collect();
        let mut after = Alarms::default();
        assert_eq!(after.restore(&kept), 0);
        assert_eq!(told(&after), told(&before));
        // Looks that are evaluated again, from before the last alarm; then what went while nobody was there.
        after.look(&posted(3, 1, &[]));
        after.look(&posted(5, 1, &["srm", "drift"]));
        after.look(&posted(9, 1, &["drift"]));
        let mut expected = told(&before);
        expected.push((2, "srm".to_owned(), false, 9));
        assert_eq!(told(&after), expected);
        assert_eq!(after.restore(&[(7, "{}".to_owned()), (8, "no JSON".to_owned())]), 2);
    }

    #[test]
    fn the_oldest_leave_first() {
        let mut alarms = Alarms::default();
        for look in 0..ALARMS_MAX as i64 + 10 {
            alarms.look(&posted(look, 1, if look % 2 == 0 { &["srm"] } else { &[] }));
        }
        let (all, next) = alarms.from(0);
        assert_eq!((all.len(), all[0].number, next), (ALARMS_MAX, 10, ALARMS_MAX as u64 + 10));
    }
}
