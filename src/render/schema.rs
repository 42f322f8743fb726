//! JSON Schemas (draft 2020-12) of what receivers get, as they stand in `docs/schemas/`.
//!
//! A format's schema is a function of its own, and a line in [`ALL`]. `tests/schemas.rs` holds the files against them, and
//! writes them.

mod dialects;
mod native;

use serde_json::Value;

use super::{Dialect, Format};

/// A schema.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// Its file in `docs/schemas/`.
    pub file: &'static str,
    /// Of what formats.
    pub formats: &'static [Format],
    /// Makes it.
    pub make: fn() -> Value,
}

/// Every schema there is.
pub const ALL: &[Schema] = &[
    Schema { file: "native.json", formats: &[Format::Native], make: native::schema },
    Schema { file: "cloudevents.json", formats: &[Format::CloudEvents], make: dialects::cloudevents },
    Schema { file: "ironwifi.json", formats: &[Format::Dialect(Dialect::IronWifi)], make: dialects::ironwifi },
    Schema { file: "iacbox.json", formats: &[Format::Dialect(Dialect::IacBox)], make: dialects::iacbox },
    Schema { file: "signin.json", formats: &[Format::Dialect(Dialect::SignIn)], make: dialects::signin },
    Schema {
        file: "purple.json",
        formats: &[Format::Dialect(Dialect::Purple), Format::Dialect(Dialect::Bt)],
        make: dialects::purple,
    },
    Schema { file: "rlm_rest.json", formats: &[Format::Dialect(Dialect::RlmRest)], make: dialects::rlm_rest },
    Schema { file: "openwisp.json", formats: &[Format::Dialect(Dialect::OpenWisp)], make: dialects::openwisp },
];

/// The dialect that all of them are written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Schema {
    /// As it stands in its file.
    pub fn text(&self) -> String {
        format!("{:#}\n", (self.make)())
    }
}
