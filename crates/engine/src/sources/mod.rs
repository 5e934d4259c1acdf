//! Managing sources and datasets.
