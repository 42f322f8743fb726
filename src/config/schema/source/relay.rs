//! `type = "relay"`.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::super::listen::{Bound, socket};
use super::{listen, reply_timeout};
use crate::config::reader::Reader;
use crate::config::secret::secret;
use crate::config::value::{duration, flag, one_or_more};
use crate::source::{ProbeOptions, RelayOptions};

/// The most servers behind a relay. They are for failover; more than a few are never reached.
const MAX_UPSTREAM: usize = 16;

/// FreeRADIUS itself asks its home servers every 30 seconds; a third of that turns to the next one sooner.
const DEFAULT_PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// RFC 5997 §4.3 has a client ask no more often than it would retransmit.
const PROBE_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

pub(super) fn options(table: &mut Reader<'_>, name: Arc<str>, bound: &mut Bound) -> Option<RelayOptions> {
    let listen = listen(table, bound, "\"0.0.0.0:1812\"");
    let servers = one_or_more("an address and port, or an array of them", MAX_UPSTREAM, socket);
    let upstream = table.required("upstream", "[\"127.0.0.1:11812\"]", servers);
    let preserve_source = table.or("preserve_source", flag, false);
    let probe = table.table("probe", |probe| {
        let interval = probe.or("interval", duration(PROBE_INTERVAL), DEFAULT_PROBE_INTERVAL);
        Some(ProbeOptions { secret: probe.required("secret", "{ file = \"secret\" }", secret)?, interval })
    });
    let reply_timeout = reply_timeout(table);
    let (listen, upstream) = (listen?, upstream?);
    for (server, place) in &upstream {
        let scope = table.scope();
        if server.port() == 0 || server.ip().is_unspecified() {
            let help = "write the address and port of the RADIUS server".to_owned();
            scope.problem(*place, format!("{server} is nowhere to send to"), help);
        } else if listen.iter().any(|address| is_itself(*address, *server)) {
            let help = "move the RADIUS server to another port, and name that".to_owned();
            scope.problem(*place, format!("{server} is this relay itself"), help);
        } else if preserve_source && listen.iter().any(|address| address.is_ipv4() != server.is_ipv4()) {
            let help = "write a relay for each address family, or leave `preserve_source` out".to_owned();
            scope.problem(
                *place,
                format!("{server} cannot see the address of a NAS of the other address family"),
                help,
            );
        }
    }
    let upstream = upstream.into_iter().map(|(server, _)| server).collect();
    Some(RelayOptions { name, listen, upstream, preserve_source, probe: probe.flatten(), reply_timeout })
}

/// Whether what is sent to `server` comes back in at `listen`. Of the host's own addresses only those of loopback are known
/// here.
fn is_itself(listen: SocketAddr, server: SocketAddr) -> bool {
    let everywhere = listen.ip().is_unspecified() && listen.is_ipv4() == server.is_ipv4();
    listen.port() == server.port() && (listen.ip() == server.ip() || everywhere && server.ip().is_loopback())
}
