//! The receiver's connections: reads each request whole and lets its fate happen to it.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Interval;

use super::{Answered, Fate, How, MAX_BODY, State, TooLong};

/// Connections at once; more wait in the system's queue. Beyond any endpoint's concurrency, below the 1,024 files a
/// process may usually have open.
const MAX_CONNECTIONS: usize = 512;

/// How long a sender may take for its headers, and again for its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Before accepting again after the system refused to: long enough not to spin, short enough not to be felt.
const BREATH: Duration = Duration::from_millis(10);

/// Bytes of a dripping body: more than any sender should wait for.
const DRIP_BYTES: usize = 1024 * 1024;

/// Takes connections until it is told to stop, then lets their requests under way be answered. They end with it when it
/// is aborted.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.expect("this semaphore is never closed");
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of files, or a sender that left while it queued: neither is ours to mend.
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (state, stopped) = (Arc::clone(&state), stopped.clone());
        connections.spawn(async move {
            connection(stream, state, stopped).await;
            drop(permit);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(|request| serve(Arc::clone(&state), request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    // How a connection ends is the sender's business; every whole request on it was reported.
    tokio::select! {
        _ = &mut connection => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// As the error of a service it makes hyper close the connection without an answer.
#[derive(Debug, Error)]
#[error("closed without an answer")]
struct CloseConnection;

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, CloseConnection> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(PATIENCE, read_whole(body)).await.map_err(|_| CloseConnection)?;
    let body = match read {
        Ok(body) => Ok(body),
        Err(Unread::TooLong) => Err(TooLong),
        // A sender that stops in the middle of its body has said nothing that could be verified.
        Err(Unread::Broken) => return Err(CloseConnection),
    };
    let mut open = state.open(parts.headers, body);
    let how = match open.fate {
        Fate::Refuse(status) => How::Status(status),
        Fate::Believe { delay, how } => {
            tokio::time::sleep(delay).await;
            how.unwrap_or(How::Status(StatusCode::NO_CONTENT))
        }
    };
    match how {
        How::Status(status) => {
            open.close(Answered::Status(status));
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            Ok(response)
        }
        How::Hang => {
            open.close(Answered::Hung);
            std::future::pending().await
        }
        How::Close => {
            open.close(Answered::Closed);
            Err(CloseConnection)
        }
        How::Drip { every } => {
            open.close(Answered::Dripped);
            let every = every.max(Duration::from_millis(1));
            Ok(Response::new(Body::new(Drip { left: DRIP_BYTES, clock: tokio::time::interval(every) })))
        }
    }
}

enum Unread {
    TooLong,
    Broken,
}

async fn read_whole(mut body: Incoming) -> Result<Bytes, Unread> {
    let mut whole = Vec::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        // Trailers are no part of the body, and of no interest.
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > MAX_BODY {
            return Err(Unread::TooLong);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// A body that comes a byte at a time.
struct Drip {
    left: usize,
    clock: Interval,
}

impl hyper::body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        ready!(self.clock.poll_tick(context));
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b".")))))
    }
}
