//! A request and its answer, word for word, as the API shows them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::exchanges;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// When the request was made.
    pub at: Timestamp,
    /// Its method.
    pub method: String,
    /// Where it went.
    pub url: String,
    /// Its headers, without what is secret.
    pub headers: Vec<(String, String)>,
    /// Its body; octets that are no UTF-8 are shown as U+FFFD.
    pub body: String,
    /// The body was longer than what is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// What came back; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, without what is secret.
    pub headers: Vec<(String, String)>,
    /// Its body, as far as it was read.
    pub body: String,
}

impl From<exchanges::Exchange> for Exchange {
    fn from(kept: exchanges::Exchange) -> Self {
        let exchanges::Exchange { at, method, url, headers, body, cut, answer } = kept;
        let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
        let answer =
            answer.map(|answer| Answer { status: answer.status, headers: answer.headers, body: text(answer.body) });
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { at, method, url, headers, body: text(body), cut, answer }
    }
}
