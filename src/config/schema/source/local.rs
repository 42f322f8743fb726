//! `type = "local"`.

use std::sync::Arc;

use super::super::listen::{Bound, address};
use super::MAX_LISTEN;
use crate::config::reader::{Claims, Reader};
use crate::config::value::one_or_more;
use crate::listen::Address;
use crate::source::LocalOptions;

pub(super) fn options(table: &mut Reader<'_>, name: Arc<str>) -> Option<LocalOptions> {
    let expected = "\"unix:/path\", an address and port, or an array of them";
    let listen = one_or_more(expected, MAX_LISTEN, address);
    let listen = table.required("listen", "\"unix:/run/radhook/local.sock\"", listen)?;
    let (mut bound, mut paths) = (Bound::default(), Claims::new());
    for (address, place) in &listen {
        let scope = table.scope();
        match address {
            Address::Unix(path) => {
                paths.claim(scope, path, *place, |path| format!("unix:{} is named twice", path.display()));
            }
            Address::Tcp(address) => {
                bound.bind(scope, *address, *place);
                if !address.ip().is_loopback() {
                    let what =
                        format!("{address} can be reached from other hosts, and whoever posts there is believed");
                    let help =
                        "write an address of the host itself such as \"127.0.0.1:8464\", or \"unix:/path\"".to_owned();
                    scope.problem(*place, what, help);
                }
            }
        }
    }
    Some(LocalOptions { name, listen: listen.into_iter().map(|(address, _)| address).collect() })
}
