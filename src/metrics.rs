//! The names of all metrics, in one place: `radhook_<stage>_<what>_<unit>`, counters ending in `_total`.
//!
//! Rooms count under these names; [`describe`] gives the exporter their help texts.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution, in seconds unless the name says otherwise.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, as scraped.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it counts, and its labels.
    pub help: &'static str,
}

/// Packets an accounting source received, by what was made of them.
pub const ACCOUNTING_PACKETS: &str = "radhook_accounting_packets_total";
/// Answers an accounting source sent, or did not.
pub const ACCOUNTING_ANSWERS: &str = "radhook_accounting_answers_total";

/// Datagrams that the system dropped because an accounting port did not take them in time.
pub const ACCOUNTING_OVERFLOWS: &str = "radhook_accounting_overflows_total";

/// Packets that a relay or capture saw, by what was made of them.
pub const OBSERVED_PACKETS: &str = "radhook_observed_packets_total";
/// What a relay or capture saw and could not look at or keep.
pub const OBSERVED_DROPS: &str = "radhook_observed_drops_total";

/// Requests that a local source took or refused, by path and what became of them.
pub const LOCAL_POSTS: &str = "radhook_local_posts_total";
/// Packets that the system dropped because a capture did not take them in time.
pub const CAPTURE_OVERFLOWS: &str = "radhook_capture_overflows_total";
/// Whether a capture can look at its interface.
pub const CAPTURE_UP: &str = "radhook_capture_up";
/// Records of detail files, by what was made of them.
pub const DETAIL_RECORDS: &str = "radhook_detail_records_total";
/// Detail files with which something is wrong.
pub const DETAIL_FILES: &str = "radhook_detail_files_total";
/// What stands in detail files and was not read yet.
pub const DETAIL_UNREAD: &str = "radhook_detail_unread_bytes";
/// Packets a relay passed on.
pub const RELAY_PACKETS: &str = "radhook_relay_packets_total";
/// Packets a relay did not pass on, by reason.
pub const RELAY_DROPS: &str = "radhook_relay_drops_total";
/// A relay's flows.
pub const RELAY_FLOWS: &str = "radhook_relay_flows";
/// A relay's flows that ended, by reason.
pub const RELAY_FLOWS_ENDED: &str = "radhook_relay_flows_ended_total";
/// Whether a relay's server is up.
pub const RELAY_SERVER_UP: &str = "radhook_relay_server_up";

/// Events made, by type.
pub const EVENTS: &str = "radhook_intake_events_total";
/// Exchanges that were acknowledged and made no event.
pub const EXCHANGES_WITHOUT_EVENT: &str = "radhook_intake_without_event_total";
/// Sessions that are open.
pub const SESSIONS_OPEN: &str = "radhook_sessions_open";
/// Users who have one.
pub const USERS_ACTIVE: &str = "radhook_users_active";
/// Rows of the file of users.
pub const USERS_KNOWN: &str = "radhook_users_known";
/// Times that the file of users could not be used.
pub const USERS_FILE_FAILURES: &str = "radhook_users_file_failures_total";
/// Questions to the database of users, by `result`.
pub const USERS_ASKED: &str = "radhook_users_asked_total";
/// Whether the database of users answers.
pub const USERS_DATABASE_UP: &str = "radhook_users_database_up";
/// Events that went out without what the database says of their user.
pub const USERS_MISSED: &str = "radhook_users_missed_total";
/// Whether the store accepts.
pub const READY: &str = "radhook_intake_ready";
/// What counts against `store.max_size`.
pub const STORE_USED: &str = "radhook_store_used_bytes";
/// `store.max_size`.
pub const STORE_MAX_SIZE: &str = "radhook_store_max_bytes";
/// Whether the last try at moving the journal into sled failed.
pub const CHECKPOINT_FAILING: &str = "radhook_store_checkpoint_failing";
/// Files in sled's `blobs/`.
pub const STORE_BLOBS: &str = "radhook_store_blob_files";
/// An endpoint's events offered.
pub const ENDPOINT_RECEIVED: &str = "radhook_endpoint_received_total";
/// An endpoint's events not asked for.
pub const ENDPOINT_FILTERED: &str = "radhook_endpoint_filtered_total";
/// An endpoint's conditions that could not be evaluated.
pub const CONDITION_FAILURES: &str = "radhook_condition_failures_total";
/// An endpoint's events taken.
pub const ENDPOINT_DELIVERED: &str = "radhook_endpoint_delivered_total";
/// An endpoint's events waiting.
pub const ENDPOINT_PENDING: &str = "radhook_endpoint_pending";
/// An endpoint's dead letters.
pub const ENDPOINT_DEAD: &str = "radhook_endpoint_dead";
/// An endpoint's updates in whose place a newer one was sent.
pub const ENDPOINT_COALESCED: &str = "radhook_endpoint_coalesced_total";
/// An endpoint's attempts that an end of radhook cut off.
pub const ENDPOINT_INTERRUPTED: &str = "radhook_endpoint_interrupted_total";
/// Whether an endpoint's breaker is open.
pub const ENDPOINT_RESTS: &str = "radhook_endpoint_breaker_open";
/// The age of an endpoint's oldest waiting event.
pub const ENDPOINT_OLDEST_PENDING: &str = "radhook_endpoint_oldest_pending_seconds";
/// When the certificate of an endpoint's receiver ends.
pub const ENDPOINT_CERTIFICATE_EXPIRES: &str = "radhook_endpoint_certificate_expires_timestamp_seconds";
/// Attempts at deliveries, by endpoint and result.
pub const DELIVERY_ATTEMPTS: &str = "radhook_delivery_attempts_total";
/// How long attempts took.
pub const DELIVERY_SECONDS: &str = "radhook_delivery_attempt_seconds";

/// Every metric there is.
pub const ALL: &[Metric] = &[
    Metric {
        name: ACCOUNTING_PACKETS,
        kind: Kind::Counter,
        help: "Packets received on an accounting port, by source, client (\"unknown\" for none) and result: accepted, \
               duplicate, status_server, health_check, unknown_client, malformed, bad_authenticator, \
               bad_message_authenticator, no_message_authenticator, unexpected_code",
    },
    Metric {
        name: ACCOUNTING_ANSWERS,
        kind: Kind::Counter,
        help: "Answers of an accounting port, by source and result: sent, buffer_full (the socket's send buffer), failed \
               (refused by the system), withheld (not stored, the NAS asks again)",
    },
    Metric {
        name: ACCOUNTING_OVERFLOWS,
        kind: Kind::Counter,
        help: "Datagrams dropped by the system because the receive buffer of an accounting port was full, by source",
    },
    Metric {
        name: OBSERVED_PACKETS,
        kind: Kind::Counter,
        help: "Packets seen by a relay or capture, by source, client (\"unknown\" for none) and result: request, answer, \
               accounting, retransmission, passed (makes no event), malformed, unexpected_code, bad_authenticator, \
               bad_message_authenticator, no_message_authenticator, forged_reply, reply_without_request",
    },
    Metric {
        name: OBSERVED_DROPS,
        kind: Kind::Counter,
        help: "What a relay or capture saw and made no event of, though it may have been one, by source and reason: \
               queue_full, not_stored, too_many_waiting, starting_or_stopping (a relay passes packets on \
               before and after the rest is up), fragments_missing (a packet's beginning came, not all of it), \
               cut_off (the capture holds only a part of it), file_ended (the reply may lie behind the capture's end)",
    },
    Metric {
        name: CAPTURE_OVERFLOWS,
        kind: Kind::Counter,
        help: "Packets dropped by the system because the receive buffer of a capture was full, by source",
    },
    Metric {
        name: CAPTURE_UP,
        kind: Kind::Gauge,
        help: "1 while a capture can look at its network interface, 0 while that is down or not there, by source",
    },
    Metric {
        name: LOCAL_POSTS,
        kind: Kind::Counter,
        help: "Requests to a local source, by source, path (accounting, post-auth, events) and result: stored, foreign (from a \
               web page), media_type, too_large, body (it did not come), invalid, busy and not_stored (the poster tries \
               again; a login is lost), late (answered before it was known)",
    },
    Metric {
        name: DETAIL_RECORDS,
        kind: Kind::Counter,
        help: "Records read from detail files, by source and result: accounting, login (both its sides), reply (of a login, \
               alone), and without an event: request (of a login, alone), health_check, other, bad (kept in the quarantine), \
               bad_not_kept",
    },
    Metric {
        name: DETAIL_FILES,
        kind: Kind::Counter,
        help: "Files that a detail source left out or found changed, by source and result: unreadable, not_a_file, \
               compressed, damaged, too_many, deleted_unread, truncated",
    },
    Metric {
        name: DETAIL_UNREAD,
        kind: Kind::Gauge,
        help: "Octets in the files of a detail source that were not read yet, by source",
    },
    Metric {
        name: RELAY_PACKETS,
        kind: Kind::Counter,
        help: "Packets a relay passed on, by source, server and direction: request (to the server), reply (of it)",
    },
    Metric {
        name: RELAY_DROPS,
        kind: Kind::Counter,
        help: "Packets a relay did not pass on, by source and reason: too_large (more than 4,096 octets), no_socket (none to \
               be had for its flow), buffer_full (a socket's send buffer), not_sent (refused by the system), overflow (of the \
               receive buffer)",
    },
    Metric {
        name: RELAY_FLOWS,
        kind: Kind::Gauge,
        help: "Flows of a relay, one for each address and port of a client, by source and listen address",
    },
    Metric {
        name: RELAY_FLOWS_ENDED,
        kind: Kind::Counter,
        help: "Flows of a relay that ended, by source and reason: idle, table_full (another needed the place)",
    },
    Metric {
        name: RELAY_SERVER_UP,
        kind: Kind::Gauge,
        help: "1 while a relay takes its server to be up, by source, listen address and server",
    },
    Metric { name: EVENTS, kind: Kind::Counter, help: "Events made, by type" },
    Metric {
        name: EXCHANGES_WITHOUT_EVENT,
        kind: Kind::Counter,
        help: "Exchanges that were acknowledged and made no event, by reason: repeat (told before), status_type (it makes no event), no_session_id, \
               reply (none, or one that makes no event), late (its session was told further already), \
               after_stop (its session has ended)",
    },
    Metric {
        name: SESSIONS_OPEN,
        kind: Kind::Gauge,
        help: "Sessions that began and have not ended, as far as is known",
    },
    Metric { name: USERS_ACTIVE, kind: Kind::Gauge, help: "Users who have an open session" },
    Metric { name: USERS_KNOWN, kind: Kind::Gauge, help: "Rows of the file of users that is used" },
    Metric {
        name: USERS_FILE_FAILURES,
        kind: Kind::Counter,
        help: "Times that the file of users, or what it had become, could not be used; the one before stays",
    },
    Metric {
        name: USERS_ASKED,
        kind: Kind::Counter,
        help: "Questions to the database of users, by result: found, nobody, refused, away",
    },
    Metric {
        name: USERS_DATABASE_UP,
        kind: Kind::Gauge,
        help: "Whether the database of users answered when it was last asked: 1 or 0",
    },
    Metric {
        name: USERS_MISSED,
        kind: Kind::Counter,
        help: "Events sent without what the database says of their user, since it gave no answer in time",
    },
    Metric {
        name: READY,
        kind: Kind::Gauge,
        help: "1 while what comes in is stored and acknowledged, 0 while the store refuses",
    },
    Metric { name: STORE_USED, kind: Kind::Gauge, help: "Bytes that count against store.max_size" },
    Metric { name: STORE_MAX_SIZE, kind: Kind::Gauge, help: "store.max_size, in bytes" },
    Metric {
        name: CHECKPOINT_FAILING,
        kind: Kind::Gauge,
        help: "1 while the journal cannot be moved into sled; nothing is lost by it, but the store fills",
    },
    Metric {
        name: STORE_BLOBS,
        kind: Kind::Gauge,
        help: "Files that sled keeps beside its own and never syncs; anything but 0 is an alarm",
    },
    Metric {
        name: ENDPOINT_RECEIVED,
        kind: Kind::Counter,
        help: "Events offered to an endpoint since it was first configured: delivered + pending + dead + filtered + coalesced",
    },
    Metric {
        name: ENDPOINT_FILTERED,
        kind: Kind::Counter,
        help: "Events an endpoint did not ask for, or that its when or once_per held back",
    },
    Metric {
        name: CONDITION_FAILURES,
        kind: Kind::Counter,
        help: "Events for which an endpoint's when could not be evaluated, and so did not hold",
    },
    Metric { name: ENDPOINT_DELIVERED, kind: Kind::Counter, help: "Events an endpoint took" },
    Metric { name: ENDPOINT_PENDING, kind: Kind::Gauge, help: "Events waiting for an endpoint" },
    Metric { name: ENDPOINT_DEAD, kind: Kind::Gauge, help: "Dead letters of an endpoint" },
    Metric {
        name: ENDPOINT_COALESCED,
        kind: Kind::Counter,
        help: "Updates of an endpoint in whose place a newer one of their session was sent (coalesce_updates)",
    },
    Metric {
        name: ENDPOINT_INTERRUPTED,
        kind: Kind::Counter,
        help: "Attempts of an endpoint that an end of radhook cut off, so that their events may have come twice",
    },
    Metric {
        name: ENDPOINT_RESTS,
        kind: Kind::Gauge,
        help: "1 while an endpoint is left alone after a run of failures, until one request finds out that it is back",
    },
    Metric {
        name: ENDPOINT_OLDEST_PENDING,
        kind: Kind::Gauge,
        help: "Age of the oldest event that waits for an endpoint, in seconds; 0 when none waits",
    },
    Metric {
        name: ENDPOINT_CERTIFICATE_EXPIRES,
        kind: Kind::Gauge,
        help: "When the certificate that an endpoint's receiver last showed ends, in seconds since 1970",
    },
    Metric {
        name: DELIVERY_ATTEMPTS,
        kind: Kind::Counter,
        help: "Attempts at deliveries, by endpoint and result: 2xx, 3xx, 4xx, 5xx, other, no_answer",
    },
    Metric { name: DELIVERY_SECONDS, kind: Kind::Histogram, help: "How long attempts at deliveries took, by endpoint" },
];

/// Tells the installed recorder what each metric means.
pub fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_kind_and_said_once() {
        for (at, metric) in ALL.iter().enumerate() {
            assert!(metric.name.starts_with("radhook_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(!ALL[..at].iter().any(|other| other.name == metric.name), "{} twice", metric.name);
        }
    }
}
