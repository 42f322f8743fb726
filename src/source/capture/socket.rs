//! A packet socket of Linux (packet(7)): copies of what passes an interface, from the network layer on, whatever the link
//! layer beneath it is.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;
use std::time::Duration;

use jiff::Timestamp;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::libc;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, MultiHeaders, bind, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::filter::{self, Instruction};

/// What stands for all interfaces.
pub(super) const ANY: &str = "any";
/// Packets taken in one system call.
const BATCH: usize = 32;
/// What is kept of a packet: one of RADIUS with every header before it, which is no more than half of this. A fragment of
/// one is no larger.
const ROOM: usize = 8 * 1024;
/// What the kernel is asked to keep while we are busy: some thousands of packets.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How long a receive waits, so that a stop is noticed.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// A packet socket behind its filter.
#[derive(Debug)]
pub(super) struct PacketSocket {
    socket: Socket,
}

/// A packet that passed.
pub(super) struct Captured<'a> {
    /// When the system saw it.
    pub at: Timestamp,
    /// From the network layer on.
    pub octets: &'a [u8],
    /// There was no more room for it.
    pub is_cut: bool,
}

/// Room for one batch of packets, kept from call to call.
pub(super) struct Buffers(Vec<u8>);

impl Buffers {
    pub fn new() -> Self {
        Self(vec![0; BATCH * ROOM])
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The right to look on is missing.
    #[error(
        "it needs the capability CAP_NET_RAW: give the service AmbientCapabilities=CAP_NET_RAW, or the program \
         `setcap cap_net_raw+ep`"
    )]
    Forbidden,
    /// There is no interface of that name now.
    #[error("there is no such interface; `ip link` lists them")]
    NoInterface,
    /// Anything else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => error,
            error => Self::other(error),
        }
    }
}

impl PacketSocket {
    /// Looks on at one interface, or at any, through a filter for these ports.
    pub fn open(interface: &str, ports: &[u16]) -> Result<Self, OpenError> {
        let every_protocol = i32::from((libc::ETH_P_ALL as u16).to_be());
        // From here on it takes in everything; what comes before its filter is there is thrown away below.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(every_protocol)));
        let socket = socket.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Forbidden,
            _ => error.into(),
        })?;
        attach(&socket, &filter::NOTHING)?;
        if interface != ANY {
            bind(socket.as_raw_fd(), &link_address(interface)?).map_err(io::Error::from)?;
        }
        setsockopt(&socket, sockopt::RxqOvfl, &1).map_err(io::Error::from)?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).map_err(io::Error::from)?;
        socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
        let opened = Self { socket };
        opened.ask_for_receive_buffer(interface)?;
        opened.empty()?;
        attach(&opened.socket, &filter::program(ports))?;
        Ok(opened)
    }

    /// Waits for packets, takes all that are there up to [`BATCH`], and shows each. None after a while without. Answers
    /// with how many the system has dropped at this socket so far (modulo 2^32), if it says.
    pub fn receive(&self, buffers: &mut Buffers, each: impl FnMut(Captured)) -> io::Result<Option<u32>> {
        self.take(buffers, MsgFlags::MSG_WAITFORONE, each).map(|(_, dropped)| dropped)
    }

    /// Throws away what is there.
    fn empty(&self) -> io::Result<()> {
        let mut buffers = Buffers::new();
        while self.take(&mut buffers, MsgFlags::MSG_DONTWAIT, |_| ())?.0 > 0 {}
        Ok(())
    }

    fn take(
        &self,
        buffers: &mut Buffers,
        flags: MsgFlags,
        mut each: impl FnMut(Captured),
    ) -> io::Result<(usize, Option<u32>)> {
        // Made anew each time: the system writes the sizes it used into the headers.
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, Some(cmsg_space!(TimeSpec, u32)));
        let mut slices: Vec<_> = buffers.0.chunks_mut(ROOM).map(|room| [IoSliceMut::new(room)]).collect();
        let received = match recvmmsg(self.socket.as_raw_fd(), &mut headers, &mut slices, flags, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok((0, None)),
            Err(errno) => return Err(errno.into()),
        };
        let (mut count, mut dropped) = (0, None);
        for message in received {
            count += 1;
            let mut at = None;
            for message in message.cmsgs().into_iter().flatten() {
                match message {
                    ControlMessageOwned::RxqOvfl(count) => dropped = Some(count),
                    ControlMessageOwned::ScmTimestampns(time) => {
                        at = i32::try_from(time.tv_nsec())
                            .ok()
                            .and_then(|rest| Timestamp::new(time.tv_sec(), rest).ok());
                    }
                    _ => {}
                }
            }
            let at = at.unwrap_or_else(Timestamp::now);
            let is_cut = message.flags.contains(MsgFlags::MSG_TRUNC);
            each(Captured { at, octets: message.iovs().next().unwrap_or_default(), is_cut });
        }
        Ok((count, dropped))
    }

    fn ask_for_receive_buffer(&self, interface: &str) -> io::Result<()> {
        // The first goes above net.core.rmem_max, but needs CAP_NET_ADMIN.
        if setsockopt(&self.socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            self.socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        // Linux doubles what it is asked for, to cover its own records, and tells the doubled figure.
        let granted = self.socket.recv_buffer_size()? / 2;
        if granted < RECEIVE_BUFFER {
            tracing::warn!(
                interface,
                granted,
                wanted = RECEIVE_BUFFER,
                "the system grants a smaller receive buffer than wanted: bursts may be lost; \
                 raise net.core.rmem_max or give CAP_NET_ADMIN"
            );
        }
        Ok(())
    }
}

/// The link-layer address of an interface as the system tells it: what a packet socket is bound to, once its protocol is
/// chosen (packet(7): 0 leaves it as it is).
fn link_address(interface: &str) -> Result<LinkAddr, OpenError> {
    let mut addresses = getifaddrs().map_err(io::Error::from)?.filter(|found| found.interface_name == interface);
    addresses
        .find_map(|found| found.address.as_ref().and_then(|address| address.as_link_addr().copied()))
        .ok_or(OpenError::NoInterface)
}

fn attach(socket: &Socket, program: &[Instruction]) -> io::Result<()> {
    let instruction = |one: &Instruction| SockFilter::new(one.code, one.then, one.otherwise, one.value);
    socket.attach_filter(&program.iter().map(instruction).collect::<Vec<_>>())
}
