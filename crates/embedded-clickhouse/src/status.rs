//! Which HTTP status a ClickHouse error code has. The groups are those of a ClickHouse server.

use axum::http::StatusCode;

/// The status for an error code.
pub(crate) fn status(code: u32) -> StatusCode {
    match code {
        // The request cannot be read: arguments, literals, types, syntax.
        6 | 10 | 15 | 25 | 26 | 27 | 36 | 38 | 41 | 44 | 53 | 62 | 69 | 72 | 117 | 167 | 168 | 223 | 294 | 376
        | 403 | 427 | 441 | 675 | 676 => StatusCode::BAD_REQUEST,
        // Something named does not exist: function, identifier, type, storage, table, setting, format, database.
        46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 107 | 115 | 336 | 372 => StatusCode::NOT_FOUND,
        164 | 192 | 193 | 344 | 516 => StatusCode::FORBIDDEN,
        194 => StatusCode::UNAUTHORIZED,
        159 => StatusCode::REQUEST_TIMEOUT,
        48 => StatusCode::NOT_IMPLEMENTED,
        74 | 76 | 202 | 209 | 236 | 439 => StatusCode::SERVICE_UNAVAILABLE,
        307 => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
