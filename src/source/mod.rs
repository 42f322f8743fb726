//! The ways in: one file each. A source turns what it receives into exchanges and hands them to intake.

pub mod client;

use std::net::SocketAddr;
use std::sync::Arc;

/// A `[[source]]` of type `accounting`: answers Accounting-Request (RFC 2866) and Status-Server (RFC 5997).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountingOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// The UDP addresses it answers on. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
}
