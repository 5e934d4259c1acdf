//! Delivering: claim, render, send, settle.

pub mod render;
