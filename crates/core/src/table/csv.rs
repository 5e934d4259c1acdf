//! Comma-separated values by RFC 4180: a header, CRLF line ends, and quotes around fields in need of quotes.
//! Null is nothing, an empty text is `""`.

use super::{BATCH, CELL, Column, Kind, Leaves, RECEIVED_AT, REST, Stamp, text};

/// The treatment of texts with the look of a spreadsheet formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formulas {
    /// Texts stay unchanged: the reader is a program, and the file shows the received text.
    #[default]
    Keep,
    /// Such texts get a leading apostrophe: the reader is a person with a spreadsheet. Without the apostrophe
    /// the spreadsheet would run text by any sender of a webhook.
    Escape,
}

/// The first characters of formulas in spreadsheets, from the list of OWASP: also line ends, and the wide
/// forms of the signs, read as the signs themselves by some Asian versions.
const OPENINGS: [&str; 11] = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"];

/// Appends the header of whole cells.
pub fn cells_header(out: &mut Vec<u8>) {
    out.extend_from_slice([BATCH, RECEIVED_AT, CELL].join(",").as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends a whole cell as a line.
pub fn cell(out: &mut Vec<u8>, at: Stamp, cell: &[u8]) {
    stamp(out, at);
    out.push(b',');
    field(out, cell);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header of flattened rows.
pub fn header(out: &mut Vec<u8>, columns: &[Column], rest: bool, formulas: Formulas) {
    out.extend_from_slice([BATCH, RECEIVED_AT].join(",").as_bytes());
    for column in columns {
        out.push(b',');
        guarded(out, column.name.as_bytes(), formulas);
    }
    if rest {
        out.push(b',');
        out.extend_from_slice(REST.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a flattened row as a line.
pub fn row(
    out: &mut Vec<u8>,
    at: Stamp,
    columns: &[Column],
    leaves: &Leaves<'_>,
    rest: bool,
    formulas: Formulas,
) {
    stamp(out, at);
    for (place, column) in columns.iter().enumerate() {
        out.push(b',');
        match leaves.value(place) {
            None | Some([b'n', ..]) => {}
            Some(json) if Kind::of(json).is_numeric() => out.extend_from_slice(json),
            Some(json) => guarded(out, text(column.kind, json).as_bytes(), formulas),
        }
    }
    if rest {
        out.push(b',');
        if let Some(json) = leaves.rest() {
            field(out, json);
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn stamp(out: &mut Vec<u8>, at: Stamp) {
    out.extend_from_slice(at.batch.to_string().as_bytes());
    out.push(b',');
    out.extend_from_slice(at.received_at.to_string().as_bytes());
}

fn guarded(out: &mut Vec<u8>, text: &[u8], formulas: Formulas) {
    let formula = OPENINGS.iter().any(|opening| text.starts_with(opening.as_bytes()));
    if formula && formulas == Formulas::Escape {
        return field(out, &[b"'", text].concat());
    }
    field(out, text);
}

/// Appends a field, in quotes if needed.
pub fn field(out: &mut Vec<u8>, text: &[u8]) {
    let plain = |byte: &u8| !matches!(byte, b',' | b'"' | b'\r' | b'\n');
    if !text.is_empty() && text.iter().all(plain) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for part in text.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::id::BatchId;
    use crate::table::{Flattener, Inference};

    const AT: Stamp = Stamp { batch: BatchId(7), received_at: Timestamp::UNIX_EPOCH };

    fn lines(cells: &[&str], formulas: Formulas) -> String {
        let mut inference = Inference::default();
        for (batch, cell) in (1..).zip(cells) {
            inference.add(Stamp { batch: BatchId(batch), ..AT }, cell.as_bytes()).unwrap();
        }
        let (flattener, mut leaves) = (Flattener::whole(&inference), Leaves::default());
        let mut out = Vec::new();
        header(&mut out, inference.columns(), false, formulas);
        for cell in cells {
            flattener.flatten(cell.as_bytes(), &mut leaves).unwrap();
            row(&mut out, AT, inference.columns(), &leaves, false, formulas);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let cells = [r#"{"a":"x,\"y\"\n","b":-1.50,"c":[1,"z"]}"#, r#"{"a":"","b":null}"#];
        let expected = "_batch,_received_at,a,b,c\r\n\
            7,1970-01-01T00:00:00Z,\"x,\"\"y\"\"\n\",-1.50,\"[1,\"\"z\"\"]\"\r\n\
            7,1970-01-01T00:00:00Z,\"\",,\r\n";
        assert_eq!(lines(&cells, Formulas::Keep), expected);
        let mut out = Vec::new();
        cells_header(&mut out);
        cell(&mut out, AT, br#"{"a":1}"#);
        let expected = "_batch,_received_at,_cell\r\n7,1970-01-01T00:00:00Z,\"{\"\"a\"\":1}\"\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn formulas_are_escaped_where_that_is_wanted() {
        let cells = [r#"{"=a":"=1+1","n":-5,"s":"-5","t":"\tx","u":"x=1","m":"a@b"}"#];
        let kept = lines(&cells, Formulas::Keep);
        assert!(
            kept.contains("=a,n,s,t,u,m\r\n") && kept.contains("Z,=1+1,-5,-5,\tx,x=1,a@b\r\n"),
            "{kept}"
        );
        let escaped = lines(&cells, Formulas::Escape);
        assert!(escaped.contains("'=a,n,s,t,u,m\r\n"), "{escaped}");
        assert!(escaped.contains("Z,'=1+1,-5,'-5,'\tx,x=1,a@b\r\n"), "{escaped}");
    }

    #[test]
    fn every_opening_is_escaped() {
        for opening in OPENINGS {
            let cell = serde_json::json!({ "v": format!("{opening}1") }).to_string();
            let escaped = lines(&[&cell], Formulas::Escape);
            let value = escaped.split_once("Z,").unwrap().1.trim_start_matches('"');
            assert!(value.starts_with(&format!("'{opening}")), "{escaped:?}");
        }
    }

    /// Reads what was written; fields and whether they were quoted.
    fn read(text: &str) -> Vec<String> {
        let (mut fields, mut chars) = (vec![String::new()], text.chars().peekable());
        let mut quoted = false;
        while let Some(char) = chars.next() {
            let field = fields.last_mut().unwrap();
            match char {
                '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(String::new()),
                char => field.push(char),
            }
        }
        fields
    }

    proptest! {
        #[test]
        fn fields_come_back(texts in prop::collection::vec("[a,\"\r\n é]{0,6}", 1..6)) {
            let mut out = Vec::new();
            for (at, text) in texts.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                field(&mut out, text.as_bytes());
            }
            prop_assert_eq!(read(std::str::from_utf8(&out).unwrap()), texts);
        }
    }
}
