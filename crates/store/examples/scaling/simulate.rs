//! A day of a hundred million events, and how many times as many there may be.

use crate::model::{Cost, Costs, Load, Machine, NAMES, Use, day, second};

/// What `measure` printed (docs/explanation/scaling.md says where), as straight lines through it.
pub(crate) const COSTS: Costs = Costs {
    publish: Cost { batch_ms: 0.7, each_ms: 0.025 },
    chunk_ms: 0.02,
    settle: Cost { batch_ms: 0.7, each_ms: 0.71 },
    wal_event: 1_250.0,
    wal_chunk: 300.0,
    wal_attempt: 1_500.0,
    disk_event: 1_243.0,
    disk_attempt: 1_029.0,
};

/// A server of the size that such a load is usually given.
pub(crate) const MACHINE: Machine = Machine {
    nodes: 3.0,
    shards: 1.0,
    cores: 16.0,
    speed: 1.0,
    commit_ms: 1.0,
    disk: 500e6,
    connections: 100.0,
    node_connections: 10.0,
    node_ms: 0.4,
    node_cores: 4.0,
};

pub(crate) const HUNDRED_MILLION: Load =
    Load { events_a_day: 1e8, fan_out: 2.0, endpoints: 1_000, bundle_max: 100.0, answer_ms: 100.0 };

const SEED: u64 = 20_261_122;

/// Runs and prints.
pub(crate) fn run() {
    the_day();
    growing("one database", &MACHINE, &HUNDRED_MILLION);
    let nodes = Machine { nodes: 9.0, ..MACHINE };
    growing("one database, nine nodes", &nodes, &HUNDRED_MILLION);
    let large = Load { bundle_max: 1_000.0, ..HUNDRED_MILLION };
    growing("one database, nine nodes, bundles of a thousand", &nodes, &large);
    let sharded = Machine { shards: 4.0, ..nodes };
    growing("four databases, nine nodes, bundles of a thousand", &sharded, &large);
    let single = Load { bundle_max: 1.0, ..HUNDRED_MILLION };
    growing("one database, one by one", &MACHINE, &single);
    failures();
}

fn the_day() {
    let rates = day(&HUNDRED_MILLION, SEED);
    println!("a day of {:.0} events", HUNDRED_MILLION.events_a_day);
    println!(
        "  hour | events/s mean, most | lock | processors | disk | endpoint | batch | attempts/s | WAL MB/s"
    );
    let mut wal = 0.0;
    let mut attempts = 0.0;
    for (hour, rates) in rates.chunks(3_600).enumerate() {
        let uses: Vec<Use> =
            rates.iter().map(|rate| second(&COSTS, &MACHINE, &HUNDRED_MILLION, *rate)).collect();
        wal += uses.iter().map(|of| of.wal).sum::<f64>();
        attempts += uses.iter().map(|of| of.attempts).sum::<f64>();
        if hour % 3 != 0 {
            continue;
        }
        let mean = rates.iter().sum::<f64>() / 3_600.0;
        let most = rates.iter().copied().fold(0.0, f64::max);
        let at = second(&COSTS, &MACHINE, &HUNDRED_MILLION, most);
        println!(
            "    {hour:>2} | {mean:>6.0} {most:>6.0} | {:>3.0}% | {:>3.0}% | {:>3.0}% | {:>3.0}% | {:>5.1} | {:>6.0} | {:>5.1}",
            at.lock * 100.0,
            at.processors * 100.0,
            at.disk * 100.0,
            at.endpoint * 100.0,
            at.batch,
            at.attempts,
            at.wal / 1e6
        );
    }
    println!("  in all: {:.1} M attempts, {:.0} GB of WAL", attempts / 1e6, wal / 1e9);
}

/// What is full first, when a day's load is taken several times.
fn growing(name: &str, machine: &Machine, load: &Load) {
    let most = day(load, SEED).into_iter().fold(0.0, f64::max);
    let full: Vec<(f64, &str)> = (0..NAMES.len())
        .filter_map(|place| Some((limit(machine, load, most, place)?, NAMES[place])))
        .collect();
    let mut full = full;
    full.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!("{name}: full at so many times a hundred million a day, at the day's peak");
    for (times, what) in full {
        println!("  {times:>6.1} {what} ({:.0} events/s)", times * most);
    }
}

/// How many times the peak fills something; `None` when it does not depend on the load, or not below
/// a thousand times.
fn limit(machine: &Machine, load: &Load, peak: f64, place: usize) -> Option<f64> {
    let part = |times: f64| second(&COSTS, machine, load, peak * times).parts()[place];
    if part(1_000.0) <= 1.000_1 {
        return None;
    }
    let (mut low, mut high) = (0.0, 1_000.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match part(middle) > 1.000_1 {
            true => high = middle,
            false => low = middle,
        }
    }
    Some(low)
}

/// What a node that dies and a database that is away for a while leave to be caught up with, at the
/// day's peak.
fn failures() {
    let load = &HUNDRED_MILLION;
    let peak = day(load, SEED).into_iter().fold(0.0, f64::max);
    // The lease and the look of the node that takes over: nobody delivers what the dead one had.
    let away = 12.0;
    let lost = peak * load.fan_out / MACHINE.nodes * away;
    let at = second(&COSTS, &MACHINE, load, peak);
    let spare = (1.0 - at.endpoint).max(0.0);
    println!(
        "a node dies at the peak: {lost:.0} deliveries wait {away:.0} s; the busiest endpoint has"
    );
    match spare > 0.0 {
        true => println!("  caught up after {:.0} s more", away * at.endpoint / spare),
        false => println!("  no time left to catch up in: it does so when the peak is over"),
    }
    let down = 30.0;
    let room = limit(&MACHINE, load, peak, 0).unwrap_or(1.0) * peak;
    let waiting = peak * down;
    println!(
        "the database is away for {down:.0} s: publishers that come again bring {waiting:.0} events; \
         they are taken after {:.0} s",
        waiting / (room - peak).max(1.0)
    );
}
