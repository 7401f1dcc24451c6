//! Appends records to one partition, and keeps what the fold tells.

use assay_aggregates::{
    Chunk, ControlFact, DeadLetter, Effects, Entry, Fact, Halt, Input, Look, MemoryRuns, Partition, Reason, Remembered,
    RunName, Runs, RunsError,
};
use assay_experiment::control::{self, Encoded, Genesis};
use assay_experiment::{Settings, Source, Timestamp, canonical, parse};
use std::sync::{Arc, Mutex};

/// One partition of a log, folded as it grows.
pub struct Driver {
    state: Option<Partition>,
    partition: u32,
    runs: SharedRuns,
    offset: u64,
    pub told: Told,
}

/// What a partition told.
#[derive(Default)]
pub struct Told {
    pub looks: Vec<Look>,
    pub letters: Vec<Letter>,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    pub reason: Reason,
    pub detail: String,
    pub key: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Effects for Told {
    fn fact(&mut self, _: &Fact<'_>) {}
    fn control(&mut self, _: &ControlFact<'_>) {}
    fn dead_letter(&mut self, letter: &DeadLetter<'_>) {
        let headers = letter.input.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
        self.letters.push(Letter {
            reason: letter.reason,
            detail: letter.detail.clone(),
            key: letter.input.key.map(<[u8]>::to_vec),
            headers: headers.collect(),
            payload: letter.input.payload.to_vec(),
        });
    }
    fn look(&mut self, look: Look) {
        let bytes = look.encode();
        assert_eq!(Look::decode(&bytes).as_ref(), Ok(&look), "a look reads back");
        self.looks.push(look);
    }
    fn chunk(&mut self, _: Chunk) {}
    fn erase(&mut self, _: &str, _: &str) {}
}

/// Runs that survive a restart.
#[derive(Clone, Default)]
struct SharedRuns(Arc<Mutex<MemoryRuns>>);

impl Runs for SharedRuns {
    fn store(&mut self, name: RunName, entries: &[Entry]) -> Result<(), RunsError> {
        self.0.lock().unwrap().store(name, entries)
    }
    fn find(&self, name: RunName, key: u128) -> Result<Option<Remembered>, RunsError> {
        self.0.lock().unwrap().find(name, key)
    }
    fn load(&self, name: RunName) -> Result<Vec<Entry>, RunsError> {
        self.0.lock().unwrap().load(name)
    }
    /// An older snapshot may still need it.
    fn retire(&mut self, _: RunName) {}
}

impl Driver {
    /// A partition that starts at this time.
    pub fn new(genesis: &Genesis, partition: u32, at: Timestamp) -> Driver {
        let told = Told::default();
        let mut driver = Driver { state: None, partition, runs: SharedRuns::default(), offset: 0, told };
        driver.control(at, &[control::genesis(genesis)]);
        driver
    }

    /// A partition of a log of its own, with the usual settings.
    pub fn usual(at: Timestamp) -> Driver {
        Driver::new(&Genesis::new("test".to_owned(), 1, 77), 0, at)
    }

    /// Appends a record, and returns its offset.
    pub fn append(&mut self, at: Timestamp, key: Option<&[u8]>, headers: &[(&str, &[u8])], payload: &[u8]) -> u64 {
        let input = Input { offset: self.offset, timestamp: at, key, headers, payload };
        let state = self
            .state
            .get_or_insert_with(|| Partition::start(self.partition, &input, Box::new(self.runs.clone())).unwrap());
        state.apply(&input, &mut self.told).unwrap();
        self.offset += 1;
        input.offset
    }

    /// Appends an event; the dead letter if it becomes one.
    pub fn event(&mut self, at: Timestamp, payload: &[u8]) -> Option<Letter> {
        let before = self.told.letters.len();
        self.append(at, None, &[], payload);
        self.told.letters.get(before).cloned()
    }

    fn control(&mut self, at: Timestamp, records: &[Encoded]) {
        for record in records {
            let headers: Vec<(&str, &[u8])> =
                record.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            self.append(at, None, &headers, &record.body);
        }
    }

    /// Changes settings from an hour on, or tries to.
    pub fn change(&mut self, at: Timestamp, settings: &Settings) {
        self.control(at, &[control::settings(settings)]);
    }

    /// Puts definitions in force.
    pub fn publish(&mut self, at: Timestamp, version: u64, text: &str) {
        let definitions = parse(&[Source { name: "test", text }]).unwrap_or_else(|problems| panic!("{problems:?}"));
        self.control(at, &control::version(version, &canonical::parts(&definitions)));
        assert_eq!(self.state().config_version(), version);
    }

    pub fn tick(&mut self, at: Timestamp) {
        self.control(at, &[control::tick()]);
    }

    /// Applies a record that may be refused.
    pub fn try_apply(&mut self, input: &Input<'_>) -> Result<(), Halt> {
        self.state.as_mut().unwrap().apply(input, &mut self.told)
    }

    /// Dies, and goes on from a snapshot.
    pub fn restart(&mut self) {
        let snapshot = self.state.take().unwrap().snapshot();
        self.state = Some(Partition::restore(&snapshot, Box::new(self.runs.clone())).unwrap());
    }

    pub fn state(&self) -> &Partition {
        self.state.as_ref().unwrap()
    }
}
