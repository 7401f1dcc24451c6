//! What a request asks for, and the headers of its answer.

use crate::Error;
use crate::ffi::Answer;
use crate::session::SessionName;
use crate::work::Work;
use crate::{frames, multipart};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use std::time::Duration;

/// Sessions rest this long unless the client says otherwise.
const SESSION_SECONDS: u64 = 60;
/// The longest that a session may ask to rest.
const SESSION_SECONDS_MAX: u64 = 3600;

/// Names beside the statement that speak to a server's HTTP interface and are no settings. Buffering is always to the end here, so
/// the names about buffers and progress have nothing left to say.
const NO_SETTINGS: [&str; 18] = [
    "query",
    "database",
    "default_format",
    "user",
    "password",
    "query_id",
    "quota_key",
    "role",
    "session_id",
    "session_timeout",
    "session_check",
    "close_session",
    "compress",
    "decompress",
    "buffer_size",
    "wait_end_of_query",
    "stacktrace",
    "client_protocol_version",
];

/// A request as far as it concerns the engine and the shape of the answer.
pub(crate) struct Exchange {
    pub(crate) work: Work,
    /// The client's name for the statement, echoed.
    pub(crate) query_id: Option<String>,
    /// Answer in ClickHouse's own frames.
    pub(crate) compress: bool,
    /// The body is in ClickHouse's own frames.
    decompress: bool,
}

impl Exchange {
    /// Reads the address and the headers.
    pub(crate) fn new(pairs: Vec<(String, String)>, headers: &HeaderMap, read_only: bool) -> Result<Exchange, Error> {
        let mut exchange = Exchange {
            work: Work {
                database: text(headers, "x-clickhouse-database"),
                format: text(headers, "x-clickhouse-format"),
                read_only,
                ..Work::default()
            },
            query_id: text(headers, "x-clickhouse-query-id"),
            compress: false,
            decompress: false,
        };
        exchange.say(pairs)?;
        Ok(exchange)
    }

    /// Takes in what was said by name, in the address or in a form.
    fn say(&mut self, pairs: Vec<(String, String)>) -> Result<(), Error> {
        let find = |wanted: &str| pairs.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let full = |wanted: &str| find(wanted).filter(|value| !value.is_empty());
        if let Some(query) = find("query") {
            self.work.text = Bytes::from(query);
        }
        let work = &mut self.work;
        work.database = full("database").or(work.database.take());
        work.format = full("default_format").or(work.format.take());
        self.query_id = full("query_id").or(self.query_id.take());
        self.compress |= find("compress").is_some_and(|value| value == "1");
        self.decompress |= find("decompress").is_some_and(|value| value == "1");
        if let Some(id) = full("session_id") {
            work.session = Some(session(id, full("session_timeout"), full("session_check"))?);
        }
        for (name, value) in pairs {
            if let Some(name) = name.strip_prefix("param_") {
                work.parameters.0.push((name.to_owned(), value));
            } else if !NO_SETTINGS.contains(&name.as_str()) {
                work.settings.push((name, value));
            }
        }
        Ok(())
    }

    /// Takes in the body: rows, SQL, or a form with both. `limit` bounds what compressed bodies unfold to.
    pub(crate) fn read_body(&mut self, headers: &HeaderMap, body: Bytes, limit: usize) -> Result<(), Error> {
        let encoding = text(headers, "content-encoding").unwrap_or_default().to_ascii_lowercase();
        let mut body = match encoding.as_str() {
            "" | "identity" => body,
            encoding => Bytes::from(frames::open_encoded(encoding, body.to_vec(), limit)?),
        };
        if self.decompress {
            body = Bytes::from(frames::open_frames(&body, limit)?);
        }
        let content_type = text(headers, "content-type").unwrap_or_default();
        match multipart::boundary(&content_type) {
            Some(boundary) => self.say(multipart::fields(&body, boundary)?),
            None => {
                self.work.body = body;
                Ok(())
            }
        }
    }
}

fn session(id: String, timeout: Option<String>, check: Option<String>) -> Result<SessionName, Error> {
    let seconds = match timeout {
        None => SESSION_SECONDS,
        Some(text) => text.parse().ok().filter(|seconds| *seconds <= SESSION_SECONDS_MAX).ok_or_else(|| {
            Error::exception(
                374,
                "INVALID_SESSION_TIMEOUT",
                &format!("session_timeout is '{text}', must be 0 to {SESSION_SECONDS_MAX} seconds"),
            )
        })?,
    };
    Ok(SessionName { id, timeout: Duration::from_secs(seconds), must_exist: check.is_some_and(|check| check == "1") })
}

/// A header's value if it is text and not empty.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The headers about a result. The summary is complete, because nothing is sent before the statement has ended.
pub(crate) fn describe(answer: &Answer, format: &str) -> [(HeaderName, HeaderValue); 3] {
    let summary = format!(
        "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\"total_rows_to_read\":\"0\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\",\"elapsed_ns\":\"{}\"}}",
        answer.read_rows,
        answer.read_bytes,
        answer.written_rows,
        answer.written_bytes,
        answer.result_rows,
        answer.body.len(),
        answer.elapsed_ns
    );
    [
        (HeaderName::from_static("x-clickhouse-summary"), header_value(&summary)),
        (HeaderName::from_static("x-clickhouse-format"), header_value(format)),
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(format))),
    ]
}

/// Text as a header's value; what a header cannot carry is left out.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn content_type(format: &str) -> &'static str {
    match format {
        format if format.starts_with("JSON") && format.contains("EachRow") => "application/x-ndjson; charset=UTF-8",
        format if format.starts_with("JSON") => "application/json; charset=UTF-8",
        "CSVWithNames" | "CSVWithNamesAndTypes" => "text/csv; charset=UTF-8; header=present",
        "CSV" => "text/csv; charset=UTF-8; header=absent",
        format if format.starts_with("TabSeparated") || format.starts_with("TSV") => {
            "text/tab-separated-values; charset=UTF-8"
        }
        "XML" => "application/xml; charset=UTF-8",
        "Native"
        | "RowBinary"
        | "RowBinaryWithNames"
        | "RowBinaryWithNamesAndTypes"
        | "Parquet"
        | "Arrow"
        | "ArrowStream"
        | "ORC"
        | "Avro" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    }
}
