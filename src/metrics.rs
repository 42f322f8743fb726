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

/// Every metric there is.
pub const ALL: &[Metric] = &[
    Metric {
        name: ACCOUNTING_PACKETS,
        kind: Kind::Counter,
        help: "Packets received on an accounting port, by source, client (\"unknown\" for none) and result: accepted, \
               duplicate, status_server, health_check, unknown_client, malformed, bad_authenticator, \
               bad_message_authenticator, no_message_authenticator, unexpected_code, no_status_type",
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
