//! The recorded vectors, which are kept beside the checkout and not in it.
#![expect(clippy::print_stdout, reason = "says what it did not run")]

mod support {
    pub(crate) mod vectors;
}

use std::path::PathBuf;

/// `HOOKYARD_SHARED`, or the directory `shared` beside the checkout.
fn shared() -> PathBuf {
    match std::env::var_os("HOOKYARD_SHARED") {
        Some(directory) => directory.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    }
}

fn all_pass(name: &str) {
    let path = shared().join("vectors").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        let hint = "put the vectors there, or set HOOKYARD_SHARED to the directory above";
        assert!(std::env::var_os("CI").is_none(), "no {}: {hint}", path.display());
        println!("skipped, no {}: {hint}", path.display());
        return;
    };
    let report = support::vectors::run(&text);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert!(report.passed > 0, "no vectors in {}", path.display());
    let departures: usize = report.departures.values().sum();
    println!("{name}: {} passed, {departures} departed from", report.passed);
}

#[test]
fn recorded_vectors() {
    all_pass("ruler.jsonl");
}

#[test]
fn vectors_where_the_original_contradicts_itself() {
    all_pass("ruler-disputed.jsonl");
}
