//! The ClickHouse engine behind ClickHouse's own HTTP interface, inside this process.
//!
//! The engine is chDB's library (`libchdb`), found by [`find_library`], loaded at run time and never linked, so that a build needs
//! nothing of it. [`Engine`] owns it; [`serve`] puts the HTTP interface of a ClickHouse server in front, so that `curl`, the
//! `clickhouse` crate, notebooks and Grafana talk to it as to any server, and [`Engine::query`] serves the same process.
//!
//! Rows of an `INSERT` never pass through the engine's SQL parser: they are parted from the statement and streamed in as bytes, after
//! the whole body has arrived. An upload that breaks off inserts nothing.
//!
//! Rejected: a ClickHouse server as a child process. It is a second thing to install, supervise and upgrade, and the library is the
//! same engine with the same storage format.

mod access;
mod door;
mod engine;
mod error;
mod exchange;
mod ffi;
mod frames;
mod lane;
mod library;
mod multipart;
mod session;
mod statement;
mod status;
mod ticket;
mod tokens;
mod work;

pub use access::Access;
pub use door::{BODY_BYTES_MAX, serve};
pub use engine::{Engine, Limits};
pub use error::Error;
pub use ffi::Answer;
pub use library::find_library;
