//! What is under way: which identifiers of which socket are taken, what each waits for, and when it has waited enough.
//! Pure: times come in as arguments, bytes go in and out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use radius::core::packet::Packet;

use crate::secret::Secret;

/// Packets outstanding on one socket. The identifier is one byte (RFC 2865 §3), so 256 is the wall; at half of it an
/// identifier rests before it is used again, so that a late answer can be told from a wrong one, and all answers at
/// once fit into the receive buffer a socket gets by default.
pub(super) const PER_SOCKET: usize = 128;

/// The length of the authenticator field and where it stands (RFC 2865 §3).
const AUTHENTICATOR: std::ops::Range<usize> = 4..20;

/// Accounting-Response (RFC 2866 §4.2).
const ACCOUNTING_RESPONSE: u8 = 5;

/// Everything under way. `T` is what the sender wants back when a packet is answered or given up.
pub(super) struct Flight<T> {
    secret: Secret,
    timeout: Duration,
    tries: u32,
    sockets: Vec<Socket<T>>,
    /// In the order of time, because the timeout is the same for all.
    deadlines: VecDeque<Deadline>,
    outstanding: usize,
}

struct Socket<T> {
    slots: Vec<Slot<T>>,
    next: u8,
    outstanding: usize,
}

struct Slot<T> {
    waiting: Option<Waiting<T>>,
    /// The request that had this identifier before, for telling a late or second answer from a wrong one.
    before: Vec<u8>,
    /// Counts sendings, so that a deadline knows whether it is still meant.
    sending: u32,
}

struct Waiting<T> {
    request: Vec<u8>,
    /// When it should have been sent first: latency counts from here.
    since: Instant,
    tries: u32,
    cargo: T,
}

struct Deadline {
    at: Instant,
    socket: usize,
    identifier: u8,
    sending: u32,
}

/// What an answer turned out to be.
pub(super) enum Answer<T> {
    /// The awaited one.
    Acknowledged { since: Instant, cargo: T },
    /// Right, but its request was answered, or given up, before.
    Again,
    /// Malformed, of another code, or not signed over any request of ours.
    Bad,
}

/// What a packet that waited too long asks for.
pub(super) enum Overdue<T> {
    /// To be sent again, as it was.
    Resend { socket: usize, identifier: u8 },
    /// Given up.
    Lost { cargo: T },
}

impl<T> Flight<T> {
    pub(super) fn new(secret: Secret, timeout: Duration, tries: u32) -> Self {
        Self { secret, timeout, tries, sockets: Vec::new(), deadlines: VecDeque::new(), outstanding: 0 }
    }

    /// Makes room on one more socket and says its number.
    pub(super) fn add_socket(&mut self) -> usize {
        let slot = || Slot { waiting: None, before: Vec::new(), sending: 0 };
        let slots = std::iter::repeat_with(slot).take(256).collect();
        self.sockets.push(Socket { slots, next: 0, outstanding: 0 });
        self.sockets.len() - 1
    }

    pub(super) fn sockets(&self) -> usize {
        self.sockets.len()
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// How many more packets may go out on a socket.
    pub(super) fn room(&self, socket: usize) -> usize {
        PER_SOCKET - self.sockets[socket].outstanding
    }

    /// The identifier that has rested longest. There is one as long as there is [`Self::room`].
    pub(super) fn identifier(&mut self, socket: usize) -> u8 {
        let socket = &mut self.sockets[socket];
        while socket.slots[usize::from(socket.next)].waiting.is_some() {
            socket.next = socket.next.wrapping_add(1);
        }
        socket.next
    }

    /// Notes a packet as sent for the first time.
    pub(super) fn launch(&mut self, at: usize, request: Vec<u8>, since: Instant, now: Instant, cargo: T) {
        let socket = &mut self.sockets[at];
        let identifier = request[1];
        let slot = &mut socket.slots[usize::from(identifier)];
        slot.sending = slot.sending.wrapping_add(1);
        slot.waiting = Some(Waiting { request, since, tries: 1, cargo });
        socket.next = identifier.wrapping_add(1);
        socket.outstanding += 1;
        self.outstanding += 1;
        let sending = slot.sending;
        self.deadlines.push_back(Deadline { at: now + self.timeout, socket: at, identifier, sending });
    }

    /// The bytes of a packet under way; none once it was answered or given up.
    pub(super) fn request(&self, socket: usize, identifier: u8) -> &[u8] {
        self.sockets[socket].slots[usize::from(identifier)].waiting.as_ref().map_or(&[], |waiting| &waiting.request)
    }

    /// Takes in what arrived on a socket.
    pub(super) fn answer(&mut self, socket: usize, bytes: &[u8]) -> Answer<T> {
        let [code, identifier, high, low, rest @ ..] = bytes else { return Answer::Bad };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if *code != ACCOUNTING_RESPONSE || rest.len() < AUTHENTICATOR.len() {
            return Answer::Bad;
        }
        // What stands behind the packet's own length is padding (RFC 2865 §3).
        let Some(response) = bytes.get(..length) else { return Answer::Bad };
        let secret = self.secret.expose();
        let socket = &mut self.sockets[socket];
        let slot = &mut socket.slots[usize::from(*identifier)];
        let signed = |request: &[u8]| Packet::is_authentic_response(response, request, secret);
        match slot.waiting.take_if(|waiting| signed(&waiting.request)) {
            Some(Waiting { request, since, cargo, .. }) => {
                slot.before = request;
                socket.outstanding -= 1;
                self.outstanding -= 1;
                Answer::Acknowledged { since, cargo }
            }
            None if signed(&slot.before) => Answer::Again,
            None => Answer::Bad,
        }
    }

    /// The next packet that has waited long enough at `now`.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Overdue<T>> {
        while self.next_deadline().is_some_and(|at| at <= now) {
            let Some(Deadline { socket: at, identifier, sending, .. }) = self.deadlines.pop_front() else { break };
            let socket = &mut self.sockets[at];
            let slot = &mut socket.slots[usize::from(identifier)];
            let Some(waiting) = slot.waiting.as_mut().filter(|_| slot.sending == sending) else { continue };
            if waiting.tries < self.tries {
                waiting.tries += 1;
                slot.sending = slot.sending.wrapping_add(1);
                let sending = slot.sending;
                self.deadlines.push_back(Deadline { at: now + self.timeout, socket: at, identifier, sending });
                return Some(Overdue::Resend { socket: at, identifier });
            }
            if let Some(Waiting { request, cargo, .. }) = slot.waiting.take() {
                slot.before = request;
                socket.outstanding -= 1;
                self.outstanding -= 1;
                return Some(Overdue::Lost { cargo });
            }
        }
        None
    }

    /// When [`Self::overdue`] should be asked again.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|deadline| deadline.at)
    }
}
