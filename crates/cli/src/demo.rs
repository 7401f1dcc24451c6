//! `assay demo`: a published experiment through the real log, pipeline, ClickHouse and analysis, beside its published figures.

use crate::demo_plan::{DataSet, Plan, Planned};
use crate::demo_view::{Screen, compare};
use crate::engine::Engine;
use crate::health::now_ms;
use crate::serve::stop_flag;
use crate::settings::{ClickHouseAt, Given};
use crate::{shop, shop_view};
use anyhow::{Context, Result, anyhow, bail};
use assay_broker::{NewRecord, Partition};
use assay_experiment::partitioner::partition_of;
use assay_pipeline::{DirectoryStore, Store};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Play a published experiment through everything, in about a minute; then a simulated shop, until Ctrl-C.
///
/// Real parts: a durable log, the ClickHouse engine, the pipeline and the analysis, in this process. Duplicates, disorder and broken events
/// are added. Kill it in the middle and start it again: it goes on, and the numbers are the same.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  assay demo\n  assay demo --exit\n  assay demo --visitors 500\n  assay demo --data cookie-cats --seconds 120\n\nWhile it runs: assay sql \"SELECT * FROM balance\", or curl the address that it prints."
)]
pub struct Arguments {
    /// Which experiment.
    #[arg(long, value_enum, default_value = "hillstrom")]
    data: DataSet,
    /// Its CSV file, if not the one that comes with Assay.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print the final table and stop; exit code 0 only if everything agrees.
    #[arg(long)]
    exit: bool,
    /// New visitors a second of the simulated shop that opens afterwards; 0 leaves it closed.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=2_000))]
    visitors: u32,
    /// How long the two weeks take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(14..=3_600))]
    seconds: u32,
    /// Where the demonstration keeps its data.
    #[arg(long, value_name = "DIR", default_value = ".local/demo")]
    dir: PathBuf,
    /// Where the dashboard answers; absent, port 8080 or a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Where the edge answers; absent, port 8016 or a free one.
    #[arg(long, value_name = "HOST:PORT")]
    edge_listen: Option<SocketAddr>,
    /// Do not open the dashboard in a browser.
    #[arg(long)]
    no_open: bool,
    /// Start anew although an earlier demonstration was not finished.
    #[arg(long)]
    fresh: bool,
    /// Log, for a real Kafka: kafka://HOST:PORT. Topics get a new name for every start.
    #[arg(long, value_name = "ADDRESS")]
    log: Option<String>,
    /// Seconds between snapshots; after a kill, at most so many are read again.
    #[arg(long, value_name = "SECONDS", env = "ASSAY_SNAPSHOT_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    snapshot_seconds: u64,
    /// A ClickHouse server, http://HOST:PORT, in place of the embedded engine. The database gets the name of the demonstration.
    #[arg(long, value_name = "URL")]
    clickhouse: Option<String>,
}

/// What survives a kill.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    data: String,
    start_ms: i64,
    seconds: u32,
    topics: String,
    log: Option<String>,
    /// When the first event happens, once the definitions are in force: nothing before that counts.
    plays_ms: Option<i64>,
    /// Messages sent, at least.
    sent: usize,
    finished: bool,
}

/// After this long an unfinished demonstration is not taken up again: its exposures would be later than their conversions allow.
const TAKE_UP_MS: i64 = 40 * 60 * 1_000;
/// Messages are sent in steps of this.
const STEP: Duration = Duration::from_millis(50);
/// The progress is kept this often; what was sent since is sent again after a kill.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// After the last message, all must have been counted and written within this.
const SETTLE: Duration = Duration::from_secs(60);

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let stopped = stop_flag()?;
    let directory = arguments.dir.join(arguments.data.name());
    let _alone = lock(&arguments.dir, arguments.data.name())?;
    let mut progress = take_up(arguments, &directory)?;
    let config = directory.join("definitions");
    std::fs::create_dir_all(&config).with_context(|| format!("making {}", config.display()))?;
    std::fs::write(config.join("experiment.yaml"), arguments.data.definitions(progress.seconds))?;
    std::fs::write(config.join("shop.yaml"), shop::DEFINITIONS)?;
    let settings = Given {
        data: Some(directory.clone()),
        log: progress.log.clone(),
        partitions: Some(4),
        topics: Some(progress.topics.clone()),
        clickhouse: arguments.clickhouse.clone(),
        database: arguments.clickhouse.as_ref().map(|_| format!("assay_demo_{}", progress.start_ms)),
        config: Some(config),
        snapshot_seconds: Some(arguments.snapshot_seconds),
        // Two weeks pass in a minute: pictures want every look.
        results_seconds: Some(1),
        clickhouse_listen: if arguments.clickhouse.is_none() { Some(free_or(8123)) } else { None },
        listen: Some(arguments.listen.unwrap_or_else(|| free_or(8080))),
        edge_listen: Some(arguments.edge_listen.unwrap_or_else(|| free_or(8016))),
        ..Given::default()
    }
    .complete()?;
    let engine = Engine::start(&settings, &[])?;
    let plays_ms = progress.plays_ms.unwrap_or_else(|| progress.start_ms.max(now_ms() + 1_000));
    if progress.plays_ms.is_none() {
        // Kept before anything is sent: after a kill the same events have the same times.
        progress.plays_ms = Some(plays_ms);
        save(&directory, &progress)?;
    }
    let plan = arguments.data.plan(plays_ms, progress.seconds, arguments.file.as_deref())?;
    let mut screen = Screen::new(arguments.data, progress.seconds, std::io::stdout().is_terminal());
    screen.begin(&engine, &settings.database, progress.sent, &plan);
    if !arguments.exit && !arguments.no_open && std::io::stdout().is_terminal() {
        open_in_browser(&format!("http://{}/", engine.http));
    }
    let agreed = match play(&engine, &plan, &mut progress, &directory, &mut screen, &stopped)? {
        false => None,
        true => {
            screen.end(&engine, &plan);
            Some(settle(&engine, &plan, arguments.data, &settings.clickhouse)?)
        }
    };
    if agreed.is_some() {
        progress.finished = true;
        save(&directory, &progress)?;
    }
    if agreed.is_none() {
        println!("\nStopped in the middle. The same command within 40 minutes goes on from here.");
    } else if !arguments.exit {
        keep_shop(&engine, arguments.visitors, &mut screen, &stopped)?;
    }
    engine.stop();
    Ok(if agreed == Some(true) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Shows an address to whoever sits before this machine's screen. Without a screen, or without a way to open it, the printed address must do.
fn open_in_browser(address: &str) {
    let opener = match () {
        () if cfg!(target_os = "macos") => "open",
        () if std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some() => "xdg-open",
        () => return,
    };
    let opened = Command::new(opener).arg(address).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(problem) = opened {
        tracing::info!(%problem, opener, "no browser was opened");
    }
}

/// One demonstration at a time in a directory: another one would remove the data that this one still writes.
fn lock(parent: &Path, name: &str) -> Result<File> {
    std::fs::create_dir_all(parent)
        .with_context(|| format!("making {}; give another directory with --dir", parent.display()))?;
    let path = parent.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another demonstration runs in {}; stop it, or give another directory with --dir", parent.display())
        }
        Err(TryLockError::Error(problem)) => Err(problem).with_context(|| format!("locking {}", path.display())),
    }
}

/// Goes on with a demonstration that was killed, or begins a new one.
fn take_up(arguments: &Arguments, directory: &Path) -> Result<Progress> {
    let file = directory.join("demo.json");
    let known = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Progress>(&bytes).ok());
    let now = now_ms();
    if let Some(known) = known {
        let age = now - known.start_ms;
        if !known.finished && !arguments.fresh && age < TAKE_UP_MS && known.log == arguments.log {
            eprintln!("going on with the demonstration that began {} s ago (--fresh starts anew)", age / 1_000);
            return Ok(known);
        }
    }
    if directory.join("demo.json").exists() || directory.join("clickhouse").exists() {
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("removing the last demonstration in {}", directory.display()))?;
    } else if directory.exists() && std::fs::read_dir(directory)?.next().is_some() {
        bail!("{} is not empty and no demonstration's; give another directory with --dir", directory.display());
    }
    let topics = if arguments.log.is_some() { format!("assay-demo-{now}") } else { "assay".to_owned() };
    // Some seconds for the engine to start, so that the first events do not all come at once.
    let progress = Progress {
        data: arguments.data.name().to_owned(),
        start_ms: now + 2_000,
        seconds: arguments.seconds,
        topics,
        log: arguments.log.clone(),
        plays_ms: None,
        sent: 0,
        finished: false,
    };
    save(directory, &progress)?;
    Ok(progress)
}

fn save(directory: &Path, progress: &Progress) -> Result<()> {
    // An object of a store never changes, so it is replaced.
    let store = DirectoryStore::open(directory)?;
    let bytes = serde_json::to_vec(progress)?;
    store.put("demo.json.next", &bytes)?;
    std::fs::rename(directory.join("demo.json.next"), directory.join("demo.json")).context("keeping the progress")
}

/// Sends the plan on its clock. `false` when the process was told to stop.
fn play(
    engine: &Engine,
    plan: &Plan,
    progress: &mut Progress,
    directory: &Path,
    screen: &mut Screen,
    stopped: &AtomicBool,
) -> Result<bool> {
    let began = Instant::now();
    // After a kill the clock goes on where it was, not where the wall clock is.
    let offset_ms = plan.messages.get(progress.sent).map_or(0, |message| message.send_ms);
    let lead_ms = if progress.sent == 0 { (progress.plays_ms.unwrap_or(0) - now_ms()).max(0) } else { 0 };
    let mut saved = Instant::now();
    let mut shown = Instant::now();
    while progress.sent < plan.messages.len() {
        if stopped.load(Ordering::SeqCst) {
            save(directory, progress)?;
            return Ok(false);
        }
        let clock_ms = (began.elapsed().as_millis() as i64 - lead_ms).max(0) as u32 + offset_ms;
        let rest = &plan.messages[progress.sent..];
        let due = rest.iter().take_while(|message| message.send_ms <= clock_ms).count();
        send(engine, &rest[..due])?;
        progress.sent += due;
        if saved.elapsed() > SAVE_EVERY {
            save(directory, progress)?;
            saved = Instant::now();
        }
        if shown.elapsed() >= screen.every() {
            screen.show(engine, clock_ms, progress.sent, plan);
            shown = Instant::now();
        }
        std::thread::sleep(STEP);
    }
    save(directory, progress)?;
    Ok(true)
}

fn send(engine: &Engine, messages: &[Planned]) -> Result<()> {
    let mut by_partition: Vec<Vec<NewRecord<'_>>> = (0..engine.genesis.partitions).map(|_| Vec::new()).collect();
    for message in messages {
        let partition = partition_of(message.unit.as_bytes(), engine.genesis.partitions);
        by_partition[partition as usize].push(NewRecord {
            key: Some(message.unit.as_bytes()),
            headers: &[],
            payload: &message.payload,
            timestamp_ms: None,
        });
    }
    for (partition, records) in by_partition.iter().enumerate().filter(|(_, records)| !records.is_empty()) {
        engine.log.append(&engine.topics.events, Partition(partition as u32), records)?;
    }
    Ok(())
}

/// The simulated shop, until Ctrl-C.
fn keep_shop(engine: &Engine, visitors: u32, screen: &mut Screen, stopped: &Arc<AtomicBool>) -> Result<()> {
    let Some(edge) = engine.edge.filter(|_| visitors > 0) else {
        println!("\nThe engine goes on; Ctrl-C stops it.");
        while !stopped.load(Ordering::SeqCst) {
            std::thread::sleep(STEP);
        }
        return Ok(());
    };
    println!("\nA shop opens: {visitors} new visitors a second ask the edge at http://{edge} which variants they see.");
    println!(
        "Three experiments run on the same visitors: one with a real effect, one without, one whose client loses exposures."
    );
    println!("Watch them at http://{}/ ; Ctrl-C closes the shop.\n", engine.http);
    let tally = Arc::new(shop::Tally::default());
    let visits = {
        let (tally, stopped) = (tally.clone(), stopped.clone());
        // Another start has other visitors, because those of the last one are in the log already.
        let seed = now_ms().unsigned_abs();
        std::thread::Builder::new().name("shop".to_owned()).spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(shop::run(&format!("http://{edge}"), visitors, seed, tally, stopped))
        })?
    };
    screen.begin_below();
    let mut shown = Instant::now();
    while !stopped.load(Ordering::SeqCst) && !visits.is_finished() {
        if shown.elapsed() >= screen.every() {
            if let Some(view) = engine.health.view() {
                screen.replace(&shop_view::lines(&tally, &view.aligned));
            }
            shown = Instant::now();
        }
        std::thread::sleep(STEP);
    }
    visits.join().map_err(|_| anyhow!("the shop stopped in the middle; please report it"))?
}

/// Waits until everything is counted and in ClickHouse, then compares.
fn settle(engine: &Engine, plan: &Plan, data: DataSet, clickhouse: &ClickHouseAt) -> Result<bool> {
    let deadline = Instant::now() + SETTLE;
    let (exposures, conversions) = plan.valid;
    let rows = || -> Option<(u64, u64)> {
        let sql = "SELECT countIf(event_type = 'exposure'), countIf(event_type = 'conversion') FROM events";
        let text = String::from_utf8(engine.clickhouse.query(sql, "TabSeparated").ok()?).ok()?;
        let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    let mut settled = false;
    while !settled && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(250));
        let look = engine.health.view();
        // The last message may be a repeat, or a broken one.
        let counted = look.as_ref().map(|view| &view.aligned.counters).is_some_and(|it| {
            let broken = it.rejected.iter().sum::<u64>();
            it.originals[0] >= exposures
                && it.originals[1] >= conversions
                && it.duplicates >= plan.repeats
                && broken >= plan.broken
        });
        settled = counted && rows() == Some(plan.valid);
    }
    let Some(view) = engine.health.view() else { bail!("no results came; look at {}/readyz", engine.http) };
    let in_clickhouse = rows().unwrap_or_default();
    Ok(compare(data, &view.aligned, plan, in_clickhouse, &engine.clickhouse_url, clickhouse))
}

/// The usual port, or a free one if something else has it.
fn free_or(port: u16) -> SocketAddr {
    let usual = SocketAddr::from(([127, 0, 0, 1], port));
    match TcpListener::bind(usual) {
        Ok(_) => usual,
        Err(_) => SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}
