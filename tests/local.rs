//! The local source over HTTP, through the real binary: what scripts post, what is refused, and what an answer promises.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::disk::SmallDisk;
use support::verbs::{radhook, wait_until_status};
use support::witness::{SECRET, Witness};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const RETRY: &str = "events = [\"*\"]\nretry = { schedule = [\"200ms\", \"1s\", \"1s\", \"2s\", \"5s\", \"10s\"] }";

/// A daemon with a local source on a Unix socket and a port, and a receiver of everything.
struct Bench {
    witness: Witness,
    config: PathBuf,
    directory: TempDir,
    runtime: Runtime,
}

impl Bench {
    fn new(change: impl FnOnce(Config) -> Config) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let witness = Witness::start();
        let listen = format!("[\"unix:{}/local.sock\", \"127.0.0.1:0\"]", directory.path().display());
        let config = Config::bare(directory.path())
            .table(&format!("[[source]]\ntype = \"local\"\nlisten = {listen}"))
            .endpoint("crm", &witness.url(), SECRET, RETRY);
        let config = change(config).write();
        let runtime = Runtime::new().expect("a runtime starts");
        Self { witness, config, directory, runtime }
    }

    fn start(&self) -> Daemon {
        Daemon::start(&self.config)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("local.sock")
    }

    /// Posts over the Unix socket.
    fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&self.request(path).body(body.to_string()))
    }

    fn request(&self, path: &str) -> Asked {
        Asked::to_socket(&self.socket(), &format!("http://localhost{path}"))
    }

    fn send(&self, asked: &Asked) -> Answer {
        self.runtime.block_on(asked.send())
    }

    /// The events that the receiver took, once so many were.
    fn events(&self, count: u64) -> Vec<Value> {
        wait_until_status(&self.config, "all is delivered", |status| status.endpoint("crm").delivered >= count);
        self.witness.taken().into_iter().map(|taken| taken.body).collect()
    }
}

/// A POST in the making. Its clones share their connections.
#[derive(Clone)]
struct Asked {
    client: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn new(url: &str) -> Self {
        Self::with(client(), url)
    }

    fn to_socket(socket: &Path, url: &str) -> Self {
        Self::with(client().unix_socket(socket.to_owned()), url)
    }

    fn with(client: reqwest::ClientBuilder, url: &str) -> Self {
        let json = ("content-type".to_owned(), "application/json".to_owned());
        let client = client.build().expect("a client can be made");
        Self { client, url: url.to_owned(), headers: vec![json], body: String::new() }
    }

    /// Sets a header; an empty value takes it away.
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    async fn send(&self) -> Answer {
        let mut request = self.client.post(&self.url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.expect("it answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("the answer has its end");
        let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("it is text").to_owned());
        Answer { status, retry_after: header("retry-after"), problem: header("x-radhook-problem"), text }
    }
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60))
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    problem: Option<String>,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, StatusCode::ACCEPTED, "{self:?}");
        serde_json::from_value(self.json()["ids"].clone()).expect("it answers with ids")
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().expect("it says why").to_owned()
    }
}

/// Where a source listens over TCP, by the ready line.
fn port(daemon: &Daemon) -> String {
    let line = daemon.wait_until_log("ready ");
    let place = line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("local="))
        .find(|place| !place.starts_with("unix:"));
    place.expect("the ready line names the port").to_owned()
}

fn event(kind: &str, name: &str) -> Value {
    json!({ "type": kind, "data": { "user": { "name": name } } })
}

#[test]
fn what_scripts_post_is_delivered_as_they_told_it() {
    let bench = Bench::new(|config| config.top("node = \"radhook-1\""));
    let daemon = bench.start();
    let ready = daemon.wait_until_log("ready ");
    assert!(ready.contains(&format!(" local=unix:{}", bench.socket().display())), "{ready}");

    let id = "3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2";
    let told = json!({ "type": "user.created", "id": id, "timestamp": "2026-01-22T11:15:30.5+01:00",
        "data": { "user": { "name": "al\"ice", "tags": [1, 2.5, null, true] } } });
    assert_eq!(bench.post("/v1/events", &told).ids(), [id]);
    let array = bench.post("/v1/events", &json!([event("voucher.expired", "b"), event("auth.accept", "c")])).ids();
    let tcp = Asked::new(&format!("http://{}/v1/events", port(&daemon)));
    let lines = format!("{}\n{}\n", event("user.deleted", "d"), event("test", "e"));
    let lines = bench.send(&tcp.header("content-type", "application/x-ndjson").body(lines)).ids();

    let events = bench.events(5);
    let ids: BTreeSet<&str> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert_eq!(ids, [id].into_iter().chain(array.iter().chain(&lines).map(String::as_str)).collect());
    let first = events.iter().find(|event| event["id"] == id).expect("it was delivered");
    assert_eq!(first["type"], "user.created");
    assert_eq!(first["timestamp"], "2026-01-22T10:15:30.500Z");
    assert_eq!(first["data"], told["data"]);
    let source = &first["source"];
    assert_eq!(
        [&source["name"], &source["type"], &source["address"], &source["node"]],
        ["local", "local", "127.0.0.1", "radhook-1"]
    );
    let of_c = events.iter().find(|event| event["data"]["user"]["name"] == "c").expect("it was delivered");
    assert_eq!(of_c["timestamp"], of_c["source"]["received_at"], "it happened when it came");
}

#[test]
fn the_same_id_is_the_same_event_however_often_it_is_posted() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let mut told = event("user.updated", "bob");
    told["id"] = "3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2".into();
    assert_eq!(bench.post("/v1/events", &told).ids(), bench.post("/v1/events", &told).ids());
    daemon.kill9();
    let _daemon = bench.start();
    bench.post("/v1/events", &told).ids();
    bench.post("/v1/events", &event("test", "last")).ids();
    let settled = wait_until_status(&bench.config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    assert_eq!(settled.endpoint("crm").received, 2);
}

#[test]
fn what_is_wrong_is_refused_whole_and_told() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let events = || bench.request("/v1/events");
    let good = event("test", "x").to_string();
    let cases = [
        (
            events().body(format!("[{good},{{\"type\":\"nope\",\"data\":{{}}}}]")),
            400,
            "[1].type: there is no event type",
        ),
        (events().body("{"), 400, "line 1, column 1: it is no JSON"),
        (events(), 400, "it is no JSON"),
        (
            events().body(json!({ "type": "test", "data": { "password": "hunter2" } }).to_string()),
            400,
            "data.password: it is a secret",
        ),
        (events().body(format!("\"{}\"", "x".repeat(1024 * 1024))), 413, "more than 1048576 bytes"),
        (events().header("content-type", "text/plain").body(&*good), 415, "application/json"),
        (events().header("content-type", "").body(&*good), 415, "application/json"),
        (bench.request("/freeradius/accounting").body("[]"), 400, "body: it is no object of attributes"),
        (bench.request("/freeradius/accounting").body(" ".repeat(128 * 1024 + 1)), 413, "more than 131072 bytes"),
        (bench.request("/freeradius/accounting?who=x").body("{}"), 400, "query: who is not known"),
        (
            bench.request("/freeradius/accounting").header("content-type", "application/x-www-form-urlencoded"),
            415,
            "body = 'json'",
        ),
        (bench.request("/nowhere").body(&*good), 404, "/v1/events"),
    ];
    for (asked, status, words) in cases {
        let answer = bench.send(&asked);
        assert_eq!(answer.status.as_u16(), status, "{words}: {answer:?}");
        assert!(answer.error().contains(words), "{words}: {answer:?}");
        assert!(!answer.text.contains("hunter2"));
    }
    let several = bench.post("/v1/events", &json!([{ "type": "a" }, 7])).json();
    assert_eq!(several["problems"].as_array().map(Vec::len), Some(3), "{several}");
    assert_eq!(several["problems"][0]["at"], "[0].type");

    // Nothing of all that is there.
    bench.post("/v1/events", &event("test", "last")).ids();
    assert_eq!(bench.events(1).len(), 1);
    assert!(daemon.wait_until_log("a post was not stored").contains("path=\"events\""));
    assert!(!daemon.stderr().join("\n").contains("hunter2"));
}

#[test]
fn a_login_is_answered_204_whatever_is_wrong_with_its_post() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let login = |query: &str| bench.request(&format!("/freeradius/post-auth{query}"));
    let tcp = Asked::new(&format!("http://{}/freeradius/post-auth?result=Access-Accept", port(&daemon)));
    for (asked, why) in [
        (login("").body("{}"), "add result=%{reply:Packet-Type}"),
        (login("?result=Access-Accept").body("{"), "it is no JSON"),
        (login("?result=Access-Accept&reslut=x").body("{}"), "reslut is not known"),
        (login("?result=Access-Accept").header("content-type", "text/plain").body("{}"), "body = 'json'"),
        (login("?result=Access-Accept").body(" ".repeat(1024 * 1024 + 1)), "more than 1048576 bytes"),
        (tcp.clone().header("origin", "http://evil.example").body("{}"), "web page"),
        (tcp.header("host", "evil.example").body("{}"), "Host must name this host"),
    ] {
        let answer = bench.send(&asked);
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""), "{why}");
        let problem = answer.problem.expect("it says why");
        assert!(problem.contains(why), "{why}: {problem}");
    }
    let answer = bench.send(&login("?result=Access-Accept").body("{}"));
    assert_eq!((answer.status, answer.problem), (StatusCode::NO_CONTENT, None));
    assert_eq!(bench.events(1)[0]["type"], "auth.accept");
}

#[test]
fn web_pages_cannot_post() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let port = port(&daemon);
    let asked = |path: &str| Asked::new(&format!("http://{port}{path}")).body(event("test", "x").to_string());
    for path in ["/v1/events", "/freeradius/accounting"] {
        for (name, value) in
            [("origin", "null"), ("sec-fetch-site", "same-origin"), ("host", "radhook.evil.example:80")]
        {
            let answer = bench.send(&asked(path).header(name, value));
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {name}: {answer:?}");
        }
    }
    // A form needs no leave from anybody; it cannot say that it is JSON.
    let form = asked("/v1/events").header("content-type", "text/plain");
    assert_eq!(bench.send(&form).status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for host in [format!("localhost:{}", port.rsplit(':').next().expect("a port")), port.clone()] {
        bench.send(&asked("/v1/events").header("host", &host)).ids();
    }
    assert_eq!(bench.events(2).len(), 2);
}

#[test]
fn a_thousand_posts_at_once_are_all_stored() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let (unix, tcp) = (bench.request("/v1/events"), Asked::new(&format!("http://{}/v1/events", port(&daemon))));
    let posts: Vec<_> = (0..1000)
        .map(|number| {
            let way = if number % 2 == 0 { unix.clone() } else { tcp.clone() };
            let asked = way.body(event("user.created", &format!("user-{number}")).to_string());
            bench.runtime.spawn(async move { asked.send().await.ids() })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for post in posts {
        ids.extend(bench.runtime.block_on(post).expect("every post is answered"));
    }
    assert_eq!(ids.len(), 1000);
    let events = bench.events(1000);
    let delivered: BTreeSet<String> =
        events.iter().map(|event| event["id"].as_str().expect("every event has its id").to_owned()).collect();
    assert_eq!(delivered, ids);
}

#[test]
fn what_was_answered_survives_the_end_of_the_daemon() {
    let mut bench = Bench::new(|config| config);
    bench.witness.down();
    let daemon = bench.start();
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.extend(bench.post("/v1/events", &event("user.created", &format!("user-{number}"))).ids());
    }
    let accounting = json!({
        "Acct-Status-Type": { "type": "integer", "value": ["Start"] },
        "Acct-Session-Id": { "type": "string", "value": ["K-1"] },
    });
    assert_eq!(bench.post("/freeradius/accounting", &accounting).status, StatusCode::NO_CONTENT);
    daemon.kill9();

    bench.witness.up();
    let _daemon = bench.start();
    let events = bench.events(21);
    let delivered: BTreeSet<_> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    assert!(ids.iter().all(|id| delivered.contains(id.as_str())), "{delivered:?}");
    assert!(events.iter().any(|event| event["type"] == "session.start"));
}

#[test]
fn while_the_store_refuses_only_logins_pass() {
    let disk = SmallDisk::mount(64 << 20);
    let bench = Bench::new(|config| config.store_path(&disk.path().join("data")).store("max_size = \"32MiB\""));
    let daemon = bench.start();
    bench.post("/v1/events", &event("test", "before")).ids();
    disk.fill();
    // What stands in the segment that was made ahead still fits.
    let big = json!({ "type": "test", "data": { "x": "y".repeat(60_000) } });
    let refused = std::iter::repeat_with(|| bench.post("/v1/events", &big))
        .find(|answer| answer.status != StatusCode::ACCEPTED)
        .expect("the disk is full at some time");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(refused.retry_after.as_deref(), Some("5"));
    assert!(refused.error().contains("nothing was stored, try again"), "{refused:?}");

    let big_user = json!({ "User-Name": { "type": "string", "value": ["u".repeat(60_000)] },
        "Acct-Status-Type": { "type": "integer", "value": ["Start"] }, "Acct-Session-Id": { "type": "string", "value": ["F-1"] } });
    let accounting = bench.post("/freeradius/accounting", &big_user);
    assert_eq!(accounting.status, StatusCode::SERVICE_UNAVAILABLE, "{accounting:?}");
    let login = bench.post("/freeradius/post-auth?result=Access-Accept", &big_user);
    assert_eq!(login.status, StatusCode::NO_CONTENT);
    assert!(login.problem.expect("it says why").contains("the store refuses"));

    disk.release();
    daemon.wait_until_log("the store accepts again");
    assert_eq!(bench.post("/freeradius/accounting", &big_user).status, StatusCode::NO_CONTENT);
}

#[test]
fn a_body_that_never_ends_is_given_up_and_holds_up_nobody() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let mut slow = TcpStream::connect(port(&daemon)).expect("it listens");
    write!(
        slow,
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    )
    .expect("it reads");
    bench.post("/v1/events", &event("test", "meanwhile")).ids();
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(daemon.stop().success());
}

#[test]
fn emit_posts_and_prints_the_id() {
    let bench = Bench::new(|config| config);
    let daemon = bench.start();
    let emit = |words: &[&str]| radhook(&bench.config, &[&["emit"], words].concat());
    let id = "3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2";
    let done = emit(&[
        "user.created",
        "--data",
        "{\"user\":{\"name\":\"bob\"}}",
        "--id",
        id,
        "--timestamp",
        "2026-01-22T10:15:30Z",
    ]);
    assert_eq!((done.code, done.stdout.as_str()), (0, &*format!("{id}\n")), "{done:?}");
    let file = bench.directory.path().join("data.json");
    std::fs::write(&file, "{\"user\":{\"name\":\"from a file\"}}").expect("a file can be written");
    let line = &emit(&["user.deleted", "--data", &format!("@{}", file.display()), "--json"]).json()[0];
    assert!(line["id"].as_str().is_some_and(|id| id.len() == 36), "{line}");
    // Standard input is empty here, and that is no object.
    let empty = emit(&["test", "--data", "-"]);
    assert!(empty.code == 1 && empty.stderr.contains("standard input must be a JSON object"), "{empty:?}");

    let events = bench.events(2);
    let names: BTreeSet<_> = events.iter().filter_map(|event| event["data"]["user"]["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["bob", "from a file"]));

    let secret = emit(&["test", "--data", "{\"password\":\"hunter2\"}"]);
    assert!(secret.code == 1 && secret.stderr.contains("data.password: it is a secret"), "{secret:?}");
    assert!(!secret.stderr.contains("hunter2"));
    assert_eq!(emit(&["user.craeted"]).code, 2);
    assert_eq!(emit(&["test", "--id", "7"]).code, 2);
    assert!(daemon.stop().success());
    let gone = emit(&["test"]);
    assert!(gone.code == 4 && gone.stderr.contains("does not answer"), "{gone:?}");

    let other = tempfile::tempdir().expect("a temporary directory can be made");
    let none = radhook(&Config::new(other.path(), "s3cret-enough").write(), &["emit", "test"]);
    assert!(none.code == 1 && none.stderr.contains("no [[source]] of type \"local\""), "{none:?}");
    std::fs::write(other.path().join("radhook.toml"), "[[source]]\ntype = \"local\"\n").expect("a file can be written");
    assert_eq!(radhook(&other.path().join("radhook.toml"), &["emit", "test"]).code, 3);
}

#[test]
fn what_became_of_posts_is_counted() {
    let bench = Bench::new(|config| config.admin("[admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"0123456789abcdef\""));
    let daemon = bench.start();
    let (answer, refusal) = (bench.post("/v1/events", &event("test", "x")), bench.post("/v1/events", &json!(7)));
    assert_eq!((answer.status.as_u16(), refusal.status.as_u16()), (202, 400));
    let metrics = bench.runtime.block_on(async {
        let client = client().build().expect("a client can be made");
        let request = client.get(format!("http://{}/metrics", daemon.admin()[0])).bearer_auth("0123456789abcdef");
        request.send().await.expect("it answers").text().await.expect("it is text")
    });
    for result in ["stored", "invalid"] {
        let line = format!("radhook_local_posts_total{{source=\"local\",path=\"events\",result=\"{result}\"}} 1");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}
