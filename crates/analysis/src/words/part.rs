//! A sentence as pieces: what is said is text, and which words are strong is beside it.

use serde_json::{Value as Json, json};

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The words, with the spaces that belong to them.
    pub text: String,
    /// Whether they carry the sentence.
    pub strong: bool,
    /// The direction that they speak of: `better` or `worse`; of a comparison in a row also `warn` and `alarm`.
    pub tone: Option<&'static str>,
}

impl Part {
    /// As in results: what is not so is not there.
    pub fn to_json(&self) -> Json {
        let mut json = json!({"text": self.text});
        if self.strong {
            json["strong"] = json!(true);
        }
        if let Some(tone) = self.tone {
            json["tone"] = json!(tone);
        }
        json
    }
}

pub(super) fn say(text: impl Into<String>) -> Part {
    Part { text: text.into(), strong: false, tone: None }
}

pub(super) fn strong(text: impl Into<String>) -> Part {
    Part { text: text.into(), strong: true, tone: None }
}

/// The words alone.
pub fn text_of(parts: &[Part]) -> String {
    parts.iter().map(|it| it.text.as_str()).collect()
}

/// A name inside a sentence: "Purchase rate" loses its capital, "CTR" does not.
pub(super) fn inner(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain([second]).chain(letters).collect()
        }
        _ => name.to_owned(),
    }
}

/// At the start of a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// After a colon.
pub(super) fn small(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The plural of a unit's name: customer, customers; company, companies.
pub(super) fn units(name: &str) -> String {
    let before = name.strip_suffix('y').and_then(|stem| stem.chars().next_back());
    if let Some(stem) = name.strip_suffix('y').filter(|_| before.is_some_and(|letter| !"aeiou".contains(letter))) {
        return format!("{stem}ies");
    }
    let hissing = ["s", "x", "ch", "sh"].iter().any(|end| name.ends_with(end));
    format!("{name}{}", if hissing { "es" } else { "s" })
}

/// a, b and c
pub(super) fn joined(names: &[String], word: &str) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} {word} {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_their_place_in_a_sentence() {
        assert_eq!(["Purchase rate", "CTR", "Ö", "", "x"].map(inner), ["purchase rate", "CTR", "Ö", "", "x"]);
        assert_eq!(
            ["customer", "company", "key", "box", "branch"].map(units),
            ["customers", "companies", "keys", "boxes", "branches"]
        );
        let names = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([joined(&names, "or"), joined(&names[..1], "or")], ["a, b or c", "a"]);
    }
}
