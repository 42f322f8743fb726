//! A real FreeRADIUS in debug mode, for tests that read what it says about each packet.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// Where its dictionaries are installed.
pub const DICTIONARIES: &str = "/usr/share/freeradius";

/// How long it may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running FreeRADIUS whose debug output is read line by line. It is ended when dropped.
pub struct Debugged {
    child: Child,
    port: u16,
    lines: Mutex<mpsc::Receiver<String>>,
    _directory: tempfile::TempDir,
}

impl Debugged {
    /// Starts it on a free port, with what `sections` makes of that port behind the settings that every test shares, and
    /// waits until it is ready.
    pub fn start(sections: impl FnOnce(u16) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        // FreeRADIUS cannot be asked to choose a port and tell.
        let port = super::free_udp_port();
        let at = directory.path().display();
        let config = format!(
            "prefix = /usr\nname = freeradius\nlogdir = {at}\nrun_dir = {at}\npidfile = {at}/pid\n\
             client loopback {{\n ipaddr = 127.0.0.1\n secret = s3cret\n}}\n{}",
            sections(port)
        );
        std::fs::write(directory.path().join("radiusd.conf"), config).expect("a file can be written");
        let mut child = Command::new("/usr/sbin/freeradius")
            .args(["-f", "-X", "-D", DICTIONARIES, "-d"])
            .arg(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("freeradius does not start: {error}; tests/run installs what is missing"));
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let server = Self { child, port, lines: Mutex::new(lines), _directory: directory };
        server.lines_until("Ready to process requests");
        server
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Reads up to the line that holds these words, and answers with those before it.
    pub fn lines_until(&self, words: &str) -> Vec<String> {
        let output = self.lines.lock().expect("no reader has panicked");
        let mut lines = Vec::new();
        loop {
            let line = output.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("FreeRADIUS never says \"{words}\""));
            if line.contains(words) {
                return lines;
            }
            lines.push(line);
        }
    }
}

impl Drop for Debugged {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A text as FreeRADIUS prints it: in quotes, with what would break out of them escaped.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control @ ('\0'..' ' | '\x7f') => quoted.push_str(&format!("\\{:03o}", u32::from(control))),
            character => quoted.push(character),
        }
    }
    quoted + "\""
}
