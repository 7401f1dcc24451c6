//! The compiled form of one version of the definitions in one environment.

use super::logic;
use crate::assignment::Draw;
use crate::{ConfigVersion, Experiment, FlagKind};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};

/// All flags and experiments that an environment serves. Immutable, so that a cut of flags, layers and holdouts is never seen half.
pub struct Ruleset {
    pub(super) version: ConfigVersion,
    pub(super) environment: String,
    /// Sorted by key.
    pub(super) rules: Vec<Rule>,
    pub(super) by_key: HashMap<String, usize>,
    pub(super) quarantined: Vec<(String, String)>,
    pub(super) holdouts: Vec<Holdout>,
}

/// One flag or experiment.
pub struct Rule {
    pub(super) key: String,
    pub(super) kind: FlagKind,
    pub(super) variants: Vec<(String, Json)>,
    pub(super) metadata: BTreeMap<String, Json>,
    pub(super) body: Body,
}

impl Ruleset {
    /// Of the definitions.
    pub fn version(&self) -> ConfigVersion {
        self.version
    }

    /// Which environment it is for.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Sorted by key, those that are quarantined among them.
    pub fn flags(&self) -> &[Rule] {
        &self.rules
    }

    /// Where in [`Ruleset::flags`] a key is.
    pub fn index(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// Keys that answer an error because they cannot be compiled, and why.
    pub fn quarantined(&self) -> &[(String, String)] {
        &self.quarantined
    }
}

impl Rule {
    /// By which it is asked for.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Type of its values.
    pub fn kind(&self) -> FlagKind {
        self.kind
    }

    /// Name and value. Numbers are all written as fractions (`1.0`) where one of them is, because strict clients tell them from integers. Those
    /// of an experiment are texts: their names.
    pub fn variants(&self) -> &[(String, Json)] {
        &self.variants
    }

    /// What the definition says to whoever reads the answer.
    pub fn metadata(&self) -> &BTreeMap<String, Json> {
        &self.metadata
    }

    /// Its definition and phase, if it is an experiment.
    pub fn experiment(&self) -> Option<(&Experiment, u64)> {
        match &self.body {
            Body::Experiment(experiment) => Some((&experiment.definition, experiment.phase)),
            _ => None,
        }
    }
}

pub(super) enum Body {
    /// Why it cannot be evaluated.
    Quarantined(String),
    Flag(Box<Flag>),
    Experiment(Box<Split>),
}

/// A flag; variants are indexes.
pub(super) struct Flag {
    pub enabled: bool,
    pub default: Option<usize>,
    pub unit: String,
    /// Of its rollouts.
    pub draw: Draw,
    pub overrides: HashMap<String, usize>,
    pub prerequisites: Vec<Prerequisite>,
    pub targeting: Option<logic::Rule>,
    pub steps: Vec<Step>,
}

pub(super) struct Prerequisite {
    pub key: String,
    /// Rule and variant; `None` when the environment does not serve the flag.
    pub wanted: Option<(usize, usize)>,
}

pub(super) struct Step {
    pub condition: Option<logic::Rule>,
    pub outcome: Outcome,
}

pub(super) enum Outcome {
    Serve(usize),
    /// Where each variant's buckets end, in rising order.
    Rollout(Vec<(u32, usize)>),
    Experiment {
        /// The rule; `None` when the environment does not serve the experiment.
        rule: Option<usize>,
        /// The flag's variant for each of the experiment's.
        variants: Vec<usize>,
    },
}

/// An experiment.
pub(super) struct Split {
    pub definition: Experiment,
    pub phase: u64,
    pub control: usize,
    /// Of its variants.
    pub draw: Draw,
    pub overrides: HashMap<String, usize>,
    /// Indexes of the holdouts of its unit type.
    pub holdouts: Vec<usize>,
    pub targeting: Option<logic::Rule>,
    /// Salt of the layer and slots in it.
    pub slots: Option<(String, Vec<(u32, u32)>)>,
    /// Where each variant's buckets end.
    pub ends: Vec<u32>,
}

pub(super) struct Holdout {
    pub id: String,
    pub unit: String,
    pub draw: Draw,
    pub share: u32,
}
