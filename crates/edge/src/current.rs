//! What answers are made from: one version of the definitions, immutable, swapped as a whole.

use assay_experiment::evaluation::{BadContext, Context, Ruleset};
use assay_experiment::snapshot::Snapshot;
use assay_experiment::{Covariate, Definitions, Experiment, Status};
use hyper::header::HeaderValue;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::answers::Answers;
use crate::etag;
use crate::exposures::now;

/// Who counts the versions. Two that count each for themselves must not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// The log: a version means the same to everybody, exposures may name it.
    Published,
    /// This edge, for a directory that nobody published.
    Local,
}

/// Where definitions came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The source.
    Upstream,
    /// What this edge kept.
    Disk,
    /// The file that it was given for the first start.
    Bootstrap,
}

/// How good the definitions are, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The source said lately that there is nothing newer.
    Fresh,
    /// From the source, which has been silent since.
    Stale,
    /// From disk: the source was not there since the start.
    LastKnownGood,
    /// From the bootstrap file: there was nothing on disk either.
    Bootstrap,
}

impl Standing {
    /// All, best first.
    pub const ALL: [Standing; 4] = [Standing::Fresh, Standing::Stale, Standing::LastKnownGood, Standing::Bootstrap];

    /// As metadata and metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Fresh => "fresh",
            Standing::Stale => "stale",
            Standing::LastKnownGood => "last_known_good",
            Standing::Bootstrap => "bootstrap",
        }
    }
}

/// Definitions on their way into force.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The version.
    pub snapshot: Arc<Snapshot>,
    /// Experiments and flags of it that are to be off already, because the next version, not yet everywhere, takes them back.
    pub halted: BTreeSet<String>,
}

/// One version of the definitions, ready to answer.
pub struct Current {
    /// Decides.
    pub ruleset: Arc<Ruleset>,
    /// What it was compiled from.
    pub offer: Offer,
    /// Who counts the versions.
    pub numbering: Numbering,
    /// Where it came from.
    pub origin: Origin,
    /// How good it is.
    pub standing: Standing,
    /// The bytes.
    pub answers: Answers,
    /// `X-Config-Version`.
    pub version_header: HeaderValue,
    /// What tags start with.
    pub tag: Arc<str>,
    /// Whether a rule asks for the time.
    pub asks_time: bool,
    /// By experiment: the attributes that its exposures carry.
    pub attributes: Arc<HashMap<String, Vec<String>>>,
}

impl Current {
    /// Compiles. `Err` says why another build's definitions cannot be used.
    pub fn compile(
        offer: Offer,
        environment: &str,
        numbering: Numbering,
        origin: Origin,
        standing: Standing,
    ) -> Result<Current, String> {
        let mut definitions = offer.snapshot.definitions()?;
        halt(&mut definitions, &offer.halted);
        let ruleset = Arc::new(Ruleset::compile(&definitions, offer.snapshot.version(), environment));
        let attributes = definitions.experiments.values().map(|one| (one.id.clone(), shipped(one, &definitions)));
        let attributes = Arc::new(attributes.collect());
        let version = offer.snapshot.version().0;
        let digest: String = offer.snapshot.sha256()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut tag = format!("{environment}.{version}.{digest}");
        if !offer.halted.is_empty() {
            let halted: Vec<&str> = offer.halted.iter().map(String::as_str).collect();
            tag.push_str(&format!("-{:08x}", xxhash_rust::xxh3::xxh3_64(halted.join(",").as_bytes()) as u32));
        }
        let asks_time = offer.snapshot.bodies().iter().any(|body| body.contains("$flagd"));
        let answers = Answers::new(&ruleset, standing);
        Ok(Current {
            ruleset,
            offer,
            numbering,
            origin,
            standing,
            answers,
            version_header: HeaderValue::from(version),
            tag: tag.into(),
            asks_time,
            attributes,
        })
    }

    /// The same with another standing.
    pub fn with(&self, origin: Origin, standing: Standing) -> Current {
        Current {
            ruleset: self.ruleset.clone(),
            offer: self.offer.clone(),
            numbering: self.numbering,
            origin,
            standing,
            answers: Answers::new(&self.ruleset, standing),
            version_header: self.version_header.clone(),
            tag: self.tag.clone(),
            asks_time: self.asks_time,
            attributes: self.attributes.clone(),
        }
    }

    /// Reads a context, as of now where a rule asks for the time.
    pub fn context(&self, text: &[u8]) -> Result<Context, BadContext> {
        if self.asks_time { Context::at(text, now().0.div_euclid(1_000_000)) } else { Context::parse(text) }
    }

    /// The tag of everything that a context gets, the address of a stream among it. Where a rule asks for the time it holds for a minute.
    pub fn tag_of(&self, context: &[u8], stream: Option<&str>) -> String {
        match self.asks_time {
            false => etag::of(&self.tag, context, stream),
            true => etag::of(&format!("{}.{}", self.tag, now().0.div_euclid(60_000_000)), context, stream),
        }
    }

    /// Number of the version.
    pub fn version(&self) -> u64 {
        self.offer.snapshot.version().0
    }
}

fn halt(definitions: &mut Definitions, halted: &BTreeSet<String>) {
    for id in halted {
        if let Some(experiment) = definitions.experiments.get_mut(id)
            && experiment.status == Status::Running
        {
            experiment.status = Status::Paused;
        }
        if let Some(flag) = definitions.flags.get_mut(id) {
            flag.enabled = false;
        }
    }
}

/// Attributes that segments and covariates name; nothing else of a context leaves the edge.
fn shipped(experiment: &Experiment, definitions: &Definitions) -> Vec<String> {
    let covariates = experiment.metrics.iter().filter_map(|one| {
        match definitions.metrics.get(&one.metric).and_then(|metric| metric.covariate.as_ref()) {
            Some(Covariate::Attribute(name)) => Some(name.clone()),
            _ => None,
        }
    });
    let segments = experiment.segments.iter().map(|segment| segment.attribute.clone());
    segments.chain(covariates).collect::<BTreeSet<_>>().into_iter().collect()
}
