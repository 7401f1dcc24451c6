//! Sessions by name: connections that stay open between statements, with their `SET`s and temporary tables.

use crate::Error;
use crate::ffi::Connection;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// More sessions than this are refused: each holds a connection.
const SESSIONS_MAX: usize = 100;

/// Which session a statement runs in.
#[derive(Debug, Clone)]
pub(crate) struct SessionName {
    /// Chosen by the client.
    pub(crate) id: String,
    /// How long it may rest before it is closed.
    pub(crate) timeout: Duration,
    /// Refuse instead of opening a new one.
    pub(crate) must_exist: bool,
}

/// The sessions of an engine.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    /// Absent while a statement runs in it.
    connection: Option<Connection>,
    expires: Instant,
}

impl Sessions {
    /// Takes a session's connection out, or opens one with `open`. One statement at a time: ClickHouse's rule too.
    pub(crate) fn take(
        &self,
        name: &SessionName,
        open: impl FnOnce() -> Result<Connection, Error>,
    ) -> Result<Connection, Error> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions.retain(|_, session| session.connection.is_none() || now < session.expires);
        if let Some(session) = sessions.get_mut(&name.id) {
            return session.connection.take().ok_or_else(|| {
                Error::exception(
                    373,
                    "SESSION_IS_LOCKED",
                    &format!("Session {} is locked by a concurrent client", name.id),
                )
            });
        }
        if name.must_exist {
            return Err(Error::exception(372, "SESSION_NOT_FOUND", &format!("Session {} not found", name.id)));
        }
        if sessions.len() >= SESSIONS_MAX {
            return Err(Error::exception(
                202,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                &format!("{SESSIONS_MAX} sessions are open; let some expire"),
            ));
        }
        let connection = open()?;
        sessions.insert(name.id.clone(), Session { connection: None, expires: now });
        Ok(connection)
    }

    /// Puts the connection back; from now on the session rests.
    pub(crate) fn put_back(&self, name: &SessionName, connection: Connection) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = Session { connection: Some(connection), expires: Instant::now() + name.timeout };
        sessions.insert(name.id.clone(), session);
    }

    /// Closes all that rest.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
