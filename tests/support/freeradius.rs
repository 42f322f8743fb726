//! A real FreeRADIUS 3 with a configuration directory of its own, on a free loopback port, as the present user.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, Stream};
use super::sources::source;
use super::{fixture, free_udp_port};

/// The secret between the NAS (radclient, `radhook simulate`) and FreeRADIUS.
pub const NAS_SECRET: &str = "nas-to-freeradius";

/// The secret between FreeRADIUS and the home server behind it.
pub const HOME_SECRET: &str = "freeradius-to-radhook";

/// What it prints when its sockets are open.
const READY: &str = "Ready to process requests";

/// Starts that may fail because somebody took the port in between.
pub(super) const PORT_TRIES: usize = 5;

/// What FreeRADIUS does with accounting; each has its file under `tests/freeradius/`.
#[derive(Debug, Clone)]
pub enum Accounting {
    /// Answers, and nothing else.
    Nothing,
    /// Proxies every record to the home server, and answers when that has answered.
    Proxy { home: SocketAddr, status_check: StatusCheck },
    /// Posts every record as JSON with rlm_rest (package freeradius-rest), and answers when that was answered.
    Rest { url: String },
    /// Writes detail files.
    Detail,
    /// Writes detail files in which each session has the id that the shipped policy `acct_unique` gives it.
    Unique,
    /// Writes a spool of detail files, from which its own reader feeds the home server.
    Spool { home: SocketAddr },
}

/// How FreeRADIUS finds out that a home server lives again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusCheck {
    /// It does not, it tries again after `revive_interval`.
    None,
    /// Status-Server packets (RFC 5997).
    StatusServer,
    /// A made-up Accounting Stop of user [`STATUS_CHECK_USER`], session "00000000".
    Request,
}

/// The user name in the made-up Stop of [`StatusCheck::Request`].
pub const STATUS_CHECK_USER: &str = "radhook-status-check";

/// A running FreeRADIUS; ended when dropped.
pub struct FreeRadius {
    process: Process,
    directory: TempDir,
    port: u16,
}

impl FreeRadius {
    /// Writes the configuration, starts the server and waits until it serves.
    pub fn start(accounting: &Accounting) -> Self {
        for _ in 0..PORT_TRIES {
            let directory = tempfile::tempdir().expect("a temporary directory can be made");
            let port = free_udp_port();
            accounting.write_config(directory.path(), port);
            if let Some(process) = start_in(directory.path(), command("freeradius")) {
                return Self { process, directory, port };
            }
        }
        panic!("{PORT_TRIES} free ports in a row were taken before freeradius could bind them");
    }

    /// Where it takes accounting, under [`NAS_SECRET`].
    pub fn accounting(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.lines(Stream::Stdout)
    }

    /// Waits until its log holds a line with `text`, and returns the first such line.
    pub fn wait_until_log(&self, text: &str) -> String {
        self.process.wait_until_line(&format!("{text:?}"), |line| line.contains(text))
    }

    /// Where it keeps detail files: `Detail` one directory a client, `Spool` under `radhook/`.
    pub fn radacct(&self) -> PathBuf {
        self.directory.path().join("radacct")
    }
}

impl Accounting {
    fn write_config(&self, directory: &Path, port: u16) {
        let (variant, home, check, url) = match self {
            Self::Nothing => ("nothing.conf", None, StatusCheck::None, None),
            Self::Proxy { home, status_check } => ("proxy.conf", Some(home), *status_check, None),
            Self::Rest { url } => ("rest.conf", None, StatusCheck::None, Some(url)),
            Self::Detail => ("detail.conf", None, StatusCheck::None, None),
            Self::Unique => ("unique.conf", None, StatusCheck::None, None),
            Self::Spool { home } => ("spool.conf", Some(home), StatusCheck::StatusServer, None),
        };
        let home_port = home.map_or(0, SocketAddr::port).to_string();
        let port = port.to_string();
        let policy = source("freeradius", "raddb/policy.d").join("accounting");
        let words = [
            ("@port@", port.as_str()),
            ("@nas_secret@", NAS_SECRET),
            ("@home_port@", &home_port),
            ("@home_secret@", HOME_SECRET),
            ("@response_window@", "2"),
            ("@status_check@", check.keyword()),
            ("@url@", url.map_or("", String::as_str)),
            ("@policy@", policy.to_str().expect("its name is UTF-8")),
        ];
        let write = |template: &str, name: &str| write_template(directory, template, name, &words);
        if let Some(home) = home {
            assert_eq!(home.ip(), Ipv4Addr::LOCALHOST, "home.conf asks for the home server on 127.0.0.1");
            write("home.conf", "home.conf");
        }
        write(variant, "variant.conf");
        write("radiusd.conf", "radiusd.conf");
        // FreeRADIUS wants the directory's own dictionary to be there.
        fs::write(directory.join("dictionary"), "").expect("the dictionary can be written");
    }
}

impl StatusCheck {
    fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StatusServer => "status-server",
            Self::Request => "request",
        }
    }
}

/// Fills in the words of a template under `tests/freeradius/` and writes it into a configuration directory.
pub(super) fn write_template(directory: &Path, template: &str, name: &str, words: &[(&str, &str)]) {
    let template = fs::read_to_string(fixture("freeradius").join(template)).expect("the template is there");
    let text = template.replace("@directory@", directory.to_str().expect("temporary directories have UTF-8 names"));
    let text = words.iter().fold(text, |text, (word, value)| text.replace(word, value));
    fs::write(directory.join(name), text).expect("the configuration can be written");
}

/// A program that may stand where only root's PATH looks.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin");
    command
}

/// Starts the server on a configuration directory and waits until it serves; none when somebody else has its port.
pub(super) fn start_in(directory: &Path, mut command: Command) -> Option<Process> {
    command.arg("-f").args(["-l", "stdout", "-n", "radiusd", "-d"]).arg(directory);
    let process = Process::start("freeradius", &mut command);
    if process.wait_for_line(|line| line.contains(READY)).is_some() {
        return Some(process);
    }
    let transcript = process.transcript();
    assert!(transcript.contains("Address already in use"), "freeradius ended before it was ready:\n{transcript}");
    None
}
