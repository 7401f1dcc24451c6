//! Stopping what nobody waits for any more.

use crate::Error;
use crate::ffi::{Answer, Connection, Parameters};
use crate::work::literal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// The thread that kills statements, on a connection of its own so that it never queues behind them.
pub(crate) struct Canceller {
    // Unbounded, but it holds at most one entry per statement that waits or runs, and those are bounded.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    One(Arc<Token>),
    All,
}

/// What marks a statement while it waits and runs.
pub(crate) struct Token {
    tag: String,
    cancelled: AtomicBool,
}

impl Token {
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

/// The waiting side of a statement. Dropped before [`Ticket::done`], it stops the statement.
pub(crate) struct Ticket {
    token: Arc<Token>,
    orders: Option<Sender<Order>>,
}

impl Ticket {
    pub(crate) fn token(&self) -> Arc<Token> {
        Arc::clone(&self.token)
    }

    /// Passes the answer on: nothing is left to stop.
    pub(crate) fn done(&mut self, answer: Result<Answer, Error>) -> Result<Answer, Error> {
        self.orders = None;
        answer
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(orders) = self.orders.take() {
            self.token.cancelled.store(true, Ordering::SeqCst);
            // Without the thread the engine is ending, which stops everything anyway.
            let _ = orders.send(Order::One(Arc::clone(&self.token)));
        }
    }
}

impl Canceller {
    pub(crate) fn start(mut connection: Connection) -> std::io::Result<Canceller> {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("clickhouse-cancel".to_owned()).spawn(move || {
            for order in receiver {
                let which = match &order {
                    Order::One(token) => format!("= {}", literal(&token.tag)),
                    Order::All => "!= ''".to_owned(),
                };
                let sql = format!("KILL QUERY WHERE Settings['log_comment'] {which} ASYNC");
                if let Err(message) = connection.query(sql.as_bytes(), "Null", &Parameters::default()) {
                    tracing::warn!(message, "a statement could not be stopped before its time limit");
                }
            }
        })?;
        Ok(Canceller { orders: Some(sender), thread: Some(thread) })
    }

    pub(crate) fn ticket(&self, number: u64) -> Ticket {
        let token = Token { tag: format!("assay-{number}"), cancelled: AtomicBool::new(false) };
        Ticket { token: Arc::new(token), orders: self.orders.clone() }
    }

    pub(crate) fn cancel_all(&self) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::All);
        }
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
