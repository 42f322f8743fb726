//! The laboratory: a simulated NAS, a load generator that drives it, and a receiver that verifies what it is sent.
//!
//! Packets are built with the `radius` crate and not with radhook's own room, so that a mistake there cannot hide
//! behind the same mistake here.

pub mod load;
pub mod nas;
pub mod receiver;
