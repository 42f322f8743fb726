//! The sockets of the load generator: many datagrams for one system call, because the calls cost more than the packets.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll, ppoll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use nix::sys::time::TimeSpec;

/// Datagrams for one system call: beyond some dozens the call's own cost no longer shows.
pub(super) const BATCH: usize = 64;

/// The longest packet RADIUS has (RFC 2865 §3).
const MAX_PACKET: usize = 4096;

/// How long, in milliseconds, a full send buffer may stay full before sending is given up: loopback and any real interface drain within
/// milliseconds.
const SEND_PATIENCE: u16 = 1000;

/// Sockets connected to one target, and the buffers they share.
pub(super) struct Wire {
    target: SocketAddr,
    sockets: Vec<UdpSocket>,
    outgoing: MultiHeaders<SockaddrStorage>,
    incoming: MultiHeaders<SockaddrStorage>,
    buffers: Vec<[u8; MAX_PACKET]>,
    /// How often the target's host said that nobody listens there.
    pub(super) refused: u64,
}

impl Wire {
    pub(super) fn new(target: SocketAddr) -> Self {
        Self {
            target,
            sockets: Vec::new(),
            outgoing: MultiHeaders::preallocate(BATCH, None),
            incoming: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; MAX_PACKET]; BATCH],
            refused: 0,
        }
    }

    /// Opens one more socket. Connected, so that answers from any other address do not count as answers.
    pub(super) fn open(&mut self) -> io::Result<()> {
        let any: SocketAddr = match self.target {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(self.target)?;
        socket.set_nonblocking(true)?;
        self.sockets.push(socket);
        Ok(())
    }

    /// Sends all of them. A datagram the network drops is none of its business; a refusal by the local system is.
    pub(super) fn send(&mut self, socket: usize, datagrams: &[&[u8]]) -> io::Result<()> {
        let socket = &self.sockets[socket];
        let slices: Vec<[IoSlice<'_>; 1]> = datagrams.iter().map(|datagram| [IoSlice::new(datagram)]).collect();
        let mut sent = 0;
        while sent < slices.len() {
            let batch = &slices[sent..slices.len().min(sent + BATCH)];
            let addresses = [None; BATCH];
            match sendmmsg(socket.as_raw_fd(), &mut self.outgoing, batch, addresses, [], MsgFlags::empty()) {
                Ok(results) => sent += results.count(),
                // The answer to an earlier datagram, told on this call; nothing of this batch was sent.
                Err(Errno::ECONNREFUSED) => self.refused += 1,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    if poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], SEND_PATIENCE)? == 0 {
                        return Err(Errno::EAGAIN.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Hands over what has arrived on a socket, at most [`BATCH`] datagrams, and says how many there were.
    pub(super) fn receive(&mut self, socket: usize, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let fd = self.sockets[socket].as_raw_fd();
        let lengths: Vec<usize> = match recvmmsg(fd, &mut self.incoming, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Ok(results) => results.map(|result| result.bytes).collect(),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
            Err(Errno::ECONNREFUSED) => {
                self.refused += 1;
                return Ok(0);
            }
            Err(error) => return Err(error.into()),
        };
        for (buffer, length) in self.buffers.iter().zip(&lengths) {
            take(&buffer[..*length]);
        }
        Ok(lengths.len())
    }

    /// Sleeps until something arrives, at most so long, and says on which sockets something did.
    pub(super) fn wait(&self, at_most: Duration) -> io::Result<Vec<usize>> {
        let mut polled: Vec<PollFd<'_>> =
            self.sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        match ppoll(&mut polled, Some(TimeSpec::from_duration(at_most)), None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        Ok((0..polled.len()).filter(|at| polled[*at].any().unwrap_or(false)).collect())
    }
}
