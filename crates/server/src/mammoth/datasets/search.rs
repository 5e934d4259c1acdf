use axum::Json;
use hookyard_core::model::{Dataset, Scope};
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::ApiError;
use super::columns;

/// The shortest and the longest text to look for, in characters.
const TERM_CHARS_MIN: usize = 2;
const TERM_CHARS_MAX: usize = 200;

/// The most datasets in an answer, which has no pages.
const FOUND_MAX: usize = 100;

/// The datasets with a text in the name or in a column's name, in any case of letters. Cells are not
/// searched: Mammoth searches kept samples, and this server keeps no samples.
pub(in super::super) async fn search(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let term = query.text("q").unwrap_or_default().to_lowercase();
    if !(TERM_CHARS_MIN..=TERM_CHARS_MAX).contains(&term.chars().count()) {
        let wanted = format!("Expected `str` of length {TERM_CHARS_MIN} to {TERM_CHARS_MAX}");
        query.problem("q", wanted);
    }
    call.checked(query)?;
    let datasets = call.app.engine.of(place.workspace).datasets(place.project).await?;
    let found = datasets.iter().filter_map(|dataset| found(dataset, &term)).take(FOUND_MAX);
    Ok(Json(json!({"datasets": found.collect::<Vec<_>>()})))
}

fn found(dataset: &Dataset, term: &str) -> Option<Value> {
    let holds = |text: &str| text.to_lowercase().contains(term);
    let mut matches = Vec::new();
    if holds(&dataset.name) {
        matches.push(json!({"found_in": "name", "column": null, "value": dataset.name}));
    }
    for column in columns::all(&dataset.columns) {
        let schema = column.schema(&dataset.columns);
        let name = schema["c_name"].as_str().unwrap_or_default();
        if holds(name) {
            matches.push(json!({"found_in": "column", "column": name, "value": null}));
        }
    }
    let shown = json!({"id": dataset.id, "name": dataset.name, "matches": matches});
    (!matches.is_empty()).then_some(shown)
}
