//! Shortages of this machine, told apart from faults of receivers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;

/// Whether the system refused for want of something of ours: open files of the process (`EMFILE`) or
/// of the machine (`ENFILE`), buffers or memory.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    let code = error.raw_os_error();
    shortages.iter().any(|shortage| code == Some(shortage.raw_os_error()))
}

/// Whether this machine lacked the means to begin a connection to the address. `EADDRNOTAVAIL`
/// means that no local port is left, or that the machine has no address of the family at all. In
/// the second case the receiver is out of reach, and waiting does not help.
pub(super) fn is_shortage_at(error: &io::Error, address: SocketAddr) -> bool {
    let no_port = error.raw_os_error() == Some(Errno::ADDRNOTAVAIL.raw_os_error());
    is_shortage(error) || (no_port && has_source_for(address))
}

/// Whether this machine has a source address for the destination. Nothing is sent: a datagram
/// socket only looks up the route, and uses other ports than connections.
fn has_source_for(address: SocketAddr) -> bool {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_ran_out_are_ours_and_a_family_that_is_missing_is_not() {
        let error = io::Error::from_raw_os_error(Errno::ADDRNOTAVAIL.raw_os_error());
        assert!(!is_shortage(&error));
        assert!(is_shortage_at(&error, SocketAddr::from(([127, 0, 0, 1], 9))));
        let refused = io::Error::from_raw_os_error(Errno::CONNREFUSED.raw_os_error());
        assert!(!is_shortage_at(&refused, SocketAddr::from(([127, 0, 0, 1], 9))));
        let full = io::Error::from_raw_os_error(Errno::MFILE.raw_os_error());
        assert!(is_shortage_at(&full, SocketAddr::from(([127, 0, 0, 1], 9))));
    }
}
