use std::sync::{Mutex, PoisonError};

use hookyard_core::entropy::Entropy;

/// The seed of a run without a named seed.
const DEFAULT_SEED: u64 = 0x5EED;

/// Bytes derived from a seed, so a run can be replayed. A panicking test prints the seed of a held source.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    state: Mutex<u64>,
}

impl SeededEntropy {
    /// A source with the given seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::new(seed) }
    }

    /// A source with the seed from the environment variable `HOOKYARD_TEST_SEED`, or with a fixed seed.
    pub fn from_environment() -> Self {
        let named = std::env::var("HOOKYARD_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Self::new(named.unwrap_or(DEFAULT_SEED))
    }

    /// A number, each equally likely.
    pub fn number(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // SplitMix64: a counter of odd steps, mixed until each bit depends on all others.
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.number().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

impl Drop for SeededEntropy {
    #[expect(clippy::print_stderr, reason = "a failed test has no other way to tell its seed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with HOOKYARD_TEST_SEED={}", self.seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_bytes() {
        let bytes = |seed| {
            let mut bytes = [0; 37];
            SeededEntropy::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
        assert!(bytes(7)[30..].iter().any(|byte| *byte != 0));
    }
}
