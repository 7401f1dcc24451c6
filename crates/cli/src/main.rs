//! The `assay` command: the only place that reads arguments and the environment.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking to people is what a command does")]

mod alarms;
mod analyze;
mod archive;
mod bucket;
mod check;
mod dead_letters;
mod definitions;
mod demo;
mod demo_plan;
mod demo_view;
mod edge;
mod engine;
mod evaluate;
mod grid;
mod health;
mod http_client;
mod overseer;
mod pace;
mod peek;
mod planning;
mod posting;
mod power;
mod publishing;
mod random;
mod refold;
mod replay;
mod replay_log;
mod report;
mod serve;
mod settings;
mod shop;
mod shop_view;
mod sql;
mod stats;
mod table;
mod trace;
mod trace_log;
mod verifier;
mod watched;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Streaming experimentation: results that are seconds old, valid at any look, and a pure function of the log.
#[derive(Parser)]
#[command(
    name = "assay",
    version,
    propagate_version = true,
    after_help = "Examples:\n  assay demo\n  assay check --config experiments/\n  assay serve --data /var/lib/assay --config experiments/\n  assay serve --only edge --edge-source http://assay:8080 --log kafka://broker:9092\n  assay replay --config experiments/ --events events.jsonl\n  assay sql \"SELECT * FROM balance\"\n  assay power --baseline 5% --mde 10%\n  assay analyze users.csv --variant arm --control old --metric paid:sum\n\n`assay help COMMAND` has more for each. Exit codes: 0 fine, 1 failed, 2 wrong use. ASSAY_TRACE=info says more while it works."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Serve(Box<serve::Arguments>),
    Replay(replay::Arguments),
    Stats(stats::Arguments),
    Analyze(Box<analyze::Arguments>),
    Power(power::Arguments),
    Peek(peek::Arguments),
    Bucket(bucket::Arguments),
    Check(check::Arguments),
    Evaluate(evaluate::Arguments),
    Sql(sql::Arguments),
    DeadLetters(dead_letters::Arguments),
    Trace(trace::Arguments),
}

fn main() -> ExitCode {
    leave_quietly_when_nobody_reads();
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ASSAY_TRACE")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .init();
    let outcome = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Analyze(arguments) => analyze::run(&arguments),
        Command::Power(arguments) => power::run(&arguments),
        Command::Peek(arguments) => peek::run(&arguments),
        Command::Bucket(arguments) => bucket::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Sql(arguments) => sql::run(&arguments),
        Command::DeadLetters(arguments) => dead_letters::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("assay: {problem:#}");
            ExitCode::from(if problem.chain().any(|cause| cause.is::<WrongUse>()) { 2 } else { 1 })
        }
    }
}

/// What was asked for cannot be: exit code 2, as for a wrong flag.
#[derive(Debug)]
pub(crate) struct WrongUse(pub String);

impl std::fmt::Display for WrongUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUse {}

/// `assay … | head` is no error: when the reader of the output is gone, there is nobody to tell.
fn leave_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.starts_with("failed printing to stdout") && text.contains("Broken pipe")) {
            std::process::exit(141);
        }
        usual(panic);
    }));
}

/// What built these numbers.
pub(crate) fn build() -> &'static str {
    concat!("assay ", env!("CARGO_PKG_VERSION"))
}
