//! What is found, in words: the sentence, its caveats, the four answers, the row of a list.
//!
//! The words are made here, from codes and arguments, so that the command line, the API and the page say the same: [`Said`]. They are pure:
//! no locale, no clock; times are in UTC. What only a reader knows (how old the numbers are by now, whether the connection lives) stays with
//! the reader. Never said: wins, significant, proves, no effect.

mod answers;
mod blocked;
mod brief;
mod caveats;
mod checks;
mod claims;
mod lifts;
mod numbers;
mod part;
mod pill;
mod sentence;
mod subject;
mod times;

pub(crate) use answers::waits;
pub use answers::{Answer, Answers};
pub use checks::Check;
pub(crate) use checks::{of_events, to_json as checks_json};
pub use part::{Part, text_of};
pub(crate) use pill::pill;

use crate::results::ExperimentResult;
use crate::verdict::Verdict;
use assay_experiment::Timestamp;
use checks::Evidence;
use serde_json::{Value as Json, json};
use subject::Subject;

/// Everything that is said of an experiment at a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The verdict in at most 60 words, where names are of usual length.
    pub sentence: Vec<Part>,
    /// What has to be known with it.
    pub caveats: Vec<String>,
    /// The four answers.
    pub answers: Answers,
    /// Whether its units and exposures are as they should be.
    pub checks: Vec<Check>,
}

impl Said {
    /// Of an experiment at a look that ends then.
    pub fn of(experiment: &ExperimentResult, verdict: &Verdict, look: Timestamp) -> Said {
        Said::about(&Subject::of(experiment, verdict), &Evidence::of(experiment), look)
    }

    fn about(subject: &Subject<'_>, evidence: &Evidence<'_>, look: Timestamp) -> Said {
        Said {
            sentence: sentence::sentence(subject, look),
            caveats: caveats::caveats(subject),
            answers: Answers::of(subject),
            checks: checks::checks(subject, evidence),
        }
    }

    /// As in results.
    pub(crate) fn to_json(&self) -> Json {
        json!({
            "sentence": parts(&self.sentence), "caveats": self.caveats, "answers": self.answers.to_json(),
            "checks": checks_json(&self.checks),
        })
    }
}

/// A sentence as in results.
fn parts(sentence: &[Part]) -> Json {
    sentence.iter().map(Part::to_json).collect()
}

/// What is said in a row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// At most 120 characters.
    pub sentence: Vec<Part>,
    /// The worst finding in a few words.
    pub health: String,
    /// How grave it is: `good`, `warn`, `alarm`, or `none` of a draft.
    pub tone: &'static str,
}

impl Brief {
    /// Of an experiment with these alarms, the worst first.
    pub fn of(experiment: &ExperimentResult, verdict: &Verdict, alarms: &[&str]) -> Brief {
        Brief::about(&Subject::of(experiment, verdict), alarms)
    }

    fn about(subject: &Subject<'_>, alarms: &[&str]) -> Brief {
        let (tone, health) = brief::health(subject, alarms);
        Brief { sentence: brief::brief(subject), health, tone }
    }

    /// As in rows.
    pub(crate) fn to_json(&self) -> Json {
        json!({"sentence": parts(&self.sentence), "health": self.health, "tone": self.tone})
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod states;
