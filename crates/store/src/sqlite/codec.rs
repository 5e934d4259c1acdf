//! Lists of ascending or arbitrary numbers as short blobs: each number is the difference to the one
//! before, zigzag-coded, seven bits a byte.

use crate::StoreError;

/// Encodes a list.
pub(super) fn encode(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut previous = 0u64;
    for number in numbers {
        let difference = number.wrapping_sub(previous).cast_signed();
        let mut zigzag = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        while zigzag >= 0x80 {
            bytes.push(low_bits(zigzag) | 0x80);
            zigzag >>= 7;
        }
        bytes.push(low_bits(zigzag));
        previous = number;
    }
    bytes
}

fn low_bits(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// Decodes the output of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<u64>, StoreError> {
    let mut numbers = Vec::with_capacity(bytes.len());
    let (mut previous, mut zigzag, mut shift) = (0u64, 0u64, 0u32);
    for byte in bytes {
        if shift > 63 {
            return Err(StoreError::internal("a stored list of numbers is damaged"));
        }
        zigzag |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let difference = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
            previous = previous.wrapping_add(difference);
            numbers.push(previous);
            (zigzag, shift) = (0, 0);
        }
    }
    if shift != 0 {
        return Err(StoreError::internal("a stored list of numbers is cut short"));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lists_round_trip(numbers: Vec<u64>) {
            prop_assert_eq!(decode(&encode(numbers.iter().copied())).unwrap(), numbers);
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn runs_take_a_byte_a_number() {
        assert_eq!(encode(1_000_000..1_000_100).len(), 3 + 99);
    }
}
