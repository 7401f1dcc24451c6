//! Definitions, publishing, results over HTTP.
