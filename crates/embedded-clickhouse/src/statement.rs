//! One statement as the engine wants it: SQL here, inline rows there.
//!
//! ClickHouse's protocol lets rows follow the SQL of an `INSERT` in the same text. The engine's own parser would cut binary rows
//! at the first thing that looks like SQL, so they are parted here and handed over as bytes.

use crate::Error;
use crate::tokens::{Token, Tokens};

/// What a text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A statement that is complete as it stands.
    Query {
        /// The format it names itself, which beats every default.
        format: Option<String>,
    },
    /// An `INSERT` of rows that follow.
    Insert {
        /// The statement without its `FORMAT` or `VALUES`.
        sql: Vec<u8>,
        /// The format of the rows; absent when the statement names none.
        format: Option<String>,
        /// Where in the text the rows begin.
        rows: usize,
    },
}

/// Finds out what a text is. Texts of several statements are refused, as ClickHouse does over HTTP.
pub(crate) fn shape(text: &[u8]) -> Result<Shape, Error> {
    let mut tokens = Tokens::new(text);
    if tokens.peek().is_none() {
        return Err(Error::exception(62, "SYNTAX_ERROR", "Empty query"));
    }
    if tokens.accept("INSERT")
        && let Some(insert) = insert(text, tokens)?
    {
        return Ok(insert);
    }
    query(text)
}

fn query(text: &[u8]) -> Result<Shape, Error> {
    let mut tokens = Tokens::new(text);
    let (mut depth, mut format) = (0usize, None);
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => depth += 1,
            Token::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Token::Mark(b';') if tokens.clone().any(|token| token != Token::Mark(b';')) => {
                return Err(Error::exception(62, "SYNTAX_ERROR", "Multi-statements are not allowed"));
            }
            token if depth == 0 && token.is("FORMAT") => {
                format = clause(tokens.clone()).or(format);
            }
            _ => {}
        }
    }
    Ok(Shape::Query { format })
}

/// The name in a `FORMAT` clause; `format` followed by anything else is a column.
fn clause(mut tokens: Tokens<'_>) -> Option<String> {
    let Some(Token::Word(name)) = tokens.next() else { return None };
    let last = tokens.next().is_none_or(|token| token == Token::Mark(b';') || token.is("SETTINGS") || token.is("INTO"));
    last.then(|| String::from_utf8_lossy(name).into_owned())
}

/// `tokens` stands behind `INSERT`. `None` means that the rows come from a query.
fn insert(text: &[u8], mut tokens: Tokens<'_>) -> Result<Option<Shape>, Error> {
    skip_target(&mut tokens);
    let (mut depth, mut selects, mut input) = (0usize, false, false);
    loop {
        let before = tokens.position;
        let Some(token) = tokens.next() else { break };
        match token {
            Token::Mark(b'(') => depth += 1,
            Token::Mark(b')') => depth = depth.saturating_sub(1),
            Token::Mark(b';') if depth == 0 => break,
            token if token.is("INPUT") && tokens.peek() == Some(Token::Mark(b'(')) => input = true,
            _ if depth > 0 => {}
            token if token.is("INFILE") => {
                return Err(Error::exception(
                    344,
                    "SUPPORT_IS_DISABLED",
                    "FROM INFILE is for clickhouse-client; send the file's bytes behind the statement",
                ));
            }
            token if token.is("SELECT") || token.is("WITH") || token.is("WATCH") => selects = true,
            token if !selects && token.is("VALUES") => {
                let sql = text[..before].to_vec();
                return Ok(Some(Shape::Insert { sql, format: Some("Values".to_owned()), rows: tokens.position }));
            }
            token if (!selects || input) && token.is("FORMAT") => {
                let Some(Token::Word(name)) = tokens.next() else { break };
                let format = Some(String::from_utf8_lossy(name).into_owned());
                let (settings, rows) = behind_format(text, tokens.position);
                let sql = [&text[..before], settings].concat();
                return Ok(Some(Shape::Insert { sql, format, rows }));
            }
            _ => {}
        }
    }
    Ok((!selects).then(|| Shape::Insert { sql: text.to_vec(), format: None, rows: text.len() }))
}

/// `[INTO] [TABLE] [FUNCTION] name[.name]`: skipped as a whole, because a table may be called `values` or `format`.
fn skip_target(tokens: &mut Tokens<'_>) {
    for keyword in ["INTO", "TABLE", "FUNCTION"] {
        tokens.accept(keyword);
    }
    tokens.next();
    while tokens.peek() == Some(Token::Mark(b'.')) {
        tokens.next();
        tokens.next();
    }
}

/// Settings may also follow the format's name; rows begin behind one line break. Returns the settings' text and where rows begin.
fn behind_format(text: &[u8], position: usize) -> (&[u8], usize) {
    let mut tokens = Tokens::new(&text[position..]);
    let mut end = 0;
    if tokens.accept("SETTINGS") {
        // name = value, …: a value is one token, with a sign or a fraction three.
        loop {
            tokens.next();
            tokens.next();
            while matches!(tokens.peek(), Some(Token::Mark(b'-' | b'+' | b'.'))) {
                tokens.next();
            }
            tokens.next();
            if tokens.peek() == Some(Token::Mark(b'.')) {
                tokens.next();
                tokens.next();
            }
            end = tokens.position;
            if tokens.peek() != Some(Token::Mark(b',')) {
                break;
            }
            tokens.next();
        }
    }
    let settings = &text[position..position + end];
    let rest = &text[position + end..];
    let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | 0x0c)).count();
    let semicolon = usize::from(rest.get(spaces) == Some(&b';'));
    let mut rows = spaces + semicolon;
    rows += usize::from(rest.get(rows) == Some(&b'\r'));
    rows += usize::from(rest.get(rows) == Some(&b'\n'));
    (settings, position + end + rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match shape(text.as_bytes()) {
            Ok(Shape::Query { format }) => format!("query {}", format.unwrap_or_default()),
            Ok(Shape::Insert { sql, format, rows }) => format!(
                "insert <{}> {} <{}>",
                String::from_utf8_lossy(&sql).trim_end(),
                format.unwrap_or_default(),
                &text[rows..]
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown.trim_end(), expected, "{text}");
    }

    #[test]
    fn rows_are_parted_from_the_statement() {
        check("INSERT INTO t VALUES (1, 'a;b')", "insert <INSERT INTO t> Values < (1, 'a;b')>");
        check("insert into db.t(a, b) format RowBinary\n\nx", "insert <insert into db.t(a, b)> RowBinary <\nx>");
        check("INSERT INTO t FORMAT JSONEachRow {\"a\":1}", "insert <INSERT INTO t> JSONEachRow <{\"a\":1}>");
        check(
            "INSERT INTO t (a) SETTINGS x='FORMAT y' FORMAT TSV\r\n1\t2",
            "insert <INSERT INTO t (a) SETTINGS x='FORMAT y'> TSV <1\t2>",
        );
        check(
            "INSERT INTO t FORMAT TSV SETTINGS a=1, b='x', c=-0.5\n1;2",
            "insert <INSERT INTO t SETTINGS a=1, b='x', c=-0.5> TSV <1;2>",
        );
        check("INSERT INTO t(a, b)", "insert <INSERT INTO t(a, b)>  <>");
    }

    #[test]
    fn tables_may_have_the_names_of_keywords() {
        check("INSERT INTO values VALUES (1)", "insert <INSERT INTO values> Values < (1)>");
        check("INSERT INTO format.`values` FORMAT CSV\n1", "insert <INSERT INTO format.`values`> CSV <1>");
        check(
            "INSERT INTO FUNCTION file('values.csv', 'CSV', 'a Int8') VALUES (1)",
            "insert <INSERT INTO FUNCTION file('values.csv', 'CSV', 'a Int8')> Values < (1)>",
        );
        check(
            "INSERT INTO t (format, values) VALUES (1, 2)",
            "insert <INSERT INTO t (format, values)> Values < (1, 2)>",
        );
    }

    #[test]
    fn rows_of_a_query_stay_with_it() {
        check("INSERT INTO t SELECT 1", "query");
        check("INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x", "query");
        check(
            "INSERT INTO t SELECT a FROM input('a Int8') FORMAT CSV\n1",
            "insert <INSERT INTO t SELECT a FROM input('a Int8')> CSV <1>",
        );
        check(
            "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
            "Code: 344. DB::Exception: FROM INFILE is for clickhouse-client; send the file's bytes behind the statement. (SUPPORT_IS_DISABLED)",
        );
    }

    #[test]
    fn a_query_names_its_format_and_is_alone() {
        check("SELECT 1 FORMAT JSON;", "query JSON");
        check("SELECT formatDateTime(now(), '%F'), format FROM (SELECT 1 AS format) -- FORMAT CSV", "query");
        check("SELECT 1;\n-- done\n;", "query");
        check("SELECT 1; SELECT 2", "Code: 62. DB::Exception: Multi-statements are not allowed. (SYNTAX_ERROR)");
        check(" -- nothing", "Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)");
    }
}
