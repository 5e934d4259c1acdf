//! Simulated time, seeded randomness and a receiver with scripted faults, for tests only.
#![forbid(unsafe_code)]

mod clock;
mod entropy;
mod postgres;
mod receiver;

pub use clock::SimClock;
pub use entropy::SeededEntropy;
pub use postgres::Postgres;
pub use receiver::{Answer, Receiver, Recorded};
