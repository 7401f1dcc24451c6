//! The usual conditions without the engine: attributes that equal a constant, are listed, or are compared with a number, and these joined.
//!
//! It answers only where the types agree, so that it needs no rules of conversion; about everything else it says nothing, and the engine is
//! asked. A test compares the two. A bulk request evaluates thousands of conditions, and the engine takes a memory arena for each.

use super::context::lookup;
use datalogic_rs::DataValue;
use serde_json::Value as Json;

/// Texts of a list that are compared one after the other; longer lists are sets of the engine.
const LIST_MAX: usize = 8;
/// Numbers up to here are exact, whether they were sent as integers or as fractions.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A condition.
pub(super) enum Quick {
    All(Vec<Quick>),
    Any(Vec<Quick>),
    Not(Box<Quick>),
    /// The attribute is one of these texts, none of which is empty.
    Texts(String, Vec<String>),
    /// The attribute is this boolean.
    Bool(String, bool),
    /// The attribute stands so to the number.
    Number(String, Order, f64),
}

/// How a number stands to another.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Quick {
    /// The condition that a rule is, if it is a usual one.
    pub fn of(rule: &Json) -> Option<Quick> {
        let (name, operand) = rule.as_object().filter(|it| it.len() == 1)?.iter().next()?;
        let operands = match operand {
            Json::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let joined = || operands.iter().map(Quick::of).collect::<Option<Vec<Quick>>>().filter(|all| !all.is_empty());
        match (name.as_str(), operands) {
            ("and", _) => joined().map(Quick::All),
            ("or", _) => joined().map(Quick::Any),
            ("!", [one]) => Quick::of(one).map(|it| Quick::Not(Box::new(it))),
            ("==" | "===", [one, constant]) => equal(attribute(one)?, constant),
            ("!=" | "!==", [one, constant]) => equal(attribute(one)?, constant).map(|it| Quick::Not(Box::new(it))),
            ("in", [one, Json::Array(all)]) if (1..=LIST_MAX).contains(&all.len()) => {
                let texts = all.iter().map(text).collect::<Option<Vec<String>>>()?;
                Some(Quick::Texts(attribute(one)?, texts))
            }
            ("<" | "<=" | ">" | ">=", [one, constant]) => {
                let order = match name.as_str() {
                    "<" => Order::Less,
                    "<=" => Order::AtMost,
                    ">" => Order::More,
                    _ => Order::AtLeast,
                };
                Some(Quick::Number(attribute(one)?, order, number(constant)?))
            }
            _ => None,
        }
    }

    /// Whether it holds; `None` where the engine has to say.
    pub fn holds(&self, context: &DataValue<'_>) -> Option<bool> {
        match self {
            Quick::All(all) => {
                for one in all {
                    if !one.holds(context)? {
                        return Some(false);
                    }
                }
                Some(true)
            }
            Quick::Any(all) => {
                for one in all {
                    if one.holds(context)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Quick::Not(one) => one.holds(context).map(|holds| !holds),
            Quick::Texts(name, texts) => match lookup(context, name) {
                Some(DataValue::String(found)) => Some(texts.iter().any(|text| text == found)),
                None | Some(DataValue::Null) => Some(false),
                _ => None,
            },
            Quick::Bool(name, wanted) => match lookup(context, name) {
                Some(DataValue::Bool(found)) => Some(found == wanted),
                _ => None,
            },
            Quick::Number(name, order, bound) => match lookup(context, name) {
                Some(DataValue::Number(found)) => {
                    let found = found.as_f64();
                    (found.abs() < EXACT_MAX).then(|| order.is(found, *bound))
                }
                _ => None,
            },
        }
    }
}

impl Order {
    fn is(self, one: f64, other: f64) -> bool {
        match self {
            Order::Equal => one == other,
            Order::Less => one < other,
            Order::AtMost => one <= other,
            Order::More => one > other,
            Order::AtLeast => one >= other,
        }
    }
}

fn equal(name: String, constant: &Json) -> Option<Quick> {
    match constant {
        Json::Bool(wanted) => Some(Quick::Bool(name, *wanted)),
        Json::Number(_) => Some(Quick::Number(name, Order::Equal, number(constant)?)),
        other => Some(Quick::Texts(name, vec![text(other)?])),
    }
}

/// The name in `{"var": NAME}`; a path into objects is none.
fn attribute(rule: &Json) -> Option<String> {
    let name = rule.as_object().filter(|it| it.len() == 1)?.get("var")?;
    let name = match name {
        Json::Array(all) if all.len() == 1 => all[0].as_str()?,
        one => one.as_str()?,
    };
    (!name.is_empty() && !name.contains('.')).then(|| name.to_owned())
}

/// The empty text equals nothing at all by some rules of conversion.
fn text(constant: &Json) -> Option<String> {
    constant.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(constant: &Json) -> Option<f64> {
    constant.as_f64().filter(|number| number.abs() < EXACT_MAX)
}
