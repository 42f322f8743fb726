//! `[[source]]`: one file per type.

mod capture;
mod detail;
mod local;
mod relay;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::listen::{Bound, socket};
use crate::config::reader::{Claims, Reader, shown};
use crate::config::value::{duration, name, one_of, one_or_more};
use crate::listen::Address;
use crate::source::{AccountingOptions, SourceOptions};

/// The most sources: each has sockets and a thread of its own.
const MAX_SOURCES: usize = 64;

/// The most addresses of one source; every interface of a large router fits.
const MAX_LISTEN: usize = 64;

/// What a source can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Accounting,
    Relay,
    Capture,
    Detail,
    Local,
}

const KINDS: &[(&str, Kind)] = &[
    ("accounting", Kind::Accounting),
    ("relay", Kind::Relay),
    ("capture", Kind::Capture),
    ("detail", Kind::Detail),
    ("local", Kind::Local),
];

/// How long a reply may take. RFC 5080 §2.2.1 has senders give up within about 30 seconds.
const DEFAULT_REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// Below a second every slow answer would be told as none; beyond five minutes no NAS waits.
const REPLY_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

/// All sources; `None` where there is none at all. `data` is where the store keeps its files.
pub(super) fn sources(top: &mut Reader<'_>, data: Option<&Path>) -> Option<Vec<SourceOptions>> {
    let mut names = Claims::new();
    let mut bound = Bound::default();
    let mut unnamed = [0; KINDS.len()];
    top.tables("source", MAX_SOURCES, |table| {
        let Some(kind) = table.required("type", "\"accounting\"", one_of(KINDS)) else {
            table.skip_the_rest();
            return None;
        };
        let name = table.optional("name", name).unwrap_or_else(|| {
            let count = &mut unnamed[kind as usize];
            *count += 1;
            let word = KINDS[kind as usize].0;
            if *count == 1 { word.into() } else { format!("{word}-{count}").into() }
        });
        let taken = |name: &Arc<str>| format!("another source is called \"{}\"", shown(name));
        names.claim(table.scope(), name.clone(), table.place_of("name"), taken);
        Some(match kind {
            Kind::Accounting => SourceOptions::Accounting(accounting(table, name, &mut bound)?),
            Kind::Relay => SourceOptions::Relay(relay::options(table, name, &mut bound)?),
            Kind::Capture => SourceOptions::Capture(capture::options(table, name)?),
            Kind::Detail => SourceOptions::Detail(detail::options(table, name, data)?),
            Kind::Local => SourceOptions::Local(local::options(table, name)?),
        })
    })
}

/// Where the sources of type `local` listen; the others are not looked at.
pub(in crate::config) fn local_addresses(top: &mut Reader<'_>) -> Vec<Address> {
    let sources = top.tables("source", MAX_SOURCES, |table| {
        let kind = table.required("type", "\"local\"", one_of(KINDS));
        if kind != Some(Kind::Local) {
            table.skip_the_rest();
            return None;
        }
        let name = table.optional("name", name).unwrap_or_else(|| "local".into());
        local::options(table, name)
    });
    sources.into_iter().flatten().flat_map(|source| source.listen).collect()
}

fn accounting(table: &mut Reader<'_>, name: Arc<str>, bound: &mut Bound) -> Option<AccountingOptions> {
    let listen = listen(table, bound, "\"0.0.0.0:1813\"")?;
    Some(AccountingOptions { name, listen })
}

/// The UDP addresses of a source.
fn listen(table: &mut Reader<'_>, bound: &mut Bound, example: &str) -> Option<Vec<std::net::SocketAddr>> {
    let listen = one_or_more("an address and port, or an array of them", MAX_LISTEN, socket);
    let listen = table.required("listen", example, listen)?;
    Some(listen.into_iter().map(|(address, place)| bound.bind(table.scope(), address, place)).collect())
}

/// How long a reply may take before its request is told as unanswered.
fn reply_timeout(table: &mut Reader<'_>) -> Duration {
    table.or("reply_timeout", duration(REPLY_TIMEOUT), DEFAULT_REPLY_TIMEOUT)
}
