//! An HTTP receiver that answers as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::verbs::wait_until;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its path, and its query where there is one.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Asked {
    /// The value of a header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("radhook's headers are text"))
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// An answer: its status and headers.
pub struct Answer(pub u16, pub &'static [(&'static str, &'static str)]);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.0).expect("a status").into_response();
        let headers =
            self.1.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        response.headers_mut().extend(headers);
        response
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// Listens on a free loopback port until dropped.
pub struct Scripted {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: Runtime,
}

impl Scripted {
    /// Answers each request with what `script` makes of it.
    pub fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
        let url = format!("http://{}/", listener.local_addr().expect("a bound listener has an address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let shared = Shared { script: Arc::new(script), asked: Arc::clone(&asked) };
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer).with_state(shared)).await });
        Self { url, asked, _runtime: runtime }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far, in order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panics with it").clone()
    }

    /// Waits until it was asked so often, and returns all of it.
    pub fn wait_until_asked(&self, times: usize) -> Vec<Asked> {
        wait_until(&format!("{times} requests"), || Some(self.asked()).filter(|asked| asked.len() >= times))
    }
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Answer {
    let asked = Asked { method, uri, headers, body };
    let answer = (shared.script)(&asked);
    shared.asked.lock().expect("nobody panics with it").push(asked);
    answer
}
