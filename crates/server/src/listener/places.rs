use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hookyard_engine::limits::network;
use ipnet::IpNet;

/// How many connections each address has.
#[derive(Debug)]
pub(super) struct Places {
    most: Option<usize>,
    trusted_proxies: Vec<IpNet>,
    taken: Arc<Taken>,
}

type Taken = Mutex<HashMap<IpAddr, usize>>;

/// A connection's place, which it gives back when it ends.
#[derive(Debug)]
pub(super) struct Place {
    address: Option<IpAddr>,
    taken: Arc<Taken>,
}

impl Places {
    pub(super) fn new(most: Option<usize>, trusted_proxies: Vec<IpNet>) -> Self {
        Self { most, trusted_proxies, taken: Arc::default() }
    }

    /// A place for a connection from this address; `None` when it has all it may.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let taken = Arc::clone(&self.taken);
        let address = address.to_canonical();
        let Some(most) = self.most.filter(|_| !self.is_proxy(address)) else {
            return Some(Place { address: None, taken });
        };
        let network = network(address);
        {
            let mut counts = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(network).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        Some(Place { address: Some(network), taken })
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut counts = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_gives_them_back() {
        let places = Places::new(Some(2), vec!["10.0.0.0/8".parse().unwrap()]);
        let take = |address: &str| places.take(address.parse().unwrap());
        let first = take("192.0.2.1").unwrap();
        let _second = take("::ffff:192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(first);
        let _third = take("192.0.2.1").unwrap();
        let _networks = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        assert!(take("2001:db8:0:1::3").is_some());
        let proxied: Vec<_> = (0..100).map(|_| take("10.0.0.1").unwrap()).collect();
        assert_eq!(places.taken.lock().unwrap().len(), 2);
        drop(proxied);
    }
}
