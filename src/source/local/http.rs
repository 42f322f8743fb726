//! The HTTP face: paths, status codes, deadlines.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use metrics::counter;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::bridge::{Brought, End, Unstored};
use super::events::{self, Form};
use super::freeradius::Reader;
use super::guard::{self, Foreign};
use super::problem::{Problem, shown};
use crate::event::EventId;
use crate::exchange::{Exchange, Origin, Post};
use crate::metrics::LOCAL_POSTS;
use crate::radius::Dictionary;
use crate::source::Inlet;
use crate::source::client::Clients;
use crate::source::log_limit::LogLimit;
use crate::trace::detail::Zone;

/// The source's type in events.
pub const KIND: &str = "local";

/// Where posts come from.
pub const THIS_HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The largest body.
const MAX_BODY: usize = 1024 * 1024;

/// The largest body of one record. A full packet of 4,096 octets, all of them escaped, has 30 KiB; the rest is for what
/// FreeRADIUS adds. Deliveries hold up to 256 events an endpoint in memory.
const MAX_RECORD: usize = 128 * 1024;

/// The most octets of all bodies under way. Read, they take several times as much memory.
const BODIES_UNDER_WAY: usize = 16 * MAX_BODY;

/// How much of a body that is too long is read on, and for how long: whoever sends more gets no answer.
const MAX_PASSED_OVER: usize = 4 * MAX_BODY;
/// See [`MAX_PASSED_OVER`].
const PASSED_OVER_WITHIN: Duration = Duration::from_millis(500);

/// rlm_rest waits four seconds unless told otherwise, and takes an answer in time better than none.
const ACCOUNTING_DEADLINE: Duration = Duration::from_secs(3);

/// A login waits for as long; nothing about it gets better by waiting.
const LOGIN_DEADLINE: Duration = Duration::from_secs(1);

/// Scripts can wait, though not for ever.
const EVENTS_DEADLINE: Duration = Duration::from_secs(10);

/// How long a body may take. It comes from this host; one that stops halfway keeps the room of others.
const BODY_DEADLINE: Duration = Duration::from_secs(2);

/// What `Retry-After` says while nothing is stored: the writer tries every second whether the store accepts again.
const RETRY_AFTER: &str = "5";

/// Log lines about posts that were not stored, per kind and minute.
const LOG_LINES: u64 = 10;

/// What tells rlm_rest's operator, who asks by hand, why a login was not stored; the status must not.
const PROBLEM: HeaderName = HeaderName::from_static("x-radhook-problem");

/// What all addresses of a source share.
pub struct Local {
    name: Arc<str>,
    clients: Arc<Clients>,
    dictionary: Arc<Dictionary>,
    zone: Zone,
    intake: End,
    room: Semaphore,
    log: Mutex<LogLimit>,
}

/// One address.
#[derive(Clone)]
struct Face {
    local: Arc<Local>,
    is_tcp: bool,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Foreign(#[from] Foreign),
    #[error("the body has more than {0} bytes; post in parts")]
    TooLarge(usize),
    #[error("Content-Type must be {0}")]
    MediaType(&'static str),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Problem>),
    #[error("the body did not come in time, or not whole")]
    Body,
    #[error("too much is under way; nothing was stored, try again")]
    Busy,
    #[error("the store refuses at present (`radhook status` says why); nothing was stored, try again")]
    NotStored,
    #[error("not stored in time; it may be stored all the same, try again under the same id")]
    Late,
}

impl Local {
    /// For the source of this name; `intake` is where posts go.
    pub fn new(name: Arc<str>, inlet: &Inlet, intake: End) -> Self {
        Self {
            name,
            clients: Arc::clone(&inlet.clients),
            dictionary: Arc::clone(&inlet.dictionary),
            zone: Zone::Of(TimeZone::system()),
            intake,
            room: Semaphore::new(BODIES_UNDER_WAY),
            log: Mutex::new(LogLimit::new(LOG_LINES)),
        }
    }
}

/// The routes of one address.
pub fn router(local: Arc<Local>, is_tcp: bool) -> Router {
    Router::new()
        .route("/freeradius/accounting", post(accounting))
        .route("/freeradius/post-auth", post(post_auth))
        .route("/v1/events", post(events))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(|uri: Uri| async move {
            let error = format!(
                "there is nothing under {}; there are /freeradius/accounting, /freeradius/post-auth, /v1/events and /healthz",
                shown(uri.path())
            );
            (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
        })
        .with_state(Face { local, is_tcp })
}

/// Answered 204 when stored; otherwise so that rlm_rest fails, FreeRADIUS stays silent, and the NAS sends again.
async fn accounting(State(face): State<Face>, request: Request) -> Response {
    let taken = face.of_freeradius(request, ACCOUNTING_DEADLINE, |reader, uri, body| reader.accounting(uri, body));
    match face.counted("accounting", taken.await) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Answered 204 in any case: whatever else rlm_rest hears here, it makes a reject of an accept.
async fn post_auth(State(face): State<Face>, request: Request) -> Response {
    let taken = face.of_freeradius(request, LOGIN_DEADLINE, |reader, uri, body| reader.post_auth(uri, body));
    match face.counted("post-auth", taken.await) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            let why = HeaderValue::from_str(&refusal.to_string());
            (StatusCode::NO_CONTENT, AppendHeaders(why.ok().map(|why| (PROBLEM, why)))).into_response()
        }
    }
}

/// Answered 202 with the ids when stored.
async fn events(State(face): State<Face>, request: Request) -> Response {
    match face.counted("events", face.of_scripts(request).await) {
        Ok(ids) => {
            let ids: Vec<_> = ids.iter().map(EventId::to_string).collect();
            (StatusCode::ACCEPTED, Json(json!({ "ids": ids }))).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

impl Face {
    async fn of_freeradius(
        &self,
        request: Request,
        patience: Duration,
        read: impl FnOnce(&Reader<'_>, &Uri, &[u8]) -> Result<Exchange, Problem>,
    ) -> Result<(), Refusal> {
        let deadline = Instant::now() + patience;
        self.admit(&request)?;
        if Form::of(request.headers().get(header::CONTENT_TYPE)) != Some(Form::Json) {
            return Err(Refusal::MediaType("application/json, which rlm_rest sends with body = 'json'"));
        }
        let (request, length) = measured(request, deadline).await?;
        let _room = self.room(length, deadline).await?;
        let uri = request.uri().clone();
        let body = body(request, deadline).await?;
        if body.len() > MAX_RECORD {
            return Err(Refusal::TooLarge(MAX_RECORD));
        }
        let local = &*self.local;
        let reader = Reader {
            dictionary: &local.dictionary,
            clients: &local.clients,
            zone: &local.zone,
            source: &local.name,
            received_at: Timestamp::now(),
        };
        let exchange = read(&reader, &uri, &body).map_err(|problem| Refusal::Invalid(vec![problem]))?;
        let brought = Brought { exchanges: vec![exchange], posts: Vec::new() };
        Ok(local.intake.hand_in(brought, deadline).await?)
    }

    async fn of_scripts(&self, request: Request) -> Result<Vec<EventId>, Refusal> {
        let deadline = Instant::now() + EVENTS_DEADLINE;
        self.admit(&request)?;
        let form = Form::of(request.headers().get(header::CONTENT_TYPE))
            .ok_or(Refusal::MediaType("application/json, or application/x-ndjson for an event a line"))?;
        let (request, length) = measured(request, deadline).await?;
        let _room = self.room(length, deadline).await?;
        let body = body(request, deadline).await?;
        let local = &*self.local;
        let received_at = Timestamp::now();
        let said = events::read(&body, form, &local.dictionary, received_at).map_err(Refusal::Invalid)?;
        let client: Arc<str> = THIS_HOST.to_string().into();
        let post = |said: events::Said| Post {
            origin: Origin {
                source: Arc::clone(&local.name),
                kind: KIND,
                client: Arc::clone(&client),
                address: THIS_HOST,
            },
            received_at,
            kind: said.kind,
            id: said.id.unwrap_or_else(EventId::random),
            timestamp: said.timestamp,
            data: said.data,
        };
        let posts: Vec<_> = said.into_iter().map(post).collect();
        let ids = posts.iter().map(|post| post.id).collect();
        local.intake.hand_in(Brought { exchanges: Vec::new(), posts }, deadline).await?;
        Ok(ids)
    }

    fn admit(&self, request: &Request) -> Result<(), Foreign> {
        if self.is_tcp { guard::judge(request.headers()) } else { Ok(()) }
    }

    /// Waits until there is room for the body. It is given back when the request is answered.
    async fn room(&self, length: u32, deadline: Instant) -> Result<SemaphorePermit<'_>, Refusal> {
        match timeout_at(deadline, self.local.room.acquire_many(length)).await {
            Ok(Ok(room)) => Ok(room),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Refusal::Busy),
        }
    }

    /// Counts what became of a request, and says in the log what was not taken.
    fn counted<T>(&self, path: &'static str, taken: Result<T, Refusal>) -> Result<T, Refusal> {
        let source = &self.local.name;
        let result = taken.as_ref().map_or_else(Refusal::label, |_| "stored");
        counter!(LOCAL_POSTS, "source" => source.to_string(), "path" => path, "result" => result).increment(1);
        if let Err(refusal) = &taken {
            let now = std::time::Instant::now();
            // It is whole between any two calls, whatever became of the caller.
            let mut log = self.local.log.lock().unwrap_or_else(PoisonError::into_inner);
            for (reason, count) in log.suppressed(now) {
                tracing::warn!(source = &**source, reason, count, "posts like these were not stored as well");
            }
            if log.allows(result, now) {
                tracing::warn!(source = &**source, path, "a post was not stored: {refusal}");
            }
        }
        taken
    }
}

/// How long the body will be: what it may be at most, where nobody says.
fn length(headers: &HeaderMap) -> Result<u32, Refusal> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let length = said.unwrap_or(MAX_BODY as u64);
    u32::try_from(length).ok().filter(|length| *length as usize <= MAX_BODY).ok_or(Refusal::TooLarge(MAX_BODY))
}

/// A request with the length of its body. One that is too long is read on for a while before it is refused: who is still
/// writing when the connection ends never sees why.
async fn measured(request: Request, deadline: Instant) -> Result<(Request, u32), Refusal> {
    match length(request.headers()) {
        Ok(length) => Ok((request, length)),
        Err(refusal) => {
            pass_over(request.into_body(), deadline).await;
            Err(refusal)
        }
    }
}

/// Takes a body that nobody wants, piece by piece.
async fn pass_over(mut body: Body, deadline: Instant) {
    let mut left = MAX_PASSED_OVER;
    let all = async {
        while let Some(Ok(piece)) = body.frame().await
            && left > 0
        {
            left = left.saturating_sub(piece.data_ref().map_or(0, Bytes::len));
        }
    };
    // What has not come by then is not waited for.
    let _ = timeout_at((Instant::now() + PASSED_OVER_WITHIN).min(deadline), all).await;
}

/// The whole body.
async fn body(request: Request, deadline: Instant) -> Result<Bytes, Refusal> {
    let soon = Instant::now() + BODY_DEADLINE;
    match timeout_at(soon.min(deadline), Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
            Err(Refusal::TooLarge(MAX_BODY))
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::Body),
    }
}

impl Refusal {
    /// What the metric calls it.
    fn label(&self) -> &'static str {
        match self {
            Self::Foreign(_) => "foreign",
            Self::TooLarge(_) => "too_large",
            Self::MediaType(_) => "media_type",
            Self::Invalid(_) => "invalid",
            Self::Body => "body",
            Self::Busy => "busy",
            Self::NotStored => "not_stored",
            Self::Late => "late",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Foreign(_) => StatusCode::FORBIDDEN,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Body => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::NotStored | Self::Late => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl From<Unstored> for Refusal {
    fn from(why: Unstored) -> Self {
        match why {
            Unstored::Busy => Self::Busy,
            Unstored::Refused => Self::NotStored,
            Unstored::Late => Self::Late,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry = (status == StatusCode::SERVICE_UNAVAILABLE).then_some((header::RETRY_AFTER, RETRY_AFTER));
        let error = self.to_string();
        let answer = match self {
            Self::Invalid(problems) => json!({ "error": error, "problems": problems }),
            _ => json!({ "error": error }),
        };
        (status, AppendHeaders(retry), Json(answer)).into_response()
    }
}
