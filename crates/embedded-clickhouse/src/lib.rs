//! The ClickHouse engine behind ClickHouse's own HTTP interface.
