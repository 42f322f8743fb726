//! `tests/receivers/standard.py` and `standard.mjs`: receivers that verify with other people's implementations of the
//! signature.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::fixture;
use super::process::{Process, Stream};
use super::schema::assert_native_body;

/// A running receiver; ended when dropped.
pub struct StandardReceiver {
    process: Process,
    port: u16,
}

/// One request, as the receiver reports it.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// The `webhook-id` header.
    pub id: Option<String>,
    /// `valid`, or what is wrong with it.
    pub verdict: String,
    /// How it was answered.
    pub status: u16,
    /// The event's type; absent when the request is not valid.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The event's timestamp.
    pub timestamp: Option<String>,
    /// The event's `data.session.id`.
    pub session: Option<String>,
    /// The whole event.
    #[serde(default)]
    pub body: Value,
}

impl StandardReceiver {
    /// Listens on a free loopback port and verifies with `secret` (`whsec_…`).
    pub fn start(secret: &str) -> Self {
        Self::start_on(0, secret)
    }

    /// Listens on a port it had before, as a receiver does that was down for a while.
    pub fn start_on(port: u16, secret: &str) -> Self {
        let mut command = Command::new(python());
        command.arg(fixture("receivers/standard.py")).args(["--port", &port.to_string()]);
        Self::run("standard.py", command, secret)
    }

    /// The one in JavaScript, on a free port.
    pub fn start_in_node(secret: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(fixture("receivers/standard.mjs")).arg(prepared("test-node"));
        Self::run("standard.mjs", command, secret)
    }

    fn run(name: &str, mut command: Command, secret: &str) -> Self {
        let process = Process::start(name, command.env("WEBHOOK_SECRET", secret));
        let ready = process.wait_until_line("its port", |line| line.starts_with("ready "));
        let port = ready["ready ".len()..].parse().expect("ready is followed by the port");
        Self { process, port }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to deliver to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// What it received so far.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.process.lines(Stream::Stdout).iter().filter_map(|line| delivery(line)).collect()
    }

    /// Waits until it has received at least `count` requests, valid or not, and returns all of them.
    pub fn wait_until_deliveries(&self, count: usize) -> Vec<Delivery> {
        let enough = |lines: &[(Stream, String)]| {
            let reported = |(stream, line): &&(Stream, String)| *stream == Stream::Stdout && line.starts_with('{');
            (lines.iter().filter(reported).count() >= count).then_some(())
        };
        self.process
            .wait_for(&format!("{count} deliveries"), enough)
            .unwrap_or_else(|| panic!("the receiver ended:\n{}", self.process.transcript()));
        self.deliveries()
    }
}

fn delivery(line: &str) -> Option<Delivery> {
    line.starts_with('{').then(|| {
        let delivery: Delivery = serde_json::from_str(line).expect("the receiver prints one delivery a line");
        assert_native_body(delivery.body.to_string().as_bytes());
        delivery
    })
}

/// The interpreter of the environment that tests/run makes beside the build.
pub fn python() -> PathBuf {
    prepared("test-python/bin/python")
}

/// What tests/run makes beside the build.
fn prepared(path: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's directory for tests has a parent");
    let path = target.join(path);
    assert!(path.exists(), "{} is missing: `tests/run --prepare` makes it", path.display());
    path
}
