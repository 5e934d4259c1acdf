//! The recorded vectors: what the original answered, see `vectors/README.md`.
#![expect(clippy::print_stdout, reason = "says how many vectors passed")]

mod support {
    pub(crate) mod vectors;
}

use std::io::Read;

use flate2::read::GzDecoder;

fn all_pass(packed: &[u8], count: usize) {
    let mut text = String::new();
    let unpacked = GzDecoder::new(packed).read_to_string(&mut text);
    assert!(unpacked.is_ok(), "{unpacked:?}");
    let report = support::vectors::run(&text);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let departures: usize = report.departures.values().sum();
    println!("{} passed, {departures} departed from", report.passed);
    assert_eq!(report.passed + departures, count, "a vector got lost");
}

#[test]
fn recorded_vectors() {
    all_pass(include_bytes!("vectors/ruler.jsonl.gz"), 9_858);
}

#[test]
fn vectors_where_the_original_contradicts_itself() {
    all_pass(include_bytes!("vectors/ruler-disputed.jsonl.gz"), 182);
}
