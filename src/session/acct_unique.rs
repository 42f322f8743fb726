//! Acct-Unique-Session-Id, as FreeRADIUS 3's policy `acct_unique` makes it: an MD5 over
//! `User-Name,Acct-Session-Id,NAS-IPv6-Address or NAS-IP-Address,NAS-Identifier,NAS-Port-Id,NAS-Port`, or, where the Class is one
//! that its policy `insert_acct_class` made, over that and Acct-Session-Id.
//!
//! Its `preprocess`, which the shipped site calls first, adds the address a packet came from as NAS-IP-Address where it has none.
//! Texts go in as they are. One that is not UTF-8 has been written with escapes by then, so that its id is another.

use md5::{Digest, Md5};

use crate::event::{Facts, auth::class};
use crate::exchange::Exchange;
use crate::radius::numbers;

/// What the policy puts before the 32 hex digits in Class.
const CLASS_PREFIX: &[u8] = b"ai:";

/// Its length in hex digits.
const CLASS_DIGITS: usize = 32;

/// The id of the session, by one of its packets.
pub(super) fn of(exchange: &Exchange, facts: &Facts<'_>) -> [u8; 16] {
    let session = facts.session_id.unwrap_or_default();
    let words = match class(&exchange.request).as_deref().and_then(of_class) {
        Some(of_class) => format!("{of_class},{session}"),
        None => {
            let address = |id| exchange.request.get(id).and_then(|value| value.address());
            let nas = address(numbers::NAS_IPV6_ADDRESS).or_else(|| address(numbers::NAS_IP_ADDRESS));
            let nas = nas.unwrap_or(exchange.origin.address).to_canonical();
            let user = facts.user_name.unwrap_or_default();
            let identifier = facts.nas_identifier.unwrap_or_default();
            let port_id = facts.nas_port_id.unwrap_or_default();
            let port = facts.nas_port.map(|port| port.to_string()).unwrap_or_default();
            format!("{user},{session},{nas},{identifier},{port_id},{port}")
        }
    };
    Md5::digest(words).into()
}

/// The digits of a Class that the policy made; what stands behind them does not count.
fn of_class(class: &[u8]) -> Option<&str> {
    let digits = class.strip_prefix(CLASS_PREFIX)?.get(..CLASS_DIGITS)?;
    std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
