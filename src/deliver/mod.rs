//! Delivery: what is due is rendered, signed and sent, and what came of it goes to the writer.
//!
//! Each endpoint has its own task, client, concurrency and queue ([`endpoint`]); nothing is shared between them, so that
//! one receiver cannot hurt another. What follows from an attempt is decided by [`policy`], a pure function.

pub mod auth;
mod body;
pub mod certificate;
pub mod client;
mod connections;
pub mod egress;
pub mod endpoint;
mod failure;
pub mod health;
pub mod options;
pub mod pace;
pub mod policy;
pub mod resolve;
pub mod sign;
pub mod view;
