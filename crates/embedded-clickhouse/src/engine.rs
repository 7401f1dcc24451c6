//! The engine: one per process, shared by cloning.

use crate::Error;
use crate::ffi::{Answer, Connection, Library};
use crate::lane::Lane;
use crate::session::Sessions;
use crate::ticket::{Canceller, Ticket};
use crate::work::{Prepared, Work};
use bytes::Bytes;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Set by the first engine of the process and never cleared: the library keeps its state in globals and does not survive a
/// second start.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Bounds of an engine.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest that a statement may take, the wait in the queue included.
    pub statement: Duration,
    /// How many statements may wait per lane (inserts; everything else) before the next one is refused.
    pub waiting: usize,
    /// Threads for statements that are no inserts of rows.
    pub queries: usize,
    /// Threads for inserts of rows.
    pub inserts: usize,
    /// The largest result, in bytes of the engine's memory format. Beyond it a statement fails with code 396.
    pub result_bytes: u64,
    /// The most memory that one statement may take. Beyond it, it fails with code 241.
    pub memory_bytes: u64,
}

impl Limits {
    /// For a machine that has other work too: five minutes, a few threads, half a gigabyte of result, four of memory.
    pub const USUAL: Limits = Limits {
        statement: Duration::from_secs(300),
        waiting: 256,
        queries: 4,
        inserts: 2,
        result_bytes: 512 << 20,
        memory_bytes: 4 << 30,
    };
}

/// ClickHouse in this process. Clones share it; when the last one goes, running statements are stopped and the engine ends.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// Dropped in this order: no new statements, the running ones end, sessions close, the engine stops, the directory is free.
struct Shared {
    stopping: Arc<AtomicBool>,
    canceller: Canceller,
    inserts: Lane,
    queries: Lane,
    sessions: Arc<Sessions>,
    next: AtomicU64,
    limits: Limits,
    home: Arc<Home>,
    /// Keeps the engine up while no statement runs.
    _root: Mutex<Connection>,
    _lock: File,
}

/// What it takes to open a connection.
struct Home {
    library: Arc<Library>,
    path: PathBuf,
    arguments: Vec<String>,
}

impl Home {
    fn connect(&self) -> Result<Connection, Error> {
        Connection::open(&self.library, &self.arguments).ok_or_else(|| Error::Connect { path: self.path.clone() })
    }
}

impl Engine {
    /// Starts the engine on a directory with [`Limits::USUAL`].
    pub fn open(library: &Path, data_dir: &Path) -> Result<Engine, Error> {
        Engine::open_with(library, data_dir, Limits::USUAL)
    }

    /// Starts the engine on a directory, which is made if absent and locked against other processes.
    pub fn open_with(library: &Path, data_dir: &Path, limits: Limits) -> Result<Engine, Error> {
        let (path, lock) = claim(data_dir)?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(Error::SecondEngine);
        }
        let library = Library::load(library).inspect_err(|_| STARTED.store(false, Ordering::SeqCst))?;
        let home = Arc::new(Home { library, arguments: arguments(&path, &limits), path });
        let root = home.connect()?;
        let threads = |error: std::io::Error| Error::Directory { path: home.path.clone(), reason: error.to_string() };
        let shared = Shared {
            stopping: Arc::new(AtomicBool::new(false)),
            canceller: Canceller::start(home.connect()?).map_err(threads)?,
            inserts: Lane::start("clickhouse-insert", limits.inserts, limits.waiting).map_err(threads)?,
            queries: Lane::start("clickhouse-query", limits.queries, limits.waiting).map_err(threads)?,
            sessions: Arc::new(Sessions::default()),
            next: AtomicU64::new(1),
            limits,
            _root: Mutex::new(root),
            _lock: lock,
            home,
        };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// Runs one statement in a database (`None` is `default`) and waits for its whole result. Blocks: not for async code, which asks
    /// through [`crate::serve`].
    pub fn query(&self, database: Option<&str>, sql: &str, format: &str) -> Result<Vec<u8>, Error> {
        let work = Work {
            text: Bytes::copy_from_slice(sql.as_bytes()),
            format: Some(format.to_owned()),
            database: database.map(str::to_owned),
            ..Work::default()
        };
        self.wait(work).map(|answer| answer.body)
    }

    /// Inserts rows: `sql` is an `INSERT` that ends with `FORMAT …`, `rows` are in that format, text or binary. Blocks.
    pub fn insert(&self, sql: &str, rows: Vec<u8>) -> Result<Answer, Error> {
        self.wait(Work { text: Bytes::copy_from_slice(sql.as_bytes()), body: Bytes::from(rows), ..Work::default() })
    }

    /// The bounds it was opened with.
    pub fn limits(&self) -> Limits {
        self.shared.limits
    }

    fn wait(&self, work: Work) -> Result<Answer, Error> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let mut ticket = self.submit(work.prepare()?, move |answer| drop(sender.send(answer)))?;
        match receiver.recv_timeout(self.patience()) {
            Ok(answer) => ticket.done(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::Timeout { limit: self.shared.limits.statement }),
            Err(mpsc::RecvTimeoutError::Disconnected) => ticket.done(Err(Error::Stopped)),
        }
    }

    /// As [`Engine::query`], for async code; dropping the future stops the statement.
    pub(crate) async fn run(&self, work: Prepared) -> Result<Answer, Error> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut ticket = self.submit(work, move |answer| drop(sender.send(answer)))?;
        match tokio::time::timeout(self.patience(), receiver).await {
            Ok(Ok(answer)) => ticket.done(answer),
            Ok(Err(_)) => ticket.done(Err(Error::Stopped)),
            Err(_) => Err(Error::Timeout { limit: self.shared.limits.statement }),
        }
    }

    /// The engine stops a statement at the limit by itself and says why; only if it does not, we stop waiting.
    fn patience(&self) -> Duration {
        self.shared.limits.statement + Duration::from_secs(1)
    }

    fn submit(
        &self,
        work: Prepared,
        reply: impl FnOnce(Result<Answer, Error>) + Send + 'static,
    ) -> Result<Ticket, Error> {
        let shared = &self.shared;
        let ticket = shared.canceller.ticket(shared.next.fetch_add(1, Ordering::Relaxed));
        let lane = if work.inserts() { &shared.inserts } else { &shared.queries };
        let (home, sessions) = (Arc::clone(&shared.home), Arc::clone(&shared.sessions));
        let (stopping, token) = (Arc::clone(&shared.stopping), ticket.token());
        lane.push(Box::new(move || {
            let answer = match stopping.load(Ordering::SeqCst) || token.is_cancelled() {
                true => Err(Error::Stopped),
                false => execute(&work, &home, &sessions, token.tag()),
            };
            reply(answer);
        }))?;
        Ok(ticket)
    }
}

fn execute(work: &Prepared, home: &Home, sessions: &Sessions, tag: &str) -> Result<Answer, Error> {
    match &work.work.session {
        // A connection of its own leaves no setting behind for the next statement, and costs a tenth of a millisecond.
        None => work.run(&mut home.connect()?, tag),
        Some(name) => {
            let mut connection = sessions.take(name, || home.connect())?;
            let answer = work.run(&mut connection, tag);
            sessions.put_back(name, connection);
            answer
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.canceller.cancel_all();
        self.sessions.clear();
    }
}

/// Makes the directory and takes its lock. The lock ends with the process, however that dies.
fn claim(data_dir: &Path) -> Result<(PathBuf, File), Error> {
    let unusable = |error: std::io::Error| Error::Directory { path: data_dir.to_owned(), reason: error.to_string() };
    let engine = data_dir.join("engine");
    std::fs::create_dir_all(&engine).map_err(unusable)?;
    let lock = File::create(data_dir.join("lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok((engine.canonicalize().map_err(unusable)?, lock)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked { path: data_dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Defaults of every connection. What a client says beside its statement comes later and wins.
fn arguments(path: &Path, limits: &Limits) -> Vec<String> {
    vec![
        format!("--path={}", path.display()),
        // Rows are acked when they are in the table, not when they are in a buffer.
        "--async_insert=0".to_owned(),
        // `1 + 1` is no statement on a server.
        "--implicit_select=0".to_owned(),
        // The machine's zone must not leak into results.
        "--session_timezone=UTC".to_owned(),
        format!("--max_execution_time={}", limits.statement.as_secs_f64()),
        format!("--max_result_bytes={}", limits.result_bytes),
        "--result_overflow_mode=throw".to_owned(),
        format!("--max_memory_usage={}", limits.memory_bytes),
    ]
}
