//! A UDP socket that many datagrams pass in one system call, and that knows which of its own addresses each was
//! sent to: an answer must leave from there, or the NAS throws it away.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use crate::radius::packet;

/// Datagrams taken in one system call. More bring nothing: at 64 the call's cost per datagram has vanished.
pub(super) const BATCH: usize = 64;
/// What the kernel is asked to keep while we are busy: some 5,000 packets. The default of 208 KiB drops packets as
/// soon as 512 are in flight.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How long a receive waits, so that a stop is noticed. At rest most of what the house takes is waking up for this.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// A socket of one address family.
#[derive(Debug)]
pub(super) struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
}

/// One of our own addresses, as a datagram found us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    address: IpAddr,
    /// The interface where the address means something there only (IPv6 link-local), otherwise 0.
    interface: u32,
}

/// A datagram, as far as it can be a packet: what is behind 4,096 octets is not kept.
pub(super) struct Datagram<'a> {
    pub octets: &'a [u8],
    pub peer: SocketAddr,
    /// Nothing where the system did not say.
    pub asked: Option<Asked>,
    /// There was more behind the octets that are kept.
    pub cut: bool,
}

/// An answer on its way out.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub to: SocketAddr,
    pub from: Option<Asked>,
    pub octets: Arc<[u8]>,
}

/// What became of a number of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// Given to the system.
    pub sent: u64,
    /// Not sent: the socket's buffer is full.
    pub buffer_full: u64,
    /// Not sent: the system refused.
    pub failed: u64,
}

/// Room for one batch of datagrams, kept from call to call.
pub(super) struct Buffers(Vec<u8>);

impl Asked {
    /// The address.
    pub fn ip(self) -> IpAddr {
        self.address
    }

    /// Any address, for tests.
    #[cfg(test)]
    pub fn of(address: &str) -> Self {
        Self { address: address.parse().unwrap(), interface: 0 }
    }
}

impl Buffers {
    pub fn new() -> Self {
        Self(vec![0; BATCH * packet::MAX_LENGTH])
    }
}

impl UdpSocket {
    /// Binds an address, port 0 meaning a free one. An IPv6 socket takes IPv6 only, so that `0.0.0.0` and `::` can be
    /// bound side by side.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
        ask_for_receive_buffer(&socket, address)?;
        socket.bind(&address.into())?;
        let local = socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("the socket has no address"))?;
        Ok(Self { socket, local })
    }

    /// Where it is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for datagrams, takes all that are there up to [`BATCH`], and shows each. None after a while without.
    /// Answers with how many datagrams the system has dropped at this socket so far (modulo 2^32), if it says.
    pub fn receive(&self, buffers: &mut Buffers, each: impl FnMut(Datagram)) -> io::Result<Option<u32>> {
        self.receive_by(MsgFlags::MSG_WAITFORONE, buffers, each)
    }

    /// As [`UdpSocket::receive`], without waiting.
    pub fn receive_waiting(&self, buffers: &mut Buffers, each: impl FnMut(Datagram)) -> io::Result<Option<u32>> {
        self.receive_by(MsgFlags::MSG_DONTWAIT, buffers, each)
    }

    fn receive_by(
        &self,
        flags: MsgFlags,
        buffers: &mut Buffers,
        mut each: impl FnMut(Datagram),
    ) -> io::Result<Option<u32>> {
        // Made anew each time: the system writes the sizes it used into the headers, where they would be taken for
        // the room that there is.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(self.received_control()));
        let mut slices: Vec<_> = buffers.0.chunks_mut(packet::MAX_LENGTH).map(|room| [IoSliceMut::new(room)]).collect();
        let received = match recvmmsg(self.socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let mut dropped = None;
        for message in received {
            let Some(peer) = message.address.as_ref().and_then(socket_address) else { continue };
            let mut asked = None;
            for message in message.cmsgs().into_iter().flatten() {
                match message {
                    ControlMessageOwned::RxqOvfl(count) => dropped = Some(count),
                    message => asked = asked.or_else(|| asked_address(&message)),
                }
            }
            // An empty datagram has no slice.
            let octets = message.iovs().next().unwrap_or_default();
            let cut = message.flags.contains(MsgFlags::MSG_TRUNC);
            each(Datagram { octets, peer, asked, cut });
        }
        Ok(dropped)
    }

    /// Sends answers without waiting: what does not fit into the socket's buffer is given up, and the NAS asks again.
    pub fn send(&self, answers: &[Answer]) -> Sent {
        let mut sent = Sent::default();
        // The system call takes one local address for all its messages.
        for group in answers.chunk_by(|one, next| one.from == next.from) {
            let mut left = group;
            while !left.is_empty() {
                match self.send_group(left) {
                    Ok(count) => {
                        sent.sent += count as u64;
                        left = &left[count..];
                    }
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                        sent.buffer_full += left.len() as u64;
                        break;
                    }
                    Err(_) => {
                        sent.failed += 1;
                        left = &left[1..];
                    }
                }
            }
        }
        sent
    }

    /// Sends some answers from one address: how many the system took (at least one), or why it took none.
    fn send_group(&self, answers: &[Answer]) -> nix::Result<usize> {
        let slices: Vec<_> = answers.iter().map(|answer| [IoSlice::new(&answer.octets)]).collect();
        let peers: Vec<_> = answers.iter().map(|answer| Some(SockaddrStorage::from(answer.to))).collect();
        let v4;
        let v6;
        let from = match answers.first().and_then(|answer| answer.from) {
            Some(Asked { address: IpAddr::V4(address), .. }) => {
                v4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            Some(Asked { address: IpAddr::V6(address), interface }) => {
                v6 = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: interface,
                };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
            None => None,
        };
        let space = from.is_some().then(|| self.sent_control());
        let mut headers = MultiHeaders::preallocate(answers.len(), space);
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = sendmmsg(self.socket.as_raw_fd(), &mut headers, &slices, &peers, from.as_slice(), flags)?;
        Ok(results.count())
    }

    fn received_control(&self) -> Vec<u8> {
        if self.local.is_ipv6() { cmsg_space!(libc::in6_pktinfo, u32) } else { cmsg_space!(libc::in_pktinfo, u32) }
    }

    /// Exactly what is sent: the system refuses room that is left.
    fn sent_control(&self) -> Vec<u8> {
        if self.local.is_ipv6() { cmsg_space!(libc::in6_pktinfo) } else { cmsg_space!(libc::in_pktinfo) }
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn ask_for_receive_buffer(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    // The first goes above net.core.rmem_max, but needs CAP_NET_ADMIN.
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    // Linux doubles what it is asked for, to cover its own records, and tells the doubled figure.
    let granted = socket.recv_buffer_size()? / 2;
    if granted < RECEIVE_BUFFER {
        tracing::warn!(
            %address, granted, wanted = RECEIVE_BUFFER,
            "the system grants a smaller receive buffer than wanted: bursts may be lost; \
             raise net.core.rmem_max or give CAP_NET_ADMIN"
        );
    }
    Ok(())
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || address.as_sockaddr_in().map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    let v6 = || address.as_sockaddr_in6().map(|address| SocketAddr::V6(SocketAddrV6::from(*address)));
    v4().or_else(v6)
}

fn asked_address(message: &ControlMessageOwned) -> Option<Asked> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            // Not the destination in the header, which may be a broadcast address.
            let address = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
            Some(Asked { address: address.into(), interface: 0 })
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let interface = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            Some(Asked { address: address.into(), interface })
        }
        _ => None,
    }
}
