//! Alarms of the board in the store, one object each, so that a restart forgets none.

use assay_control_plane::http::{ALARMS_MAX, Board};
use assay_pipeline::{DirectoryStore, Store, StoreError};
use std::sync::Arc;

/// What is kept.
pub struct Alarms {
    store: Arc<DirectoryStore>,
    prefix: String,
    /// Number of the first alarm that is not in the store.
    next: u64,
}

impl Alarms {
    /// Puts what an earlier process kept on the board.
    pub fn restore(store: Arc<DirectoryStore>, log: &str, board: &Board) -> Self {
        let mut alarms = Alarms { store, prefix: format!("alarms/{log}/"), next: 0 };
        match alarms.read() {
            Ok(kept) => {
                alarms.next = kept.last().map_or(0, |(number, _)| number + 1);
                let unread = board.restore(&kept);
                if unread > 0 {
                    tracing::warn!(unread, "alarms of another build are passed over");
                }
            }
            Err(problem) => tracing::error!(%problem, "earlier alarms are not shown"),
        }
        alarms
    }

    fn read(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let mut kept = Vec::new();
        for (key, _) in self.store.list(&self.prefix)? {
            let number = key.strip_prefix(&self.prefix).and_then(|number| number.parse().ok());
            if let Some(number) = number
                && let Some(bytes) = self.store.get(&key)?
            {
                kept.push((number, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Ok(kept)
    }

    /// Keeps what the board has told since, and as many as it remembers.
    pub fn keep(&mut self, board: &Board) {
        for (number, text) in board.alarms(self.next) {
            if let Err(problem) = self.put(number, &text) {
                tracing::error!(%problem, "could not keep an alarm; trying again with the next look");
                return;
            }
            self.next = number + 1;
        }
    }

    fn put(&self, number: u64, text: &str) -> Result<(), StoreError> {
        self.store.put(&self.key(number), text.as_bytes())?;
        number.checked_sub(ALARMS_MAX as u64).map_or(Ok(()), |oldest| self.store.remove(&self.key(oldest)))
    }

    /// Numbers with leading zeros are in the order of the numbers.
    fn key(&self, number: u64) -> String {
        format!("{}{number:020}", self.prefix)
    }
}
