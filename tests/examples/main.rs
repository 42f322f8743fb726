//! The complete configs under `examples/`, each run as it stands: only addresses, ports and secrets are those of the test. What
//! receivers get is what the example says, field by field, and so is what they do not get.

mod analytics;
mod billing;
mod door_access;
mod occupancy;
mod siem;
#[path = "../support/mod.rs"]
mod support;
mod ticketing;
mod welcome_mail;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::daemon::Daemon;
use support::freeradius::NAS_SECRET;
use support::freeradius_auth::{AuthOptions, AuthServer, PASSWORD, USER};
use support::https::Authority;
use support::radclient::Radclient;
use support::scripted::{Answer, Scripted};
use support::verbs::{Status, radhook, wait_until_status};
use tempfile::TempDir;

/// A device that no other test has.
const MAC: &str = "AA-BB-CC-DD-EE-FF";

/// What stands in every secret's file but that of RADIUS.
const TOKEN: &str = "sixteen-bytes-or-more";

/// A radhook that runs an example.
struct Site {
    config: PathBuf,
    daemon: Option<Daemon>,
    /// Before which the relay stands, where the example has one.
    _server: Option<AuthServer>,
    _directory: TempDir,
}

impl Site {
    /// Runs `examples/<name>.toml` with a receiver, which is named by scheme, host and port.
    fn start(name: &str, receiver: &str) -> Self {
        Self::start_with(name, receiver, |_| {})
    }

    /// The same in a directory in which more files stand.
    fn start_with(name: &str, receiver: &str, files: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut text = example(name);
        let server = text.contains("127.0.0.1:11812").then(|| {
            // Whoever is called guest is let in without a password of his own.
            let authorize = "if (&User-Name =~ /^guest/) {\nupdate control {\nAuth-Type := Accept\n}\n}".to_owned();
            AuthServer::start_with(AuthOptions { authorize, ..AuthOptions::default() })
        });
        if let Some(server) = &server {
            put(&mut text, "127.0.0.1:11812", &server.auth().to_string());
        }
        for listen in ["0.0.0.0:1812", "0.0.0.0:1813"] {
            text = text.replace(listen, "127.0.0.1:0");
        }
        put(&mut text, "10.0.0.0/8", "127.0.0.1");
        let url = text.find("url = \"https://").expect("the example has a URL") + "url = \"".len();
        let end = url + "https://".len();
        let end = end + text[end..].find('/').expect("it has a path");
        text.replace_range(url..end, receiver);
        let here = directory.path().display();
        text += &format!("\n[store]\npath = \"{here}/data\"\n\n[admin]\nlisten = \"unix:{here}/admin.sock\"\n");
        for secret in secrets(&text) {
            secret_file(&directory.path().join(&secret), if secret == "radius-secret" { NAS_SECRET } else { TOKEN });
        }
        files(directory.path());
        let config = directory.path().join("radhook.toml");
        fs::write(&config, text).expect("the config can be written");
        let daemon = Some(Daemon::start(&config));
        Self { config, daemon, _server: server, _directory: directory }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    /// Ends radhook in order and starts it again.
    fn restart(&mut self) {
        assert!(self.daemon.take().expect("it runs").stop().success());
        self.daemon = Some(Daemon::start(&self.config));
    }

    /// Somebody logs in with a device by PAP; whether they were let in.
    fn login(&self, user: &str, password: &str, mac: &str) -> bool {
        let packet = format!(
            "User-Name = \"{user}\", User-Password = \"{password}\", NAS-IP-Address = 192.0.2.1, \
             NAS-Identifier = \"lobby-ap-1\", Calling-Station-Id = \"{mac}\", \
             Called-Station-Id = \"00-11-22-33-44-55:Guest\""
        );
        let answers = Radclient::auth(self.daemon().relay(), NAS_SECRET).send(&[packet]);
        assert_eq!(answers.answered + answers.rejected, 1, "{}", answers.output);
        answers.answered == 1
    }

    /// Accounting, each in FreeRADIUS's attribute language, one after the other.
    fn accounting(&self, packets: &[String]) {
        let answers = Radclient::accounting(self.daemon().accounting(), NAS_SECRET).send(packets);
        assert_eq!(answers.lost, 0, "{}", answers.output);
    }

    /// Runs a verb, which must end well.
    fn radhook(&self, words: &[&str]) {
        let ended = radhook(&self.config, words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
    }

    fn wait_until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        wait_until_status(&self.config, what, wanted)
    }

    /// Waits until an endpoint was offered so many events and has none left; returns how many were delivered and filtered.
    fn settled(&self, endpoint: &str, received: u64) -> (u64, u64) {
        let status = self.wait_until("all is settled", |status| {
            let endpoint = status.endpoint(endpoint);
            endpoint.received == received && endpoint.pending == 0
        });
        let endpoint = status.endpoint(endpoint);
        (endpoint.delivered, endpoint.filtered)
    }
}

/// Every example there is, by the name of its file without `.toml`.
fn examples() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = fs::read_dir(directory).expect("it can be read");
    let names = entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("names are text"));
    let mut names: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn every_example_is_good_as_it_stands_and_listed() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("radhook");
    let page = fs::read_to_string(file("README.md")).expect("it can be read");
    let names = examples();
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("({name}.toml)")), "{name}.toml is not in examples/README.md");
        let text = example(&name);
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for word in files(&text) {
            let content = match word.as_str() {
                "radhook-key.pem" => key.serialize_pem(),
                "users.csv" => "username,email\n".to_owned(),
                pem if pem.ends_with(".pem") => certificate.pem(),
                shipped if file(shipped).exists() => fs::read_to_string(file(shipped)).expect("it can be read"),
                _ => TOKEN.to_owned(),
            };
            secret_file(&directory.path().join(word), &content);
        }
        let config = directory.path().join("radhook.toml");
        fs::write(&config, text).expect("the config can be written");
        let ended = radhook(&config, &["check"]);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("endpoint ") && !said.contains("warning"), "{name}: {said}");
    }
}

/// The words in quotes of a config that are files beside it.
fn files(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_file = |word: &&str| {
        let ends = [".pem", ".csv", ".json", ".key", "-secret", "-token", "-key", "-password", "-authorization"];
        ends.iter().any(|end| word.ends_with(end)) && !word.contains('/')
    };
    words.filter(is_file).map(str::to_owned).collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// The text of an example.
fn example(name: &str) -> String {
    let file = file(&format!("{name}.toml"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Puts a test's own value where the example has another, which must be there.
#[track_caller]
fn put(text: &mut String, theirs: &str, ours: &str) {
    assert!(text.contains(theirs), "the example has no {theirs}");
    *text = text.replace(theirs, ours);
}

/// The files of `{ file = "…" }`.
fn secrets(text: &str) -> Vec<String> {
    let names = text.split("{ file = \"").skip(1);
    names.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
}

fn secret_file(path: &Path, content: &str) {
    fs::write(path, content).expect("it can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// A receiver that takes everything.
fn receiver() -> Scripted {
    Scripted::start(|_| Answer(204, &[]))
}

/// Scheme, host and port of it.
fn origin(receiver: &Scripted) -> &str {
    receiver.url().trim_end_matches('/')
}

/// One accounting packet.
fn packet(user: &str, session: &str, status: &str, more: &str) -> String {
    format!(
        "Acct-Status-Type = {status}, User-Name = \"{user}\", Acct-Session-Id = \"{session}\", \
         NAS-IP-Address = 192.0.2.1, {more}"
    )
}
