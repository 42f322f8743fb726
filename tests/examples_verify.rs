//! The receivers of `examples/verify/`, each as its head says it is run: they take what radhook sends, each event once, and
//! nothing else.

mod support;

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::secret::Secret;
use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::process::{PATIENCE, Process, Stream};
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// What requests were signed with before the secret was changed; receivers still know it.
const OLD_SECRET: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQ=";

/// The longest body that the examples take.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// An example: how it is started on a free port, with what it needs built, in a directory of its own.
struct Example {
    name: &'static str,
    command: fn(&Path) -> Command,
    /// What stands around the port in the line that says it is ready.
    ready: (&'static str, &'static str),
    /// Whether a body is read before anybody can say that it is too long.
    reads_all: bool,
}

const PYTHON: Example = Example { name: "python", command: in_python, ready: ("ready ", ""), reads_all: false };
const NODE: Example = Example { name: "node", command: in_node, ready: ("ready ", ""), reads_all: false };
const PHP: Example =
    Example { name: "php", command: in_php, ready: ("(http://127.0.0.1:", ") started"), reads_all: true };
const GO: Example = Example { name: "go", command: in_go, ready: ("ready ", ""), reads_all: false };
const RUST: Example = Example { name: "rust", command: in_rust, ready: ("ready ", ""), reads_all: false };

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/verify").join(path)
}

fn in_python(_: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(example("python/receiver.py")).arg("0");
    command
}

fn in_node(_: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(example("node/receiver.mjs")).env("PORT", "0");
    command
}

fn in_php(directory: &Path) -> Command {
    let mut command = Command::new("php");
    command.args(["-S", "127.0.0.1:0"]).arg(example("php/receiver.php")).env("WEBHOOK_IDS", directory.join("ids"));
    command
}

/// Built without the network: it needs nothing but what Go brings.
fn in_go(directory: &Path) -> Command {
    let program = directory.join("verify");
    let mut build = Command::new("go");
    build.current_dir(example("go")).args(["build", "-buildvcs=false", "-o"]).arg(&program).arg(".");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    let settings = [("GOFLAGS", "-mod=mod"), ("GOPROXY", "off"), ("GOTOOLCHAIN", "local")];
    run(build.envs(settings).env("GOCACHE", cache));
    let mut command = Command::new(program);
    command.arg("0");
    command
}

/// Built already where all tests run; a test that runs alone builds it.
fn in_rust(_: &Path) -> Command {
    let mut build = Command::new(env!("CARGO"));
    let root = env!("CARGO_MANIFEST_DIR");
    // What cargo tells a test of its package would look like other settings, and have dependencies built anew.
    for (name, _) in env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|told| name.to_string_lossy().starts_with(told)) {
            build.env_remove(name);
        }
    }
    run(build.current_dir(root).args(["build", "--example", "verify", "--locked", "--offline"]));
    let programs = Path::new(env!("CARGO_BIN_EXE_radhook")).parent().expect("a program stands in a directory");
    let mut command = Command::new(programs.join("examples/verify"));
    command.arg("0");
    command
}

/// Runs a program that must end well.
fn run(command: &mut Command) {
    let done = command.output();
    let done =
        done.unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run --prepare installs what is missing"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A running example.
struct Receiver {
    process: Process,
    port: u16,
    reads_all: bool,
    _directory: tempfile::TempDir,
}

impl Receiver {
    fn start(example: &Example, secrets: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = (example.command)(directory.path());
        let process = Process::start(example.name, command.env("WEBHOOK_SECRET", secrets));
        let (before, behind) = example.ready;
        let port = |line: &str| line.split_once(before)?.1.strip_suffix(behind)?.parse().ok();
        let line = process.wait_until_line("its port", |line| port(line).is_some());
        let port = port(&line).expect("the line was chosen by it");
        Self { process, port, reads_all: example.reads_all, _directory: directory }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Waits until it has told of so many requests, and returns what it told.
    fn wait_until_told(&self, count: usize) -> Vec<Value> {
        let told = |lines: &[(Stream, String)]| {
            let lines = lines.iter().filter(|(stream, line)| *stream == Stream::Stdout && line.starts_with('{'));
            let told: Vec<Value> = lines.map(|(_, line)| serde_json::from_str(line).expect("it prints JSON")).collect();
            (told.len() >= count).then_some(told)
        };
        let ended = || panic!("it ended:\n{}", self.process.transcript());
        self.process.wait_for(&format!("{count} requests"), told).unwrap_or_else(ended)
    }
}

/// A request of the test's own, signed like radhook's.
#[derive(Clone)]
struct Request {
    id: String,
    at: i64,
    signature: String,
    body: Vec<u8>,
}

impl Request {
    fn signed(secret: &str, id: &str, at: i64, body: &[u8]) -> Self {
        let secrets = vec![Secret::new(secret).into()];
        let signer = Signer::new(&SignatureOptions::Standard { secrets }).expect("the secret is one");
        let time = Timestamp::from_second(at).expect("a time of these days");
        let headers = signer.sign(id, time, body).expect("the id fits");
        let (_, signature) = headers.iter().find(|(name, _)| name == "webhook-signature").expect("it is signed");
        let signature = signature.to_str().expect("base64").to_owned();
        Self { id: id.to_owned(), at, signature, body: body.to_vec() }
    }

    fn head(&self, length: usize) -> Vec<u8> {
        let Self { id, at, signature, .. } = self;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\n\r\n"
        );
        head.into_bytes()
    }

    /// Sends it; the status of the answer.
    fn send(&self, to: &Receiver) -> u16 {
        exchange(to, &[self.head(self.body.len()), self.body.clone()].concat())
    }
}

/// Writes these octets and reads the status of the answer. By hand, since some of them no client would send.
fn exchange(to: &Receiver, octets: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", to.port)).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(octets).expect("it reads");
    let mut answer = Vec::new();
    while !answer.windows(2).any(|end| end == b"\r\n") {
        let mut part = [0; 512];
        match stream.read(&mut part).expect("it answers") {
            0 => panic!("it closed the connection after {:?}", String::from_utf8_lossy(&answer)),
            length => answer.extend_from_slice(&part[..length]),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("it answered {line:?}"))
}

/// A daemon that sends to this receiver, and the events of two sessions, which it has delivered.
fn play(directory: &Path, to: &Receiver, scheme: &str, secrets: &str) -> Vec<Value> {
    let config = Config::new(directory, NAS)
        .table(&format!(
            "[[endpoint]]\nname = \"crm\"\nurl = \"{}\"\nsignature = {{ scheme = \"{scheme}\", secret = {secrets} }}",
            to.url()
        ))
        .write();
    let daemon = Daemon::start(&config);
    Traffic::new(daemon.accounting(), NAS, 2, 11).play_to_the_end();
    let status = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").delivered == 8);
    assert_eq!(status.endpoint("crm").last_error, None);
    let events = radhook(&config, &["events", "list", "--json"]).json();
    assert!(daemon.stop().success());
    events
}

/// Whether the receiver has told of each of these events once, as a new one, and of nothing else.
fn assert_all_new(told: &[Value], events: &[Value]) {
    assert_eq!((told.len(), events.len()), (8, 8), "{told:#?}");
    for line in told {
        assert_eq!(line["verdict"], "new", "{line}");
        let event = events.iter().find(|event| event["id"] == line["id"]).expect("it is an event of radhook's");
        assert_eq!(line["type"], event["type"]);
    }
}

fn takes_what_is_genuine_once_and_nothing_else(example: &Example) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = Receiver::start(example, &format!("{OLD_SECRET} {SECRET}"));
    // radhook signs with a secret that the receiver does not know yet, and with one that it knows.
    let secrets = format!("[\"whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXc=\", \"{SECRET}\"]");
    let events = play(directory.path(), &receiver, "standard", &secrets);
    assert_all_new(&receiver.wait_until_told(8), &events);

    let now = Timestamp::now().as_second();
    let body = events[0].to_string().into_bytes();
    let id = events[0]["id"].as_str().expect("an id is a text");
    let of = |change: fn(&mut Request)| {
        let mut request = Request::signed(SECRET, id, now, &body);
        change(&mut request);
        request
    };
    let stranger = Request::signed("whsec_c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXI=", id, now, &body);
    let refused = [
        ("a stranger's", stranger, 401),
        ("an altered body", of(|request| request.body.push(b' ')), 401),
        ("another id", of(|request| request.id.push('0')), 401),
        ("another time", of(|request| request.at -= 1), 401),
        ("signed an hour ago", Request::signed(SECRET, id, now - 3_600, &body), 401),
        ("signed in an hour", Request::signed(SECRET, id, now + 3_600, &body), 401),
        ("no base64", of(|request| request.signature = "v1,=%,".to_owned()), 401),
        ("cut off", of(|request| request.signature.truncate(20)), 401),
        ("empty signatures", of(|request| request.signature = "v1, v1 ,".to_owned()), 401),
        ("of another version", of(|request| request.signature.replace_range(..3, "v2,")), 401),
        ("no signature", of(|request| request.signature.clear()), 400),
        ("no id", of(|request| request.id.clear()), 400),
        ("genuine, but no event", Request::signed(SECRET, "no-event", now, b"{\"type\":"), 400),
    ];
    for (what, request, status) in &refused {
        assert_eq!(request.send(&receiver), *status, "{what}");
    }
    // Some do not read such a header at all.
    let no_ascii = of(|request| request.signature = "v1,\u{fc}\u{20ac}".to_owned()).send(&receiver);
    assert!([400, 401].contains(&no_ascii), "no ASCII: {no_ascii}");
    let no_time = String::from_utf8(of(|_| ()).head(0)).expect("the head is ASCII").replace(&now.to_string(), "soon");
    assert_eq!(exchange(&receiver, no_time.as_bytes()), 400, "no time");

    // Of a length that is said; the body need not come.
    let long = Request::signed(SECRET, "too-long", now, &vec![b' '; MAX_BODY + 1]);
    let sent = if receiver.reads_all { &*long.body } else { b"" };
    assert_eq!(exchange(&receiver, &[&long.head(long.body.len()), sent].concat()), 413, "too long");

    let told = receiver.wait_until_told(8 + refused.len() + 3);
    assert_eq!(told.len(), 8 + refused.len() + 3);
    for line in &told[8..] {
        assert_eq!((&line["verdict"], line["why"].is_string()), (&"refused".into(), true), "{line}");
    }

    // What was refused is not remembered, and what was taken is not forgotten.
    assert_eq!(of(|_| ()).send(&receiver), 200, "an event that comes again");
    assert_eq!(Request::signed(OLD_SECRET, "not-yet-seen", now, &body).send(&receiver), 204, "by another secret");
    assert_eq!(Request::signed(SECRET, "no-event", now, &body).send(&receiver), 204, "refused before");
    let several = |request: &mut Request| request.signature = format!("v1,AAAA v1a,AAAA {} v1,BBBB", request.signature);
    assert_eq!(of(several).send(&receiver), 200, "among other signatures");
    let told = receiver.wait_until_told(told.len() + 4);
    let verdicts: Vec<_> = told[told.len() - 4..].iter().map(|line| line["verdict"].clone()).collect();
    assert_eq!(verdicts, ["repeat", "new", "new", "repeat"]);
}

#[test]
fn the_receiver_in_python_takes_what_is_genuine_once_and_nothing_else() {
    takes_what_is_genuine_once_and_nothing_else(&PYTHON);
}

#[test]
fn the_receiver_in_node_takes_what_is_genuine_once_and_nothing_else() {
    takes_what_is_genuine_once_and_nothing_else(&NODE);
}

#[test]
fn the_receiver_in_php_takes_what_is_genuine_once_and_nothing_else() {
    takes_what_is_genuine_once_and_nothing_else(&PHP);
}

#[test]
fn the_receiver_in_go_takes_what_is_genuine_once_and_nothing_else() {
    takes_what_is_genuine_once_and_nothing_else(&GO);
}

#[test]
fn the_receiver_in_rust_takes_what_is_genuine_once_and_nothing_else() {
    takes_what_is_genuine_once_and_nothing_else(&RUST);
}

/// With a public key, which cannot sign.
fn takes_what_is_signed_with_a_private_key(example: &Example) {
    const PRIVATE: &str = "whsk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let secrets = vec![Secret::new(PRIVATE).into()];
    let public = Signer::new(&SignatureOptions::Ed25519 { secrets }).expect("a private key").public_keys().remove(0);
    let receiver = Receiver::start(example, &public);

    let events = play(directory.path(), &receiver, "ed25519", &format!("\"{PRIVATE}\""));

    assert_all_new(&receiver.wait_until_told(8), &events);
    let forged =
        Request { id: "x".to_owned(), at: Timestamp::now().as_second(), signature: String::new(), body: vec![] };
    for signature in ["v1a,AAAA", "v1a,", "v1,AAAA", &format!("v1a,{}==", "A".repeat(86))] {
        assert_eq!(Request { signature: signature.to_owned(), ..forged.clone() }.send(&receiver), 401, "{signature}");
    }
}

#[test]
fn the_receivers_in_node_and_go_verify_ed25519_too() {
    takes_what_is_signed_with_a_private_key(&NODE);
    takes_what_is_signed_with_a_private_key(&GO);
}

/// The page names each receiver, and the head of each how it is run.
#[test]
fn the_page_tells_of_every_receiver() {
    let page = fs::read_to_string(example("README.md")).expect("there is a page");
    for path in ["python/receiver.py", "node/receiver.mjs", "php/receiver.php", "go/main.go", "rust/main.rs"] {
        assert!(example(path).exists() && page.contains(&format!("]({path})")), "{path}");
    }
}
