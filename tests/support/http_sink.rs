//! An HTTP receiver inside the test: takes every POST at once, counts it, and keeps its body when asked to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::process::PATIENCE;
use super::schema::assert_native_body;

/// A free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Listens until dropped.
pub struct HttpSink {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    bodies: Mutex<Receiver<Bytes>>,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Shared {
    taken: Arc<AtomicUsize>,
    bodies: Option<Sender<Bytes>>,
}

impl HttpSink {
    /// Keeps the bodies, for tests that look at them.
    pub fn start() -> Self {
        Self::listen(ANYWHERE, true)
    }

    /// Counts only, for tests that send more than they want to hold.
    pub fn counting() -> Self {
        Self::counting_at(ANYWHERE)
    }

    /// As [`HttpSink::counting`], on an address of the caller's own.
    pub fn counting_at(address: SocketAddr) -> Self {
        Self::listen(address, false)
    }

    fn listen(address: SocketAddr, keep: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let listener = runtime.block_on(TcpListener::bind(address)).expect("loopback takes a TCP listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let taken = Arc::new(AtomicUsize::new(0));
        let (sender, bodies) = channel();
        let shared = Shared { taken: taken.clone(), bodies: keep.then_some(sender) };
        let routes = axum::Router::new().route("/", post(take)).with_state(shared);
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { address, taken, bodies: Mutex::new(bodies), runtime: Some(runtime) }
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many posts it has answered.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// The next body, in order of arrival. An event in the format native must be as its schema says.
    pub fn wait_until_body(&self) -> Bytes {
        let bodies = self.bodies.lock().expect("one test reads");
        let body = bodies.recv_timeout(PATIENCE).expect("a request arrives in time");
        assert_native_body(&body);
        body
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn take(State(shared): State<Shared>, body: Bytes) -> StatusCode {
    shared.taken.fetch_add(1, Ordering::Relaxed);
    if let Some(bodies) = shared.bodies {
        // The test may have seen enough and dropped its end.
        let _ = bodies.send(body);
    }
    StatusCode::NO_CONTENT
}
