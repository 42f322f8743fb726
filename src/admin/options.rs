//! What an operator sets under `[admin]`, validated.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::secret::Secret;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOptions {
    /// Where the API answers; at least one.
    pub listen: Vec<AdminAddress>,
    /// What requests over TCP must carry; always set when `listen` holds a TCP address.
    pub token: Option<Secret>,
}

/// One address of the admin API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminAddress {
    /// A Unix socket: the file's permissions decide who may speak.
    Unix(PathBuf),
    /// A TCP address: the token decides. Port 0 takes a free one.
    Tcp(SocketAddr),
}

impl fmt::Display for AdminAddress {
    /// As it stands in the config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}
