//! The state of the analysis as bytes, with where to go on reading the aggregates of each partition.
//!
//! Sums travel as one full look per partition, made from what is known; running values as the bits of their numbers. The first line has the
//! format and a checksum of all that follows, because running values, unlike sums, cannot be checked in any other way.

use crate::fold::Analysis;
use crate::infer::{Crossing, Memory, Remembered};
use crate::part::{Head, Part, PartExperiment, Phase};
use crate::sums::Sums;
use assay_aggregates::{Counters, ExperimentChanges, Look};
use assay_experiment::{Definitions, Span, Timestamp, canonical};
use assay_statistics::always_valid::Running;
use assay_statistics::guardrail;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// What does not fit into a look.
#[derive(Serialize, Deserialize)]
struct Frame {
    late: i64,
    evaluated: Option<i64>,
    epoch: u64,
    config: u64,
    bodies: Vec<String>,
    phases: Vec<PhaseFrame>,
    parts: Vec<PartFrame>,
}

#[derive(Serialize, Deserialize)]
struct PhaseFrame {
    id: String,
    salt: String,
    /// Canonical definitions of the experiment and its metrics.
    bodies: Vec<String>,
    /// Order of the cells.
    metrics: Vec<String>,
    looks: u64,
    srm: u64,
    comparisons: Vec<RememberedFrame>,
    /// Bits of the p-values of safe, harm, and harm beyond the margin.
    guardrails: Vec<[u64; 3]>,
    /// Bits.
    segments: Vec<u64>,
}

/// Bits of p, low and high; then the crossing: look, units and bits of the lift.
type RememberedFrame = (u64, u64, u64, Option<(i64, u64, Option<u64>)>);

#[derive(Serialize, Deserialize)]
struct PartFrame {
    resume: u64,
    /// The full look, in hexadecimal; empty before the first.
    look: String,
}

/// What a snapshot begins with: its format.
const FORMAT: &str = "assay-analysis-5";

/// A snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the analysis snapshot cannot be used: {0}")]
pub struct SnapshotError(String);

impl Analysis {
    /// The state as bytes. `resume` has, per partition, the offset of the first record that is not in the sums yet.
    pub fn snapshot(&self, resume: &[u64]) -> Vec<u8> {
        assert_eq!(resume.len(), self.parts.len(), "every partition has a place to go on");
        let frame = Frame {
            late: self.late.0,
            evaluated: self.evaluated.map(|look| look.0),
            epoch: self.epoch,
            config: self.config,
            bodies: self.bodies.clone(),
            phases: self.sums.iter().map(|(phase, sums)| self.phase(phase, sums)).collect(),
            parts: self.parts.iter().zip(resume).map(|(part, &resume)| self.part(part, resume)).collect(),
        };
        let body = serde_json::to_vec(&frame).expect("a frame of numbers and texts is JSON");
        let mut bytes = first_line(&body).into_bytes();
        bytes.extend(body);
        bytes
    }

    fn phase(&self, phase: &Phase, sums: &Sums) -> PhaseFrame {
        let mut definitions = Definitions::default();
        for metric in &sums.metrics {
            definitions.metrics.insert(metric.id.clone(), metric.clone());
        }
        let mut experiment = sums.experiment.clone();
        experiment.layer = None;
        experiment.salt = Some(phase.1.clone());
        definitions.experiments.insert(phase.0.clone(), experiment);
        let memory = self.memory.get(phase).cloned().unwrap_or_default();
        let bits = |it: &Remembered| {
            let crossed = it.crossed.map(|it| (it.look.0, it.units, it.lift.map(f64::to_bits)));
            (it.running.p_value.to_bits(), it.running.low.to_bits(), it.running.high.to_bits(), crossed)
        };
        PhaseFrame {
            id: phase.0.clone(),
            salt: phase.1.clone(),
            bodies: canonical::parts(&definitions),
            metrics: sums.metrics.iter().map(|metric| metric.id.clone()).collect(),
            looks: memory.looks,
            srm: memory.srm.to_bits(),
            comparisons: memory.comparisons.iter().map(bits).collect(),
            guardrails: memory
                .guardrails
                .iter()
                .map(|it| [it.safe, it.harm, it.harm_beyond_margin].map(f64::to_bits))
                .collect(),
            segments: memory.segments.iter().map(|it| it.to_bits()).collect(),
        }
    }

    fn part(&self, part: &Part, resume: u64) -> PartFrame {
        let look = part.head.as_ref().map(|head| full_look(part, head).encode());
        PartFrame { resume, look: hex(&look.unwrap_or_default()) }
    }

    /// Goes on from a snapshot; the second value says where to go on reading each partition.
    pub fn restore(bytes: &[u8]) -> Result<(Analysis, Vec<u64>), SnapshotError> {
        let wrong = |what: String| SnapshotError(what);
        let end = bytes.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let (line, body) = bytes.split_at(end);
        if !line.starts_with(FORMAT.as_bytes()) {
            return Err(wrong(format!("it is not of format {FORMAT}, which this build reads")));
        }
        if line != first_line(body).as_bytes() {
            return Err(wrong("its checksum differs: it was damaged".to_owned()));
        }
        let frame: Frame = serde_json::from_slice(body).map_err(|problem| wrong(problem.to_string()))?;
        let mut analysis = Analysis::new(frame.parts.len() as u32, Span(frame.late));
        analysis.epoch = frame.epoch;
        for phase in frame.phases {
            let key: Phase = (phase.id.clone(), phase.salt.clone());
            let definitions = canonical::definitions(phase.bodies.iter().map(String::as_str)).map_err(&wrong)?;
            let experiment = definitions
                .experiments
                .get(&phase.id)
                .ok_or_else(|| wrong("a phase lacks its experiment".to_owned()))?;
            let metrics =
                phase.metrics.iter().map(|id| definitions.metrics.get(id).cloned()).collect::<Option<Vec<_>>>();
            let metrics = metrics.ok_or_else(|| wrong("a phase lacks a metric".to_owned()))?;
            analysis.sums.insert(key.clone(), Sums::new(experiment, metrics));
            let crossing = |(look, units, lift): (i64, u64, Option<u64>)| Crossing {
                look: Timestamp(look),
                units,
                lift: lift.map(f64::from_bits),
            };
            let remembered = |&(p, low, high, crossed): &RememberedFrame| Remembered {
                running: Running { p_value: f64::from_bits(p), low: f64::from_bits(low), high: f64::from_bits(high) },
                crossed: crossed.map(crossing),
            };
            let comparisons = phase.comparisons.iter().map(remembered).collect();
            let guardrail = |bits: [u64; 3]| {
                let [safe, harm, harm_beyond_margin] = bits.map(f64::from_bits);
                guardrail::Running { safe, harm, harm_beyond_margin }
            };
            let memory = Memory {
                comparisons,
                guardrails: phase.guardrails.into_iter().map(guardrail).collect(),
                segments: phase.segments.into_iter().map(f64::from_bits).collect(),
                srm: f64::from_bits(phase.srm),
                looks: phase.looks,
            };
            analysis.memory.insert(key, memory);
        }
        if !frame.bodies.is_empty() {
            let definitions = canonical::definitions(frame.bodies.iter().map(String::as_str)).map_err(&wrong)?;
            analysis.adopt(frame.config, frame.bodies, definitions);
        }
        let (mut resume, mut looks) = (Vec::new(), Vec::new());
        for (at, part) in frame.parts.into_iter().enumerate() {
            resume.push(part.resume);
            let bytes = unhex(&part.look).ok_or_else(|| wrong("a look is damaged".to_owned()))?;
            if !bytes.is_empty() {
                let look = Look::decode(&bytes).map_err(|problem| wrong(problem.to_string()))?;
                looks.push((at, look));
            }
        }
        analysis.absorb(looks);
        for part in &mut analysis.parts {
            if let (Some(applied), Some(head)) = (part.applied, part.head.clone()) {
                part.resume(applied, head);
            }
        }
        analysis.evaluated = frame.evaluated.map(Timestamp);
        if let Some(at) = analysis.evaluated {
            let late = analysis.late;
            analysis.sums.values_mut().for_each(|sums| sums.mature(at, late));
        }
        Ok((analysis, resume))
    }
}

/// Everything known of a partition as one look.
fn full_look(part: &Part, head: &Head) -> Look {
    let (length, applied) = (head.length, part.applied.unwrap_or_default());
    let last = applied.0.div_euclid(length.0) - 1;
    let changes = |(phase, known): (&Phase, &PartExperiment)| ExperimentChanges {
        id: phase.0.clone(),
        salt: phase.1.clone(),
        metrics: known.metrics.clone(),
        tallies: known.tallies.clone(),
        blocks: known.blocks.values().cloned().collect(),
        minutes: known.minutes.values().cloned().collect(),
    };
    Look {
        log: head.log.clone(),
        partition: 0,
        semantics: head.semantics,
        length,
        first: last,
        last,
        previous: None,
        start_offset: head.start_offset,
        next_offset: head.next_offset,
        log_time: head.log_time,
        config: head.config,
        definitions: None,
        keyframe: true,
        counters: Counters::clone(&head.counters),
        experiments: part.experiments.iter().map(changes).collect(),
        hash: head.hash,
    }
}

fn first_line(body: &[u8]) -> String {
    format!("{FORMAT} {:032x}\n", xxh3_128(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits"));
        text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits"));
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}
