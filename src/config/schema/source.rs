//! `[[source]]`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::reader::{Claims, Reader, Scope, shown};
use crate::config::tree::{Node, Place};
use crate::config::units::Complaint;
use crate::config::value::{name, one_of, one_or_more, parsed};
use crate::source::AccountingOptions;

/// The most sources: each has sockets and a thread of its own.
const MAX_SOURCES: usize = 64;

/// The most addresses of one source; every interface of a large router fits.
const MAX_LISTEN: usize = 64;

/// The types of the design that come later.
const LATER: &[&str] = &["relay", "capture", "detail", "local"];

/// The accounting sources; `None` where there is no source at all.
pub(super) fn accounting(top: &mut Reader<'_>) -> Option<Vec<AccountingOptions>> {
    let mut names = Claims::new();
    let mut bound = Bound::default();
    let mut unnamed = 0;
    top.tables("source", MAX_SOURCES, |table| {
        if table.required("type", "\"accounting\"", one_of(&[("accounting", ())], LATER)).is_none() {
            table.skip_the_rest();
            return None;
        }
        let name = table.optional("name", name).unwrap_or_else(|| {
            unnamed += 1;
            if unnamed == 1 { "accounting".into() } else { format!("accounting-{unnamed}").into() }
        });
        let taken = |name: &Arc<str>| format!("another source is called \"{}\"", shown(name));
        names.claim(table.scope(), name.clone(), table.place_of("name"), taken);

        let listen = one_or_more("an address and port, or an array of them", MAX_LISTEN, socket);
        let listen = table.required("listen", "\"0.0.0.0:1813\"", listen)?;
        let listen = listen.into_iter().map(|(address, place)| bound.bind(table.scope(), address, place));
        Some(AccountingOptions { name, listen: listen.collect() })
    })
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
