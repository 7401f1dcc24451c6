//! What can go wrong, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

/// Why the engine did not start, or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No engine on this machine.
    #[error(
        "the ClickHouse engine (libchdb) is not installed; looked at {}; run `make deps` (or .ci/install-clickhouse), or set ASSAY_LIBCHDB to the file",
        list(looked)
    )]
    NotInstalled {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The file is there but is not the engine, or not one that this machine can load.
    #[error("cannot load the ClickHouse engine from {}: {reason}; run `make deps` to install a fitting one", path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// Only one engine fits into a process: the library keeps its state in globals.
    #[error(
        "this process already has a ClickHouse engine, and the library allows one per process; share it by cloning `Engine`"
    )]
    SecondEngine,
    /// Another process owns the directory.
    #[error("{} is in use by another process; stop it, or choose another directory for ClickHouse's data", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be used.
    #[error("cannot use {} for ClickHouse's data: {reason}; check that it exists, may be written and has space", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The engine refused to start or to open another session.
    #[error("the ClickHouse engine did not open {}: the directory may be damaged or of a newer version", path.display())]
    Connect {
        /// The directory.
        path: PathBuf,
    },
    /// The engine's own refusal, worded by it: `Code: 60. DB::Exception: …`.
    #[error("{message}")]
    Exception {
        /// ClickHouse's error code.
        code: u32,
        /// The whole text.
        message: String,
    },
    /// The queue is full: the engine is behind, nothing was run.
    #[error(
        "Code: 202. DB::Exception: {waiting} statements already wait for the embedded engine; nothing was run, try again. (TOO_MANY_SIMULTANEOUS_QUERIES)"
    )]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The time limit passed; the statement was told to stop.
    #[error(
        "Code: 159. DB::Exception: Timeout exceeded: the embedded engine did not finish within {limit:?}. (TIMEOUT_EXCEEDED)"
    )]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The engine stopped while the statement waited.
    #[error("Code: 236. DB::Exception: the embedded engine has stopped. (ABORTED)")]
    Stopped,
    /// The door opens on loopback only: there is no encryption and maybe no password.
    #[error("refusing to serve ClickHouse on {address}: only loopback addresses such as 127.0.0.1 are allowed")]
    NotLoopback {
        /// What the listener is bound to.
        address: std::net::SocketAddr,
    },
    /// The socket failed.
    #[error("ClickHouse's local port failed: {0}")]
    Socket(#[source] std::io::Error),
}

impl Error {
    /// Reads the code out of the engine's message, and drops the repeated prefixes that nested exceptions leave.
    pub(crate) fn from_engine(message: &str) -> Error {
        let mut text = message.trim_end();
        while let Some((_, rest)) = split_prefix(text)
            && split_prefix(rest).is_some()
        {
            text = rest;
        }
        match split_prefix(text) {
            Some((code, _)) => Error::Exception { code, message: text.to_owned() },
            None => Error::exception(1002, "UNKNOWN_EXCEPTION", text),
        }
    }

    /// An exception in the engine's wording that the door raises itself.
    pub(crate) fn exception(code: u32, name: &str, text: &str) -> Error {
        Error::Exception { code, message: format!("Code: {code}. DB::Exception: {text}. ({name})") }
    }

    /// ClickHouse's error code for this.
    pub fn code(&self) -> u32 {
        match self {
            Error::Exception { code, .. } => *code,
            Error::Busy { .. } => 202,
            Error::Timeout { .. } => 159,
            Error::Stopped => 236,
            _ => 1001,
        }
    }
}

/// Splits `Code: N. DB::Exception: rest`.
fn split_prefix(text: &str) -> Option<(u32, &str)> {
    let (code, rest) = text.strip_prefix("Code: ")?.split_once(". DB::Exception: ")?;
    Some((code.parse().ok()?, rest))
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, code: u32, text: &str) {
        let error = Error::from_engine(message);
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    }

    #[test]
    fn an_exception_keeps_its_code_and_loses_repeated_prefixes() {
        check(
            "Code: 60. DB::Exception: No such table. (UNKNOWN_TABLE)\n",
            60,
            "Code: 60. DB::Exception: No such table. (UNKNOWN_TABLE)",
        );
        check(
            "Code: 73. DB::Exception: Code: 73. DB::Exception: Unknown format",
            73,
            "Code: 73. DB::Exception: Unknown format",
        );
        check("out of luck", 1002, "Code: 1002. DB::Exception: out of luck. (UNKNOWN_EXCEPTION)");
    }
}
