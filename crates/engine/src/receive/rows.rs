//! Rows appended to a dataset by the owner.

use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, WorkspaceId};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;

use super::{Refusal, coding, input, json, repeat};
use crate::quotas::Intake;
use crate::{Engine, Error};

/// The most rows added at once: a few milliseconds of the writing thread.
pub const ROWS_MAX: usize = 1_000;

/// How rows are written in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsForm {
    /// A JSON value: an array of rows, or any other value as the only row.
    Json,
    /// A JSON value in each line; blank lines are skipped.
    Lines,
}

/// Reads the rows of a body, each to the byte. Neither the body nor the decoded body may be larger
/// than `bytes_max`; JSON is taken as from a source.
pub fn rows(
    headers: &HeaderMap,
    body: &Bytes,
    form: RowsForm,
    bytes_max: usize,
) -> Result<Vec<Bytes>, Refusal> {
    let body = coding::decode(headers, body, bytes_max)?;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let body = input::cleaned(content_type.unwrap_or_default(), &body)?;
    let rows = match form {
        RowsForm::Json => of_value(&body)?,
        RowsForm::Lines => of_lines(&body)?,
    };
    match rows.len() {
        0 => Err(Refusal::Malformed("there is no row in the body".to_owned())),
        count if count > ROWS_MAX => Err(Refusal::Malformed(format!(
            "the body has {count} rows, and at most {ROWS_MAX} fit"
        ))),
        _ => Ok(rows),
    }
}

fn of_value(body: &Bytes) -> Result<Vec<Bytes>, Refusal> {
    let value = body.slice(json::locate(body).map_err(Refusal::Malformed)?);
    if !value.starts_with(b"[") {
        return Ok(vec![value]);
    }
    let items: Vec<&RawValue> = serde_json::from_slice(&value)
        .map_err(|error| Refusal::Malformed(format!("JSON is malformed: {error}")))?;
    Ok(items.into_iter().map(|item| value.slice_ref(item.get().as_bytes())).collect())
}

fn of_lines(body: &Bytes) -> Result<Vec<Bytes>, Refusal> {
    let mut rows = Vec::new();
    for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = |reason| Refusal::Malformed(format!("line {}: {reason}", at + 1));
        let range = json::locate(line).map_err(place)?;
        rows.push(body.slice_ref(&line[range]));
    }
    Ok(rows)
}

impl Engine {
    /// Adds rows to a dataset, each as a separate batch, all or none: the rows are on disk when the
    /// call returns. `None` when rows with the same `name` came to the dataset within a day: then
    /// nothing is added. [`Error::NotFound`] when there is no such dataset.
    pub async fn append_rows(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        rows: Vec<Bytes>,
        name: Option<&str>,
    ) -> Result<Option<Vec<BatchId>>, Error> {
        let bytes = rows.iter().map(Bytes::len).sum();
        let events = rows.len();
        let intake = Intake { events, bytes, becomes_rows: true, becomes_events: false };
        self.take_in(workspace, intake).await?;
        let repeat = name.map(|name| repeat::of_dataset(dataset, name));
        let now = self.clock().now();
        Ok(self.store().append_rows(workspace, dataset, rows, repeat, now).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: RowsForm, body: &str) -> Result<Vec<String>, Refusal> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let rows = rows(&HeaderMap::new(), &body, form, 10_000)?;
        Ok(rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect())
    }

    #[test]
    fn rows_are_kept_to_the_byte() {
        let json = |body| read(RowsForm::Json, body).unwrap();
        assert_eq!(json("\u{feff} {\"a\" : 1.0}\n"), ["{\"a\" : 1.0}"]);
        assert_eq!(json("[ {\"a\" : 1.0} , 2,\"x\" ]"), ["{\"a\" : 1.0}", "2", "\"x\""]);
        let lines = |body| read(RowsForm::Lines, body).unwrap();
        assert_eq!(lines("{\"a\" : 1}\r\n\n [1, 2]\n"), ["{\"a\" : 1}", "[1, 2]"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let wrong = |form, body: &str| read(form, body).unwrap_err().to_string();
        assert!(wrong(RowsForm::Lines, "1\n{\n").starts_with("line 2: JSON is malformed"));
        assert!(wrong(RowsForm::Json, "[1,]").contains("malformed"));
        for (form, body) in [(RowsForm::Json, "[]"), (RowsForm::Lines, "\n \n")] {
            assert!(wrong(form, body).contains("no row"));
        }
        let many = format!("[{}1]", "1,".repeat(ROWS_MAX));
        assert!(wrong(RowsForm::Json, &many).contains("1001 rows"));
        assert!(wrong(RowsForm::Json, &"[".repeat(200)).contains("malformed"));
    }
}
