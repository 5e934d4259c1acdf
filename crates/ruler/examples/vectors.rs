//! Runs a file of test vectors: `cargo run --release -p hookyard-ruler --example vectors -- FILE`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

#[path = "../tests/support/vectors.rs"]
mod vectors;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: vectors FILE");
        return ExitCode::FAILURE;
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("cannot read {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let report = vectors::run(&text);
    for failure in &report.failures {
        println!("failed: {failure}");
    }
    for (quirk, count) in &report.departures {
        println!("departed from {quirk}: {count} vectors");
    }
    println!("{} passed, {} failed", report.passed, report.failures.len());
    if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
