//! The order of an evaluation. It allocates nothing but what targeting rules need, and asks for the unit only where a hash needs it.

use super::ruleset::{Body, Flag, Outcome, Prerequisite, Split};
use super::{Answer, Assigned, Context, Failure, Reason, Ruleset};
use crate::Status;
use crate::assignment::in_slots;
use std::borrow::Cow;
use std::collections::HashMap;

/// What an experiment makes of a unit.
enum Enrolment<'a> {
    /// It does not run.
    Off,
    /// An override names the variant.
    Forced(usize),
    /// A holdout keeps the unit out.
    Held(&'a str),
    /// Not targeted, or not in its slots.
    Outside,
    /// The hash chose.
    In(Assigned<'a>),
}

impl Ruleset {
    /// Evaluates the flag or experiment of an index of [`Ruleset::index`].
    pub fn evaluate<'a>(&'a self, index: usize, context: &'a Context) -> Result<Answer<'a>, Failure> {
        match &self.rules.get(index).ok_or(Failure::FlagNotFound)?.body {
            Body::Quarantined(reason) => Err(Failure::ParseError(reason.clone())),
            Body::Flag(flag) => self.flag(index, flag, context),
            Body::Experiment(split) => Ok(match self.enroll(split, context)? {
                Enrolment::Off => answer(index, split.control, Reason::Disabled),
                Enrolment::Forced(variant) => answer(index, variant, Reason::TargetingMatch),
                Enrolment::Held(id) => Answer { holdout: Some(id), ..answer(index, split.control, Reason::Default) },
                Enrolment::Outside => answer(index, split.control, Reason::Default),
                Enrolment::In(assigned) => {
                    let variant = assigned.variant;
                    Answer { exposure: Some(assigned), ..answer(index, variant, Reason::Split) }
                }
            }),
        }
    }

    /// Evaluates the flag or experiment of a key.
    pub fn evaluate_key<'a>(&'a self, key: &str, context: &'a Context) -> Result<Answer<'a>, Failure> {
        self.evaluate(self.index(key).ok_or(Failure::FlagNotFound)?, context)
    }

    fn flag<'a>(&'a self, index: usize, flag: &'a Flag, context: &'a Context) -> Result<Answer<'a>, Failure> {
        if !flag.enabled {
            return Ok(answer(index, flag.default, Reason::Disabled));
        }
        if let Some(variant) = overridden(&flag.overrides, &flag.unit, context) {
            return Ok(answer(index, variant, Reason::TargetingMatch));
        }
        for one in &flag.prerequisites {
            if !self.satisfied(one, context)? {
                return Ok(Answer { prerequisite: Some(&one.key), ..answer(index, flag.default, Reason::Default) });
            }
        }
        if let Some(targeting) = &flag.targeting {
            return targeting.yields(context, |name| self.named(index, flag, name));
        }
        let mut holdout = None;
        for step in &flag.steps {
            if step.condition.as_ref().is_some_and(|condition| !condition.holds(context)) {
                continue;
            }
            let found = match &step.outcome {
                Outcome::Serve(variant) => answer(index, *variant, Reason::TargetingMatch),
                Outcome::Rollout(ends) => {
                    let unit = context.unit(&flag.unit)?;
                    let bucket = flag.draw.bucket(&unit);
                    let chosen = ends.iter().find(|(end, _)| bucket < *end).map(|(_, variant)| *variant);
                    answer(index, chosen.or(flag.default), Reason::Split)
                }
                Outcome::Experiment { rule, variants } => {
                    let Some(Body::Experiment(split)) = rule.map(|rule| &self.rules[rule].body) else { continue };
                    match self.enroll(split, context)? {
                        Enrolment::Forced(variant) => answer(index, variants[variant], Reason::TargetingMatch),
                        Enrolment::In(assigned) => {
                            let variant = variants[assigned.variant];
                            Answer { exposure: Some(assigned), ..answer(index, variant, Reason::Split) }
                        }
                        // Who is held out still gets what later rules ship.
                        Enrolment::Held(id) => {
                            holdout = holdout.or(Some(id));
                            continue;
                        }
                        Enrolment::Off | Enrolment::Outside => continue,
                    }
                }
            };
            return Ok(Answer { holdout, ..found });
        }
        let reason = if flag.steps.is_empty() && flag.default.is_some() { Reason::Static } else { Reason::Default };
        Ok(Answer { holdout, ..answer(index, flag.default, reason) })
    }

    /// The variant that a targeting rule names.
    fn named<'a>(&'a self, index: usize, flag: &Flag, name: Option<&str>) -> Result<Answer<'a>, Failure> {
        let Some(name) = name else { return Ok(answer(index, flag.default, Reason::Default)) };
        let variants = &self.rules[index].variants;
        match variants.iter().position(|(known, _)| known == name) {
            Some(variant) => Ok(answer(index, variant, Reason::TargetingMatch)),
            None => {
                Err(Failure::General(format!("the targeting rule yields '{name}', which is no variant of the flag")))
            }
        }
    }

    /// Whether another flag answers what is wanted. One that cannot answer does not, but who must send a unit is told so.
    fn satisfied(&self, wanted: &Prerequisite, context: &Context) -> Result<bool, Failure> {
        let Some((rule, variant)) = wanted.wanted else { return Ok(false) };
        match self.evaluate(rule, context) {
            Ok(answer) => Ok(answer.reason != Reason::Disabled && answer.variant == Some(variant)),
            Err(failure @ (Failure::TargetingKeyMissing(_) | Failure::InvalidContext(_))) => Err(failure),
            Err(_) => Ok(false),
        }
    }

    fn enroll<'a>(&'a self, split: &'a Split, context: &'a Context) -> Result<Enrolment<'a>, Failure> {
        let experiment = &split.definition;
        if experiment.status != Status::Running {
            return Ok(Enrolment::Off);
        }
        // Whoever is not meant at all needs no unit.
        let unit = context.unit(&experiment.unit);
        if let Ok(unit) = &unit {
            if let Some(variant) = split.overrides.get(unit.as_ref()) {
                return Ok(Enrolment::Forced(*variant));
            }
            let held = split.holdouts.iter().map(|at| &self.holdouts[*at]);
            let mut held = held.filter(|it| it.draw.bucket(unit) < it.share).map(|it| it.id.as_str());
            if let Some(id) = held.next() {
                return Ok(Enrolment::Held(id));
            }
        }
        if split.targeting.as_ref().is_some_and(|targeting| !targeting.holds(context)) {
            return Ok(Enrolment::Outside);
        }
        let unit: Cow<'a, str> = unit?;
        if let Some((salt, slots)) = &split.slots
            && !in_slots(salt, slots, &experiment.unit, &unit)
        {
            return Ok(Enrolment::Outside);
        }
        let bucket = split.draw.bucket(&unit);
        Ok(match split.ends.iter().position(|end| bucket < *end) {
            Some(variant) => Enrolment::In(Assigned { experiment, phase: split.phase, variant, unit }),
            None => Enrolment::Outside,
        })
    }
}

fn overridden(overrides: &HashMap<String, usize>, unit_type: &str, context: &Context) -> Option<usize> {
    if overrides.is_empty() {
        return None;
    }
    overrides.get(context.unit(unit_type).ok()?.as_ref()).copied()
}

fn answer<'a>(flag: usize, variant: impl Into<Option<usize>>, reason: Reason) -> Answer<'a> {
    Answer { flag, variant: variant.into(), reason, holdout: None, prerequisite: None, exposure: None }
}
