//! The page: built files under `ui/dist`, embedded into the binary; every address of a page gets the same document.

use crate::http::Shared;
use crate::http::experiments::listed;
use crate::http::guard::tagged;
use crate::http::posted::with;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::RustEmbed;
use std::borrow::Cow;

/// What the page's build left.
#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Built;

/// Shown while the page is not built.
const STUB: &str = include_str!("../../ui/stub.html");
/// Where the document takes the newest look, so that its first paint has numbers.
const PLACE: &str = "<script type=\"application/json\" id=\"look\">";
/// Nothing leaves the host, nothing is framed.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
/// Files whose names carry a hash of their content.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Addresses of pages.
const PAGES: [&str; 10] = [
    "/experiments",
    "/experiments/{id}",
    "/experiments/{id}/versions/{pair}",
    "/flags",
    "/flags/{id}",
    "/plan",
    "/status",
    "/status/partitions/{n}",
    "/status/dead-letters",
    "/index.html",
];

/// Doors of the page, and of its files.
pub(crate) fn router(doors: Shared) -> Router {
    let router = PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(document)));
    router.route("/", get(|| async { Redirect::temporary("/experiments") })).fallback(file).with_state(doors)
}

/// The page itself, with the newest look inside, unless readers must show a token and this one does not.
async fn document(State(doors): State<Shared>, request: Request) -> Response {
    let built = Built::get("index.html").map(|file| file.data);
    let text = built.map_or(Cow::Borrowed(STUB), |bytes| Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()));
    let path = request.uri().path();
    let id = path.strip_prefix("/experiments/").and_then(|rest| rest.split('/').next());
    // A browser that opens an address shows no token, so that the page of a closed server has no numbers inside and fetches them.
    let newest = doors.board.newest().filter(|_| doors.may_read(request.headers()));
    let look = newest.and_then(|posted| match id {
        Some(id) => posted.experiment(id),
        None => Some(listed(&doors, &posted)),
    });
    let look = look.map_or_else(|| "null".to_owned(), |look| inside(&look, &doors));
    // The tag must not change with the server's time, which the look inside carries.
    let identity = look.rsplit_once(",\"server_time\"").map_or(look.as_str(), |(before, _)| before);
    let identity = format!("{text}{identity}");
    let page = match text.split_once(PLACE) {
        Some((before, after)) => {
            let rest = after.find("</script>").map_or(after, |end| &after[end..]);
            format!("{before}{PLACE}{look}{rest}")
        }
        None => text.into_owned(),
    };
    let mut response = tagged(request.headers(), Body::from(page), identity.as_bytes());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// JSON that cannot end the script that holds it.
fn inside(look: &str, doors: &Shared) -> String {
    let now = crate::http::posted::quoted(&crate::http::posted::time((doors.now_ms)()));
    with(look, "server_time", &now).replace('<', "\\u003c")
}

/// A file of the build, packed where it lies there packed and the caller can unpack it.
async fn file(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if Built::get(path).is_none() || path == "index.html" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if !matches!(*request.method(), axum::http::Method::GET | axum::http::Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let accepted = [("br", "br"), ("gzip", "gz")].into_iter().filter(|(coding, _)| takes(request.headers(), coding));
    let packed =
        accepted.filter_map(|(coding, end)| Some((Some(coding), Built::get(&format!("{path}.{end}"))?))).next();
    let Some((coding, found)) = packed.or_else(|| Some((None, Built::get(path)?))) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let bytes = match found.data {
        Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes::Bytes::from(bytes),
    };
    let hashed = path.starts_with("assets/");
    let mut response = tagged(request.headers(), Body::from(bytes.clone()), &bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if hashed {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(FOREVER));
    }
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|it| it.split(';').next().is_some_and(|it| it.trim() == coding) && !it.contains("q=0"))
}

/// What files of a page are.
fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
