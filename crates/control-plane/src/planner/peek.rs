//! The demonstration of what looking early does: what may be asked, and what is answered.

use super::Wrong;
use super::fields::Fields;
use serde::Serialize;

/// An experiment without an effect that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeekQuestion {
    /// Names the random numbers.
    pub seed: u64,
    /// How often it is looked at, evenly spaced.
    pub looks: u32,
    /// Units of both arms together at the last look.
    pub units: u64,
    /// At which both arms convert.
    pub rate: f64,
    /// Share of false positives that is promised.
    pub alpha: f64,
}

/// Looks, at most: as many points as the picture has.
const LOOKS_MAX: u64 = 200;
/// Units, at most: the simulation has a table of the conversions between two looks.
const UNITS_MAX: u64 = 4_000_000;
/// Seeds that every language's numbers hold.
const SEED_MAX: u64 = (1 << 53) - 1;

impl PeekQuestion {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Result<PeekQuestion, Wrong> {
        let mut fields = Fields::of(if body.is_empty() { b"{}" } else { body })?;
        let question = PeekQuestion {
            seed: fields.whole("seed", 0..=SEED_MAX)?.unwrap_or(1),
            looks: fields.whole("looks", 1..=LOOKS_MAX)?.unwrap_or(LOOKS_MAX) as u32,
            units: fields.whole("units", 2..=UNITS_MAX)?.unwrap_or(100_000),
            rate: fields.number("rate", 1e-6..=1.0 - 1e-6)?.unwrap_or(0.05),
            alpha: fields.number("alpha", 1e-6..=0.5)?.unwrap_or(0.05),
        };
        fields.end("seed, looks, units, rate and alpha")?;
        Ok(question)
    }
}

/// One experiment, and many of the same kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeekAnswer {
    /// Names the random numbers.
    pub seed: u64,
    /// How often it is looked at.
    pub looks: u32,
    /// Units of both arms together from look to look.
    pub units_per_look: u64,
    /// Units of both arms together at the last look.
    pub units: u64,
    /// At which both arms convert.
    pub rate: f64,
    /// Share of false positives that is promised.
    pub alpha: f64,
    /// One experiment, look by look.
    pub path: Vec<PeekReading>,
    /// Looks at which the ordinary p is below alpha although there is no effect.
    pub ordinary_below: u32,
    /// The same for the always-valid p.
    pub always_valid_below: u32,
    /// Experiments that `ever` was simulated with. Fixed, so that no question takes long; the theory beside it has no such error.
    pub runs: u64,
    /// The share of experiments without an effect that is ever called significant.
    pub ever: Vec<EverShare>,
}

/// What is seen at a look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PeekReading {
    /// Of both arms together.
    pub units: u64,
    /// The p of a test that is made for one look.
    pub ordinary: f64,
    /// The running always-valid p.
    pub always_valid: f64,
}

/// Of those who look so often.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EverShare {
    /// Evenly spaced.
    pub looks: u32,
    /// By the ordinary p.
    pub ordinary: Share,
    /// By the always-valid p.
    pub always_valid: Share,
}

/// A share of experiments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Of those that were simulated.
    pub simulated: f64,
    /// By numerical integration, in the limit of normal means.
    pub theory: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_may_be_empty_and_is_bounded() {
        assert_eq!(PeekQuestion::read(b"").unwrap(), PeekQuestion::read(br#"{"seed": 1, "looks": 200}"#).unwrap());
        for (body, field) in [
            (r#"{"seed": -1}"#, "seed"),
            (r#"{"seed": 9007199254740992}"#, "seed"),
            (r#"{"looks": 201}"#, "looks"),
            (r#"{"looks": 0}"#, "looks"),
            (r#"{"units": 4000001}"#, "units"),
            (r#"{"rate": 1}"#, "rate"),
            (r#"{"alpha": 0}"#, "alpha"),
            (r#"{"runs": 1000000}"#, "runs"),
        ] {
            assert_eq!(PeekQuestion::read(body.as_bytes()).unwrap_err().field, field, "{body}");
        }
    }
}
