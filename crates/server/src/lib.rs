//! The HTTP surface: the compatible APIs, the native API and the receive path.
