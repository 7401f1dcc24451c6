//! A complaint about a definition, with its place.

use crate::yaml::Place;
use std::fmt;

/// Something that is wrong in a definition, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the file.
    pub file: String,
    /// Line, from 1; 0 when the problem has no place in a file.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// In words.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(file: &str, place: Place, message: impl Into<String>) -> Self {
        Problem { file: file.to_owned(), line: place.line, column: place.column, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for Problem {}

/// `; did you mean 'x'?` with the nearest of the known words, if one is near: a third of the letters may differ, rounded up.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let best = known.into_iter().map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate)).min();
    match best {
        Some((distance, candidate)) if distance <= word.len().div_ceil(3) && distance < candidate.len() => {
            format!("; did you mean '{candidate}'?")
        }
        _ => String::new(),
    }
}
