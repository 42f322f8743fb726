//! The event model: what happened, in the words of the `native` format.

pub mod catalogue;

pub use catalogue::EventType;
