//! Exposures that an edge showed and could not write: it reports how many, later, and they count for their experiment and for no unit.
//!
//! A report is a conversion of a reserved name by a unit of a reserved type, so that it needs no door of its own and comes once, like
//! every event. It is never attributed, because nobody knows whom the exposures were shown to.

use assay_experiment::{Attribute, Body, Event, Retraction, Value};

/// Name of the event.
const EVENT_NAME: &str = "assay.exposures_lost";
/// Type of the unit that reports.
const UNIT_TYPE: &str = "edge";
/// Attribute that names the experiment.
const EXPERIMENT: &str = "experiment";

/// What an edge reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report<'a> {
    pub experiment: &'a str,
    pub exposures: u64,
}

/// The report that an event is; `Err` says what is wrong with one.
pub(crate) fn report<'a>(event: &'a Event<'_>) -> Result<Option<Report<'a>>, String> {
    if event.unit_type != UNIT_TYPE {
        return Ok(None);
    }
    match &event.body {
        Body::Conversion { name, value, .. } if name == EVENT_NAME => {
            let experiment = event.attributes.iter().find_map(|(name, value)| match value {
                Attribute::Text(text) if name == EXPERIMENT => Some(text.as_ref()),
                _ => None,
            });
            let experiment =
                experiment.ok_or_else(|| format!("{EVENT_NAME} needs attribute '{EXPERIMENT}', a text"))?;
            let micros = value.map_or(0, |value| value.0);
            if micros <= 0 || micros % Value::ONE.0 != 0 {
                return Err(format!("event_value of {EVENT_NAME} is how many: a whole number above 0"));
            }
            Ok(Some(Report { experiment, exposures: (micros / Value::ONE.0) as u64 }))
        }
        Body::Retraction(Retraction::Correct { name, .. }) if name == EVENT_NAME => {
            Err(format!("{EVENT_NAME} cannot be taken back: what was lost stays lost"))
        }
        _ => Ok(None),
    }
}
