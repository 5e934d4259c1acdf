//! `GET /v1/datasets/{id}/export`: a dataset as a file.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use hookyard_core::id::DatasetId;
use hookyard_core::table::csv::Formulas;
use hookyard_store::Seen;
use hookyard_tables::export::{Format, Options};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::native::call::{Call, Data, Read};
use crate::native::{input, paths};
use crate::problem::Problem;

/// Characters percent-encoded in the file name of a header (RFC 8187).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters of a file's name; file systems end at 255 bytes.
const NAME_CHARS_MAX: usize = 60;

/// The form and the rows of an export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// The form of the file.
    #[param(inline)]
    format: FormatName,
    /// Whether cells become columns or stay whole. By default, cells become columns in CSV and Parquet, and
    /// stay whole in NDJSON, one received cell a line.
    #[param(nullable = false)]
    flatten: Option<bool>,
    /// Only rows accepted at or after this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Only rows accepted before this moment.
    #[param(nullable = false)]
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
    /// The treatment of CSV texts that a spreadsheet would take for formulas: `keep` (the default), or
    /// `escape` with an apostrophe.
    #[param(inline, nullable = false)]
    formulas: Option<FormulasName>,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    Csv,
    Ndjson,
    Parquet,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum FormulasName {
    Keep,
    Escape,
}

/// Export a dataset
///
/// Streams the dataset's rows as of the start of the export, oldest first. A failed export breaks the
/// connection off early, so a file whose transfer ended well is whole.
#[utoipa::path(
    get,
    path = paths::DATASET_EXPORT,
    tag = "tables",
    responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"),
            (String = "application/x-ndjson"),
            (Vec<u8> = "application/vnd.apache.parquet"),
        )),
        (status = 409, description = "The rows changed too much while they were read"),
    ),
)]
pub(super) async fn export_dataset(
    call: Call<Read<Data>, DatasetId, Params>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, target: id, query: params, .. } = call;
    let options = params.options();
    let export = app.tables.export(workspace, id, options).await?;
    app.engine.note_seen(workspace, Seen::DatasetExport(id)).await?;
    let kind = HeaderValue::from_static(options.format.media_type());
    let name = disposition(&format!("dataset_{id}"), &export.name, options.format.extension());
    let parts = stream::unfold(export.parts, |mut parts| async {
        let part = parts.recv().await?;
        Some((part, parts))
    });
    let mut response = Body::from_stream(parts).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

impl Params {
    fn options(&self) -> Options {
        let format = match self.format {
            FormatName::Csv => Format::Csv,
            FormatName::Ndjson => Format::Ndjson,
            FormatName::Parquet => Format::Parquet,
        };
        Options {
            format,
            flatten: self.flatten.unwrap_or(format.flattens()),
            from: self.from,
            until: self.until,
            formulas: match self.formulas {
                Some(FormulasName::Escape) => Formulas::Escape,
                Some(FormulasName::Keep) | None => Formulas::Keep,
            },
        }
    }
}

/// A name to save the file by: `plain` for old readers, and the dataset's own (RFC 6266).
fn disposition(plain: &str, name: &str, extension: &str) -> String {
    let unfit = |char: char| char.is_control() || "/\\:*?\"<>|".contains(char);
    let name: String =
        name.chars().take(NAME_CHARS_MAX).map(|c| if unfit(c) { '_' } else { c }).collect();
    let name = match name.trim_matches(['.', ' ']) {
        "" => plain,
        name => name,
    };
    let name = utf8_percent_encode(name, ESCAPED);
    format!("attachment; filename=\"{plain}.{extension}\"; filename*=UTF-8''{name}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe() {
        let named = |name| disposition("dataset_1", name, "csv");
        let plain = "attachment; filename=\"dataset_1.csv\"; filename*=UTF-8''";
        assert_eq!(named("Orders 2026"), format!("{plain}Orders%202026.csv"));
        assert_eq!(named("../é\r\n\"x"), format!("{plain}_%C3%A9___x.csv"));
        assert_eq!(named(" .. "), format!("{plain}dataset_1.csv"));
        assert!(named(&"é".repeat(500)).len() < 500);
    }
}
