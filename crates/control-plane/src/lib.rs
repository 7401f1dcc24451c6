//! Definitions: the log's identity, and publishing into it; and the doors through which people read results and plan.
//!
//! [`install`] makes a log Assay's, [`Publisher`] brings versions of the definitions into every partition. What a version may change is in
//! [`compare`]. [`http`] answers over HTTP from what it is fed; [`planner`] is what a plan is asked and answers. Rejected: a topic of its own for definitions, because then their place between two events would not be in the log.

mod change;
mod edges;
mod files;
mod history;
pub mod http;
mod install;
mod ledger;
mod mint;
pub mod planner;
mod publish;
mod settings;
pub mod status;

pub use change::{Refusal, compare};
pub use edges::Edges;
pub use files::FileError;
pub use install::{InstallError, install};
pub use mint::complete;
pub use publish::{PublishError, Publisher, Version};
