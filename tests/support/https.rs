//! Receivers over TLS inside the test, of HTTP/1.1 and HTTP/2, under an authority of the test's own; they count what a
//! client's connections are seen by.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// Who signs receivers' certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority signs itself"))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// As [`Authority::server`], for a server that lets in only whom this authority has signed.
    pub fn server_for_ours(&self, name: &str) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("the authority is one");
        // There are two in the tree.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("there is a root");
        let (certificate, key) = self.issue(name);
        ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key of a known kind"),
            )
            .expect("certificate and key belong together")
    }

    /// A certificate of this name with its key.
    pub fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a host name");
        (params.signed_by(&key, &self.0).expect("the authority signs"), key)
    }

    /// What a server shows as `name`; `change` has the last word on its certificate.
    pub fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        self.server_of(name, rustls::ALL_VERSIONS, change)
    }

    /// As [`Authority::server`], with these versions of TLS only.
    pub fn server_of(
        &self,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
        change: impl FnOnce(&mut CertificateParams),
    ) -> ServerConfig {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a host name");
        params.not_before = date_time_ymd(2020, 1, 1);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).expect("the authority signs");
        // There are two in the tree.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        ServerConfig::builder_with_protocol_versions(versions)
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key of a known kind"),
            )
            .expect("certificate and key belong together")
    }
}

/// What came in.
#[derive(Debug, Clone)]
pub struct Taken {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Answers 204 to everything, until dropped.
pub struct HttpsReceiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    accepted: AtomicUsize,
    /// Requests of each connection, in the order of their arrival.
    requests: Mutex<Vec<usize>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    taken: Mutex<Vec<Taken>>,
}

/// How long each request is worked on: long enough that others come meanwhile.
const WORK: Duration = Duration::from_millis(5);

impl HttpsReceiver {
    /// Speaks what `alpn` names: `h2`, `http/1.1`.
    pub fn start(mut tls: ServerConfig, alpn: &[&str]) -> Self {
        tls.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let of_task = Arc::clone(&shared);
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                of_task.accepted.fetch_add(1, Ordering::SeqCst);
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&of_task));
                tokio::spawn(async move {
                    // Whoever does not like the certificate leaves.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let number = {
                        let mut requests = shared.requests.lock().expect("nobody panics with it");
                        requests.push(0);
                        requests.len() - 1
                    };
                    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
                    shared.most_open.fetch_max(open, Ordering::SeqCst);
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let of_service = Arc::clone(&shared);
                    let service = service_fn(move |request| take(Arc::clone(&of_service), number, request));
                    let io = TokioIo::new(stream);
                    // How a connection ends is the sender's business.
                    if h2 {
                        drop(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await);
                    } else {
                        drop(http1::Builder::new().serve_connection(io, service).await);
                    }
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, shared, _runtime: runtime }
    }

    /// Where to deliver to, by this name.
    pub fn url(&self, name: &str) -> String {
        format!("https://{name}:{}/hook", self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many requests came over each connection.
    pub fn requests(&self) -> Vec<usize> {
        self.shared.requests.lock().expect("nobody panics with it").clone()
    }

    /// The most requests under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most_at_once.load(Ordering::SeqCst)
    }

    /// The most connections open at once.
    pub fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    /// What came, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.shared.taken.lock().expect("nobody panics with it").clone()
    }
}

async fn take(shared: Arc<Shared>, number: usize, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let at_once = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most_at_once.fetch_max(at_once, Ordering::SeqCst);
    let (parts, body) = request.into_parts();
    let status = match body.collect().await {
        Ok(body) => {
            tokio::time::sleep(WORK).await;
            shared.requests.lock().expect("nobody panics with it")[number] += 1;
            let taken = Taken { headers: parts.headers, body: body.to_bytes() };
            shared.taken.lock().expect("nobody panics with it").push(taken);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_REQUEST,
    };
    shared.at_once.fetch_sub(1, Ordering::SeqCst);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Ok(response)
}
