//! The things Hookyard keeps.
