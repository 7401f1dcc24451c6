//! Connections: one thread per core, each with its own runtime and its own accepting, so that no request changes cores.
//!
//! Rejected: one runtime over several threads, because a request takes a few microseconds and moving it costs as much.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Sleep};

use crate::guard::{Counted, Counts, WATCH_EVERY, Watch};
use crate::limits::{DRAIN, HEAD_BYTES_MAX, HEADERS_MAX};
use crate::service::Service;

/// After accepting failed, mostly because the process has no more file descriptors: others have to end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Threads that answer.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Answers on a listening socket with so many threads.
    pub fn start(service: &Arc<Service>, listener: TcpListener, workers: usize) -> io::Result<Server> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let workers = (0..workers.max(1))
            .map(|number| {
                let (service, listener, stopped) = (service.clone(), listener.try_clone()?, stopped.clone());
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                std::thread::Builder::new().name(format!("edge-{number}")).spawn(move || {
                    runtime.block_on(work(service, listener, stopped));
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Server { address, stop, workers })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more, finishes the requests that are in work, and returns.
    pub fn stop(self) {
        // The workers hold receivers until they end.
        let _ = self.stop.send(true);
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a thread of the edge panicked");
            }
        }
    }
}

/// Accepts until told to stop, then waits for its connections.
async fn work(service: Arc<Service>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let open = Arc::new(());
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(problem) => return tracing::error!(%problem, "the edge cannot accept connections"),
    };
    let draining = stopped.clone();
    loop {
        let accepted = tokio::select! {
            // The sender says so once, or is dropped.
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                // Beyond the bound this one waits here, and all others in the system's backlog.
                let place = tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => break,
                    place = service.places.take() => place,
                };
                let (service, draining, open) = (service.clone(), draining.clone(), open.clone());
                tokio::spawn(async move {
                    serve(&service, stream, draining).await;
                    drop((place, open));
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "accepting a connection failed; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let deadline = Instant::now() + DRAIN;
    while Arc::strong_count(&open) > 1 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Places of connections, over all threads.
pub struct Places {
    free: Arc<Semaphore>,
    most: usize,
}

impl Places {
    /// So many.
    pub fn new(most: usize) -> Places {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Places { free: Arc::new(Semaphore::new(most)), most }
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.most - self.free.available_permits()
    }

    /// Waits for one; it is given back when it is dropped.
    async fn take(&self) -> OwnedSemaphorePermit {
        self.free.clone().acquire_owned().await.expect("nobody closes it")
    }
}

/// One connection until its end.
async fn serve(service: &Service, stream: TcpStream, stopped: watch::Receiver<bool>) {
    // Answers are written whole, so waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let counts = Arc::new(Counts::default());
    let mut watch = Watch::new(counts.clone());
    let answering = service_fn(|request| {
        let counts = &counts;
        counts.start();
        async move {
            let answer = service.answer(request).await;
            counts.finish();
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .header_read_timeout(None)
            .pipeline_flush(true)
            .serve_connection(Counted::new(stream, counts.clone()), answering)
    );
    let mut clock = pin!(tokio::time::sleep(WATCH_EVERY));
    let mut draining = false;
    std::future::poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while clock.as_mut().poll(cx).is_ready() {
            if watch.look() {
                return Poll::Ready(());
            }
            if *stopped.borrow() && !draining {
                draining = true;
                connection.as_mut().graceful_shutdown();
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
            }
            restart(clock.as_mut());
        }
        Poll::Pending
    })
    .await;
}

fn restart(clock: std::pin::Pin<&mut Sleep>) {
    let next = clock.deadline() + WATCH_EVERY;
    clock.reset(next.max(Instant::now()));
}
