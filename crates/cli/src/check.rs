//! `assay check`: are the definitions valid?

use crate::definitions;
use anyhow::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Validate definitions, with file, line and column of every problem.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  assay check --config experiments/")]
pub struct Arguments {
    /// Directory of YAML files, read recursively.
    #[arg(long, value_name = "DIR")]
    config: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match definitions::read(&arguments.config)? {
        Ok(all) => {
            println!(
                "fine: {} experiment(s), {} metric(s), {} layer(s), {} holdout(s), {} flag(s)",
                all.experiments.len(),
                all.metrics.len(),
                all.layers.len(),
                all.holdouts.len(),
                all.flags.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            eprintln!("assay: {} problem(s)", problems.len());
            Ok(ExitCode::from(1))
        }
    }
}
