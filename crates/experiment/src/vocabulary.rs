//! The quantities that every other type is made of: times, values and ids that cannot be mistaken for each other.

use std::fmt;

/// An instant, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// A length of time, in microseconds. Never negative in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

/// A metric's value in micro-units: 19.99 is `Value(19_990_000)`. At most [`Value::MAX`] in magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Value(pub i64);

/// The id of an event, the key by which repeats are recognised. A UUID's 128 bits, most significant first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u128);

/// The number of a published set of definitions. Higher wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigVersion(pub u64);

impl Timestamp {
    /// Earlier than any event can be.
    pub const MIN: Timestamp = Timestamp(i64::MIN);

    /// Broker clocks count milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded towards the past.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole hours since the epoch, rounded towards the past: the UTC hour this instant lies in.
    pub const fn hour(self) -> i64 {
        self.0.div_euclid(Span::HOUR.0)
    }
}

impl Span {
    /// One second.
    pub const SECOND: Span = Span(1_000_000);
    /// One minute.
    pub const MINUTE: Span = Span(60 * Span::SECOND.0);
    /// One hour.
    pub const HOUR: Span = Span(60 * Span::MINUTE.0);
    /// Twenty-four hours, whatever a calendar says.
    pub const DAY: Span = Span(24 * Span::HOUR.0);
}

impl Value {
    /// The largest magnitude, 10^9 units: beyond it an event is rejected, and a unit's total is clamped when read.
    pub const MAX: Value = Value(1_000_000_000 * Value::ONE.0);
    /// One unit.
    pub const ONE: Value = Value(1_000_000);
}

impl std::ops::Add<Span> for Timestamp {
    type Output = Timestamp;
    /// Saturates, so that an absurd event time cannot panic the fold.
    fn add(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl std::ops::Sub<Span> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for EventId {
    /// The usual 8-4-4-4-12 form in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (b >> 96) as u32,
            (b >> 80) as u16,
            (b >> 64) as u16,
            (b >> 48) as u16,
            b & 0xffff_ffff_ffff
        )
    }
}
