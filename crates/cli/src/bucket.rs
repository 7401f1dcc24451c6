//! `assay bucket`: the assignment hash, for checking other implementations.

use anyhow::{Context, Result, anyhow};
use assay_experiment::assignment::{Tag, bucket_of, hash};
use serde::Deserialize;
use serde_json::json;
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Hash units by scheme xp1: JSON lines {"tag","salt","unit_type","unit"} in, {"hash","bucket"} out.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  echo '{\"tag\":\"V\",\"salt\":\"checkout\",\"unit_type\":\"user\",\"unit\":\"user-42\"}' | assay bucket\n  {\"hash\":\"6e927853791f703f\",\"bucket\":431922}\n\nTags: H holdout, L layer slot, V variant, R rollout, S switchback slot."
)]
pub struct Arguments {}

#[derive(Deserialize)]
struct Line {
    tag: String,
    salt: String,
    unit_type: String,
    unit: String,
}

pub fn run(_: &Arguments) -> Result<ExitCode> {
    match answer() {
        // `assay bucket … | head`: the reader has what it wanted.
        Err(problem)
            if problem.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
                == Some(std::io::ErrorKind::BrokenPipe) => {}
        outcome => outcome?,
    }
    Ok(ExitCode::SUCCESS)
}

fn answer() -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("reading standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let at = || format!("line {}", number + 1);
        let it: Line = serde_json::from_str(&line).with_context(at)?;
        let tag = Tag::from_letter(&it.tag)
            .ok_or_else(|| anyhow!("tag '{}' is none of H, L, V, R and S", it.tag))
            .with_context(at)?;
        let hash = hash(tag, &it.salt, &it.unit_type, &it.unit);
        writeln!(out, "{}", json!({"hash": format!("{hash:016x}"), "bucket": bucket_of(hash)}))?;
    }
    out.flush()?;
    Ok(())
}
