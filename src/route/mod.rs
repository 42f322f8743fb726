//! Which endpoints want which events, and how often.

pub mod count;
pub mod interest;
pub mod once_per;
pub mod subscription;
pub mod verdict;

pub use count::Count;
pub use interest::Interest;
pub use once_per::OncePer;
pub use subscription::Subscription;
pub use verdict::Verdict;
