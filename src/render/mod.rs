//! An event's body and headers, as its receiver wants them. Rendered at delivery: the store keeps each event once.

/// What is sent: the body, byte for byte as it is signed, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The request's body.
    pub body: Vec<u8>,
    /// The request's Content-Type.
    pub content_type: &'static str,
}

/// The `native` format: the event's JSON as it is stored.
pub fn native(json: Vec<u8>) -> Rendered {
    Rendered { body: json, content_type: "application/json" }
}
