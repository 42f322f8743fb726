//! RADIUS: bytes to named attributes, and the authenticators that say whether to believe them.
//!
//! [`Packet::parse`] checks a datagram and walks its attributes without copying; [`authenticator`] says whether it is
//! genuine; [`decode()`] names its attributes by a [`Dictionary`]; [`response`] builds the answers. Nothing in here
//! knows sockets or time, and nothing that a network sends makes it panic.

pub mod attribute;
pub mod authenticator;
pub mod credentials;
pub mod decode;
pub mod dictionary;
pub mod numbers;
pub mod packet;
pub mod redaction;
pub mod response;
pub mod row;
#[cfg(test)]
pub(crate) mod sample;

pub use attribute::{Attribute, AttributeId, Attributes, Value};
pub use credentials::Method;
pub use decode::decode;
pub use dictionary::Dictionary;
pub use packet::{Code, Packet, PacketError};
