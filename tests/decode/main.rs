//! `radhook decode` through the real binary: every format, and against other people's decoders.

mod detail;
mod formats;
mod printed;
mod radsniff;
#[path = "../support/mod.rs"]
mod support;
mod tcpdump;
mod vectors;
mod verb;
mod wire;
