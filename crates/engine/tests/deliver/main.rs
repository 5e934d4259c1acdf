//! Delivery over the real store, with planned failures of the store and of the receivers.

mod dispatching;
mod faulty;
mod order;
mod retries;
mod scripted;
mod sim;
