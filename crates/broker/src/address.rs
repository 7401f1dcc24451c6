//! A log by its address.

use crate::kafka::{KafkaLog, KafkaSettings};
use crate::local::{Fsync, LocalLog, LocalSettings};
use crate::local_view::LocalView;
use crate::log::{Error, Log};
use std::path::Path;
use std::sync::Arc;

/// Opens a log only to read it: a local one although another process owns it.
pub fn open_to_read(address: &str) -> Result<Arc<dyn Log>, Error> {
    let place = address.split_once('?').map_or(address, |(place, _)| place);
    match place.strip_prefix("local:") {
        Some(directory) => Ok(Arc::new(LocalView::new(Path::new(directory)))),
        None => open(address),
    }
}

/// Opens `local:DIR[?fsync=always|never]` or `kafka://HOST:PORT[,HOST:PORT…][?SETTING=VALUE&…]`, with settings of librdkafka.
pub fn open(address: &str) -> Result<Arc<dyn Log>, Error> {
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let pairs =
        || query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    if let Some(directory) = place.strip_prefix("local:") {
        let mut settings = LocalSettings::default();
        for (name, value) in pairs() {
            settings.fsync = match (name, value) {
                ("fsync", "always") => Fsync::Always,
                ("fsync", "never") => Fsync::Never,
                _ => {
                    return Err(Error::Refused(format!(
                        "'{name}={value}' is no setting of a local log; there is fsync=always and fsync=never"
                    )));
                }
            };
        }
        return Ok(Arc::new(LocalLog::open(Path::new(directory), settings)?));
    }
    if let Some(brokers) = place.strip_prefix("kafka://") {
        let extra = pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        return Ok(Arc::new(KafkaLog::connect(KafkaSettings { brokers: brokers.to_owned(), extra })?));
    }
    Err(Error::Refused(format!("'{place}' is no address of a log; write local:DIRECTORY or kafka://HOST:PORT")))
}
