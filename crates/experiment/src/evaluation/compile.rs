//! Definitions to a [`Ruleset`]. It never fails as a whole: what cannot be compiled is quarantined alone, with the reason.

use super::logic;
use super::operators::{self, Prepared};
use super::ruleset::{Body, Flag, Holdout, Outcome, Prerequisite, Rule, Ruleset, Split, Step};
use crate::assignment::{Draw, Tag, variant_ranges};
use crate::{Assignment, ConfigVersion, Definitions, Experiment, FlagKind, FlagOutcome, Overrides, validate};
use datalogic_rs::Engine;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

impl Ruleset {
    /// Compiles what an environment serves. Experiments that another randomiser assigns are not among it, because nobody here knows its choice.
    pub fn compile(definitions: &Definitions, version: ConfigVersion, environment: &str) -> Ruleset {
        let served = |environments: &BTreeSet<String>| environments.is_empty() || environments.contains(environment);
        let flags = definitions.flags.values().filter(|it| served(&it.environments)).map(Served::Flag);
        let experiments = definitions.experiments.values();
        let experiments = experiments
            .filter(|it| served(&it.environments) && it.assignment == Assignment::Xp1)
            .map(Served::Experiment);
        let mut all: Vec<Served<'_>> = flags.chain(experiments).collect();
        all.sort_by(|one, other| one.key().cmp(other.key()));
        // A flag and an experiment of one id cannot come out of `parse`, but could be put together otherwise: then the flag is served.
        all.dedup_by(|later, first| later.key() == first.key());
        let by_key: HashMap<String, usize> = all.iter().enumerate().map(|(at, it)| (it.key().to_owned(), at)).collect();
        let holdouts: Vec<Holdout> = definitions.holdouts.values().map(holdout).collect();
        let compiler = Compiler {
            definitions,
            by_key: &by_key,
            holdouts: &holdouts,
            engine: Arc::new(operators::engine(Prepared::default())),
        };
        let mut quarantined = Vec::new();
        let rules = all.iter().map(|one| {
            let body = match one {
                Served::Flag(flag) => compiler.flag(flag).map(|it| Body::Flag(Box::new(it))),
                Served::Experiment(experiment) => compiler.split(experiment).map(|it| Body::Experiment(Box::new(it))),
            };
            one.rule(body.unwrap_or_else(|reason| {
                quarantined.push((one.key().to_owned(), reason.clone()));
                Body::Quarantined(reason)
            }))
        });
        let rules = rules.collect();
        Ruleset { version, environment: environment.to_owned(), rules, by_key, quarantined, holdouts }
    }
}

/// What is asked for by its key.
enum Served<'d> {
    Flag(&'d crate::Flag),
    Experiment(&'d Experiment),
}

impl Served<'_> {
    fn key(&self) -> &str {
        match self {
            Served::Flag(flag) => &flag.id,
            Served::Experiment(experiment) => &experiment.id,
        }
    }

    fn rule(&self, body: Body) -> Rule {
        let (kind, variants, metadata) = match self {
            Served::Flag(flag) => (flag.kind, written(flag.kind, &flag.variants), flag.metadata.clone()),
            Served::Experiment(experiment) => {
                let names = experiment.variants.iter().map(|variant| variant.name.as_str());
                let variants = names.map(|name| (name.to_owned(), Json::from(name))).collect();
                (FlagKind::String, variants, BTreeMap::new())
            }
        };
        Rule { key: self.key().to_owned(), kind, variants, metadata, body }
    }
}

struct Compiler<'d> {
    definitions: &'d Definitions,
    by_key: &'d HashMap<String, usize>,
    holdouts: &'d [Holdout],
    /// Of all rules that need nothing of their own.
    engine: Arc<Engine>,
}

impl Compiler<'_> {
    fn flag(&self, flag: &crate::Flag) -> Result<Flag, String> {
        let variant = |name: &str| {
            let at = flag.variants.iter().position(|(known, _)| known == name);
            at.ok_or_else(|| format!("'{name}' is no variant of the flag"))
        };
        let logic = |rule: &Json| logic::Rule::compile(&flag.id, rule, &self.engine);
        if let Some(problem) = validate::prerequisites(self.definitions, flag) {
            return Err(problem);
        }
        let steps = flag.rules.iter().map(|rule| {
            let condition = rule.condition.as_ref().map(logic).transpose();
            let outcome = match &rule.outcome {
                FlagOutcome::Serve(name) => variant(name).map(Outcome::Serve),
                FlagOutcome::Rollout(shares) => {
                    let mut end = 0u32;
                    let ends = shares.iter().map(|(name, share)| {
                        end = end.saturating_add(*share);
                        Ok((end, variant(name)?))
                    });
                    ends.collect::<Result<_, String>>().map(Outcome::Rollout)
                }
                FlagOutcome::Experiment(id) => self.experiment(id, variant),
            };
            let name = if rule.name.is_empty() { String::new() } else { format!(" '{}'", rule.name) };
            let named = |problem: String| format!("rule{name}: {problem}");
            Ok(Step { condition: condition.map_err(named)?, outcome: outcome.map_err(named)? })
        });
        Ok(Flag {
            enabled: flag.enabled,
            default: flag.default.as_deref().map(variant).transpose()?,
            unit: flag.unit.clone(),
            draw: Draw::new(Tag::Rollout, flag.salt.as_ref().unwrap_or(&flag.id), &flag.unit),
            overrides: overrides(&flag.overrides, variant)?,
            prerequisites: flag.prerequisites.iter().map(|it| self.prerequisite(it)).collect(),
            targeting: flag.targeting.as_ref().map(logic).transpose()?,
            steps: steps.collect::<Result<_, String>>()?,
        })
    }

    fn prerequisite(&self, wanted: &crate::Prerequisite) -> Prerequisite {
        let variants = self.definitions.flags.get(&wanted.flag).map(|flag| &flag.variants);
        let variant = variants.and_then(|all| all.iter().position(|(name, _)| *name == wanted.variant));
        Prerequisite { key: wanted.flag.clone(), wanted: self.by_key.get(&wanted.flag).copied().zip(variant) }
    }

    fn experiment(&self, id: &str, variant: impl Fn(&str) -> Result<usize, String>) -> Result<Outcome, String> {
        let known = self.definitions.experiments.get(id);
        let experiment = known.ok_or_else(|| format!("experiment '{id}' is not defined"))?;
        if experiment.assignment != Assignment::Xp1 {
            return Err(format!("experiment '{id}' is assigned elsewhere (assignment: external)"));
        }
        let variants = experiment.variants.iter().map(|it| variant(&it.name)).collect::<Result<_, _>>()?;
        Ok(Outcome::Experiment { rule: self.by_key.get(id).copied(), variants })
    }

    fn split(&self, experiment: &Experiment) -> Result<Split, String> {
        let variant = |name: &str| {
            let at = experiment.variants.iter().position(|known| known.name == name);
            at.ok_or_else(|| format!("'{name}' is no variant of the experiment"))
        };
        let control = experiment.variants.iter().position(|it| it.control).ok_or("no variant is the control")?;
        let layers = &self.definitions.layers;
        let slots = experiment.layer.as_ref().map(|share| {
            let salt = layers.get(&share.layer).and_then(|layer| layer.salt.clone());
            // Slots that were not allotted yet are nobody's.
            (salt.unwrap_or_else(|| share.layer.clone()), share.slots.clone().unwrap_or_default())
        });
        let targeting = experiment.targeting.as_ref();
        let holdouts = self.holdouts.iter().enumerate().filter(|(_, it)| it.unit == experiment.unit);
        Ok(Split {
            phase: 1 + self.definitions.retired.get(&experiment.id).map_or(0, |salts| salts.len() as u64),
            control,
            draw: Draw::new(Tag::Variant, experiment.salt.as_ref().unwrap_or(&experiment.id), &experiment.unit),
            overrides: overrides(&experiment.overrides, variant)?,
            holdouts: holdouts.map(|(at, _)| at).collect(),
            targeting: targeting.map(|rule| logic::Rule::compile(&experiment.id, rule, &self.engine)).transpose()?,
            slots,
            ends: variant_ranges(experiment).map(|(_, end)| end).collect(),
            definition: experiment.clone(),
        })
    }
}

fn holdout(it: &crate::Holdout) -> Holdout {
    let draw = Draw::new(Tag::Holdout, it.salt.as_ref().unwrap_or(&it.id), &it.unit);
    Holdout { id: it.id.clone(), unit: it.unit.clone(), draw, share: it.share }
}

fn overrides(
    all: &Overrides,
    variant: impl Fn(&str) -> Result<usize, String>,
) -> Result<HashMap<String, usize>, String> {
    let mut found = HashMap::new();
    for (name, units) in all {
        let at = variant(name)?;
        found.extend(units.iter().map(|unit| (unit.clone(), at)));
    }
    Ok(found)
}

/// Values as they are written: one fraction makes fractions of all numbers.
fn written(kind: FlagKind, variants: &[(String, Json)]) -> Vec<(String, Json)> {
    if kind != FlagKind::Number || !variants.iter().any(|(_, value)| value.is_f64()) {
        return variants.to_vec();
    }
    let fraction = |value: &Json| value.as_f64().map_or_else(|| value.clone(), Json::from);
    variants.iter().map(|(name, value)| (name.clone(), fraction(value))).collect()
}
