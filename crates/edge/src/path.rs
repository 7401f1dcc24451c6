//! Where a request goes. Nothing is normalised: a key is decoded once and then is a key, whatever stands in it.

/// Addresses of the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// One flag; the key as it stands in the address.
    Evaluate(Result<String, String>),
    /// All flags.
    Bulk,
    /// News about the definitions.
    Stream,
    /// Events of any kind.
    Events,
    /// Exposures alone.
    Exposures,
    /// Tracking events.
    Track,
    /// Whether the process lives.
    Live,
    /// Whether it can answer.
    Ready,
    /// What operators see.
    Metrics,
    /// None of them.
    Unknown,
}

const EVALUATE: &str = "/ofrep/v1/evaluate/flags";

impl Route {
    /// Of the path of a request.
    pub fn of(path: &str) -> Route {
        if let Some(rest) = path.strip_prefix(EVALUATE) {
            return match rest.strip_prefix('/') {
                None if rest.is_empty() => Route::Bulk,
                None => Route::Unknown,
                Some(key) => Route::Evaluate(decode(key)),
            };
        }
        match path {
            "/ofrep/v1/stream" => Route::Stream,
            "/v1/events" => Route::Events,
            "/v1/exposures" => Route::Exposures,
            "/v1/track" => Route::Track,
            "/livez" => Route::Live,
            "/readyz" => Route::Ready,
            "/metrics" => Route::Metrics,
            _ => Route::Unknown,
        }
    }

    /// The place in [`ROUTES`].
    pub fn index(&self) -> usize {
        match self {
            Route::Evaluate(_) => 0,
            Route::Bulk => 1,
            Route::Stream => 2,
            Route::Events => 3,
            Route::Exposures => 4,
            Route::Track => 5,
            Route::Live | Route::Ready | Route::Metrics => 6,
            Route::Unknown => 7,
        }
    }
}

/// Names of the routes in metrics.
pub const ROUTES: [&str; 8] = ["evaluate", "bulk", "stream", "events", "exposures", "track", "probe", "unknown"];

/// Decodes percent signs once. `Err` says what is wrong.
pub fn decode(text: &str) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|&byte| (byte as char).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err("a '%' is not followed by two hexadecimal digits".to_owned());
        };
        bytes.push((high << 4 | low) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "what the percent signs stand for is not UTF-8".to_owned())
}

/// The value of a query's parameter, decoded; the first counts.
pub fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(found, _)| *found == name)?;
    decode(&value.replace('+', " ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        let key = |text: &str| Route::Evaluate(Ok(text.to_owned()));
        for (path, route) in [
            ("/ofrep/v1/evaluate/flags", Route::Bulk),
            ("/ofrep/v1/evaluate/flags/", key("")),
            ("/ofrep/v1/evaluate/flags/a.b_c-1", key("a.b_c-1")),
            ("/ofrep/v1/evaluate/flags/a%2Fb", key("a/b")),
            ("/ofrep/v1/evaluate/flags/a%252Fb", key("a%2Fb")),
            ("/ofrep/v1/evaluate/flags/%2e%2e", key("..")),
            ("/ofrep/v1/evaluate/flags/../../../metrics", key("../../../metrics")),
            ("/ofrep/v1/evaluate/flags/%2e%2e%2Fmetrics", key("../metrics")),
            ("/ofrep/v1/evaluate/flagsx", Route::Unknown),
            ("/ofrep/v1/../../metrics", Route::Unknown),
            ("/metrics/", Route::Unknown),
            ("/%6detrics", Route::Unknown),
            ("//metrics", Route::Unknown),
            ("/metrics", Route::Metrics),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
        for path in ["/ofrep/v1/evaluate/flags/%", "/ofrep/v1/evaluate/flags/%4", "/ofrep/v1/evaluate/flags/%ff"] {
            assert!(matches!(Route::of(path), Route::Evaluate(Err(_))), "{path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let query = Some("a=1&flagConfigEtag=%22p.7%22&flagConfigEtag=2&b");
        assert_eq!(parameter(query, "flagConfigEtag").as_deref(), Some("\"p.7\""));
        assert_eq!(parameter(query, "b"), None);
        assert_eq!(parameter(None, "a"), None);
    }
}
