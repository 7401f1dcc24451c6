//! The state of one partition: validate, dedupe, attribute, add, close windows, snapshot.
