//! The accounting source behind a real FreeRADIUS, with a real radclient in front. Both must be installed;
//! `tests/run` sees to that.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;
use radhook::exchange::{Readiness, Stored, Submission};
use radhook::radius::Dictionary;
use radhook::secret::Secret;
use radhook::source::accounting::{self, AccountingSource};
use radhook::source::client::{Client, Clients, Requirement};
use radhook::source::{AccountingOptions, Inlet};
use support::debugged::{DICTIONARIES, Debugged};

/// How long a packet may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

fn start_source() -> (AccountingSource, Receiver<Submission>) {
    let client = Client {
        name: "freeradius".into(),
        network: "127.0.0.1/32".parse().unwrap(),
        secret: Secret::new("s3cret"),
        message_authenticator: Requirement::Auto,
        swap_octets: false,
        nas_type: None,
    };
    let options = AccountingOptions { name: "acct".into(), listen: vec!["127.0.0.1:0".parse().unwrap()] };
    let (sender, intake) = crossbeam_channel::bounded(1000);
    let inlet = Inlet {
        clients: Arc::new(Clients::new(vec![client])),
        dictionary: Dictionary::shipped(),
        submissions: sender,
        readiness: Readiness::new(),
    };
    let source = accounting::start(&options, &inlet).unwrap();
    (source, intake)
}

/// Sends one accounting packet and says whether it was answered.
fn radclient(port: u16, attributes: &str) -> bool {
    let mut radclient = Command::new("/usr/bin/radclient")
        .args(["-D", DICTIONARIES, "-r", "1", "-t", "3", &format!("127.0.0.1:{port}"), "acct", "s3cret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    radclient.stdin.take().unwrap().write_all(attributes.as_bytes()).unwrap();
    radclient.wait().unwrap().success()
}

/// A FreeRADIUS that proxies all accounting to one home server.
fn proxy(home_server_port: u16, status_check: &str) -> Debugged {
    Debugged::start(|port| {
        format!(
            "thread pool {{\n start_servers = 1\n max_servers = 2\n}}\n\
             home_server radhook {{\n type = acct\n ipaddr = 127.0.0.1\n port = {home_server_port}\n secret = s3cret\n\
             {status_check}\n check_interval = 6\n check_timeout = 1\n num_answers_to_alive = 3\n\
             response_window = 1\n zombie_period = 1\n}}\n\
             home_server_pool radhook {{\n home_server = radhook\n}}\n\
             realm radhook {{\n acct_pool = radhook\n}}\n\
             server default {{\n listen {{\n type = acct\n ipaddr = 127.0.0.1\n port = {port}\n }}\n\
             preacct {{\n update control {{\n &Proxy-To-Realm := \"radhook\"\n }}\n }}\n accounting {{\n }}\n}}\n"
        )
    })
}

#[test]
fn radclient_gets_its_answers() {
    let (source, intake) = start_source();
    let port = source.local_addrs()[0].port();
    let writer = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let submission = intake.recv_timeout(PATIENCE).unwrap();
            seen.extend(submission.exchanges.iter().map(|exchange| serde_json::to_value(&exchange.request).unwrap()));
            (submission.done)(Stored::Yes);
        }
        seen
    });
    for status in ["Start", "Interim-Update", "Stop"] {
        let attributes = format!(
            "User-Name = alice, Acct-Status-Type = {status}, Acct-Session-Id = 5F1A, NAS-IP-Address = 10.0.0.1, \
             Tunnel-Type:1 = VLAN, Cisco-AVPair = \"a=b\", Framed-IPv6-Prefix = 2001:db8::/64, Proxy-State = 0x01"
        );
        assert!(radclient(port, &attributes), "radclient takes the answer to {status}");
    }
    for (request, status) in writer.join().unwrap().iter().zip(["Start", "Interim-Update", "Stop"]) {
        assert_eq!(request["Acct-Status-Type"], status);
        assert_eq!(request["Framed-IPv6-Prefix"], "2001:db8::/64");
    }
}

/// FreeRADIUS gives the home server up when it does not answer; a check must bring it back, and then packets pass.
fn comes_back(status_check: &str) {
    let (source, intake) = start_source();
    let port = source.local_addrs()[0].port();
    let server = proxy(port, status_check);
    // Nothing is stored yet, so that nothing is answered but the check.
    let start = "User-Name = alice, Acct-Status-Type = Start, Acct-Session-Id = 1, NAS-IP-Address = 10.0.0.1";
    assert!(!radclient(server.port(), start));
    server.lines_until(&format!("Marking home server 127.0.0.1 port {port} alive"));
    let alive = Arc::new(AtomicBool::new(true));
    let writer = std::thread::spawn({
        let alive = alive.clone();
        move || {
            let mut sessions = Vec::new();
            while alive.load(Ordering::Relaxed) {
                let Ok(submission) = intake.recv_timeout(Duration::from_millis(50)) else { continue };
                for exchange in submission.exchanges.iter() {
                    sessions.push(serde_json::to_value(&exchange.request).unwrap()["Acct-Session-Id"].clone());
                }
                (submission.done)(Stored::Yes);
            }
            sessions
        }
    });
    let stop = "User-Name = alice, Acct-Status-Type = Stop, Acct-Session-Id = 2, NAS-IP-Address = 10.0.0.1";
    assert!(radclient(server.port(), stop), "FreeRADIUS passes the answer on");
    alive.store(false, Ordering::Relaxed);
    let sessions = writer.join().unwrap();
    assert!(sessions.iter().any(|session| session == "2"));
    assert!(sessions.iter().all(|session| session != "00000000"), "a check is no event");
}

#[test]
fn status_server_brings_the_home_server_back() {
    comes_back("status_check = status-server");
}

#[test]
fn the_fake_stop_brings_the_home_server_back() {
    comes_back("status_check = request\n username = check_user");
}
