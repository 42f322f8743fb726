//! Which endpoints want which events, and how often.

pub mod once_per;
pub mod subscription;
pub mod verdict;

pub use once_per::OncePer;
pub use subscription::Subscription;
pub use verdict::Verdict;
