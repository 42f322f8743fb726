//! Starts each source with what it needs of the house.

use tokio::runtime::Handle;

use super::StartError;
use crate::exchange::Bookmark;
use crate::source::relay::{self, Relay};
use crate::source::{Inlet, Running, SourceError, SourceOptions, accounting, capture, detail, local};
use crate::store::{Bytes, Key, Store, StoreError, records};

/// The most bookmarks of one source: a file each, of a directory tree that nobody tidies.
const MAX_BOOKMARKS: usize = 100_000;

/// The relays, which pass packets on from here on, though nobody watches yet.
pub(super) fn relays(sources: &[SourceOptions]) -> Result<Vec<Relay>, SourceError> {
    let open = |options: &SourceOptions| match options {
        SourceOptions::Relay(options) => Some(relay::open(options)),
        _ => None,
    };
    sources.iter().filter_map(open).collect()
}

/// Starts one source, or the watching of a relay. One that reads files is told how far it had read them.
pub(super) fn start(
    options: &SourceOptions,
    inlet: &Inlet,
    store: &dyn Store,
    runtime: &Handle,
    relays: &[Relay],
) -> Result<Box<dyn Running>, StartError> {
    Ok(match options {
        SourceOptions::Accounting(options) => Box::new(accounting::start(options, inlet)?),
        SourceOptions::Relay(options) => {
            let relay = relays.iter().find(|relay| *relay.name() == options.name);
            relay.expect("all relays of the config were opened").watch(inlet)?
        }
        SourceOptions::Capture(options) => capture::start(options, inlet, bookmarks(store, &options.name)?)?,
        SourceOptions::Detail(options) => detail::start(options, inlet, bookmarks(store, &options.name)?)?,
        SourceOptions::Local(options) => local::start(options, inlet, runtime)?,
    })
}

/// How far a source had read.
fn bookmarks(store: &dyn Store, source: &std::sync::Arc<str>) -> Result<Vec<Bookmark>, StoreError> {
    let from = records::bookmark(source, &[]);
    // Behind every item of this source: the separating NUL becomes its successor.
    let to = [&from[..from.len() - 1], &[1]].concat();
    let found = store.range(&from, &to, MAX_BOOKMARKS)?;
    let bookmark = |(key, place): (Key, Bytes)| {
        let item = records::read_bookmark(source, &key)?.to_vec();
        Some(Bookmark { source: source.clone(), item, place: Some(place.to_vec()) })
    };
    Ok(found.into_iter().filter_map(bookmark).collect())
}
