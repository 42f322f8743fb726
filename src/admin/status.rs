//! `GET /api/v1/status`: is anything stuck, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Admin, Endpoint};
use crate::deliver::view::Seen;
use crate::intake::Refusal;
use crate::store::queue;
use crate::store::records::{self, EndpointRecord, Pending};
use crate::store::{Store, StoreError, sessions, standing};

/// Everything at a glance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// radhook's version.
    pub version: String,
    /// This radhook's name.
    pub node: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether it acknowledges.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Where packets come in.
    pub sources: Vec<Source>,
    /// How full the store is, and whether it can move its journal into its table.
    pub store: StoreStatus,
    /// Sessions that are open.
    #[serde(default)]
    pub open_sessions: u64,
    /// Users who have one.
    #[serde(default)]
    pub active_users: u64,
    /// Every endpoint: the configured ones first, then those that only the store still knows.
    pub endpoints: Vec<EndpointStatus>,
}

/// The store, in bytes unless the name says otherwise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreStatus {
    /// What counts against `max_size`.
    pub used: u64,
    /// `store.max_size`.
    pub max_size: u64,
    /// All journal files.
    pub journal: u64,
    /// sled's file.
    pub sled: u64,
    /// Changes in memory that the journal holds and sled does not yet.
    pub overlay: u64,
    /// Files that sled keeps beside its own and never syncs; anything but 0 is an alarm.
    pub blobs: u64,
    /// When changes were last moved into sled; absent before the first time since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpointed_at: Option<Timestamp>,
    /// Why they cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_error: Option<String>,
    /// Batches that the start replayed from the journal.
    pub replayed: u64,
}

/// A way in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it listens, or what it reads.
    pub address: String,
    /// What an operator should know of it: a server that does not answer, an interface that is not there, a backlog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// An endpoint: the conservation equation `received = delivered + pending + dead + filtered + coalesced`, and how it does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// Its name.
    pub name: String,
    /// What its `description` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its URL; absent where it is not configured any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `ok`, `failing`, `disabled`, `unverified` (its receiver has not agreed yet) or `removed` (in the store, not in the config).
    pub state: String,
    /// Events offered to it.
    pub received: u64,
    /// Events that are not for it: not asked for, from elsewhere, without a word in its format, or told within `once_per` already.
    pub filtered: u64,
    /// Events waiting.
    pub pending: u64,
    /// Events it took.
    pub delivered: u64,
    /// Dead letters.
    pub dead: u64,
    /// Updates in whose place a newer one was sent.
    #[serde(default)]
    pub coalesced: u64,
    /// Attempts that an end of radhook cut off: what they sent may have come twice.
    #[serde(default)]
    pub interrupted: u64,
    /// When it was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_since: Option<Timestamp>,
    /// Why; absent where the config says `enabled = false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<String>,
    /// When the oldest waiting event was queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_pending: Option<Timestamp>,
    /// When the next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// How its deliveries go.
    #[serde(flatten)]
    pub seen: Seen,
}

impl Admin {
    /// The status now.
    pub fn status(&self) -> Result<Status, StoreError> {
        let refusal = self.intake.health.refusal();
        let configured = self.endpoints.now();
        let mut endpoints = queue::endpoints(&*self.store)?
            .into_iter()
            .map(|(name, record)| self.endpoint(&configured, name, &record))
            .collect::<Result<Vec<_>, _>>()?;
        let place = |endpoint: &EndpointStatus| configured.iter().position(|own| *own.options.name == *endpoint.name);
        endpoints.sort_by_key(|endpoint| place(endpoint).unwrap_or(usize::MAX));
        let remarks = |name: &str| {
            let of_it = self.remarks.iter().filter(move |(of, _)| **of == *name);
            of_it.flat_map(|(_, said)| said.all()).collect::<Vec<_>>()
        };
        let source = |(name, kind, address): &(std::sync::Arc<str>, &str, String)| Source {
            name: name.to_string(),
            kind: (*kind).to_owned(),
            address: address.clone(),
            remarks: remarks(name),
        };
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.node.to_string(),
            started_at: self.started_at,
            ready: refusal.is_none(),
            refusal,
            sources: self.sources.iter().map(source).collect(),
            store: self.store_status(),
            open_sessions: self.count(sessions::OPEN_SESSIONS)?,
            active_users: self.count(sessions::ACTIVE_USERS)?,
            endpoints,
        })
    }

    fn count(&self, key: &[u8]) -> Result<u64, StoreError> {
        Ok(self.store.get(key)?.map(|bytes| records::decode(key, &bytes)).transpose()?.unwrap_or(0))
    }

    fn store_status(&self) -> StoreStatus {
        let stats = self.store.stats();
        StoreStatus {
            used: stats.figures.used,
            max_size: self.store_max_size,
            journal: stats.figures.journal_bytes,
            sled: stats.figures.sled_bytes,
            overlay: stats.figures.overlay_bytes,
            blobs: stats.figures.blobs,
            checkpointed_at: stats.checkpointed_at.and_then(|at| Timestamp::try_from(at).ok()),
            checkpoint_error: stats.checkpoint_error,
            replayed: stats.replay.batches,
        }
    }

    fn endpoint(
        &self,
        configured: &[Endpoint],
        name: String,
        record: &EndpointRecord,
    ) -> Result<EndpointStatus, StoreError> {
        let own = configured.iter().find(|own| *own.options.name == *name);
        let seen = own.map(|own| own.view.seen()).unwrap_or_default();
        let standing = standing::read(&*self.store, record.id)?;
        let state = match own {
            None => "removed",
            Some(own) if !own.options.enabled || standing.disabled.is_some() => "disabled",
            Some(_) if seen.not_verified.is_some() => "unverified",
            Some(_) if seen.failures > 0 => "failing",
            Some(_) => "ok",
        };
        let time = |at: i64| Timestamp::from_millisecond(at).ok();
        let tally = record.tally;
        let next_due =
            if tally.pending > 0 { queue::first_from(&*self.store, record.id, (i64::MIN, 0))? } else { None };
        Ok(EndpointStatus {
            description: own.and_then(|own| own.options.description.clone()),
            url: own.map(|own| own.options.url.to_string()),
            state: state.to_owned(),
            received: tally.received,
            filtered: tally.filtered,
            pending: tally.pending,
            delivered: tally.delivered,
            dead: tally.dead,
            coalesced: tally.coalesced,
            interrupted: tally.interrupted,
            disabled_since: standing.disabled.as_ref().and_then(|disabled| time(disabled.at)),
            disabled_because: standing.disabled.map(|disabled| disabled.reason),
            oldest_pending: oldest(&*self.store, record)?.and_then(time),
            next_due: next_due.and_then(|(at, _)| time(at)),
            seen,
            name,
        })
    }
}

/// When the oldest pending event of an endpoint was queued.
fn oldest(store: &dyn Store, record: &EndpointRecord) -> Result<Option<i64>, StoreError> {
    if record.tally.pending == 0 {
        return Ok(None);
    }
    let (from, to) = (records::pending(record.id, 0), records::pending(record.id, u64::MAX));
    match store.range(&from, &to, 1)?.first() {
        Some((key, bytes)) => Ok(Some(records::decode::<Pending>(key, bytes)?.queued_at)),
        None => Ok(None),
    }
}
