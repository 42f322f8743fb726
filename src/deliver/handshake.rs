//! Asking a receiver whether it wants events before it is sent any (`verify`): by a test event as Purple and BT Wi-Fi do, or by
//! the OPTIONS request of CloudEvents' "HTTP 1.1 Web Hooks for Event Delivery", §4. It is asked before first use, at another URL,
//! and again after it was disabled.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::client::Sender;
use super::endpoint::Delivery;
use super::options::{EndpointOptions, Rate, Verify};
use crate::event::EventType;
use crate::event::sample::Sample;
use crate::store::standing::{Standing, Verified};

/// How soon a receiver that has not agreed is asked again; doubled each time.
const FIRST_REST: Duration = Duration::from_secs(10);

/// Whoever sets up a receiver waits no longer than this for its first event.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// A receiver of Purple's kind answers with it.
const LISTENER: HeaderName = HeaderName::from_static("wifiwebhooklistener");

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const REQUEST_RATE: HeaderName = HeaderName::from_static("webhook-request-rate");
const REQUEST_CALLBACK: HeaderName = HeaderName::from_static("webhook-request-callback");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");

/// How many requests a minute a receiver allows, or `*`.
pub const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// How the asking goes on. Pure; `now` is an argument.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    under_way: bool,
    rest: Duration,
    ask_at: Option<Instant>,
}

impl Agreement {
    /// When the receiver may be asked; `None` for now, or while it is being asked.
    pub fn ask_at(&self, now: Instant) -> Option<Instant> {
        self.ask_at.filter(|at| *at > now)
    }

    /// Whether it is being asked.
    pub fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// It is being asked now.
    pub fn asked(&mut self) {
        self.under_way = true;
    }

    /// It has not agreed.
    pub fn refused(&mut self, now: Instant) {
        self.under_way = false;
        self.rest = (self.rest * 2).clamp(FIRST_REST, LONGEST_REST);
        self.ask_at = Some(now + self.rest);
    }

    /// Something that was under way ended without a word; it may have been this.
    pub fn cut_off(&mut self) {
        self.under_way = false;
    }
}

/// Whether the endpoint may be sent events, as far as that is for its receiver to say.
pub(super) fn has_agreed(options: &EndpointOptions, standing: &Standing) -> bool {
    options.verify == Verify::None
        || standing.verified.as_ref().is_some_and(|verified| verified.url == options.url.as_str())
}

/// That the receiver has agreed to so many requests a minute.
pub(super) fn verified(options: &EndpointOptions, per_minute: Option<u32>, now: Timestamp) -> Verified {
    Verified { at: now.as_millisecond(), url: options.url.to_string(), per_minute }
}

/// The rate that a receiver has granted.
pub(super) fn rate(verified: &Verified) -> Option<Rate> {
    verified.per_minute.map(|count| Rate { count: count.max(1), within: Duration::from_secs(60) })
}

/// Of two rates the one that allows less in the long run.
pub(super) fn stricter(one: Option<Rate>, other: Option<Rate>) -> Option<Rate> {
    let a_day = |rate: &Rate| u128::from(rate.count) * 86_400_000 / rate.within.as_millis().max(1);
    one.into_iter().chain(other).min_by_key(a_day)
}

/// Asks the receiver, by one of the endpoint's clients. Fails with what it said instead, for an operator.
pub(super) async fn ask(delivery: &Delivery, sender: &Sender) -> Result<Verified, String> {
    let (options, now) = (&delivery.options, Timestamp::now());
    match &options.verify {
        Verify::None => Ok(verified(options, None, now)),
        Verify::Purple => {
            let sample = Sample { now, node: &delivery.node, endpoint: &options.name };
            let (id, event) = sample.test_delivery(EventType::Test);
            let rendered = options.templates.one(options.format, event).map_err(|error| error.to_string())?;
            let method = options.method.clone();
            let test = Some((id.to_string(), rendered));
            let (status, headers) = sender.ask(options, method, test, HeaderMap::new(), now).await?;
            takes_test_events(status, &headers).map(|()| verified(options, None, now))
        }
        Verify::CloudEvents { origin, callback } => {
            let mut question = HeaderMap::new();
            let value = |text: &str| HeaderValue::from_str(text).map_err(|_| format!("{text:?} fits no header"));
            question.insert(REQUEST_ORIGIN, value(origin)?);
            if let Some(rate) = options.rate {
                question.insert(REQUEST_RATE, value(&per_minute(rate).to_string())?);
            }
            if let Some(callback) = callback {
                let at = format!("{}/{}", callback.as_str().trim_end_matches('/'), delivery.view.callback());
                question.insert(REQUEST_CALLBACK, value(&at)?);
            }
            let (status, headers) = sender.ask(options, Method::OPTIONS, None, question, now).await?;
            allows(status, &headers, origin, callback.is_some()).map(|rate| verified(options, rate, now))
        }
    }
}

/// A rate as CloudEvents counts it; at least one.
fn per_minute(rate: Rate) -> u128 {
    (u128::from(rate.count) * 60_000 / rate.within.as_millis().max(1)).max(1)
}

/// What the receiver's answer to a test event says on whether it may be sent events; `None` where it is not asked by one.
pub(super) fn agrees(verify: &Verify, status: u16, headers: &HeaderMap) -> Option<Result<(), String>> {
    (*verify == Verify::Purple).then(|| takes_test_events(status, headers))
}

/// Whether a listener of Purple's kind has answered a test event.
fn takes_test_events(status: u16, headers: &HeaderMap) -> Result<(), String> {
    let listens = headers.get(LISTENER).is_some_and(|value| value.as_bytes().trim_ascii() == b"1");
    match (status, listens) {
        (200, true) => Ok(()),
        (200, false) => Err("it answered the test event without `wifiWebhookListener: 1`".to_owned()),
        (status, _) => Err(format!("it answered the test event with {status}")),
    }
}

/// Whether a CloudEvents receiver allows events of this origin, and how many requests a minute.
fn allows(status: u16, headers: &HeaderMap, origin: &str, may_call: bool) -> Result<Option<u32>, String> {
    if !(200..300).contains(&status) {
        return Err(format!("it answered the OPTIONS request with {status}"));
    }
    let Some(allowed) = headers.get(ALLOWED_ORIGIN) else {
        return Err(match may_call {
            true => "it has not said yes yet; it may do so at the callback".to_owned(),
            false => "it answered the OPTIONS request without WebHook-Allowed-Origin".to_owned(),
        });
    };
    let allowed = String::from_utf8_lossy(allowed.as_bytes());
    if allowed.trim() != "*" && !allowed.trim().eq_ignore_ascii_case(origin) {
        return Err(format!(
            "it allows events of {:?}, and not of {origin:?}",
            allowed.chars().take(80).collect::<String>()
        ));
    }
    granted_rate(headers)
}

/// What `WebHook-Allowed-Rate` says; `None` inside for any rate, and where it is not there.
pub fn granted_rate(headers: &HeaderMap) -> Result<Option<u32>, String> {
    let Some(value) = headers.get(ALLOWED_RATE) else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Ok("*") => Ok(None),
        Ok(number) => match number.parse() {
            Ok(0) | Err(_) => Err("its WebHook-Allowed-Rate is no rate".to_owned()),
            Ok(rate) => Ok(Some(rate)),
        },
        Err(_) => Err("its WebHook-Allowed-Rate is no rate".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_purple_listener_says_200_and_its_header() {
        assert_eq!(takes_test_events(200, &answer(&[("wifiwebhooklistener", "1")])), Ok(()));
        assert!(takes_test_events(204, &answer(&[("wifiwebhooklistener", "1")])).unwrap_err().contains("204"));
        assert!(takes_test_events(200, &answer(&[("wifiwebhooklistener", "0")])).is_err());
        assert!(takes_test_events(200, &answer(&[])).unwrap_err().contains("wifiWebhookListener: 1"));
    }

    #[test]
    fn a_cloudevents_receiver_names_the_origin_and_perhaps_a_rate() {
        let asked = |status, pairs: &[_]| allows(status, &answer(pairs), "radhook.example.org", false);
        let origin = ("webhook-allowed-origin", "radhook.example.org");
        assert_eq!(asked(200, &[origin]), Ok(None));
        assert_eq!(asked(200, &[("webhook-allowed-origin", "*"), ("webhook-allowed-rate", "*")]), Ok(None));
        assert_eq!(asked(200, &[origin, ("webhook-allowed-rate", "120")]), Ok(Some(120)));
        assert!(asked(200, &[origin, ("webhook-allowed-rate", "0")]).is_err());
        assert!(asked(200, &[origin, ("webhook-allowed-rate", "many")]).is_err());
        assert!(asked(405, &[origin]).unwrap_err().contains("405"));
        assert!(asked(200, &[("webhook-allowed-origin", "other.example")]).unwrap_err().contains("other.example"));
        assert!(asked(200, &[]).unwrap_err().contains("without WebHook-Allowed-Origin"));
        assert!(allows(200, &answer(&[]), "a", true).unwrap_err().contains("callback"));
    }

    #[test]
    fn the_stricter_rate_holds() {
        let rate = |count, seconds| Some(Rate { count, within: Duration::from_secs(seconds) });
        assert_eq!(stricter(rate(10, 1), rate(120, 60)), rate(120, 60));
        assert_eq!(stricter(rate(1, 1), rate(120, 60)), rate(1, 1));
        assert_eq!(stricter(None, rate(120, 60)), rate(120, 60));
        assert_eq!(stricter(None, None), None);
        assert_eq!(per_minute(rate(1, 86_400).unwrap()), 1);
        assert_eq!(per_minute(rate(10, 1).unwrap()), 600);
    }

    #[test]
    fn a_receiver_that_does_not_agree_is_asked_ever_more_rarely() {
        let begun = Instant::now();
        let mut agreement = Agreement::default();
        let mut rests = Vec::new();
        for _ in 0..8 {
            assert_eq!(agreement.ask_at(begun + Duration::from_secs(1_000_000)), None);
            agreement.asked();
            agreement.refused(begun);
            rests.push(agreement.ask_at(begun).unwrap().duration_since(begun).as_secs());
        }
        assert_eq!(rests, [10, 20, 40, 80, 160, 300, 300, 300]);
    }
}
