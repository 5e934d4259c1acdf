//! How each payload format writes its events.

use std::io::Write as _;

use hookyard_core::cloudevents;
use hookyard_core::expansion::Filter;
use hookyard_core::json::Damaged;
use hookyard_core::model::{Event, PayloadFormat};
use serde_json::Value;

/// The text around the events of a document. Events are separated by commas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) opening: &'static [u8],
    pub(super) closing: &'static [u8],
}

impl Frame {
    /// The frame of a format. A document of a single event has none.
    pub(super) fn of(format: PayloadFormat) -> Self {
        let (opening, closing): (&[u8], &[u8]) = match format {
            PayloadFormat::Bundle => (br#"{"events":["#, b"]}"),
            PayloadFormat::CloudEventsBatch => (b"[", b"]"),
            PayloadFormat::Standard
            | PayloadFormat::Data
            | PayloadFormat::CloudEvents
            | PayloadFormat::CloudEventsBinary => (b"", b""),
        };
        Self { opening, closing }
    }
}

/// How the events of one type are written in one format.
#[derive(Debug)]
pub(super) struct Form {
    format: PayloadFormat,
    name: String,
    /// The name as JSON.
    quoted: String,
}

impl Form {
    /// The form of a type with this name.
    pub(super) fn new(format: PayloadFormat, name: &str) -> Self {
        Self { format, name: name.to_owned(), quoted: Value::from(name).to_string() }
    }

    /// Appends an event with the filtered object. When the object is not JSON, `out` has a part of the event.
    pub(super) fn write(
        &self,
        event: &Event,
        filter: &Filter,
        out: &mut Vec<u8>,
    ) -> Result<(), Damaged> {
        match self.format {
            PayloadFormat::Data | PayloadFormat::CloudEventsBinary => {
                return filter.apply(&event.object, out);
            }
            PayloadFormat::Bundle => {
                out.push(b'{');
                out.extend_from_slice(self.quoted.as_bytes());
                out.push(b':');
            }
            PayloadFormat::Standard => {
                let time = cloudevents::time(event);
                let time = time.unwrap_or_else(|| event.accepted_at.to_string().into());
                // Writing into memory does not fail.
                let _ = write!(out, r#"{{"type":{},"timestamp":"{time}","data":"#, self.quoted);
            }
            PayloadFormat::CloudEvents | PayloadFormat::CloudEventsBatch => {
                cloudevents::write_head(out, event, &self.name, true);
            }
        }
        filter.apply(&event.object, out)?;
        out.push(b'}');
        Ok(())
    }
}
