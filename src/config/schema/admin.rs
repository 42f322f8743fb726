//! `[admin]`.

use std::path::PathBuf;

use super::listen::{Bound, address};
use crate::admin::options::AdminOptions;
use crate::config::reader::{Claims, Reader, Scope};
use crate::config::secret::secret;
use crate::config::tree::Place;
use crate::config::value::one_or_more;
use crate::listen::Address;

const DEFAULT_SOCKET: &str = "/run/radhook/admin.sock";

/// The most addresses; one socket and a few interfaces are usual.
const MAX_LISTEN: usize = 16;

/// Below 16 bytes a token can be guessed over the network.
const SHORT_TOKEN: usize = 16;

/// Where the admin API answers, and to whom.
pub(in crate::config) fn options(top: &mut Reader<'_>) -> Option<AdminOptions> {
    let default = || vec![Address::Unix(PathBuf::from(DEFAULT_SOCKET))];
    let read = |table: &mut Reader<'_>| {
        let expected = "\"unix:/path\", an address and port, or an array of them";
        let listen = match table.node("listen") {
            Some(_) => table.optional("listen", one_or_more(expected, MAX_LISTEN, address))?,
            None => Vec::new(),
        };
        let token = table.optional("token", secret);
        let scope = table.scope();
        if let Some(token) = &token {
            judge(scope, token.expose(), table.place_of("token"));
        }
        let (mut bound, mut paths) = (Bound::default(), Claims::new());
        for (address, place) in &listen {
            match address {
                Address::Unix(path) => {
                    paths.claim(scope, path, *place, |path| format!("unix:{} is named twice", path.display()));
                }
                Address::Tcp(address) => {
                    bound.bind(scope, *address, *place);
                    if !table.has("token") {
                        let what = format!("{address} needs a `token`: every user and web page of a host can reach it");
                        scope.problem(*place, what, "add token = { file = \"admin-token\" }".to_owned());
                    }
                    if !address.ip().is_loopback() {
                        let what = format!("{address} takes the token unencrypted from the network");
                        scope.warn(*place, what, "put a TLS proxy in front, or use a Unix socket".to_owned());
                    }
                }
            }
        }
        let listen =
            if listen.is_empty() { default() } else { listen.into_iter().map(|(address, _)| address).collect() };
        Some(AdminOptions { listen, token })
    };
    match top.node("admin") {
        Some(_) => top.table("admin", read)?,
        None => Some(AdminOptions { listen: default(), token: None }),
    }
}

/// A token that no request can carry is refused; one that protects little is warned about.
fn judge(scope: &Scope<'_>, token: &[u8], place: Place) {
    if !token.iter().all(u8::is_ascii_graphic) {
        let help = "use printable ASCII without spaces".to_owned();
        scope.problem(place, "`token` holds characters that an HTTP header cannot carry", help);
    } else if token.len() < SHORT_TOKEN {
        let what = format!("this token has only {} bytes", token.len());
        scope.warn(place, what, format!("use {SHORT_TOKEN} or more random characters"));
    }
}
