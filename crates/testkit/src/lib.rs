//! Simulated time, seeded randomness and a receiver with scripted faults, for tests only.
