//! How many bundles an endpoint takes at once.

use serde::{Deserialize, Serialize};

use crate::order_key::OrderKey;

/// The most bundles in flight to one endpoint. Each is a connection to its receiver and may hold up
/// to 900,000 bytes; with many more of them the one writer of attempts is what all wait for.
pub const CONCURRENCY_MAX: u32 = 32;

/// Several bundles in flight at once, never two with an event of the same key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// The most bundles in flight, from 2 to [`CONCURRENCY_MAX`].
    pub bundles: u32,
    /// Where in an event's object its key is. Events with the same key go out in the order of the
    /// queue, one after another.
    pub order_key: OrderKey,
}

impl Concurrency {
    /// What a number of bundles and a path make; `None` for one bundle at a time. The error names
    /// what is wrong, `concurrency` or `order_key`, and says how.
    pub fn new(
        bundles: u32,
        order_key: Option<&str>,
    ) -> Result<Option<Self>, (&'static str, String)> {
        if !(1..=CONCURRENCY_MAX).contains(&bundles) {
            let message = format!("must be from 1 to {CONCURRENCY_MAX}, and is {bundles}");
            return Err(("concurrency", message));
        }
        let order_key = order_key.map(str::parse::<OrderKey>).transpose();
        match (bundles, order_key.map_err(|error| ("order_key", error.to_string()))?) {
            (1, None) => Ok(None),
            (1, Some(_)) => {
                let message = "has no effect while concurrency is 1, where the whole queue keeps \
                               its order: raise that, or set this to null";
                Err(("order_key", message.to_owned()))
            }
            (_, None) => {
                let message = "is required with a concurrency above 1: the path of what events \
                               keep their order by, such as `customer.id`";
                Err(("order_key", message.to_owned()))
            }
            (bundles, Some(order_key)) => Ok(Some(Self { bundles, order_key })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_path_belong_together() {
        assert_eq!(Concurrency::new(1, None), Ok(None));
        let both = Concurrency::new(8, Some("customer.id")).unwrap().unwrap();
        assert_eq!((both.bundles, both.order_key.as_str()), (8, "customer.id"));
        for (bundles, path, field) in [
            (0, None, "concurrency"),
            (CONCURRENCY_MAX + 1, Some("a"), "concurrency"),
            (2, None, "order_key"),
            (2, Some("a..b"), "order_key"),
            (1, Some("a"), "order_key"),
        ] {
            assert_eq!(Concurrency::new(bundles, path).unwrap_err().0, field, "{bundles} {path:?}");
        }
    }
}
