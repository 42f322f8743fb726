//! The routes. Reads of the store are short and bounded, so they run where the request does.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::Admin;
use super::deliveries::{ListError, Retry, Selection};
use super::endpoints::Wanted;
use super::trial::Trial;
use super::{events, explain, sessions};
use crate::deliver::handshake;
use crate::event::EventId;

/// The API's description, as it is served.
const OPENAPI: &str = include_str!("openapi.json");

/// All routes. `guarded`: requests must carry the token, as on TCP.
pub fn router(admin: Arc<Admin>, guarded: bool) -> Router {
    let mut api = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/deliveries", get(deliveries))
        .route("/api/v1/deliveries/show", get(show))
        .route("/api/v1/deliveries/retry", post(retry))
        .route("/api/v1/events", get(list_events))
        .route("/api/v1/events/replay", post(replay))
        .route("/api/v1/events/explain", get(explain_event))
        .route("/api/v1/sessions", get(list_sessions))
        .route("/api/v1/sessions/close", post(close_sessions))
        .route("/api/v1/sessions/purge", post(purge))
        .route("/api/v1/endpoints/enable", post(enable))
        .route("/api/v1/endpoints/disable", post(disable))
        .route("/api/v1/endpoints/drop", post(drop_endpoint))
        .route("/api/v1/endpoints/test", post(test_endpoint))
        .route("/api/v1/reload", post(reload))
        .route("/api/v1/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/metrics", get(metrics));
    if guarded {
        api = api.route_layer(middleware::from_fn_with_state(Arc::clone(&admin), guard));
    }
    api.route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/callbacks/{id}", get(callback).post(callback))
        .with_state(admin)
}

/// A receiver says yes that was asked by `verify = { type = "cloudevents", callback = … }`; the address is the secret.
async fn callback(State(admin): State<Arc<Admin>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match handshake::granted_rate(&headers) {
        Err(what) => (StatusCode::BAD_REQUEST, format!("{what}\n")).into_response(),
        Ok(per_minute) => match EventId::parse(&id).is_some_and(|id| admin.granted(id, per_minute)) {
            true => "thank you\n".into_response(),
            false => (StatusCode::NOT_FOUND, "nobody asked\n").into_response(),
        },
    }
}

/// Lets through what carries `Authorization: Bearer` and the token.
async fn guard(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let given =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match (&admin.token, given) {
        (Some(token), Some(given)) if bool::from(token.expose().ct_eq(given)) => next.run(request).await,
        _ => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, Json(json!({ "error": "the admin token is missing or wrong" })))
                .into_response()
        }
    }
}

/// Ready is who acknowledges: the store takes what comes in.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    match admin.intake.health.refusal() {
        None => "ready\n".into_response(),
        Some(refusal) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not acknowledging: {}\n", refusal.error)).into_response()
        }
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Result<Response, ListError> {
    match admin.scrape()? {
        Some(text) => Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()),
        None => Ok((StatusCode::NOT_FOUND, "this process counts nothing\n").into_response()),
    }
}

async fn status(State(admin): State<Arc<Admin>>) -> Result<Response, ListError> {
    Ok(Json(admin.status()?).into_response())
}

async fn deliveries(
    State(admin): State<Arc<Admin>>,
    Query(selection): Query<Selection>,
) -> Result<Response, ListError> {
    Ok(Json(admin.deliveries(&selection, false)?).into_response())
}

async fn show(State(admin): State<Arc<Admin>>, Query(selection): Query<Selection>) -> Result<Response, ListError> {
    Ok(Json(admin.deliveries(&selection, true)?).into_response())
}

async fn retry(State(admin): State<Arc<Admin>>, Json(wanted): Json<Retry>) -> Result<Response, ListError> {
    by_the_writer(move || admin.retry(&wanted)).await
}

async fn list_events(
    State(admin): State<Arc<Admin>>,
    Query(selection): Query<events::Selection>,
) -> Result<Response, ListError> {
    Ok(Json(admin.events(&selection)?).into_response())
}

async fn replay(State(admin): State<Arc<Admin>>, Json(wanted): Json<events::Replay>) -> Result<Response, ListError> {
    by_the_writer(move || admin.replay(&wanted)).await
}

async fn explain_event(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<explain::Wanted>,
) -> Result<Response, ListError> {
    by_the_writer(move || admin.explain(&wanted)).await
}

async fn list_sessions(
    State(admin): State<Arc<Admin>>,
    Query(selection): Query<sessions::Selection>,
) -> Result<Response, ListError> {
    Ok(Json(admin.sessions(&selection)?).into_response())
}

async fn close_sessions(
    State(admin): State<Arc<Admin>>,
    Json(selection): Json<sessions::Selection>,
) -> Result<Response, ListError> {
    by_the_writer(move || admin.close_sessions(&selection)).await
}

async fn purge(State(admin): State<Arc<Admin>>, Json(wanted): Json<sessions::Purge>) -> Result<Response, ListError> {
    by_the_writer(move || admin.purge(&wanted)).await
}

async fn enable(State(admin): State<Arc<Admin>>, Json(wanted): Json<Wanted>) -> Result<Response, ListError> {
    by_the_writer(move || admin.enable(&wanted)).await
}

async fn disable(State(admin): State<Arc<Admin>>, Json(wanted): Json<Wanted>) -> Result<Response, ListError> {
    by_the_writer(move || admin.disable(&wanted)).await
}

async fn drop_endpoint(State(admin): State<Arc<Admin>>, Json(wanted): Json<Wanted>) -> Result<Response, ListError> {
    by_the_writer(move || admin.drop_endpoint(&wanted)).await
}

async fn test_endpoint(State(admin): State<Arc<Admin>>, Json(wanted): Json<Trial>) -> Result<Response, ListError> {
    Ok(Json(admin.test_endpoint(wanted).await?).into_response())
}

async fn reload(State(admin): State<Arc<Admin>>) -> Result<Response, ListError> {
    Ok(Json(admin.reload().await?).into_response())
}

/// The writer answers after its commit; meanwhile this thread may do nothing else.
async fn by_the_writer<T: Serialize + Send + 'static>(
    deed: impl FnOnce() -> Result<T, ListError> + Send + 'static,
) -> Result<Response, ListError> {
    let done = tokio::task::spawn_blocking(deed).await;
    Ok(Json(done.unwrap_or(Err(ListError::Stopping))?).into_response())
}

impl IntoResponse for ListError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Cursor(_) | Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::NoEndpoint(_) | Self::NoEvent(_) => StatusCode::NOT_FOUND,
            Self::Configured(_) => StatusCode::CONFLICT,
            Self::Store(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
