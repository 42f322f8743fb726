//! Which endpoints want which events, and how often; and what the config adds to events: where, and whose.

pub mod enrichment;
pub mod glob;
pub mod once_per;
pub mod subscription;
pub mod venue;

pub use enrichment::Enrichment;
pub use once_per::OncePer;
pub use subscription::Subscription;
pub use venue::{Matcher, Place, Venue, Venues};
