//! `type = "capture"`.

use std::sync::Arc;

use super::reply_timeout;
use crate::config::reader::Reader;
use crate::config::units::Complaint;
use crate::config::value::{integer, list, parsed, path};
use crate::source::CaptureOptions;

/// The most ports; the kernel's filter compares each packet with all of them.
const MAX_PORTS: usize = 16;

/// Authentication, accounting (RFC 2865 §3, RFC 2866 §3) and dynamic authorization (RFC 5176 §2).
const DEFAULT_PORTS: [u16; 3] = [1812, 1813, 3799];

/// The longest name of a network interface: Linux has 16 octets for it with its final NUL (netdevice(7)).
const MAX_INTERFACE: usize = 15;

pub(super) fn options(table: &mut Reader<'_>, name: Arc<str>) -> Option<CaptureOptions> {
    let interface = table.optional("interface", parsed("the name of a network interface in quotes", interface));
    let file = table.optional("file", path);
    let ports = table.or("ports", list("an array of ports", MAX_PORTS, integer(1..=u64::from(u16::MAX))), Vec::new());
    let reply_timeout = reply_timeout(table);
    let given = (table.has("interface"), table.has("file"));
    match given {
        (true, false) | (false, true) => {}
        (true, true) => table.problem("[[source]] has both `interface` and `file`", "keep one of them"),
        (false, false) => table.problem("[[source]] needs `interface` or `file`", "add interface = \"eth0\""),
    }
    let ports: Vec<u16> = ports.into_iter().filter_map(|port| u16::try_from(port).ok()).collect();
    let ports = if ports.is_empty() { DEFAULT_PORTS.into() } else { ports };
    (given.0 != given.1).then_some(CaptureOptions { name, interface, file, ports, reply_timeout })
}

fn interface(text: &str) -> Result<String, Complaint> {
    match text.len() {
        1..=MAX_INTERFACE if !text.contains(|letter: char| letter.is_whitespace() || letter == '/') => Ok(text.into()),
        _ => Err(Complaint::new("which is no name of an interface", "`ip link` lists them; \"any\" is all of them")),
    }
}
