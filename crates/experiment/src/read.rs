//! Typed readers over a [`Node`]: each takes a value, or notes a problem and goes on.

use crate::fields::limit;
use crate::problem::{Problem, nearest};
use crate::yaml::{Content, Node, Place, json_number};
use crate::{Span, Value, decimal};

/// Collects the problems of one file.
pub(crate) struct Check<'a> {
    pub file: &'a str,
    pub problems: Vec<Problem>,
    /// Whether people wrote it. What a log has was checked by the build that published it, and must stay readable when limits change.
    pub strict: bool,
}

/// A mapping whose keys are known.
#[derive(Clone, Copy)]
pub(crate) struct Map<'n> {
    entries: &'n [(crate::yaml::Key, Node)],
    pub place: Place,
}

impl<'n> Map<'n> {
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(known, _)| known.name == key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Where a key's value stands, or the mapping itself.
    pub fn place_of(&self, key: &str) -> Place {
        self.get(key).map_or(self.place, |node| node.place)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&'n crate::yaml::Key, &'n Node)> {
        self.entries.iter().map(|(key, node)| (key, node))
    }
}

impl Check<'_> {
    pub fn complain(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem::new(self.file, place, message));
    }

    /// A mapping with these keys and no others. An empty list of keys allows any.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Map<'n>> {
        let Content::Map(entries) = &node.content else {
            self.complain(node.place, format!("{what} must be a mapping (key: value)"));
            return None;
        };
        for (key, value) in entries.iter().filter(|_| !known.is_empty()) {
            if !known.contains(&key.name.as_str()) {
                let near = nearest(&key.name, known.iter().copied());
                self.complain(key.place, format!("unknown key '{}' in {what}{near}", key.name));
            } else if value.is_null() {
                self.complain(key.place, format!("'{}' has no value; write one, or leave the key out", key.name));
            }
        }
        Some(Map { entries, place: node.place })
    }

    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ => {
                self.complain(node.place, format!("{what} must be a list"));
                &[]
            }
        }
    }

    pub fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.content {
            Content::Scalar { text, .. } => Some(text),
            _ => {
                self.complain(node.place, format!("{what} must be a single value"));
                None
            }
        }
    }

    pub fn required<'n>(&mut self, map: Map<'n>, key: &str, what: &str) -> Option<&'n Node> {
        let node = map.get(key);
        if node.is_none() {
            self.complain(map.place, format!("{what} needs '{key}'"));
        }
        node
    }

    pub fn text(&mut self, map: Map<'_>, key: &str, max: usize) -> Option<String> {
        let node = map.get(key)?;
        let text = self.scalar(node, key)?;
        if text.is_empty() || text.len() > max {
            self.complain(node.place, format!("{key} has {} bytes; 1 to {max} are allowed", text.len()));
            return None;
        }
        Some(text.to_owned())
    }

    pub fn required_text(&mut self, map: Map<'_>, key: &str, max: usize, what: &str) -> Option<String> {
        self.required(map, key, what)?;
        self.text(map, key, max)
    }

    /// `description` is for people who read the file: it is checked, but not kept.
    pub fn description(&mut self, map: Map<'_>) {
        self.text(map, "description", 2_000);
    }

    /// Title and owner of what has no place for them: checked, but not kept.
    pub fn for_people(&mut self, map: Map<'_>) {
        self.text(map, "title", 200);
        self.text(map, "owner", 200);
        self.description(map);
    }

    /// An id: at most 64 of `[a-z0-9._-]`.
    pub fn id(&mut self, map: Map<'_>, what: &str) -> Option<String> {
        let node = self.required(map, "id", what)?;
        let text = self.scalar(node, "id")?;
        self.is_id(text, node.place).then(|| text.to_owned())
    }

    /// Whether a text can be an id; complains if not.
    pub fn is_id(&mut self, text: &str, place: Place) -> bool {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let is_id = !text.is_empty() && text.len() <= 64 && text.bytes().all(legal);
        if !is_id {
            self.complain(place, format!("id '{text}' is not 1 to 64 of a-z, 0-9, '.', '_' and '-'"));
        }
        is_id
    }

    /// One word of several.
    pub fn choice<T: Copy>(&mut self, map: Map<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let node = map.get(key)?;
        let text = self.scalar(node, key)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let near = nearest(text, names.iter().copied());
        self.complain(node.place, format!("{key} '{text}' is none of {}{near}", names.join(", ")));
        None
    }

    /// true or false, without quotes.
    pub fn boolean(&mut self, map: Map<'_>, key: &str) -> Option<bool> {
        let node = map.get(key)?;
        let flag = node.boolean();
        if flag.is_none() {
            let shown = self.scalar(node, key)?.to_owned();
            let near = nearest(&shown, ["true", "false"]);
            self.complain(node.place, format!("{key} '{shown}' is none of true, false (without quotes){near}"));
        }
        flag
    }

    /// A number in millionths; `percent` also allows `5%`.
    pub fn millionths(&mut self, node: &Node, key: &str, percent: bool) -> Option<i64> {
        let text = self.scalar(node, key)?;
        let (number, divisor) = match text.strip_suffix('%') {
            Some(digits) if percent => (json_number(digits.trim_end()), 100),
            _ => (node.number(), 1),
        };
        match number.as_deref().map(decimal) {
            Some(Ok(Value(micro))) if micro % divisor == 0 => Some(micro / divisor),
            Some(Ok(_)) => {
                self.complain(node.place, format!("{key} '{text}' is finer than a millionth"));
                None
            }
            Some(Err(problem)) => {
                self.complain(node.place, format!("{key} '{text}' {problem}"));
                None
            }
            None => {
                let example = if percent { "0.05 or 5%" } else { "0.05" };
                self.complain(
                    node.place,
                    format!("{key} '{text}' is not a number; write one such as {example}, without quotes"),
                );
                None
            }
        }
    }

    /// A number, exactly, in micro-units.
    pub fn value(&mut self, map: Map<'_>, key: &str) -> Option<Value> {
        let node = map.get(key)?;
        let text = self.scalar(node, key)?;
        let number = node.number().ok_or("is not a number; write one such as 19.99, without quotes");
        match number.and_then(|number| decimal(&number)) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.complain(node.place, format!("{key} '{text}' {problem}"));
                None
            }
        }
    }

    /// A whole number, for which 1e6 will do as well.
    pub fn whole(&mut self, map: Map<'_>, key: &str, min: u64, max: u64) -> Option<u64> {
        let node = map.get(key)?;
        let text = self.scalar(node, key)?;
        // Up to 2^53 a double is exact; no limit here is beyond it.
        let whole = |text: String| {
            let number =
                text.parse::<f64>().ok().filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number));
            text.parse().ok().or(number.map(|number| number as u64))
        };
        match node.number().and_then(whole).filter(|number| (min..=max).contains(number)) {
            Some(number) => Some(number),
            None => {
                self.complain(node.place, format!("{key} '{text}' is not a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// A text that an attribute of an event may equal. Numbers and booleans are written as the fold writes those of events.
    pub fn attribute_value(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.scalar(node, what)?;
        if text.len() > limit::ATTRIBUTE_VALUE {
            let problem = format!("{what} has {} bytes; at most {} are allowed", text.len(), limit::ATTRIBUTE_VALUE);
            self.complain(node.place, problem);
            return None;
        }
        if node.is_null() {
            self.complain(node.place, format!("{what} has no value; write one, or put it in quotes if it is a text"));
            return None;
        }
        let number = node.number().and_then(|number| number.parse::<f64>().ok()).map(|number| number.to_string());
        Some(number.or(node.boolean().map(|flag| flag.to_string())).unwrap_or_else(|| text.to_owned()))
    }

    /// A length of time such as 14d, 36h, 90m or 30s.
    pub fn span(&mut self, map: Map<'_>, key: &str) -> Option<Span> {
        let node = map.get(key)?;
        let text = self.scalar(node, key)?;
        let unit = match text.chars().last() {
            Some('s') => Some(Span::SECOND),
            Some('m') => Some(Span::MINUTE),
            Some('h') => Some(Span::HOUR),
            Some('d') => Some(Span::DAY),
            Some('w') => Some(Span(7 * Span::DAY.0)),
            _ if text == "0" => Some(Span(0)),
            _ => None,
        };
        let digits = text.strip_suffix(['s', 'm', 'h', 'd', 'w']).unwrap_or(text);
        let count = digits.parse::<u32>().ok().filter(|_| !digits.starts_with('+'));
        // A hundred years: beyond it a window means "until the end", which is written by leaving it out.
        let longest = 100 * 366 * Span::DAY.0;
        match unit.zip(count).map(|(unit, count)| Span(unit.0.saturating_mul(i64::from(count)))) {
            Some(span) if span.0 <= longest => Some(span),
            _ => {
                self.complain(
                    node.place,
                    format!("{key} '{text}' is no length of time; write one such as 14d, 36h, 90m or 30s"),
                );
                None
            }
        }
    }
}
