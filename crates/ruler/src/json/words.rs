//! Looking at eight bytes at a time, in a word.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks the quotes, backslashes and control characters of eight bytes with the bytes' high bit.
/// Marks above the lowest may be wrong (borrows carry upwards); the lowest is exact.
#[inline(always)]
pub(super) fn string_specials(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash
        | word.wrapping_sub(ONES * 0x20) & !word)
        & HIGHS
}

/// Marks the bytes that are not ASCII digits; again only the lowest mark is exact.
#[inline(always)]
pub(super) fn non_digits(word: u64) -> u64 {
    let value = word ^ (ONES * b'0' as u64);
    (value.wrapping_add(ONES * (0x80 - 10)) | value) & HIGHS
}

/// The number of the first marked byte.
#[inline(always)]
pub(super) fn first_byte(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}
