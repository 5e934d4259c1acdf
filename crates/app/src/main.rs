//! The `hookyard` binary: reads and runs the command.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;

mod cli;
mod config;
mod data;
mod files;
mod first;
mod flags;
mod lifecycle;
mod storage;
mod telemetry;

use config::Command;

/// Measured on the benchmark: see docs/explanation/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let json = config::asks_for_json(std::env::args_os());
    let command = match config::read(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => return refuse(&error, json),
    };
    let json = command.speaks_json();
    match run(command) {
        Ok(code) => code,
        Err(error) => fail(&error, json),
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let runtime = Runtime::new().context("cannot start the runtime")?;
    let done = match command {
        Command::Init(command) => runtime.block_on(cli::init(command)),
        Command::Serve(command) => runtime.block_on(cli::serve(*command)),
        Command::Application(command) => runtime.block_on(cli::application(command)),
        Command::Manage(command) => runtime.block_on(cli::manage(*command)),
        Command::Migrate(command) => runtime.block_on(cli::migrate(command)),
        Command::KeyRotate(command) => runtime.block_on(cli::key_rotate(command)),
        Command::Check(command) => return Ok(runtime.block_on(cli::check(command))),
        Command::Sql(command) => runtime.block_on(cli::sql(command)),
        Command::RuleTest(command) => return Ok(cli::rule_test(&command)),
    };
    // Given-up tasks are not waited for.
    runtime.shutdown_background();
    done.map(|()| ExitCode::SUCCESS)
}

/// Ends with clap's own text and code (0 for `--help`, 2 for wrong usage) where the error is clap's.
fn refuse(error: &anyhow::Error, json: bool) -> ExitCode {
    let Some(usage) = error.downcast_ref::<clap::Error>() else { return fail(error, json) };
    if json && usage.use_stderr() {
        say(&usage.render().to_string(), json);
    } else {
        // Nobody may be reading.
        let _ = usage.print();
    }
    u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    say(&telemetry::reasons(error), json);
    ExitCode::FAILURE
}

/// Says why the process ends.
fn say(error: &str, json: bool) {
    let line = match json {
        true => telemetry::json_line("ERROR", error.trim()),
        false => format!("error: {error}"),
    };
    // The output may have no reader; the exit code tells the same.
    let _ = writeln!(std::io::stderr(), "{line}");
}
