//! Large byte arrays of a message, which are sent from where they are instead of being copied between the rest of it.
//!
//! A frame is written to one buffer by code that knows nothing of this: serde's. So what is left out of the buffer, and where it belongs, is
//! noted beside it, on the thread that writes.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::wire::chunk::CHUNK_BYTES;

/// Bytes that belong between those of a buffer.
#[derive(Debug)]
pub(crate) struct Part {
    /// Before which byte of the buffer.
    pub(crate) at: usize,
    pub(crate) bytes: Bytes,
}

thread_local! {
    /// The buffer that parts may be left out of, by its address; 0 is none.
    static BUFFER: Cell<usize> = const { Cell::new(0) };
    /// Bytes that were left out of it.
    static LEFT_OUT: Cell<usize> = const { Cell::new(0) };
    static PARTS: RefCell<Vec<Part>> = const { RefCell::new(Vec::new()) };
    /// What is about to be written.
    static OFFERED: RefCell<Bytes> = const { RefCell::new(Bytes::new()) };
}

/// What is written to `out` meanwhile may leave parts out; they are returned as well.
#[inline]
pub(crate) fn collect<R>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> R) -> (R, Vec<Part>) {
    let collecting = Collecting;
    BUFFER.set(address(out));
    let result = write(out);
    let parts = if LEFT_OUT.get() == 0 { Vec::new() } else { PARTS.take() };
    drop(collecting);
    (result, parts)
}

struct Collecting;

impl Drop for Collecting {
    #[inline]
    fn drop(&mut self) {
        BUFFER.set(0);
        if LEFT_OUT.replace(0) > 0 {
            PARTS.take();
        }
    }
}

/// `write` writes these bytes, and need not copy them.
pub(crate) fn offer<R>(bytes: &Bytes, write: impl FnOnce() -> R) -> R {
    if bytes.len() < CHUNK_BYTES || BUFFER.get() == 0 {
        return write();
    }
    OFFERED.set(bytes.clone());
    let result = write();
    OFFERED.take();
    result
}

/// Whether these bytes, which come next in `out`, are left out of it.
#[cold]
pub(crate) fn leave_out(out: &Vec<u8>, bytes: &[u8]) -> bool {
    let same = |offered: &Bytes| offered.as_ptr() == bytes.as_ptr() && offered.len() == bytes.len();
    if BUFFER.get() != address(out) || !OFFERED.with_borrow(same) {
        return false;
    }
    LEFT_OUT.set(LEFT_OUT.get() + bytes.len());
    PARTS.with_borrow_mut(|parts| parts.push(Part { at: out.len(), bytes: OFFERED.take() }));
    true
}

/// Bytes that were left out of `out` since it is collected.
#[inline]
pub(crate) fn left_out(out: &Vec<u8>) -> usize {
    let left_out = LEFT_OUT.get();
    if left_out > 0 && BUFFER.get() == address(out) { left_out } else { 0 }
}

/// Takes back what was written to `out` from `len` on.
pub(crate) fn truncate(out: &mut Vec<u8>, len: usize) {
    out.truncate(len);
    if left_out(out) > 0 {
        PARTS.with_borrow_mut(|parts| {
            parts.retain(|part| part.at < len);
            LEFT_OUT.set(parts.iter().map(|part| part.bytes.len()).sum());
        });
    }
}

fn address(out: &Vec<u8>) -> usize {
    std::ptr::from_ref(out).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn large() -> Bytes {
        Bytes::from(vec![7; CHUNK_BYTES])
    }

    /// Writes it as a serializer does.
    fn write(out: &mut Vec<u8>, bytes: &Bytes) {
        offer(bytes, || {
            if bytes.len() < CHUNK_BYTES || !leave_out(out, bytes) {
                out.extend_from_slice(bytes);
            }
        });
    }

    #[test]
    fn what_is_large_stays_where_it_is() {
        let (mut out, large) = (b"before".to_vec(), large());
        let ((), parts) = collect(&mut out, |out| {
            out.push(b'<');
            write(out, &large);
            write(out, &Bytes::from_static(b">"));
            assert_eq!(left_out(out), CHUNK_BYTES);
        });
        assert_eq!(out, b"before<>");
        assert_eq!((parts.len(), parts[0].at, parts[0].bytes.as_ptr()), (1, 7, large.as_ptr()));
        assert!(collect(&mut out, |_| {}).1.is_empty(), "they are returned once");
    }

    #[test]
    fn what_is_written_to_another_buffer_is_copied() {
        let (mut out, large) = (Vec::new(), large());
        let (inner, parts) = collect(&mut out, |_| {
            let mut inner = Vec::new();
            write(&mut inner, &large);
            inner
        });
        assert_eq!((inner.len(), parts.len()), (CHUNK_BYTES, 0));
        write(&mut out, &large);
        assert_eq!(out.len(), CHUNK_BYTES, "nobody collects");
    }

    #[test]
    fn what_is_taken_back_leaves_nothing_behind() {
        let (mut out, large) = (Vec::new(), large());
        let ((), parts) = collect(&mut out, |out| {
            write(out, &large);
            out.push(1);
            write(out, &large);
            truncate(out, 1);
            assert_eq!(left_out(out), CHUNK_BYTES);
        });
        assert_eq!((parts.len(), out.len()), (1, 1));
        let panicked = std::panic::catch_unwind(move || {
            collect(&mut out, |out| {
                write(out, &large);
                panic!("in the middle");
            })
            .1
            .len()
        });
        assert!(panicked.is_err() && LEFT_OUT.get() == 0 && PARTS.take().is_empty());
    }
}
