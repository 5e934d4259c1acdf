//! Whatever a body and its content coding are, reading it neither panics nor gives more than the bound,
//! and what is read is JSON: `cargo +nightly fuzz run content_coding`.
#![no_main]

use bytes::Bytes;
use hookyard_engine::receive::{RowsForm, rows};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

const BYTES_MAX: usize = 64 << 10;

fuzz_target!(|input: (bool, &[u8], &[u8], &[u8])| {
    let (lines, coding, content_type, body) = input;
    let mut headers = HeaderMap::new();
    for (name, value) in [(CONTENT_ENCODING, coding), (CONTENT_TYPE, content_type)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let codings = ["gzip", "deflate", "identity"].map(HeaderValue::from_static);
    for coding in codings.into_iter().map(Some).chain([None]) {
        if let Some(coding) = coding {
            headers.insert(CONTENT_ENCODING, coding);
        }
        let form = if lines { RowsForm::Lines } else { RowsForm::Json };
        let Ok(rows) = rows(&headers, &Bytes::copy_from_slice(body), form, BYTES_MAX) else { continue };
        assert!(rows.iter().map(Bytes::len).sum::<usize>() <= BYTES_MAX);
        assert!(rows.iter().all(|row| serde_json::from_slice::<&RawValue>(row).is_ok()));
    }
});
