//! The real binary: `radhook run` on free loopback ports, and the config it runs on.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use nix::sys::signal::Signal;

use super::process::{PATIENCE, Process, Stream};

/// A running `radhook run`; ended when dropped (SIGTERM, then SIGKILL).
pub struct Daemon {
    process: Process,
    accounting: Vec<SocketAddr>,
    relay: Vec<SocketAddr>,
    admin: Vec<String>,
}

impl Daemon {
    /// Starts it on a config file and waits until it is ready.
    pub fn start(config: &Path) -> Self {
        Self::try_start(config).unwrap_or_else(|output| panic!("radhook ended before it was ready:\n{output}"))
    }

    /// As [`Daemon::start`]; when it ends before it is ready, everything it printed, for tests of what it refuses.
    pub fn try_start(config: &Path) -> Result<Self, String> {
        Self::try_start_program(Path::new(env!("CARGO_BIN_EXE_radhook")), config)
    }

    /// As [`Daemon::try_start`], with another program that behaves like `radhook run`.
    pub fn try_start_program(program: &Path, config: &Path) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["run", "--config"]).arg(config);
        Self::try_start_command(command)
    }

    /// As [`Daemon::try_start`], by a command of the test's own that becomes `radhook run`.
    pub fn try_start_command(mut command: Command) -> Result<Self, String> {
        let process = Process::start("radhook run", &mut command);
        let line = process.wait_for("the ready line", |lines| {
            lines
                .iter()
                .find(|(stream, line)| *stream == Stream::Stderr && is_ready(line))
                .map(|(_, line)| line.clone())
        });
        let Some(line) = line else { return Err(process.transcript()) };
        let udp = |key: &str| bound(&line, key).map(|at| at.parse().expect("an address and port")).collect();
        let admin = bound(&line, "admin").map(str::to_owned).collect();
        Ok(Self { process, accounting: udp("accounting"), relay: udp("relay"), admin })
    }

    /// The first address it takes accounting on.
    pub fn accounting(&self) -> SocketAddr {
        *self.accounting.first().expect("the ready line names an accounting address")
    }

    /// Every address it takes accounting on, in the order of the config.
    pub fn accounting_addresses(&self) -> &[SocketAddr] {
        &self.accounting
    }

    /// The first address it relays from.
    pub fn relay(&self) -> SocketAddr {
        *self.relay.first().expect("the ready line names a relay's address")
    }

    /// Every address it relays from, in the order of the config.
    pub fn relay_addresses(&self) -> &[SocketAddr] {
        &self.relay
    }

    /// Where its admin API listens: `unix:/path` or `ip:port`.
    pub fn admin(&self) -> &[String] {
        &self.admin
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has logged so far.
    pub fn stderr(&self) -> Vec<String> {
        self.process.lines(Stream::Stderr)
    }

    /// What it has printed on stdout, which should be nothing.
    pub fn stdout(&self) -> Vec<String> {
        self.process.lines(Stream::Stdout)
    }

    /// Waits until its log holds a line with `text`, and returns the first such line.
    pub fn wait_until_log(&self, text: &str) -> String {
        self.process.wait_until_line(&format!("{text:?}"), |line| line.contains(text))
    }

    /// Asks it to end in order and returns how it ended.
    ///
    /// It may let requests finish and makes a checkpoint, so it is killed later than others.
    pub fn stop(mut self) -> ExitStatus {
        self.process.terminate_within(PATIENCE)
    }

    /// Asks it to end in order, without waiting for it.
    pub fn ask_to_end(&self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// Waits until it ends by itself, and returns how.
    pub fn wait_until_exit(mut self) -> ExitStatus {
        self.process.wait_until_exit()
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill9(mut self) {
        self.process.kill9();
    }
}

fn is_ready(line: &str) -> bool {
    line == "ready" || line.starts_with("ready ")
}

/// The values of `key=value` words of the ready line.
fn bound<'a>(line: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    line.split_whitespace().filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
}

/// A config file for tests, written piece by piece as TOML. What it does not set has radhook's own defaults.
#[derive(Debug, Clone)]
pub struct Config {
    directory: PathBuf,
    top: String,
    store: String,
    admin: String,
    sessions: String,
    tables: String,
}

impl Config {
    /// One accounting source on a free loopback port, the client 127.0.0.1 with `secret`, the admin socket and the store
    /// inside `directory`, which the caller keeps.
    pub fn new(directory: &Path, secret: &str) -> Self {
        Self::bare(directory).accounting("127.0.0.1:0").client("test", "127.0.0.1", secret)
    }

    /// Only the store and the admin socket, both inside `directory`.
    pub fn bare(directory: &Path) -> Self {
        let store = format!("path = {}\n", quoted(directory.join("data")));
        let admin = format!("[admin]\nlisten = {}\n", quoted(format!("unix:{}/admin.sock", directory.display())));
        // Tests that count events have devices that come again at once.
        let sessions = "resume_window = \"0s\"\n".to_owned();
        Self { directory: directory.to_owned(), top: String::new(), store, admin, sessions, tables: String::new() }
    }

    /// Adds a line to `[store]`, such as `max_size = "1MiB"`.
    pub fn store(mut self, line: &str) -> Self {
        let _ = writeln!(self.store, "{line}");
        self
    }

    /// Adds a line to `[sessions]`, such as `remember = "1m"`.
    pub fn sessions(mut self, line: &str) -> Self {
        let _ = writeln!(self.sessions, "{line}");
        self
    }

    /// Adds a line above all tables, such as `node = "radhook-1"`.
    pub fn top(mut self, line: &str) -> Self {
        let _ = writeln!(self.top, "{line}");
        self
    }

    /// Puts the store elsewhere, such as on a small disk.
    pub fn store_path(mut self, path: &Path) -> Self {
        self.store = format!("path = {}\n", quoted(path));
        self
    }

    /// Replaces the `[admin]` table.
    pub fn admin(mut self, toml: &str) -> Self {
        self.admin = format!("{toml}\n");
        self
    }

    /// Adds an accounting source.
    pub fn accounting(self, listen: &str) -> Self {
        let listen = quoted(listen);
        self.table(&format!("[[source]]\ntype = \"accounting\"\nlisten = {listen}"))
    }

    /// Adds a relay to these servers. `more` is further keys of it, one a line.
    pub fn relay(self, name: &str, listen: &str, upstream: &[SocketAddr], more: &str) -> Self {
        let upstream: Vec<String> = upstream.iter().map(|server| quoted(server.to_string())).collect();
        let (name, listen, upstream) = (quoted(name), quoted(listen), upstream.join(", "));
        self.table(&format!(
            "[[source]]\ntype = \"relay\"\nname = {name}\nlisten = {listen}\nupstream = [{upstream}]\n{more}"
        ))
    }

    /// Adds a client.
    pub fn client(self, name: &str, address: &str, secret: &str) -> Self {
        let (name, address, secret) = (quoted(name), quoted(address), quoted(secret));
        self.table(&format!("[[client]]\nname = {name}\naddress = {address}\nsecret = {secret}"))
    }

    /// Adds an endpoint signed by the `standard` scheme. `more` is further keys of it, one a line.
    pub fn endpoint(self, name: &str, url: &str, secret: &str, more: &str) -> Self {
        let (name, url, secret) = (quoted(name), quoted(url), quoted(secret));
        let signature = format!("signature = {{ scheme = \"standard\", secret = {secret} }}");
        self.table(&format!("[[endpoint]]\nname = {name}\nurl = {url}\n{signature}\n{more}"))
    }

    /// Adds any table, header and all.
    pub fn table(mut self, toml: &str) -> Self {
        let _ = write!(self.tables, "\n{toml}\n");
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let Self { top, store, admin, sessions, tables, .. } = self;
        format!("{top}[store]\n{store}\n{admin}[sessions]\n{sessions}{tables}")
    }

    /// Writes `radhook.toml` into the directory and returns its path.
    pub fn write(&self) -> PathBuf {
        let path = self.directory.join("radhook.toml");
        fs::write(&path, self.text()).expect("the config can be written");
        path
    }
}

/// A TOML string of anything that is shown as text.
fn quoted(text: impl AsRef<Path>) -> String {
    let text = text.as_ref().to_str().expect("test values are UTF-8");
    toml::Value::from(text).to_string()
}
