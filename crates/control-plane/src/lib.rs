//! Definitions: the log's identity, and publishing into it.
//!
//! [`install`] makes a log Assay's, [`Publisher`] brings versions of the definitions into every partition. What a version may change is in
//! [`compare`]. Rejected: a topic of its own for definitions, because then their place between two events would not be in the log.

mod change;
mod files;
mod history;
mod install;
mod ledger;
mod mint;
mod publish;

pub use change::{Refusal, compare};
pub use files::FileError;
pub use install::{InstallError, install};
pub use mint::complete;
pub use publish::{PublishError, Publisher, Version};
