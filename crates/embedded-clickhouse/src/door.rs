//! ClickHouse's HTTP interface in front of the engine.

use crate::access::Access;
use crate::exchange::{Exchange, describe, header_value, text};
use crate::status::status;
use crate::{Engine, Error, frames};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// The largest body, compressed or not. A pipeline's chunk is an eighth of it.
pub const BODY_BYTES_MAX: usize = 256 << 20;
/// How long requests that are under way may go on after the stop signal.
const FAREWELL: Duration = Duration::from_secs(10);
/// Smaller answers are sent as they are: compressing them costs more than it saves.
const ENCODE_BYTES_MIN: usize = 1024;

/// Serves until `shutdown` ends, then lets running requests finish for some seconds.
///
/// The listener must be bound to a loopback address: nothing here is encrypted.
pub async fn serve(
    engine: Engine,
    listener: TcpListener,
    access: Access,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::Socket)?;
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback { address });
    }
    let (stopped, mut stop) = tokio::sync::watch::channel(());
    let shutdown = async move {
        shutdown.await;
        drop(stopped);
    };
    let server = axum::serve(listener, router(engine, access)).with_graceful_shutdown(shutdown);
    let farewell = async move {
        // The sender says nothing; it is dropped when the signal has come.
        while stop.changed().await.is_ok() {}
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        result = server => result.map_err(Error::Socket),
        // Dropping the server drops its requests, and those stop their statements.
        () = farewell => Ok(()),
    }
}

fn router(engine: Engine, access: Access) -> Router {
    let door = Arc::new(Door { engine, access, served: AtomicU64::new(1) });
    Router::new()
        .route("/ping", get(|| async { "Ok.\n" }))
        // No table is replicated here, so no replica lags.
        .route("/replicas_status", get(|| async { "Ok.\n" }))
        .route("/", any(answer))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "There is no such path. ClickHouse's HTTP interface is at /, /ping and /replicas_status.\n",
            )
        })
        .with_state(door)
}

struct Door {
    engine: Engine,
    access: Access,
    served: AtomicU64,
}

type Pairs = Vec<(String, String)>;

async fn answer(State(door): State<Arc<Door>>, pairs: Query<Pairs>, request: Request) -> Response {
    let empty = request.uri().query().is_none_or(str::is_empty);
    if empty && matches!(*request.method(), Method::GET | Method::HEAD) {
        return "Ok.\n".into_response();
    }
    let accepted = text(request.headers(), "accept-encoding").unwrap_or_default();
    let mut name = QueryName::default();
    let mut response =
        door.exchange(pairs.0, request, &accepted, &mut name).await.unwrap_or_else(|error| refusal(&error));
    let id = name.0.unwrap_or_else(|| format!("assay-http-{}", door.served.fetch_add(1, Ordering::Relaxed)));
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-clickhouse-query-id"), header_value(&id));
    headers.insert(HeaderName::from_static("x-clickhouse-timezone"), HeaderValue::from_static("UTC"));
    headers.insert(HeaderName::from_static("x-clickhouse-server-display-name"), HeaderValue::from_static("assay"));
    response
}

/// What the client calls its statement, known as soon as the address is read and wanted even if the rest fails.
#[derive(Default)]
struct QueryName(Option<String>);

impl Door {
    async fn exchange(
        &self,
        pairs: Pairs,
        request: Request,
        accepted: &str,
        name: &mut QueryName,
    ) -> Result<Response, Error> {
        self.access.check(request.headers(), &pairs)?;
        let (head, body) = request.into_parts();
        let mut exchange = Exchange::new(pairs, &head.headers, head.method != Method::POST)?;
        name.0.clone_from(&exchange.query_id);
        let body = read(body).await?;
        exchange.read_body(&head.headers, body, BODY_BYTES_MAX)?;
        let work = exchange.work.prepare()?;
        let format = work.output_format.clone();
        let answer = self.engine.run(work).await?;
        let described = describe(&answer, &format);
        let mut response = match exchange.compress {
            true => Response::new(Body::from(frames::pack_frames(&answer.body))),
            false => encoded(answer.body, accepted),
        };
        response.headers_mut().extend(described);
        Ok(response)
    }
}

/// Reads a body to its end before anything runs: an upload that breaks off must leave no rows behind.
async fn read(body: Body) -> Result<Bytes, Error> {
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        match reason.contains("limit") {
            true => frames::too_large(BODY_BYTES_MAX),
            false => Error::exception(210, "NETWORK_ERROR", &format!("the body broke off: {reason}")),
        }
    })
}

fn encoded(body: Vec<u8>, accepted: &str) -> Response {
    let packed = (body.len() >= ENCODE_BYTES_MIN).then(|| frames::encode(accepted, &body)).flatten();
    let Some((encoding, packed)) = packed else { return Response::new(Body::from(body)) };
    let mut response = Response::new(Body::from(packed));
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    response
}

fn refusal(error: &Error) -> Response {
    let mut response = (status(error.code()), format!("{error}\n")).into_response();
    let code = HeaderValue::from(error.code());
    response.headers_mut().insert(HeaderName::from_static("x-clickhouse-exception-code"), code);
    if status(error.code()) == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ClickHouse\""));
    }
    response
}
