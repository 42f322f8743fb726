//! `tests/receivers/ironwifi.py`, `iacbox.py`, `signin.py` and `purple.py`: receivers that were written for other systems.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use super::fixture;
use super::process::{Process, Stream};

/// A running receiver; ended when dropped.
pub struct DialectReceiver {
    process: Process,
    port: u16,
}

/// One request, as the receiver reports it.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    /// How it came.
    pub method: String,
    /// Where it went.
    pub path: String,
    /// `valid`, or what is wrong with it.
    pub verdict: String,
    /// Whether it holds an id that was taken before.
    pub again: bool,
    /// How it was answered.
    pub status: u16,
    /// Its headers, by their names in small letters.
    pub headers: Value,
    /// What it says; the octets as text, where it is not valid.
    pub body: Value,
}

impl DialectReceiver {
    /// Starts one by its name, with further arguments.
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new("python3");
        command.arg(fixture(&format!("receivers/{name}.py"))).args(arguments).env("WEBHOOK_SECRET", SECRET);
        // What is compiled of the part that they share has no place among the tests.
        let process = Process::start(name, command.env("PYTHONDONTWRITEBYTECODE", "1"));
        let ready = process.wait_until_line("its port", |line| line.starts_with("ready "));
        let port = ready["ready ".len()..].parse().expect("ready is followed by the port");
        Self { process, port }
    }

    /// Where to deliver to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Where tokens are handed out.
    pub fn login(&self) -> String {
        format!("http://127.0.0.1:{}/login", self.port)
    }

    /// How it answers from now on: `{"status": 500}` instead of what its page says, `{}` as that says.
    pub fn told(&self, how: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let length = how.len();
        write!(
            stream,
            "PUT /told HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{how}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.process.lines(Stream::Stdout).iter().filter_map(|line| request(line)).collect()
    }

    /// Waits until it has had at least `count` requests, and returns all of them.
    pub fn wait_until_requests(&self, count: usize) -> Vec<Request> {
        let enough = |lines: &[(Stream, String)]| {
            let requests: Vec<Request> = lines
                .iter()
                .filter(|(stream, _)| *stream == Stream::Stdout)
                .filter_map(|(_, line)| request(line))
                .collect();
            (requests.len() >= count).then_some(requests)
        };
        self.process
            .wait_for(&format!("{count} requests"), enough)
            .unwrap_or_else(|| panic!("the receiver ended:\n{}", self.process.transcript()))
    }
}

/// What `ironwifi.py` verifies with, and the password that `iacbox.py` asks for.
pub const SECRET: &str = "sixteen bytes or more";

fn request(line: &str) -> Option<Request> {
    line.starts_with('{').then(|| serde_json::from_str(line).expect("the receiver prints one request a line"))
}
