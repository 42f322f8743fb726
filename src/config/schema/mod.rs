//! The schema: one file per table of the config. Each asks its reader for the keys it knows and answers with the
//! validated options of the room the table is about.

pub(super) mod admin;
mod auth;
mod client;
mod dialect;
mod dispatch;
mod egress;
mod endpoint;
mod headers;
mod listen;
mod proxy;
mod scalars;
mod scope;
mod sessions;
mod signature;
mod source;
pub(super) mod store;
mod template;
mod url;
mod users;
mod venue;

use std::sync::Arc;

use nix::unistd::gethostname;

use super::reader::Reader;
use super::value::{flag, list, name, path};
use super::{Config, DictionaryOptions};
use crate::source::SourceOptions;
use crate::source::client::Clients;

pub(super) use source::local_addresses;

/// The most dictionary files: FreeRADIUS ships 225, and its main one includes them all.
const MAX_DICTIONARIES: usize = 1024;

/// The whole config. `None` only after a problem was noted; the reverse does not hold.
pub(super) fn config(top: &mut Reader<'_>) -> Option<Config> {
    let node = match top.node("node") {
        Some(_) => top.optional("node", name),
        None => host_name(top),
    };
    let store = store::options(top);
    let clients = client::clients(top);
    let sources = source::sources(top, store.as_ref().map(|store| &*store.path));
    let posted = sources.iter().flatten().any(|source| matches!(source, SourceOptions::Local(_)));
    let egress = egress::options(top);
    let endpoints = endpoint::endpoints(top, node.as_ref(), posted, &egress);
    let dictionary = dictionary(top);
    let sessions = sessions::options(top);
    let enrichment = venue::enrichment(top);
    let users = users::options(top);
    let admin = admin::options(top);
    // The other sources believe those whom they watch.
    let answers = sources.iter().flatten().any(|source| matches!(source, SourceOptions::Accounting(_)));
    for (there, table, what, help) in [
        (
            sources.is_some(),
            "[[source]]",
            "nothing would come in",
            "add one with type = \"accounting\" and listen = \"0.0.0.0:1813\"",
        ),
        (
            clients.is_some() || !answers,
            "[[client]]",
            "every packet would be dropped as from a stranger",
            "add one for each FreeRADIUS or NAS, with name, address and secret",
        ),
        (
            endpoints.is_some(),
            "[[endpoint]]",
            "events would be stored for nobody",
            "add one with name, url and signature",
        ),
    ] {
        if !there {
            top.scope().problem(None, format!("there is no {table}: {what}"), help.to_owned());
        }
    }
    Some(Config {
        node: node?,
        store: store?,
        clients: Clients::new(clients.unwrap_or_default()),
        sources: sources?,
        endpoints: endpoints?,
        dictionary,
        sessions,
        enrichment,
        users,
        admin: admin?,
    })
}

/// Who may send, and where to.
pub(super) fn peers(top: &mut Reader<'_>) -> Option<(Clients, Vec<SourceOptions>)> {
    let store = store::options(top);
    let clients = client::clients(top).unwrap_or_default();
    let sources = source::sources(top, store.as_ref().map(|store| &*store.path)).unwrap_or_default();
    Some((Clients::new(clients), sources))
}

/// The name of this host, which stands in every event as its node.
fn host_name(top: &Reader<'_>) -> Option<Arc<str>> {
    let host = gethostname().ok().and_then(|name| name.into_string().ok()).filter(|name| !name.is_empty());
    if host.is_none() {
        top.scope().problem(None, "this host has no name to use as `node`", "add node = \"radhook-1\"".to_owned());
    }
    host.map(Into::into)
}

fn dictionary(top: &mut Reader<'_>) -> DictionaryOptions {
    let read = |table: &mut Reader<'_>| {
        let files = table.or("files", list("an array of paths", MAX_DICTIONARIES, path), Vec::new());
        let shipped = table.or("shipped", flag, true);
        for file in files.iter().filter(|file| !file.is_file()) {
            let what = format!("`files`: there is no file {}", file.display());
            table.scope().problem(table.place_of("files"), what, None);
        }
        if !shipped && files.is_empty() {
            let help = "name dictionaries in `files`, or remove it".to_owned();
            table.scope().problem(
                table.place_of("shipped"),
                "without the shipped dictionaries no attribute has a name",
                help,
            );
        }
        DictionaryOptions { files, shipped }
    };
    top.table("dictionary", read).unwrap_or_default()
}
