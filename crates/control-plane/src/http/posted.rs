//! A look as it was published: texts that are cut once and only put together when somebody asks, so that no number is read and written again.

use assay_experiment::{Timestamp, format_time};
use std::sync::Arc;

/// The newest look and, while it is late, the provisional one beside it.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The look that everything decides by.
    pub aligned: Arc<Cut>,
    /// Newer numbers, not one cut.
    pub provisional: Option<Arc<Cut>>,
    /// When it was published, by the wall clock.
    pub published_ms: i64,
    /// Version of the definitions in force at the look.
    pub config_version: u64,
    /// Log time of each partition.
    pub log_times: Vec<(u32, Timestamp)>,
}

/// Results at one look.
#[derive(Debug)]
pub struct Cut {
    /// As of when.
    pub look: Timestamp,
    /// The JSON object of the results without `experiments`.
    pub frame: String,
    /// Every phase of every experiment, the one in force first.
    pub experiments: Vec<PostedExperiment>,
}

/// One phase of one experiment.
#[derive(Debug)]
pub struct PostedExperiment {
    /// Id of the experiment.
    pub id: String,
    /// Whether the definitions in force have this phase.
    pub in_force: bool,
    /// Its JSON object in the results.
    pub body: String,
    /// Its row in the list, a JSON object.
    pub summary: String,
    /// The codes of its verdict: a change of them is worth keeping.
    pub said: String,
    /// Which group of the list the row is in.
    pub group: &'static str,
    /// What is wrong with it now.
    pub alarms: Vec<Alarm>,
}

/// Something that people have to be told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What, such as `srm`.
    pub code: String,
    /// A JSON object with what is known of it.
    pub arguments: String,
}

impl Cut {
    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let of = |it: &PostedExperiment| {
            it.body.len() + it.summary.len() + it.alarms.iter().map(|alarm| alarm.arguments.len()).sum::<usize>()
        };
        self.frame.len() + self.experiments.iter().map(of).sum::<usize>()
    }

    /// Ids of the experiments, each once.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        // Phases of one experiment stand together.
        let first = |at: usize| at == 0 || self.experiments[at - 1].id != self.experiments[at].id;
        (0..self.experiments.len()).filter(move |&at| first(at)).map(|at| self.experiments[at].id.as_str())
    }

    /// Results with one experiment, for an archive.
    pub fn document(&self, id: &str) -> Option<String> {
        let phases = self.phases(id);
        (!phases.is_empty()).then(|| self.results(phases.iter().map(|it| it.body.as_str()), &[]))
    }

    /// The phases of an experiment.
    pub(crate) fn phases(&self, id: &str) -> Vec<&PostedExperiment> {
        self.experiments.iter().filter(|it| it.id == id).collect()
    }

    /// Results with these experiments alone, and further members.
    pub(crate) fn results<'a>(&self, bodies: impl Iterator<Item = &'a str>, more: &[(&str, String)]) -> String {
        let bodies: Vec<&str> = bodies.collect();
        let mut out = with(&self.frame, "experiments", &format!("[{}]", bodies.join(",")));
        for (name, value) in more {
            out = with(&out, name, value);
        }
        out
    }
}

impl Posted {
    /// Everything that is known of an experiment at this look; `None` if it is not in it.
    pub(crate) fn experiment(&self, id: &str) -> Option<String> {
        let phases = self.aligned.phases(id);
        if phases.is_empty() {
            return None;
        }
        let bodies = |cut: &Cut| cut.results(cut.phases(id).iter().map(|it| it.body.as_str()), &[]);
        let newer = self.provisional.as_ref().map_or_else(|| "null".to_owned(), |newer| bodies(newer));
        let more = [("provisional", newer), ("published_at", quoted(&time(self.published_ms)))];
        Some(self.aligned.results(phases.iter().map(|it| it.body.as_str()), &more))
    }
}

/// A JSON object with one more member at its end.
pub(crate) fn with(object: &str, name: &str, value: &str) -> String {
    let inner = object.trim_end().strip_suffix('}').unwrap_or(object);
    let comma = if inner.trim_end().ends_with('{') { "" } else { "," };
    format!("{inner}{comma}{}:{value}}}", quoted(name))
}

/// A text in JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A wall clock's time as people write it.
pub(crate) fn time(ms: i64) -> String {
    format_time(Timestamp::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_added_without_reading_the_others() {
        assert_eq!(with("{}", "a", "1"), "{\"a\":1}");
        assert_eq!(with(&with("{\"n\":0.1}", "a", "1"), "b\"", "[]"), "{\"n\":0.1,\"a\":1,\"b\\\"\":[]}");
    }
}
