//! Results as records of their topic: one for each phase of an experiment, in parts where it has more than one record can carry.
//!
//! The key of the phase in force is the experiment's id, so that compaction keeps its newest results there. What would overwrite it has a
//! suffix: `/phase=SALT` for an earlier phase, `/provisional` for provisional results, `/part=N` for the parts from 1 on. A reader puts those
//! parts together that have the look of part 0; a part or provisional record of an older look is left over and says nothing.

use crate::results::{ExperimentResult, MetricResult, Results, SegmentResult};
use serde_json::{Value as Json, json};

/// Most bytes of a record: brokers refuse more than a million by default, and a record has a key and headers too.
pub(crate) const RECORD_BYTES_MAX: usize = 900_000;
/// What metrics get at least, however large the rest of a record is.
const ROOM_MIN: usize = 100_000;

/// Key and body of each record.
pub(crate) fn records(results: &Results, build: &str, bytes_max: usize) -> Vec<(String, Vec<u8>)> {
    results.experiments.iter().flat_map(|experiment| parts(results, experiment, build, bytes_max)).collect()
}

fn parts(
    results: &Results,
    experiment: &ExperimentResult,
    build: &str,
    bytes_max: usize,
) -> impl Iterator<Item = (String, Vec<u8>)> {
    let mut key = experiment.id.clone();
    if !experiment.in_force {
        key.push_str(&format!("/phase={}", experiment.salt));
    }
    if !results.aligned {
        key.push_str("/provisional");
    }
    let whole = results.with(vec![experiment.to_json(results)], build).to_string().into_bytes();
    let bodies = if whole.len() <= bytes_max { vec![whole] } else { split(results, experiment, build, bytes_max) };
    bodies.into_iter().enumerate().map(move |(index, body)| match index {
        0 => (key.clone(), body),
        _ => (format!("{key}/part={index}"), body),
    })
}

/// A metric over all units, or over those of a segment.
type Piece<'a> = (Option<&'a SegmentResult>, &'a MetricResult);

fn split(results: &Results, experiment: &ExperimentResult, build: &str, bytes_max: usize) -> Vec<Vec<u8>> {
    let head = experiment.head(results);
    let room = bytes_max.saturating_sub(results.with(vec![head.clone()], build).to_string().len()).max(ROOM_MIN);
    let overall = experiment.metrics.iter().map(|metric| (None, metric));
    let segments = experiment.segments.iter().flat_map(|it| it.metrics.iter().map(move |metric| (Some(it), metric)));
    let mut groups: Vec<Vec<Piece<'_>>> = vec![Vec::new()];
    let mut used = 0;
    for piece in overall.chain(segments) {
        let size = sized(experiment, &piece);
        if used + size > room && used > 0 {
            groups.push(Vec::new());
            used = 0;
        }
        used += size;
        groups.last_mut().expect("there is a group from the start").push(piece);
    }
    let count = groups.len();
    let body = |(index, pieces): (usize, &Vec<Piece<'_>>)| {
        let mut one = head.clone();
        fill(&mut one, experiment, pieces);
        let mut json = results.with(vec![one], build);
        json["part"] = json!({"index": index, "count": count});
        json.to_string().into_bytes()
    };
    groups.iter().enumerate().map(body).collect()
}

/// Bytes of a piece, with those of the segment that it may be alone in.
fn sized(experiment: &ExperimentResult, (segment, metric): &Piece<'_>) -> usize {
    let around = segment.map_or(0, |segment| experiment.segment(segment, Vec::new()).to_string().len());
    experiment.metric(metric, segment.is_none()).to_string().len() + around + 2
}

fn fill(out: &mut Json, experiment: &ExperimentResult, pieces: &[Piece<'_>]) {
    let metrics =
        pieces.iter().filter(|(segment, _)| segment.is_none()).map(|(_, metric)| experiment.metric(metric, true));
    out["metrics"] = metrics.collect();
    let together = pieces.chunk_by(|one, other| match (one.0, other.0) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    });
    let segment = |pieces: &[Piece<'_>]| {
        let segment = pieces.first()?.0?;
        Some(experiment.segment(segment, pieces.iter().map(|(_, metric)| *metric).collect()))
    };
    out["segments"] = together.filter_map(segment).collect();
}
