//! What the system is to let through: a program for its classic BPF machine, which reads each packet from its network
//! layer on, before anything of it is copied.
//!
//! Let through are UDP datagrams of IPv4 and IPv6 from or to one of the ports, and every later fragment of any UDP
//! datagram, for in it no ports stand. What loopback shows twice, once on its way out and once on its way in, is taken on its
//! way in. Packets with rare IPv6 extension headers pass; whoever reads them looks for the ports again.

use std::collections::HashMap;

use nix::libc::{
    self, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP,
    BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_MISC, BPF_MSH, BPF_RET, BPF_TAX, BPF_TXA, BPF_W, BPF_X,
};

use crate::trace::link::NETWORK_STARTS;

/// One instruction, as the system wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub code: u16,
    /// Instructions to leave out if the condition holds, and if it does not.
    pub then: u8,
    pub otherwise: u8,
    pub value: u32,
}

/// Lets nothing through.
pub(super) const NOTHING: [Instruction; 1] =
    [Instruction { code: (BPF_RET | BPF_K) as u16, then: 0, otherwise: 0, value: 0 }];

/// What is told of each packet beside its octets (socket filters of Linux: `SKF_AD_…`).
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;
const HARDWARE_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_HATYPE) as u32;

/// As much of a packet as there can be.
const WHOLE: u32 = u32::MAX;

const UDP: u32 = 17;
/// IPv6's hop-by-hop options, routing header, authentication header and destination options (RFC 8200 §4).
const EXTENSIONS: [u32; 4] = [0, 43, 51, 60];
const FRAGMENT_HEADER: u32 = 44;
const IPV6_HEADER_LENGTH: u32 = 40;
const FRAGMENT_HEADER_LENGTH: u32 = 8;

/// The program for these ports: 16 of them make some 180 instructions, and conditions can leap over 255.
pub(super) fn program(ports: &[u16]) -> Vec<Instruction> {
    let mut code = Assembler::default();
    code.load(BPF_W | BPF_ABS, PACKET_TYPE);
    code.unless(BPF_JEQ, libc::PACKET_OUTGOING.into(), Label::Network(0));
    code.load(BPF_W | BPF_ABS, HARDWARE_TYPE);
    code.when(BPF_JEQ, libc::ARPHRD_LOOPBACK.into(), Label::Refuse);
    for (number, start) in NETWORK_STARTS.into_iter().enumerate() {
        code.label(Label::Network(number));
        let next = if number + 1 < NETWORK_STARTS.len() { Label::Network(number + 1) } else { Label::Refuse };
        network(&mut code, number, start as u32, next);
    }
    // The index register says where the UDP header begins.
    code.label(Label::Ports);
    for field in [0, 2] {
        code.load(BPF_H | BPF_IND, field);
        for port in ports {
            code.when(BPF_JEQ, (*port).into(), Label::Take);
        }
    }
    code.label(Label::Refuse);
    code.plain(BPF_RET | BPF_K, 0);
    code.label(Label::Take);
    code.plain(BPF_RET | BPF_K, WHOLE);
    code.finish()
}

/// Decides on an IP packet that begins at `start`, or leaves it to `next` where none does. The rule which of the places it
/// is, is that of [`crate::trace::link`].
fn network(code: &mut Assembler, number: usize, start: u32, next: Label) {
    let (four, six) = (Label::Four(number), Label::Six(number));
    code.load(BPF_B | BPF_ABS, start);
    code.plain(BPF_ALU | BPF_AND | BPF_K, 0xf0);
    code.when(BPF_JEQ, 0x40, four);
    code.when(BPF_JEQ, 0x60, six);
    code.go(next);

    code.label(four);
    code.ether_type(start, libc::ETH_P_IP, next);
    code.fits(start + 2, start, next);
    code.load(BPF_B | BPF_ABS, start + 9);
    code.unless(BPF_JEQ, UDP, Label::Refuse);
    code.load(BPF_H | BPF_ABS, start + 6);
    code.when(BPF_JSET, 0x1fff, Label::Take);
    code.plain(BPF_LDX | BPF_B | BPF_MSH, start);
    code.plain(BPF_MISC | BPF_TXA, 0);
    code.plain(BPF_ALU | BPF_ADD | BPF_K, start);
    code.plain(BPF_MISC | BPF_TAX, 0);
    code.go(Label::Ports);

    code.label(six);
    code.ether_type(start, libc::ETH_P_IPV6, next);
    code.fits(start + 4, start + IPV6_HEADER_LENGTH, next);
    code.load(BPF_B | BPF_ABS, start + 6);
    code.when(BPF_JEQ, UDP, Label::Bare(number));
    EXTENSIONS.into_iter().for_each(|kind| code.when(BPF_JEQ, kind, Label::Take));
    code.unless(BPF_JEQ, FRAGMENT_HEADER, Label::Refuse);
    let header = start + IPV6_HEADER_LENGTH;
    code.load(BPF_B | BPF_ABS, header);
    EXTENSIONS.into_iter().for_each(|kind| code.when(BPF_JEQ, kind, Label::Take));
    code.unless(BPF_JEQ, UDP, Label::Refuse);
    code.load(BPF_H | BPF_ABS, header + 2);
    code.when(BPF_JSET, 0xfff8, Label::Take);
    code.plain(BPF_LDX | BPF_IMM, header + FRAGMENT_HEADER_LENGTH);
    code.go(Label::Ports);
    code.label(Label::Bare(number));
    code.plain(BPF_LDX | BPF_IMM, header);
    code.go(Label::Ports);
}

/// Places to leap to. The numbered ones are there once for each place where an IP packet may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Label {
    Network(usize),
    Four(usize),
    Six(usize),
    Bare(usize),
    Ports,
    Refuse,
    Take,
}

/// Writes instructions down and then turns labels into distances.
#[derive(Default)]
struct Assembler {
    written: Vec<Written>,
    places: HashMap<Label, usize>,
}

struct Written {
    code: u32,
    value: u32,
    then: Option<Label>,
    otherwise: Option<Label>,
}

impl Assembler {
    fn label(&mut self, label: Label) {
        self.places.insert(label, self.written.len());
    }

    fn plain(&mut self, code: u32, value: u32) {
        self.written.push(Written { code, value, then: None, otherwise: None });
    }

    /// Into the accumulator.
    fn load(&mut self, mode: u32, value: u32) {
        self.plain(BPF_LD | mode, value);
    }

    fn go(&mut self, to: Label) {
        self.written.push(Written { code: BPF_JMP | BPF_JA, value: 0, then: Some(to), otherwise: None });
    }

    /// Leaps if the accumulator compares so with the value.
    fn when(&mut self, comparison: u32, value: u32, to: Label) {
        self.written.push(Written { code: BPF_JMP | comparison | BPF_K, value, then: Some(to), otherwise: None });
    }

    /// Leaps if it does not.
    fn unless(&mut self, comparison: u32, value: u32, to: Label) {
        self.written.push(Written { code: BPF_JMP | comparison | BPF_K, value, then: None, otherwise: Some(to) });
    }

    /// Leaps unless this EtherType stands before what begins at `start`; nothing stands before the packet's beginning.
    fn ether_type(&mut self, start: u32, kind: i32, next: Label) {
        if let Some(at) = start.checked_sub(2) {
            self.load(BPF_H | BPF_ABS, at);
            self.unless(BPF_JEQ, kind as u32, next);
        }
    }

    /// Leaps unless the packet has as many octets as the field at `field` says, and `more`.
    fn fits(&mut self, field: u32, more: u32, next: Label) {
        self.load(BPF_H | BPF_ABS, field);
        self.plain(BPF_ALU | BPF_ADD | BPF_K, more);
        self.plain(BPF_MISC | BPF_TAX, 0);
        self.load(BPF_W | BPF_LEN, 0);
        let code = BPF_JMP | BPF_JGE | BPF_X;
        self.written.push(Written { code, value: 0, then: None, otherwise: Some(next) });
    }

    fn finish(self) -> Vec<Instruction> {
        let Self { written, places } = self;
        let distance = |at: usize, to: Option<Label>| to.map_or(0, |to| places[&to] - at - 1);
        let instruction = |(at, line): (usize, &Written)| {
            let (then, otherwise) = (distance(at, line.then), distance(at, line.otherwise));
            let code = line.code as u16;
            if line.code == BPF_JMP | BPF_JA {
                return Instruction { code, then: 0, otherwise: 0, value: then as u32 };
            }
            let narrow = |distance| u8::try_from(distance).expect("the longest leap is counted in a test");
            Instruction { code, then: narrow(then), otherwise: narrow(otherwise), value: line.value }
        };
        written.iter().enumerate().map(instruction).collect()
    }
}

#[cfg(test)]
mod tests;
