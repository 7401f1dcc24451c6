//! The fold from outside: records in, looks and dead letters out.

#![allow(clippy::unwrap_used, reason = "a case that cannot be built has failed")]

mod days;
mod driver;
mod history;
mod oracle;
mod rules;
