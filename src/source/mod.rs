//! The ways in: one file or folder each. A source turns what it receives into exchanges and hands them to intake.
//!
//! ```text
//! accounting ─────────────────────────────────────────────▶ intake, and answers when stored
//! relay, capture ──▶ observer: pairs requests and replies ─▶ intake
//! detail ──▶ records, with bookmarks ─────────────────────▶ intake
//! local ───▶ posts ───────────────────────────────────────▶ intake, and answers when stored
//! ```

pub mod accounting;
pub mod capture;
pub mod client;
mod copied;
pub mod detail;
mod duplicates;
mod hand_in;
pub mod local;
pub mod log_limit;
pub mod observer;
mod options;
mod pairing;
pub mod relay;
mod remarks;
mod trust;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::exchange::{Readiness, Submission};
use crate::listen::Address;
use crate::radius::Dictionary;
use client::Clients;
pub use options::{
    AccountingOptions, CaptureOptions, DetailOptions, LocalOptions, ProbeOptions, RelayOptions, SourceOptions,
};
pub use remarks::Remarks;

/// What every source needs of the house.
#[derive(Debug, Clone)]
pub struct Inlet {
    /// Who may send.
    pub clients: Arc<Clients>,
    /// What attributes are called.
    pub dictionary: Arc<Dictionary>,
    /// Where to hand in what was received.
    pub submissions: Sender<Submission>,
    /// Whether that is stored at present.
    pub readiness: Readiness,
}

/// A running source.
pub trait Running: Send {
    /// Where it listens or what it reads, in words for the ready line and the status.
    fn places(&self) -> Vec<String>;

    /// What an operator should know of it.
    fn remarks(&self) -> Remarks {
        Remarks::default()
    }

    /// Takes nothing more in, hands over what it has, and returns when its threads have ended.
    fn stop(self: Box<Self>);
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
    /// What it reads cannot be opened.
    #[error("source \"{name}\" cannot read {what}: {error}")]
    Open {
        /// The source.
        name: Arc<str>,
        /// What it is to read.
        what: String,
        /// What the system says.
        error: io::Error,
    },
    /// An address for HTTP cannot be listened on.
    #[error("source \"{name}\" cannot listen on {address}: {error}")]
    Http {
        /// The source.
        name: Arc<str>,
        /// The address.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The NAS's own address cannot be kept towards the servers.
    #[error(
        "source \"{name}\" cannot show servers the NAS's own address: {error}; `preserve_source` needs CAP_NET_ADMIN \
         (AmbientCapabilities=CAP_NET_ADMIN in the unit)"
    )]
    Transparent {
        /// The source.
        name: Arc<str>,
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
