//! Why bytes are no event, in words that say what would be.

use std::fmt;

/// Bytes that are no event of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    field: Option<&'static str>,
    problem: String,
    unknown_schema: bool,
}

impl Malformed {
    /// Something is wrong with one field.
    pub(crate) fn field(field: &'static str, problem: impl Into<String>) -> Self {
        Malformed { field: Some(field), problem: problem.into(), unknown_schema: false }
    }

    /// Something is wrong with the whole.
    pub(crate) fn whole(problem: impl Into<String>) -> Self {
        Malformed { field: None, problem: problem.into(), unknown_schema: false }
    }

    /// The schema that it was written with is not known.
    pub(crate) fn schema(id: impl fmt::Display) -> Self {
        let problem = format!(
            "schema {id} is not known here; publish it (kind: schema), or send with one of the built-in ids 1, 2 and 3"
        );
        Malformed { field: None, problem, unknown_schema: true }
    }

    /// Whether it could be an event, if only its schema were known.
    pub fn is_unknown_schema(&self) -> bool {
        self.unknown_schema
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{field}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for Malformed {}
