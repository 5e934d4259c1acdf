//! Rows as lines of text, as PostgreSQL's COPY reads and writes them.
//!
//! A row's line equals, to the byte, PostgreSQL's output for the row. So the line of a row is the same on
//! both sides, and a table's checksum can be taken of either side.

use std::fmt;
use std::io::Write;

use sha2::{Digest, Sha256};

/// A row.
#[derive(Debug, Default)]
pub(crate) struct Line(Vec<u8>);

impl Line {
    /// Begins a new row.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// A column without a value.
    pub(crate) fn null(&mut self) {
        self.0.extend_from_slice(b"\\N\t");
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: i64) {
        // Writing to memory cannot fail.
        let _ = write!(self.0, "{number}\t");
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, yes: bool) {
        self.0.extend_from_slice(if yes { b"t\t" } else { b"f\t" });
    }

    /// A text that PostgreSQL can keep.
    pub(crate) fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                0x08 => self.0.extend_from_slice(b"\\b"),
                b'\t' => self.0.extend_from_slice(b"\\t"),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                0x0b => self.0.extend_from_slice(b"\\v"),
                0x0c => self.0.extend_from_slice(b"\\f"),
                b'\r' => self.0.extend_from_slice(b"\\r"),
                other => self.0.push(other),
            }
        }
        self.0.push(b'\t');
    }

    /// Bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(b"\\\\x");
        self.0.extend_from_slice(hex::encode(bytes).as_bytes());
        self.0.push(b'\t');
    }

    /// A list of whole numbers.
    pub(crate) fn numbers(&mut self, numbers: impl IntoIterator<Item = i64>) {
        self.0.push(b'{');
        for (place, number) in numbers.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to memory cannot fail.
            let _ = write!(self.0, "{comma}{number}");
        }
        self.0.extend_from_slice(b"}\t");
    }

    /// The row, with its end.
    pub(crate) fn finished(&mut self) -> &[u8] {
        if let Some(last) = self.0.last_mut() {
            *last = b'\n';
        }
        &self.0
    }
}

/// The number of a table's rows and the sum of the rows' hashes: the same in any order of storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) rows: u64,
    sum: u128,
}

impl Checksum {
    /// Counts a row in.
    pub(crate) fn add(&mut self, line: &[u8]) {
        let digest: [u8; 32] = Sha256::digest(line).into();
        let hash = u128::from_le_bytes(*digest.first_chunk().unwrap_or(&[0; 16]));
        self.sum = self.sum.wrapping_add(hash);
        self.rows += 1;
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_written_as_copy_writes_it() {
        let mut line = Line::default();
        line.number(-7);
        line.null();
        line.flag(true);
        line.text("a\tb\\c\né\u{7f}");
        line.bytes(&[0, 0xff]);
        line.numbers([1, 22]);
        line.numbers([]);
        let expected = "-7\t\\N\tt\ta\\tb\\\\c\\né\u{7f}\t\\\\x00ff\t{1,22}\t{}\n";
        assert_eq!(line.finished(), expected.as_bytes());
    }

    #[test]
    fn a_checksum_knows_the_rows_and_not_their_order() {
        let of = |lines: &[&str]| {
            let mut sum = Checksum::default();
            lines.iter().for_each(|line| sum.add(line.as_bytes()));
            sum
        };
        assert_eq!(of(&["a\n", "b\n", "c\n"]), of(&["c\n", "a\n", "b\n"]));
        assert_ne!(of(&["a\n", "a\n"]), of(&["a\n", "b\n"]));
        assert_ne!(of(&["a\n"]), of(&["a\n", "a\n"]));
    }
}
