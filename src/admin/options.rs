//! What an operator sets under `[admin]`, validated.

use crate::listen::Address;
use crate::secret::Secret;

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOptions {
    /// Where the API answers; at least one.
    pub listen: Vec<Address>,
    /// What requests over TCP must carry; always set when `listen` holds a TCP address.
    pub token: Option<Secret>,
}
