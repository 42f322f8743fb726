//! Delivery: what is due is rendered, signed and sent, and what came of it is written down.

pub mod egress;
pub mod options;
