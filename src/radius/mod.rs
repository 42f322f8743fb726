//! RADIUS: bytes to named attributes, and the authenticators that say whether to believe them.

pub mod attribute;
pub mod numbers;

pub use attribute::{Attribute, AttributeId, Attributes, Value};
