//! The verbs that talk to a running daemon, through the real binary.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

/// How long a test waits for a state before it gives up: reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at a state.
const PAUSE: Duration = Duration::from_millis(10);

/// What a verb came to.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Ended {
    /// Its lines, each a JSON object, after it ended well.
    pub fn json(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
    }
}

/// Runs a verb on this config to its end.
pub fn radhook(config: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    let output = command.args(words).arg("--config").arg(config).output().expect("the binary starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("it complains in UTF-8"),
    }
}

/// What `radhook status --json` says.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    pub ready: bool,
    pub refusal: Option<Refusal>,
    pub open_sessions: u64,
    pub store: Value,
    #[serde(skip)]
    pub endpoints: Vec<Endpoint>,
}

/// Why nothing is acknowledged.
#[derive(Debug, Clone, Deserialize)]
pub struct Refusal {
    pub error: String,
}

/// One endpoint's line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Endpoint {
    pub name: String,
    pub state: String,
    pub received: u64,
    pub delivered: u64,
    pub pending: u64,
    pub dead: u64,
    pub filtered: u64,
    pub coalesced: u64,
    pub interrupted: u64,
    pub in_flight: u64,
    pub last_error: Option<String>,
}

impl Status {
    /// An endpoint by its name.
    pub fn endpoint(&self, name: &str) -> &Endpoint {
        let found = self.endpoints.iter().find(|endpoint| endpoint.name == name);
        found.unwrap_or_else(|| panic!("status names no endpoint {name}: {self:?}"))
    }
}

impl Endpoint {
    /// Promise 4: whatever came in is somewhere.
    pub fn assert_adds_up(&self) {
        let accounted_for = self.delivered + self.pending + self.dead + self.filtered + self.coalesced;
        assert_eq!(self.received, accounted_for, "{self:?}");
    }
}

/// The daemon's status now; every endpoint's equation is checked on the way.
pub fn status(config: &Path) -> Status {
    try_status(config).unwrap_or_else(|ended| panic!("status failed: {ended:?}"))
}

/// As [`status`]; what the verb said instead, where the daemon does not answer.
pub fn try_status(config: &Path) -> Result<Status, Ended> {
    let ended = radhook(config, &["status", "--json"]);
    if ended.code != 0 {
        return Err(ended);
    }
    let mut lines = ended.json().into_iter();
    let read = "status --json has the documented fields";
    let mut status: Status = serde_json::from_value(lines.next().expect("a line for the daemon")).expect(read);
    status.endpoints = lines.map(|line| serde_json::from_value(line).expect(read)).collect();
    status.endpoints.iter().for_each(Endpoint::assert_adds_up);
    Ok(status)
}

/// Looks again and again until `look` finds what it wants.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::sleep(PAUSE);
    }
}

/// Waits until the status is as wanted; fails with the last one seen.
pub fn wait_until_status(config: &Path, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = status(config);
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}; at last {status:#?}");
        thread::sleep(PAUSE);
    }
}
