//! Plans of experiments and the demonstration of what looking early does: what may be asked, what is answered, and a trait for who computes
//! it, because only the command has the simulator.
//!
//! Every question is bounded where it is read, so that no answer takes more than a few hundred milliseconds of one processor.

mod answer;
mod fields;
mod peek;
mod question;

pub use answer::{
    Boundary, Curve, Headline, Method, MethodPlan, PlanAnswer, PlanDays, SplitCost, Still, StillAt, StillFinds,
};
pub use peek::{EverShare, PeekAnswer, PeekQuestion, PeekReading, Share};
pub use question::{Kind, Measured, PlanQuestion};

/// Computes plans. Its functions take up to a few hundred milliseconds; the doors call them on threads of their own, a few at a time.
pub trait Planner: Send + Sync {
    /// What an experiment needs, and when it will be over.
    fn plan(&self, question: &PlanQuestion) -> Result<PlanAnswer, Wrong>;

    /// What looking early does.
    fn peek(&self, question: &PeekQuestion) -> Result<PeekAnswer, Wrong>;
}

/// A question that has no answer: what of it is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Wrong {
    /// The member of the question.
    pub field: String,
    /// For people.
    pub detail: String,
}

impl Wrong {
    /// Of one member.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Wrong {
        Wrong { field: field.into(), detail: detail.into() }
    }
}
