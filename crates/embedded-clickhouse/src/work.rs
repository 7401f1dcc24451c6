//! What one statement brings with it, and how it is run on a connection.

use crate::Error;
use crate::ffi::{Answer, Connection, Parameters};
use crate::session::SessionName;
use crate::statement::{Shape, shape};
use crate::tokens::{Token, Tokens};
use bytes::Bytes;

/// A statement with everything that HTTP may say beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    /// The SQL, and maybe inline rows behind it.
    pub(crate) text: Bytes,
    /// Rows, or more SQL, that came apart from `text`.
    pub(crate) body: Bytes,
    /// The format of the result when the statement names none; of the rows too, when an `INSERT` names none.
    pub(crate) format: Option<String>,
    /// The current database.
    pub(crate) database: Option<String>,
    /// Settings for this statement alone.
    pub(crate) settings: Vec<(String, String)>,
    /// Values of `{name:Type}`.
    pub(crate) parameters: Parameters,
    /// Refuse everything that writes.
    pub(crate) read_only: bool,
    /// Run in this session.
    pub(crate) session: Option<SessionName>,
}

/// Work whose text has been understood.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) work: Work,
    step: Step,
    /// The format of the result.
    pub(crate) output_format: String,
}

#[derive(Debug)]
enum Step {
    Query { sql: Bytes },
    Insert { sql: Vec<u8>, format: String, rows: [Bytes; 2] },
}

impl Work {
    /// Understands the text. `text` is looked at alone first, because the body may be binary rows.
    pub(crate) fn prepare(self) -> Result<Prepared, Error> {
        if !self.text.iter().all(u8::is_ascii_whitespace)
            && let Shape::Insert { sql, format, rows } = shape(&self.text)?
            && let Some(format) = format.or_else(|| self.format.clone())
        {
            return Ok(self.insert(sql, format, rows));
        }
        let text = match (self.text.is_empty(), self.body.is_empty()) {
            (_, true) => self.text.clone(),
            (true, false) => self.body.clone(),
            (false, false) => Bytes::from([&self.text[..], b"\n", &self.body].concat()),
        };
        let work = Work { text, body: Bytes::new(), ..self };
        Ok(match shape(&work.text)? {
            Shape::Insert { sql, format, rows } => {
                let format = format.or_else(|| work.format.clone()).unwrap_or_else(|| "Values".to_owned());
                work.insert(sql, format, rows)
            }
            Shape::Query { format } => {
                let output_format = format.or_else(|| work.format.clone()).unwrap_or_else(|| "TabSeparated".to_owned());
                Prepared { step: Step::Query { sql: work.text.clone() }, work, output_format }
            }
        })
    }

    fn insert(self, sql: Vec<u8>, format: String, rows: usize) -> Prepared {
        let inline = self.text.slice(rows..);
        // A query's trailing white space is no row; in front of a body it would spoil a binary format.
        let blank = !self.body.is_empty() && inline.iter().all(u8::is_ascii_whitespace);
        let rows = [if blank { Bytes::new() } else { inline }, self.body.clone()];
        let output_format = self.format.clone().unwrap_or_else(|| "TabSeparated".to_owned());
        Prepared { work: self, step: Step::Insert { sql, format, rows }, output_format }
    }
}

impl Prepared {
    /// Whether it belongs into the lane for rows.
    pub(crate) fn inserts(&self) -> bool {
        matches!(self.step, Step::Insert { .. })
    }

    /// Runs it. `tag` marks it among the running statements, so that it can be killed.
    pub(crate) fn run(&self, connection: &mut Connection, tag: &str) -> Result<Answer, Error> {
        match self.work.session {
            // The connection ends with the statement, and what was set with it.
            None => self.run_once(connection, tag),
            Some(_) => {
                let restore = self.remember(connection)?;
                let answer = self.run_once(connection, tag);
                // A session that cannot be restored must not go on with the settings of somebody's single statement.
                restore.iter().try_for_each(|sql| command(connection, sql))?;
                answer
            }
        }
    }

    fn run_once(&self, connection: &mut Connection, tag: &str) -> Result<Answer, Error> {
        if let Some(database) = &self.work.database {
            command(connection, &format!("USE {}", identifier(database)))?;
        }
        command(connection, &settings(&self.work.settings, tag)?)?;
        match (self.work.read_only, &self.work.session) {
            // 2: settings may still change, as for GET on a server.
            (true, None) => command(connection, "SET readonly = 2")?,
            // In a session there would be no way back from it, so the statement itself is looked at.
            (true, Some(_)) if !self.reads() => {
                let text =
                    "Cannot execute query in readonly mode: only reading statements are allowed by GET; use POST";
                return Err(Error::exception(164, "READONLY", text));
            }
            _ => {}
        }
        let parameters = &self.work.parameters;
        match &self.step {
            Step::Query { sql } => connection.query(sql, &self.output_format, parameters),
            Step::Insert { sql, format, rows: [inline, body] } => {
                connection.insert(sql, format, parameters, &[inline, body])
            }
        }
        .map_err(|message| Error::from_engine(&message))
    }

    /// Whether the statement begins as only reading ones do.
    fn reads(&self) -> bool {
        let Step::Query { sql } = &self.step else { return false };
        let mut tokens = Tokens::new(sql);
        let first = tokens
            .next()
            .is_some_and(|first| first == Token::Mark(b'(') || READING.iter().any(|keyword| first.is(keyword)));
        // `WITH … INSERT` begins like a question.
        first && !tokens.any(|token| token.is("INSERT"))
    }

    /// Statements that bring the session back to its own database and settings: what HTTP says beside a statement is for that one alone.
    /// A `SET` or `USE` is meant to stay.
    fn remember(&self, connection: &mut Connection) -> Result<Vec<String>, Error> {
        let first = |keyword: &str| matches!(&self.step, Step::Query { sql } if Tokens::new(sql).accept(keyword));
        let mut restore = Vec::new();
        if self.work.database.is_some() && !first("USE") {
            restore.push(format!("USE {}", identifier(&ask(connection, "SELECT currentDatabase()")?)));
        }
        if !self.work.settings.is_empty() && !first("SET") {
            let names: Vec<String> = self.work.settings.iter().map(|(name, _)| literal(name)).collect();
            let quoted = r"concat('\'', replaceAll(replaceAll(value, '\\', '\\\\'), '\'', '\\\''), '\'')";
            let sql = format!(
                "SELECT arrayStringConcat(groupArray(concat(name, ' = ', if(changed, {quoted}, 'DEFAULT'))), ', ') \
                 FROM system.settings WHERE name IN ({})",
                names.join(", ")
            );
            let all = ask(connection, &sql)?;
            // Unknown names are none of the session's; running the statement says that they are unknown.
            if !all.is_empty() {
                restore.push(format!("SET {all}"));
            }
        }
        Ok(restore)
    }
}

/// What a statement that only reads can begin with.
const READING: [&str; 9] = ["SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "SET"];

/// The one text that a query gives.
fn ask(connection: &mut Connection, sql: &str) -> Result<String, Error> {
    let answer = connection.query(sql.as_bytes(), "TSVRaw", &Parameters::default());
    let body = answer.map_err(|message| Error::from_engine(&message))?.body;
    Ok(String::from_utf8_lossy(&body).trim_end_matches('\n').to_owned())
}

fn command(connection: &mut Connection, sql: &str) -> Result<(), Error> {
    let answer = connection.query(sql.as_bytes(), "Null", &Parameters::default());
    answer.map(drop).map_err(|message| Error::from_engine(&message))
}

/// One `SET` for all. Names are checked, because the engine has no quoting for them.
fn settings(settings: &[(String, String)], tag: &str) -> Result<String, Error> {
    let mut sql = format!("SET log_comment = {}", literal(tag));
    for (name, value) in settings {
        let named =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.');
        if !named {
            return Err(Error::exception(115, "UNKNOWN_SETTING", &format!("Unknown setting '{name}'")));
        }
        if name != "log_comment" {
            sql.push_str(&format!(", {name} = {}", literal(value)));
        }
    }
    Ok(sql)
}

/// A string as a literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, body: &[u8], format: Option<&str>, expected: &str) {
        let work = Work {
            text: Bytes::copy_from_slice(text.as_bytes()),
            body: Bytes::copy_from_slice(body),
            format: format.map(str::to_owned),
            ..Work::default()
        };
        let shown = match work.prepare() {
            Ok(Prepared { step: Step::Query { sql }, output_format, .. }) => {
                format!("{} -> {output_format}", String::from_utf8_lossy(&sql))
            }
            Ok(Prepared { step: Step::Insert { sql, format, rows }, .. }) => {
                format!("{} <- {format} {:?}", String::from_utf8_lossy(&sql).trim_end(), rows.concat())
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_body_is_rows_or_more_sql() {
        check("", b"SELECT 1", None, "SELECT 1 -> TabSeparated");
        check("SELECT 1", b"FORMAT JSON", Some("CSV"), "SELECT 1\nFORMAT JSON -> JSON");
        check("INSERT INTO t FORMAT RowBinary", b"\n;\0", None, "INSERT INTO t <- RowBinary [10, 59, 0]");
        check("INSERT INTO t(a)", b"\n;\0", Some("RowBinary"), "INSERT INTO t(a) <- RowBinary [10, 59, 0]");
        check("INSERT INTO t FORMAT RowBinary \n ", b"\0", None, "INSERT INTO t <- RowBinary [0]");
        check("INSERT INTO t", b"VALUES (1)", None, "INSERT INTO t <- Values [32, 40, 49, 41]");
        check("INSERT INTO t", b"SELECT 1", None, "INSERT INTO t\nSELECT 1 -> TabSeparated");
        check("INSERT INTO t VALUES (1),", b"(2)", None, "INSERT INTO t <- Values [32, 40, 49, 41, 44, 40, 50, 41]");
    }

    #[test]
    fn names_of_settings_cannot_carry_sql() {
        let given = [("max_threads".to_owned(), "1'; DROP".to_owned())];
        assert_eq!(settings(&given, "q").unwrap(), "SET log_comment = 'q', max_threads = '1\\'; DROP'");
        assert!(settings(&[("a = 1, b".to_owned(), String::new())], "q").is_err());
    }
}
