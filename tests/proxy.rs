//! Receivers that can only be reached through a proxy, and proxies that fail.

mod support;

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::post;
use support::daemon::{Config, Daemon};
use support::http_sink::HttpSink;
use support::https::{Authority, HttpsReceiver};
use support::proxy::{Manner, Proxy};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

/// One attempt, under a deadline that is not reached.
const ONE_TRY: &str = "timeout = \"2m\"\nretry = { schedule = [] }";

/// base64 of "radhook:open sesame"
const CREDENTIALS: &str = "Basic cmFkaG9vazpvcGVuIHNlc2FtZQ==";

fn with_credentials(proxy: &Proxy) -> String {
    format!("proxy = {{ url = \"{}\", username = \"radhook\", password = \"open sesame\" }}", proxy.url())
}

#[test]
fn https_receivers_are_reached_by_a_tunnel_and_never_see_what_the_proxy_is_shown() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let authority = Authority::new();
    fs::write(directory.path().join("ca.pem"), authority.pem()).expect("it can be written");
    // A name that no resolver knows: the proxy alone has to find it.
    let receiver = HttpsReceiver::start(authority.server("crm.example.invalid", |_| {}), &["h2", "http/1.1"]);
    let proxy = Proxy::start(Manner::Wants(CREDENTIALS), Some(receiver.address()));
    let more = format!("timeout = \"2m\"\ntls = {{ ca = \"ca.pem\" }}\n{}", with_credentials(&proxy));
    let url = receiver.url("crm.example.invalid");
    let config = Config::new(directory.path(), NAS).endpoint("crm", &url, SECRET, &more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS, "{status:?}");

    let asked = proxy.asked();
    assert!(!asked.is_empty());
    for head in &asked {
        let port = receiver.address().port();
        assert!(head.starts_with(&format!("CONNECT crm.example.invalid:{port} HTTP/1.1\r\n")), "{head}");
    }
    for taken in receiver.taken() {
        assert!(!taken.headers.contains_key("proxy-authorization"), "{taken:?}");
        assert!(taken.headers.contains_key("webhook-signature"), "{taken:?}");
    }
    let checked = radhook(&config, &["check"]);
    let said = format!("{}{}{}", checked.stdout, checked.stderr, daemon.stderr().join("\n"));
    assert!(checked.stdout.contains(&format!("by the proxy {} as radhook", proxy.url())), "{checked:?}");
    assert!(!said.contains("sesame") && !said.contains("cmFkaG9vaz"), "{said}");
    assert!(daemon.stop().success());
}

#[test]
fn http_receivers_and_their_authentication_servers_are_asked_for_by_their_whole_url() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
    let address = listener.local_addr().expect("a bound listener has an address");
    let take = |headers: HeaderMap| async move {
        let shown = headers.get("authorization").is_some_and(|value| value == "Bearer t-1");
        let leaked = headers.contains_key("proxy-authorization");
        if shown && !leaked { axum::http::StatusCode::NO_CONTENT } else { axum::http::StatusCode::UNAUTHORIZED }
    };
    let grant = || async { r#"{"auth":{"token":"t-1"}}"# };
    let routes = Router::new().route("/hook", post(take)).route("/token", post(grant));
    runtime.spawn(async move { axum::serve(listener, routes).await });
    let proxy = Proxy::start(Manner::Wants(CREDENTIALS), None);
    let more = format!(
        "timeout = \"2m\"\n{}\nauth = {{ type = \"token\", url = \"http://{address}/token\", field = \"auth.token\" }}",
        with_credentials(&proxy)
    );
    let url = format!("http://{address}/hook");
    let config = Config::new(directory.path(), NAS).endpoint("crm", &url, SECRET, &more).write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS, "{status:?}");

    let asked: Vec<String> =
        proxy.asked().iter().map(|head| head.split("\r\n").next().expect("a line").to_owned()).collect();
    assert_eq!(asked[0], format!("POST http://{address}/token HTTP/1.1"));
    assert_eq!(asked[1..], vec![format!("POST {url} HTTP/1.1"); EVENTS as usize]);
    assert!(daemon.stop().success());
}

#[test]
fn a_proxy_that_fails_is_named_as_the_one_that_failed() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let wants = Proxy::start(Manner::Wants(CREDENTIALS), None);
    let refuses = Proxy::start(Manner::Refuses("502 Bad Gateway"), None);
    let closes = Proxy::start(Manner::Closes, None);
    let down = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback takes a TCP listener");
        format!("http://{}", listener.local_addr().expect("a bound listener has an address"))
    };
    let token = "auth = { type = \"token\", url = \"https://login.example.invalid/\", field = \"t\" }";
    let wrong = with_credentials(&refuses).replace(&refuses.url(), &wants.url()).replace("sesame", "barley");
    let of = |url: &str| format!("proxy = \"{url}\"");
    // Name, receiver, keys, and what becomes of the attempt.
    let (https, http) = ("https://crm.example.invalid/", "http://crm.example.invalid/");
    let credentials = format!("the proxy {} answered 407: it wants other credentials, see `proxy`", wants.url());
    let refusal = format!("the proxy {} refused to connect to the receiver, or could not", refuses.url());
    let closed = format!("the proxy {} closed the connection when it was asked for the receiver", closes.url());
    let gateway = format!("answered 502, by the proxy {} or by one before the receiver", refuses.url());
    let unreached = format!("cannot connect to the proxy {down}: ");
    let cases = [
        ("s-wants", https, of(&wants.url()), credentials.clone()),
        ("s-wrong", https, wrong, credentials.clone()),
        ("s-refuses", https, of(&refuses.url()), refusal.clone()),
        ("s-closes", https, of(&closes.url()), closed),
        ("s-down", https, of(&down), unreached.clone()),
        (
            "s-nameless",
            https,
            of("http://proxy.example.invalid:3128"),
            "cannot connect to the proxy http://proxy.example.invalid:3128: dns error".to_owned(),
        ),
        ("p-wants", http, of(&wants.url()), credentials.clone()),
        ("p-refuses", http, of(&refuses.url()), gateway),
        ("p-down", http, of(&down), unreached),
        ("token", https, format!("{}\n{token}", of(&refuses.url())), format!("no token: {refusal}")),
    ];
    let mut config = Config::new(directory.path(), NAS);
    for (name, url, more, _) in &cases {
        config = config.endpoint(name, url, SECRET, &format!("insecure_http = true\n{ONE_TRY}\n{more}"));
    }
    let config = config.write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_starts();
    wait_until_status(&config, "every attempt has ended", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.dead == 1)
    });
    for (name, _, _, said) in &cases {
        let words = ["deliveries", "list", "--json", "--state", "dead", "--endpoint", name];
        let letter = &radhook(&config, &words).json()[0];
        let error = letter["last_attempts"][0]["error"].as_str().expect("words");
        assert!(error.starts_with(said), "{name}: {error}");
        assert!(!error.contains("barley"), "{error}");
        let id = letter["id"].as_str().expect("an id");
        let shown = radhook(&config, &["deliveries", "show", id, "--endpoint", name]);
        assert!(shown.stdout.contains(said), "{shown:?}");
    }
    assert!(!daemon.stderr().join("\n").contains("barley"));
    assert!(daemon.stop().success());
}

#[test]
fn what_the_environment_says_of_proxies_is_not_heard() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::counting();
    let proxy = Proxy::start(Manner::Refuses("502 Bad Gateway"), None);
    let config = Config::new(directory.path(), NAS).endpoint("crm", &sink.url(), SECRET, "").write();
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    command.args(["run", "--config"]).arg(&config);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, proxy.url());
    }
    let daemon = Daemon::try_start_command(command).expect("it starts");
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(status.endpoint("crm").delivered, EVENTS, "{status:?}");
    assert_eq!(proxy.asked(), Vec::<String>::new());
    assert!(daemon.stop().success());
}

#[test]
fn the_proxys_address_is_judged_by_egress_and_so_is_what_its_name_leads_to() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let proxy = Proxy::start(Manner::Serves, None);
    let by_name = proxy.url().replace("127.0.0.1", "localhost");
    let more = format!("{ONE_TRY}\nproxy = \"{by_name}\"");
    let config = Config::new(directory.path(), NAS)
        .table("[egress]\ndeny = [\"127.0.0.0/8\", \"::1/128\"]")
        .endpoint("crm", "https://crm.example.invalid/", SECRET, &more)
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 1, 2).play_starts();
    wait_until_status(&config, "the attempt has ended", |status| status.endpoint("crm").dead == 1);
    let said = radhook(&config, &["deliveries", "list", "--state", "dead"]).stdout;
    assert!(
        said.contains(&format!("cannot connect to the proxy {by_name}")) && said.contains("is denied by [egress]"),
        "{said}"
    );
    assert_eq!(proxy.asked(), Vec::<String>::new());
    assert!(daemon.stop().success());
}
