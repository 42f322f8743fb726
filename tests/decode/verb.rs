//! Running the verb.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

/// What the verb came to.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Its lines, each a JSON object.
    pub fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect()
    }

    /// The only packet's object, after it ended well.
    pub fn only(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        let mut packets = self.json();
        assert_eq!(packets.len(), 1, "{self:?}");
        packets.remove(0)
    }
}

/// Decodes a file.
pub fn decode(file: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    end(command.arg("decode").args(words).arg(file).stdin(Stdio::null()), &[])
}

/// Decodes what comes from stdin.
pub fn decode_stdin(input: &[u8], words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    end(command.arg("decode").args(words).arg("-").stdin(Stdio::piped()), input)
}

fn end(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut pipe) = pipe {
                // It may stop reading early, at damage.
                let _ = pipe.write_all(input);
            }
        });
        child.wait_with_output().expect("it ends")
    });
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("it complains in UTF-8"),
    }
}
