//! How far one PostgreSQL takes Hookyard: measures what its statements cost, and runs a day of a
//! hundred million events through a model of that (docs/explanation/scaling.md has the figures).
//!
//! ```sh
//! cargo run --release -p hookyard-store --example scaling -- measure   # a private PostgreSQL, a minute
//! cargo run --release -p hookyard-store --example scaling -- simulate  # the same table each time
//! ```
#![expect(clippy::print_stdout, reason = "a command that prints tables")]

mod measure;
mod model;
mod simulate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("measure") => measure::run(),
        Some("simulate") => {
            simulate::run();
            Ok(())
        }
        _ => Err("say what to do: measure or simulate".into()),
    }
}
