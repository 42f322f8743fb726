//! Which endpoints want which events.

pub mod subscription;

pub use subscription::Subscription;
