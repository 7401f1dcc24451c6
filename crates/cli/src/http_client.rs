//! JSON over HTTP to Assay's own doors, for the commands that ask a running Assay.

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value as Json;
use std::time::Duration;

/// No answer of ours is larger; a results document of a thousand experiments has some megabytes.
const ANSWER_MAX: usize = 64 << 20;
/// Nobody waits longer for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps connections open between requests.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    token: Option<String>,
}

/// What came back.
pub struct Answer {
    /// Of the answer.
    pub status: StatusCode,
    /// The body; null where it is empty.
    pub json: Json,
}

impl Client {
    /// For a base address such as `http://127.0.0.1:8016`.
    pub fn new(base: &str, token: Option<&str>) -> Result<Client> {
        let base = base.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("{base} is no address; it begins with http:// or https://");
        }
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("reading the system's certificates")?
            .https_or_http()
            .enable_http1()
            .build();
        let pool = Pool::builder(TokioExecutor::new()).build(connector);
        Ok(Client { pool, base, token: token.map(str::to_owned) })
    }

    /// Asks for a path.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Sends JSON to a path.
    pub async fn post(&self, path: &str, body: &Json) -> Result<Answer> {
        self.send(Method::POST, path, Bytes::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).with_context(|| format!("asking {}{path}", self.base))?;
        let asked = async {
            let (head, body) = self.pool.request(request).await?.into_parts();
            let bytes = Limited::new(body, ANSWER_MAX).collect().await.map_err(|problem| anyhow!(problem))?.to_bytes();
            Ok::<_, anyhow::Error>((head, bytes))
        };
        let (head, bytes) = tokio::time::timeout(PATIENCE, asked)
            .await
            .map_err(|_| anyhow!("{} did not answer within {} s", self.base, PATIENCE.as_secs()))?
            .with_context(|| format!("asking {}{path}; is Assay running there?", self.base))?;
        let json = match bytes.is_empty() {
            true => Json::Null,
            false => serde_json::from_slice(&bytes)
                .with_context(|| format!("{}{path} answered {} and no JSON", self.base, head.status))?,
        };
        Ok(Answer { status: head.status, json })
    }
}
