//! How radhook shows receivers who it is: by user and password, by a token of its own or a fetched one, by a certificate.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use support::daemon::{Config, Daemon};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

/// What a receiver and its authentication server were asked.
#[derive(Default)]
struct Asked {
    /// `Authorization` of each delivery.
    shown: Vec<String>,
    /// Authorization, content type and body of each request for a token.
    tokens: Vec<(String, String, String)>,
    /// What it takes; any other delivery is answered 401.
    takes: String,
}

type Shared = Arc<Mutex<Asked>>;

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().expect("it is ASCII").to_owned()).unwrap_or_default()
}

/// Takes deliveries that show the right thing; every token it grants is another, and only the second one is good.
async fn deliver(State(asked): State<Shared>, headers: HeaderMap) -> StatusCode {
    let mut asked = asked.lock().expect("nobody panics with it");
    let shown = header(&headers, "authorization");
    let good = shown == asked.takes;
    asked.shown.push(shown);
    if good { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED }
}

async fn grant(State(asked): State<Shared>, headers: HeaderMap, body: Bytes) -> String {
    let mut asked = asked.lock().expect("nobody panics with it");
    let body = String::from_utf8(body.to_vec()).expect("it is text");
    asked.tokens.push((header(&headers, "authorization"), header(&headers, "content-type"), body));
    let number = asked.tokens.len();
    format!(
        r#"{{"auth":{{"token":"t-{number}"}},"access_token":"t-{number}","token_type":"Bearer","expires_in":3600}}"#
    )
}

struct Receiver {
    url: String,
    asked: Shared,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    fn that_takes(shown: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let asked = Shared::default();
        asked.lock().expect("nobody panics with it").takes = shown.to_owned();
        let routes = Router::new().route("/hook", post(deliver)).route("/token", post(grant)).with_state(asked.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { url, asked, _runtime: runtime }
    }
}

/// Plays one session to an endpoint with these keys, and waits until all of it is delivered.
fn play(directory: &Path, url: &str, more: &str) -> String {
    let more = format!("{more}\nretry = {{ schedule = [\"100ms\", \"1s\", \"1s\", \"1s\"] }}");
    let config = Config::new(directory, NAS).endpoint("crm", url, SECRET, &more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS, "{status:?}");
    let history = radhook(&config, &["deliveries", "list", "--json"]).stdout;
    let log = daemon.stderr().join("\n");
    assert!(daemon.stop().success());
    history + &log
}

#[test]
fn user_and_password_or_a_fixed_token_stand_in_every_request_and_nowhere_else() {
    for (more, shown, secret) in [
        (
            "auth = { type = \"basic\", username = \"radhook\", password = \"open sesame\" }",
            "Basic cmFkaG9vazpvcGVuIHNlc2FtZQ==",
            "sesame",
        ),
        ("auth = { type = \"bearer\", token = \"0123456789abcdef\" }", "Bearer 0123456789abcdef", "0123456789abcdef"),
    ] {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let receiver = Receiver::that_takes(shown);
        let said = play(directory.path(), &format!("{}/hook", receiver.url), more);
        assert_eq!(receiver.asked.lock().unwrap().shown, vec![shown; EVENTS as usize]);
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_fetched_token_is_kept_and_fetched_anew_when_it_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Receiver::that_takes("Bearer t-2");
    let more = format!(
        "concurrency = 1\nauth = {{ type = \"token\", url = \"{}/token\", field = \"auth.token\", username = \"ra\\\"d\", \
         password = \"pass\", body = '{{\"u\": \"{{{{ username }}}}\", \"p\": \"{{{{ password }}}}\"}}' }}",
        receiver.url
    );
    let said = play(directory.path(), &format!("{}/hook", receiver.url), &more);
    let asked = receiver.asked.lock().unwrap();
    let body = r#"{"u": "ra\"d", "p": "pass"}"#;
    let request = (String::new(), "application/json".to_owned(), body.to_owned());
    assert_eq!(asked.tokens, [request.clone(), request], "one at first, one after the refusal");
    // The refused delivery is made again at once, under the same attempt.
    assert_eq!(asked.shown, ["Bearer t-1", "Bearer t-2", "Bearer t-2", "Bearer t-2", "Bearer t-2"]);
    assert!(!said.contains("t-2") && !said.contains("pass\""), "{said}");
}

#[test]
fn oauth2_asks_by_client_credentials() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Receiver::that_takes("Bearer t-1");
    let more = format!(
        "auth = {{ type = \"oauth2\", url = \"{}/token\", client_id = \"rad hook\", client_secret = \"a:b\", \
         scope = \"events write\", audience = \"https://crm\" }}",
        receiver.url
    );
    play(directory.path(), &format!("{}/hook", receiver.url), &more);
    let asked = receiver.asked.lock().unwrap();
    // base64 of "rad%20hook:a%3Ab"
    let authorization = "Basic cmFkJTIwaG9vazphJTNBYg==";
    let form = "grant_type=client_credentials&scope=events%20write&audience=https%3A%2F%2Fcrm";
    let request = (authorization.to_owned(), "application/x-www-form-urlencoded".to_owned(), form.to_owned());
    assert_eq!(asked.tokens, [request]);
}

#[test]
fn while_no_token_can_be_had_deliveries_wait_for_their_retry_and_say_why() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Receiver::that_takes("Bearer t-1");
    let more = format!(
        "auth = {{ type = \"token\", url = \"{}/nowhere\", field = \"auth.token\" }}\nretry = {{ schedule = [] }}",
        receiver.url
    );
    let config =
        Config::new(directory.path(), NAS).endpoint("crm", &format!("{}/hook", receiver.url), SECRET, &more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    wait_until_status(&config, "all is given up", |status| status.endpoint("crm").dead == EVENTS);
    let dead = radhook(&config, &["deliveries", "list", "--json", "--state", "dead"]).stdout;
    assert!(dead.contains("no token: the authentication server answered 404"), "{dead}");
    assert!(receiver.asked.lock().unwrap().shown.is_empty());
    assert!(daemon.stop().success());
}

#[test]
fn a_receiver_that_asks_for_a_certificate_gets_it() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let key = || KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::new(Vec::new()).expect("no names are fine");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself");
    let issue = |name: &str| {
        let own = key();
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a host name");
        (params.signed_by(&own, &authority).expect("the authority signs"), own)
    };
    let (ours, our_key) = issue("radhook");
    let write = |name: &str, text: String| fs::write(directory.path().join(name), text).expect("it can be written");
    write("ca.pem", authority.pem());
    write("radhook.pem", ours.pem());
    write("radhook-key.pem", our_key.serialize_pem());

    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("the authority is one");
    // There are two in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("there is a root");
    let (theirs, their_key) = issue("localhost");
    let tls = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![theirs.der().clone()],
            PrivateKeyDer::try_from(their_key.serialize_der()).expect("a key of a known kind"),
        )
        .expect("certificate and key belong together");
    let url = answer_over(tls);

    let auth = "tls = { ca = \"ca.pem\", min_version = \"1.3\" }\nauth = { type = \"mtls\", certificate = \"radhook.pem\", key = \"radhook-key.pem\" }";
    play(directory.path(), &url, auth);
}

/// Answers 204 to one request a connection, where the client shows a certificate.
fn answer_over(tls: ServerConfig) -> String {
    let tls = Arc::new(tls);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
    let port = listener.local_addr().expect("a bound listener has an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&tls)).expect("the config is whole");
            thread::spawn(move || {
                let mut stream = StreamOwned::new(connection, stream);
                let (mut request, mut part) = (Vec::new(), [0; 4096]);
                while !request.ends_with(b"}") {
                    match stream.read(&mut part) {
                        Ok(length @ 1..) => request.extend_from_slice(&part[..length]),
                        _ => return,
                    }
                }
                let shown = stream.conn.peer_certificates().is_some_and(|certificates| !certificates.is_empty());
                let answer = if shown { "204 No Content" } else { "403 Forbidden" };
                // The client judges by what arrives.
                let _ = write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    format!("https://localhost:{port}/hook")
}
