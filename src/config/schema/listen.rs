//! Addresses to listen on.

use std::net::{IpAddr, SocketAddr};

use crate::config::reader::Scope;
use crate::config::tree::{Node, Place, Value};
use crate::config::units::Complaint;
use crate::config::value::parsed;
use crate::listen::Address;

/// The longest socket path, in bytes: Linux has 108 for it with its final NUL (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// Stands before the path of a Unix socket.
const UNIX: &str = "unix:";

/// `unix:/path` or an address and port, and where it stands.
pub(super) fn address(scope: &Scope<'_>, node: &Node) -> Option<(Address, Place)> {
    let Value::Text(text) = &node.value else {
        scope.wrong_type(node, "\"unix:/path\" or an address and port");
        return None;
    };
    let Some(path) = text.strip_prefix(UNIX) else {
        return socket(scope, node).map(|(address, place)| (Address::Tcp(address), place));
    };
    let path_here = scope.path(path);
    let length = path_here.as_os_str().len();
    if path.is_empty() || path.contains('\0') {
        let what = format!("`{}` names no socket after {UNIX}", node.key);
        scope.problem(node.place, what, format!("write \"{UNIX}/run/radhook/….sock\""));
        return None;
    }
    if length > MAX_SOCKET_PATH {
        let what = format!("`{}` is a path of {length} bytes, and a socket's has at most {MAX_SOCKET_PATH}", node.key);
        scope.problem(node.place, what, None);
        return None;
    }
    Some((Address::Unix(path_here), node.place))
}

/// An address and port, and where it stands.
pub(super) fn socket(scope: &Scope<'_>, node: &Node) -> Option<(SocketAddr, Place)> {
    let read = parsed("an address and port such as \"0.0.0.0:1813\"", |text| {
        text.parse().map_err(|_| match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => Complaint::new("which has no port", format!("write \"{text}:1813\"")),
            Ok(IpAddr::V6(_)) => Complaint::new("which has no port", format!("write \"[{text}]:1813\"")),
            Err(_) => Complaint::new(
                "which is no address and port",
                "write it like \"0.0.0.0:1813\" or \"[::]:1813\"; names are not looked up",
            ),
        })
    });
    Some((read(scope, node)?, node.place))
}

/// The addresses taken so far. A wildcard address takes its port on every address of its family; port 0 takes none.
#[derive(Default)]
pub(super) struct Bound(Vec<(SocketAddr, Place)>);

impl Bound {
    /// Takes an address, or notes that it is taken.
    pub fn bind(&mut self, scope: &Scope<'_>, address: SocketAddr, place: Place) -> SocketAddr {
        let clashes = |(other, _): &&(SocketAddr, Place)| {
            let overlap = address.ip() == other.ip() || address.ip().is_unspecified() || other.ip().is_unspecified();
            overlap && address.port() == other.port() && address.port() != 0 && address.is_ipv4() == other.is_ipv4()
        };
        if let Some((other, first)) = self.0.iter().find(clashes) {
            let help = format!("the other is at {}", scope.point_to(*first));
            scope.problem(place, format!("{address} is taken by {other}"), help);
        }
        self.0.push((address, place));
        address
    }
}
