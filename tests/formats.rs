//! Formats through the real binary, read by other people's programs: CloudEvents by the project's own package.

mod support;

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use radhook::deliver::options::Format;
use serde_json::{Value, json};
use support::daemon::{Config, Daemon};
use support::fixture;
use support::http_sink::HttpSink;
use support::process::{Process, Stream};
use support::standard::python;
use support::traffic::Traffic;
use support::verbs::{radhook, wait_until_status};
use support::witness::SECRET;

const NAS: &str = "nas-to-radhook";

/// Names that break out of a header or a line where somebody does not look.
const HOSTILE: [&str; 5] = ["a\r\nX-Evil: 1", "100% \"sure\"", "ёж 🦔", "\u{7f}", "o'neill@example.org"];

/// `tests/receivers/cloud.py`, running.
struct CloudReceiver {
    process: Process,
    url: String,
}

impl CloudReceiver {
    fn start() -> Self {
        let mut command = Command::new(python());
        command.arg(fixture("receivers/cloud.py")).env("WEBHOOK_SECRET", SECRET);
        let process = Process::start("cloud.py", &mut command);
        let ready = process.wait_until_line("its port", |line| line.starts_with("ready "));
        let url = format!("http://127.0.0.1:{}/", &ready["ready ".len()..]);
        Self { process, url }
    }

    /// Waits until it has read so many events, and returns all; none may have had a problem.
    fn wait_until_events(&self, count: usize) -> Vec<Value> {
        let read = |lines: &[(Stream, String)]| {
            let lines = lines.iter().filter(|(stream, line)| *stream == Stream::Stdout && line.starts_with('{'));
            let events: Vec<Value> =
                lines.map(|(_, line)| serde_json::from_str(line).expect("it prints JSON")).collect();
            assert!(events.iter().all(|event| event["problem"].is_null()), "{events:#?}");
            (events.len() >= count).then_some(events)
        };
        self.process.wait_for(&format!("{count} events"), read).expect("it runs until it is ended")
    }
}

/// A daemon that takes accounting and posts, and sends to `url` in this format.
fn daemon(directory: &Path, url: &str, format: Format, keys: &str) -> (std::path::PathBuf, Daemon) {
    let listen = format!("unix:{}/local.sock", directory.display());
    let more = format!("format = \"{format}\"\nevents = [\"*\"]\nheaders = {{ X-Site = \"lobby\" }}\n{keys}");
    let config = Config::new(directory, NAS)
        .top("node = \"radhook-1\"")
        .table(&format!("[[source]]\ntype = \"local\"\nlisten = \"{listen}\""))
        .endpoint("crm", url, SECRET, &more)
        .write();
    let daemon = Daemon::start(&config);
    (config, daemon)
}

/// A session from start to stop, and a post about each hostile name; what stands in the store of it, by id.
fn play(config: &Path, daemon: &Daemon) -> Vec<Value> {
    Traffic::new(daemon.accounting(), NAS, 1, 7).play_to_the_end();
    for name in HOSTILE {
        let data = json!({ "user": { "name": name } }).to_string();
        assert_eq!(radhook(config, &["emit", "user.created", "--data", &data]).code, 0);
    }
    wait_until_status(config, "all is delivered", |status| status.endpoint("crm").delivered == 9);
    radhook(config, &["events", "list", "--json"]).json()
}

/// Whether an event as the package read it says what the stored one does.
fn assert_same(read: &Value, stored: &Value) {
    let attributes = &read["attributes"];
    assert_eq!(read["data"], stored["data"]);
    let source = &stored["source"];
    assert_eq!(attributes["type"], stored["type"]);
    assert_eq!(attributes["source"], format!("/radhook-1/{}", source["name"].as_str().expect("a source has a name")));
    let time = |value: &Value| value.as_str().expect("a time").parse::<Timestamp>().expect("RFC 3339");
    assert_eq!(time(&attributes["time"]), time(&stored["timestamp"]));
    assert_eq!(attributes["datacontenttype"], "application/json");
    for (attribute, field) in [("sourcetype", "type"), ("sourceclient", "client"), ("sourceaddress", "address")] {
        assert_eq!(attributes[attribute], source[field], "{read:#}");
    }
    assert_eq!(attributes["receivedat"], source["received_at"]);
    let name = stored["data"]["user"]["name"].as_str().expect("every event here names its user");
    let shown: String = name.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    assert_eq!(attributes["subject"], shown);
}

fn events_arrive(format: Format, mode: &str) {
    events_arrive_with(format, mode, "");
}

/// As [`events_arrive`], with further keys of the endpoint.
fn events_arrive_with(format: Format, mode: &str, keys: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let receiver = CloudReceiver::start();
    let (config, daemon) = daemon(directory.path(), &receiver.url, format, keys);
    let stored = play(&config, &daemon);

    let read = receiver.wait_until_events(9);

    assert_eq!((read.len(), stored.len()), (9, 9));
    for event in &read {
        assert_eq!(event["mode"], mode);
        let same = stored.iter().find(|stored| stored["id"] == event["attributes"]["id"]);
        assert_same(event, same.expect("its id is that of a stored event"));
    }
    assert!(daemon.stop().success());
}

#[test]
fn structured_cloudevents_are_read_by_their_own_package() {
    events_arrive(Format::CloudEvents, "structured");
}

#[test]
fn binary_cloudevents_are_read_by_their_own_package_whatever_users_are_called() {
    events_arrive(Format::CloudEventsBinary, "binary");
}

#[test]
fn a_batch_of_cloudevents_is_read_by_their_own_package() {
    events_arrive_with(Format::CloudEvents, "batch", "batch = { max_events = 4 }");
}

#[test]
fn ndjson_is_the_stored_event_on_a_line_of_its_own() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let sink = HttpSink::start();
    let (config, daemon) = daemon(directory.path(), &sink.url(), Format::Ndjson, "");
    let stored = play(&config, &daemon);
    for _ in 0..9 {
        let body = sink.wait_until_body();
        let line = body.strip_suffix(b"\n").expect("the line is ended");
        assert!(!line.contains(&b'\n'));
        let event: Value = serde_json::from_slice(line).expect("it is JSON");
        assert!(stored.contains(&event), "{event:#}");
    }
    assert!(daemon.stop().success());
}
