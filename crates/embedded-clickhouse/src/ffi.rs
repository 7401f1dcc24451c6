//! The border to the engine's C interface: the one file of this crate with `unsafe` in it.
//!
//! The interface is that of chDB 26.7 (`chdb.h`). Above this file a [`Connection`] is an ordinary owned value: it belongs to
//! one thread at a time (every verb takes `&mut self`), copies results out before it frees them, and closes on drop.
#![allow(unsafe_code)]

use crate::Error;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// `chdb_connection`: what queries are run on.
type RawConnection = *mut c_void;
/// `chdb_result *`.
type RawResult = *mut c_void;
/// `chdb_insert_stream`.
type RawInsert = *mut c_void;

/// The engine's functions. The library itself is never unloaded: its threads would lose the code under their feet.
pub(crate) struct Library {
    connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    close: unsafe extern "C" fn(*mut RawConnection),
    query: QueryWithParams,
    insert: InsertWithParams,
    append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> c_int,
    done: unsafe extern "C" fn(RawInsert) -> RawResult,
    insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    destroy_insert: unsafe extern "C" fn(RawInsert),
    buffer: unsafe extern "C" fn(RawResult) -> *mut c_char,
    length: unsafe extern "C" fn(RawResult) -> usize,
    error: unsafe extern "C" fn(RawResult) -> *const c_char,
    elapsed: unsafe extern "C" fn(RawResult) -> f64,
    counters: [unsafe extern "C" fn(RawResult) -> u64; 6],
    destroy_result: unsafe extern "C" fn(RawResult),
    /// The interface calls connecting and closing safe together; the engine's own start and stop are not worth the trust.
    connecting: Mutex<()>,
    _code: ManuallyDrop<libloading::Library>,
}

type QueryWithParams = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> RawResult;

type InsertWithParams = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> RawInsert;

/// What a statement answered.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Answer {
    /// The result in the format that was asked for.
    pub body: Vec<u8>,
    /// Rows of the result.
    pub result_rows: u64,
    /// Rows read from tables and files.
    pub read_rows: u64,
    /// Bytes read from tables and files.
    pub read_bytes: u64,
    /// Rows written, those of materialised views included. Rows that a deduplication token suppressed are counted too.
    pub written_rows: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// How long the engine worked, in nanoseconds.
    pub elapsed_ns: u64,
}

impl Library {
    /// Loads the engine without letting it touch the process's signal handlers.
    pub(crate) fn load(path: &Path) -> Result<Arc<Library>, Error> {
        // SAFETY: the library's initialisers are the engine's own start-up code, which runs in any process that links it; the
        // caller named this file as the engine.
        let code = unsafe { libloading::Library::new(path) }
            .map_err(|source| Error::Library { path: path.to_owned(), reason: source.to_string() })?;
        let missing = |name: &str| Error::Library {
            path: path.to_owned(),
            reason: format!("it has no `{name}`; chDB 26.7 or newer is needed"),
        };
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type is the one that `chdb.h` declares for this name.
                *unsafe { code.get($name.as_bytes()) }.map_err(|_| missing($name))?
            };
        }
        let signal_handlers: unsafe extern "C" fn(c_int) = symbol!("chdb_set_signal_handlers_enabled");
        // SAFETY: no connection exists yet, which is when this must be called. Ctrl-C and crash reports belong to the host.
        unsafe { signal_handlers(0) };
        Ok(Arc::new(Library {
            connect: symbol!("chdb_connect"),
            close: symbol!("chdb_close_conn"),
            query: symbol!("chdb_query_with_params_n"),
            insert: symbol!("chdb_stream_insert_with_params_n"),
            append: symbol!("chdb_stream_append"),
            done: symbol!("chdb_stream_done"),
            insert_error: symbol!("chdb_stream_insert_error"),
            destroy_insert: symbol!("chdb_destroy_insert_stream"),
            buffer: symbol!("chdb_result_buffer"),
            length: symbol!("chdb_result_length"),
            error: symbol!("chdb_result_error"),
            elapsed: symbol!("chdb_result_elapsed"),
            counters: [
                symbol!("chdb_result_rows_read"),
                symbol!("chdb_result_bytes_read"),
                symbol!("chdb_result_storage_rows_read"),
                symbol!("chdb_result_storage_bytes_read"),
                symbol!("chdb_result_rows_written"),
                symbol!("chdb_result_bytes_written"),
            ],
            destroy_result: symbol!("chdb_destroy_query_result"),
            connecting: Mutex::new(()),
            _code: ManuallyDrop::new(code),
        }))
    }

    /// Copies a result and frees it. The outer error is the engine's message.
    fn take(&self, result: RawResult) -> Result<Answer, String> {
        if result.is_null() {
            return Err("Code: 49. DB::Exception: the engine returned nothing. (LOGICAL_ERROR)".to_owned());
        }
        let [result_rows, _, read_rows, read_bytes, written_rows, written_bytes] =
            // SAFETY: `result` is a live result, owned by this call until it is destroyed below.
            self.counters.map(|counter| unsafe { counter(result) });
        // SAFETY: as above; the message lives as long as the result, and is copied before that ends.
        let error = unsafe { text((self.error)(result)) };
        // SAFETY: the buffer has `length` bytes, or is null when there are none.
        let body = unsafe { bytes((self.buffer)(result), (self.length)(result)) };
        // SAFETY: as above.
        let elapsed = unsafe { (self.elapsed)(result) };
        // SAFETY: nothing borrowed from the result remains.
        unsafe { (self.destroy_result)(result) };
        match error {
            Some(message) => Err(message),
            None => Ok(Answer {
                body,
                result_rows,
                read_rows,
                read_bytes,
                written_rows,
                written_bytes,
                elapsed_ns: (elapsed.max(0.0) * 1e9) as u64,
            }),
        }
    }
}

/// One session of the engine: its own settings, current database and temporary tables.
pub(crate) struct Connection {
    library: Arc<Library>,
    handle: *mut RawConnection,
}

// SAFETY: the engine binds nothing of a connection to a thread (statements run on its own threads); `&mut self` on every verb
// keeps two threads from using one connection at once.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens a connection; the first one starts the engine. `None` when the engine refuses, as it does for a bad argument.
    pub(crate) fn open(library: &Arc<Library>, arguments: &[String]) -> Option<Connection> {
        let arguments: Vec<CString> = std::iter::once("clickhouse")
            .chain(arguments.iter().map(String::as_str))
            .map(CString::new)
            .collect::<Result<_, _>>()
            .ok()?;
        let mut pointers: Vec<*mut c_char> = arguments.iter().map(|argument| argument.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        let _one_at_a_time = library.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `pointers` holds `count` strings that end in NUL and outlive the call; the engine copies them.
        let handle = unsafe { (library.connect)(count, pointers.as_mut_ptr()) };
        // SAFETY: a connection that is not null points to its handle.
        let open = !handle.is_null() && !unsafe { *handle }.is_null();
        if open {
            OPEN.fetch_add(1, Ordering::SeqCst);
            leave_before_the_engine();
        }
        open.then(|| Connection { library: Arc::clone(library), handle })
    }

    /// Runs one statement and returns its whole result. The error is the engine's message.
    pub(crate) fn query(&mut self, sql: &[u8], format: &str, parameters: &Parameters) -> Result<Answer, String> {
        let columns = parameters.columns();
        // SAFETY: the connection is live and ours alone; every pointer comes with its length and outlives the call.
        let result = unsafe {
            (self.library.query)(
                *self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                columns.names.as_ptr(),
                columns.name_lengths.as_ptr(),
                columns.values.as_ptr(),
                columns.value_lengths.as_ptr(),
                parameters.0.len(),
            )
        };
        self.library.take(result)
    }

    /// Runs an `INSERT` (without its `FORMAT` clause) over rows in `format`. Nothing is inserted if any of them is unreadable.
    pub(crate) fn insert(
        &mut self,
        sql: &[u8],
        format: &str,
        parameters: &Parameters,
        rows: &[&[u8]],
    ) -> Result<Answer, String> {
        let columns = parameters.columns();
        // SAFETY: as in `query`.
        let stream = unsafe {
            (self.library.insert)(
                *self.handle,
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                columns.names.as_ptr(),
                columns.name_lengths.as_ptr(),
                columns.values.as_ptr(),
                columns.value_lengths.as_ptr(),
                parameters.0.len(),
            )
        };
        if stream.is_null() {
            return Err("Code: 49. DB::Exception: the engine opened no insert. (LOGICAL_ERROR)".to_owned());
        }
        let stream = Insert { library: &self.library, stream };
        stream.error()?;
        for part in rows.iter().filter(|part| !part.is_empty()) {
            // SAFETY: the stream is live; the engine copies the bytes before it returns.
            if unsafe { (self.library.append)(stream.stream, part.as_ptr().cast(), part.len()) } != 0 {
                // Finishing says why; should it not, the insert still must not pass for a success.
                return match stream.finish() {
                    Ok(_) => Err("Code: 49. DB::Exception: the engine refused the rows. (LOGICAL_ERROR)".to_owned()),
                    Err(message) => Err(message),
                };
            }
        }
        stream.finish()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _one_at_a_time = self.library.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the handle is live and nothing uses it after this.
        unsafe { (self.library.close)(self.handle) };
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Connections that are open: the engine is up while there is one.
static OPEN: AtomicUsize = AtomicUsize::new(0);
/// Connections that were ever opened.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// Lets a process that ends while the engine is up (a test, a `process::exit`) end at once with its own exit code. Otherwise the library's
/// exit handlers tear down its globals under threads that still merge and flush, and the process dies of a segmentation fault. The files
/// do not mind: leaving at once is what a kill does.
///
/// Exit handlers run newest first, and the library registers some when it first needs them; so ours is registered anew at the 1st, 2nd,
/// 4th, 8th … connection, and a process has a few dozen of it at most.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn leave_before_the_engine() {
    unsafe extern "C" {
        fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        fn _exit(status: c_int) -> !;
    }
    extern "C" fn leave(status: c_int, _: *mut c_void) {
        if OPEN.load(Ordering::SeqCst) > 0 {
            // SAFETY: it ends the process; Rust has flushed its streams before exit handlers run.
            unsafe { _exit(status) }
        }
    }
    if (OPENED.fetch_add(1, Ordering::SeqCst) + 1).is_power_of_two() {
        // SAFETY: the handler is a function of this program, which is never unloaded. Without room for it the process ends as before.
        unsafe { on_exit(leave, ptr::null_mut()) };
    }
}

/// Other systems have no exit handler that is told the exit code.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn leave_before_the_engine() {}

/// An insert under way. Dropped without `finish`, it is cancelled.
struct Insert<'a> {
    library: &'a Library,
    stream: RawInsert,
}

impl Insert<'_> {
    fn error(&self) -> Result<(), String> {
        // SAFETY: the stream is live; the message is copied at once.
        unsafe { text((self.library.insert_error)(self.stream)) }.map_or(Ok(()), Err)
    }

    fn finish(self) -> Result<Answer, String> {
        // SAFETY: the stream is live, and finished once because `self` is consumed.
        let result = unsafe { (self.library.done)(self.stream) };
        let answer = self.library.take(result);
        self.error()?;
        answer
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: the stream is live and nothing uses it after this.
        unsafe { (self.library.destroy_insert)(self.stream) };
    }
}

/// Values for the `{name:Type}` places of a statement. The engine binds them; they never become SQL.
#[derive(Debug, Default, Clone)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

/// The four arrays that the interface wants; they borrow from the `Parameters`.
struct Columns {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl Parameters {
    fn columns(&self) -> Columns {
        Columns {
            names: self.0.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: self.0.iter().map(|(name, _)| name.len()).collect(),
            values: self.0.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: self.0.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}

/// Copies a message. Null means that there is none.
///
/// # Safety
/// `message` is null or points to bytes that end in NUL.
unsafe fn text(message: *const c_char) -> Option<String> {
    // SAFETY: by this function's contract.
    (!message.is_null()).then(|| unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned())
}

/// Copies a buffer. Null means that it is empty.
///
/// # Safety
/// `buffer` is null or points to `length` readable bytes.
unsafe fn bytes(buffer: *const c_char, length: usize) -> Vec<u8> {
    if ptr::eq(buffer, ptr::null()) || length == 0 {
        return Vec::new();
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) }.to_vec()
}
