//! Publishing, delivering and receiving.
