//! Who answers the doors: the functions of this folder, and a memory of what took long.

use super::answer::{Course, answer};
use super::peek::{Theory, demonstrate};
use assay_control_plane::planner::{PeekAnswer, PeekQuestion, PlanAnswer, PlanQuestion, Planner, Wrong};
use assay_statistics::power::{PlanError, Promise, inflation};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Answers questions. The integrations depend on alpha and power alone, which people rarely change, so they are remembered.
#[derive(Default)]
pub struct Desk {
    courses: Memory<[u64; 3], Course>,
    theories: Memory<u64, Theory>,
}

/// How far beyond its maximum the always-valid plan is followed, so that a picture shows where it goes.
const BEYOND: f64 = 1.25;
/// Points of a course that are kept: as many as a picture of it shows.
const POINTS: usize = 160;

impl Desk {
    fn course(&self, promise: &Promise) -> Result<Arc<Course>, PlanError> {
        let key = [promise.alpha.value().to_bits(), promise.power.to_bits(), u64::from(promise.comparisons)];
        self.courses.get(key, || {
            let (inflation, points) = inflation::always_valid_course(promise, BEYOND)?;
            let every = points.len().div_ceil(POINTS);
            // Counted from the end, so that the last stays.
            let mut points: Vec<_> = points.into_iter().rev().step_by(every).collect();
            points.reverse();
            Ok(Course { inflation, points })
        })
    }
}

impl Planner for Desk {
    fn plan(&self, question: &PlanQuestion) -> Result<PlanAnswer, Wrong> {
        answer(question, |promise| self.course(promise))
    }

    fn peek(&self, question: &PeekQuestion) -> Result<PeekAnswer, Wrong> {
        let theory = self.theories.get(question.alpha.to_bits(), || Theory::of(question.alpha))?;
        demonstrate(question, &theory)
    }
}

/// What was computed last, by what it depends on.
struct Memory<K, T>(Mutex<VecDeque<(K, Arc<T>)>>);

/// Entries of a memory. Each has a few kilobytes, and a group of people that plans together uses a handful.
const ENTRIES: usize = 32;

impl<K, T> Default for Memory<K, T> {
    fn default() -> Self {
        Memory(Mutex::default())
    }
}

impl<K: PartialEq + Copy, T> Memory<K, T> {
    /// Nobody waits for another's computation: two who ask the same at the same time both compute it.
    fn get<E>(&self, key: K, compute: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let held = || self.0.lock().expect("no code panics while it holds this lock");
        if let Some((_, known)) = held().iter().find(|(of, _)| *of == key) {
            return Ok(known.clone());
        }
        let computed = Arc::new(compute()?);
        let mut entries = held();
        entries.push_back((key, computed.clone()));
        if entries.len() > ENTRIES {
            entries.pop_front();
        }
        Ok(computed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_computes_once_and_forgets_the_oldest() {
        let memory = Memory::default();
        let get = |key: usize, value: usize| *memory.get(key, || Ok::<_, ()>(value)).unwrap();
        assert_eq!((get(0, 1), get(0, 2)), (1, 1));
        assert_eq!(memory.get(9_999, || Err::<usize, _>("no")), Err("no"));
        (1..=ENTRIES).for_each(|key| assert_eq!(get(key, key), key));
        assert_eq!(get(0, 3), 3);
    }
}
