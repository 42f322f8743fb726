//! JSON Schemas (draft 2020-12) of what receivers get, as they stand in `docs/schemas/`.
//!
//! A format's schema is a function of its own, and a line in [`ALL`]. `tests/schemas.rs` holds the files against them, and
//! writes them.

mod native;

use serde_json::Value;

/// A schema.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Its file in `docs/schemas/`.
    pub file: &'static str,
    /// Makes it.
    pub make: fn() -> Value,
}

/// Every schema there is.
pub const ALL: &[Schema] = &[Schema { file: "native.json", make: native::schema }];

/// The dialect that all of them are written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Schema {
    /// As it stands in its file.
    pub fn text(&self) -> String {
        format!("{:#}\n", (self.make)())
    }
}
