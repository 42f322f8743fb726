//! The verbs of the laboratory, as the binary runs them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::UdpSocket;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderName;
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use radhook::deliver::options::SignatureOptions;
use radhook::deliver::sign::Signer;
use radhook::secret::Secret;
use radius::core::code::Code;
use radius::core::packet::Packet;
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn radhook(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_radhook"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn standard(secret: &str) -> Signer {
    Signer::new(&SignatureOptions::Standard { secrets: vec![Secret::new(secret).into()] }).unwrap()
}

mod verify {
    use super::*;

    /// Runs `radhook verify` on a body from stdin.
    fn verify(arguments: &[&str], headers: &[(HeaderName, http::HeaderValue)], body: &[u8]) -> Output {
        let mut command = radhook(&["verify"]);
        for (name, value) in headers {
            command.arg("-H").arg(format!("{name}: {}", value.to_str().unwrap()));
        }
        let mut child = command.args(arguments).arg("-").stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(body).unwrap();
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_right_request_is_valid_and_another_body_is_not() {
        let headers = standard(SECRET).sign("e-1", Timestamp::now(), b"{}").unwrap();
        let output = verify(&["--secret", "old", "--secret", SECRET], &headers, b"{}");
        assert_eq!((stdout(&output), output.status.code()), ("valid\n", Some(0)));
        let output = verify(&["--secret", SECRET], &headers, b"{ }");
        assert!(stdout(&output).starts_with("invalid: no signature matches"), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }

    #[test]
    fn age_is_judged_unless_told_otherwise() {
        let headers = standard(SECRET).sign("e-1", Timestamp::from_second(1_614_265_330).unwrap(), b"{}").unwrap();
        let output = verify(&["--secret", SECRET], &headers, b"{}");
        assert!(stdout(&output).contains("s old, and 300 s are allowed"), "{output:?}");
        for any in ["0", "0s", "36500d"] {
            let output = verify(&["--secret", SECRET, "--tolerance", any], &headers, b"{}");
            assert_eq!(stdout(&output), "valid\n", "{any}");
        }
    }

    #[test]
    fn headers_and_secret_come_from_files_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let secret = file("secret", "key\n");
        let body = file("body", "{}");
        let scheme = SignatureOptions::HmacSha256 {
            secrets: vec![Secret::new("key").into()],
            header: HeaderName::from_static("x-sig"),
            prefix: "sha256=".to_owned(),
        };
        let signed = Signer::new(&scheme).unwrap().sign("", Timestamp::now(), b"{}").unwrap();
        let text = format!("POST /hooks HTTP/1.1\nHost: é.example\nX-Sig: {}\n\nbody", signed[0].1.to_str().unwrap());
        let headers = file("headers", &text);
        let common = ["verify", "--secret-file", &secret, "--scheme", "hmac-sha256", "--header", "X-Sig"];
        let run = |more: &[&str]| radhook(&common).args(more).output().unwrap();
        let output = run(&["--prefix", "sha256=", "--headers", &headers, &body]);
        assert_eq!((stdout(&output), output.status.code()), ("valid\n", Some(0)), "{output:?}");
        let output = run(&["--prefix", "sha1=", "--headers", &headers, &body]);
        assert!(stdout(&output).contains("begins with \"sha1=\""), "{output:?}");
        let output = run(&["--prefix", "sha256=", "--headers", &body, &body]);
        assert!(stderr(&output).contains("give the request's headers"), "{output:?}");
        let output = run(&["--prefix", "sha256=", "--headers", &headers, "/nowhere"]);
        assert!(stderr(&output).contains("read the body from /nowhere"), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }

    #[test]
    fn what_cannot_work_is_said() {
        for (arguments, says) in [
            (&["-H", "a: b", "-"][..], "give the secret with --secret"),
            (&["--secret", "whsec_!", "-H", "a: b", "-"], "secret 1 begins with whsec_"),
            (&["--secret", "key", "--prefix", "sha256=", "-H", "a: b", "-"], "belong to --scheme hmac-sha256"),
            (&["--secret", "key", "-"], "give the request's headers"),
            (&["--secret", "key", "-H", "nonsense", "-"], "is no header"),
            (&["--secret", "key", "--tolerance=-5m", "-H", "a: b", "-"], "less than nothing"),
            (&["--secret", "key", "--tolerance", "1month", "-H", "a: b", "-"], "is no duration"),
            (&["--secret", "key", "--tolerance", "soon", "-H", "a: b", "-"], "is no duration"),
        ] {
            let output = radhook(&["verify"]).args(arguments).output().unwrap();
            assert!(stderr(&output).contains(says), "{says}: {output:?}");
            assert_ne!(output.status.code(), Some(0));
        }
    }
}

/// A running `radhook listen`. Killed when dropped, so that a failed test leaves none behind.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        let mut child = radhook(&["listen", "--listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
        let mut ready = String::new();
        BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut ready).unwrap();
        let url = ready.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{ready:?}")).to_owned();
        Self { child, url }
    }

    /// Sends a signed event and gives the status.
    async fn post(&self, secret: &str, id: &str, body: &Value) -> reqwest::Result<u16> {
        let body = body.to_string();
        let headers = standard(secret).sign(id, Timestamp::now(), body.as_bytes()).unwrap().into_iter().collect();
        let request = reqwest::Client::new().post(&self.url).headers(headers).body(body);
        Ok(request.send().await?.status().as_u16())
    }

    /// Waits for its end: what it printed, what it said, and its exit code.
    fn end(mut self) -> (String, String, Option<i32>) {
        let (mut printed, mut said) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (printed, said, self.child.wait().unwrap().code())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_of(user: &str) -> Value {
    json!({
        "type": "session.start",
        "data": { "user": { "name": user }, "client": { "mac": "02-1A-00-00-00-01" }, "session": { "id": "s-1" } },
    })
}

mod listen {
    use super::*;

    #[tokio::test]
    async fn requests_are_shown_as_readable_lines_without_colours_or_escapes_of_others() {
        let listening = Listening::start(&["--secret", SECRET, "--fail-first", "1", "--count", "3"]);
        let alice = start_of("alice\u{1b}[2J");
        assert_eq!(listening.post(SECRET, "e-1", &alice).await.unwrap(), 503);
        assert_eq!(listening.post(SECRET, "e-1", &alice).await.unwrap(), 204);
        assert_eq!(listening.post("another", "e-1", &alice).await.unwrap(), 401);
        let (printed, said, code) = listening.end();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 3, "{printed}");
        assert!(!printed.contains('\u{1b}'), "{printed}");
        for (line, parts) in lines.iter().zip([
            &["verified", "503", "session.start", r"alice\u{1b}[2J", "02-1A-00-00-00-01", "s-1", "e-1"][..],
            &["verified", "204", "retry"],
            &["refused", "401", "no signature matches"],
        ]) {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        }
        assert_eq!(said.trim(), "requests: 3, events taken: 1, failed as told: 1, retries: 1, not believed: 1");
        assert_eq!(code, Some(1), "one could not be verified");
    }

    #[tokio::test]
    async fn json_lines_carry_everything() {
        let listening = Listening::start(&["--secret", SECRET, "--json", "--count", "2"]);
        let alice = start_of("alice");
        for expected in [204, 204] {
            assert_eq!(listening.post(SECRET, "e-1", &alice).await.unwrap(), expected);
        }
        let (printed, _, code) = listening.end();
        let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        for (key, value) in [
            ("id", json!("e-1")),
            ("type", json!("session.start")),
            ("user", json!("alice")),
            ("mac", json!("02-1A-00-00-00-01")),
            ("session", json!("s-1")),
            ("verdict", json!("verified")),
            ("answered", json!("status")),
            ("status", json!(204)),
            ("body", alice),
        ] {
            assert_eq!(lines[0][key], value, "{key}");
        }
        assert_eq!([&lines[0]["novelty"], &lines[1]["novelty"]], ["new", "repeat"]);
        assert_eq!(lines[0].get("reason"), None);
        lines[0]["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
        assert_eq!(code, Some(0));
    }

    #[tokio::test]
    async fn an_interrupt_ends_it_with_a_summary() {
        let listening = Listening::start(&["--status", "201"]);
        assert_eq!(listening.post("whatever", "e-1", &start_of("alice")).await.unwrap(), 201);
        let mut line = String::new();
        let mut listening = listening;
        BufReader::with_capacity(1, listening.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("unchecked"), "{line}");
        kill(Pid::from_raw(i32::try_from(listening.child.id()).unwrap()), Signal::SIGINT).unwrap();
        let (_, said, code) = listening.end();
        assert_eq!((said.trim(), code), ("requests: 1, events taken: 1", Some(0)));
    }

    #[tokio::test]
    async fn it_closes_when_told_to() {
        let listening = Listening::start(&["--close", "--count", "1"]);
        listening.post("whatever", "e-1", &start_of("alice")).await.unwrap_err();
        let (printed, said, _) = listening.end();
        assert!(printed.contains("closed"), "{printed}");
        assert!(said.contains("failed as told: 1"), "{said}");
    }

    #[test]
    fn contradicting_options_are_refused() {
        for arguments in [
            &["--hang", "--status", "503"][..],
            &["--fail-first", "1", "--fail-share", "0.5"],
            &["--status", "103"],
            &["--fail-share", "2"],
            &["--secret", "a", "--secret-file", "b"],
        ] {
            let output = radhook(&["listen", "--listen", "127.0.0.1:0"]).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        }
    }
}

mod simulate {
    use super::*;

    /// Acknowledges accounting on loopback until dropped.
    struct Acknowledging {
        address: String,
        stop: Arc<AtomicBool>,
    }

    impl Acknowledging {
        fn start() -> Self {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let address = socket.local_addr().unwrap().to_string();
            let stop = Arc::new(AtomicBool::new(false));
            let stopped = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while !stopped.load(Ordering::Relaxed) {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                    if Packet::is_authentic_request(&buffer[..length], b"xyzzy5461") {
                        let request = Packet::decode(&buffer[..length], b"xyzzy5461").unwrap();
                        let response = request.make_response_packet(Code::AccountingResponse).encode().unwrap();
                        socket.send_to(&response, from).unwrap();
                    }
                }
            });
            Self { address, stop }
        }
    }

    impl Drop for Acknowledging {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn simulate(target: &str, arguments: &[&str]) -> Output {
        let common = ["simulate", "--target", target, "--secret", "xyzzy5461", "--sessions", "20", "--timeout", "20s"];
        radhook(&common).args(arguments).output().unwrap()
    }

    #[test]
    fn a_run_is_reported_as_a_table() {
        let target = Acknowledging::start();
        let output = simulate(&target.address, &["--seed", "7", "--forge", "2", "--retransmit-share", "0.1"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        for line in
            ["sessions       20 (--seed 7)", "lost           0", "forged         2  (sent beside", "p99.9 ", "/s over "]
        {
            assert!(stdout(&output).contains(line), "{line}: {}", stdout(&output));
        }
        assert_eq!(stderr(&output), "", "no progress bar where nobody watches");
    }

    #[test]
    fn as_json_the_figures_add_up() {
        let target = Acknowledging::start();
        let output = simulate(&target.address, &["--json", "--interims", "3", "--rate", "2000/s"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (key, figure) in [("sent", 100), ("acknowledged", 100), ("lost", 0), ("bad_answers", 0), ("sessions", 20)] {
            assert_eq!(report[key], figure, "{key}");
        }
        let latency = |name: &str| report["latency_us"][name].as_u64().unwrap();
        assert!(latency("p50") <= latency("p99.9") && latency("p99.9") <= latency("max"));
        assert!(report["rate"].as_f64().unwrap() > 0.0);
    }

    #[test]
    fn it_fails_when_packets_are_lost() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = silent.local_addr().unwrap().to_string();
        let quick = ["simulate", "--target", &target, "--secret", "s", "--sessions", "1", "--timeout", "10ms"];
        let output = radhook(&quick).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains("lost           4"), "{output:?}");
    }

    #[test]
    fn a_wrong_secret_shows_as_lost_packets() {
        let target = Acknowledging::start();
        let common =
            ["simulate", "--target", &target.address, "--secret", "wrong", "--sessions", "1", "--interims", "0"];
        let output = radhook(&common).args(["--timeout", "10ms", "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&report["lost"], output.status.code()), (&json!(2), Some(1)));
    }

    #[test]
    fn an_interrupt_ends_the_run_with_its_report() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = silent.local_addr().unwrap().to_string();
        let long = ["simulate", "--target", &target, "--secret", "s", "--timeout", "1h", "--json"];
        let child = radhook(&long).spawn().unwrap();
        // Its first packet tells that it runs, and by then it heeds interrupts.
        silent.recv(&mut [0; 4096]).unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&report["outstanding"], &report["lost"]), (&json!(64), &json!(0)));
    }
}
