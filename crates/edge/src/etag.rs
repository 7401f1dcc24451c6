//! Tags of bulk answers: version of the definitions and the context, so that they are known before anything is evaluated.
//!
//! `"ENVIRONMENT.VERSION.DIGEST.CONTEXT"`. The address of the stream counts as context: who has an answer with an old one, which will not
//! open any more, has to get the new one. The digest of the definitions is in it because a directory of definitions numbers its own
//! versions, which another edge may do otherwise. A tag without the context is what streams announce. The library helpers for
//! `If-None-Match` are of no use: they answer a POST with 412 where the protocol wants 304.

use xxhash_rust::xxh3::{xxh3_64, xxh3_128, xxh3_128_with_seed};

/// The tag of the answer to a context, in quotes. Texts that differ in blanks alone have different tags: that costs an answer, never a wrong one.
pub fn of(definitions: &str, context: &[u8], stream: Option<&str>) -> String {
    let context = match stream {
        Some(stream) => xxh3_128_with_seed(context, xxh3_64(stream.as_bytes())),
        None => xxh3_128(context),
    };
    format!("\"{definitions}.{context:032x}\"")
}

/// Whether one of the tags of an `If-None-Match` is this one: lists, `*`, weak and unquoted tags.
pub fn matches(header: &[u8], tag: &str) -> bool {
    let Ok(header) = std::str::from_utf8(header) else { return false };
    let tag = tag.trim_matches('"');
    header.split(',').map(bare).any(|given| given == "*" || given == tag)
}

/// The version in a tag of an edge; `None` for tags of others.
pub fn version(tag: &str, environment: &str) -> Option<u64> {
    bare(tag).strip_prefix(environment)?.strip_prefix('.')?.split('.').next()?.parse().ok()
}

fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")).unwrap_or(tag);
    tag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_as_clients_send_them() {
        let tag = of("production.7.c0ffee", b"{}", None);
        let bare = tag.trim_matches('"');
        for header in [
            tag.clone(),
            bare.to_owned(),
            format!("W/{tag}"),
            format!("w/{bare}"),
            format!("\"other\", {tag}"),
            format!("  {tag} ,W/\"x\""),
            "*".to_owned(),
        ] {
            assert!(matches(header.as_bytes(), &tag), "{header}");
        }
        for header in ["", "\"other\"", "production.7.c0ffee", ",", "\"", &bare[1..]] {
            assert!(!matches(header.as_bytes(), &tag), "{header}");
        }
        assert!(!matches(b"\xff", &tag));
        assert_ne!(of("production.7.c0ffee", b"{ }", None), tag);
        assert_ne!(of("production.7.c0ffee", b"{}", Some("/stream?token=1")), tag);
    }

    #[test]
    fn a_tag_tells_its_version() {
        assert_eq!(version(&of("a.b.12.c0ffee", b"{}", None), "a.b"), Some(12));
        assert_eq!(version("\"a.12.c0ffee\"", "a"), Some(12));
        assert_eq!(version("\"a.12.c0ffee\"", "b"), None);
        assert_eq!(version("xyz", "a"), None);
    }
}
