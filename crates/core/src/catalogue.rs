//! The event types that a new workspace starts with.
