//! Cuts ClickHouse SQL into tokens, far enough to find where a statement ends and where inline rows begin.
//!
//! Works on bytes, because rows behind a `FORMAT` clause are bytes. It never judges: text that the engine would refuse is cut
//! somehow and refused later.

/// A piece of SQL. Whitespace and comments are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// Letters, digits, `_` and `$`: keywords, names, numbers.
    Word(&'a [u8]),
    /// A name in backticks or double quotes, quotes included.
    Name,
    /// A string in single quotes or a heredoc.
    String,
    /// Anything else, one byte at a time.
    Mark(u8),
}

impl Token<'_> {
    /// Whether this is the keyword, in any case.
    pub(crate) fn is(self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }
}

/// Walks over a text; `position` is the byte behind the last token.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    text: &'a [u8],
    pub(crate) position: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Tokens { text, position: 0 }
    }

    /// The next token without taking it.
    pub(crate) fn peek(&self) -> Option<Token<'a>> {
        self.clone().next()
    }

    /// Takes the next token if it is this keyword.
    pub(crate) fn accept(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(keyword));
        if found {
            self.next();
        }
        found
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.position..]
    }

    fn skip_until(&mut self, end: &[u8]) {
        let found = self.rest().windows(end.len()).position(|window| window == end);
        self.position = found.map_or(self.text.len(), |at| self.position + at + end.len());
    }

    /// Skips whitespace and comments: `-- …`, `# …`, `#! …` to the end of the line, `/* … */`, which nests.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            match rest {
                [b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, ..] => self.position += 1,
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => self.skip_until(b"\n"),
                [b'/', b'*', ..] => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_comment(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.rest() {
                [] => return,
                [b'/', b'*', ..] => (depth, self.position) = (depth + 1, self.position + 2),
                [b'*', b'/', ..] => {
                    (depth, self.position) = (depth - 1, self.position + 2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.position += 1,
            }
        }
    }

    /// Skips to behind the closing quote. A backslash or a doubled quote keeps it from closing.
    fn skip_quoted(&mut self, quote: u8) {
        self.position += 1;
        loop {
            match self.rest() {
                [] => return,
                [b'\\', ..] => self.position = (self.position + 2).min(self.text.len()),
                [first, second, ..] if *first == quote && *second == quote => self.position += 2,
                [first, ..] => {
                    self.position += 1;
                    if *first == quote {
                        return;
                    }
                }
            }
        }
    }

    /// `$tag$ … $tag$`, if that is what begins here.
    fn heredoc(&mut self) -> bool {
        let rest = self.rest();
        let tag = rest[1..].iter().position(|byte| !is_word(*byte) || *byte == b'$').filter(|at| rest[1 + at] == b'$');
        let Some(tag) = tag.map(|at| &rest[..at + 2]) else { return false };
        self.position += tag.len();
        self.skip_until(tag);
        true
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let start = self.position;
        match *self.rest().first()? {
            b'\'' => {
                self.skip_quoted(b'\'');
                Some(Token::String)
            }
            quote @ (b'"' | b'`') => {
                self.skip_quoted(quote);
                Some(Token::Name)
            }
            b'$' if self.heredoc() => Some(Token::String),
            byte if is_word(byte) => {
                let rest = self.rest();
                self.position += rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                Some(Token::Word(&self.text[start..self.position]))
            }
            byte => {
                self.position += 1;
                Some(Token::Mark(byte))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let tokens: Vec<String> = Tokens::new(text.as_bytes())
            .map(|token| match token {
                Token::Word(word) => String::from_utf8_lossy(word).into_owned(),
                Token::Name => "<name>".to_owned(),
                Token::String => "<string>".to_owned(),
                Token::Mark(byte) => char::from(byte).to_string(),
            })
            .collect();
        assert_eq!(tokens.join(" "), expected, "{text}");
    }

    #[test]
    fn comments_and_strings_hide_what_is_in_them() {
        check("SELECT 'a;b''c\\'d' -- ; x\n, 1 /* ; /* */ ; */ + 2", "SELECT <string> , 1 + 2");
        check("x # ;\ny #! ;\nz", "x y z");
        check("`a;``b`.\"c;\\\"d\" $$;$$ $tag$ $$ ; $tag$;", "<name> . <name> <string> <string> ;");
        check("'open", "<string>");
        check("/* open", "");
        check("$ a$b é", "$ a$b é");
    }
}
