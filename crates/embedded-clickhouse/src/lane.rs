//! A bounded queue with threads behind it.
//!
//! Statements run on plain threads, because the engine's calls block. There are two lanes, so that the rows of a pipeline never wait
//! behind somebody's long `SELECT`.

use crate::Error;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Work for a lane.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A queue and its threads. Dropping it waits for the work that has begun.
pub(crate) struct Lane {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    bound: usize,
}

impl Lane {
    /// Starts `threads` threads behind a queue of `bound` places.
    pub(crate) fn start(name: &str, threads: usize, bound: usize) -> std::io::Result<Lane> {
        let (sender, receiver) = sync_channel(bound);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..threads)
            .map(|number| {
                let receiver = Arc::clone(&receiver);
                std::thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work(&receiver))
            })
            .collect::<Result<_, _>>()?;
        Ok(Lane { jobs: Some(sender), threads, bound })
    }

    /// Queues a job, or refuses at once when all places are taken.
    pub(crate) fn push(&self, job: Job) -> Result<(), Error> {
        let jobs = self.jobs.as_ref().expect("the sender goes only when the lane is dropped");
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { waiting: self.bound },
            TrySendError::Disconnected(_) => Error::Stopped,
        })
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // The panic has been printed and the caller sees its reply dropped; the thread must live on for the others.
            Ok(job) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job))),
            Err(_) => return,
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}
