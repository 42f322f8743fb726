//! Which endpoints want which events, from where, and how often; and what the config adds to events: where, and whose.

pub mod count;
pub mod enrichment;
pub mod glob;
pub mod interest;
pub mod once_per;
pub mod scope;
pub mod subscription;
pub mod venue;
pub mod verdict;

pub use count::Count;
pub use enrichment::Enrichment;
pub use interest::Interest;
pub use once_per::OncePer;
pub use scope::Scope;
pub use subscription::Subscription;
pub use venue::{Matcher, Place, Venue, Venues};
pub use verdict::Verdict;
