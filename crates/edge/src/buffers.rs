//! Buffers of long answers, used again: memory that is given back to the system comes back page by page, which costs more than filling it.

use bytes::Bytes;
use std::cell::RefCell;

/// Buffers that a thread keeps; clients take their answers within a few others.
const KEPT_MAX: usize = 8;
/// Largest buffer that is kept: with all of them a thread holds 8 MiB.
const BYTES_MAX: usize = 1 << 20;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Returns its memory to the thread that drops it.
struct Buffer(Vec<u8>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT_MAX && buffer.capacity() <= BYTES_MAX {
                buffer.clear();
                kept.push(buffer);
            }
        });
    }
}

/// Bytes that `write` puts into an empty buffer, which has room for about `length`.
pub fn fill(length: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut buffer = KEPT.with(|kept| kept.borrow_mut().pop()).unwrap_or_default();
    buffer.reserve(length);
    write(&mut buffer);
    Bytes::from_owner(Buffer(buffer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_bounded() {
        let place = |bytes: &Bytes| bytes.as_ptr() as usize;
        let first = fill(100, |out| out.extend_from_slice(b"one"));
        let (other, used) = (fill(100, |out| out.extend_from_slice(b"two")), place(&first));
        assert_eq!((&first[..], &other[..]), (&b"one"[..], &b"two"[..]));
        assert_ne!(place(&other), used);
        drop(first);
        let again = fill(10, |out| out.extend_from_slice(b"three"));
        assert_eq!((place(&again), &again[..]), (used, &b"three"[..]));
        drop((again, other));
        drop((0..20).map(|_| fill(10, |out| out.push(1))).collect::<Vec<_>>());
        drop(fill(2 * BYTES_MAX, |out| out.push(1)));
        KEPT.with(|kept| {
            let kept = kept.borrow();
            assert!(kept.len() <= KEPT_MAX && kept.iter().all(|one| one.capacity() <= BYTES_MAX && one.is_empty()));
        });
    }
}
