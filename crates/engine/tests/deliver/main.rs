//! Delivery over the real store, with planned failures of the store and of the receivers.

// Marked as tests, as they are, so that the lints treat helpers like the cases they serve.
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod dispatching;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod landing;
#[cfg(test)]
mod lanes;
#[cfg(test)]
mod order;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod places;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod shortage;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tenure;
