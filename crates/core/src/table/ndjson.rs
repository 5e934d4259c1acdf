//! Newline-delimited JSON: one value a line.

use super::flatten::member;
use super::{BATCH, Column, Leaves, RECEIVED_AT, REST, Stamp};

/// Appends a cell as a line, byte for byte but for line breaks: outside of strings those are blanks,
/// and inside JSON has none.
pub fn cell(out: &mut Vec<u8>, cell: &[u8]) {
    let start = out.len();
    out.extend_from_slice(cell);
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.push(b'\n');
}

/// Appends a flattened row as a line: an object of the columns that it has.
pub fn row(out: &mut Vec<u8>, at: Stamp, columns: &[Column], leaves: &Leaves<'_>) {
    out.push(b'{');
    member(out, BATCH, at.batch.to_string().as_bytes());
    out.push(b',');
    member(out, RECEIVED_AT, format!("\"{}\"", at.received_at).as_bytes());
    let start = out.len();
    let values =
        columns.iter().enumerate().map(|(place, column)| (&*column.name, leaves.value(place)));
    for (name, json) in values.chain([(REST, leaves.rest())]) {
        if let Some(json) = json {
            out.push(b',');
            member(out, name, json);
        }
    }
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        let mut out = Vec::new();
        cell(&mut out, b"{\r\n \"a\": \"\\n\"\n}");
        cell(&mut out, b"1.0");
        assert_eq!(out, b"{   \"a\": \"\\n\" }\n1.0\n");
    }
}
