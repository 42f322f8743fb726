//! What a `format` sets by itself. A dialect is another system: besides words, its receivers count on its delivery rules, so
//! that these are the defaults. The endpoint's own keys override each.

use std::time::Duration;

use http::HeaderName;
use reqwest::Url;

use super::dispatch::Asks;
use super::endpoint::{DEFAULT_JITTER, DEFAULT_SCHEDULE};
use super::signature::{self, Scheme};
use crate::config::reader::Reader;
use crate::config::tree::Place;
use crate::deliver::options::{BatchOptions, Dialect, Format, RetryOptions, SignatureOptions};
use crate::event::EventType;
use crate::route::Subscription;

/// Purple and BT Wi-Fi: "tried again after 3 hours", and again.
const EVERY_THREE_HOURS: Duration = Duration::from_secs(3 * 3_600);

/// Sign In: whichever comes first.
const SIGN_IN_BATCH: (usize, Duration) = (20_000, Duration::from_secs(20 * 60));

/// So many events are more than a megabyte: as much as a request may have.
const SIGN_IN_BYTES: usize = 16 * 1024 * 1024;

const IRONWIFI_SIGNATURE: &str = "x-ironwifi-signature";

/// The defaults of a format.
pub(super) struct Defaults {
    pub retry: RetryOptions,
    pub batch: BatchOptions,
    pub asks: Asks,
    pub signature: signature::Defaults,
    pub log_bodies: bool,
    /// Whether the operator may say what the body is: the receiver's own page lets them.
    pub content_type_is_free: bool,
}

impl Defaults {
    pub fn of(format: Format) -> Self {
        let plain = Self {
            retry: RetryOptions {
                schedule: DEFAULT_SCHEDULE.to_vec(),
                jitter: DEFAULT_JITTER,
                max_age: None,
                endless: false,
            },
            batch: BatchOptions::default(),
            asks: Asks::None,
            signature: signature::Defaults::default(),
            log_bodies: false,
            content_type_is_free: false,
        };
        match format {
            // Its schedule is radhook's own.
            Format::Dialect(Dialect::IronWifi) => {
                let header = Some(HeaderName::from_static(IRONWIFI_SIGNATURE));
                Self { signature: signature::Defaults { scheme: Some(Scheme::HmacSha256), header }, ..plain }
            }
            // "Events will only be sent once to each endpoint"; bodies are logged there only where somebody asks for it.
            Format::Dialect(Dialect::IacBox) => {
                let retry = RetryOptions { schedule: Vec::new(), ..plain.retry };
                Self { retry, ..plain }
            }
            Format::Dialect(Dialect::SignIn) => {
                let (max_events, max_wait) = SIGN_IN_BATCH;
                let batch = BatchOptions { max_events, max_wait, max_bytes: SIGN_IN_BYTES };
                Self { batch, log_bodies: true, content_type_is_free: true, ..plain }
            }
            Format::Dialect(Dialect::Purple | Dialect::Bt) => {
                let retry = RetryOptions { schedule: vec![EVERY_THREE_HOURS], endless: true, ..plain.retry };
                Self { retry, asks: Asks::Purple, ..plain }
            }
            _ => plain,
        }
    }
}

/// What an endpoint gets that does not name any events: in a dialect all that it has words for.
pub(super) fn default_events(format: Format, url: Option<&Url>) -> Subscription {
    let kinds = format.kinds().iter().copied();
    match format {
        Format::Dialect(Dialect::OpenWisp) => {
            let wanted = at_openwisp(url);
            Subscription::of(kinds.filter(|kind| wanted.is_none_or(|logins| is_login(*kind) == logins)))
        }
        Format::Dialect(_) => Subscription::of(kinds),
        _ => Subscription::default(),
    }
}

/// Of what was asked for, that for which the format has words. A pattern that asks for nothing of it is warned about; when
/// nothing is left at all, that is a problem.
pub(super) fn heed(
    table: &Reader<'_>,
    format: Format,
    subscription: Subscription,
    patterns: &[(String, Place)],
) -> Subscription {
    let Format::Dialect(_) = format else { return subscription };
    let left = subscription.within(format.kinds());
    let words = || format.kinds().iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    if left.is_empty() && !patterns.is_empty() {
        let what = format!("`events` names nothing that there is a word for in the format {format}");
        table.scope().problem(table.place_of("events"), what, format!("it has words for {}", words()));
        return left;
    }
    for (pattern, place) in patterns {
        let wanted = Subscription::parse([pattern.as_str()]).unwrap_or_default();
        if wanted.within(format.kinds()).is_empty() {
            let what = format!("the format {format} has no word for \"{pattern}\"");
            table.scope().warn(*place, what, format!("it has words for {}", words()));
        }
    }
    left
}

/// What a dialect's receivers count on, and an endpoint lacks.
pub(super) fn judge(
    table: &Reader<'_>,
    format: Format,
    url: Option<&Url>,
    subscription: &Subscription,
    signature: Option<&SignatureOptions>,
) {
    let Format::Dialect(dialect) = format else { return };
    if dialect == Dialect::IronWifi && signature.is_none() && !table.has("signature") {
        let what = "receivers of format = \"ironwifi\" verify a signature, and there is none";
        let help = "add signature = { secret = { file = \"ironwifi.key\" } }".to_owned();
        table.scope().warn(table.place_of("format"), what, help);
    }
    let asks_for =
        |logins: bool| format.kinds().iter().any(|kind| is_login(*kind) == logins && subscription.wants(*kind));
    let is_mixed = match at_openwisp(url) {
        Some(logins) => asks_for(!logins),
        None => asks_for(true) && asks_for(false),
    };
    if dialect == Dialect::OpenWisp && is_mixed {
        let what = "OpenWISP RADIUS takes accounting and logins at different URLs";
        let help = "make an [[endpoint]] for …/freeradius/accounting/ and one for …/freeradius/postauth/".to_owned();
        table.scope().warn(table.place_of("url"), what, help);
    }
}

/// Whether a URL of OpenWISP RADIUS takes logins (or accounting); `None` where that cannot be told.
fn at_openwisp(url: Option<&Url>) -> Option<bool> {
    match url?.path_segments()?.rfind(|segment| !segment.is_empty())? {
        "postauth" => Some(true),
        "accounting" => Some(false),
        _ => None,
    }
}

fn is_login(kind: EventType) -> bool {
    matches!(kind, EventType::AuthAccept | EventType::AuthReject)
}
