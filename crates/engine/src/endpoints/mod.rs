//! Managing endpoints: validate, store, put the new matcher in place.
