//! The control plane over HTTP: asks for what is newer, and waits there until something is.

use assay_experiment::snapshot::{BYTES_MAX, Snapshot};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

use crate::service::VERSION;

/// How long the control plane may wait for something newer before it says that nothing is.
const WAIT_SECONDS: u64 = 25;
/// An answer that takes longer than the wait and this is none.
const PATIENCE: Duration = Duration::from_secs(WAIT_SECONDS + 10);

/// A control plane.
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    base: String,
    /// What every question carries: the token, and who asks.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The header with the name of the edge that asks.
const EDGE: HeaderName = HeaderName::from_static("assay-edge");

/// What it said.
pub enum Heard {
    /// A version.
    Snapshot(Snapshot),
    /// Nothing is newer.
    NothingNewer,
}

impl Upstream {
    /// At an address such as `https://assay.example:8080`.
    pub fn new(address: &str, token: Option<&str>) -> Result<Upstream, String> {
        let base = address.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|problem| format!("'{address}' is no address: {problem}"))?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!("'{address}' is no address; write http://HOST:PORT or https://HOST:PORT"));
        }
        let mut headers = Vec::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| "the token of the source has characters that no header may have".to_owned())?;
            value.set_sensitive(true);
            headers.push((AUTHORIZATION, value));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|problem| format!("the system's certificates cannot be read: {problem}"))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Upstream { client: Client::builder(TokioExecutor::new()).build(connector), base, headers })
    }

    /// From now on it says who asks.
    pub(crate) fn introduce(&mut self, name: &str) {
        // Its letters are such as a header may have.
        self.headers.extend(HeaderValue::from_str(name).ok().map(|name| (EDGE, name)));
    }

    /// Asks for what is newer than a version, and says what is in force. `Err` says why there is no answer.
    pub(crate) async fn ask(&self, after: u64, in_force: u64) -> Result<Heard, String> {
        match tokio::time::timeout(PATIENCE, self.exchange(after, in_force)).await {
            Ok(heard) => heard,
            Err(_) => Err(format!("{} did not answer within {PATIENCE:?}", self.base)),
        }
    }

    async fn exchange(&self, after: u64, in_force: u64) -> Result<Heard, String> {
        let address = format!("{}/internal/definitions?after={after}&wait={WAIT_SECONDS}", self.base);
        let mut request = Request::builder().uri(&address).header(VERSION, in_force);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::new()).map_err(|problem| format!("{address}: {problem}"))?;
        let answer = self.client.request(request).await.map_err(|problem| {
            let cause = std::error::Error::source(&problem).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{}: {problem}{cause}", self.base)
        })?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(Heard::NothingNewer),
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(format!(
                    "{} does not take this edge's token; set ASSAY_EDGE_SOURCE_TOKEN to its read token, and start the edge again",
                    self.base
                ));
            }
            other => return Err(format!("{} answers {other} where a snapshot should be", self.base)),
        }
        let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
        let bytes = body.map_err(|problem| format!("{}: the answer broke off: {problem}", self.base))?.to_bytes();
        Snapshot::decode(&bytes).map(Heard::Snapshot).map_err(|problem| format!("{}: {problem}", self.base))
    }
}
