//! The edge from outside: over real sockets, with a log, a disk and a source that can be taken away.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its input has failed")]

mod drill;
mod events;
mod harness;
mod ladder;
mod limits;
mod protocol;
mod streams;
