//! Receives radhook's events with axum, hmac, sha2 and base64: verifies, takes each event once, answers.
//!
//! ```sh
//! WEBHOOK_SECRET=whsec_... cargo run --example verify -- 8080
//! ```

use std::collections::{HashSet, VecDeque};
use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Bytes; an event has a few thousand, a batch of them more.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Seconds that a signature may be old, or ahead of our clock.
const TOLERANCE: u64 = 5 * 60;

/// Ids. Keep those of as long as radhook tries again: by its default schedule 15 hours.
const REMEMBERED: usize = 100_000;

/// Put your program here. Store the event (a row of your database, a message of your queue) and return: after the answer
/// it is yours alone, so work on what you have stored. After an error radhook sends the event again.
fn take(_event: &Value) -> Result<(), Box<dyn Error>> {
    Ok(())
}

/// Why a request is not taken, and the status that says so.
type Refused = (StatusCode, String);

fn refused<T>(status: StatusCode, why: impl Into<String>) -> Result<T, Refused> {
    Err((status, why.into()))
}

struct Receiver {
    /// Already keyed.
    keys: Vec<Hmac<Sha256>>,
    ids: Mutex<Ids>,
}

/// The last ids: a set to look them up, and the order in which they came.
#[derive(Default)]
struct Ids {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Receiver {
    /// By secrets separated by blanks: `whsec_` and base64, or the key as it is.
    fn new(secrets: &str) -> Result<Self, Box<dyn Error>> {
        let key = |secret: &str| {
            let bytes = match secret.strip_prefix("whsec_") {
                Some(encoded) => BASE64.decode(encoded)?,
                None => secret.as_bytes().to_vec(),
            };
            Ok(Hmac::new_from_slice(&bytes)?)
        };
        let keys = secrets.split_whitespace().map(key).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        if keys.is_empty() {
            return Err("WEBHOOK_SECRET holds no secret".into());
        }
        Ok(Self { keys, ids: Mutex::default() })
    }

    /// The id of a request that was signed with one of our secrets, not long ago (Standard Webhooks, v1).
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: u64) -> Result<String, Refused> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (id, timestamp, signatures) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let Ok(seconds) = timestamp.parse::<u64>() else {
            return refused(StatusCode::BAD_REQUEST, "webhook-timestamp is missing or malformed");
        };
        if id.is_empty() || signatures.is_empty() {
            return refused(StatusCode::BAD_REQUEST, "a webhook- header is missing or malformed");
        }
        // Several secrets during a rotation, several signatures for the same reason.
        let genuine = |encoded: &str| {
            let Ok(signature) = BASE64.decode(encoded) else { return false };
            // Over the bytes as they came: JSON that was parsed and written again has others.
            let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
            let mut macs =
                self.keys.iter().map(|key| signed.iter().fold(key.clone(), |mac, part| mac.chain_update(part)));
            // In constant time.
            macs.any(|mac| mac.verify_slice(&signature).is_ok())
        };
        if !signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,")).any(genuine) {
            return refused(StatusCode::UNAUTHORIZED, "no signature matches");
        }
        if seconds.abs_diff(now) > TOLERANCE {
            return refused(StatusCode::UNAUTHORIZED, "it was signed too long ago, or a clock is wrong");
        }
        Ok(id.to_owned())
    }

    /// Takes an event unless its id is among the last ones.
    fn take_once(&self, id: String, event: &Value) -> Result<bool, Box<dyn Error>> {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.known.contains(&id) {
            return Ok(false);
        }
        take(event)?;
        ids.known.insert(id.clone());
        ids.order.push_back(id);
        if ids.order.len() > REMEMBERED
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
        Ok(true)
    }

    /// Whether a request brought something new; what is told of it goes into `line`.
    fn receive(&self, headers: &HeaderMap, body: &[u8], line: &mut Value) -> Result<bool, Refused> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let id = self.verify(headers, body, now)?;
        let event: Value = match serde_json::from_slice(body) {
            Ok(event) => event,
            Err(error) => return refused(StatusCode::BAD_REQUEST, format!("the body is no event: {error}")),
        };
        line["type"] = event["type"].clone();
        let failed = |error| (StatusCode::INTERNAL_SERVER_ERROR, format!("it could not be taken: {error}"));
        self.take_once(id, &event).map_err(failed)
    }
}

async fn body(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > MAX_BODY) {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "it is too long");
    }
    to_bytes(body, MAX_BODY).await.map_err(|error| (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))
}

async fn answer(State(receiver): State<Arc<Receiver>>, request: Request) -> StatusCode {
    let (head, raw) = request.into_parts();
    let id = head.headers.get("webhook-id").map(|id| String::from_utf8_lossy(id.as_bytes()));
    let mut line = json!({ "id": id, "verdict": "refused" });
    let received = match body(&head.headers, raw).await {
        Ok(body) => receiver.receive(&head.headers, &body, &mut line),
        Err(refused) => Err(refused),
    };
    let status = match received {
        Ok(true) => {
            line["verdict"] = "new".into();
            StatusCode::NO_CONTENT
        }
        Ok(false) => {
            line["verdict"] = "repeat".into();
            StatusCode::OK
        }
        Err((status, why)) => {
            line["why"] = why.into();
            status
        }
    };
    println!("{line}");
    status
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let receiver = Receiver::new(&env::var("WEBHOOK_SECRET").unwrap_or_default())?;
    let port = env::args().nth(1).or_else(|| env::var("PORT").ok()).unwrap_or_else(|| "8080".to_owned());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    println!("ready {}", listener.local_addr()?.port());
    let routes = Router::new().route("/", post(answer)).route("/{*path}", post(answer)).with_state(Arc::new(receiver));
    Ok(axum::serve(listener, routes).await?)
}
