//! Our own operators: those of flagd that must answer null where others answer false, regular expressions, and sets.

use super::context::lookup;
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt, CustomOperator, DataValue, Engine, EvaluationConfig, NanHandling, Result};
use regex::Regex;
use serde_json::Value as Json;
use std::collections::HashSet;

/// Bytes of a text that a regular expression is matched against; a longer one matches nothing.
const MATCHED_MAX: usize = 4 << 10;
/// Greatest sum of the weights of `fractional`, as flagd has it.
const WEIGHT_MAX: u64 = i32::MAX as u64;

/// What a rule needs prepared, by the index that stands in it.
#[derive(Default)]
pub(super) struct Prepared {
    pub patterns: Vec<Regex>,
    pub sets: Vec<Set>,
}

/// A long list of values of one kind.
pub(super) enum Set {
    Texts(HashSet<Box<str>>),
    Whole(HashSet<i64>),
}

impl Set {
    /// `None` when the values are of several kinds, or of one that is never long.
    pub fn of(values: &[Json]) -> Option<Set> {
        let texts = values.iter().map(|value| value.as_str().map(Box::from)).collect::<Option<_>>().map(Set::Texts);
        texts.or_else(|| values.iter().map(Json::as_i64).collect::<Option<_>>().map(Set::Whole))
    }

    fn contains(&self, value: &DataValue<'_>) -> bool {
        match (self, value) {
            (Set::Texts(texts), DataValue::String(text)) => texts.contains(*text),
            (Set::Whole(numbers), DataValue::Number(number)) => {
                number.as_i64().is_some_and(|number| numbers.contains(&number))
            }
            _ => false,
        }
    }
}

impl Prepared {
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.sets.is_empty()
    }
}

/// An engine with our operators.
pub(super) fn engine(prepared: Prepared) -> Engine {
    // Everything that can be compared answers; a null is never taken for a 0, because an unknown age is not below 18.
    let mut config = EvaluationConfig::default();
    config.arithmetic_nan_handling = NanHandling::ReturnNull;
    config.loose_equality_errors = false;
    config.numeric_coercion.null_to_zero = false;
    Engine::builder()
        .with_config(config)
        .add_operator("assay.starts_with", Affix(|text, affix| text.starts_with(affix)))
        .add_operator("assay.ends_with", Affix(|text, affix| text.ends_with(affix)))
        .add_operator("assay.fractional", Fractional)
        .add_operator("assay.matches", Matches(prepared.patterns))
        .add_operator("assay.in", Member(prepared.sets))
        .build()
}

/// As JSONLogic has it.
pub(super) fn truthy(value: &DataValue<'_>) -> bool {
    match value {
        DataValue::Null => false,
        DataValue::Bool(flag) => *flag,
        DataValue::Number(number) => number.as_f64() != 0.0 && !number.as_f64().is_nan(),
        DataValue::String(text) => !text.is_empty(),
        DataValue::Array(items) => !items.is_empty(),
        DataValue::Object(_) => true,
    }
}

/// `starts_with` and `ends_with`: null for anything but two texts.
struct Affix(fn(&str, &str) -> bool);

impl CustomOperator for Affix {
    fn evaluate<'a>(
        &self,
        operands: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        Ok(match operands {
            [DataValue::String(text), DataValue::String(affix)] => arena.bool((self.0)(text, affix)),
            _ => arena.null(),
        })
    }
}

/// `matches`: null for anything but a text within the limit.
struct Matches(Vec<Regex>);

impl CustomOperator for Matches {
    fn evaluate<'a>(
        &self,
        operands: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        Ok(match operands {
            [DataValue::String(text), index] if text.len() <= MATCHED_MAX => {
                let pattern = index.as_i64().and_then(|index| self.0.get(index as usize));
                pattern.map_or_else(|| arena.null(), |pattern| arena.bool(pattern.is_match(text)))
            }
            _ => arena.null(),
        })
    }
}

/// `in` a long list.
struct Member(Vec<Set>);

impl CustomOperator for Member {
    fn evaluate<'a>(
        &self,
        operands: &[&'a DataValue<'a>],
        _: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        Ok(match operands {
            [value, index] => {
                let set = index.as_i64().and_then(|index| self.0.get(index as usize));
                arena.bool(set.is_some_and(|set| set.contains(value)))
            }
            _ => arena.bool(false),
        })
    }
}

/// flagd's `fractional`, the flag's key before its own operands: `bucket = (murmur3_32(key) · sum of weights) >> 32`. The key is a text that
/// stands first, else the flag's key with the targeting key after it; without either it is null. Integers only, so every implementation agrees.
struct Fractional;

impl CustomOperator for Fractional {
    fn evaluate<'a>(
        &self,
        operands: &[&'a DataValue<'a>],
        context: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> Result<&'a DataValue<'a>> {
        let [DataValue::String(flag), operands @ ..] = operands else { return Ok(arena.null()) };
        let implicit = || match lookup(context.root_input(), "targetingKey") {
            Some(DataValue::String(key)) if !key.is_empty() => Some(murmur3([*flag, *key].concat().as_bytes())),
            _ => None,
        };
        let (hash, buckets) = match operands {
            [DataValue::String(key), buckets @ ..] => (Some(murmur3(key.as_bytes())), buckets),
            [DataValue::Null, buckets @ ..] => (implicit(), buckets),
            buckets => (implicit(), buckets),
        };
        Ok(hash.and_then(|hash| chosen(hash, buckets)).unwrap_or_else(|| arena.null()))
    }
}

fn chosen<'a>(hash: u32, buckets: &[&'a DataValue<'a>]) -> Option<&'a DataValue<'a>> {
    let weight = |bucket: &DataValue<'a>| match bucket.as_array()? {
        [_] => Some(1),
        [_, weight] => weight.as_i64().map(|weight| u64::try_from(weight).unwrap_or(0)),
        _ => None,
    };
    let weights = buckets.iter().map(|bucket| weight(bucket)).collect::<Option<Vec<u64>>>()?;
    let total = weights.iter().try_fold(0u64, |sum, weight| sum.checked_add(*weight))?;
    if total > WEIGHT_MAX {
        return None;
    }
    let bucket = (u64::from(hash) * total) >> 32;
    let mut end = 0;
    let at = weights.iter().position(|weight| {
        end += weight;
        bucket < end
    })?;
    buckets[at].as_array()?.first()
}

/// MurmurHash3, the 32-bit variant for x86, seed 0.
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = 0u32;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let word = u32::from_le_bytes(word.try_into().expect("chunks of four bytes"));
        hash = (hash ^ mix(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let tail = words.remainder().iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    hash ^= mix(tail) ^ bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    /// Values that the reference implementation gives, as many projects repeat them.
    #[test]
    fn murmur3_is_the_one_of_the_reference() {
        for (text, expected) in [
            ("", 0),
            ("test", 0xba6b_d213),
            ("Hello, world!", 0xc036_3e43),
            ("The quick brown fox jumps over the lazy dog", 0x2e4f_f723),
        ] {
            assert_eq!(murmur3(text.as_bytes()), expected, "{text}");
        }
    }
}
