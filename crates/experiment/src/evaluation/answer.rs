//! What an evaluation says.

use crate::Experiment;
use std::borrow::Cow;

/// The variant of one flag or experiment for one context. Indexes, so that an edge may keep prepared bytes for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// Index in [`Ruleset::flags`](super::Ruleset::flags).
    pub flag: usize,
    /// Index in [`Rule::variants`](super::Rule::variants). `None`: the caller's own default.
    pub variant: Option<usize>,
    /// Why this one.
    pub reason: Reason,
    /// The holdout that kept the unit out of an experiment.
    pub holdout: Option<&'a str>,
    /// The prerequisite that does not hold.
    pub prerequisite: Option<&'a str>,
    /// What is to be logged when the unit sees the variant: only where the hash of a running experiment decided.
    pub exposure: Option<Assigned<'a>>,
}

/// A unit in an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigned<'a> {
    /// Its definition.
    pub experiment: &'a Experiment,
    /// Which of its phases, from 1: how many salts it has had.
    pub phase: u64,
    /// Index in [`Experiment::variants`].
    pub variant: usize,
    /// Id of the unit, of the type [`Experiment::unit`].
    pub unit: Cow<'a, str>,
}

/// Why a variant was served; the reasons of OpenFeature that every client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There are no rules.
    Static,
    /// A rule or an override named the variant.
    TargetingMatch,
    /// A hash chose it.
    Split,
    /// No rule decided, a prerequisite failed, or the unit is not in the experiment.
    Default,
    /// The flag is disabled, or the experiment does not run.
    Disabled,
}

impl Reason {
    /// All of them, in order.
    pub const ALL: [Reason; 5] =
        [Reason::Static, Reason::TargetingMatch, Reason::Split, Reason::Default, Reason::Disabled];

    /// As OpenFeature writes it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Split => "SPLIT",
            Reason::Default => "DEFAULT",
            Reason::Disabled => "DISABLED",
        }
    }
}

/// Why there is no answer. Its text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No flag or experiment of that key in this environment.
    #[error("no flag or experiment of this key is served in this environment; see `assay check` for what is defined")]
    FlagNotFound,
    /// The flag is quarantined.
    #[error("the flag cannot be evaluated: {0}")]
    ParseError(String),
    /// A hash needs the unit of this type, and the context has none.
    #[error("{}", missing(.0))]
    TargetingKeyMissing(String),
    /// The context has something in the place of the unit that is no id.
    #[error("{0}")]
    InvalidContext(String),
    /// Anything else.
    #[error("{0}")]
    General(String),
}

impl Failure {
    /// The error code of OpenFeature.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::FlagNotFound => "FLAG_NOT_FOUND",
            Failure::ParseError(_) => "PARSE_ERROR",
            Failure::TargetingKeyMissing(_) => "TARGETING_KEY_MISSING",
            Failure::InvalidContext(_) => "INVALID_CONTEXT",
            Failure::General(_) => "GENERAL",
        }
    }
}

fn missing(unit: &str) -> String {
    match unit {
        "user" => "the context has no targetingKey, so nobody knows whose bucket this is; send one".to_owned(),
        other => format!(
            "the context has no '{other}', which is randomised; send the attribute, or a targetingKey with unitType '{other}'"
        ),
    }
}
