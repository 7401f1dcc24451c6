//! YAML as a small tree in which every node knows where it stands, so that every complaint can name its line.
//!
//! Scalars without quotes mean what the core schema of YAML 1.2 says: `null`, `Null`, `NULL`, `~` and nothing at all are null; `true`, `True`
//! and `TRUE` are true; `+1`, `.5`, `1.`, `0x1f` and `0o17` are numbers. `yes`, `no`, `on` and `off` are texts, unlike in YAML 1.1. Refused,
//! because JSON has none of them and a definition needs none: anchors, aliases, merge keys, tags, keys that are no texts, infinities and NaN.

use crate::problem::Problem;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deepest nesting; targeting rules are the deepest things that people write.
const DEPTH_MAX: usize = 64;

/// A value and where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub place: Place,
    pub content: Content,
}

/// Line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Text as written; `plain` when it stood without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub name: String,
    pub place: Place,
}

/// The documents of a file; empty ones are left out.
pub(crate) fn documents(file: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    loop {
        let (event, span) = next(file, &mut parser)?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => {
                let node = node(file, &mut parser, event, span, 0)?;
                if !node.is_null() {
                    documents.push(node);
                }
            }
        }
    }
}

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(file: &str, parser: &mut Events<'a>) -> Result<(Event<'a>, Span), Problem> {
    match parser.next_event() {
        Some(Ok(event)) => Ok(event),
        Some(Err(problem)) => {
            let marker = problem.marker();
            let place = Place { line: marker.line(), column: marker.col() + 1 };
            Err(Problem::new(file, place, format!("this is not YAML: {}", problem.info())))
        }
        None => Ok((Event::StreamEnd, Span::default())),
    }
}

fn node<'a>(file: &str, parser: &mut Events<'a>, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
    let place = Place { line: span.start.line(), column: span.start.col() + 1 };
    let refuse = |message: &str| Err(Problem::new(file, place, message));
    if depth > DEPTH_MAX {
        return refuse("nesting is deeper than 64 levels");
    }
    let (anchored, tagged) = match &event {
        Event::Alias(_) => (true, false),
        Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
            (*anchor != 0, tag.is_some())
        }
        _ => (false, false),
    };
    if anchored {
        return refuse("anchors and aliases are not used in definitions; write the value out");
    }
    if tagged {
        return refuse(
            "tags (!…) are not used in definitions; leave it out, and put a text that looks like a number in quotes",
        );
    }
    let content = match event {
        Event::Scalar(text, style, _, _) => {
            let plain = style == ScalarStyle::Plain;
            if plain && !is_finite(&text) {
                return refuse("this is a number that is not finite or beyond 1e308; put it in quotes if it is a text");
            }
            Content::Scalar { text: text.into_owned(), plain }
        }
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                let (event, span) = next(file, parser)?;
                if event == Event::SequenceEnd {
                    break Content::List(items);
                }
                items.push(node(file, parser, event, span, depth + 1)?);
            }
        }
        Event::MappingStart(..) => {
            let mut entries: Vec<(Key, Node)> = Vec::new();
            loop {
                let (event, span) = next(file, parser)?;
                if event == Event::MappingEnd {
                    break Content::Map(entries);
                }
                let key = node(file, parser, event, span, depth + 1)?;
                let Content::Scalar { text: name, plain } = key.content else {
                    return Err(Problem::new(file, key.place, "a key must be a text"));
                };
                if plain && name == "<<" {
                    let message = "merge keys (<<) are not used in definitions; write the values out";
                    return Err(Problem::new(file, key.place, message));
                }
                if let Some((first, _)) = entries.iter().find(|(known, _)| known.name == name) {
                    let message = format!("'{name}' stands twice; first on line {}", first.place.line);
                    return Err(Problem::new(file, key.place, message));
                }
                let (event, span) = next(file, parser)?;
                let value = node(file, parser, event, span, depth + 1)?;
                entries.push((Key { name, place: key.place }, value));
            }
        }
        _ => return refuse("this is not a value"),
    };
    Ok(Node { place, content })
}

/// A tree from JSON. Its nodes have no place, because nobody wrote them by hand.
pub(crate) fn from_json(json: &serde_json::Value) -> Node {
    use serde_json::Value;
    let scalar = |text: String, plain| Content::Scalar { text, plain };
    let content = match json {
        Value::Null => scalar("null".to_owned(), true),
        Value::Bool(flag) => scalar(flag.to_string(), true),
        Value::Number(number) => scalar(number.to_string(), true),
        Value::String(text) => scalar(text.clone(), false),
        Value::Array(items) => Content::List(items.iter().map(from_json).collect()),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| {
                (Key { name: name.clone(), place: Place::default() }, from_json(value))
            };
            Content::Map(entries.iter().map(entry).collect())
        }
    };
    Node { place: Place::default(), content }
}

impl Node {
    pub fn is_null(&self) -> bool {
        matches!(
            &self.content,
            Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
        )
    }

    /// A scalar without quotes that is true or false.
    pub fn boolean(&self) -> Option<bool> {
        match &self.content {
            Content::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A scalar without quotes that is a number, as JSON writes it.
    pub fn number(&self) -> Option<String> {
        match &self.content {
            Content::Scalar { text, plain: true } => json_number(text),
            _ => None,
        }
    }

    /// As JSON: plain scalars become what YAML's core schema says, quoted ones are texts.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.content {
            Content::Scalar { text, .. } => {
                if self.is_null() {
                    return Value::Null;
                }
                if let Some(flag) = self.boolean() {
                    return Value::Bool(flag);
                }
                let number = self.number().and_then(|number| serde_json::from_str::<serde_json::Number>(&number).ok());
                number.map_or_else(|| Value::from(text.as_str()), Value::Number)
            }
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
        }
    }
}

/// A number of YAML's core schema as JSON writes it: `+.5` is `0.5`, `0x1f` is `31`.
pub(crate) fn json_number(text: &str) -> Option<String> {
    let based = |prefix: &str, base| {
        text.strip_prefix(prefix)
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| u64::from_str_radix(digits, base).ok())
    };
    if let Some(number) = based("0x", 16).or_else(|| based("0o", 8)) {
        return Some(number.to_string());
    }
    let (sign, unsigned) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => {
            let exponent = &unsigned[at + 1..];
            let magnitude = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if magnitude.is_empty() || !digits(magnitude) {
                return None;
            }
            (&unsigned[..at], Some(exponent))
        }
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let exponent = exponent.map(|exponent| format!("e{exponent}")).unwrap_or_default();
    Some(format!("{sign}{whole}{fraction}{exponent}"))
}

/// False for what the core schema reads as a number that JSON cannot write.
fn is_finite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return false;
    }
    json_number(text).is_none_or(|number| number.parse::<f64>().is_ok_and(f64::is_finite))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = match documents("test", text) {
            Ok(nodes) => nodes.iter().map(|node| node.to_json().to_string()).collect::<Vec<_>>().join(" "),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        check("[null, Null, NULL, ~, '', 'null']", "[null,null,null,null,\"\",\"null\"]");
        check("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
        check("[yes, No, on, off, y, nUll, tRue]", r#"["yes","No","on","off","y","nUll","tRue"]"#);
        check("[+1, -1, 012, 0x1F, 0o17, 18446744073709551615]", "[1,-1,12,31,15,18446744073709551615]");
        check("[.5, 1., -.5, +0.25, 1e3, 1E-2, 1.5e+3]", "[0.5,1,-0.5,0.25,1000.0,0.01,1500.0]");
        check(
            "[., +, e5, 1e, 1e+, 0x, 0xg, 0x+1, 1_000, 1.2.3, '5']",
            r#"[".","+","e5","1e","1e+","0x","0xg","0x+1","1_000","1.2.3","5"]"#,
        );
        check("a: 1\n---\n# nothing\n---\nb:\n", r#"{"a":1} {"b":null}"#);
    }

    #[test]
    fn what_json_has_not_is_refused_where_it_stands() {
        check("a: 1\nb: &x 2", "test:2:4: anchors and aliases are not used in definitions; write the value out");
        check("a: { b: *x }", "test:1:9: this is not YAML: while parsing node, found unknown anchor");
        check("a:\n  <<: { b: 1 }", "test:2:3: merge keys (<<) are not used in definitions; write the values out");
        let tags =
            "tags (!…) are not used in definitions; leave it out, and put a text that looks like a number in quotes";
        check("a: !!str 5", &format!("test:1:4: {tags}"));
        check("a: !mine [1]", &format!("test:1:4: {tags}"));
        check("!!map\na: 1", &format!("test:1:1: {tags}"));
        let infinite = "this is a number that is not finite or beyond 1e308; put it in quotes if it is a text";
        check("[1, -.inf]", &format!("test:1:5: {infinite}"));
        check("a: .NaN", &format!("test:1:4: {infinite}"));
        check("salt: 12e45678", &format!("test:1:7: {infinite}"));
        check("? [a]\n: 1", "test:1:3: a key must be a text");
        check("a: 1\na: 2", "test:2:1: 'a' stands twice; first on line 1");
        check(&"[".repeat(70), "test:1:66: nesting is deeper than 64 levels");
        check("a: [1", "test:2:1: this is not YAML: while parsing a flow sequence, expected ',' or ']'");
    }
}
