//! Targeting rules: JSONLogic in flagd's dialect, checked against bounds and compiled once.
//!
//! The engine is datalogic-rs. Before it sees a rule, operators that flagd answers otherwise, and those that can be prepared, are exchanged
//! for our own (`operators`). Whatever goes wrong while a rule is evaluated is null, and so no match: what a caller sends never makes an error.

use super::context::Context;
use super::operators::{self, Prepared, Set};
use super::quick::Quick;
use crate::validate::OPERATORS;
use datalogic_rs::{DataValue, Engine, Logic};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Bytes of a rule. A longer one is a list of units, which belongs into an attribute.
const BYTES_MAX: usize = 64 << 10;
/// Nesting of a rule; evaluation takes a frame of the stack for each.
const DEPTH_MAX: usize = 32;
/// Values of a list in a rule.
const LIST_MAX: usize = 10_000;
/// A list of texts or of integers from this length on becomes a set; below, comparing one after the other is as fast.
const SET_MIN: usize = 8;
/// Bytes of a regular expression, as people write them by hand.
const PATTERN_MAX: usize = 512;
/// Bytes of a compiled regular expression; each step over a text costs at most as many.
const PATTERN_SIZE_MAX: usize = 64 << 10;
/// Bytes of the memory that a regular expression may use to go faster.
const PATTERN_CACHE_MAX: usize = 256 << 10;
/// Regular expressions of a rule.
const PATTERNS_MAX: usize = 32;
/// Operators that go through a list, one inside the other. The list may come from a context, so each level multiplies the work by its length.
const LOOPS_MAX: usize = 2;

const LOOPS: [&str; 6] = ["map", "filter", "reduce", "all", "some", "none"];
/// What makes longer values out of values; inside `reduce` they would double at each step.
const GROWING: [&str; 2] = ["cat", "merge"];

/// A compiled rule.
pub(super) struct Rule {
    engine: Arc<Engine>,
    logic: Logic,
    /// The same, if the engine is not always needed.
    quick: Option<Quick>,
}

impl Rule {
    /// `shared` serves all rules that need nothing of their own.
    pub fn compile(key: &str, rule: &Json, shared: &Arc<Engine>) -> Result<Rule, String> {
        let quick = Quick::of(rule);
        let (rule, prepared) = prepare(key, rule)?;
        let engine = if prepared.is_empty() { shared.clone() } else { Arc::new(operators::engine(prepared)) };
        let logic = engine.compile(&rule).map_err(|problem| format!("the rule cannot be compiled: {problem}"))?;
        Ok(Rule { engine, logic, quick })
    }

    /// Whether a unit is meant.
    pub fn holds(&self, context: &Context) -> bool {
        if let Some(holds) = self.quick.as_ref().and_then(|quick| quick.holds(context.parsed().value())) {
            return holds;
        }
        context
            .with_arena(|arena| self.engine.evaluate(&self.logic, context.parsed(), arena).is_ok_and(operators::truthy))
    }

    /// Hands the name of a variant that the rule yields, or null, to a reader; booleans stand for variants of their name.
    pub fn yields<T>(&self, context: &Context, read: impl FnOnce(Option<&str>) -> T) -> T {
        context.with_arena(|arena| match self.engine.evaluate(&self.logic, context.parsed(), arena) {
            Ok(DataValue::String(name)) => read(Some(name)),
            Ok(DataValue::Bool(flag)) => read(Some(if *flag { "true" } else { "false" })),
            Ok(DataValue::Number(number)) => read(Some(&number.to_string())),
            Ok(DataValue::Null) | Err(_) => read(None),
            Ok(_) => read(Some("a list or an object")),
        })
    }
}

/// What is wrong with a rule, if anything.
pub(crate) fn problem(rule: &Json) -> Option<String> {
    prepare("", rule).err()
}

fn prepare(key: &str, rule: &Json) -> Result<(Json, Prepared), String> {
    let bytes = rule.to_string().len();
    if bytes > BYTES_MAX {
        return Err(format!("the rule has {bytes} bytes; at most {BYTES_MAX} are allowed"));
    }
    let mut rewriter = Rewriter { key, prepared: Prepared::default() };
    let rule = rewriter.rewrite(rule, Nesting::default())?;
    Ok((rule, rewriter.prepared))
}

struct Rewriter<'k> {
    key: &'k str,
    prepared: Prepared,
}

#[derive(Clone, Copy, Default)]
struct Nesting {
    depth: usize,
    loops: usize,
    in_reduce: bool,
}

impl Rewriter<'_> {
    fn rewrite(&mut self, rule: &Json, mut at: Nesting) -> Result<Json, String> {
        at.depth += 1;
        if at.depth > DEPTH_MAX {
            return Err(format!("the rule is nested more than {DEPTH_MAX} deep"));
        }
        match rule {
            Json::Array(items) => self.list(items, at).map(Json::Array),
            Json::Object(entries) => match entries.iter().next() {
                Some((name, operand)) if entries.len() == 1 => self.operator(name, operand, at),
                _ => Err("the rule has a mapping that is not one operator with its operands".to_owned()),
            },
            scalar => Ok(scalar.clone()),
        }
    }

    fn list(&mut self, items: &[Json], at: Nesting) -> Result<Vec<Json>, String> {
        if items.len() > LIST_MAX {
            return Err(format!("the rule has a list of {} values; at most {LIST_MAX} are allowed", items.len()));
        }
        items.iter().map(|item| self.rewrite(item, at)).collect()
    }

    fn operator(&mut self, name: &str, operand: &Json, mut at: Nesting) -> Result<Json, String> {
        if name == "$ref" {
            return Err(format!("the rule refers to {operand} of $evaluators, which is not defined or leads too far"));
        }
        if !OPERATORS.contains(&name) {
            return Err(format!("'{name}' is no operator of JSONLogic"));
        }
        if LOOPS.contains(&name) {
            at.loops += 1;
            at.in_reduce |= name == "reduce";
            if at.loops > LOOPS_MAX {
                return Err(format!("the rule has more than {LOOPS_MAX} operators over lists inside each other"));
            }
        }
        if at.in_reduce && GROWING.contains(&name) {
            return Err(format!("'{name}' inside 'reduce' could grow without bound; put it around"));
        }
        let given = match operand {
            Json::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        match name {
            "var" if given.first() == Some(&json!("$flagd.flagKey")) => Ok(json!(self.key)),
            "log" => given.first().map_or(Ok(Json::Null), |first| self.rewrite(first, at)),
            "starts_with" | "ends_with" => Ok(own(name, self.list(given, at)?)),
            "fractional" => {
                let mut operands = vec![json!(self.key)];
                operands.extend(self.list(given, at)?);
                Ok(own(name, operands))
            }
            "matches" => self.pattern(given, at),
            "in" => {
                let set = match given {
                    [_, Json::Array(items)] if (SET_MIN..=LIST_MAX).contains(&items.len()) => Set::of(items),
                    _ => None,
                };
                let Some(set) = set else { return Ok(operator(name, Json::Array(self.list(given, at)?))) };
                self.prepared.sets.push(set);
                let index = self.prepared.sets.len() - 1;
                Ok(own("in", vec![self.rewrite(&given[0], at)?, json!(index)]))
            }
            _ => match operand {
                Json::Array(items) => Ok(operator(name, Json::Array(self.list(items, at)?))),
                one => Ok(operator(name, self.rewrite(one, at)?)),
            },
        }
    }

    fn pattern(&mut self, given: &[Json], at: Nesting) -> Result<Json, String> {
        let [text, Json::String(pattern)] = given else {
            return Err("'matches' needs a value and a regular expression, written out as a text".to_owned());
        };
        if pattern.len() > PATTERN_MAX {
            return Err(format!("a regular expression has {} bytes; at most {PATTERN_MAX} are allowed", pattern.len()));
        }
        if self.prepared.patterns.len() >= PATTERNS_MAX {
            return Err(format!("the rule has more than {PATTERNS_MAX} regular expressions"));
        }
        let compiled = regex::RegexBuilder::new(pattern)
            .size_limit(PATTERN_SIZE_MAX)
            .dfa_size_limit(PATTERN_CACHE_MAX)
            .build()
            .map_err(|problem| format!("'{pattern}' cannot be used as a regular expression: {}", short(&problem)))?;
        self.prepared.patterns.push(compiled);
        let index = self.prepared.patterns.len() - 1;
        Ok(own("matches", vec![self.rewrite(text, at)?, json!(index)]))
    }
}

/// The last line; those before draw a picture of the pattern.
fn short(problem: &regex::Error) -> String {
    match problem {
        regex::Error::CompiledTooBig(limit) => format!("it needs more than {limit} bytes"),
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

fn operator(name: &str, operand: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), operand)]))
}

/// A call of one of our operators.
fn own(name: &str, operands: Vec<Json>) -> Json {
    operator(&format!("assay.{name}"), Json::Array(operands))
}
