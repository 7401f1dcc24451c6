//! What people define: experiments, metrics, layers, flags and holdouts, after parsing and validation.

use crate::{SettingsChange, Span, Timestamp, Value};
use std::collections::{BTreeMap, BTreeSet};

/// One validated set of definitions: every reference resolves, every rule of the format holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definitions {
    /// By id.
    pub experiments: BTreeMap<String, Experiment>,
    /// The catalogue, by id, with the metrics that experiments define in place.
    pub metrics: BTreeMap<String, Metric>,
    /// By id.
    pub layers: BTreeMap<String, Layer>,
    /// By id.
    pub holdouts: BTreeMap<String, Holdout>,
    /// By id.
    pub flags: BTreeMap<String, Flag>,
    /// Writers' schemas of events, by the id that a registry gave them.
    pub schemas: BTreeMap<u32, WriterSchema>,
    /// Salts of phases that ended, by experiment. Publishing writes them, because units of such a phase must never be mixed with new ones.
    pub retired: BTreeMap<String, BTreeSet<String>>,
    /// Filters (`where`) that only earlier versions wanted. Publishing writes them, because the fold never forgets a filter and has room for few.
    pub filters: BTreeSet<Vec<(String, String)>>,
    /// Changes of the log's settings, by hour. They are no part of a version: each is a record of its own ([`control::settings`]).
    ///
    /// [`control::settings`]: crate::control::settings
    pub settings: BTreeMap<Timestamp, SettingsChange>,
}

/// An Avro schema that some producer writes events with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterSchema {
    /// What a registry gave it; 1, 2 and 3 are Assay's own unless given to another here.
    pub id: u32,
    /// What newer registries give it, for producers that send it in a header.
    pub guid: Option<[u8; 16]>,
    /// The schema as compact JSON.
    pub avro: String,
}

/// A randomised comparison of variants.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// At most 64 of `[a-z0-9._-]`, never reused.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is expected, and why.
    pub hypothesis: String,
    /// Who answers for it.
    pub owner: String,
    /// Whether exposures count.
    pub status: Status,
    /// The unit type that is randomised.
    pub unit: String,
    /// What people call one of them; empty means by its type.
    pub unit_name: String,
    /// Who decides the variant.
    pub assignment: Assignment,
    /// Of the variant hash. Minted on first publish when absent; empty never.
    pub salt: Option<String>,
    /// Where the experiment lives in a layer.
    pub layer: Option<LayerShare>,
    /// In the order written; exactly one is the control.
    pub variants: Vec<Variant>,
    /// JSONLogic, evaluated by the edge.
    pub targeting: Option<serde_json::Value>,
    /// What becomes of a unit seen in two variants.
    pub crossing: Crossing,
    /// In the order written.
    pub metrics: Vec<MetricUse>,
    /// Attributes of the first exposure by which results are broken down.
    pub segments: Vec<Segment>,
    /// How it is analysed.
    pub analysis: Analysis,
    /// Where edges serve it; empty means everywhere.
    pub environments: BTreeSet<String>,
    /// Units that get a variant whatever the hash says, by variant. They are never exposed, so no number knows them.
    pub overrides: Overrides,
}

/// Units by the variant that they get whatever rules and hashes say; a unit stands under one variant only.
pub type Overrides = BTreeMap<String, BTreeSet<String>>;

/// Whether exposures count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not yet: exposures are rejected.
    Draft,
    /// Units enter.
    Running,
    /// Edges let nobody in; what arrives still counts.
    Paused,
    /// Units no longer enter; windows that are open run out.
    Stopped,
}

/// Who decides the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// The hash of scheme xp1; every exposure is audited.
    Xp1,
    /// Another randomiser; only stickiness is checked.
    External,
}

/// What becomes of a unit seen in two variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossing {
    /// It leaves both.
    Exclude,
    /// It stays where it was first.
    First,
    /// It belongs where the hash puts it.
    Assigned,
}

/// One arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// 1 to 32 bytes.
    pub name: String,
    /// For people; empty means the name.
    pub title: String,
    /// What the others are compared with.
    pub control: bool,
    /// Share relative to the other arms, in millionths (`weight: 1` is 1,000,000); zero is legal.
    pub weight: u64,
}

/// Where an experiment lives in a layer: half-open ranges out of 1,000,000 slots.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerShare {
    /// Id of the layer.
    pub layer: String,
    /// Sorted, disjoint, neighbours joined. `None` until publishing allots them.
    pub slots: Option<Vec<(u32, u32)>>,
    /// Wanted share of the layer, in millionths. `None` when the slots are known.
    pub traffic: Option<u32>,
}

/// A metric in an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricUse {
    /// Key in [`Definitions::metrics`].
    pub metric: String,
    /// What it is for.
    pub role: Role,
    /// Smallest lift worth having, in millionths.
    pub minimum_effect: Option<i64>,
    /// Largest harm that is tolerated, in millionths of the control's mean. Guardrails only.
    pub margin: Option<i64>,
    /// What an alarm does. Guardrails only.
    pub action: Option<GuardrailAction>,
}

/// What a metric is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides.
    Primary,
    /// Explains.
    Secondary,
    /// Must not get worse.
    Guardrail,
}

/// What a guardrail's alarm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardrailAction {
    /// Tells.
    Alert,
    /// Stops new units.
    Pause,
    /// Ends the experiment.
    Stop,
}

/// An attribute of the first exposure by which results are broken down.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Name of the attribute.
    pub attribute: String,
    /// Listed values; all others are `other`. `None` means `auto`, frozen by a later revision, until when everything is `other`.
    pub values: Option<Vec<String>>,
}

/// How an experiment is analysed.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Which numbers decide.
    pub method: Method,
    /// In millionths: 0.05 is 50,000.
    pub alpha: u32,
    /// N*, units of a pair of arms.
    pub planned_units: u64,
}

/// Which numbers decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Valid at every look.
    AlwaysValid,
    /// Valid at the planned end.
    FixedHorizon,
    /// Valid at planned looks.
    GroupSequential,
    /// Descriptive.
    Bayesian,
}

/// How one number per unit comes out of events.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// At most 64 of `[a-z0-9._-]`.
    pub id: String,
    /// For people; the id when absent.
    pub name: String,
    /// What values are counted in, for people: the code of a currency or `seconds`; empty means plain numbers.
    pub unit: String,
    /// What is computed, from which events.
    pub kind: MetricKind,
    /// From the first exposure; absent means until the experiment ends.
    pub window: Option<Span>,
    /// Upper limit of a unit's total.
    pub cap: Option<Value>,
    /// Lower limit of a unit's total.
    pub floor: Option<Value>,
    /// What was known before the exposure.
    pub covariate: Option<Covariate>,
    /// Which way is better.
    pub direction: Direction,
    /// Which units are in n.
    pub maturity: Maturity,
}

impl Experiment {
    /// Takes over what people call things and who answers for them. No number follows from any of it, so it may change while a phase lives.
    pub fn take_words(&mut self, other: &Experiment) {
        self.title.clone_from(&other.title);
        self.hypothesis.clone_from(&other.hypothesis);
        self.owner.clone_from(&other.owner);
        self.unit_name.clone_from(&other.unit_name);
        for variant in &mut self.variants {
            let named = other.variants.iter().find(|it| it.name == variant.name);
            variant.title = named.map(|it| it.title.clone()).unwrap_or_default();
        }
    }

    /// Leaves only what numbers may follow from: the rest of [`Experiment::take_words`].
    pub fn drop_words(&mut self) {
        for words in [&mut self.title, &mut self.hypothesis, &mut self.owner, &mut self.unit_name] {
            words.clear();
        }
        self.variants.iter_mut().for_each(|variant| variant.title.clear());
    }

    /// What people call a unit of it.
    pub fn unit_name(&self) -> &str {
        if self.unit_name.is_empty() { &self.unit } else { &self.unit_name }
    }
}

impl Variant {
    /// What people call it.
    pub fn title(&self) -> &str {
        if self.title.is_empty() { &self.name } else { &self.title }
    }
}

impl Metric {
    /// Takes over what people call things, from which no number follows.
    pub fn take_words(&mut self, other: &Metric) {
        self.name.clone_from(&other.name);
        self.unit.clone_from(&other.unit);
    }

    /// Leaves only what numbers may follow from: the rest of [`Metric::take_words`].
    pub fn drop_words(&mut self) {
        self.name.clone_from(&self.id);
        self.unit.clear();
    }
}

/// What is computed, from which events.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricKind {
    /// 1 when there is at least one event, else 0.
    Conversion(EventMatch),
    /// Number of events.
    Count(EventMatch),
    /// Sum of the events' values; an event without value adds nothing.
    Sum(EventMatch),
    /// Sum over units of the numerator by sum over units of the denominator; each is a sum of values where
    /// its [`RatioPart::sum`] is set, else a count.
    Ratio {
        /// Above.
        numerator: RatioPart,
        /// Below.
        denominator: RatioPart,
    },
    /// 1 when there is an event in `[first + from, first + to)`.
    Retention {
        /// Which events.
        event: EventMatch,
        /// Start, from the first exposure.
        from: Span,
        /// End, from the first exposure.
        to: Span,
    },
    /// A quantile of the units' sums.
    Quantile {
        /// Which events.
        event: EventMatch,
        /// In millionths.
        quantile: u32,
    },
}

/// One side of a ratio.
#[derive(Debug, Clone, PartialEq)]
pub struct RatioPart {
    /// Which events.
    pub event: EventMatch,
    /// Whether the values are summed (`value: sum`) rather than the events counted (the default).
    pub sum: bool,
}

/// Which events a metric wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventMatch {
    /// The `event_name`.
    pub name: String,
    /// Attributes of the conversion that must equal these texts; sorted by attribute.
    pub filter: Vec<(String, String)>,
}

/// What was known about a unit before its exposure.
#[derive(Debug, Clone, PartialEq)]
pub enum Covariate {
    /// A numeric attribute of the first exposure; 0 when absent.
    Attribute(String),
    /// The same kind of total over events in `[first - before, first)`.
    Event {
        /// Which events.
        event: EventMatch,
        /// How far back.
        before: Span,
    },
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Increase,
    /// Less is better.
    Decrease,
}

/// Which units are in a metric's n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maturity {
    /// All exposed units, with their values so far.
    Open,
    /// Only units whose window has passed.
    Matured,
}

/// A namespace of 1,000,000 slots whose experiments exclude each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// At most 64 of `[a-z0-9._-]`.
    pub id: String,
    /// The unit type.
    pub unit: String,
    /// Of the slot hash; the id when absent.
    pub salt: Option<String>,
}

/// Units that enter no experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Holdout {
    /// At most 64 of `[a-z0-9._-]`.
    pub id: String,
    /// The unit type.
    pub unit: String,
    /// In millionths.
    pub share: u32,
    /// Of the holdout hash; the id when absent.
    pub salt: Option<String>,
}

/// A flag without statistics. Evaluated by the edge; parsed and validated with everything else.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// At most 64 of `[a-z0-9._-]`.
    pub id: String,
    /// Type of every variant's value.
    pub kind: FlagKind,
    /// A disabled flag answers the default.
    pub enabled: bool,
    /// Where edges serve it; empty means everywhere.
    pub environments: BTreeSet<String>,
    /// Name and value, sorted by name: a mapping has no order, so none may have a meaning.
    pub variants: Vec<(String, serde_json::Value)>,
    /// Name of the variant served when no rule decides. `None`: the caller's own default, which is no variant.
    pub default: Option<String>,
    /// Units that get a variant whatever the rules say, by variant.
    pub overrides: Overrides,
    /// All must hold, otherwise the default is served.
    pub prerequisites: Vec<Prerequisite>,
    /// JSONLogic that yields the name of a variant, as flagd has it; null yields the default. Where it is given there are no rules.
    pub targeting: Option<serde_json::Value>,
    /// Tried in order.
    pub rules: Vec<FlagRule>,
    /// Of the rollout hash; the id when absent.
    pub salt: Option<String>,
    /// The unit type of rollouts.
    pub unit: String,
    /// For whoever reads the answer: texts, numbers and booleans.
    pub metadata: BTreeMap<String, serde_json::Value>,
}

/// What another flag must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    /// Id of the other flag.
    pub flag: String,
    /// Name of its variant. A disabled flag never satisfies.
    pub variant: String,
}

/// Type of a flag's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagKind {
    /// true or false.
    Boolean,
    /// Text.
    String,
    /// A number.
    Number,
    /// A JSON object.
    Object,
}

/// One rule of a flag.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagRule {
    /// For people and audits.
    pub name: String,
    /// JSONLogic; absent means everybody.
    pub condition: Option<serde_json::Value>,
    /// What is served.
    pub outcome: FlagOutcome,
}

/// What a rule serves.
#[derive(Debug, Clone, PartialEq)]
pub enum FlagOutcome {
    /// One variant.
    Serve(String),
    /// Variants by share, in millionths, adding up to 1,000,000; sorted by name, the order in which they take their buckets.
    Rollout(Vec<(String, u32)>),
    /// The variant that has the name of the unit's variant in this experiment. Who is not in the experiment goes on to the next rule.
    Experiment(String),
}
