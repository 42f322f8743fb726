//! Delivery: what is due is rendered, signed and sent, and what came of it goes to the writer.
//!
//! Each endpoint has its own task, client, concurrency and queue ([`endpoint`]); nothing is shared between them, so that
//! one receiver cannot hurt another. What follows from an attempt is decided by pure functions: for the delivery [`policy`], for
//! the parts of a batch `course`, for when the next may begin [`pace`] and [`breaker`], for the endpoint [`health`].

mod attempt;
pub mod auth;
mod body;
pub mod breaker;
pub mod certificate;
pub mod client;
pub mod compose;
mod connections;
mod course;
pub mod egress;
pub mod endpoint;
mod failure;
mod hand;
pub mod handshake;
pub mod health;
mod keyring;
mod logged;
pub mod options;
pub mod pace;
pub mod policy;
pub mod resolve;
pub mod sign;
pub mod trial;
pub mod view;
mod watched;
