//! Hookyard's storage contract and its backends.
