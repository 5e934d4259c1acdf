//! Receiving: find the source, judge the caller, read the data, store a row.
