//! `assay check`: are the definitions valid?

use crate::{definitions, evaluate};
use anyhow::Result;
use assay_experiment::evaluation::Ruleset;
use assay_experiment::{ConfigVersion, Definitions, Status, format_time};
use std::path::PathBuf;
use std::process::ExitCode;

/// Validate definitions, with file, line and column of every problem.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  assay check --config experiments/\n\nExit code 0: fine. 1: problems, one a line.")]
pub struct Arguments {
    /// Directory of YAML files, and of flags in flagd's JSON, read recursively; names that start with a dot are left out.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (files, outcome) = definitions::read(&arguments.config)?;
    match outcome {
        Ok(all) => {
            print!("{}", summary(&all));
            quarantined(&all).iter().for_each(|line| println!("{line}"));
            println!("fine: {} in {}", count(total(&all), "definition"), count(files, "file"));
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            eprintln!("assay: {}", count(problems.len(), "problem"));
            Ok(ExitCode::from(1))
        }
    }
}

/// Every experiment on a line of its own, of the other kinds the ids.
fn summary(all: &Definitions) -> String {
    let mut out = String::new();
    for (id, experiment) in &all.experiments {
        let status = match experiment.status {
            Status::Draft => "draft",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        };
        let metrics: Vec<&str> = experiment.metrics.iter().map(|used| used.metric.as_str()).collect();
        let metrics = if metrics.is_empty() { "no metrics".to_owned() } else { metrics.join(", ") };
        let variants = count(experiment.variants.len(), "variant");
        out.push_str(&format!("experiment  {id} ({status}, {variants} of {}): {metrics}\n", experiment.unit));
    }
    let kinds: [(&str, Vec<String>); 6] = [
        ("metrics", all.metrics.keys().cloned().collect()),
        ("layers", all.layers.keys().cloned().collect()),
        ("holdouts", all.holdouts.keys().cloned().collect()),
        ("flags", all.flags.keys().cloned().collect()),
        ("schemas", all.schemas.keys().map(u32::to_string).collect()),
        ("settings", all.settings.keys().map(|&from| format!("from {}", format_time(from))).collect()),
    ];
    for (kind, ids) in kinds.iter().filter(|(_, ids)| !ids.is_empty()) {
        out.push_str(&format!("{kind:<11} {}\n", ids.join(", ")));
    }
    out
}

/// Flags that can be published and not be evaluated: such a one answers an error, the others live.
fn quarantined(all: &Definitions) -> Vec<String> {
    let Ok(completed) = evaluate::completed(all.clone()) else { return Vec::new() };
    let ruleset = Ruleset::compile(&completed, ConfigVersion(0), "production");
    let flags = ruleset.quarantined().iter().filter(|(key, _)| all.flags.contains_key(key));
    flags.map(|(key, reason)| format!("quarantined {key} will answer an error: {reason}")).collect()
}

fn total(all: &Definitions) -> usize {
    all.experiments.len()
        + all.metrics.len()
        + all.layers.len()
        + all.holdouts.len()
        + all.flags.len()
        + all.schemas.len()
        + all.settings.len()
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
