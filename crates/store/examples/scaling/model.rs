//! A fluid model of servers that share one PostgreSQL, second by second.
//!
//! What a statement costs was measured ([`Cost`]); what the machines have and what arrives is assumed
//! ([`Machine`], [`Load`]). Group commit is modelled as it is built: while a batch is under way the next
//! one gathers, so a batch is as large as what arrives during the one before, up to the bound.

/// Jobs in one batch, at most (`JOBS_MAX` of the store).
const BATCH_MAX: f64 = 512.0;

/// What a batch costs: so much for each, and so much for each thing in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) batch_ms: f64,
    pub(crate) each_ms: f64,
}

impl Cost {
    fn of(self, size: f64) -> f64 {
        self.batch_ms + self.each_ms * size
    }
}

/// What the statements cost in the database: measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) publish: Cost,
    /// For each endpoint that a batch queues something for.
    pub(crate) chunk_ms: f64,
    /// For each attempt: a look at the queue, and the settlement.
    pub(crate) settle: Cost,
    pub(crate) wal_event: f64,
    pub(crate) wal_chunk: f64,
    pub(crate) wal_attempt: f64,
    pub(crate) disk_event: f64,
    pub(crate) disk_attempt: f64,
}

/// What there is: assumed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) nodes: f64,
    /// Databases that share nothing, with as many workspaces each.
    pub(crate) shards: f64,
    /// Processors of each database.
    pub(crate) cores: f64,
    /// How many times faster one of them is than the one that was measured on.
    pub(crate) speed: f64,
    /// How long a commit waits for the disk.
    pub(crate) commit_ms: f64,
    /// Bytes a second that each database's disk can be given, WAL and tables together.
    pub(crate) disk: f64,
    pub(crate) connections: f64,
    /// Connections of each node.
    pub(crate) node_connections: f64,
    /// Processor time of a node for an event that is published and delivered.
    pub(crate) node_ms: f64,
    pub(crate) node_cores: f64,
}

/// What arrives: assumed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) events_a_day: f64,
    /// Endpoints that an event is delivered to.
    pub(crate) fan_out: f64,
    pub(crate) endpoints: usize,
    /// Events in a bundle, at most.
    pub(crate) bundle_max: f64,
    /// How long a receiver takes to answer.
    pub(crate) answer_ms: f64,
}

/// How much of what there is one second's load takes; 1 is all of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Use {
    /// The journal's lock: one batch of publishes at a time, of all nodes.
    pub(crate) lock: f64,
    /// The one settlement that each node has under way.
    pub(crate) settling: f64,
    /// The database's processors.
    pub(crate) processors: f64,
    /// The database's disk.
    pub(crate) disk: f64,
    /// The busiest endpoint, which sends one bundle at a time.
    pub(crate) endpoint: f64,
    /// The nodes' processors.
    pub(crate) nodes: f64,
    /// Connections to the database.
    pub(crate) connections: f64,
    /// Events in a batch.
    pub(crate) batch: f64,
    /// Attempts a second.
    pub(crate) attempts: f64,
    /// Bytes of WAL a second, of all databases.
    pub(crate) wal: f64,
}

/// What [`Use`] names, in its order.
pub(crate) const NAMES: [&str; 7] = [
    "journal's lock",
    "settling",
    "database's processors",
    "database's disk",
    "busiest endpoint",
    "nodes' processors",
    "connections",
];

impl Use {
    pub(crate) fn parts(&self) -> [f64; 7] {
        [
            self.lock,
            self.settling,
            self.processors,
            self.disk,
            self.endpoint,
            self.nodes,
            self.connections,
        ]
    }
}

/// The size of batches that arrivals a second make, when each gathers while the one before is under
/// way; and the part that the arrivals are of what full batches could take.
fn batches(rate: f64, time_ms: impl Fn(f64) -> f64) -> (f64, f64) {
    let mut size = 1.0_f64;
    for _ in 0..200 {
        size = (rate * time_ms(size) / 1_000.0).clamp(1.0, BATCH_MAX);
    }
    (size, rate / BATCH_MAX * time_ms(BATCH_MAX) / 1_000.0)
}

/// What a second with so many events takes.
pub(crate) fn second(costs: &Costs, machine: &Machine, load: &Load, events: f64) -> Use {
    // What is measured in the server was measured on the slower machine.
    let slow = |ms: f64| ms / machine.speed;
    let per_shard = events / machine.shards;
    let endpoints = load.endpoints as f64 / machine.shards;
    // A batch has a chunk for each endpoint that at least one of its events matched.
    let chunks = |size: f64| endpoints * (1.0 - (1.0 - load.fan_out / endpoints).powf(size));
    let publish_ms = |size: f64| slow(costs.publish.of(size) + costs.chunk_ms * chunks(size));
    let (batch, lock) = batches(per_shard, |size| publish_ms(size) + machine.commit_ms);

    let (attempts, endpoint) = attempts(costs, machine, load, events);
    let per_node = attempts / machine.nodes;
    let settle_ms = |size: f64| slow(costs.settle.of(size));
    let (bundle, settling) = batches(per_node, |size| settle_ms(size) + machine.commit_ms);

    let publishes = per_shard / batch;
    let settles = attempts / machine.shards / bundle;
    let busy_ms = publishes * publish_ms(batch) + settles * settle_ms(bundle);
    let wal = events * costs.wal_event
        + publishes * machine.shards * chunks(batch) * costs.wal_chunk
        + attempts * costs.wal_attempt;
    let tables = events * costs.disk_event + attempts * costs.disk_attempt;
    Use {
        lock,
        settling,
        processors: busy_ms / 1_000.0 / machine.cores,
        disk: (wal + tables) / machine.shards / machine.disk,
        endpoint,
        nodes: events * machine.node_ms / 1_000.0 / (machine.nodes * machine.node_cores),
        // Every node has its own to every database.
        connections: machine.nodes * machine.node_connections / machine.connections,
        batch,
        attempts,
        wal,
    }
}

/// Attempts a second, and how busy the busiest endpoint is. The n-th endpoint gets an n-th of what the
/// first one gets, so far as each event goes to no endpoint twice.
fn attempts(costs: &Costs, machine: &Machine, load: &Load, events: f64) -> (f64, f64) {
    let weights: f64 = (1..=load.endpoints).map(|n| 1.0 / n as f64).sum();
    let cycle =
        (load.answer_ms + costs.settle.of(1.0) / machine.speed + machine.commit_ms) / 1_000.0;
    let (mut sum, mut busiest) = (0.0, 0.0_f64);
    for n in 1..=load.endpoints {
        let rate = (events * load.fan_out / weights / n as f64).min(events);
        // A bundle has what came during the one before.
        let bundle = (rate * cycle).clamp(1.0, load.bundle_max);
        let bundles = (rate / bundle).min(1.0 / cycle);
        sum += bundles;
        busiest = busiest.max(rate * cycle / load.bundle_max);
    }
    (sum, busiest)
}

/// The arrivals of a day, a second each: a day and a night, and bursts at moments that the seed says.
pub(crate) fn day(load: &Load, seed: u64) -> Vec<f64> {
    let mean = load.events_a_day / 86_400.0;
    let mut rates: Vec<f64> = (0..86_400)
        .map(|second| {
            let angle = std::f64::consts::TAU * (f64::from(second) / 86_400.0 - 0.375);
            mean * (1.0 + 0.6 * angle.sin())
        })
        .collect();
    let mut state = seed | 1;
    for _ in 0..12 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let begin = usize::try_from(state % 86_000).unwrap_or_default();
        // Five minutes at twice what is usual then.
        for rate in rates.iter_mut().skip(begin).take(300) {
            *rate *= 2.0;
        }
    }
    // The bursts are of the day's events, not beyond them.
    let sum: f64 = rates.iter().sum();
    rates.iter().map(|rate| rate * load.events_a_day / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{COSTS, HUNDRED_MILLION, MACHINE};

    #[test]
    fn a_day_is_the_same_each_time_and_has_its_events() {
        let (one, other) = (day(&HUNDRED_MILLION, 7), day(&HUNDRED_MILLION, 7));
        assert!(one.iter().zip(&other).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!((one.iter().sum::<f64>() - 1e8).abs() < 1.0);
        assert!(one.iter().all(|rate| *rate > 0.0));
    }

    #[test]
    fn batches_grow_until_they_are_full() {
        let time = |size: f64| 2.0 + 0.1 * size;
        assert!((batches(1.0, time).0 - 1.0).abs() < 1e-9);
        let (size, busy) = batches(5_000.0, time);
        assert!((size - 20.0).abs() < 0.1 && (busy - 0.52).abs() < 0.01, "{size} {busy}");
        let (size, busy) = batches(20_000.0, time);
        assert!((size - BATCH_MAX).abs() < 1e-9 && busy > 1.0, "{size} {busy}");
    }

    #[test]
    fn more_load_takes_more_and_more_shards_take_less_each() {
        let at = |machine: &Machine, events| second(&COSTS, machine, &HUNDRED_MILLION, events);
        let (low, high) = (at(&MACHINE, 500.0), at(&MACHINE, 5_000.0));
        assert!(low.parts().iter().zip(high.parts()).all(|(low, high)| *low <= high + 1e-9));
        let sharded = at(&Machine { shards: 4.0, ..MACHINE }, 5_000.0);
        assert!(sharded.processors < high.processors / 2.0);
    }
}
