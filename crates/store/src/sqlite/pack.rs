//! Compression of cells and of deliveries kept for inspection.
//!
//! Zstandard at the fastest level leaves a third of some kilobytes of JSON, for less time than writing the
//! other two thirds would take. Each packed value is a Zstandard frame, recognisable by the first bytes, in a
//! separate column, with the plain size beside the frame. A value without the size is plain. So rows from
//! before compression are read unchanged.

use std::cell::RefCell;

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::Type;
use zstd::bulk::{Compressor, Decompressor};

use super::rows::{Raw, count, unsigned};
use crate::StoreError;

/// The smallest cell or body to compress alone. Compression of a smaller text saves half a page at most, for
/// half the cost of receiving the delivery.
pub(super) const PACKED_FROM: usize = 4_096;

/// The largest text to compress on the calling task: a fraction of a millisecond.
const INLINE_MAX: usize = 64 << 10;

/// The divisor of the least saving: a packed value must have saved a part this large, since unpacking costs
/// time too.
const SAVED_PART: usize = 8;

const LEVEL: i32 = 1;

thread_local! {
    /// Making a compressor takes as long as compressing a few kilobytes.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// A text in the stored form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stored {
    /// Unchanged.
    Plain(Bytes),
    /// Compressed.
    Packed {
        /// The bytes before compression.
        size: usize,
        /// The CRC-32 of the plain bytes.
        sum: u32,
        /// The frame.
        frame: Bytes,
    },
}

impl Stored {
    /// The bytes of the text itself.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Packed { size, .. } => *size,
        }
    }

    /// The CRC-32 of the text.
    pub(super) fn sum(&self) -> u32 {
        match self {
            Self::Plain(text) => crc32fast::hash(text),
            Self::Packed { sum, .. } => *sum,
        }
    }

    /// The bytes to write.
    pub(super) fn written(&self) -> &Bytes {
        match self {
            Self::Plain(bytes) | Self::Packed { frame: bytes, .. } => bytes,
        }
    }

    /// The value of the size column: whether the text is packed, and from which size.
    pub(super) fn packed_size(&self) -> Option<i64> {
        match self {
            Self::Plain(_) => None,
            Self::Packed { size, .. } => Some(count(*size)),
        }
    }
}

/// The stored form of a cell or a body. A large text is compressed on a thread for such work, so that no
/// other request waits.
pub(super) async fn stored(text: Bytes) -> Result<Stored, StoreError> {
    if text.len() <= INLINE_MAX {
        return Ok(packed(text, PACKED_FROM));
    }
    let packing = tokio::task::spawn_blocking(move || packed(text, PACKED_FROM));
    packing.await.map_err(|error| StoreError::Internal(error.into()))
}

/// Packs a text of at least `from` bytes, where compression pays.
pub(super) fn packed(text: Bytes, from: usize) -> Stored {
    let size = text.len();
    if size < from {
        return Stored::Plain(text);
    }
    match compress(&text) {
        Some(frame) if frame.len() <= size - size / SAVED_PART => {
            Stored::Packed { size, sum: crc32fast::hash(&text), frame: frame.into() }
        }
        _ => Stored::Plain(text),
    }
}

fn compress(text: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|place| {
        if place.is_none() {
            *place = Compressor::new(LEVEL).ok();
        }
        // The buffer has room for incompressible text.
        let mut frame = place.as_mut()?.compress(text).ok()?;
        frame.shrink_to_fit();
        Some(frame)
    })
}

/// Undoes [`packed`].
pub(super) fn unpack(frame: &[u8], size: usize) -> Result<Vec<u8>, StoreError> {
    let mut decompressor = Decompressor::new().map_err(|e| StoreError::Internal(e.into()))?;
    let text = decompressor.decompress(frame, size).map_err(|e| StoreError::Internal(e.into()))?;
    if text.len() != size {
        return Err(StoreError::internal("a compressed value has not the size that is said of it"));
    }
    Ok(text)
}

/// Undoes [`packed`] without the size at hand: the frame has the size, too.
pub(super) fn unpack_whole(frame: &[u8]) -> Result<Vec<u8>, StoreError> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    unpack(frame, size.ok_or_else(|| StoreError::internal("a compressed value says no size"))?)
}

/// Reads a value: first the column with the packed size, then the bytes of a packed value, else the plain
/// value.
pub(super) fn read(
    row: &Row<'_>,
    size: usize,
    frame: usize,
    plain: usize,
) -> rusqlite::Result<Bytes> {
    if row.get_ref(size)?.data_type() == Type::Null {
        return Ok(row.get::<_, Raw>(plain)?.0);
    }
    let bytes = usize::try_from(unsigned(row, size)?).unwrap_or(usize::MAX);
    let text = unpack(row.get_ref(frame)?.as_blob()?, bytes).map_err(|error| {
        let error = error.to_string().into();
        rusqlite::Error::FromSqlConversionFailure(frame, Type::Blob, error)
    })?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_round_trip(bytes: Vec<u8>, times in 1..200_usize) {
            let text = Bytes::from(bytes.repeat(times));
            match packed(text.clone(), 0) {
                Stored::Plain(same) => prop_assert_eq!(same, text),
                Stored::Packed { size, frame, .. } => {
                    prop_assert!(frame.len() < size);
                    prop_assert_eq!(unpack(&frame, size).unwrap(), text);
                }
            }
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>, size in 0..1_000_usize) {
            let _ = unpack(&bytes, size);
        }
    }

    #[test]
    fn what_does_not_get_smaller_stays_as_it_is() {
        let noise: Bytes = (0..40_000_u32)
            .scan(1_u32, |state, _| {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some(state.to_be_bytes()[0])
            })
            .collect();
        assert_eq!(packed(noise.clone(), PACKED_FROM), Stored::Plain(noise));
        let short = Bytes::from(vec![b'1'; PACKED_FROM - 1]);
        assert_eq!(packed(short.clone(), PACKED_FROM), Stored::Plain(short));
    }

    #[test]
    fn frames_of_another_size_are_refused() {
        let Stored::Packed { size, frame, .. } = packed(vec![b'1'; 5_000].into(), PACKED_FROM)
        else {
            panic!("it was not packed");
        };
        assert!(frame.len() < 100);
        assert_eq!(unpack_whole(&frame).unwrap(), unpack(&frame, size).unwrap());
        assert!(unpack(&frame, size + 1).is_err());
        assert!(unpack(&frame, size - 1).is_err());
    }
}
