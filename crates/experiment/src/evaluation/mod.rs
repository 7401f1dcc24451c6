//! Which variant does a unit get? One engine for flags and experiments, pure: a compiled [`Ruleset`] and a parsed [`Context`] in, an
//! [`Answer`] or a [`Failure`] out, the same on every replica and every machine.
//!
//! The order is fixed: environment, flag, disabled, override, prerequisites, holdout, rules in their order, default. Targeting is JSONLogic in
//! flagd's dialect, compiled once and bounded. A flag that cannot be compiled is quarantined alone: it answers an error and all others live.
//! Rejected: an answer for everything, because a unit that is missing would then be a whole anonymous population in one variant; and a
//! store of who got what, because hashing is as sticky and cannot be away.
//!
//! ```
//! use assay_experiment::evaluation::{Context, Reason, Ruleset};
//! use assay_experiment::{ConfigVersion, Source, parse};
//!
//! let text = r#"{ kind: flag, id: new-search, type: boolean, variants: { "on": true, "off": false }, default: "off",
//!     rules: [{ if: { "==": [{ var: country }, DE] }, serve: "on" }] }"#;
//! let definitions = parse(&[Source { name: "flags.yaml", text }]).unwrap();
//! let ruleset = Ruleset::compile(&definitions, ConfigVersion(1), "production");
//! let context = Context::parse(br#"{"targetingKey": "u-17", "country": "DE"}"#).unwrap();
//! let answer = ruleset.evaluate_key("new-search", &context).unwrap();
//! assert_eq!((answer.variant, answer.reason), (Some(1), Reason::TargetingMatch));
//! ```

mod answer;
mod compile;
mod context;
mod evaluate;
pub(crate) mod logic;
mod operators;
mod quick;
mod ruleset;

pub use answer::{Answer, Assigned, Failure, Reason};
pub use context::{BadContext, Context};
pub use ruleset::{Rule, Ruleset};
