//! The way to a server: a connected socket, so that only this server's replies come in, and so that the system tells
//! when nobody listens there.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

/// File descriptors that flows leave to everybody else: the store, requests to receivers (256 endpoints may have 256 each, but
/// few have), the admin API.
const RESERVED: u64 = 4_096;

/// Sockets of all relays' flows.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A socket to one server. Its descriptor counts against what this process may have.
#[derive(Debug)]
pub struct Upstream {
    /// The server's place in the config.
    pub server: usize,
    socket: Socket,
    _lease: Lease,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// All that flows may have are in use.
    #[error("all {limit} sockets are in use that RLIMIT_NOFILE leaves to flows; raise LimitNOFILE in the unit")]
    Limit {
        /// How many that is.
        limit: u64,
    },
    /// The system refuses.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl OpenError {
    /// Whether there is no way to the server, which another one may have.
    pub fn is_unreachable(&self) -> bool {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
        let kinds = [ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable];
        matches!(self, Self::System(error) if kinds.contains(&error.kind()))
    }
}

impl Upstream {
    /// Opens a socket to the server at `address`; it sends as `source` where that is not its own address.
    pub fn open(server: usize, address: SocketAddr, source: Option<SocketAddr>) -> Result<Self, OpenError> {
        let lease = Lease::take()?;
        let socket = connected(address, source)?;
        Ok(Self { server, socket, _lease: lease })
    }

    /// Sends a datagram, without waiting. An error may be that of an earlier one.
    pub fn send(&self, octets: &[u8]) -> io::Result<usize> {
        self.socket.send(octets)
    }

    /// Receives a datagram, without waiting; what does not fit into `room` is cut off.
    pub fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        receive(&self.socket, room)
    }
}

impl AsFd for Upstream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket that is connected to `address` and never waits.
pub fn connected(address: SocketAddr, source: Option<SocketAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if let Some(source) = source {
        set_transparent(&socket, source)?;
        // One port of a NAS may ask several servers, each by a socket of its own.
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    socket.connect(&address.into())?;
    Ok(socket)
}

/// Receives a datagram, without waiting.
pub fn receive(mut socket: &Socket, room: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut socket, room)
}

/// Whether this process may send as somebody else.
pub fn check_transparent(address: SocketAddr) -> io::Result<()> {
    set_transparent(&Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?, address)
}

fn set_transparent(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() { socket.set_ip_transparent_v6(true) } else { socket.set_ip_transparent_v4(true) }
}

/// The right to one descriptor.
#[derive(Debug)]
struct Lease;

impl Lease {
    fn take() -> Result<Self, OpenError> {
        let limit = limit();
        let one_more = |taken: u64| (taken < limit).then_some(taken + 1);
        let taken = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.map(|_| Self).map_err(|_| OpenError::Limit { limit })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        TAKEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many sockets the flows of all relays may have. The first call raises this process's soft limit to its hard one.
pub fn limit() -> u64 {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                Ok(()) => hard,
                Err(error) => {
                    tracing::warn!(soft, hard, %error, "the soft limit of open files cannot be raised to the hard one");
                    soft
                }
            },
            Err(error) => {
                tracing::warn!(%error, "the limit of open files is not known");
                RESERVED
            }
        };
        limit - RESERVED.min(limit / 2)
    })
}
