//! A child process whose output is collected line by line and can be waited on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a test waits for a line or an exit before it gives up: far beyond what a loaded machine needs, since it is
/// reached only by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process may take to end after SIGTERM before it is killed.
const TERM_PATIENCE: Duration = Duration::from_secs(10);

/// A running program. Dropped, it is ended: SIGTERM, and SIGKILL when that does not help.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Output>,
}

/// Which of its two streams a program printed a line to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Default)]
struct Output {
    state: Mutex<OutputState>,
    changed: Condvar,
}

#[derive(Default)]
struct OutputState {
    lines: Vec<(Stream, String)>,
    /// Streams that have come to their end.
    closed: usize,
}

impl Process {
    /// Starts a program. `name` is what failures call it. Its standard input is empty.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start ({error}); tests/run installs what is missing"));
        let output = Arc::new(Output::default());
        collect(Stream::Stdout, child.stdout.take().expect("stdout is piped"), output.clone());
        collect(Stream::Stderr, child.stderr.take().expect("stderr is piped"), output.clone());
        Self { name: name.to_owned(), child, output }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it printed so far to one of its streams.
    pub fn lines(&self, stream: Stream) -> Vec<String> {
        let state = self.output.lock();
        state.lines.iter().filter(|(of, _)| *of == stream).map(|(_, line)| line.clone()).collect()
    }

    /// Everything it printed so far, both streams, for messages.
    pub fn transcript(&self) -> String {
        self.output.lock().transcript()
    }

    /// Waits until a line of either stream satisfies `wanted`, counting from the first line ever printed, and returns it.
    /// `None` when the program ended without printing it.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.wait_for(&format!("a line of {}", self.name), |lines| {
            lines.iter().find(|(_, line)| wanted(line)).map(|(_, line)| line.clone())
        })
    }

    /// As [`Process::wait_for_line`], and fails the test with everything the program printed when it ends without it.
    pub fn wait_until_line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.wait_for_line(wanted)
            .unwrap_or_else(|| panic!("{} ended before it printed {what}:\n{}", self.name, self.transcript()))
    }

    /// Waits until `pick` finds in all lines printed so far what it wants; `None` when the program's output ends first.
    pub fn wait_for<T>(&self, what: &str, pick: impl Fn(&[(Stream, String)]) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.output.lock();
        loop {
            if let Some(found) = pick(&state.lines) {
                return Some(found);
            }
            if state.closed == 2 {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let printed = state.transcript();
                // Let go first: the drop that ends the process wants it too, and a panic in there would hide this one.
                drop(state);
                panic!("waited {PATIENCE:?} for {what}; it printed:\n{printed}");
            }
            state = self.output.changed.wait_timeout(state, left).expect("no reader panics").0;
        }
    }

    /// Waits until it ends by itself.
    pub fn wait_until_exit(&mut self) -> ExitStatus {
        assert!(self.closes_within(PATIENCE), "{} still runs after {PATIENCE:?}:\n{}", self.name, self.transcript());
        self.child.wait().expect("a child can be waited for")
    }

    /// Asks it to end (SIGTERM), kills it when it does not in time, and returns how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.terminate_within(TERM_PATIENCE)
    }

    /// As [`Process::terminate`], with a patience of one's own.
    pub fn terminate_within(&mut self, patience: Duration) -> ExitStatus {
        if let Ok(Some(status)) = self.child.try_wait() {
            return status;
        }
        self.signal(Signal::SIGTERM);
        if !self.closes_within(patience) {
            eprintln!("{} did not end within {patience:?} of SIGTERM and is killed", self.name);
            self.signal(Signal::SIGKILL);
        }
        self.child.wait().expect("a child can be waited for")
    }

    /// Ends it in the middle of whatever it does (SIGKILL).
    pub fn kill9(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("a child can be waited for");
    }

    /// Sends it a signal. The process has not been waited for, so the id is still its own.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("process ids fit an i32"));
        // It may have ended by itself in the meantime: then there is nothing left to signal.
        let _ = kill(pid, signal);
    }

    /// Whether both its streams end in time, which they do when it exits.
    fn closes_within(&self, patience: Duration) -> bool {
        let state = self.output.lock();
        let waited = self.output.changed.wait_timeout_while(state, patience, |state| state.closed < 2);
        !waited.expect("no reader panics").1.timed_out()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.terminate();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, OutputState> {
        self.state.lock().expect("no reader panics")
    }
}

impl OutputState {
    fn transcript(&self) -> String {
        self.lines.iter().map(|(stream, line)| format!("  {stream:?}: {line}\n")).collect()
    }
}

/// Reads one stream to its end on a thread of its own, so that the program never blocks on a full pipe.
fn collect(stream: Stream, pipe: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut bytes) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            output.lock().lines.push((stream, line));
            output.changed.notify_all();
        }
        output.lock().closed += 1;
        output.changed.notify_all();
    });
}
