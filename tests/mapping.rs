//! Conditions and templates through the real binary: what real packets bring stays a value in every place, and whoever is told,
//! is told of what they asked for.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use radhook::radius::authenticator;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::metrics;
use support::responder::Responder;
use support::scripted::{Answer, Asked, Scripted};
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// What somebody sends as User-Name who has read the manual.
const HOSTILE: [&[u8]; 9] =
    [br#"","x":""#, b"]]>", b"{{7*7}}", b"%0d%0a", b"\r\nX-Evil: 1", "\u{1f994}".as_bytes(), b"caf\xe9", b"\"", b".."];

/// RFC 2865 §3 and RFC 2866 §3.
const ACCESS_REQUEST: u8 = 1;
const ACCOUNTING_REQUEST: u8 = 4;

/// Sends packets as they are given, octet for octet, and each until it is answered.
struct Nas {
    socket: UdpSocket,
    sent: u8,
}

impl Nas {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback takes a UDP socket");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a read timeout can be set");
        Self { socket, sent: 0 }
    }

    /// A login of this user, which is refused.
    fn login(&mut self, to: SocketAddr, user: &[u8]) {
        self.send(to, ACCESS_REQUEST, &[(1, user), (2, &[7; 16]), (4, &[192, 0, 2, 1])]);
    }

    /// A session of its own that begins, for this user at this port.
    fn start(&mut self, to: SocketAddr, user: &[u8], port: u8) {
        let session = format!("M-{}", self.sent);
        let attributes: [(u8, &[u8]); 5] =
            [(1, user), (40, &[0, 0, 0, 1]), (44, session.as_bytes()), (4, &[192, 0, 2, 1]), (5, &[0, 0, 0, port])];
        self.send(to, ACCOUNTING_REQUEST, &attributes);
    }

    fn send(&mut self, to: SocketAddr, code: u8, attributes: &[(u8, &[u8])]) {
        self.sent += 1;
        let mut octets = vec![code, self.sent, 0, 0];
        octets.extend([if code == ACCESS_REQUEST { self.sent } else { 0 }; 16]);
        for (number, value) in attributes {
            octets.extend([*number, value.len() as u8 + 2]);
            octets.extend(*value);
        }
        octets[3] = u8::try_from(octets.len()).expect("a small packet");
        if code == ACCOUNTING_REQUEST {
            let signature = authenticator::request_authenticator(&octets, NAS.as_bytes());
            octets[4..20].copy_from_slice(&signature);
        }
        let mut answer = [0; 4096];
        for _ in 0..60 {
            self.socket.send_to(&octets, to).expect("loopback is there");
            while let Ok((_, from)) = self.socket.recv_from(&mut answer) {
                if from == to && answer[1] == self.sent {
                    return;
                }
            }
        }
        panic!("no answer to packet {} of code {code}", self.sent);
    }
}

/// The requests to a path that begins so, by the event that each is about.
fn about(asked: &[Asked], begins: &str) -> BTreeMap<String, Asked> {
    let of = asked.iter().filter(|asked| asked.uri.path().starts_with(begins));
    let by_id: BTreeMap<_, _> =
        of.clone().map(|asked| (asked.header("idempotency-key").to_owned(), asked.clone())).collect();
    assert_eq!(by_id.len(), of.count(), "each came once");
    by_id
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().expect("it is UTF-8").into_owned()
}

/// What Python's parser finds in these documents: their elements, attributes and texts.
fn read_as_xml(documents: &[&str]) -> Vec<Value> {
    let code = "import json, sys, xml.etree.ElementTree as E\n\
                walk = lambda e: [e.tag, e.attrib, e.text or '', [walk(c) for c in e]]\n\
                print(json.dumps([walk(E.fromstring(d)) for d in json.load(sys.stdin)]))";
    let mut python = Command::new("python3");
    let mut python =
        python.args(["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is Python");
    serde_json::to_writer(python.stdin.take().expect("it is piped"), documents).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{documents:?}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// An endpoint for each place that a value can stand in.
fn places() -> Vec<(&'static str, &'static str, String)> {
    let template = |kind: &str, body: &str| {
        let body = toml::Value::from(body).to_string();
        format!("format = \"template\"\ncontent_type = \"{kind}\"\nbody = {body}")
    };
    let xml =
        "<e a=\"{{ user.name }}\" b='{{ user.name }}'><t>{{ user.name }}</t><c><![CDATA[{{ user.name }}]]></c></e>";
    let batch = "[{% for it in events %}\"{{ it.user.name }}\"{% if not loop.last %},{% endif %}{% endfor %}]";
    vec![
        ("native", "native", String::new()),
        (
            "json",
            "json",
            template(
                "application/json",
                "{\"s\":\"<{{ user.name }}>\",\"bare\":{{ user.name }},\"k{{ user.name }}\":1}",
            ),
        ),
        ("xml", "xml", template("application/xml", xml)),
        ("form", "form", template("application/x-www-form-urlencoded", "name={{ user.name }}&n=1")),
        ("path", "path/{{ user.name }}/x", String::new()),
        ("query", "query?name={{ user.name }}&n=1", String::new()),
        ("header", "header", "headers = { \"X-User\" = \"{{ user.name }}\" }".to_owned()),
        ("batch", "batch", {
            let body = template("application/json", batch);
            format!("{body}\nbatch = {{ max_events = 100, max_wait = \"100ms\" }}")
        }),
    ]
}

#[test]
fn what_a_packet_brings_stays_a_value_wherever_it_stands() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let server = Responder::start(NAS);
    let mut config = Config::new(directory.path(), NAS).relay("logins", "127.0.0.1:0", &[server.address()], "");
    for (name, at, keys) in places() {
        let keys = format!("events = [\"session.start\", \"auth.reject\"]\n{keys}");
        config = config.endpoint(name, &format!("{}{at}", receiver.url()), SECRET, &keys);
    }
    let config = config.write();
    let daemon = Daemon::start(&config);
    let mut nas = Nas::new();
    for user in HOSTILE {
        nas.start(daemon.accounting(), user, 1);
        nas.login(daemon.relay(), user);
    }
    let events = 2 * HOSTILE.len() as u64;
    let status = wait_until_status(&config, "nothing waits", |status| {
        status.endpoints.iter().all(|endpoint| endpoint.received == events && endpoint.pending == 0)
    });
    for endpoint in &status.endpoints {
        let dead = if endpoint.name == "path" { 2 } else { 0 };
        assert_eq!((endpoint.delivered, endpoint.dead, endpoint.filtered), (events - dead, dead, 0), "{endpoint:?}");
    }

    let asked = receiver.asked();
    let natives = about(&asked, "/native");
    let name_of = |id: &String| natives[id].json()["data"]["user"]["name"].as_str().expect("a name").to_owned();
    let names: BTreeSet<String> = natives.keys().map(name_of).collect();
    let sent = HOSTILE.map(|user| match std::str::from_utf8(user) {
        Ok(user) => user.to_owned(),
        Err(_) => r"caf\xe9".to_owned(),
    });
    assert_eq!(names, BTreeSet::from(sent), "each of them is told as it came");

    for (id, request) in about(&asked, "/json") {
        let name = name_of(&id);
        let expected = json!({ "s": format!("<{name}>"), "bare": name, (format!("k{name}")): 1 });
        assert_eq!(request.json(), expected);
    }
    let documents = about(&asked, "/xml");
    let texts: Vec<&str> =
        documents.values().map(|request| std::str::from_utf8(&request.body).expect("it is UTF-8")).collect();
    for (id, read) in documents.keys().zip(read_as_xml(&texts)) {
        let name = name_of(id);
        // To a reader of XML a line's end is one character there, whoever writes it (XML 1.0 §2.11).
        let in_cdata = name.replace("\r\n", "\n");
        let expected = json!(["e", { "a": name, "b": name }, "", [["t", {}, name, []], ["c", {}, in_cdata, []]]]);
        assert_eq!(read, expected);
    }
    for (id, request) in about(&asked, "/form") {
        let body = std::str::from_utf8(&request.body).expect("it is UTF-8");
        let fields: Vec<(&str, String)> = body
            .split('&')
            .map(|field| field.split_once('=').expect("a field"))
            .map(|(key, value)| (key, decoded(value)))
            .collect();
        assert_eq!(fields, [("name", name_of(&id)), ("n", "1".to_owned())]);
    }
    let paths = about(&asked, "/path");
    assert_eq!(paths.len(), natives.len() - 2);
    for (id, request) in paths {
        let parts: Vec<String> = request.uri.path().split('/').map(decoded).collect();
        assert_eq!(parts, ["", "path", &name_of(&id), "x"]);
        assert_eq!(request.uri.query(), None);
    }
    for (id, request) in about(&asked, "/query") {
        let query = request.uri.query().expect("there is one");
        let (name, rest) = query.split_once('&').expect("two fields");
        assert_eq!((decoded(name), rest), (format!("name={}", name_of(&id)), "n=1"));
    }
    for (id, request) in about(&asked, "/header") {
        let shown = name_of(&id).replace(char::is_control, "");
        assert_eq!(request.headers["x-user"].as_bytes(), shown.as_bytes());
    }
    let batches = asked.iter().filter(|asked| asked.uri.path() == "/batch");
    let listed: Vec<Value> = batches.flat_map(|asked| asked.json().as_array().expect("a list").clone()).collect();
    assert_eq!(listed.len(), natives.len());
    assert_eq!(listed.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>(), names);

    // No request has a header that the others have not, but for the one that was asked for.
    let headers = |asked: &Asked| asked.headers.keys().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>();
    let usual = headers(natives.values().next().expect("one came"));
    for request in &asked {
        let mut found = headers(request);
        found.remove("x-user");
        assert_eq!(found, usual, "{request:?}");
    }

    // What would lead elsewhere is told.
    let listed = radhook(&config, &["deliveries", "list", "--state", "dead"]);
    let said = "a part of the URL's path would be . or .., which leads elsewhere";
    assert_eq!(listed.stdout.matches(said).count(), 2, "{listed:?}");
    assert!(daemon.stop().success());
}

/// One endpoint with these keys, and what native events of starts it is sent.
fn told_of(directory: &Path, receiver: &Scripted, address: SocketAddr, keys: &str) -> std::path::PathBuf {
    Config::bare(directory)
        .accounting(&address.to_string())
        .client("nas", "127.0.0.1", NAS)
        .endpoint("crm", receiver.url(), SECRET, &format!("events = [\"session.start\"]\n{keys}"))
        .write()
}

fn ports(receiver: &Scripted) -> Vec<Value> {
    receiver.asked().iter().map(|asked| asked.json()["data"]["nas"]["port"].clone()).collect()
}

#[test]
fn what_a_condition_rejects_is_filtered_and_uses_up_no_cap() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let address = support::own_accounting_address();
    // Of what is absent no comparison holds: port 3 is, of a session that has no duration yet.
    let keys = "when = \"nas.port >= 2 and not session.duration < 60 and not session.nothing > 1\"\n\
                once_per = { key = \"user.name\", window = \"24h\" }";
    let config = told_of(directory.path(), &receiver, address, keys);
    let daemon = Daemon::start(&config);
    let mut nas = Nas::new();
    for (user, port) in [("alice", 1), ("alice", 2), ("alice", 3), ("bob", 1), ("bob", 1), ("bob", 4)] {
        nas.start(daemon.accounting(), user.as_bytes(), port);
    }
    let status = wait_until_status(&config, "all is judged", |status| {
        status.endpoint("crm").received == 6 && status.endpoint("crm").pending == 0
    });
    assert_eq!((status.endpoint("crm").delivered, status.endpoint("crm").filtered), (2, 4));
    assert_eq!(ports(&receiver), [2, 4]);
    assert!(daemon.stop().success());
}

#[test]
fn a_condition_asks_how_often_it_came_over_restarts_too() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let address = support::own_accounting_address();
    let keys = "when = \"count >= 3\"\ncount = { key = \"user.name\", window = \"24h\" }";
    let config = told_of(directory.path(), &receiver, address, keys);
    let mut nas = Nas::new();
    let daemon = Daemon::start(&config);
    for (user, port) in [("alice", 1), ("bob", 1), ("alice", 2)] {
        nas.start(address, user.as_bytes(), port);
    }
    let status = wait_until_status(&config, "all is judged", |status| status.endpoint("crm").received == 3);
    assert_eq!((status.endpoint("crm").filtered, receiver.asked().len()), (3, 0));
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&config);
    for (user, port) in [("bob", 2), ("alice", 3), ("alice", 4), ("carol", 5)] {
        nas.start(address, user.as_bytes(), port);
    }
    let status = wait_until_status(&config, "all is judged", |status| {
        status.endpoint("crm").received == 7 && status.endpoint("crm").pending == 0
    });
    assert_eq!((status.endpoint("crm").delivered, status.endpoint("crm").filtered), (2, 5));
    assert_eq!(ports(&receiver), [3, 4]);
    assert!(daemon.stop().success());
}

#[test]
fn a_condition_that_cannot_be_evaluated_does_not_hold_and_is_counted() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let address = support::own_accounting_address();
    let config = told_of(directory.path(), &receiver, address, "when = \"user.name - 2 > 1\"");
    let daemon = Daemon::start(&config);
    Nas::new().start(address, b"alice", 1);
    let status = wait_until_status(&config, "it is judged", |status| status.endpoint("crm").received == 1);
    assert_eq!((status.endpoint("crm").filtered, status.endpoint("crm").pending), (1, 0));
    let failures = metrics::sum(&daemon, "radhook_condition_failures_total", &["endpoint=\"crm\""]);
    assert!((failures - 1.0).abs() < f64::EPSILON, "{failures}");
    assert!(daemon.stop().success());
}

#[test]
fn a_template_that_was_mended_holds_for_dead_letters() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let address = support::own_accounting_address();
    let with = |body: &str| {
        let keys = format!("format = \"template\"\nbody = '{body}'");
        told_of(directory.path(), &receiver, address, &keys)
    };
    let config = with("{ \"a\": {{ user.name ~ \"\" }}, \"b\": {{ user.name - 2 if user.name == \"alice\" else 1 }} }");
    let daemon = Daemon::start(&config);
    let mut nas = Nas::new();
    nas.start(address, b"alice", 1);
    nas.start(address, b"bob", 2);
    let status = wait_until_status(&config, "both are settled", |status| {
        status.endpoint("crm").received == 2 && status.endpoint("crm").pending == 0
    });
    assert_eq!((status.endpoint("crm").dead, status.endpoint("crm").delivered), (1, 1));
    let mut said = String::new();
    for letter in radhook(&config, &["deliveries", "list", "--state", "dead", "--json"]).json() {
        let _ = write!(said, "{}", letter["last_attempts"][0]["error"]);
    }
    assert!(said.contains("line 1"), "{said}");
    assert!(daemon.stop().success());

    let daemon = Daemon::start(&with("{ \"a\": \"{{ user.name }}\" }"));
    assert_eq!(radhook(&config, &["deliveries", "retry", "--endpoint", "crm"]).code, 0);
    wait_until_status(&config, "it is delivered", |status| status.endpoint("crm").delivered == 2);
    assert_eq!(receiver.asked().last().expect("it came").json(), json!({ "a": "alice" }));
    assert!(daemon.stop().success());
}

#[test]
fn users_of_whom_no_request_can_be_made_do_not_slow_down_what_others_are_told() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Scripted::start(|_| Answer(204, &[]));
    let config = Config::new(directory.path(), NAS)
        .endpoint(
            "crm",
            &format!("{}users/{{{{ user.name }}}}", receiver.url()),
            SECRET,
            "events = [\"session.start\"]\ndisable = { after = \"1ms\" }",
        )
        .write();
    let daemon = Daemon::start(&config);
    let mut nas = Nas::new();
    // More in a row than open the breaker.
    for _ in 0..60 {
        nas.start(daemon.accounting(), b"..", 1);
    }
    nas.start(daemon.accounting(), b"alice", 2);
    let status = wait_until_status(&config, "all is settled", |status| {
        status.endpoint("crm").received == 61 && status.endpoint("crm").pending == 0
    });
    assert_eq!((status.endpoint("crm").dead, status.endpoint("crm").delivered), (60, 1));
    assert_eq!(status.endpoint("crm").state, "ok");
    let log = daemon.stderr().join("\n");
    assert!(!log.contains("is left alone") && !log.contains("disabled"), "{log}");
    assert!(daemon.stop().success());
}
