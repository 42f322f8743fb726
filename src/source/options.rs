//! What the config says of each source.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::listen::Address;
use crate::secret::Secret;

/// One `[[source]]`.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceOptions {
    /// Answers Accounting-Request and Status-Server.
    Accounting(AccountingOptions),
    /// Stands in front and passes everything on.
    Relay(RelayOptions),
    /// Stands beside and looks on.
    Capture(CaptureOptions),
    /// Follows FreeRADIUS's detail files.
    Detail(DetailOptions),
    /// Takes posts from this host.
    Local(LocalOptions),
}

impl SourceOptions {
    /// Its name in events, logs and metrics.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Accounting(options) => &options.name,
            Self::Relay(options) => &options.name,
            Self::Capture(options) => &options.name,
            Self::Detail(options) => &options.name,
            Self::Local(options) => &options.name,
        }
    }

    /// Its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accounting(_) => "accounting",
            Self::Relay(_) => "relay",
            Self::Capture(_) => "capture",
            Self::Detail(_) => "detail",
            Self::Local(_) => "local",
        }
    }
}

/// A `[[source]]` of type `accounting`: answers Accounting-Request (RFC 2866) and Status-Server (RFC 5997).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountingOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// The UDP addresses it answers on. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
}

/// A `[[source]]` of type `relay`.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// The UDP addresses NASes send to. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// The RADIUS servers behind it, the preferred one first.
    pub upstream: Vec<SocketAddr>,
    /// Whether the servers see the NAS's own address.
    pub preserve_source: bool,
    /// Asks the servers by Status-Server whether they are there.
    pub probe: Option<ProbeOptions>,
    /// How long a reply may take before the request is told as unanswered.
    pub reply_timeout: Duration,
}

/// How a relay asks its servers whether they are there (RFC 5997).
#[derive(Debug, Clone, PartialEq)]
pub struct ProbeOptions {
    /// The secret under which the servers know radhook.
    pub secret: Secret,
    /// How often.
    pub interval: Duration,
}

/// A `[[source]]` of type `capture`. Exactly one of `interface` and `file` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// The network interface to listen on; `any` is all of them.
    pub interface: Option<String>,
    /// A pcap or pcapng file to read once.
    pub file: Option<PathBuf>,
    /// The UDP ports of RADIUS servers.
    pub ports: Vec<u16>,
    /// How long a reply may take before the request is told as unanswered.
    pub reply_timeout: Duration,
}

/// A `[[source]]` of type `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// Globs of the files to follow.
    pub path: Vec<String>,
    /// Whether files that end in `.gz` are read too.
    pub compressed: bool,
    /// Where records go that cannot be understood.
    pub quarantine: PathBuf,
}

/// A `[[source]]` of type `local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalOptions {
    /// Its name in events and metrics.
    pub name: Arc<str>,
    /// Where it listens.
    pub listen: Vec<Address>,
}
