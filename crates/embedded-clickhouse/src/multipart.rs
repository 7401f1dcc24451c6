//! `multipart/form-data`, in which some clients (the `clickhouse` crate among them) send a query with its parameters.

use crate::Error;

/// More fields than this are refused.
const FIELDS_MAX: usize = 1000;

/// A named field's text.
pub(crate) type Field = (String, String);

/// The boundary, if the content type is multipart.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, attributes) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = attributes.split(';').filter_map(|attribute| attribute.trim().split_once('='));
    named.filter(|(name, _)| name.eq_ignore_ascii_case("boundary")).map(|(_, value)| value.trim_matches('"')).next()
}

/// Reads all fields. Files (external tables) are refused: they are temporary tables on a server, and none exist here.
pub(crate) fn fields(body: &[u8], boundary: &str) -> Result<Vec<Field>, Error> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may lack its line break.
    let body = [b"\r\n", body].concat();
    let mut parts = Vec::new();
    let mut rest = behind(&body, delimiter.as_bytes()).ok_or_else(|| malformed("no boundary"))?.1;
    while !rest.starts_with(b"--") {
        let (part, after) =
            behind(rest, delimiter.as_bytes()).ok_or_else(|| malformed("the closing boundary is missing"))?;
        parts.push(field(part)?);
        if parts.len() > FIELDS_MAX {
            return Err(malformed("too many fields"));
        }
        rest = after;
    }
    Ok(parts)
}

fn field(part: &[u8]) -> Result<Field, Error> {
    let (head, value) = behind(part, b"\r\n\r\n").ok_or_else(|| malformed("a field without a head"))?;
    let head = String::from_utf8_lossy(head);
    let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
    let disposition = disposition.ok_or_else(|| malformed("a field without a name"))?;
    if disposition.contains("filename=") {
        return Err(Error::exception(
            48,
            "NOT_IMPLEMENTED",
            "external tables are not taken here; create a temporary table in a session",
        ));
    }
    let name = disposition.split(';').filter_map(|item| item.trim().strip_prefix("name=")).next();
    let name = name.ok_or_else(|| malformed("a field without a name"))?.trim_matches('"').to_owned();
    let value = String::from_utf8(value.to_vec()).map_err(|_| malformed("a field that is no UTF-8"))?;
    Ok((name, value))
}

/// Splits around the first occurrence.
fn behind<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

fn malformed(reason: &str) -> Error {
    Error::exception(36, "BAD_ARGUMENTS", &format!("malformed multipart/form-data: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let shown = match fields(body.as_bytes(), "x") {
            Ok(fields) => fields.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn fields_are_read_and_files_refused() {
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"a b\""), Some("a b"));
        assert_eq!(boundary("text/plain; boundary=x"), None);
        let head = |name: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        check(
            &format!("{}SELECT\r\n1\r\n{}\r\n--x--\r\n", head("query"), head("param_a")),
            "query=\"SELECT\\r\\n1\" param_a=\"\"",
        );
        check("--x--\r\n", "");
        check(&head("query"), "closing boundary");
        check("hello", "no boundary");
        check("--x\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--x--", "external tables");
    }
}
