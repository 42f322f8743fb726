//! Receivers that were written for other systems, behind the real binary and real logins: each verifies as its page says, and
//! notices no difference.

mod flat;
mod iacbox;
mod ironwifi;
mod purple;
mod signin;
#[path = "../support/mod.rs"]
mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::daemon::{Config, Daemon};
use support::dialect::{DialectReceiver, Request};
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthOptions, AuthServer, PASSWORD, USER};
use support::radclient::Radclient;
use support::verbs::{Status, radhook, wait_until_status};
use tempfile::TempDir;

/// A device that no other test has.
const MAC: &str = "AA-BB-CC-DD-EE-FF";

/// A FreeRADIUS behind radhook's relay, and radhook taking accounting and posts.
struct Site {
    config: PathBuf,
    daemon: Option<Daemon>,
    server: AuthServer,
    _directory: TempDir,
}

impl Site {
    /// With these endpoints, in TOML. Devices that come again soon are resumed.
    fn start(endpoints: &str) -> Self {
        Self::start_before(AuthOptions::default(), endpoints)
    }

    /// The same, before a FreeRADIUS that does more.
    fn start_before(options: AuthOptions, endpoints: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let server = AuthServer::start_with(options);
        let local =
            format!("[[source]]\ntype = \"local\"\nlisten = \"unix:{}/local.sock\"", directory.path().display());
        let text = Config::new(directory.path(), NAS_SECRET)
            .relay("logins", "127.0.0.1:0", &[server.auth()], "")
            .table(&local)
            .table(endpoints)
            .text()
            .replace("resume_window = \"0s\"", "resume_window = \"5m\"");
        let config = directory.path().join("radhook.toml");
        std::fs::write(&config, text).expect("the config can be written");
        let daemon = Some(Daemon::start(&config));
        Self { config, daemon, server, _directory: directory }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    /// Ends radhook in order and starts it again.
    fn restart(&mut self) {
        assert!(self.daemon.take().expect("it runs").stop().success());
        self.daemon = Some(Daemon::start(&self.config));
    }

    /// Alice logs in by PAP.
    fn login(&self, password: &str) {
        let packet = format!(
            "User-Name = {USER}, User-Password = \"{password}\", NAS-IP-Address = 192.0.2.1, NAS-Identifier = \"lobby-ap-1\", \
             Calling-Station-Id = \"aa:bb:cc:dd:ee:ff\", Called-Station-Id = \"00-11-22-33-44-55:Guest\""
        );
        let answers = Radclient::auth(self.daemon().relay(), NAS_SECRET).send(&[packet]);
        assert_eq!(answers.answered + answers.rejected, 1, "{}", answers.output);
        assert_eq!(answers.answered, usize::from(password == PASSWORD), "{}", answers.output);
    }

    /// Accounting, each in FreeRADIUS's attribute language.
    fn accounting(&self, packets: &[String]) {
        let answers = Radclient::accounting(self.daemon().accounting(), NAS_SECRET).send(packets);
        assert_eq!(answers.lost, 0, "{}", answers.output);
    }

    /// Posts an event; returns its id.
    fn emit(&self, kind: &str, data: &Value) -> String {
        let ended = radhook(&self.config, &["emit", kind, "--data", &data.to_string()]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout.trim().to_owned()
    }

    fn wait_until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        wait_until_status(&self.config, what, wanted)
    }
}

/// One accounting packet of Alice's device.
fn packet(session: &str, status: &str, more: &str) -> String {
    format!(
        "Acct-Status-Type = {status}, User-Name = {USER}, Acct-Session-Id = \"{session}\", NAS-Identifier = \"lobby-ap-1\", \
         NAS-IP-Address = 192.0.2.1, Calling-Station-Id = \"{MAC}\", Called-Station-Id = \"00-11-22-33-44-55:Guest\", {more}"
    )
}

/// All of them, after none of them was found wrong by the receiver or came twice.
#[track_caller]
fn sound(requests: Vec<Request>) -> Vec<Request> {
    for request in &requests {
        assert_eq!((request.verdict.as_str(), request.again), ("valid", false), "{request:#?}");
    }
    requests
}

/// The words in a field of these bodies, in order.
fn words<'b>(bodies: impl IntoIterator<Item = &'b Value>, field: &str) -> Vec<&'b str> {
    bodies.into_iter().map(|body| body[field].as_str().unwrap_or_else(|| panic!("no {field}: {body}"))).collect()
}

/// The same in the order of the alphabet: what is about different things comes in any order.
fn sorted(mut words: Vec<&str>) -> Vec<&str> {
    words.sort_unstable();
    words
}

/// An endpoint of this format that delivers to a receiver.
fn endpoint(name: &str, format: &str, receiver: &DialectReceiver, keys: &str) -> String {
    let url = receiver.url();
    format!("[[endpoint]]\nname = \"{name}\"\nurl = \"{url}\"\nformat = \"{format}\"\n{keys}\n")
}
