//! Measures events per second and memory against the figures of the original:
//! `cargo run --release -p hookyard-ruler --example bench -- DIR`.
//!
//! DIR holds the generators' output: `citylots.gz`, `events_1000.jsonl`, `events_10000.jsonl` and
//! `events_100000.jsonl`, and also `ruler_rules.json`. Each figure is the median of three runs
//! after one to warm up, on one thread, from JSON text to counts of matching rules, which the bench
//! checks. The first ratio is by the clock. The second ratio is by the thread's processor time, the
//! better measure on a busy machine.
#![expect(clippy::print_stdout, reason = "a command that prints a table")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hookyard_ruler::{Machine, Rule, Scratch};

type Failure = Box<dyn std::error::Error>;

/// Rule set, and the events per second of the original.
const SETS: [(&str, f64); 16] = [
    ("EXACT", 369_800.0),
    ("WILDCARD", 251_095.0),
    ("PREFIX", 330_769.0),
    ("PREFIX_EQUALS_IGNORE_CASE", 344_931.0),
    ("SUFFIX", 336_581.0),
    ("SUFFIX_EQUALS_IGNORE_CASE", 356_065.0),
    ("EQUALS_IGNORE_CASE", 290_826.0),
    ("NUMERIC", 203_871.0),
    ("ANYTHING_BUT", 188_977.0),
    ("ANYTHING_BUT_IGNORE_CASE", 180_925.0),
    ("ANYTHING_BUT_PREFIX", 191_261.0),
    ("ANYTHING_BUT_SUFFIX", 176_965.0),
    ("ANYTHING_BUT_WILDCARD", 198_984.0),
    ("COMPLEX_ARRAYS", 50_059.0),
    ("PARTIAL_COMBO", 59_246.0),
    ("COMBO", 27_910.0),
];

/// A row of the second table.
struct Exact {
    rules: usize,
    shared_first: bool,
    original_rate: f64,
    original_mib: f64,
}

const fn exact(rules: usize, shared_first: bool, rate: f64, mib: f64) -> Exact {
    Exact { rules, shared_first, original_rate: rate, original_mib: mib }
}

const EXACT: [Exact; 6] = [
    exact(1_000, false, 197_581.0, 3.2),
    exact(1_000, true, 230_867.0, 1.7),
    exact(10_000, false, 119_186.0, 31.7),
    exact(10_000, true, 177_326.0, 16.9),
    exact(100_000, false, 81_814.0, 316.5),
    exact(100_000, true, 143_722.0, 169.8),
];

/// Matches per 10,000 events of the exact rules, as the original counts them.
const UNIQUE_FIRST_MATCHES: usize = 3_773;
const SHARED_FIRST_MATCHES: usize = 2_471;

fn main() -> Result<(), Failure> {
    let directory = std::env::args().nth(1).ok_or("usage: bench DIR")?;
    let directory = Path::new(&directory);
    if let Some(row) = std::env::args().nth(2) {
        return measure_exact(directory, EXACT.get(row.parse::<usize>()?).ok_or("no such row")?);
    }
    measure_sets(directory)?;
    println!(
        "\n{:<28} {:>11} {RATES} {:>10} {:>10} {:>6}",
        "exact rules", "original/s", "orig. MiB", "ours MiB", "share"
    );
    for row in 0..EXACT.len() {
        // Each row runs in a separate process: memory freed by another row would be used again.
        let mut command = Command::new(std::env::current_exe()?);
        let status = command.arg(directory).arg(row.to_string()).status()?;
        if !status.success() {
            return Err("a row could not be measured".into());
        }
    }
    Ok(())
}

fn measure_sets(directory: &Path) -> Result<(), Failure> {
    let mut text = String::new();
    let file = std::fs::File::open(directory.join("citylots.gz"))?;
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    let events: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let sets = std::fs::read_to_string(directory.join("ruler_rules.json"))?;
    let sets: serde_json::Value = serde_json::from_str(&sets)?;
    println!("{:<28} {:>11} {RATES}", "rule set", "original/s");
    for (name, original) in SETS {
        let rules = sets[name]["rules"].as_array().ok_or("no such rule set")?;
        let expected = sets[name]["expected_matches"].as_array().ok_or("no expected matches")?;
        let mut machine = Machine::new();
        for (id, rule) in rules.iter().enumerate() {
            machine.add(id, &Rule::parse(rule.as_str().ok_or("a rule is not text")?)?)?;
        }
        let mut counts = vec![0_u64; rules.len()];
        let rates = rates(&machine, &events, |id| counts[*id] += 1)?;
        let runs = RUNS as u64 + 1;
        for (id, expected) in expected.iter().enumerate() {
            if expected.as_u64() != Some(counts[id] / runs) {
                return Err(format!("{name}: rule {id} matched {} events", counts[id]).into());
            }
        }
        println!("{name:<28} {original:>11.0} {}", rates.against(original));
    }
    Ok(())
}

fn measure_exact(directory: &Path, row: &Exact) -> Result<(), Failure> {
    let text = std::fs::read_to_string(directory.join(format!("events_{}.jsonl", row.rules)))?;
    let events: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let before = resident_bytes()?;
    let mut machine = Machine::new();
    for id in 0..row.rules {
        let rule = if row.shared_first {
            format!(r#"{{"detail":{{"id":["value-{id}"]}},"account":["acme"]}}"#)
        } else {
            format!(r#"{{"detail":{{"id":["value-{id}"],"kind":["order.created"]}}}}"#)
        };
        machine.add(id, &Rule::parse(&rule)?)?;
    }
    let mib = (resident_bytes()? - before) / f64::from(1 << 20);
    let mut count = 0;
    let rates = rates(&machine, &events, |_| count += 1)?;
    let expected = if row.shared_first { SHARED_FIRST_MATCHES } else { UNIQUE_FIRST_MATCHES };
    if count != expected * (RUNS + 1) {
        return Err(format!("{} exact rules matched {count} times", row.rules).into());
    }
    let name =
        format!("{} {} first", row.rules, if row.shared_first { "shared" } else { "unique" });
    println!(
        "{name:<28} {:>11.0} {} {:>10.1} {mib:>10.1} {:>5.0}%",
        row.original_rate,
        rates.against(row.original_rate),
        row.original_mib,
        100.0 * mib / row.original_mib,
    );
    Ok(())
}

const RUNS: usize = 3;

/// The heads of the columns of [`Rates::against`].
const RATES: &str = "     ours/s  ratio  by CPU";

/// Events per second.
struct Rates {
    by_clock: f64,
    by_processor: f64,
}

impl Rates {
    fn against(&self, original: f64) -> String {
        let Rates { by_clock, by_processor } = self;
        let (ratio, by_processor) = (by_clock / original, by_processor / original);
        format!("{by_clock:>11.0} {ratio:>5.1}x {by_processor:>6.1}x")
    }
}

/// The median of the runs after the first.
#[expect(clippy::cast_precision_loss, reason = "a few hundred thousand events")]
fn rates(
    machine: &Machine<usize>,
    events: &[&[u8]],
    mut found: impl FnMut(&usize),
) -> Result<Rates, Failure> {
    let mut scratch = Scratch::new();
    let (mut by_clock, mut by_processor) = (Vec::new(), Vec::new());
    for _ in 0..=RUNS {
        let (start, on_processor) = (Instant::now(), processor_seconds()?);
        for event in events {
            machine.matches_with(event, &mut scratch, &mut found)?;
        }
        by_clock.push(events.len() as f64 / start.elapsed().as_secs_f64());
        by_processor.push(events.len() as f64 / (processor_seconds()? - on_processor));
    }
    let median = |mut rates: Vec<f64>| {
        rates.remove(0);
        rates.sort_by(f64::total_cmp);
        rates[RUNS / 2]
    };
    Ok(Rates { by_clock: median(by_clock), by_processor: median(by_processor) })
}

/// How long the thread has been on a processor, in seconds (Linux).
fn processor_seconds() -> Result<f64, Failure> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = times.split_whitespace().next().ok_or("no schedstat")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}

/// The process's memory in use, in bytes (Linux).
fn resident_bytes() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("RssAnon")).ok_or("no RssAnon")?;
    let kib = line.split_whitespace().nth(1).ok_or("no RssAnon")?;
    Ok(kib.parse::<f64>()? * 1024.0)
}
