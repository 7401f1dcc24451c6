//! YAML as a small tree in which every node knows where it stands, so that every complaint can name its line.

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
    let anchored = match &event {
        Event::Alias(_) => true,
        Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
            *anchor != 0
        }
        _ => false,
    };
    if anchored {
        return refuse("anchors and aliases are not used in definitions; write the value out");
    }
    let content = match event {
        Event::Scalar(text, style, _, _) => {
            Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
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
                let Content::Scalar { text: name, .. } = key.content else {
                    return Err(Problem::new(file, key.place, "a key must be a text"));
                };
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

impl Node {
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// As JSON: plain scalars become what YAML's core schema says, quoted ones are texts.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.content {
            Content::Scalar { text, plain: false } => Value::from(text.as_str()),
            Content::Scalar { text, .. } => match text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => serde_json::from_str::<serde_json::Number>(text)
                    .map_or_else(|_| Value::from(text.as_str()), Value::Number),
            },
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
        }
    }
}
