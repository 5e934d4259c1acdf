//! The rows of a query as bytes.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hookyard_core::table::csv;

use super::{ANSWER_BYTES_MAX, Answer, Form};
use crate::Error;

/// Writes rows as they come.
pub(super) struct Writer {
    form: Form,
    names: Vec<String>,
    kinds: Vec<DataType>,
    limit: usize,
    rows: usize,
    truncated: bool,
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn new(form: Form, schema: &SchemaRef, limit: usize) -> Result<Self, Error> {
        let fields = schema.fields();
        let names: Vec<_> = fields.iter().map(|field| field.name().clone()).collect();
        let kinds = fields.iter().map(|field| field.data_type().clone()).collect();
        let mut writer =
            Self { form, names, kinds, limit, rows: 0, truncated: false, out: Vec::new() };
        writer.begin();
        writer.check().map(|()| writer)
    }

    /// Adds rows; `false` when there are as many as wanted.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<bool, Error> {
        let options = FormatOptions::default().with_display_error(true);
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|array| {
                ArrayFormatter::try_new(array.as_ref(), &options).map(|text| (array, text))
            })
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Internal(error.to_string()))?;
        for row in 0..batch.num_rows() {
            if self.rows == self.limit {
                self.truncated = true;
                return Ok(false);
            }
            self.open();
            for (at, (array, text)) in columns.iter().enumerate() {
                let text = array.is_valid(row).then(|| text.value(row).to_string());
                self.value(at, text.filter(|_| *array.data_type() != DataType::Null));
            }
            self.close();
            self.rows += 1;
            self.check()?;
        }
        Ok(true)
    }

    pub(super) fn finish(mut self) -> Answer {
        if self.form == Form::Json {
            let end = format!("],\"truncated\":{}}}", self.truncated);
            self.out.extend_from_slice(end.as_bytes());
        }
        Answer { body: self.out, rows: self.rows, truncated: self.truncated }
    }

    fn begin(&mut self) {
        match self.form {
            Form::Ndjson => {}
            Form::Csv => {
                for at in 0..self.names.len() {
                    self.separate(at);
                    csv::field(&mut self.out, self.names[at].as_bytes());
                }
                self.out.extend_from_slice(b"\r\n");
            }
            Form::Json => {
                self.out.extend_from_slice(b"{\"columns\":[");
                for at in 0..self.names.len() {
                    self.separate(at);
                    self.out.extend_from_slice(b"{\"name\":");
                    quote(&mut self.out, &self.names[at]);
                    self.out.extend_from_slice(b",\"type\":");
                    quote(&mut self.out, word(&self.kinds[at]));
                    self.out.push(b'}');
                }
                self.out.extend_from_slice(b"],\"rows\":[");
            }
        }
    }

    fn open(&mut self) {
        match self.form {
            Form::Csv => {}
            Form::Ndjson => self.out.push(b'{'),
            Form::Json => {
                self.separate(self.rows);
                self.out.push(b'[');
            }
        }
    }

    fn value(&mut self, at: usize, text: Option<String>) {
        self.separate(at);
        if self.form == Form::Ndjson {
            quote(&mut self.out, &self.names[at]);
            self.out.push(b':');
        }
        match (text, self.form) {
            (None, Form::Csv) => {}
            (None, _) => self.out.extend_from_slice(b"null"),
            (Some(text), Form::Csv) => csv::field(&mut self.out, text.as_bytes()),
            (Some(text), _) if is_json(&self.kinds[at], &text) => {
                self.out.extend_from_slice(text.as_bytes());
            }
            (Some(text), _) => quote(&mut self.out, &text),
        }
    }

    fn close(&mut self) {
        let end: &[u8] = match self.form {
            Form::Csv => b"\r\n",
            Form::Ndjson => b"}\n",
            Form::Json => b"]",
        };
        self.out.extend_from_slice(end);
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.out.push(b',');
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.out.len() <= ANSWER_BYTES_MAX {
            return Ok(());
        }
        Err(Error::Limit(format!(
            "the answer has more than the {ANSWER_BYTES_MAX} bytes that one may have: ask for fewer \
             rows or columns, or export the dataset"
        )))
    }
}

/// The word for a type, the same as for columns of datasets where there is one.
fn word(kind: &DataType) -> &'static str {
    match kind {
        DataType::Null => "null",
        DataType::Boolean => "boolean",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "string",
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => "decimal",
        kind if kind.is_integer() => "integer",
        kind if kind.is_floating() => "number",
        _ => "other",
    }
}

/// Whether a value's text is its JSON. Decimals are strings, as most readers of JSON numbers would
/// round them; so is what JSON has no number for.
fn is_json(kind: &DataType, text: &str) -> bool {
    match kind {
        DataType::Boolean => true,
        kind if kind.is_integer() => true,
        kind if kind.is_floating() => text.parse().is_ok_and(f64::is_finite),
        _ => false,
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    // A text always has a JSON text, and a vector takes it.
    let _ = serde_json::to_writer(out, text);
}
