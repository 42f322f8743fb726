//! `radhook endpoints rotate`: secrets change under a running radhook, and receivers that know one of them notice nothing.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use jiff::Timestamp;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::{DEFAULT_HEADER, Signer, WEBHOOK_SIGNATURE};
use radhook::secret::Secret;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::standard::StandardReceiver;
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until, wait_until_status};

const NAS: &str = "nas-to-radhook";

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Start, two updates and a stop.
const EVENTS: u64 = 4;

/// Soon again, and long enough for a test that restarts receivers.
const RETRY: &str = "retry = { schedule = [\"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \
                     \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1m\", \"1h\"] }";

/// Takes everything and keeps it with its headers.
struct Witness {
    url: String,
    seen: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Witness {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("it starts");
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback takes a listener");
        let url = format!("http://{}/", listener.local_addr().expect("a bound listener has an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let take = |State(seen): State<Arc<Mutex<Vec<_>>>>, headers: HeaderMap, body: Bytes| async move {
            seen.lock().expect("nobody panics with it").push((headers, body));
            StatusCode::NO_CONTENT
        };
        let routes = Router::new().route("/", post(take)).with_state(seen.clone());
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { url, seen, _runtime: runtime }
    }

    fn seen(&self) -> Vec<(HeaderMap, Bytes)> {
        self.seen.lock().expect("nobody panics with it").clone()
    }
}

/// Tells one session after another, each of another user.
struct Sessions<'d> {
    daemon: &'d Daemon,
    told: u64,
}

impl Sessions<'_> {
    fn one_more(&mut self) -> u64 {
        self.told += 1;
        Traffic::new(self.daemon.accounting(), NAS, 1, self.told).play_to_the_end();
        self.told * EVENTS
    }
}

fn endpoint(name: &str, url: &str, scheme: &str, secret: &str) -> String {
    let signature = format!("signature = {{ scheme = \"{scheme}\", secret = {secret} }}");
    format!("[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\n{signature}\n{RETRY}")
}

/// A file that only its owner may read.
fn secret_file(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).expect("it can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    path
}

fn rotate(config: &Path, name: &str, more: &[&str]) -> Value {
    radhook(config, &[&["endpoints", "rotate", name, "--json"], more].concat()).json().remove(0)
}

fn wait_until_taken_over(daemon: &Daemon, endpoint: &str, times: usize) {
    wait_until("the new secrets are used", || {
        let log = daemon.stderr();
        let lines = log.iter().filter(|line| line.contains("signing secrets have changed and are used"));
        (lines.filter(|line| line.contains(endpoint)).count() >= times).then_some(())
    });
}

#[test]
fn receivers_of_the_old_and_of_the_new_secret_verify_until_the_overlap_ends_and_no_event_is_lost_or_badly_signed() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = secret_file(directory.path(), "shared.key", &format!("{OLD}\n"));
    let (stays, moves, witness) = (StandardReceiver::start(OLD), StandardReceiver::start(OLD), Witness::start());
    let secret = "{ file = \"shared.key\" }";
    let config = Config::new(directory.path(), NAS)
        .table(&endpoint("stays", &stays.url(), "standard", secret))
        .table(&endpoint("moves", &moves.url(), "standard", secret))
        .table(&endpoint("witness", &witness.url, "standard", secret))
        .write();
    let daemon = Daemon::start(&config);
    let pid = daemon.pid();
    let mut sessions = Sessions { daemon: &daemon, told: 0 };
    let all_have = |events: u64| {
        let has = |endpoint: &support::verbs::Endpoint| endpoint.delivered == events;
        wait_until_status(&config, "all is delivered", |status| status.endpoints.iter().all(has));
    };
    let all_valid = |receiver: &StandardReceiver| {
        let deliveries = receiver.deliveries();
        assert!(deliveries.iter().all(|delivery| delivery.verdict == "valid"), "{deliveries:?}");
        deliveries.len() as u64
    };
    let events = sessions.one_more();
    all_have(events);
    assert_eq!((all_valid(&stays), all_valid(&moves)), (events, events));

    // One receiver goes down to learn the new secret; the other does not know that there is one.
    let port = moves.port();
    drop(moves);
    let refused = radhook(&config, &["endpoints", "rotate", "stays"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("moves, witness signs by") && refused.stderr.contains("--shared"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).expect("it is there"), format!("{OLD}\n"));
    let rotated = rotate(&config, "stays", &["--shared"]);
    assert_eq!(rotated["shared_with"], serde_json::json!(["moves", "witness"]));
    assert_eq!(rotated["signing"], 2);
    let (new, until) = (rotated["secret"].as_str().expect("a secret"), rotated["until"].as_str().expect("an end"));
    assert_eq!(fs::read_to_string(&file).expect("it is there"), format!("{new}\n{OLD} until {until}\n"));
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let ends: Timestamp = until.parse().expect("a time");
    let ahead = ends.duration_since(Timestamp::now()).as_secs();
    assert!((86_400 - 600..=86_400).contains(&ahead), "{ahead}");

    sessions.one_more();
    wait_until_taken_over(&daemon, "moves", 1);
    let moves = StandardReceiver::start_on(port, new);
    radhook(&config, &["deliveries", "retry", "--state", "pending"]);
    let events = sessions.one_more();
    all_have(events);
    assert_eq!((all_valid(&stays), all_valid(&moves)), (events, events - EVENTS));
    let signatures = |(headers, _): &(HeaderMap, Bytes)| {
        headers[WEBHOOK_SIGNATURE].to_str().expect("signatures are ASCII").split(' ').count()
    };
    assert_eq!(witness.seen().iter().map(signatures).max(), Some(2));

    // And once more, with an overlap that the test can wait for.
    let rotated = rotate(&config, "stays", &["--shared", "--overlap", "2s"]);
    let newest = rotated["secret"].as_str().expect("a secret");
    assert_eq!(rotated["signing"], 3);
    let alone = wait_until("one signature is left", || {
        sessions.one_more();
        let after = Timestamp::now();
        let seen = witness.seen();
        let last = seen.last().expect("it takes everything");
        (signatures(last) == 1 && verifies(SignatureOptions::Standard { secrets: vec![] }, newest, last))
            .then_some(after)
    });
    assert!(alone >= rotated["until"].as_str().expect("an end").parse().expect("a time"));
    let knows_the_old = stays.port();
    drop((stays, moves));
    let (stays, moves) = (StandardReceiver::start_on(knows_the_old, newest), StandardReceiver::start_on(port, newest));
    radhook(&config, &["deliveries", "retry", "--state", "pending"]);
    let events = sessions.one_more();
    all_have(events);
    assert!(all_valid(&stays) >= EVENTS && all_valid(&moves) >= EVENTS);
    assert!(!verifies(SignatureOptions::Standard { secrets: vec![] }, OLD, witness.seen().last().expect("something")));
    assert_eq!(daemon.pid(), pid);
    let said = daemon.stderr().join("\n");
    assert!(![OLD, new, newest].iter().any(|secret| said.contains(&secret[6..])), "a secret stands in the log");
    assert!(daemon.stop().success());
}

/// Whether a receiver that knows this secret alone takes the request.
fn verifies(scheme: SignatureOptions, secret: &str, (headers, body): &(HeaderMap, Bytes)) -> bool {
    let signer = Signer::new(&scheme.with_secrets(vec![Secret::new(secret).into()])).expect("a good secret");
    signer.verify(headers, body, None, Timestamp::now()).is_ok()
}

#[test]
fn ed25519_and_hmac_sha256_are_rotated_as_well() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let (old_pair, old_key) = ("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", "the key of the receiver's own");
    let old_public = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    secret_file(directory.path(), "pair.key", old_pair);
    secret_file(directory.path(), "hmac.key", old_key);
    let (pair, hmac) = (Witness::start(), Witness::start());
    let config = Config::new(directory.path(), NAS)
        .table(&endpoint("pair", &pair.url, "ed25519", "{ file = \"pair.key\" }"))
        .table(&endpoint(
            "hmac",
            &hmac.url,
            "hmac-sha256",
            "[{ file = \"hmac.key\" }, \"another that stays as it is\"]",
        ))
        .write();
    let daemon = Daemon::start(&config);
    let mut sessions = Sessions { daemon: &daemon, told: 0 };
    let (pairs, keys) = (rotate(&config, "pair", &[]), rotate(&config, "hmac", &["--overlap", "1h"]));
    assert!(pairs.get("secret").is_none(), "nobody but radhook needs the private key");
    let (new_public, new_key) = (pairs["public_key"].as_str().expect("a key"), keys["secret"].as_str().expect("a key"));
    assert!(new_public.starts_with("whpk_"));
    assert!(new_key.len() == 64 && new_key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{new_key}");
    wait_until("both sign by the new secret", || {
        sessions.one_more();
        let by_pair = SignatureOptions::Ed25519 { secrets: vec![] };
        let by_key = SignatureOptions::HmacSha256 {
            secrets: vec![],
            header: DEFAULT_HEADER.parse().expect("a name"),
            prefix: "".into(),
        };
        let (pairs, keys) = (pair.seen(), hmac.seen());
        let (pair, hmac) = (pairs.last()?, keys.last()?);
        assert!(verifies(by_pair.clone(), old_public, pair) && verifies(by_key.clone(), old_key, hmac));
        assert!(verifies(by_key.clone(), "another that stays as it is", hmac));
        (verifies(by_pair, new_public, pair) && verifies(by_key, new_key, hmac)).then_some(())
    });
    let checked = radhook(&config, &["check"]).stdout;
    assert!(checked.contains(new_public) && checked.contains(old_public), "{checked}");
    assert!(daemon.stop().success());
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_old_secret_and_is_told_of_once() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = secret_file(directory.path(), "crm.key", OLD);
    let receiver = StandardReceiver::start(OLD);
    let secret = "{ file = \"crm.key\" }";
    let config =
        Config::new(directory.path(), NAS).table(&endpoint("crm", &receiver.url(), "standard", secret)).write();
    let daemon = Daemon::start(&config);
    let mut sessions = Sessions { daemon: &daemon, told: 0 };
    fs::write(&file, "whsec_hunter2! until 2026-11-26T10:00:00Z\n").expect("it can be written");
    let warned = wait_until("it is told", || {
        sessions.one_more();
        daemon.stderr().into_iter().find(|line| line.contains("signing secrets have changed"))
    });
    assert!(warned.contains("crm.key:1: the first secret is the newest") && !warned.contains("hunter2"), "{warned}");
    let refused = radhook(&config, &["endpoints", "rotate", "crm"]);
    assert_eq!(refused.code, 3, "{refused:?}");
    fs::remove_file(&file).expect("it is there");
    wait_until("that is told too", || {
        sessions.one_more();
        daemon.stderr().into_iter().find(|line| line.contains("No such file"))
    });
    secret_file(directory.path(), "crm.key", &format!("whsec_bmV3ZXIgdGhhbiB0aGUgb2xkIG9uZQ==\n{OLD}\n"));
    wait_until("it is used", || {
        sessions.one_more();
        daemon.stderr().into_iter().find(|line| line.contains("are used from now on"))
    });
    let events = sessions.one_more();
    wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == events);
    let deliveries = receiver.deliveries();
    assert!(deliveries.iter().all(|delivery| delivery.verdict == "valid"), "{deliveries:?}");
    let told = daemon.stderr().iter().filter(|line| line.contains("the old ones stay")).count();
    assert_eq!(told, 2, "{:?}", daemon.stderr());
    assert!(daemon.stop().success());
}

#[test]
fn what_cannot_be_rotated_is_refused_with_a_way_out_and_changes_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let ends = "2100-01-01T00:00:00Z";
    let full = format!("{OLD}\n{}", format!("whsec_b2xkZXIgdGhhbiB0aGUgbmV3ZXN0IG9uZQ== until {ends}\n").repeat(7));
    for (name, content) in [
        ("crm.key", OLD),
        ("full.key", &full),
        ("two.key", "sixteen bytes or more"),
        ("spaces.key", "  sixteen bytes or more  "),
        ("stuck.key", OLD),
    ] {
        secret_file(directory.path(), name, content);
    }
    fs::create_dir(directory.path().join(".stuck.key.radhook-new")).expect("it can be made");
    let url = "https://crm.example.com/";
    let one = |name: &str, secret: &str| endpoint(name, url, "standard", secret);
    let config = Config::new(directory.path(), NAS)
        .table(&format!("[[endpoint]]\nname = \"unsigned\"\nurl = \"{url}\""))
        .table(&one("inline", &format!("\"{OLD}\"")))
        .table(&one("full", "{ file = \"full.key\" }"))
        .table(&one("stuck", "{ file = \"stuck.key\" }"))
        .table(&endpoint("spaces", url, "hmac-sha256", "{ file = \"spaces.key\" }"))
        .table(&endpoint("two", url, "hmac-sha256", "{ file = \"two.key\" }"))
        .table(&one("other", "{ file = \"two.key\" }"))
        .table(&one("crm", "{ file = \"crm.key\" }"))
        .write();
    for (words, told) in [
        (vec!["nobody"], "there is no endpoint \"nobody\""),
        (vec!["unsigned"], "unsigned is not signed; set `signature`"),
        (vec!["inline"], "no secret of inline is in a file, and nothing else can be rotated; write it into a file"),
        (vec!["full"], "full would sign with 9 secrets, and at most 8 are allowed"),
        (vec!["full"], "the next one ends at "),
        (vec!["full"], "--overlap 0s"),
        (vec!["stuck"], "stuck.key cannot be replaced"),
        (vec!["spaces"], "cannot stand in a line beside others"),
        (vec!["two"], "other signs by"),
        (vec!["two", "--shared"], "in another scheme; give two a file of its own"),
    ] {
        let ended = radhook(&config, &[&["endpoints", "rotate"], &words[..]].concat());
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
        assert!(!ended.stderr.contains(&OLD[6..]), "{ended:?}");
    }
    for (name, content) in [("full.key", full.as_str()), ("two.key", "sixteen bytes or more"), ("stuck.key", OLD)] {
        assert_eq!(fs::read_to_string(directory.path().join(name)).expect("it is there"), content);
    }
    let too_long = radhook(&config, &["endpoints", "rotate", "crm", "--overlap", "10000d"]);
    assert_eq!(too_long.code, 2, "{too_long:?}");

    // The ways out.
    let alone = radhook(&config, &["endpoints", "rotate", "spaces", "--overlap", "0s"]);
    assert!(alone.code == 0 && alone.stdout.contains("nothing else does"), "{alone:?}");
    let ended = rotate(&config, "full", &["--overlap", "0s"]);
    assert_eq!((&ended["signing"], ended.get("until")), (&1.into(), None));
    let told = radhook(&config, &["endpoints", "rotate", "crm"]);
    let now_held = fs::read_to_string(directory.path().join("crm.key")).expect("it is there");
    let newest = now_held.lines().next().expect("a line");
    assert!(told.stdout.contains(newest) && told.stdout.contains("crm: a new secret signs beside"), "{told:?}");
}

#[test]
fn verify_reads_the_file_that_the_daemon_reads() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let body = directory.path().join("body");
    fs::write(&body, "{}").expect("it can be written");
    let headers = {
        let signer = Signer::new(&SignatureOptions::Standard { secrets: vec![Secret::new(OLD).into()] }).expect("good");
        let signed = signer.sign("e-1", Timestamp::now(), b"{}").expect("a good id");
        signed.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("ASCII"))).collect::<String>()
    };
    let headers_file = directory.path().join("headers");
    fs::write(&headers_file, headers).expect("it can be written");
    let verify = |lines: &str| {
        let file = secret_file(directory.path(), "crm.key", lines);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_radhook"))
            .args(["verify", "--secret-file"])
            .args([&file, Path::new("--headers"), &headers_file, &body])
            .output()
            .expect("the binary starts");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let new = "whsec_bmV3ZXIgdGhhbiB0aGUgb2xkIG9uZQ==";
    assert_eq!(verify(&format!("{new}\n{OLD} until 2100-01-01T00:00:00Z\n")), "valid\n");
    assert!(verify(&format!("{new}\n{OLD} until 2020-01-01T00:00:00Z\n")).contains("secrets tried: 1"));
    assert!(verify(&format!("{OLD} until 2100-01-01T00:00:00Z")).contains("crm.key:1: the first secret is the newest"));
}
