//! `radclient` of package freeradius-utils: a second implementation's NAS.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, Stream};

/// One call of `radclient`, which sends what it is given and waits for the answers.
pub struct Radclient {
    server: SocketAddr,
    command: &'static str,
    secret: String,
    parallel: usize,
    retries: u32,
    timeout_seconds: f32,
}

/// What `radclient` says came of it, and every line it printed.
#[derive(Debug)]
pub struct Answers {
    /// Packets answered. On an accounting port every answer is an Accounting-Response; a reject or NAK is none.
    pub answered: usize,
    /// Packets answered by Access-Reject, CoA-NAK or Disconnect-NAK.
    pub rejected: usize,
    /// Packets without an authentic answer after all retries. One at a time, radclient gives up on what follows the first
    /// of them, and those count too.
    pub lost: usize,
    /// The answers in order of arrival: the packet's name, then its attributes as radclient prints them.
    pub replies: Vec<Vec<String>>,
    /// All it printed.
    pub output: String,
}

impl Radclient {
    /// For an accounting port: one packet at a time, three tries of three seconds.
    pub fn accounting(server: SocketAddr, secret: &str) -> Self {
        Self::new(server, "acct", secret)
    }

    /// For logins: PAP, CHAP and MS-CHAP by what the packet holds. `CHAP-Password` and `MS-CHAP-Password` are written in
    /// clear text, and radclient makes of them what goes over the wire.
    pub fn auth(server: SocketAddr, secret: &str) -> Self {
        Self::new(server, "auth", secret)
    }

    /// For CoA-Request and Disconnect-Request (RFC 5176): what each packet is stands in its `Packet-Type`.
    pub fn dynamic_authorization(server: SocketAddr, secret: &str) -> Self {
        Self::new(server, "auto", secret)
    }

    /// For Status-Server (RFC 5997) to an accounting or authentication port.
    pub fn status(server: SocketAddr, secret: &str) -> Self {
        Self::new(server, "status", secret)
    }

    fn new(server: SocketAddr, command: &'static str, secret: &str) -> Self {
        Self { server, command, secret: secret.to_owned(), parallel: 1, retries: 3, timeout_seconds: 3.0 }
    }

    /// How many packets are under way at once.
    pub fn parallel(mut self, packets: usize) -> Self {
        self.parallel = packets;
        self
    }

    /// How often each packet is sent, and how long each time is waited for its answer.
    pub fn tries(mut self, tries: u32, timeout_seconds: f32) -> Self {
        self.retries = tries;
        self.timeout_seconds = timeout_seconds;
        self
    }

    /// Sends packets written in FreeRADIUS's attribute language: one `Name = value, …` list a packet.
    pub fn send(&self, packets: &[String]) -> Answers {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        // Its own dictionary directory, since the system's is not readable for everybody.
        fs::write(directory.path().join("dictionary"), "").expect("a file can be written there");
        let input = self.input(&directory, packets);
        let mut radclient = Process::start(
            "radclient",
            Command::new("radclient")
                .arg("-d")
                .arg(directory.path())
                .arg("-f")
                .arg(input)
                .args(["-x", "-s", "-p", &self.parallel.to_string()])
                .args(["-r", &self.retries.to_string(), "-t", &self.timeout_seconds.to_string()])
                .args([&self.server.to_string(), self.command, &self.secret]),
        );
        // Its exit code is 1 when anything was lost; the counts tell more.
        radclient.wait_until_exit();
        let output = radclient.transcript();
        let lines = radclient.lines(Stream::Stdout);
        let count = |what: &str| -> usize {
            let counted = lines.iter().find_map(|line| line.trim().strip_prefix(what)?.trim().strip_prefix(':'));
            let number = counted.and_then(|count| count.trim().parse().ok());
            number.unwrap_or_else(|| panic!("radclient does not count {what}:\n{output}"))
        };
        let (answered, rejected) = (count("Accepted"), count("Rejected"));
        let lost = packets.len() - answered - rejected;
        Answers { answered, rejected, lost, replies: replies(&lines), output }
    }

    fn input(&self, directory: &TempDir, packets: &[String]) -> PathBuf {
        let path = directory.path().join("packets");
        fs::write(&path, packets.join("\n\n") + "\n").expect("a file can be written there");
        path
    }
}

fn replies(lines: &[String]) -> Vec<Vec<String>> {
    let mut replies: Vec<Vec<String>> = Vec::new();
    let mut inside = false;
    for line in lines {
        if let Some(rest) = line.strip_prefix("Received ") {
            replies.push(vec![rest.split(' ').next().unwrap_or_default().to_owned()]);
            inside = true;
        } else if inside && let Some(attribute) = line.strip_prefix('\t') {
            replies.last_mut().expect("a reply has begun").push(attribute.to_owned());
        } else {
            inside = false;
        }
    }
    replies
}

/// Start, `interims` updates and Stop of one session of `user`, in order.
pub fn session(user: &str, session: &str, interims: usize) -> Vec<String> {
    let packet = |status: &str, seconds: usize| {
        format!(
            "Acct-Status-Type = {status}, User-Name = \"{user}\", Acct-Session-Id = \"{session}\", \
             NAS-Identifier = \"lobby-ap-1\", NAS-IP-Address = 192.0.2.1, NAS-Port = 7, \
             Calling-Station-Id = \"AA-BB-CC-DD-EE-FF\", Called-Station-Id = \"00-11-22-33-44-55:Guest\", \
             Acct-Session-Time = {seconds}, Acct-Input-Octets = {octets}, Acct-Output-Octets = {octets}",
            octets = seconds * 1000,
        )
    };
    let mut packets = vec![packet("Start", 0)];
    packets.extend((1..=interims).map(|number| packet("Interim-Update", number * 300)));
    packets.push(packet("Stop", (interims + 1) * 300));
    packets
}
