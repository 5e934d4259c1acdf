//! Whatever a form is, reading it does not panic, and a form that is written by the rules is read back
//! field by field: `cargo +nightly fuzz run multipart`.
#![no_main]

use hookyard_core::form::multipart::parse;
use libfuzzer_sys::fuzz_target;

const TYPE: &str = "multipart/form-data; boundary=Bx7";

fuzz_target!(|input: (&str, &[u8], Vec<(String, String)>)| {
    let (content_type, body, fields) = input;
    let _ = parse(content_type, body);
    let _ = parse(TYPE, body);

    // Quotes, backslashes and line ends in names have spellings of their own, and the boundary may be
    // in no content.
    let plain = |(name, text): &(String, String)| {
        !name.contains(['"', '\\', '\r', '\n']) && !text.contains("--Bx7") && name.len() < 1_000
    };
    let fields: Vec<_> = fields.into_iter().filter(plain).collect();
    let part = |(name, text): &(String, String)| {
        format!("--Bx7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let form = fields.iter().map(part).collect::<String>() + "--Bx7--\r\n";
    let Ok(parts) = parse(TYPE, form.as_bytes()) else { panic!("not read: {form}") };
    assert_eq!(parts.len(), fields.len());
    for ((name, part), (written, text)) in parts.iter().zip(&fields) {
        assert_eq!(name, written);
        assert_eq!(serde_json::to_value(part).ok(), Some(text.as_str().into()));
    }
});
