//! Results over HTTP, the contract in OpenAPI, and the page.
//!
//! [`router`] answers from what its caller feeds it: a [`Board`] with the newest looks, an [`Archive`] with earlier ones, the definitions in
//! force. It computes no number. Each door is a file with a `routes` function; to add doors, write another such file and merge it in
//! [`doors`]. What every answer has (a request id, limits, the token, headers) is in [`guard`]. Rejected: a web framework on top of axum,
//! because the contract must be readable beside the code that keeps it.

mod alarms;
mod archive;
mod board;
mod csv;
mod definitions;
mod document;
mod experiments;
mod guard;
mod history;
mod page;
mod plan;
mod posted;
mod problem;
mod raw;
mod setup;
mod status;
mod stream;
mod thin;
mod verify;
mod yaml;

pub use alarms::ALARMS_MAX;
pub use archive::{Archive, ArchiveError, DefinitionVersion, HistoryQuery, HistoryRow, Kept, SplitQuery, SplitRow};
pub use board::Board;
pub use definitions::Published;
pub use posted::{Alarm, Cut, Posted, PostedExperiment};
pub use problem::Problem;
pub use verify::{Difference, Refused, Verification, VerificationState, Verifier, Wanted};

use crate::edges::Edges;
use crate::planner::Planner;
use crate::status::Overseer;
use axum::Router;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use utoipa_axum::router::OpenApiRouter;

/// Everything that the doors answer from. The caller fills it and keeps what feeds it.
pub struct Sources {
    /// The newest looks.
    pub board: Arc<Board>,
    /// Earlier looks; without one, only those on the board can be had.
    pub archive: Option<Arc<dyn Archive>>,
    /// The definitions in force; `None` until they are known.
    pub definitions: watch::Receiver<Option<Arc<Published>>>,
    /// The edges that ask for them.
    pub edges: Arc<Edges>,
    /// Who plans, if anybody does here.
    pub planner: Option<Arc<dyn Planner>>,
    /// Who knows how the system is, if anybody does here.
    pub overseer: Option<Arc<dyn Overseer>>,
    /// Who replays looks, if anybody does here.
    pub verifier: Option<Arc<dyn Verifier>>,
    /// What readers have to show, if anything.
    pub read_token: Option<String>,
    /// Becomes true when the process stops: streams end then.
    pub stopped: watch::Receiver<bool>,
    /// Milliseconds since 1970, for the times that say when something was answered.
    pub now_ms: fn() -> i64,
}

/// The sources, and the places at them.
pub(crate) struct Doors {
    sources: Sources,
    /// Questions to the archive at one time.
    reads: Semaphore,
    /// Open streams.
    streams: Arc<Semaphore>,
    /// Plans that are computed.
    plans: Arc<Semaphore>,
}

impl std::ops::Deref for Doors {
    type Target = Sources;

    fn deref(&self) -> &Sources {
        &self.sources
    }
}

/// What handlers share.
pub(crate) type Shared = Arc<Doors>;

/// Questions that the archive is asked at one time: each takes a thread and a connection, and a person waits for one.
const ARCHIVE_READS_MAX: usize = 8;

/// All doors, ready to be merged with those of the caller.
pub fn router(sources: Sources) -> Router {
    let (reads, streams) = (Semaphore::new(ARCHIVE_READS_MAX), Arc::new(Semaphore::new(stream::STREAMS_MAX)));
    let plans = Arc::new(Semaphore::new(plan::PLANS_MAX));
    let shared = Arc::new(Doors { sources, reads, streams, plans });
    let (router, contract) = doors().with_state(shared.clone()).split_for_parts();
    let closed = guard::closed(router.merge(document::router(contract)), shared.clone());
    guard::around(closed.merge(page::router(shared)))
}

/// The doors of the contract, file by file.
fn doors() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(document::frame())
        .merge(experiments::routes())
        .merge(stream::routes())
        .merge(history::routes())
        .merge(verify::routes())
        .merge(setup::routes())
        .merge(definitions::routes())
        .merge(plan::routes())
        .merge(status::routes())
}
