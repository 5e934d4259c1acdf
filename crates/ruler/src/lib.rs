//! The AWS Event Ruler rule language: parse, compile, match.
