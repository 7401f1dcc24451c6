//! Who may use the door.
//!
//! The port is on loopback, but a browser is on loopback too: any page could send it a statement. So requests that a browser sends
//! on behalf of another site, or under a name that is not this machine's, are refused; a password is on top of that.

use crate::Error;
use crate::exchange::text;
use axum::http::HeaderMap;

/// Who may use the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every process of this machine; user and password are ignored.
    Anyone,
    /// Only who knows both, by `X-ClickHouse-User` and `X-ClickHouse-Key`, by HTTP's basic scheme, or in the address.
    Login {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

impl Access {
    /// Refuses who may not.
    pub(crate) fn check(&self, headers: &HeaderMap, pairs: &[(String, String)]) -> Result<(), Error> {
        refuse_other_sites(headers)?;
        let Access::Login { user, password } = self else { return Ok(()) };
        let Some(given) = credentials(headers, pairs) else {
            return Err(Error::exception(
                194,
                "REQUIRED_PASSWORD",
                "Authentication failed: user and password are required",
            ));
        };
        match same(given.0.as_bytes(), user.as_bytes()) & same(given.1.as_bytes(), password.as_bytes()) {
            true => Ok(()),
            false => Err(Error::exception(
                516,
                "AUTHENTICATION_FAILED",
                "Authentication failed: password is incorrect, or there is no user with such name",
            )),
        }
    }
}

fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Error> {
    let refuse = |what: &str| {
        Err(Error::exception(516, "AUTHENTICATION_FAILED", &format!("{what}; this door serves this machine only")))
    };
    if let Some(host) = text(headers, "host")
        && !is_local(&host)
    {
        return refuse(&format!("the request is for host {host}"));
    }
    if let Some(origin) = text(headers, "origin")
        && !origin.split_once("://").is_some_and(|(_, host)| is_local(host))
    {
        return refuse(&format!("the request comes from the web page {origin}"));
    }
    match text(headers, "sec-fetch-site").as_deref() {
        Some("cross-site") => refuse("the request comes from another web site"),
        _ => Ok(()),
    }
}

/// Whether a host (with or without its port) is this machine.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn credentials(headers: &HeaderMap, pairs: &[(String, String)]) -> Option<(String, String)> {
    let find = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let from_headers = text(headers, "x-clickhouse-user").zip(text(headers, "x-clickhouse-key"));
    from_headers.or_else(|| basic(&text(headers, "authorization")?)).or_else(|| find("user").zip(find("password")))
}

/// `Basic` and the base64 of `user:password`.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = String::from_utf8(base64(encoded.trim())?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (user.to_owned(), password.to_owned()))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)? as u32;
        (bits, held) = ((bits << 6 | digit) & 0xffff, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// Compares in a time that does not tell where they differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn check(access: &Access, headers: &[(&'static str, &str)], address: &[(&str, &str)], expected: Option<u32>) {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        let pairs: Vec<_> = address.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let result = access.check(&headers.collect(), &pairs);
        assert_eq!(result.err().map(|error| error.code()), expected);
    }

    #[test]
    fn web_pages_of_others_are_refused() {
        for host in ["localhost", "localhost:8123", "127.0.0.1:8123", "[::1]:8123"] {
            check(&Access::Anyone, &[("host", host)], &[], None);
        }
        check(&Access::Anyone, &[("host", "rebound.example:8123")], &[], Some(516));
        check(&Access::Anyone, &[("host", "localhost"), ("origin", "https://example.com")], &[], Some(516));
        check(&Access::Anyone, &[("origin", "null")], &[], Some(516));
        check(&Access::Anyone, &[("origin", "http://127.0.0.1:3000")], &[], None);
        check(&Access::Anyone, &[("sec-fetch-site", "cross-site")], &[], Some(516));
    }

    #[test]
    fn a_login_is_taken_from_three_places() {
        let access = Access::Login { user: "ann".to_owned(), password: "open:sesame".to_owned() };
        check(&access, &[], &[], Some(194));
        check(&access, &[("x-clickhouse-user", "ann"), ("x-clickhouse-key", "open:sesame")], &[], None);
        check(&access, &[("authorization", "Basic YW5uOm9wZW46c2VzYW1l")], &[], None);
        check(&access, &[("authorization", "Basic !")], &[], Some(194));
        check(&access, &[], &[("user", "ann"), ("password", "open:sesame")], None);
        check(&access, &[], &[("user", "ann"), ("password", "open")], Some(516));
    }
}
