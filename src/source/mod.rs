//! The ways in: one file each. A source turns what it receives into exchanges and hands them to intake.

pub mod accounting;
pub mod client;
mod duplicates;
pub mod log_limit;
mod udp;

use std::io;
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

/// Why a source cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// An address cannot be listened on: it is taken, not ours, or needs a privilege.
    #[error("source \"{name}\" cannot listen on {address}: {error}")]
    Listen {
        /// The source.
        name: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no thread.
    #[error("source \"{name}\" gets no thread: {error}")]
    Thread {
        /// The source.
        name: Arc<str>,
        /// What the system says.
        error: io::Error,
    },
}
