//! Poll, decode, apply, flush to ClickHouse, snapshot.
