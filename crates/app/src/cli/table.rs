//! Rows as a table for a person's eyes.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// Shown characters of a value; `--output csv` shows all.
const CHARS_MAX: usize = 60;

#[derive(Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    r#type: String,
}

/// Draws an answer in JSON: names, a rule, rows, and how many there are. Numbers stand to the right.
pub(super) fn draw(answer: &[u8]) -> Result<String> {
    let answer: Answer = serde_json::from_slice(answer).context("the answer is not as expected")?;
    let names: Vec<_> = answer.columns.iter().map(|column| shown(&column.name)).collect();
    let rows: Vec<Vec<_>> = answer.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(at)).chain(names.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..names.len()).map(width).collect();
    let right: Vec<_> = answer
        .columns
        .iter()
        .map(|column| matches!(column.r#type.as_str(), "integer" | "number" | "decimal"))
        .collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).zip(&right);
        let cells: Vec<_> = cells
            .map(|((cell, width), right)| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![line(&names), rule.join("  ")];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.push(format!("({} {})\n", rows.len(), if rows.len() == 1 { "row" } else { "rows" }));
    Ok(lines.join("\n"))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// A text on one line, without control characters for a terminal: the text may come from anyone.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (at, char) in text.chars().enumerate() {
        if at == CHARS_MAX {
            shown.push('…');
            break;
        }
        match char {
            char if char.is_control() => shown.extend(char.escape_default()),
            char => shown.push(char),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_columns() {
        let answer =
            br#"{"columns":[{"name":"id","type":"integer"},{"name":"name","type":"string"}],
            "rows":[[1,"a"],[20,"b\u001b[2J\nc"],[null,null]],"truncated":false}"#;
        let expected = "id  name\n--  -------------\n 1  a\n20  b\\u{1b}[2J\\nc\n\n(3 rows)\n";
        assert_eq!(draw(answer).unwrap(), expected);
        assert!(draw(b"{}").is_err());
    }

    #[test]
    fn long_values_are_cut() {
        assert_eq!(shown(&"é".repeat(100)).chars().count(), CHARS_MAX + 1);
    }
}
