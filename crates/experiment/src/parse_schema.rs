//! What travels with the definitions beside them: writers' schemas, and what earlier versions used up.

use crate::parse_metric::conditions;
use crate::read::Check;
use crate::wire::Schemas;
use crate::yaml::{Content, Node};
use crate::{WriterSchema, fields};
use std::collections::BTreeSet;

/// Ids of registries are positive and have 31 bits.
const SCHEMA_ID_MAX: u64 = 0x7fff_ffff;
/// Longest schema in bytes of compact JSON.
const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// Salts of one experiment that ended; beyond it people should use a new id.
const RETIRED_MAX: usize = 1_000;

/// A writer's schema: `avro` is the schema itself or its JSON as a text.
pub(crate) fn schema(check: &mut Check<'_>, node: &Node) -> Option<WriterSchema> {
    let map = check.map(node, "a schema", &["kind", "id", "guid", "avro", "description"])?;
    check.description(map);
    check.required(map, "id", "a schema");
    let id = check.whole(map, "id", 1, SCHEMA_ID_MAX).map(|id| id as u32);
    let guid = match map.get("guid") {
        None => None,
        Some(node) => {
            let text = check.scalar(node, "guid")?;
            let guid = fields::uuid(text.as_bytes());
            if guid.is_none() {
                check.complain(node.place, format!("guid '{text}' is not a UUID"));
            }
            Some(guid?.to_be_bytes())
        }
    };
    let node = check.required(map, "avro", "a schema")?;
    let avro = match &node.content {
        Content::Scalar { text, .. } => serde_json::from_str(text).ok().filter(serde_json::Value::is_object),
        _ => Some(node.to_json()),
    };
    let Some(avro) = avro.map(|avro| avro.to_string()).filter(|avro| avro.len() <= SCHEMA_BYTES_MAX) else {
        check.complain(
            node.place,
            format!("avro must be a schema of at most {SCHEMA_BYTES_MAX} bytes, or its JSON as a text"),
        );
        return None;
    };
    let id = id?;
    if let Err(problem) = Schemas::default().register(id, guid, &avro) {
        check.complain(node.place, problem.to_string());
        return None;
    }
    Some(WriterSchema { id, guid, avro })
}

/// Salts of an experiment's phases that ended.
pub(crate) fn retired(check: &mut Check<'_>, node: &Node) -> Option<(String, BTreeSet<String>)> {
    let map = check.map(node, "a retired experiment", &["kind", "id", "salts"])?;
    let id = check.id(map, "a retired experiment")?;
    let node = check.required(map, "salts", "a retired experiment")?;
    let salts: BTreeSet<String> =
        check.list(node, "salts").iter().filter_map(|salt| check.scalar(salt, "a salt").map(str::to_owned)).collect();
    if salts.iter().any(|salt| salt.is_empty() || salt.len() > 64) {
        check.complain(node.place, "a salt has 1 to 64 bytes");
    }
    if salts.is_empty() || salts.len() > RETIRED_MAX {
        check.complain(node.place, format!("{} salts; 1 to {RETIRED_MAX} are allowed; take a new id", salts.len()));
    }
    Some((id, salts))
}

/// Filters that only earlier versions wanted.
pub(crate) fn filters(check: &mut Check<'_>, node: &Node) -> Option<BTreeSet<Vec<(String, String)>>> {
    let map = check.map(node, "used filters", &["kind", "where"])?;
    let node = check.required(map, "where", "used filters")?;
    Some(check.list(node, "where").iter().filter_map(|filter| conditions(check, filter)).collect())
}
