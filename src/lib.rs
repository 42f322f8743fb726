//! radhook: RADIUS in, webhooks out.
//!
//! Packets come in on the left, signed HTTP requests leave on the right, and between the two stands a store that is
//! on disk before anything is acknowledged. `docs/ARCHITECTURE.md` tells the rooms and the paths through them.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod admin;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod directory;
pub mod event;
pub mod exchange;
pub mod intake;
pub mod lab;
pub mod listen;
pub mod metrics;
pub mod priority;
pub mod radius;
pub mod render;
pub mod route;
pub mod secret;
pub mod session;
pub mod source;
pub mod stamp;
pub mod store;
pub mod template;
pub mod trace;
