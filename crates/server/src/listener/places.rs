//! Places for connections, and the choice of connections to close when places are few.
//!
//! An address has as many places as its bound says, and no more than twice the free places. An address with
//! many connections so gets fewer as places fill, and a newcomer finds a place. When nearly all places are
//! taken, the address with the most connections loses the connection that has waited longest for its
//! caller.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookyard_engine::limits::network;
use ipnet::IpNet;

use super::connection::Connection;

/// One place in this many is kept free for newcomers, where waiting connections can be closed.
const SPARE_PART: usize = 64;

/// The share of an address, in multiples of the free places. At 2, a single address gets at most two thirds
/// of all places, and a dozen addresses leave a twenty-fifth.
const FREE_TIMES: usize = 2;

/// All places of a listener.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    each: Option<usize>,
    trusted_proxies: Vec<IpNet>,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// The holders of places, in order of arrival.
    guests: HashMap<u64, Guest>,
    next: u64,
    /// How many each address has. Trusted proxies are not in here.
    counts: HashMap<IpAddr, usize>,
    /// How many were told to leave and have not yet left.
    leaving: usize,
}

#[derive(Debug)]
struct Guest {
    /// `None` for a trusted proxy.
    address: Option<IpAddr>,
    connection: Arc<Connection>,
    leaves: bool,
}

/// A connection's place, given back when the connection ends.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// So many places, and so many for each address.
    pub(super) fn new(all: usize, each: Option<usize>, trusted_proxies: Vec<IpNet>) -> Self {
        Self { all, each, trusted_proxies, taken: Arc::default() }
    }

    /// A place for a connection from the given address; `None` when the address has its share.
    pub(super) fn take(&self, address: IpAddr, connection: &Arc<Connection>) -> Option<Place> {
        let address = address.to_canonical();
        let address = (!self.is_proxy(address)).then(|| network(address));
        let mut taken = self.lock();
        let free = self.all.saturating_sub(taken.guests.len());
        if let Some(address) = address {
            let count = taken.counts.get(&address).copied().unwrap_or(0);
            if let Some(each) = self.each {
                let share = free.saturating_mul(FREE_TIMES).max(1);
                if count >= each.min(share) {
                    return None;
                }
            }
            taken.counts.insert(address, count + 1);
        }
        let number = taken.next;
        taken.next += 1;
        let guest = Guest { address, connection: Arc::clone(connection), leaves: false };
        taken.guests.insert(number, guest);
        drop(taken);
        self.make_room();
        Some(Place { number, taken: Arc::clone(&self.taken) })
    }

    /// When few places are free, asks a waiting connection to leave.
    pub(super) fn make_room(&self) {
        let mut taken = self.lock();
        let spare = (self.all / SPARE_PART).max(1);
        let stay = taken.guests.len() - taken.leaving;
        if stay + spare <= self.all {
            return;
        }
        let Taken { guests, counts, leaving, .. } = &mut *taken;
        let rank = |guest: &Guest| {
            let since = guest.connection.waits_since().filter(|_| !guest.leaves)?;
            // Connections of proxies come last: many callers share a proxy.
            let count = guest.address.and_then(|address| counts.get(&address)).copied();
            Some((guest.connection.is_idle(), count.unwrap_or(0), std::cmp::Reverse(since)))
        };
        let longest = guests.values_mut().max_by_key(|guest| rank(guest));
        if let Some(guest) = longest.filter(|guest| rank(guest).is_some()) {
            guest.leaves = true;
            *leaving += 1;
            guest.connection.ask_to_leave();
        }
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection did not leave on request: a request had arrived by then.
    pub(super) fn stays(&self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Taken { guests, leaving, .. } = &mut *taken;
        if let Some(guest) = guests.get_mut(&self.number)
            && std::mem::take(&mut guest.leaves)
        {
            *leaving -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(guest) = taken.guests.remove(&self.number) else { return };
        taken.leaving -= usize::from(guest.leaves);
        let Some(address) = guest.address else { return };
        if let Some(count) = taken.counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.counts.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: usize, each: Option<usize>) -> Places {
        Places::new(all, each, vec!["10.0.0.0/8".parse().unwrap()])
    }

    fn take(places: &Places, address: &str) -> Option<(Place, Arc<Connection>)> {
        let connection = Arc::new(Connection::default());
        Some((places.take(address.parse().unwrap(), &connection)?, connection))
    }

    #[test]
    fn each_address_has_its_places_and_gives_them_back() {
        let places = places(1_000, Some(2));
        let take = |address: &str| take(&places, address);
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
        assert_eq!(places.lock().counts.len(), 2);
        drop(proxied);
        assert_eq!(places.lock().guests.len(), 4);
    }

    #[test]
    fn the_share_of_an_address_shrinks_when_places_get_scarce() {
        let places = places(1_000, Some(100));
        let mut held = Vec::new();
        for address in 1..=12 {
            let address = format!("192.0.2.{address}");
            held.extend(std::iter::from_fn(|| {
                let (place, connection) = take(&places, &address)?;
                // All of them are being answered, so none can be closed.
                connection.began();
                Some(place)
            }));
        }
        let taken = held.len();
        assert!((900..1_000).contains(&taken), "{taken}");
        for newcomer in 1..=10 {
            assert!(take(&places, &format!("198.51.100.{newcomer}")).is_some());
        }
    }

    #[test]
    fn who_waits_longest_at_the_greediest_address_leaves_first() {
        let places = places(8, None);
        let _modest: Vec<_> = (0..2).map(|_| take(&places, "192.0.2.1").unwrap()).collect();
        let greedy: Vec<_> = (0..5).map(|_| take(&places, "192.0.2.2").unwrap()).collect();
        let asked = || greedy.iter().map(|(_, it)| it.was_asked_to_leave()).collect::<Vec<_>>();
        assert_eq!(asked(), [false; 5], "one place is free");
        greedy[0].1.began();
        greedy[1].1.began();
        greedy[1].1.answered();
        let _last = take(&places, "192.0.2.3").unwrap();
        assert_eq!(asked(), [false, false, true, false, false]);
        places.make_room();
        assert_eq!(asked(), [false, false, true, false, false], "one is enough");
        // It had a request by then, so another one is asked.
        greedy[2].1.began();
        greedy[2].0.stays();
        places.make_room();
        assert_eq!(asked(), [false, false, true, true, false]);
    }

    #[test]
    fn a_head_that_drips_leaves_when_nobody_is_idle() {
        let places = places(3, None);
        let (_busy, answering) = take(&places, "192.0.2.1").unwrap();
        answering.began();
        let (_slow, dripping) = take(&places, "192.0.2.2").unwrap();
        dripping.received();
        let (_proxy, idle) = take(&places, "10.0.0.1").unwrap();
        assert!(idle.was_asked_to_leave() && !dripping.was_asked_to_leave());
        idle.began();
        _proxy.stays();
        places.make_room();
        assert!(dripping.was_asked_to_leave() && !answering.was_asked_to_leave());
    }
}
