//! stub
use super::Methods;
pub(super) const METHODS: Methods = &[];
