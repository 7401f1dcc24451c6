//! The members of a question, read one by one, so that what is wrong with one is said of that one.

use super::Wrong;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// The members that nobody has asked for yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Of a body.
    pub(super) fn of(body: &[u8]) -> Result<Fields, Wrong> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Fields(members)),
            Ok(_) => Err(Wrong::new("body", "the question is a JSON object, as in {\"base\": 0.05, \"lift\": 0.1}")),
            Err(problem) => Err(Wrong::new("body", format!("this is no JSON: {problem}"))),
        }
    }

    /// A number within a range; `None` if it is absent or null.
    pub(super) fn number(&mut self, name: &str, within: RangeInclusive<f64>) -> Result<Option<f64>, Wrong> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => number(name, &value, within).map(Some),
        }
    }

    /// A whole number within a range.
    pub(super) fn whole(&mut self, name: &str, within: RangeInclusive<u64>) -> Result<Option<u64>, Wrong> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().filter(|number| within.contains(number)) {
                Some(number) => Ok(Some(number)),
                None => {
                    let (low, high) = (within.start(), within.end());
                    Err(Wrong::new(name, format!("a whole number between {low} and {high}, and {value} is none")))
                }
            },
        }
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)], usual: T) -> Result<T, Wrong> {
        let Some(value) = self.0.remove(name).filter(|value| !value.is_null()) else { return Ok(usual) };
        let known = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        known.map(|(_, it)| *it).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Wrong::new(name, format!("one of {}, and {value} is none of them", words.join(", ")))
        })
    }

    /// A list of numbers, each within a range.
    pub(super) fn numbers(
        &mut self,
        name: &str,
        count_max: usize,
        within: RangeInclusive<f64>,
    ) -> Result<Option<Vec<f64>>, Wrong> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(items)) if items.len() <= count_max => {
                items.iter().map(|item| number(name, item, within.clone())).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(Wrong::new(name, format!("a list of at most {count_max} numbers, as in [50, 50]"))),
        }
    }

    /// Refuses members that nobody asked for, because a misspelt one would be passed over in silence.
    pub(super) fn end(self, known: &str) -> Result<(), Wrong> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Wrong::new(name, format!("there is no such member here; there are {known}"))),
        }
    }
}

fn number(name: &str, value: &Value, within: RangeInclusive<f64>) -> Result<f64, Wrong> {
    let (low, high) = (within.start(), within.end());
    match value.as_f64().filter(|number| within.contains(number)) {
        Some(number) => Ok(number),
        None => Err(Wrong::new(name, format!("a number between {low} and {high}, and {value} is none"))),
    }
}
