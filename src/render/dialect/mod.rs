//! The words of other systems: receivers that were written for one of them work unchanged behind radhook.
//!
//! Each dialect is a file: which events it has words for, and what it says of them. An event for which it has none is
//! counted as filtered when it comes in, so that only what can be said is ever queued. `docs/dialects.md` has every field.

pub(super) mod iacbox;
mod ironwifi;
mod openwisp;
mod purple;
mod rlm_rest;
mod signin;
mod stored;

use serde::de::Error as _;
use serde_json::Value;

use super::{Format, RenderError, Rendered};
use crate::event::EventType;
use stored::Stored;

const JSON: &str = "application/json";

/// A system whose words radhook speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// IronWiFi's webhooks.
    IronWifi,
    /// IACBOX's webhooks: by templates of the receiver's own.
    IacBox,
    /// Sign In's webhooks: an array of events a request.
    SignIn,
    /// Purple's webhooks: one visit a request.
    Purple,
    /// BT Wi-Fi's webhooks, which are Purple's under another name.
    Bt,
    /// What FreeRADIUS's module rlm_rest posts.
    RlmRest,
    /// What FreeRADIUS posts to OpenWISP RADIUS.
    OpenWisp,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 7] =
        [Self::IronWifi, Self::IacBox, Self::SignIn, Self::Purple, Self::Bt, Self::RlmRest, Self::OpenWisp];

    /// Its name, as it stands in the config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IronWifi => "ironwifi",
            Self::IacBox => "iacbox",
            Self::SignIn => "signin",
            Self::Purple => "purple",
            Self::Bt => "bt",
            Self::RlmRest => "rlm_rest",
            Self::OpenWisp => "openwisp",
        }
    }

    /// The types of events that it has words for, of some perhaps only where the event says more.
    pub const fn kinds(self) -> &'static [EventType] {
        match self {
            Self::IronWifi => ironwifi::KINDS,
            Self::IacBox => iacbox::KINDS,
            Self::SignIn => signin::KINDS,
            Self::Purple | Self::Bt => purple::KINDS,
            Self::RlmRest => rlm_rest::KINDS,
            Self::OpenWisp => openwisp::KINDS,
        }
    }

    /// Whether what an event says decides whether there is a word for it, and not its type alone.
    pub(super) fn looks_inside(self) -> bool {
        matches!(self, Self::IacBox | Self::SignIn | Self::RlmRest | Self::OpenWisp)
    }

    /// Whether it has a word for this event, given as its native JSON.
    pub(super) fn has_word_for(self, event: &Value) -> bool {
        let Some(event) = Stored::of(event) else { return false };
        self.kinds().contains(&event.kind)
            && match self {
                Self::IronWifi | Self::Purple | Self::Bt => true,
                Self::IacBox => iacbox::word(event).is_some(),
                Self::SignIn => !signin::words(event).is_empty(),
                Self::RlmRest => rlm_rest::has_word_for(event),
                Self::OpenWisp => openwisp::has_word_for(event),
            }
    }

    pub(super) fn can_batch(self) -> bool {
        self == Self::SignIn
    }

    pub(super) fn one(self, json: &[u8]) -> Result<Rendered, RenderError> {
        if self == Self::SignIn {
            return self.many(&[json]);
        }
        let event = serde_json::from_slice(json)?;
        let event = self.read(&event)?;
        let body = match self {
            Self::IronWifi => serde_json::to_vec(&ironwifi::object(event))?,
            Self::IacBox => serde_json::to_vec(&iacbox::object(event))?,
            Self::Purple | Self::Bt => serde_json::to_vec(&purple::object(event))?,
            Self::OpenWisp => serde_json::to_vec(&openwisp::object(event))?,
            Self::RlmRest => return rlm_rest::rendered(event),
            Self::SignIn => return Err(RenderError::NoWord(Format::Dialect(self))),
        };
        Ok(Rendered::new(body, JSON))
    }

    pub(super) fn many(self, events: &[impl AsRef<[u8]>]) -> Result<Rendered, RenderError> {
        if self != Self::SignIn {
            return Err(RenderError::NoBatch(Format::Dialect(self)));
        }
        let mut body = vec![b'['];
        for json in events {
            let event = serde_json::from_slice(json.as_ref())?;
            // One by one, since there can be twenty thousand.
            for object in signin::objects(self.read(&event)?) {
                if body.len() > 1 {
                    body.push(b',');
                }
                serde_json::to_writer(&mut body, &object)?;
            }
        }
        body.push(b']');
        Ok(Rendered::new(body, JSON))
    }

    /// What templates find of an event, under the names of the dialect that has its own.
    pub(super) fn facts(self, event: &Value) -> Result<Value, RenderError> {
        Ok(iacbox::facts(self.read(event)?))
    }

    /// What is stored, where it is an event that there are words for: who was sent it asked for it, or it is the test by which
    /// a receiver is asked.
    fn read(self, event: &Value) -> Result<Stored<'_>, RenderError> {
        let stored = Stored::of(event).ok_or_else(|| serde_json::Error::custom("it is no event"))?;
        let is_test = self.has_test() && stored.kind == EventType::Test;
        match is_test || self.has_word_for(event) {
            true => Ok(stored),
            false => Err(RenderError::NoWord(Format::Dialect(self))),
        }
    }

    /// Whether it has a test that receivers know.
    pub(super) fn has_test(self) -> bool {
        matches!(self, Self::Purple | Self::Bt)
    }
}

#[cfg(test)]
mod tests;
