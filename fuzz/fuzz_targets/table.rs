//! Whatever a cell is, learning its columns and taking it apart by them neither panics nor loses a leaf.
#![no_main]

use hookyard_core::id::BatchId;
use hookyard_core::table::csv::{self, Formulas};
use hookyard_core::table::{Flattener, Inference, Leaves, Stamp, Value, ndjson};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|cell: &[u8]| {
    let valid = serde_json::from_slice::<&RawValue>(cell).is_ok();
    let at = Stamp { batch: BatchId(1), received_at: jiff::Timestamp::UNIX_EPOCH };
    let mut inference = Inference::default();
    let added = inference.add(at, cell);
    assert!(added.is_ok() || !valid);
    let mut leaves = Leaves::default();
    if Flattener::whole(&inference).flatten(cell, &mut leaves).is_err() {
        return;
    }
    if valid {
        for (place, column) in inference.columns().iter().enumerate() {
            assert!(leaves.value(place).is_some(), "{} is lost", column.name);
            assert!(Value::read(column.kind, leaves.value(place)).is_ok(), "{}", column.name);
        }
    }
    let mut out = Vec::new();
    csv::row(&mut out, at, inference.columns(), &leaves, true, Formulas::Escape);
    out.clear();
    ndjson::row(&mut out, at, inference.columns(), &leaves);
    if valid && std::str::from_utf8(cell).is_ok() {
        assert!(serde_json::from_slice::<&RawValue>(&out).is_ok());
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
});
